use crate::frameworks::actix as framework;

http_suites!();

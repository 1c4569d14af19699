use crate::frameworks::rocket as framework;

http_suites!();

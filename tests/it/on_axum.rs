use crate::frameworks::axum as framework;

http_suites!();

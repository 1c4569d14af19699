use crate::backends::sqlite as backend;

store_suites!();

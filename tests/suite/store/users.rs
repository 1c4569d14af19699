use super::backend;

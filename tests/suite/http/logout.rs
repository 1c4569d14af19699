use super::framework;

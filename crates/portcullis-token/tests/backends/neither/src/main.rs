//! A program that forgot to choose a backend; it does not compile.

fn main() {}

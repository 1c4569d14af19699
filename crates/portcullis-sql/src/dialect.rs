//! All that differs between databases.

/// Writes our SQL as SQLite reads it. The words in braces stand for what has no common name:
///
/// | word | meaning |
/// |---|---|
/// | `{sequence}` | a number that the database gives out, growing and never given twice |
/// | `{bytes}` | a string of bytes |
pub(crate) fn sqlite(sql: &str) -> String {
    sql.replace("{sequence}", "INTEGER PRIMARY KEY AUTOINCREMENT").replace("{bytes}", "BLOB")
}

//! The one door to the database: statements in, rows out, whatever the database.
//!
//! SQL stands in the files of the stores, once, with `?` for values and in words that SQLite, PostgreSQL and MySQL
//! share; what they do not share is in `dialect`. (`sqlx::Any` is no such door: it takes no pool of the
//! application's and does not translate the `?`.)

use std::str::FromStr;
use std::time::{Duration, Instant};

use portcullis::Fault;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Decode, Row as _, Sqlite, SqlitePool, Type};
use tokio::sync::{Mutex, MutexGuard};

use crate::dialect;

/// A database, by its pool.
pub(crate) struct Database {
    pool: SqlitePool,
    /// SQLite has one writer at a time. Those of this process queue here, first come first served, instead of
    /// polling each other's lock until a time-out calls it "busy".
    writing: Mutex<()>,
}

/// A statement with its values.
pub(crate) struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

/// A value to bind.
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Vec<u8>),
}

/// What a statement found.
pub(crate) struct Row(SqliteRow);

/// `sql("select … where id = ?").bind(id)`
pub(crate) fn sql(sql: &'static str) -> Statement {
    Statement { sql, values: Vec::new() }
}

impl Statement {
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn query(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    }
}

impl Database {
    pub(crate) fn sqlite(pool: SqlitePool) -> Self {
        Self { pool, writing: Mutex::new(()) }
    }

    pub(crate) async fn connect(url: &str) -> Result<Self, Fault> {
        let unreadable = "reading the database address";
        // sqlx would take any other address for the name of a file, and make it.
        if !url.starts_with("sqlite:") {
            return Err(Fault::new(unreadable, "it must begin with `sqlite:`, as in `sqlite://app.db`"));
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| Fault::new(unreadable, error))?
            .busy_timeout(PATIENCE)
            // An acknowledged logout survives a power cut.
            .synchronous(SqliteSynchronous::Full);
        let opening = |error| Fault::new("opening the database", format!("{url}: {error}"));
        if is_memory(url) {
            // A database in memory lives and dies with its one connection.
            let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
            return Ok(Self::sqlite(pool.connect_with(options).await.map_err(opening)?));
        }
        let options = options.journal_mode(SqliteJournalMode::Wal);
        create(options.clone().create_if_missing(true)).await.map_err(opening)?;
        let file = watch::File::new(options.get_filename());
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .before_acquire(move |_, connection| {
                let in_place = file.was_in_place_since(connection.age);
                Box::pin(async move { Ok(in_place) })
            })
            .connect_with(options.create_if_missing(false))
            .await
            .map_err(opening)?;
        Ok(Self::sqlite(pool))
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// All rows.
    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<Row>, Fault> {
        let rows = statement.query().fetch_all(&self.pool).await.map_err(reading)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The row, if there is one.
    pub(crate) async fn one(&self, statement: Statement) -> Result<Option<Row>, Fault> {
        Ok(statement.query().fetch_optional(&self.pool).await.map_err(reading)?.map(Row))
    }

    /// Changes rows; answers how many. A row that would break a unique key counts as none.
    pub(crate) async fn change(&self, statement: Statement) -> Result<u64, Fault> {
        let _turn = self.turn().await?;
        affected(statement.query().execute(&self.pool).await)
    }

    /// Changes rows by several statements, all or none: if one of them changes nothing, nothing is changed.
    pub(crate) async fn change_together(&self, all: Vec<Statement>) -> Result<bool, Fault> {
        let _turn = self.turn().await?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(writing)?;
        for statement in all {
            if affected(statement.query().execute(&mut *transaction).await)? == 0 {
                transaction.rollback().await.map_err(writing)?;
                return Ok(false);
            }
        }
        transaction.commit().await.map_err(writing)?;
        Ok(true)
    }

    /// Runs a script of ours, all or nothing.
    pub(crate) async fn script(&self, script: &str) -> Result<(), Fault> {
        let _turn = self.turn().await?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(writing)?;
        sqlx::raw_sql(AssertSqlSafe(dialect::sqlite(script)))
            .execute(&mut *transaction)
            .await
            .map_err(writing)?;
        transaction.commit().await.map_err(writing)
    }

    /// Bounded, or everybody in the queue would wait for the time-outs of all before.
    async fn turn(&self) -> Result<MutexGuard<'_, ()>, Fault> {
        let turn = tokio::time::timeout(2 * PATIENCE, self.writing.lock()).await;
        turn.map_err(|_| Fault::new("writing to the database", "too many wait for somebody else's lock"))
    }
}

impl Row {
    /// The column of that name.
    pub(crate) fn get<'r, T>(&'r self, column: &str) -> Result<T, Fault>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.0.try_get(column).map_err(reading)
    }

    /// The same, as a type that is stored as text.
    pub(crate) fn parse<T>(&self, column: &str) -> Result<T, Fault>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        parse(self.get(column)?)
    }

    /// The same, where there may be none.
    pub(crate) fn parse_some<T>(&self, column: &str) -> Result<Option<T>, Fault>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        self.get::<Option<&str>>(column)?.map(parse).transpose()
    }
}

fn parse<T>(text: &str) -> Result<T, Fault>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| Fault::new("reading a value of the database", error))
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::from(text.to_owned())
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Value::Number(number)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

fn affected(result: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>) -> Result<u64, Fault> {
    match result {
        Ok(done) => Ok(done.rows_affected()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(0),
        Err(error) => Err(writing(error)),
    }
}

fn reading(error: sqlx::Error) -> Fault {
    Fault::new("reading from the database", error)
}

fn writing(error: sqlx::Error) -> Fault {
    Fault::new("writing to the database", error)
}

/// Makes the file, if it is not there, and turns on its write-ahead log. To those who do so at the same moment SQLite
/// answers "locked" without having waited, so the waiting is done here.
async fn create(options: SqliteConnectOptions) -> Result<(), sqlx::Error> {
    #[cfg(unix)]
    make_private(options.get_filename())?;
    let started = Instant::now();
    loop {
        match options.connect().await {
            Ok(connection) => return connection.close().await,
            Err(error) if is_busy(&error) && started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes the file before SQLite would, for its owner's eyes alone; what SQLite puts beside it is given the same rights.
#[cfg(unix)]
fn make_private(path: &std::path::Path) -> Result<(), sqlx::Error> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    // The upper bytes say why (sqlite.org/rescode.html).
    code.is_some_and(|code| code & 0xff == 5)
}

/// How long somebody else's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

fn is_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

/// Whether the database file is still the one that a connection opened.
///
/// SQLite goes on happily with a file that was deleted or moved away, and what it then writes is lost with the last
/// connection. So a connection is used only while the file that it opened stands where it stood.
mod watch {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};
    use std::time::{Duration, Instant};

    pub(super) struct File {
        path: PathBuf,
        seen: Mutex<(Option<Identity>, Instant)>,
    }

    type Identity = (u64, u64);

    impl File {
        pub(super) fn new(path: &Path) -> Self {
            Self { path: path.to_owned(), seen: Mutex::new((identity(path), Instant::now())) }
        }

        /// Whether the file has been the same for at least that long.
        pub(super) fn was_in_place_since(&self, age: Duration) -> bool {
            let now = identity(&self.path);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.0 != now {
                *seen = (now, Instant::now());
            }
            now.is_some() && (age <= seen.1.elapsed())
        }
    }

    #[cfg(unix)]
    fn identity(path: &Path) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }

    #[cfg(not(unix))]
    fn identity(path: &Path) -> Option<Identity> {
        fs::metadata(path).ok().map(|_| (0, 0))
    }
}

//! Portcullis's tables in a SQL database, on sqlx. So far SQLite, embedded.
//!
//! ```no_run
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use portcullis::{Auth, Config};
//! use portcullis_sql::SqlStore;
//!
//! let store = SqlStore::connect("sqlite://app.db").await?; // creates the file and migrates
//! let auth = Auth::new(Config::from_env()?, store).await?;
//! # Ok(()) }
//! ```
//!
//! All tables bear the prefix `portcullis_` and have a bookkeeping table of their own, so they live beside the
//! application's tables and migrations in one database.

mod credentials;
mod database;
mod dialect;
mod events;
mod keys;
mod migrations;
mod revocations;
mod sessions;
mod users;

use std::sync::Arc;

use portcullis::{Fault, Stores};
use sqlx::SqlitePool;

use database::Database;

/// All stores, in one database. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore {
    database: Arc<Database>,
}

impl SqlStore {
    /// Opens the database of that address (`sqlite://path/to/app.db` or `sqlite::memory:`) and migrates it. A file
    /// that does not exist is created, with write-ahead log; later it must stay where it is: if it goes, requests
    /// fail until it is back, and no new one takes its place.
    ///
    /// # Errors
    /// The address is of another kind, or the database cannot be opened or migrated.
    pub async fn connect(url: &str) -> Result<Self, Fault> {
        Self::new(Database::connect(url).await?).await
    }

    /// Uses a pool of the application's and migrates its database. Set write-ahead log and a busy time-out on it
    /// (`SqliteConnectOptions::journal_mode`, `busy_timeout`).
    ///
    /// # Errors
    /// The database cannot be migrated.
    pub async fn with_pool(pool: SqlitePool) -> Result<Self, Fault> {
        Self::new(Database::sqlite(pool)).await
    }

    /// The pool, for the application's own tables beside ours.
    pub fn pool(&self) -> &SqlitePool {
        self.database.pool()
    }

    async fn new(database: Database) -> Result<Self, Fault> {
        migrations::run(&database).await?;
        Ok(Self { database: Arc::new(database) })
    }
}

impl From<SqlStore> for Stores {
    fn from(store: SqlStore) -> Self {
        let store = Arc::new(store);
        Stores {
            users: store.clone(),
            credentials: store.clone(),
            sessions: store.clone(),
            revocations: store.clone(),
            keys: store.clone(),
            events: store,
        }
    }
}

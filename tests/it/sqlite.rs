//! What is particular to SQLite: the file, its lock, and whoever else uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portcullis::event::Event;
use portcullis::store::{Ended, NewUser, SealedKey, Which};
use portcullis::{Fault, Stores, UserId};
use portcullis_sql::SqlStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlitePool};
use tempfile::TempDir;

use crate::records::{self, NOW, later, new_session, new_user, race, step, wins};

/// A folder for a database that is not there yet, and its address.
fn place() -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let url = format!("sqlite://{}", file.display());
    (folder, file, url)
}

async fn connect(url: &str) -> (SqlStore, Stores) {
    let store = SqlStore::connect(url).await.unwrap();
    (store.clone(), store.into())
}

async fn refused(url: &str) -> Fault {
    match SqlStore::connect(url).await {
        Ok(_) => panic!("{url} was accepted"),
        Err(fault) => fault,
    }
}

async fn text(pool: &SqlitePool, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn count(pool: &SqlitePool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// A write and a read, which both must work.
async fn use_it(stores: &Stores, address: &str) -> UserId {
    let user = records::user(stores, address).await;
    assert_eq!(stores.users.find(user.id).await.unwrap().unwrap().email.as_str(), address);
    user.id
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[tokio::test]
async fn connect_creates_the_file_with_a_write_ahead_log() {
    let (_folder, file, url) = place();
    let (store, stores) = connect(&url).await;
    assert!(file.exists());
    assert_eq!(text(store.pool(), "PRAGMA journal_mode").await, "wal");
    use_it(&stores, "ada@example.org").await;
}

#[tokio::test]
async fn every_connection_waits_for_locks_and_writes_through_to_the_disk() {
    let (_folder, _, url) = place();
    let (store, _) = connect(&url).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut connection = store.pool().acquire().await.unwrap();
        let wait: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *connection).await.unwrap();
        let sync: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.unwrap();
        let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *connection).await.unwrap();
        assert_eq!((wait, sync, keys), (5000, 2, 1));
        held.push(connection);
    }
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_an_error_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let fault = refused(&format!("sqlite://{}/app.db", missing.display())).await;
    assert!(fault.to_string().starts_with("opening the database: "), "{fault}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn an_address_of_another_kind_is_a_clear_error() {
    for url in ["postgres://localhost/app", "mysql://localhost/app", "app.db", ""] {
        let fault = refused(url).await.to_string();
        assert!(fault.starts_with("reading the database address: "), "{url}: {fault}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let (_folder, file, url) = place();
    let novel = "It was a dark and stormy night. ".repeat(100);
    fs::write(&file, &novel).unwrap();
    let fault = refused(&url).await.to_string();
    assert!(fault.contains("not a database"), "{fault}");
    assert_eq!(fs::read_to_string(&file).unwrap(), novel);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_in_memory_keeps_everything_and_is_nobody_elses() {
    for url in ["sqlite::memory:", "sqlite://:memory:"] {
        let (_, stores) = connect(url).await;
        let (_, other) = connect(url).await;
        let users = race(64, |racer| {
            let stores = stores.clone();
            async move { use_it(&stores, &format!("user{racer}@example.org")).await }
        })
        .await;
        for user in users {
            assert!(stores.users.find(user).await.unwrap().is_some());
            assert!(other.users.find(user).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_closing_and_connecting_again() {
    let (_folder, _, url) = place();
    let (store, stores) = connect(&url).await;
    let user = use_it(&stores, "ada@example.org").await;
    store.pool().close().await;
    let (_, stores) = connect(&url).await;
    assert!(stores.users.find(user).await.unwrap().is_some());
}

#[tokio::test]
async fn it_lives_beside_the_applications_tables_and_migrations_in_the_applications_pool() {
    let (_folder, _, url) = place();
    let options: SqliteConnectOptions = url.parse().unwrap();
    let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(3).connect_with(options).await.unwrap();
    let script = "
        CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE sessions (id INTEGER PRIMARY KEY);
        CREATE TABLE migrations (version BIGINT PRIMARY KEY);
        CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT);
        INSERT INTO users (name) VALUES ('of the application');
        INSERT INTO migrations VALUES (7);
        INSERT INTO _sqlx_migrations VALUES (20270101, 'users');";
    sqlx::raw_sql(script).execute(&pool).await.unwrap();
    let stores: Stores = SqlStore::with_pool(pool.clone()).await.unwrap().into();
    use_it(&stores, "ada@example.org").await;
    assert_eq!(text(&pool, "SELECT name FROM users").await, "of the application");
    assert_eq!(count(&pool, "SELECT MAX(version) FROM migrations").await, 7);
    assert_eq!(count(&pool, "SELECT COUNT(*) FROM _sqlx_migrations").await, 1);
    assert_eq!(count(&pool, "SELECT COUNT(*) FROM portcullis_users").await, 1);
    let strangers =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'portcullis\\_%'
         ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    assert_eq!(count(&pool, strangers).await, 4, "all of ours bear the prefix");
    // Once more on the same pool: nothing is migrated twice, nothing is lost.
    let stores: Stores = SqlStore::with_pool(pool).await.unwrap().into();
    let ada = records::email("ada@example.org");
    assert!(stores.credentials.by_email(&ada).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_that_connect_at_once_one_migrates() {
    for _ in 0..4 {
        let (_folder, _, url) = place();
        let stores = race(8, |_| {
            let url = url.clone();
            async move { SqlStore::connect(&url).await.unwrap() }
        })
        .await;
        for (number, store) in stores.iter().enumerate() {
            assert_eq!(count(store.pool(), "SELECT COUNT(*) FROM portcullis_migrations").await, 2);
            use_it(&store.clone().into(), &format!("user{number}@example.org")).await;
        }
        assert_eq!(count(stores[0].pool(), "SELECT COUNT(*) FROM portcullis_users").await, 8);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (_folder, _, url) = place();
    let (store, stores) = connect(&url).await;
    let user = use_it(&stores, "ada@example.org").await;
    sqlx::query("INSERT INTO portcullis_migrations VALUES (999)").execute(store.pool()).await.unwrap();
    let fault = refused(&url).await.to_string();
    assert_eq!(fault, "migrating the database: a newer version of Portcullis has migrated it");
    sqlx::query("DELETE FROM portcullis_migrations WHERE version = 999").execute(store.pool()).await.unwrap();
    let (_, stores) = connect(&url).await;
    assert!(stores.users.find(user).await.unwrap().is_some());
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind_and_can_be_repeated() {
    let (_folder, _, url) = place();
    let mut bare =
        url.parse::<SqliteConnectOptions>().unwrap().create_if_missing(true).connect().await.unwrap();
    // In the way of one of the last statements of the script.
    sqlx::raw_sql("CREATE TABLE portcullis_events (mine TEXT)").execute(&mut bare).await.unwrap();
    let fault = refused(&url).await.to_string();
    assert!(fault.contains("portcullis_events"), "{fault}");
    let ours = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'portcullis_users'";
    let left: i64 = sqlx::query_scalar(ours).fetch_one(&mut bare).await.unwrap();
    assert_eq!(left, 0);
    sqlx::raw_sql("DROP TABLE portcullis_events").execute(&mut bare).await.unwrap();
    let (_, stores) = connect(&url).await;
    use_it(&stores, "ada@example.org").await;
}

#[tokio::test]
async fn keys_from_before_they_were_rotated_sign_from_when_they_were_made() {
    let (_folder, _, url) = place();
    let (store, stores) = connect(&url).await;
    let script = "
        ALTER TABLE portcullis_keys DROP COLUMN signs_from;
        ALTER TABLE portcullis_keys DROP COLUMN retired_at;
        DELETE FROM portcullis_migrations WHERE version >= 2;
        INSERT INTO portcullis_keys (serial, kid, sealed, created_at) VALUES (1, 'old', x'01', 1700000000000);";
    sqlx::raw_sql(script).execute(store.pool()).await.unwrap();
    drop(stores);
    store.pool().close().await;
    let (_, stores) = connect(&url).await;
    let keys = stores.keys.all().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].signs_from.millis(), 1_700_000_000_000);
    assert_eq!(keys[0].created_at, keys[0].signs_from);
    assert_eq!(keys[0].retired_at, None);
}

/// Everything a node writes, from 64 tasks on two pools over one file, as from two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_64_writers_on_two_pools_it_never_answers_busy_and_loses_nothing() {
    let (_folder, _, url) = place();
    let (one, two) = (connect(&url).await, connect(&url).await);
    let shared = records::user(&one.1, "shared@example.org").await;
    let done = race(64, |writer| {
        let stores = if writer % 2 == 0 { one.1.clone() } else { two.1.clone() };
        let shared = shared.id;
        async move {
            for round in 0..3 {
                let user = new_user(&format!("user{writer}.{round}@example.org"));
                let new = NewUser { user: &user, password: "a hash" };
                assert!(stores.users.create(new).await?);
                let session = new_session(user.id);
                assert!(stores.sessions.start(&session).await?);
                assert!(stores.sessions.advance(&step(&session, 0)).await?);
                assert!(stores.users.advance_epoch(shared).await?);
                let record = stores.credentials.by_user(user.id).await?.unwrap();
                assert!(stores.credentials.change(&record, "new hash", None).await?);
                assert_eq!(stores.sessions.end(user.id, Which::All, NOW, Ended::Logout).await?, 1);
                let ended = stores.sessions.ended_since(user.id, NOW).await?;
                assert_eq!(ended, [session.id]);
                stores.revocations.put(&ended, later(10)).await?;
                stores.revocations.after(0, NOW).await?;
                let event = Event {
                    at: NOW,
                    action: "signed_out".into(),
                    cause: None,
                    user: Some(user.id),
                    session: Some(session.id),
                    ip: None,
                    user_agent: None,
                };
                stores.events.append(&event).await?;
            }
            Ok::<_, Fault>(())
        }
    })
    .await;
    for result in done {
        result.unwrap();
    }
    let pool = one.0.pool();
    assert_eq!(count(pool, "SELECT epoch FROM portcullis_users WHERE email LIKE 'shared@%'").await, 192);
    assert_eq!(count(pool, "SELECT COUNT(*) FROM portcullis_passwords WHERE hash = 'new hash'").await, 192);
    assert_eq!(count(pool, "SELECT COUNT(*) FROM portcullis_sessions WHERE generation = 1").await, 192);
    assert_eq!(count(pool, "SELECT COUNT(*) FROM portcullis_revocations").await, 192);
    assert_eq!(count(pool, "SELECT COUNT(*) FROM portcullis_events").await, 192);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_of_64_wins_is_won_once_over_two_pools_too() {
    let (_folder, _, url) = place();
    let both = [connect(&url).await.1, connect(&url).await.1];
    let ada = records::user(&both[0], "ada@example.org").await;
    let session = records::session(&both[0], &ada).await;
    for generation in 0..10 {
        let advanced = race(64, |racer| {
            let (stores, step) = (both[racer % 2].clone(), step(&session, generation));
            async move { stores.sessions.advance(&step).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&advanced), 1, "generation {generation}");
        let created = race(64, |racer| {
            let stores = both[racer % 2].clone();
            let user = new_user(&format!("user{generation}@example.org"));
            async move { stores.users.create(NewUser { user: &user, password: "h" }).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&created), 1, "address {generation}");
        let record = both[0].credentials.by_user(ada.id).await.unwrap().unwrap();
        let changed = race(64, |racer| {
            let (stores, record) = (both[racer % 2].clone(), record.clone());
            async move {
                stores.credentials.change(&record, &format!("{generation} {racer}"), None).await.unwrap()
            }
        })
        .await;
        assert_eq!(wins(&changed), 1, "password {generation}");
        let offered = race(64, |racer| {
            let stores = both[racer % 2].clone();
            let key = SealedKey {
                serial: i64::from(generation),
                kid: format!("{generation} {racer}"),
                sealed: vec![1],
                created_at: NOW,
                signs_from: NOW,
                retired_at: None,
            };
            async move { stores.keys.offer(&key).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&offered), 1, "key {generation}");
    }
}

/// Both the file alone (whose log stays behind) and all three.
#[tokio::test]
async fn while_the_file_is_moved_away_everything_fails_and_once_it_is_back_nothing_is_lost() {
    for suffixes in [&[""][..], &["", "-wal", "-shm"]] {
        let (folder, file, url) = place();
        let (_, stores) = connect(&url).await;
        let ada = use_it(&stores, "ada@example.org").await;
        let away = folder.path().join("away.db");
        let carry = |from: &Path, to: &Path| {
            for suffix in suffixes {
                fs::rename(with_suffix(from, suffix), with_suffix(to, suffix)).unwrap();
            }
        };
        carry(&file, &away);
        for _ in 0..3 {
            stores.users.find(ada).await.expect_err("a read");
            let eve = new_user("eve@example.org");
            let new = NewUser { user: &eve, password: "a hash" };
            stores.users.create(new).await.expect_err("a write of two statements");
            stores.users.advance_epoch(ada).await.expect_err("a write");
        }
        assert!(!file.exists(), "no new one took its place");
        carry(&away, &file);
        let found = stores.users.find(ada).await.unwrap().expect("nothing was lost");
        assert_eq!(found.epoch, 0, "what failed was not done");
        let eve = use_it(&stores, "eve@example.org").await;
        // And nothing that was written since went to a file that nobody will see again.
        let (_, again) = connect(&url).await;
        for user in [ada, eve] {
            assert!(again.users.find(user).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn a_file_that_was_deleted_is_missed_and_not_made_anew() {
    let (folder, file, url) = place();
    let (_, stores) = connect(&url).await;
    let ada = use_it(&stores, "ada@example.org").await;
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(with_suffix(&file, suffix)).unwrap();
    }
    for _ in 0..3 {
        stores.users.find(ada).await.expect_err("a read");
        stores.users.advance_epoch(ada).await.expect_err("a write");
        stores.revocations.after(0, NOW).await.expect_err("the feed");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn another_database_put_in_its_place_is_what_is_used_from_then_on() {
    let (_folder, file, url) = place();
    let (_backup, backup, backup_url) = place();
    let (store, stores) = connect(&backup_url).await;
    let of_backup = use_it(&stores, "backup@example.org").await;
    store.pool().close().await;
    let (_, stores) = connect(&url).await;
    let ada = use_it(&stores, "ada@example.org").await;
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(with_suffix(&file, suffix)).unwrap();
    }
    fs::copy(&backup, with_suffix(&file, ".new")).unwrap();
    fs::rename(with_suffix(&file, ".new"), &file).unwrap();
    assert!(stores.users.find(ada).await.unwrap().is_none());
    assert!(stores.users.find(of_backup).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lock_that_somebody_holds_fails_writes_after_the_time_out_and_reads_not_at_all() {
    let (_folder, _, url) = place();
    let (_, stores) = connect(&url).await;
    let ada = use_it(&stores, "ada@example.org").await;
    let mut other = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let started = Instant::now();
    let fault = stores.users.advance_epoch(ada).await.expect_err("a write").to_string();
    let waited = started.elapsed();
    assert!(fault.starts_with("writing to the database: ") && fault.contains("locked"), "{fault}");
    assert!((Duration::from_secs(4)..Duration::from_secs(20)).contains(&waited), "{waited:?}");
    assert_eq!(stores.users.find(ada).await.unwrap().unwrap().epoch, 0, "reading goes on");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(stores.users.advance_epoch(ada).await.unwrap());
    assert_eq!(stores.users.find(ada).await.unwrap().unwrap().epoch, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_short_lock_is_waited_for() {
    let (_folder, _, url) = place();
    let (_, stores) = connect(&url).await;
    let ada = use_it(&stores, "ada@example.org").await;
    let mut other = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let write = tokio::spawn(async move { stores.users.advance_epoch(ada).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!write.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert!(write.await.unwrap().unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let _store = SqlStore::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

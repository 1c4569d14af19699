//! What the three examples share, none of it about a framework: settings, notes and the start page.

use std::error::Error;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::{env, fmt, io};

use portcullis::{Config, Fault, Mode, UserId};
use portcullis_sql::SqlStore;
use serde::{Deserialize, Serialize};
use sqlx::{Row, SqlitePool};
use tracing_subscriber::EnvFilter;

/// What an example is told from outside.
pub struct Settings {
    /// `PORT`: 3000 unless said otherwise; 0 takes a free one.
    pub port: u16,
    /// `DATABASE_URL`: a SQLite file beside the example unless said otherwise.
    pub database_url: String,
    /// Everything of `Config::from_env`. In development unless `PORTCULLIS_MODE` says otherwise, since an example
    /// listens on the loopback address only.
    pub config: Config,
}

impl Settings {
    /// Reads the environment, and starts the log (`RUST_LOG`, else `info`).
    pub fn from_env() -> Result<Self, Box<dyn Error>> {
        let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let colours = std::io::stderr().is_terminal();
        let log = tracing_subscriber::fmt().with_env_filter(level).with_ansi(colours);
        log.with_writer(std::io::stderr).init();
        let beside = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        let port = port.parse().map_err(|_| format!("PORT: `{port}` is not a port"))?;
        let database_url = env::var("DATABASE_URL").unwrap_or_else(|_| format!("sqlite://{beside}/notes.db"));
        let config = Config::from_vars(defaults(&database_url).into_iter().chain(env::vars_os()))?;
        Ok(Self { port, database_url, config })
    }
}

/// An example starts bare, so its secret is made at the first start and kept beside the database. A deployment sets
/// `PORTCULLIS_SECRET`.
fn defaults(database_url: &str) -> Vec<(OsString, OsString)> {
    let mut defaults = vec![("PORTCULLIS_MODE".into(), "development".into())];
    if env::var_os("PORTCULLIS_SECRET").is_none() {
        let path = database_url.strip_prefix("sqlite:").unwrap_or(database_url);
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split('?').next().filter(|path| !path.contains(":memory:")).unwrap_or("notes");
        let secret = Path::new(path).with_extension("secret");
        defaults.push(("PORTCULLIS_SECRET_FILE".into(), secret.into()));
        defaults.push(("PORTCULLIS_SECRET_FILE_CREATE".into(), "true".into()));
    }
    defaults
}

/// What to say when the port cannot be listened on.
pub fn not_free(port: u16) -> impl FnOnce(io::Error) -> String {
    move |error| format!("listening on port {port}: {error}; PORT=0 takes a free one")
}

/// Everybody's notes, in a table of the application's beside Portcullis's.
#[derive(Clone)]
pub struct Notes(SqlitePool);

/// A note.
#[derive(Serialize)]
pub struct Note {
    /// Its number.
    pub id: i64,
    /// What it says.
    pub text: String,
}

/// A note to be made.
#[derive(Deserialize)]
pub struct NewNote {
    /// What it says.
    pub text: String,
}

impl Notes {
    /// In the store's database.
    pub async fn open(store: &SqlStore) -> Result<Self, Fault> {
        let table = "CREATE TABLE IF NOT EXISTS notes
            (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL)";
        sqlx::query(table).execute(store.pool()).await.map_err(fault)?;
        Ok(Self(store.pool().clone()))
    }

    /// Adds one.
    pub async fn add(&self, owner: UserId, note: NewNote) -> Result<Note, Fault> {
        let add = sqlx::query("INSERT INTO notes (owner, text) VALUES (?, ?) RETURNING id");
        let row = add.bind(owner.to_string()).bind(&note.text).fetch_one(&self.0).await.map_err(fault)?;
        Ok(Note { id: row.try_get("id").map_err(fault)?, text: note.text })
    }

    /// One's own.
    pub async fn of(&self, owner: UserId) -> Result<Vec<Note>, Fault> {
        let of =
            sqlx::query("SELECT id, text FROM notes WHERE owner = ? ORDER BY id").bind(owner.to_string());
        let rows = of.fetch_all(&self.0).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let note = || Ok(Note { id: row.try_get("id")?, text: row.try_get("text")? });
                note().map_err(fault)
            })
            .collect()
    }
}

fn fault(error: sqlx::Error) -> Fault {
    Fault::new("keeping notes", error)
}

/// The start page, which anybody may see.
pub fn home(user: Option<UserId>) -> String {
    let greeting = match user {
        Some(id) => format!("You are signed in as <code>{id}</code>."),
        None => "You are not signed in.".to_owned(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Notes</title>\
         <h1>Notes</h1><p>{greeting}</p><p>The terminal shows what to try.</p></html>\n"
    )
}

/// Says on standard output where the server listens and what to try.
#[allow(clippy::print_stdout, reason = "this is what a person who starts an example reads")]
pub fn announce(framework: &str, port: u16, config: &Config) {
    println!("{}", Announcement { framework, port, mode: config.mode });
}

struct Announcement<'a> {
    framework: &'a str,
    port: u16,
    mode: Mode,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = format!("http://127.0.0.1:{}", self.port);
        let json = "-H 'content-type: application/json'";
        let body = r#"{"email":"ada@example.org","password":"correct horse battery"}"#;
        let mode = match self.mode {
            Mode::Development => "development: cookies without Secure, for this machine only",
            Mode::Production => "production: cookies are Secure and bear the __Host- prefix",
        };
        writeln!(f, "Notes on {} listens on {at} ({mode})\n", self.framework)?;
        writeln!(f, "Register, which also signs in; the refresh token goes to the cookie jar:")?;
        writeln!(f, "  curl -w '\\n' -c jar {json} -d '{body}' {at}/auth/register\n")?;
        writeln!(f, "Keep an access token, and use it:")?;
        writeln!(
            f,
            "  TOKEN=$(curl -s -c jar {json} -d '{body}' {at}/auth/login | sed 's/.*accessToken\":\"//;s/\".*//')"
        )?;
        writeln!(f, "  curl -w '\\n' -H \"authorization: Bearer $TOKEN\" {at}/me")?;
        writeln!(
            f,
            "  curl -w '\\n' -H \"authorization: Bearer $TOKEN\" {json} -d '{{\"text\":\"buy milk\"}}' {at}/notes"
        )?;
        writeln!(f, "  curl -w '\\n' -H \"authorization: Bearer $TOKEN\" {at}/notes")?;
        writeln!(f, "  curl -w '\\n' -H \"authorization: Bearer $TOKEN\" {at}/auth/sessions\n")?;
        writeln!(f, "Refresh, log out, and see that it worked:")?;
        writeln!(f, "  curl -w '\\n' -b jar -c jar -X POST {at}/auth/refresh")?;
        writeln!(f, "  curl -w '\\n' -b jar -c jar -X POST {at}/auth/logout")?;
        write!(f, "  curl -w '\\n' -H \"authorization: Bearer $TOKEN\" {at}/me")
    }
}

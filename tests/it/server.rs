//! An example under test: a database file of its own, a clock that stands still, cheap password hashes.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use example_notes::Notes;
use portcullis::event::Event;
use portcullis::{Auth, Config, Stores};
use portcullis_sql::SqlStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Request};
use crate::fixtures::ManualClock;
use crate::frameworks::Running;

pub const SECRET: &str = "the secret of the tests, 32 bytes and more";
pub const PASSWORD: &str = "correct horse battery";

type Serve = fn(Auth, Notes) -> Pin<Box<dyn Future<Output = Running> + Send>>;

pub struct Server {
    pub running: Running,
    pub auth: Auth,
    pub store: SqlStore,
    pub clock: ManualClock,
    /// Every event since the start.
    pub heard: Arc<Mutex<Vec<Event>>>,
    config: Config,
    serve: Serve,
    folder: Arc<TempDir>,
}

/// A signed-in device.
#[derive(Debug, Clone)]
pub struct Device {
    pub access: String,
    pub refresh: String,
    /// The user's id.
    pub user: String,
}

impl Server {
    pub async fn start(serve: Serve, change: impl FnOnce(&mut Config)) -> Self {
        let clock = ManualClock::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut config = Config::new(SECRET);
        config.clock = Arc::new(clock.clone());
        config.password.memory_kib = 64;
        config.password.iterations = 1;
        config.password.threads = 2;
        let listener = heard.clone();
        config.listener = Some(Arc::new(move |event| listener.lock().unwrap().push(event.clone())));
        change(&mut config);
        Self::open(serve, config, clock, heard, Arc::new(tempfile::tempdir().unwrap()), |stores| stores).await
    }

    /// Another server on the same database: a second node, or the same one after a restart.
    pub async fn another(&self) -> Self {
        self.another_with(|_| {}, |stores| stores).await
    }

    /// The same with other settings, or with stores of the test's.
    pub async fn another_with(
        &self,
        change: impl FnOnce(&mut Config),
        stores: impl FnOnce(Stores) -> Stores,
    ) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        let (clock, heard) = (self.clock.clone(), self.heard.clone());
        Self::open(self.serve, config, clock, heard, self.folder.clone(), stores).await
    }

    async fn open(
        serve: Serve,
        config: Config,
        clock: ManualClock,
        heard: Arc<Mutex<Vec<Event>>>,
        folder: Arc<TempDir>,
        stores: impl FnOnce(Stores) -> Stores,
    ) -> Self {
        let url = format!("sqlite://{}", folder.path().join("app.db").display());
        let store = SqlStore::connect(&url).await.unwrap();
        let notes = Notes::open(&store).await.unwrap();
        let auth = Auth::new(config.clone(), stores(store.clone().into())).await.unwrap();
        let running = serve(auth.clone(), notes).await;
        Self { running, auth, store, clock, heard, config, serve, folder }
    }

    pub fn database_file(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    /// The actions of the events so far, with their causes: `sign_in_failed unknown_user`.
    pub fn events(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let line = |event: &Event| match &event.cause {
            Some(cause) => format!("{} {cause}", event.action),
            None => event.action.to_string(),
        };
        heard.iter().map(line).collect()
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.running.address, method, path)
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    pub async fn register(&self, email: &str) -> Device {
        let credentials = json!({ "email": email, "password": PASSWORD });
        device(self.post("/auth/register").json(credentials).send().await, 201)
    }

    pub async fn login(&self, email: &str) -> Device {
        device(self.login_with(email, PASSWORD).await, 200)
    }

    pub async fn login_with(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login").json(json!({ "email": email, "password": password })).send().await
    }

    /// By cookie.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/auth/refresh").refresh_cookie(token).send().await
    }

    pub async fn me(&self, access: &str) -> Answer {
        self.get("/auth/me").bearer(access).send().await
    }

    /// One number from the database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.store.pool()).await.unwrap()
    }
}

fn device(answer: Answer, status: u16) -> Device {
    assert_eq!(answer.status, status, "{answer:?}");
    let data = answer.data();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Device {
        access: text(&data["accessToken"]),
        refresh: answer.refresh_token(),
        user: text(&data["user"]["id"]),
    }
}

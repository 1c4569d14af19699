//! An example under test: a database file of its own, a clock that stands still, cheap password hashes.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use example_notes::Notes;
use portcullis::clock::Time;
use portcullis::event::Event;
use portcullis::store::{Advance, Ended, Session, Sessions, Which};
use portcullis::{Auth, Client, Config, Fault, SessionId, Stores, UserId};
use portcullis_sql::SqlStore;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::client::{Answer, Request};
use crate::fixtures::ManualClock;
use crate::frameworks::Running;

pub const SECRET: &str = "the secret of the tests, 32 bytes and more";
pub const PASSWORD: &str = "correct horse battery";

/// The secrets of the registered clients.
pub const OWN_CLIENT: &str = "7a3d1c5e9f20486b8d7a3d1c5e9f20486b8d";
pub const SERVICE: &str = "b1946ac92492d2347c6235b4d2611184b1946ac9";

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

impl Device {
    /// From the answer to a registration or login.
    pub fn of(answer: &Answer) -> Self {
        let data = answer.data();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            access: text(&data["accessToken"]),
            refresh: answer.refresh_token(),
            user: text(&data["user"]["id"]),
        }
    }

    /// What the access token says.
    pub fn claims(&self) -> Value {
        let payload = self.access.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64URL.decode(payload).unwrap()).unwrap()
    }

    /// The session's id.
    pub fn session(&self) -> String {
        self.claims()["sid"].as_str().unwrap().to_owned()
    }
}

/// The header of a token.
pub fn header(token: &str) -> Value {
    serde_json::from_slice(&BASE64URL.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

impl Server {
    pub async fn start(serve: Serve, change: impl FnOnce(&mut Config)) -> Self {
        let clock = ManualClock::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut config = Config::new(SECRET);
        config.clock = Arc::new(clock.clone());
        config.password.danger_weak_hashes = true;
        config.password.memory_kib = 64;
        config.password.iterations = 1;
        config.password.threads = 2;
        let listener = heard.clone();
        config.listener = Some(Arc::new(move |event| listener.lock().unwrap().push(event.clone())));
        // The client that the application's own tokens are issued to, and a service that receives them.
        config.clients = vec![Client::new("portcullis", OWN_CLIENT), Client::new("service", SERVICE)];
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

    /// Whether a token is good, asked by the service.
    pub async fn introspect(&self, token: &str) -> Answer {
        self.post("/auth/introspect").basic("service", SERVICE).form(&[("token", token)]).send().await
    }

    /// Taken back by the application's own client.
    pub async fn revoke(&self, token: &str) -> Answer {
        self.post("/auth/revoke").basic("portcullis", OWN_CLIENT).form(&[("token", token)]).send().await
    }

    pub async fn me(&self, access: &str) -> Answer {
        self.get("/auth/me").bearer(access).send().await
    }

    /// Refreshes by cookie; the same session with its new tokens.
    pub async fn renew(&self, device: &Device) -> Device {
        let answer = self.refresh(&device.refresh).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let access = answer.data()["accessToken"].as_str().unwrap().to_owned();
        Device { access, refresh: answer.refresh_token(), user: device.user.clone() }
    }

    /// Both tokens of the device work. Uses up the refresh token.
    pub async fn assert_signed_in(&self, device: &Device) {
        let (me, refresh) = (self.me(&device.access).await, self.refresh(&device.refresh).await);
        assert_eq!((me.status, refresh.status), (200, 200), "{me:?} {refresh:?}");
    }

    /// Neither token of the device is good for anything.
    pub async fn assert_signed_out(&self, device: &Device) {
        assert_eq!(self.me(&device.access).await.problem(), (401, "invalid_token".into()));
        assert_eq!(self.refresh(&device.refresh).await.problem(), (401, "session_revoked".into()));
    }

    /// How many users, sessions and events are written down.
    pub async fn rows(&self) -> [i64; 3] {
        [
            self.count("SELECT COUNT(*) FROM portcullis_users").await,
            self.count("SELECT COUNT(*) FROM portcullis_sessions").await,
            self.count("SELECT COUNT(*) FROM portcullis_events").await,
        ]
    }

    /// Whether that stands anywhere in the files of the database.
    pub fn database_holds(&self, secret: &str) -> bool {
        let file = self.database_file();
        let log = file.with_extension("db-wal");
        [file, log]
            .iter()
            .filter_map(|file| std::fs::read(file).ok())
            .any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
    }

    /// One number from the database.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.store.pool()).await.unwrap()
    }
}

fn device(answer: Answer, status: u16) -> Device {
    assert_eq!(answer.status, status, "{answer:?}");
    Device::of(&answer)
}

/// Holds sign-ins up in their last step, until it is opened.
#[derive(Clone)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }
}

impl Gate {
    /// The stores with the gate before `Sessions::start`.
    pub fn before_sessions_start(&self, mut stores: Stores) -> Stores {
        stores.sessions = Arc::new(Gated { gate: self.clone(), sessions: stores.sessions });
        stores
    }

    /// Waits until a sign-in stands at the gate.
    pub async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    pub fn open(&self) {
        self.open.close();
    }
}

struct Gated {
    gate: Gate,
    sessions: Arc<dyn Sessions>,
}

#[async_trait::async_trait]
impl Sessions for Gated {
    async fn start(&self, session: &Session) -> Result<bool, Fault> {
        self.gate.reached.add_permits(1);
        let _ = self.gate.open.acquire().await;
        self.sessions.start(session).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        self.sessions.find(id).await
    }

    async fn advance(&self, step: &Advance) -> Result<bool, Fault> {
        self.sessions.advance(step).await
    }

    async fn live(&self, user: UserId, now: Time) -> Result<Vec<Session>, Fault> {
        self.sessions.live(user, now).await
    }

    async fn end(&self, user: UserId, which: Which, at: Time, why: Ended) -> Result<u64, Fault> {
        self.sessions.end(user, which, at, why).await
    }

    async fn ended_since(&self, user: UserId, since: Time) -> Result<Vec<SessionId>, Fault> {
        self.sessions.ended_since(user, since).await
    }
}

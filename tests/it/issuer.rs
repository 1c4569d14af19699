//! An issuer whose keys and words are the test's: it signs what it is told, and publishes what it is told, or hangs, or
//! lies, or is dead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderMap;
use bytes::Bytes;
use portcullis::clock::Clock;
use portcullis::token::{AccessClaims, Algorithm, Audience, JwkSet, KeyRing, SigningKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "orders";
pub const USER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// The key number `seed`, alone.
pub fn key(seed: u8) -> KeyRing {
    KeyRing::new(SigningKey::ed25519(&[seed; 32]).unwrap())
}

/// The published set of these keys.
pub fn jwks(seeds: &[u8]) -> Bytes {
    let keys = seeds.iter().flat_map(|seed| key(*seed).jwks().keys).collect();
    serde_json::to_vec(&JwkSet { keys }).unwrap().into()
}

/// What a token says that is good for a quarter of an hour.
pub fn claims(clock: &dyn Clock) -> AccessClaims {
    let now = clock.now().seconds();
    AccessClaims {
        iss: ISSUER.into(),
        sub: USER.into(),
        aud: Audience::from(AUDIENCE),
        exp: now + 900,
        iat: now,
        jti: "token-1".into(),
        client_id: "web".into(),
        sid: USER.into(),
        auth_time: now,
        amr: vec!["pwd".into()],
        roles: vec![],
        permissions: vec![],
        packed: None,
    }
}

/// A good token of that key.
pub fn token(seed: u8, clock: &dyn Clock) -> String {
    key(seed).sign(&claims(clock)).unwrap()
}

/// A good token of a key of that name, which nobody else has.
pub fn token_of_key(kid: &str, clock: &dyn Clock) -> String {
    let ring = KeyRing::new(SigningKey::hmac(Algorithm::Hs256, &[9; 32], kid).unwrap());
    ring.sign(&claims(clock)).unwrap()
}

pub fn bearer(token: &str) -> HeaderMap {
    let value = format!("Bearer {token}").parse().unwrap();
    HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)])
}

/// What the issuer does when it is asked for its keys.
#[derive(Clone)]
pub enum Conduct {
    /// Answers 200 with these bytes.
    Says(Bytes),
    /// Accepts the connection, and nothing comes.
    Hangs,
    /// Closes the connection in the middle of its answer.
    BreaksOff,
}

/// Publishes keys at a free loopback port.
pub struct Issuer {
    pub address: SocketAddr,
    conduct: Arc<Mutex<Conduct>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Issuer {
    pub async fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (conduct, asked) = (Arc::new(Mutex::new(conduct)), Arc::new(AtomicUsize::new(0)));
        let (behaves, count) = (conduct.clone(), asked.clone());
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let conduct = behaves.lock().unwrap().clone();
                tokio::spawn(answer(socket, conduct));
            }
        });
        Self { address, conduct, asked, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.address)
    }

    pub fn becomes(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap() = conduct;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Nobody listens any more.
    pub async fn die(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut socket: TcpStream, conduct: Conduct) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let written = match conduct {
        Conduct::Says(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(&[head.as_bytes(), &body].concat()).await
        }
        // Until the other side gives up.
        Conduct::Hangs => socket.read_u8().await.map(drop),
        Conduct::BreaksOff => {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"keys\":[").await
        }
    };
    drop(written);
}

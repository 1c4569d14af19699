//! A client that sends what it is told, byte by byte, and shows what came back, unchanged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

/// A request under way.
#[derive(Clone)]
pub struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![("host".to_owned(), address.to_string().into_bytes())];
        Self { address, method: method.to_owned(), path: path.to_owned(), headers, body: None }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The refresh token in its production cookie.
    pub fn refresh_cookie(self, token: &str) -> Self {
        self.header("cookie", format!("__Host-portcullis-refresh={token}"))
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// As OAuth's clients name themselves.
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header("authorization", format!("Basic {}", BASE64.encode(format!("{id}:{secret}"))))
    }

    /// Parameters that need no escapes.
    pub fn form(self, parameters: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"))
    }

    /// Sends it on a connection of its own.
    pub async fn send(self) -> Answer {
        Connection::open(self.address).await.send(&self).await
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if let Some(body) = &self.body {
            bytes.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// Sends requests in the same instant, each on a connection that is open already; the answers in their order.
pub async fn at_once(requests: impl IntoIterator<Item = Request>) -> Vec<Answer> {
    let requests: Vec<_> = requests.into_iter().collect();
    let ready = Arc::new(Barrier::new(requests.len()));
    let mut sent = Vec::new();
    for request in requests {
        let mut connection = Connection::open(request.address).await;
        let ready = ready.clone();
        sent.push(tokio::spawn(async move {
            ready.wait().await;
            connection.send(&request).await
        }));
    }
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers
}

/// A connection that stays open.
pub struct Connection(TcpStream, Vec<u8>);

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap(), Vec::new())
    }

    pub async fn send(&mut self, request: &Request) -> Answer {
        self.write(&request.bytes()).await;
        self.read(request.method == "HEAD").await.expect("an answer")
    }

    /// Writes what it can: a server may answer and close before it has read everything.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// The next answer; `None` if the server closed the connection instead.
    pub async fn read(&mut self, headless: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = find(&self.1, b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.1.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned())).expect("a header"))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        assert!(answer.header("transfer-encoding").is_none(), "every answer has a known length");
        let length = match status {
            204 | 304 => 0,
            _ if headless => 0,
            _ => answer.header("content-length").expect("content-length").parse().unwrap(),
        };
        while self.1.len() < length {
            self.more().await?;
        }
        answer.body = self.1.drain(..length).collect();
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(30), self.0.read(&mut buffer));
        match read.await.expect("an answer within 30 seconds") {
            Ok(0) | Err(_) => None,
            Ok(read) => {
                self.1.extend(&buffer[..read]);
                Some(())
            }
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// As sent, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of that header (lower case), which must not stand twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.iter().filter(|(given, _)| given == name).collect();
        assert!(values.len() <= 1, "{name} stands twice in {self:?}");
        values.first().map(|(_, value)| value.as_str())
    }

    /// What must be the same in every run: without the date, and headers by name, since some frameworks send them
    /// in an order of the day.
    pub fn undated(&self) -> Self {
        let mut answer = self.clone();
        answer.headers.retain(|(name, _)| name != "date");
        answer.headers.sort_by(|one, other| one.0.cmp(&other.0));
        answer
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `data` of a success.
    pub fn data(&self) -> Value {
        let json = self.json();
        assert_eq!(json["success"], true, "{json}");
        json["data"].clone()
    }

    /// `code` of a problem, which is checked for its form (RFC 9457).
    pub fn code(&self) -> String {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{json}");
        assert_eq!(json["success"], false, "{json}");
        assert_eq!(json["status"], self.status, "{json}");
        assert!(json["error"].is_string() && json["title"].is_string() && json["detail"].is_string());
        assert_eq!(self.status == 401, self.header("www-authenticate").is_some(), "{self:?}");
        json["code"].as_str().unwrap().to_owned()
    }

    /// Status and `error` of a refusal in OAuth's words (RFC 6749 §5.2).
    pub fn oauth(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/json"), "{json}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{json}");
        assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
        assert!(json["error_description"].is_string(), "{json}");
        let challenge = (self.status == 401).then_some(r#"Basic realm="portcullis""#);
        assert_eq!(self.header("www-authenticate"), challenge, "{self:?}");
        (self.status, json["error"].as_str().unwrap().to_owned())
    }

    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// The value of a cookie that was set, and its attributes in lower case.
    pub fn cookie(&self, name: &str) -> Option<(String, Vec<String>)> {
        self.all("set-cookie").find_map(|cookie| {
            let mut parts = cookie.split("; ");
            let (given, value) = parts.next()?.split_once('=')?;
            (given == name).then(|| (value.to_owned(), parts.map(str::to_ascii_lowercase).collect()))
        })
    }

    /// The refresh token that was set in the production cookie.
    pub fn refresh_token(&self) -> String {
        self.cookie("__Host-portcullis-refresh").expect("a refresh cookie").0
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

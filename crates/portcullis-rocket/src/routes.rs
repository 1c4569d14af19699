//! The routes of an application that issues tokens itself.

use bytes::Bytes;
use portcullis::http::{MAX_BODY, mount_path};
use portcullis::{Auth, Denied, Gate};
use rocket::catcher::{self, Catcher};
use rocket::data::ByteUnit;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::futures::stream;
use rocket::http::{Method, Status};
use rocket::route::{self, Handler, Route};
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::time::timeout;
use rocket::{Build, Data, Request, Response, Rocket};

use crate::{Answer, respond, tell};

/// Mounts the routes under a path and gives the guards what they need:
/// `rocket::build().attach(Portcullis::new(&auth, "/auth"))`.
#[derive(Debug, Clone)]
pub struct Portcullis {
    auth: Auth,
    mount: String,
}

impl Portcullis {
    /// The routes of `auth` under `mount`, such as `/auth`.
    pub fn new(auth: &Auth, mount: &str) -> Self {
        Self { auth: auth.clone(), mount: mount_path(mount) }
    }

    fn mounted(&self, rocket: Rocket<Build>, base: &str, path: &str) -> Rocket<Build> {
        let routes = METHODS.map(|method| Route::ranked(RANK, method, path, self.clone()));
        rocket.mount(base, routes).register(base, vec![Catcher::new(None, self.clone())])
    }

    async fn answer(&self, method: &str, request: &Request<'_>, body: Bytes) -> Result<Answer, Denied> {
        let path = request.uri().path().as_str().strip_prefix(&*self.mount).unwrap_or_default();
        let fields: Vec<_> = request.headers().iter().collect();
        let headers = fields.iter().map(|field| (field.name().as_str(), field.value().as_bytes()));
        let call = portcullis::http::request(method, path, headers, body)?;
        Ok(self.auth.handle(call, request.remote().map(|peer| peer.ip())).await)
    }
}

#[rocket::async_trait]
impl Fairing for Portcullis {
    fn info(&self) -> Info {
        Info { name: "Portcullis", kind: Kind::Ignite | Kind::Response | Kind::Singleton }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let mount = if self.mount.is_empty() { "/" } else { self.mount.as_str() };
        let rocket = rocket.manage(self.auth.clone()).manage(Gate::from(self.auth.clone()));
        let rocket = self.mounted(rocket, mount, "/<path..>");
        // RFC 8414 §3: the issuer's metadata stand at the root of the host.
        let root = Self { mount: String::new(), ..self.clone() };
        Ok(match self.auth.metadata_path() {
            Some(path) => root.mounted(rocket, &path, "/"),
            None => rocket,
        })
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        tell(request, response);
    }
}

#[rocket::async_trait]
impl Handler for Portcullis {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        let pieces = stream::try_unfold(data.open(ByteUnit::max_value()), |mut data| async move {
            let mut piece = Vec::with_capacity(4096);
            let read = data.read_buf(&mut piece).await?;
            Ok::<_, std::io::Error>((read > 0).then_some((piece, data)))
        });
        let declared = request.headers().get_one("content-length").and_then(|length| length.parse().ok());
        let body = timeout(self.auth.config().body_timeout, portcullis::http::read(pieces)).await;
        let answered = match body.unwrap_or(Err(Denied::BodyTooSlow)) {
            // Rocket looks into every body beforehand and says nothing if it breaks off there.
            Ok(body) if declared.is_some_and(|length: usize| body.len() < length.min(MAX_BODY)) => {
                Err(Denied::InvalidRequest("the body ended early"))
            }
            Ok(body) => self.answer(request.method().as_str(), request, body).await,
            Err(denied) => Err(denied),
        };
        route::Outcome::Success(respond(answered.unwrap_or_else(Denied::into_response)))
    }
}

/// Rocket sends requests here whose method it does not know; which one it was is lost.
#[rocket::async_trait]
impl catcher::Handler for Portcullis {
    async fn handle<'r>(&self, _: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let answered = self.answer("UNKNOWN", request, Bytes::new()).await;
        Ok(respond(answered.unwrap_or_else(Denied::into_response)))
    }
}

/// All methods that Rocket knows.
const METHODS: [Method; 9] = {
    use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
    [Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace]
};

/// Behind every route of the application's.
const RANK: isize = 100;

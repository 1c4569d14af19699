#![doc = include_str!("../README.md")]

use std::io::Cursor;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use portcullis::http::{Headers, MAX_BODY, mount_path};
use portcullis::{Auth, Denied, Fault, Identity, Refusal};
use rocket::catcher::{self, Catcher};
use rocket::data::ByteUnit;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::futures::stream;
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::route::{self, Handler, Route};
use rocket::tokio::io::{AsyncReadExt, empty};
use rocket::tokio::time::timeout;
use rocket::{Build, Data, Ignite, Request, Response, Rocket, Sentinel};

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
        let rocket = self.mounted(rocket.manage(self.auth.clone()), mount, "/<path..>");
        // RFC 8414 §3: the issuer's metadata stand at the root of the host.
        let root = Self { mount: String::new(), ..self.clone() };
        Ok(match self.auth.metadata_path() {
            Some(path) => root.mounted(rocket, &path, "/"),
            None => rocket,
        })
    }

    /// Says what a guard refused. Rocket would show an error page of its own; and an `Option` around a guard hides
    /// what was wrong with it, so then the answer of the handler does not count.
    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let refusal = kept(request).lock().unwrap_or_else(PoisonError::into_inner).take();
        match refusal {
            Some(Refusal::Denied(Denied::Unauthenticated)) if response.status() != Status::Unauthorized => {}
            Some(refusal) => {
                // What other fairings have set stays; what the handler has set does not count.
                response.remove_header("set-cookie");
                response.merge(respond(refusal.into_response()));
            }
            None => {}
        }
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

type Answer = http::Response<Bytes>;

fn respond<'r>(response: Answer) -> Response<'r> {
    let mut translated = Response::build();
    translated.status(Status::new(response.status().as_u16()));
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            translated.raw_header_adjoin(name.as_str().to_owned(), value.to_owned());
        }
    }
    // RFC 9110 §8.6: the length in a 304 would be that of the whole document.
    if response.status() == http::StatusCode::NOT_MODIFIED {
        return translated.streamed_body(empty()).finalize();
    }
    let body = response.into_body();
    translated.sized_body(body.len(), Cursor::new(body)).finalize()
}

/// A [`Refusal`] as an answer; handlers may answer with it too: `Err(Denied::NotFound)?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl<E: Into<Refusal>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<'r> Responder<'r, 'static> for Refused {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(self.0.into_response()))
    }
}

/// The signed-in user; 401 without one. A Rocket without [`Portcullis`] that uses it does not launch.
///
/// `Option<CurrentUser>` is Rocket's own and swallows errors; the fairing sees to it that a credential that is not
/// valid is answered 401 and a failure of the store 500 all the same. [`MaybeUser`] does not even call the handler
/// then.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub Identity);

/// The signed-in user, if a credential was sent.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<Identity>);

impl Deref for CurrentUser {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentUser {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let user = match auth(request) {
            Ok(auth) => auth.require(request.method().as_str(), &Fields(request)).await,
            Err(fault) => Err(fault.into()),
        };
        outcome(request, user.map(Self))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MaybeUser {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let user = match auth(request) {
            Ok(auth) => auth.authenticate(request.method().as_str(), &Fields(request)).await,
            Err(fault) => Err(fault.into()),
        };
        outcome(request, user.map(Self))
    }
}

impl Sentinel for CurrentUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let missing = rocket.state::<Auth>().is_none();
        if missing {
            tracing::error!("a user is asked for in a Rocket without .attach(portcullis_rocket::Portcullis)");
        }
        missing
    }
}

impl Sentinel for MaybeUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        CurrentUser::abort(rocket)
    }
}

fn auth<'r>(request: &'r Request<'_>) -> Result<&'r Auth, Fault> {
    let auth = request.rocket().state();
    auth.ok_or_else(|| Fault::new("finding the user", "attach portcullis_rocket::Portcullis"))
}

fn outcome<T>(request: &Request<'_>, user: Result<T, Refusal>) -> Outcome<T, Refusal> {
    match user {
        Ok(user) => Outcome::Success(user),
        Err(refusal) => {
            *kept(request).lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal.clone());
            Outcome::Error((Status::new(refusal.status().as_u16()), refusal))
        }
    }
}

/// What a guard of this request refused.
fn kept<'r>(request: &'r Request<'_>) -> &'r Mutex<Option<Refusal>> {
    request.local_cache(|| Mutex::new(None))
}

/// Rocket's type for header fields, as the core reads them.
struct Fields<'a>(&'a Request<'a>);

impl Headers for Fields<'_> {
    fn each(&self, name: &str, see: &mut dyn FnMut(&str)) {
        self.0.headers().get(name).for_each(see);
    }
}

/// All methods that Rocket knows.
const METHODS: [Method; 9] = {
    use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
    [Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace]
};

/// Behind every route of the application's.
const RANK: isize = 100;

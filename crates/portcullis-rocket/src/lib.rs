#![doc = include_str!("../README.md")]

use std::io::Cursor;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use portcullis::http::{Headers, Incoming};
use portcullis::{Auth, Denied, Fault, Identity, Refusal};
use rocket::catcher::{self, Catcher};
use rocket::data::ByteUnit;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::route::{self, Handler, Route};
use rocket::tokio::io::AsyncReadExt;
use rocket::{Build, Data, Ignite, Request, Response, Rocket, Sentinel};

/// Mounts the routes under a path and gives the guards what they need:
/// `rocket::build().attach(Portcullis::new(&auth, "/auth"))`.
#[derive(Debug, Clone)]
pub struct Portcullis {
    auth: Auth,
    mount: &'static str,
}

impl Portcullis {
    /// The routes of `auth` under `mount`, such as `/auth`.
    pub fn new(auth: &Auth, mount: &'static str) -> Self {
        Self { auth: auth.clone(), mount }
    }

    async fn answer<'r>(&self, method: &str, request: &Request<'_>, body: Bytes) -> Response<'r> {
        let mut call = http::Request::new(body);
        let path = request.uri().path().as_str().strip_prefix(self.mount).unwrap_or_default();
        let (Ok(method), Ok(uri)) = (http::Method::from_bytes(method.as_bytes()), path.parse()) else {
            return respond(Denied::NotFound.into_response());
        };
        (*call.method_mut(), *call.uri_mut()) = (method, uri);
        for header in request.headers().iter() {
            if let (Ok(name), Ok(value)) = (
                http::HeaderName::from_bytes(header.name().as_str().as_bytes()),
                http::HeaderValue::from_bytes(header.value().as_bytes()),
            ) {
                call.headers_mut().append(name, value);
            }
        }
        respond(self.auth.handle(call, request.remote().map(|peer| peer.ip())).await)
    }
}

#[rocket::async_trait]
impl Fairing for Portcullis {
    fn info(&self) -> Info {
        Info { name: "Portcullis", kind: Kind::Ignite | Kind::Response | Kind::Singleton }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let routes: Vec<_> = METHODS
            .into_iter()
            .map(|method| Route::ranked(RANK, method, "/<path..>", self.clone()))
            .collect();
        let catcher = Catcher::new(None, self.clone());
        Ok(rocket.manage(self.auth.clone()).mount(self.mount, routes).register(self.mount, vec![catcher]))
    }

    /// Says what a guard refused. Rocket would show an error page of its own; and an `Option` around a guard hides
    /// what was wrong with it, so then the answer of the handler does not count.
    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let refusal = kept(request).lock().unwrap_or_else(PoisonError::into_inner).take();
        match refusal {
            Some(Refusal::Denied(Denied::Unauthenticated)) if response.status() != Status::Unauthorized => {}
            Some(refusal) => *response = respond(refusal.into_response()),
            None => {}
        }
    }
}

#[rocket::async_trait]
impl Handler for Portcullis {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        let mut body = data.open(ByteUnit::max_value());
        let mut incoming = Incoming::default();
        let mut piece = [0; 4096];
        loop {
            match body.read(&mut piece).await {
                Ok(0) => break,
                Ok(read) if incoming.push(&piece[..read]) => {}
                Ok(_) => break,
                Err(_) => {
                    let early = Denied::InvalidRequest("the body ended early");
                    return route::Outcome::Success(respond(early.into_response()));
                }
            }
        }
        let method = request.method().as_str();
        route::Outcome::Success(self.answer(method, request, incoming.into_body()).await)
    }
}

/// Rocket sends requests here whose method it does not know; which one it was is lost.
#[rocket::async_trait]
impl catcher::Handler for Portcullis {
    async fn handle<'r>(&self, _: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        Ok(self.answer("UNKNOWN", request, Bytes::new()).await)
    }
}

fn respond<'r>(response: http::Response<Bytes>) -> Response<'r> {
    let mut translated = Response::build();
    translated.status(Status::new(response.status().as_u16()));
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            translated.raw_header_adjoin(name.as_str().to_owned(), value.to_owned());
        }
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
        match identify(request).await {
            Ok(Some(user)) => Outcome::Success(Self(user)),
            Ok(None) => refuse(request, Denied::Unauthenticated.into()),
            Err(refusal) => refuse(request, refusal),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MaybeUser {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match identify(request).await {
            Ok(user) => Outcome::Success(Self(user)),
            Err(refusal) => refuse(request, refusal),
        }
    }
}

impl Sentinel for CurrentUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Auth>().is_none()
    }
}

impl Sentinel for MaybeUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        CurrentUser::abort(rocket)
    }
}

async fn identify(request: &Request<'_>) -> Result<Option<Identity>, Refusal> {
    let Some(auth) = request.rocket().state::<Auth>() else {
        return Err(Fault::new("finding the user", "attach portcullis_rocket::Portcullis").into());
    };
    auth.authenticate(request.method().as_str(), &Fields(request)).await
}

fn refuse<T>(request: &Request<'_>, refusal: Refusal) -> Outcome<T, Refusal> {
    *kept(request).lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal.clone());
    let status = match &refusal {
        Refusal::Denied(denied) => Status::new(denied.status().as_u16()),
        Refusal::Fault(_) => Status::InternalServerError,
    };
    Outcome::Error((status, refusal))
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
const METHODS: [Method; 9] = [
    Method::Get,
    Method::Put,
    Method::Post,
    Method::Delete,
    Method::Options,
    Method::Head,
    Method::Trace,
    Method::Connect,
    Method::Patch,
];

/// Behind every route of the application's.
const RANK: isize = 100;

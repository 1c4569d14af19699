#![doc = include_str!("../README.md")]

#[cfg(feature = "issuer")]
mod routes;

use std::io::Cursor;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use portcullis::{Denied, Fault, Gate, Headers, Identity, Refusal, Verifier};
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::tokio::io::empty;
use rocket::{Build, Ignite, Request, Response, Rocket, Sentinel};

#[cfg(feature = "issuer")]
pub use routes::Portcullis;

/// Gives the guards of a service that only verifies tokens what they need:
/// `rocket::build().attach(Verifying::new(&verifier))`.
#[derive(Debug, Clone)]
pub struct Verifying(Gate);

impl Verifying {
    /// The guards ask `verifier`.
    pub fn new(verifier: &Verifier) -> Self {
        Self(verifier.clone().into())
    }
}

#[rocket::async_trait]
impl Fairing for Verifying {
    fn info(&self) -> Info {
        Info { name: "Portcullis", kind: Kind::Ignite | Kind::Response | Kind::Singleton }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.0.clone()))
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        tell(request, response);
    }
}

/// Says what a guard refused. Rocket would show an error page of its own; and an `Option` around a guard hides what
/// was wrong with it, so then the answer of the handler does not count.
fn tell(request: &Request<'_>, response: &mut Response<'_>) {
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

/// The signed-in user; 401 without one. A Rocket without `Portcullis` or [`Verifying`] that uses it does not launch.
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
        let user = match gate(request) {
            Ok(gate) => gate.require(request.method().as_str(), &Fields(request)).await,
            Err(fault) => Err(fault.into()),
        };
        outcome(request, user.map(Self))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MaybeUser {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let user = match gate(request) {
            Ok(gate) => gate.authenticate(request.method().as_str(), &Fields(request)).await,
            Err(fault) => Err(fault.into()),
        };
        outcome(request, user.map(Self))
    }
}

impl Sentinel for CurrentUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let missing = rocket.state::<Gate>().is_none();
        if missing {
            tracing::error!(
                "a user is asked for in a Rocket without .attach(Portcullis::new(…)) or .attach(Verifying::new(…))"
            );
        }
        missing
    }
}

impl Sentinel for MaybeUser {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        CurrentUser::abort(rocket)
    }
}

fn gate<'r>(request: &'r Request<'_>) -> Result<&'r Gate, Fault> {
    let gate = request.rocket().state();
    gate.ok_or_else(|| Fault::new("finding the user", "attach Portcullis or Verifying of portcullis_rocket"))
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
    fn each<'h>(&'h self, name: &str, see: &mut dyn FnMut(&'h str)) {
        self.0.headers().get(name).for_each(see);
    }
}

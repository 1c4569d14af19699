#![doc = include_str!("../README.md")]

#[cfg(feature = "issuer")]
mod routes;

use std::fmt;
use std::ops::Deref;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use futures_util::future::{Either, FutureExt, LocalBoxFuture, Map, Ready, ready};
use portcullis::{Denied, Fault, Gate, Headers, Identity, Refusal};

#[cfg(feature = "issuer")]
pub use routes::{app, auth_routes};

fn respond(response: http::Response<bytes::Bytes>) -> HttpResponse {
    let status =
        StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut translated = HttpResponse::build(status);
    for (name, value) in response.headers() {
        translated.append_header((name.as_str(), value.as_bytes()));
        // actix-web keeps this one apart from the others.
        if name == http::header::CONNECTION && value == "close" {
            translated.force_close();
        }
    }
    translated.body(response.into_body())
}

/// Gives the extractors of an application what they need: `.wrap(portcullis(&auth))`, which `app` has already, or
/// `.wrap(portcullis(&verifier))` in a service that only verifies tokens.
pub fn portcullis<S, B, G: Clone + Into<Gate>>(
    gate: &G,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B, G>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    wrap(gate.clone().into(), false)
}

/// Guards a scope: `web::scope("/notes").wrap(require_user(&auth))`, or with a verifier. Without a signed-in user nothing in it is
/// reached, but for `OPTIONS`, which browsers send without credentials.
pub fn require_user<S, B, G: Clone + Into<Gate>>(
    gate: &G,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B, G>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    wrap(gate.clone().into(), true)
}

fn wrap<S, B>(
    gate: Gate,
    closed: bool,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    from_fn(move |request: ServiceRequest, next: Next<B>| {
        let gate = gate.clone();
        async move {
            if closed
                && let Err(refusal) = gate.admit(request.method().as_str(), &Fields(request.headers())).await
            {
                return Ok(request.into_response(Refused(refusal).error_response().map_into_right_body()));
            }
            request.extensions_mut().insert(gate);
            let response = next.call(request).await?;
            // An `Option` around an extractor hides what was wrong; the answer of the handler does not count then.
            let hidden = response.request().extensions_mut().remove::<Hidden>();
            Ok(match hidden.filter(|Hidden(refused)| !refused.was_told_by(response.response())) {
                Some(Hidden(refused)) => {
                    response.into_response(refused.error_response().map_into_right_body())
                }
                None => response.map_into_left_body(),
            })
        }
    })
}

/// The signed-in user; 401 without one.
///
/// `Option<CurrentUser>` is actix-web's own and swallows errors; the middleware [`portcullis()`] sees to it that a
/// credential that is not valid is answered 401 and a failure of the store 500 all the same. [`MaybeUser`] does not
/// even call the handler then.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub Identity);

/// The signed-in user, if a credential was sent.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<Identity>);

/// A [`Refusal`] as an answer; handlers may answer with it too: `Err(Denied::NotFound)?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

/// What an extractor refused.
struct Hidden(Refused);

impl Deref for CurrentUser {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl FromRequest for CurrentUser {
    type Error = Refused;
    type Future =
        Map<<MaybeUser as FromRequest>::Future, fn(Result<MaybeUser, Refused>) -> Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        MaybeUser::from_request(request, payload)
            .map(|user| Ok(Self(user?.0.ok_or(Denied::Unauthenticated)?)))
    }
}

impl FromRequest for MaybeUser {
    type Error = Refused;
    type Future = Either<Ready<Result<Self, Refused>>, LocalBoxFuture<'static, Result<Self, Refused>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.extensions().get::<Gate>().cloned();
        let Some(gate) = gate else {
            // Said here, since an `Option` would swallow the error.
            tracing::error!("a user was asked for in an application without .wrap(portcullis(&auth))");
            let fault = Fault::new("finding the user", "wrap the application in portcullis(&auth)");
            return Either::Left(ready(Err(fault.into())));
        };
        // Nearly every request is answered without waiting, and without a heap block for that.
        if let Either::Left(verdict) =
            gate.authenticate(request.method().as_str(), &Fields(request.headers()))
        {
            return Either::Left(ready(kept(request, verdict.into_inner())));
        }
        let request = request.clone();
        let waiting = async move {
            let verdict = gate.authenticate(request.method().as_str(), &Fields(request.headers())).await;
            kept(&request, verdict)
        };
        Either::Right(waiting.boxed_local())
    }
}

/// Keeps what was refused, for the middleware.
fn kept(request: &HttpRequest, user: Result<Option<Identity>, Refusal>) -> Result<MaybeUser, Refused> {
    Ok(MaybeUser(user.inspect_err(|refusal| {
        request.extensions_mut().insert(Hidden(refusal.clone().into()));
    })?))
}

impl Refused {
    /// Whether the answer says this already.
    fn was_told_by<B>(&self, response: &HttpResponse<B>) -> bool {
        let told = response.error().and_then(|error| error.as_error::<Refused>());
        told.is_some_and(|told| match (&self.0, &told.0) {
            (Refusal::Denied(one), Refusal::Denied(other)) => one == other,
            (one, other) => one.status() == other.status(),
        })
    }
}

impl<E: Into<Refusal>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn error_response(&self) -> HttpResponse {
        respond(self.0.clone().into_response())
    }
}

/// actix-web's type for header fields, as the core reads them.
struct Fields<'a>(&'a HeaderMap);

impl Headers for Fields<'_> {
    fn each<'h>(&'h self, name: &str, see: &mut dyn FnMut(&'h str)) {
        self.0.get_all(name).filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).for_each(see);
    }
}

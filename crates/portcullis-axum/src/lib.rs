#![doc = include_str!("../README.md")]

#[cfg(feature = "issuer")]
mod routes;

use std::convert::Infallible;
use std::ops::Deref;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use portcullis::{Gate, Identity, Refusal, Verifier};
use tower::{Layer, Service};

#[cfg(feature = "issuer")]
pub use routes::{auth_router, well_known};

/// Guards the routes that a router has so far: `.route_layer(require_user(&auth))`. Without a signed-in user none of
/// them is reached, but for `OPTIONS`, which browsers send without credentials. Routes that are added later are not
/// guarded. (`.layer` would guard the fallback too, and after a `.merge` answer 401 for every unknown path.)
///
/// Takes an `Auth` or a [`Verifier`].
pub fn require_user<G: Clone + Into<Gate>>(
    gate: &G,
) -> impl Layer<
    Route,
    Service = impl Service<Request, Response = Response, Error = Infallible, Future: Send>
              + Clone
              + Send
              + Sync
              + use<G>,
> + Clone
+ Send
+ Sync
+ use<G> {
    let gate: Gate = gate.clone().into();
    middleware::from_fn_with_state(gate, admit)
}

async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Result<Response, Refused> {
    gate.admit(request.method().as_str(), request.headers()).await?;
    Ok(next.run(request).await)
}

/// A router's state by which the extractors can tell who sent a request.
///
/// Whatever an `Auth` can be taken from is one: `Auth` itself, and every state with `FromRef` for it. A service that
/// only verifies has [`Verifying`] as its state, or implements this for its own.
#[diagnostic::on_unimplemented(
    message = "a user is asked for, and the router's state `{Self}` cannot tell who it is",
    label = "neither an `Auth` nor a `Verifier` is known to this state",
    note = "an application that issues tokens: `.with_state(auth)`, or `impl FromRef<{Self}> for Auth`",
    note = "a service that only verifies them: `.with_state(Verifying(verifier))`, or `impl Gated for {Self}`"
)]
pub trait Gated {
    /// Who is asked.
    fn gate(&self) -> Gate;
}

#[cfg(feature = "issuer")]
impl<S> Gated for S
where
    portcullis::Auth: axum::extract::FromRef<S>,
{
    fn gate(&self) -> Gate {
        <portcullis::Auth as axum::extract::FromRef<S>>::from_ref(self).into()
    }
}

/// The state of a service that only verifies tokens and has no other: `.with_state(Verifying(verifier))`.
#[derive(Debug, Clone)]
pub struct Verifying(pub Verifier);

impl Gated for Verifying {
    fn gate(&self) -> Gate {
        self.0.clone().into()
    }
}

/// The signed-in user; 401 without one. Needs [`Gated`] of the router's state, which the compiler checks.
///
/// `Option<CurrentUser>` is `None` only if no credential was sent: one that is not valid is a 401, and a failure
/// of the store a 500.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub Identity);

/// The signed-in user, if a credential was sent; the same as `Option<CurrentUser>`, for symmetry with the other
/// frameworks.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<Identity>);

/// A [`Refusal`] as an answer; handlers may answer with it too: `Err(Denied::NotFound)?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl Deref for CurrentUser {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl<S: Gated + Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(state.gate().require(parts.method.as_str(), &parts.headers).await?))
    }
}

impl<S: Gated + Send + Sync> FromRequestParts<S> for MaybeUser {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(state.gate().authenticate(parts.method.as_str(), &parts.headers).await?))
    }
}

impl<S: Gated + Send + Sync> OptionalFromRequestParts<S> for CurrentUser {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refused> {
        Ok(MaybeUser::from_request_parts(parts, state).await?.0.map(Self))
    }
}

impl<E: Into<Refusal>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.into_response().map(Body::from)
    }
}

#![doc = include_str!("../README.md")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::{
    ConnectInfo, FromRef, FromRequestParts, NestedPath, OptionalFromRequestParts, OriginalUri, Request, State,
};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{Route, any};
use portcullis::{Auth, Denied, Fault, Identity, Refusal};
use tokio::time::timeout;
use tower::{Layer, Service};

/// The routes, to be nested: `.nest("/auth", auth_router(&auth))`.
///
/// Serve with `into_make_service_with_connect_info::<SocketAddr>()`, so that sessions and events know the
/// client's address.
pub fn auth_router<S: Clone + Send + Sync + 'static>(auth: &Auth) -> Router<S> {
    let auth = auth.clone();
    Router::new().fallback(move |request| answer(auth.clone(), request))
}

/// The issuer's metadata where RFC 8414 §3 wants them, at the root of the host: `.merge(well_known(&auth))` beside the
/// nested routes. Empty if the issuer is no address.
pub fn well_known<S: Clone + Send + Sync + 'static>(auth: &Auth) -> Router<S> {
    let Some(path) = auth.metadata_path() else { return Router::new() };
    let auth = auth.clone();
    Router::new().route(&path, any(move |request| answer(auth.clone(), request)))
}

async fn answer(auth: Auth, request: Request) -> Result<Response, Refused> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let (mut head, body) = request.into_parts();
    // What is left of `/auth//login` is `/login` to axum, and `//login` to everybody else.
    if let (Some(mount), Some(OriginalUri(whole))) =
        (head.extensions.get::<NestedPath>(), head.extensions.get())
        && let Some(Ok(path)) = whole.path().strip_prefix(mount.as_str()).map(str::parse)
    {
        head.uri = path;
    }
    let body = portcullis::http::read(body.into_data_stream());
    let body = timeout(auth.config().body_timeout, body).await.map_err(|_| Denied::BodyTooSlow)??;
    let request = Request::from_parts(head, body);
    // A task of its own, so that a client who hangs up does not stop a logout half way.
    let answered = tokio::spawn(async move { auth.handle(request, peer).await }).await;
    Ok(answered.map_err(|error| Fault::new("answering a request", error))?.map(Body::from))
}

/// Guards the routes that a router has so far: `.route_layer(require_user(&auth))`. Without a signed-in user none of
/// them is reached, but for `OPTIONS`, which browsers send without credentials. Routes that are added later are not
/// guarded. (`.layer` would guard the fallback too, and after a `.merge` answer 401 for every unknown path.)
pub fn require_user(
    auth: &Auth,
) -> impl Layer<
    Route,
    Service = impl Service<Request, Response = Response, Error = Infallible, Future: Send>
              + Clone
              + Send
              + Sync
              + use<>,
> + Clone
+ Send
+ Sync
+ use<> {
    middleware::from_fn_with_state(auth.clone(), admit)
}

async fn admit(State(auth): State<Auth>, request: Request, next: Next) -> Result<Response, Refused> {
    auth.admit(request.method().as_str(), request.headers()).await?;
    Ok(next.run(request).await)
}

/// The signed-in user; 401 without one. Needs an [`Auth`] in the router's state, which the compiler checks.
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

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(Auth::from_ref(state).require(parts.method.as_str(), &parts.headers).await?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeUser
where
    Auth: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(Auth::from_ref(state).authenticate(parts.method.as_str(), &parts.headers).await?))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
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

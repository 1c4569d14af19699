#![doc = include_str!("../README.md")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRef, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use portcullis::http::Incoming;
use portcullis::{Auth, Denied, Fault, Identity, Refusal};
use tower::{Layer, Service};

/// The routes, to be nested: `.nest("/auth", auth_router(&auth))`.
///
/// Serve with `into_make_service_with_connect_info::<SocketAddr>()`, so that sessions and events know the
/// client's address.
pub fn auth_router<S: Clone + Send + Sync + 'static>(auth: &Auth) -> Router<S> {
    let auth = auth.clone();
    Router::new().fallback(move |request| answer(auth.clone(), request))
}

async fn answer(auth: Auth, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let (head, mut body) = request.into_parts();
    let mut incoming = Incoming::default();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return respond(Denied::InvalidRequest("the body ended early").into_response());
        };
        if frame.data_ref().is_some_and(|piece| !incoming.push(piece)) {
            break;
        }
    }
    let request = Request::from_parts(head, incoming.into_body());
    // A task of its own, so that a client who hangs up does not stop a logout half way.
    let answered = tokio::spawn(async move { auth.handle(request, peer).await }).await;
    respond(
        answered
            .unwrap_or_else(|error| Refusal::Fault(Fault::new("answering a request", error)).into_response()),
    )
}

fn respond(response: axum::http::Response<axum::body::Bytes>) -> Response {
    response.map(Body::from)
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

impl Deref for CurrentUser {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

/// A [`Refusal`] as an answer; handlers may answer with it too: `Err(Denied::NotFound)?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl<E: Into<Refusal>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        respond(self.0.into_response())
    }
}

impl<S> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let MaybeUser(user) = MaybeUser::from_request_parts(parts, state).await?;
        user.map(Self).ok_or(Refused(Denied::Unauthenticated.into()))
    }
}

impl<S> OptionalFromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refused> {
        let MaybeUser(user) = MaybeUser::from_request_parts(parts, state).await?;
        Ok(user.map(Self))
    }
}

impl<S> FromRequestParts<S> for MaybeUser
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let auth = Auth::from_ref(state);
        auth.authenticate(parts.method.as_str(), &parts.headers).await.map(Self).map_err(Refused)
    }
}

/// Guards a whole router: `.layer(RequireUser::new(&auth))`. Without a signed-in user nothing behind it is reached,
/// but for `OPTIONS`, which browsers send without credentials.
#[derive(Debug, Clone)]
pub struct RequireUser(Auth);

impl RequireUser {
    /// A guard by that authentication.
    pub fn new(auth: &Auth) -> Self {
        Self(auth.clone())
    }
}

impl<S> Layer<S> for RequireUser {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { auth: self.0.clone(), inner }
    }
}

/// What [`RequireUser`] makes of a service.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    auth: Auth,
    inner: S,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let auth = self.auth.clone();
        // The service that was polled ready is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            if request.method() == Method::OPTIONS {
                return inner.call(request).await;
            }
            match auth.authenticate(request.method().as_str(), request.headers()).await {
                Ok(Some(_)) => inner.call(request).await,
                Ok(None) => Ok(Refused(Denied::Unauthenticated.into()).into_response()),
                Err(refusal) => Ok(Refused(refusal).into_response()),
            }
        })
    }
}

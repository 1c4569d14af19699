//! The routes of an application that issues tokens itself.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, NestedPath, OriginalUri, Request};
use axum::response::Response;
use axum::routing::any;
use portcullis::{Auth, Denied, Fault};
use tokio::time::timeout;

use crate::Refused;

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

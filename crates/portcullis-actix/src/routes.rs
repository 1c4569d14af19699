//! The routes of an application that issues tokens itself.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::rt::time::timeout;
use actix_web::{App, Error, HttpRequest, HttpResponse, rt, web};
use portcullis::http::mount_path;
use portcullis::{Auth, Denied, Fault};

use crate::{Refused, portcullis, respond};

/// An application with everything set up: the routes under `mount` (such as `/auth`; not the root, which would take every
/// path), and what the extractors need.
/// Write it where `App::new()` stood.
pub fn app(
    auth: &Auth,
    mount: &str,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new().wrap(portcullis(auth)).configure(auth_routes(auth, mount))
}

/// The routes alone, and the issuer's metadata at the root of the host (RFC 8414 §3), for `.configure(…)` of an
/// application that wraps itself in [`portcullis()`].
pub fn auth_routes(auth: &Auth, mount: &str) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let (auth, mount) = (auth.clone(), mount_path(mount));
    move |config| {
        if let Some(path) = auth.metadata_path() {
            let auth = auth.clone();
            let answer = move |request, body| answer(auth.clone(), String::new(), request, body);
            config.service(web::resource(path).to(answer));
        }
        let scope = web::scope(&mount);
        let answer = move |request, body| answer(auth.clone(), mount.clone(), request, body);
        config.service(scope.default_service(web::to(answer)));
    }
}

async fn answer(
    auth: Auth,
    mount: String,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let body = ::portcullis::http::read(body);
    let body = timeout(auth.config().body_timeout, body).await.map_err(|_| Denied::BodyTooSlow)??;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let path = request.uri().path().strip_prefix(&*mount).unwrap_or_default();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let request = ::portcullis::http::request(request.method().as_str(), path, headers, body)?;
    // A task of its own, so that a client who hangs up does not stop a logout half way.
    let answered = rt::spawn(async move { auth.handle(request, peer).await }).await;
    Ok(respond(answered.map_err(|error| Fault::new("answering a request", error))?))
}

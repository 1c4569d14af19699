#![doc = include_str!("../README.md")]

mod middleware;

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use actix_web::dev::{Payload, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, rt, web};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{FutureExt, LocalBoxFuture};
use portcullis::http::{Headers, Incoming};
use portcullis::{Auth, Denied, Fault, Identity, Refusal};

pub use middleware::{Portcullis, RequireUser};

/// An application with everything set up: the routes under `mount` (such as `/auth`), and what the extractors need.
/// Write it where `App::new()` stood.
pub fn app(
    auth: &Auth,
    mount: &'static str,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl actix_web::body::MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new().wrap(Portcullis::new(auth)).configure(auth_routes(auth, mount))
}

/// The routes alone, for `.configure(…)` of an application that wraps itself in [`Portcullis`].
pub fn auth_routes(auth: &Auth, mount: &'static str) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let auth = auth.clone();
    move |config| {
        let answer = move |request, body| answer(auth.clone(), mount, request, body);
        config.service(web::scope(mount).default_service(web::to(answer)));
    }
}

async fn answer(
    auth: Auth,
    mount: &'static str,
    request: HttpRequest,
    mut body: web::Payload,
) -> HttpResponse {
    let mut incoming = Incoming::default();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) if incoming.push(&piece) => {}
            Ok(_) => break,
            Err(_) => return respond(Denied::InvalidRequest("the body ended early").into_response()),
        }
    }
    let peer = request.peer_addr().map(|peer| peer.ip());
    let path = request.uri().path().strip_prefix(mount).unwrap_or_default();
    let mut call = http::Request::new(incoming.into_body());
    let translated = || {
        let method = http::Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
        Some((method, path.parse::<http::Uri>().ok()?))
    };
    let Some((method, uri)) = translated() else { return respond(Denied::NotFound.into_response()) };
    (*call.method_mut(), *call.uri_mut()) = (method, uri);
    for (name, value) in request.headers() {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name.as_str().as_bytes()),
            http::HeaderValue::from_bytes(value.as_bytes()),
        ) {
            call.headers_mut().append(name, value);
        }
    }
    // A task of its own, so that a client who hangs up does not stop a logout half way.
    let answered = rt::spawn(async move { auth.handle(call, peer).await }).await;
    respond(
        answered
            .unwrap_or_else(|error| Refusal::Fault(Fault::new("answering a request", error)).into_response()),
    )
}

fn respond(response: http::Response<Bytes>) -> HttpResponse {
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

/// The signed-in user; 401 without one.
///
/// `Option<CurrentUser>` is actix-web's own and swallows errors; the middleware [`Portcullis`] sees to it that a
/// credential that is not valid is answered 401 and a failure of the store 500 all the same. [`MaybeUser`] does not
/// even call the handler then.
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

impl FromRequest for CurrentUser {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = MaybeUser::from_request(request, payload);
        async move { user.await?.0.map(Self).ok_or(Refused(Denied::Unauthenticated.into())) }.boxed_local()
    }
}

impl FromRequest for MaybeUser {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let auth = request.extensions().get::<Auth>().cloned();
            let user = match auth {
                Some(auth) => identify(&auth, request.method().as_str(), request.headers()).await,
                None => Err(Fault::new(
                    "finding the user",
                    "wrap the application in portcullis_actix::Portcullis",
                )
                .into()),
            };
            user.map(Self).map_err(|refusal| {
                request.extensions_mut().insert(Swallowed(RefCell::new(Some(refusal.clone()))));
                Refused(refusal)
            })
        }
        .boxed_local()
    }
}

/// What an extractor refused, kept in case that an `Option` around it swallows it.
pub(crate) struct Swallowed(pub(crate) RefCell<Option<Refusal>>);

/// A [`Refusal`] as an answer; handlers may answer with it too: `Err(Denied::NotFound)?`.
#[derive(Debug)]
pub struct Refused(pub Refusal);

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

pub(crate) async fn identify(
    auth: &Auth,
    method: &str,
    headers: &HeaderMap,
) -> Result<Option<Identity>, Refusal> {
    auth.authenticate(method, &Fields(headers)).await
}

/// actix-web's type for header fields, as the core reads them.
struct Fields<'a>(&'a HeaderMap);

impl Headers for Fields<'_> {
    fn each(&self, name: &str, see: &mut dyn FnMut(&str)) {
        self.0.get_all(name).filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).for_each(see);
    }
}

#![doc = include_str!("../README.md")]

use std::fmt;
use std::ops::Deref;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceFactory, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::time::timeout;
use actix_web::{App, Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, rt, web};
use futures_util::future::{FutureExt, LocalBoxFuture};
use portcullis::http::{Headers, mount_path};
use portcullis::{Auth, Denied, Fault, Identity, Refusal};

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

/// The routes alone, and the issuer's metadata at the root of the host (RFC 8414 §3), for `.configure(…)` of an application that wraps itself in [`portcullis()`].
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
    let body = portcullis::http::read(body);
    let body = timeout(auth.config().body_timeout, body).await.map_err(|_| Denied::BodyTooSlow)??;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let path = request.uri().path().strip_prefix(&*mount).unwrap_or_default();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let request = portcullis::http::request(request.method().as_str(), path, headers, body)?;
    // A task of its own, so that a client who hangs up does not stop a logout half way.
    let answered = rt::spawn(async move { auth.handle(request, peer).await }).await;
    Ok(respond(answered.map_err(|error| Fault::new("answering a request", error))?))
}

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

/// Gives the extractors of an application what they need: `.wrap(portcullis(&auth))`. [`app`] has it already.
pub fn portcullis<S, B>(
    auth: &Auth,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    wrap(auth, false)
}

/// Guards a scope: `web::scope("/notes").wrap(require_user(&auth))`. Without a signed-in user nothing in it is
/// reached, but for `OPTIONS`, which browsers send without credentials.
pub fn require_user<S, B>(
    auth: &Auth,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    wrap(auth, true)
}

fn wrap<S, B>(
    auth: &Auth,
    closed: bool,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
+ use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let auth = auth.clone();
    from_fn(move |request: ServiceRequest, next: Next<B>| {
        let auth = auth.clone();
        async move {
            if closed
                && let Err(refusal) = auth.admit(request.method().as_str(), &Fields(request.headers())).await
            {
                return Ok(request.into_response(Refused(refusal).error_response().map_into_right_body()));
            }
            request.extensions_mut().insert(auth);
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
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = MaybeUser::from_request(request, payload);
        async move { Ok(Self(user.await?.0.ok_or(Denied::Unauthenticated)?)) }.boxed_local()
    }
}

impl FromRequest for MaybeUser {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let auth = request.extensions().get::<Auth>().cloned();
            let auth = auth.ok_or_else(|| {
                // Said here, since an `Option` would swallow the error.
                tracing::error!("a user was asked for in an application without .wrap(portcullis(&auth))");
                Fault::new("finding the user", "wrap the application in portcullis(&auth)")
            })?;
            let user = auth.authenticate(request.method().as_str(), &Fields(request.headers())).await;
            Ok(Self(user.inspect_err(|refusal| {
                request.extensions_mut().insert(Hidden(refusal.clone().into()));
            })?))
        }
        .boxed_local()
    }
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
    fn each(&self, name: &str, see: &mut dyn FnMut(&str)) {
        self.0.get_all(name).filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).for_each(see);
    }
}

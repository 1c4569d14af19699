//! What stands around services.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::future::{FutureExt, LocalBoxFuture};
use portcullis::{Auth, Denied, Refusal};

use crate::{Refused, Swallowed, identify};

/// Gives the extractors of an application what they need: `.wrap(Portcullis::new(&auth))`. [`app`](crate::app) has
/// it already.
#[derive(Debug, Clone)]
pub struct Portcullis(Auth);

/// Guards a scope: `web::scope("/notes").wrap(RequireUser::new(&auth))`. Without a signed-in user nothing in it is
/// reached, but for `OPTIONS`, which browsers send without credentials.
#[derive(Debug, Clone)]
pub struct RequireUser(Auth);

impl Portcullis {
    /// By that authentication.
    pub fn new(auth: &Auth) -> Self {
        Self(auth.clone())
    }
}

impl RequireUser {
    /// By that authentication.
    pub fn new(auth: &Auth) -> Self {
        Self(auth.clone())
    }
}

/// What the middlewares make of a service.
pub struct Wrapped<S> {
    auth: Auth,
    require: bool,
    inner: Rc<S>,
}

macro_rules! transform {
    ($middleware:ident, require: $require:literal) => {
        impl<S, B> Transform<S, ServiceRequest> for $middleware
        where
            S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
            B: MessageBody + 'static,
        {
            type Response = ServiceResponse<EitherBody<B>>;
            type Error = Error;
            type Transform = Wrapped<S>;
            type InitError = ();
            type Future = Ready<Result<Wrapped<S>, ()>>;

            fn new_transform(&self, inner: S) -> Self::Future {
                ready(Ok(Wrapped { auth: self.0.clone(), require: $require, inner: Rc::new(inner) }))
            }
        }
    };
}

transform!(Portcullis, require: false);
transform!(RequireUser, require: true);

impl<S, B> Service<ServiceRequest> for Wrapped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (auth, require, inner) = (self.auth.clone(), self.require, Rc::clone(&self.inner));
        async move {
            if require && let Err(refusal) = admit(&auth, &request).await {
                let response = Refused(refusal).error_response();
                return Ok(request.into_response(response).map_into_right_body());
            }
            request.extensions_mut().insert(auth);
            let response = inner.call(request).await?;
            Ok(match swallowed(&response) {
                Some(refusal) => {
                    response.into_response(Refused(refusal).error_response()).map_into_right_body()
                }
                None => response.map_into_left_body(),
            })
        }
        .boxed_local()
    }
}

async fn admit(auth: &Auth, request: &ServiceRequest) -> Result<(), Refusal> {
    if request.method() == Method::OPTIONS {
        return Ok(());
    }
    let user = identify(auth, request.method().as_str(), request.headers()).await?;
    user.map(drop).ok_or(Denied::Unauthenticated.into())
}

/// What an extractor refused and an `Option` around it hid; the answer of the handler does not count then.
fn swallowed<B>(response: &ServiceResponse<B>) -> Option<Refusal> {
    let told = response.response().error().is_some_and(|error| error.as_error::<Refused>().is_some());
    let refusal = response.request().extensions().get::<Swallowed>()?.0.take();
    refusal.filter(|_| !told)
}

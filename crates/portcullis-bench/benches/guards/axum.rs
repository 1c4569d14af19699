use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use portcullis_axum::CurrentUser;
use tower_sessions::{MemoryStore, SessionManagerLayer};

use crate::setup::{Claims, HandWritten, announce, ours};

pub fn serve(guard: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = match guard {
            "ours" | "ours-uncached" => {
                let (auth, credential) = ours(guard).await?;
                announce(address, &credential);
                open().route("/closed", get(async |_: CurrentUser| "hello")).with_state(auth)
            }
            "axum-login" => {
                let login = async |mut session: AuthSession<Login>| {
                    session.login(&Person).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
                };
                let closed = async |session: AuthSession<Login>| match session.user {
                    Some(_) => Ok("hello"),
                    None => Err(StatusCode::UNAUTHORIZED),
                };
                let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
                let layer = AuthManagerLayerBuilder::new(Login, sessions).build();
                let guarded =
                    Router::new().route("/closed", get(closed)).route("/login", post(login)).layer(layer);
                let app: Router = open().merge(guarded);
                let mut request = axum::http::Request::post("/login").body(axum::body::Body::empty())?;
                let mut service = app.clone();
                request.headers_mut().insert(header::HOST, "localhost".parse()?);
                let answer = tower::Service::call(&mut service, request).await?;
                let cookie = answer.headers().get(header::SET_COOKIE).ok_or("no cookie")?.to_str()?;
                announce(address, &format!("cookie: {}", cookie.split(';').next().unwrap_or_default()));
                app
            }
            algorithm => {
                let (guard, credential) = HandWritten::new(algorithm)?;
                announce(address, &credential);
                open().route("/closed", get(async |_: Checked| "hello")).with_state(Arc::new(guard))
            }
        };
        Ok(axum::serve(listener, app).await?)
    })
}

fn open<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/open", get(async || "hello"))
}

struct Checked(#[expect(dead_code, reason = "extracted, not read")] Claims);

impl FromRequestParts<Arc<HandWritten>> for Checked {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, guard: &Arc<HandWritten>) -> Result<Self, StatusCode> {
        let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        guard.check(authorization).map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

#[derive(Clone)]
struct Login;

#[derive(Debug, Clone)]
struct Person;

impl AuthUser for Person {
    type Id = i64;

    fn id(&self) -> i64 {
        1
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"the hash of a password"
    }
}

impl AuthnBackend for Login {
    type User = Person;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Person>, Infallible> {
        Ok(Some(Person))
    }

    async fn get_user(&self, _: &i64) -> Result<Option<Person>, Infallible> {
        Ok(Some(Person))
    }
}

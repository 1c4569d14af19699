use std::error::Error;

use portcullis_rocket::{CurrentUser, Portcullis};
use rocket::config::{Config, Ident, LogLevel};
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, get, routes};

use crate::setup::{Claims, HandWritten, announce, ours};

pub fn serve(guard: &str) -> Result<(), Box<dyn Error>> {
    let settings = Config {
        port: 0,
        workers: 1,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        ..Config::release_default()
    };
    rocket::execute(async {
        let app = rocket::custom(settings).mount("/", routes![open]);
        let (app, credential) = match guard {
            "ours" => {
                let (auth, credential) = ours(guard).await?;
                (app.attach(Portcullis::new(&auth, "/auth")).mount("/", routes![closed]), credential)
            }
            algorithm => {
                let (guard, credential) = HandWritten::new(algorithm)?;
                (app.manage(guard).mount("/", routes![checked]), credential)
            }
        };
        let told = AdHoc::on_liftoff("Address", move |rocket| {
            Box::pin(async move { announce(format_args!("127.0.0.1:{}", rocket.config().port), &credential) })
        });
        app.attach(told).launch().await?;
        Ok(())
    })
}

#[get("/open")]
fn open() -> &'static str {
    "hello"
}

#[get("/closed")]
fn closed(_user: CurrentUser) -> &'static str {
    "hello"
}

#[get("/closed")]
fn checked(_user: Checked) -> &'static str {
    "hello"
}

struct Checked(#[expect(dead_code, reason = "extracted, not read")] Claims);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Checked {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let guard = request.rocket().state::<HandWritten>();
        match guard.and_then(|guard| guard.check(request.headers().get_one("authorization"))) {
            Some(claims) => Outcome::Success(Self(claims)),
            None => Outcome::Error((Status::Unauthorized, ())),
        }
    }
}

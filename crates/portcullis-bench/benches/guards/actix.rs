use std::error::Error;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::ErrorUnauthorized;
use actix_web::{App, FromRequest, HttpRequest, HttpServer, web};
use portcullis_actix::CurrentUser;

use crate::setup::{Claims, HandWritten, announce, ours};

pub fn serve(guard: &str) -> Result<(), Box<dyn Error>> {
    actix_web::rt::System::new().block_on(async {
        match guard {
            "ours" => {
                let (auth, credential) = ours(guard).await?;
                let app = move || {
                    portcullis_actix::app(&auth, "/auth")
                        .route("/open", web::get().to(async || "hello"))
                        .route("/closed", web::get().to(async |_: CurrentUser| "hello"))
                };
                let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0")?;
                announce(server.addrs()[0], &credential);
                Ok(server.run().await?)
            }
            algorithm => {
                let (guard, credential) = HandWritten::new(algorithm)?;
                let guard = web::Data::new(guard);
                let app = move || {
                    App::new()
                        .app_data(guard.clone())
                        .route("/open", web::get().to(async || "hello"))
                        .route("/closed", web::get().to(async |_: Checked| "hello"))
                };
                let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0")?;
                announce(server.addrs()[0], &credential);
                Ok(server.run().await?)
            }
        }
    })
}

struct Checked(#[expect(dead_code, reason = "extracted, not read")] Claims);

impl FromRequest for Checked {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let guard = request.app_data::<web::Data<HandWritten>>();
        let claims = guard.and_then(|guard| guard.check(authorization));
        ready(claims.map(Self).ok_or_else(|| ErrorUnauthorized("")))
    }
}

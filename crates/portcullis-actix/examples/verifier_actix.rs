//! The service of the README that only verifies tokens, which a test keeps equal to this file.

use actix_web::{App, HttpServer, get};
use portcullis_actix::{CurrentUser, portcullis};
use std::{env, error::Error};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let verifier = portcullis_jwks::verifier_from_env()?;
    verifier.ready().await?; // a wrong address is found now
    let app = move || App::new().wrap(portcullis(&verifier)).service(me);

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:3001".into());
    Ok(HttpServer::new(app).bind(address)?.run().await?)
}

#[get("/me")]
async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

//! The service of the README that only verifies tokens, which a test keeps equal to this file.

use portcullis_rocket::{CurrentUser, Verifying};
use rocket::{get, routes};
use std::error::Error;

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let verifier = portcullis_jwks::verifier_from_env()?;
    verifier.ready().await?; // a wrong address is found now
    let app = rocket::build().attach(Verifying::new(&verifier)).mount("/", routes![me]);

    app.launch().await?; // ROCKET_PORT, else 8000
    Ok(())
}

#[get("/me")]
fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

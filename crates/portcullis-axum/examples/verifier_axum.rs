//! The service of the README that only verifies tokens, which a test keeps equal to this file.

use axum::{Router, routing::get};
use portcullis_axum::{CurrentUser, Verifying};
use std::{env, error::Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let verifier = portcullis_jwks::verifier_from_env()?;
    verifier.ready().await?; // a wrong address is found now
    let app = Router::new().route("/me", get(me)).with_state(Verifying(verifier));

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:3001".into());
    Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?)
}

async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

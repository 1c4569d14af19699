//! The quick start of the README, which a test keeps equal to this file.

use axum::{Router, routing::get};
use portcullis::{Auth, Config};
use portcullis_axum::{CurrentUser, auth_router};
use portcullis_sql::SqlStore;
use std::{env, error::Error, net::SocketAddr};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let store = SqlStore::connect("sqlite://app.db").await?; // creates the file and migrates
    let auth = Auth::new(Config::from_env()?, store).await?;
    let app = Router::new().nest("/auth", auth_router(&auth)).route("/me", get(me)).with_state(auth);

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

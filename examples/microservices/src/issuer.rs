//! Signs users in, and publishes the keys with which others verify its tokens.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use portcullis::{Auth, Config, Mode, Secret};
use portcullis_axum::{auth_router, well_known};
use portcullis_sql::SqlStore;
use tokio::net::TcpListener;

use crate::{billing, orders};

/// Serves it; `iss` of its tokens is its address.
pub async fn start(port: u16, database_url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let mut config =
        Config::new(Secret::from("an example's secret, known to everybody who reads this".to_owned()));
    config.mode = Mode::Development;
    config.issuer = format!("http://{address}");
    config.base_url = Some(format!("http://{address}/auth"));
    config.further_audiences = [orders::AUDIENCE, billing::AUDIENCE].map(str::to_owned).into();
    let auth = Auth::new(config, SqlStore::connect(database_url).await?).await?;
    let app = app(auth).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

fn app(auth: Auth) -> Router {
    Router::new().nest("/auth", auth_router(&auth)).merge(well_known(&auth)).with_state(auth)
}

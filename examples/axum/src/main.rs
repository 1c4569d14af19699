//! Serves the application on the loopback address.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use example_axum::app;
use example_notes::{Notes, Settings, announce, not_free};
use portcullis::Auth;
use portcullis_sql::SqlStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Settings { port, database_url, config } = Settings::from_env()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(not_free(port))?;
    let store = SqlStore::connect(&database_url).await?;
    let notes = Notes::open(&store).await?;
    let auth = Auth::new(config, store).await?;
    announce("axum", listener.local_addr()?.port(), auth.config());
    let app = app(auth, notes).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

//! Serves the application on the loopback address.

use std::error::Error;

use actix_web::HttpServer;
use example_actix::app;
use example_notes::{Notes, Settings, announce, not_free};
use portcullis::Auth;
use portcullis_sql::SqlStore;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Settings { port, database_url, config } = Settings::from_env()?;
    let store = SqlStore::connect(&database_url).await?;
    let notes = Notes::open(&store).await?;
    let auth = Auth::new(config, store).await?;
    let config = auth.config().clone();
    let server =
        HttpServer::new(move || app(&auth, &notes)).bind(("127.0.0.1", port)).map_err(not_free(port))?;
    let port = server.addrs().first().map_or(port, |address| address.port());
    announce("actix-web", port, &config);
    Ok(server.run().await?)
}

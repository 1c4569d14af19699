//! Serves the application on the loopback address.

use std::error::Error;
use std::net::Ipv4Addr;

use example_notes::{Notes, Settings, announce};
use example_rocket::app;
use portcullis::Auth;
use portcullis_sql::SqlStore;
use rocket::Config;
use rocket::config::{Ident, LogLevel};
use rocket::fairing::AdHoc;
use rocket::figment::Figment;

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Settings { port, database_url, config } = Settings::from_env()?;
    let store = SqlStore::connect(&database_url).await?;
    let notes = Notes::open(&store).await?;
    let auth = Auth::new(config, store).await?;
    let settings = Config {
        address: Ipv4Addr::LOCALHOST.into(),
        port,
        ident: Ident::none(),
        log_level: LogLevel::Critical,
        ..Config::default()
    };
    let config = auth.config().clone();
    let announced = AdHoc::on_liftoff("Announcement", move |rocket| {
        Box::pin(async move { announce("Rocket", rocket.config().port, &config) })
    });
    app(Figment::from(settings), &auth, notes).attach(announced).launch().await?;
    Ok(())
}

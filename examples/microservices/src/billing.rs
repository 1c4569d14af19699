//! What users owe. Verifies their tokens, whoever sends them.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use portcullis::Verifier;
use portcullis_rocket::{CurrentUser, Verifying};
use rocket::config::{Config, Ident, LogLevel};
use rocket::fairing::AdHoc;
use rocket::serde::json::Json;
use rocket::shield::Shield;
use rocket::{get, routes};
use serde::Serialize;
use tokio::sync::oneshot;

/// The name by which tokens must call this service.
pub const AUDIENCE: &str = "billing";

/// What somebody owes.
#[derive(Serialize)]
struct Invoice {
    user: String,
    cents: u32,
}

/// Serves it.
pub async fn start(port: u16, verifier: Verifier) -> Result<SocketAddr, Box<dyn Error>> {
    let mut settings = Config {
        address: Ipv4Addr::LOCALHOST.into(),
        port,
        ident: Ident::none(),
        log_level: LogLevel::Critical,
        ..Config::default()
    };
    // The program's own, not each of its services'.
    settings.shutdown.ctrlc = false;
    settings.shutdown.signals.clear();
    let (started, start) = oneshot::channel();
    let started = Mutex::new(Some(started));
    let liftoff = AdHoc::on_liftoff("Port", move |rocket| {
        let started = started.lock().ok().and_then(|mut started| started.take());
        // Whoever waited for it may be gone.
        let _ = started.map(|started| started.send(rocket.config().port));
        Box::pin(async {})
    });
    let rocket = rocket::custom(settings)
        .attach(Shield::new())
        .attach(Verifying::new(&verifier))
        .attach(liftoff)
        .mount("/", routes![invoices]);
    tokio::spawn(rocket.ignite().await?.launch());
    Ok((Ipv4Addr::LOCALHOST, start.await?).into())
}

#[get("/invoices")]
fn invoices(user: CurrentUser) -> Json<[Invoice; 1]> {
    Json([Invoice { user: user.id().to_string(), cents: 1250 }])
}

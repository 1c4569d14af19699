//! The quick start of the README, which a test keeps equal to this file.

use portcullis::{Auth, Config};
use portcullis_rocket::{CurrentUser, Portcullis};
use portcullis_sql::SqlStore;
use rocket::{get, routes};
use std::error::Error;

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let store = SqlStore::connect("sqlite://app.db").await?; // creates the file and migrates
    let auth = Auth::new(Config::from_env()?, store).await?;
    let app = rocket::build().attach(Portcullis::new(&auth, "/auth")).mount("/", routes![me]);

    app.launch().await?; // ROCKET_PORT, else 8000
    Ok(())
}

#[get("/me")]
fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

//! The quick start of the README, which a test keeps equal to this file.

use actix_web::{HttpServer, get};
use portcullis::{Auth, Config};
use portcullis_actix::CurrentUser;
use portcullis_sql::SqlStore;
use std::{env, error::Error};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let store = SqlStore::connect("sqlite://app.db").await?; // creates the file and migrates
    let auth = Auth::new(Config::from_env()?, store).await?;
    let app = move || portcullis_actix::app(&auth, "/auth").service(me);

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:3000".into());
    Ok(HttpServer::new(app).bind(address)?.run().await?)
}

#[get("/me")]
async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

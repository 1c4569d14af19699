//! Three services in one program, to be tried with one command; in life each is a program of its own:
//!
//! - [`issuer`] signs users in (axum, SQLite) and publishes its keys;
//! - [`orders`] (actix-web) knows what a user ordered, and asks billing for the invoices with the user's own token;
//! - [`billing`] (Rocket) knows what a user owes.
//!
//! The two below have no database of users and no secret. Each demands its own name in a token's `aud`.

pub mod billing;
pub mod issuer;
pub mod orders;

use std::error::Error;
use std::net::SocketAddr;

/// Where the three listen.
#[derive(Debug, Clone, Copy)]
pub struct Services {
    /// Signs users in.
    pub issuer: SocketAddr,
    /// Knows the orders.
    pub orders: SocketAddr,
    /// Knows the invoices.
    pub billing: SocketAddr,
}

/// Starts all three on the loopback address, on `first` and the two ports after it; with 0 on free ones.
pub async fn start(first: u16, database_url: &str) -> Result<Services, Box<dyn Error>> {
    let after = |ports: u16| if first == 0 { 0 } else { first + ports };
    let issuer = issuer::start(first, database_url).await?;
    let name = format!("http://{issuer}");
    let keys = format!("{name}/auth/.well-known/jwks.json");
    let billing =
        billing::start(after(2), portcullis_jwks::verifier(&name, billing::AUDIENCE, &keys)?).await?;
    let verifier = portcullis_jwks::verifier(&name, orders::AUDIENCE, &keys)?;
    let orders = orders::start(after(1), verifier, format!("http://{billing}/invoices"))?;
    Ok(Services { issuer, orders, billing })
}

//! Starts all three and says what to try.

use std::env;
use std::error::Error;

use example_microservices::{Services, start};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let port = port.parse().map_err(|_| format!("PORT: `{port}` is not a port"))?;
    announce(start(port, "sqlite::memory:").await?);
    Ok(tokio::signal::ctrl_c().await?)
}

#[expect(clippy::print_stdout, reason = "this is for whoever started it, not for a log")]
fn announce(Services { issuer, orders, billing }: Services) {
    println!(
        r#"issuer (axum) on http://{issuer}, orders (actix-web) on http://{orders}, billing (Rocket) on http://{billing}

TOKEN=$(curl -s http://{issuer}/auth/register -H 'content-type: application/json' \
  -d '{{"email":"ada@example.org","password":"purple otter sings","transport":"body"}}' \
  | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')
curl -H "authorization: Bearer $TOKEN" http://{orders}/orders
curl -H "authorization: Bearer $TOKEN" http://{billing}/invoices
curl http://{issuer}/auth/.well-known/jwks.json
curl http://{issuer}/auth/.well-known/oauth-authorization-server

Without a token, or with one that was altered, each of the two answers 401.

Press Ctrl+C to stop."#
    );
}

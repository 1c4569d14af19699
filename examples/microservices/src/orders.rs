//! What users ordered. Verifies their tokens and forwards them to billing, which verifies them again.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use actix_web::web::{Data, Json, block, get};
use actix_web::{App, HttpRequest, HttpServer, rt};
use portcullis::{Fault, Verifier};
use portcullis_actix::{CurrentUser, Refused, portcullis};
use serde::Serialize;
use serde_json::Value;

/// The name by which tokens must call this service.
pub const AUDIENCE: &str = "orders";

/// What somebody ordered.
#[derive(Serialize)]
struct Orders {
    user: String,
    orders: [&'static str; 2],
    invoices: Value,
}

/// Serves it, in a thread with an executor of its own, as actix-web has it.
pub fn start(port: u16, verifier: Verifier, billing: String) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        rt::System::new().block_on(async move {
            let app = move || {
                App::new()
                    .wrap(portcullis(&verifier))
                    .app_data(Data::new(billing.clone()))
                    .route("/orders", get().to(orders))
            };
            HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run().await
        })
    });
    Ok(address)
}

async fn orders(
    user: CurrentUser,
    billing: Data<String>,
    request: HttpRequest,
) -> Result<Json<Orders>, Refused> {
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let authorization = authorization.unwrap_or_default().to_owned();
    let invoices = block(move || invoices(&billing, &authorization)).await;
    let invoices = invoices.map_err(|error| Fault::new("asking billing", error))?;
    let invoices = invoices.map_err(|error| Fault::new("asking billing", error))?;
    Ok(Json(Orders { user: user.id().to_string(), orders: ["a bolt", "a hinge"], invoices }))
}

/// The user's invoices, asked for in the user's name: with their token, for which billing is an audience too.
fn invoices(billing: &str, authorization: &str) -> Result<Value, Box<dyn Error + Send + Sync>> {
    let timeout = Some(Duration::from_secs(2));
    let request = ureq::get(billing).config().timeout_global(timeout).proxy(None).build();
    let body = request.header("authorization", authorization).call()?.body_mut().read_to_string()?;
    Ok(serde_json::from_str(&body)?)
}

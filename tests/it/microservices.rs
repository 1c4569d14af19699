//! The example of three services, used as its announcement says.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::Request;

#[tokio::test]
async fn a_token_of_the_issuer_opens_both_services_and_goes_from_one_to_the_other() {
    let services = example_microservices::start(0, "sqlite::memory:").await.unwrap();
    let get = |address: SocketAddr, path| Request::new(address, "GET", path);
    for (address, path) in [(services.orders, "/orders"), (services.billing, "/invoices")] {
        assert_eq!(get(address, path).send().await.code(), "unauthenticated", "{path}");
        assert_eq!(get(address, path).bearer("rubbish").send().await.code(), "invalid_token", "{path}");
    }
    let ada = json!({ "email": "ada@example.org", "password": "purple otter sings", "transport": "body" });
    let registered = Request::new(services.issuer, "POST", "/auth/register").json(ada).send().await.data();
    let access = registered["accessToken"].as_str().unwrap();
    let orders: Value = get(services.orders, "/orders").bearer(access).send().await.json();
    assert_eq!(orders["user"], registered["user"]["id"]);
    assert_eq!(orders["invoices"], json!([{ "user": registered["user"]["id"], "cents": 1250 }]));
    assert_eq!(get(services.billing, "/invoices").bearer(access).send().await.json(), orders["invoices"]);
    let me = get(services.issuer, "/auth/me").bearer(access).send().await;
    assert_eq!(me.status, 200, "the issuer is an audience of its own");
}

use portcullis::Config;
use serde_json::{Value, json};

use super::framework;
use crate::server::Server;

const ISSUER: &str = "https://app.example.org/auth";
const NESTED: &str = "/auth/.well-known/oauth-authorization-server";
const INSERTED: &str = "/.well-known/oauth-authorization-server/auth";

fn with_issuer(config: &mut Config) {
    config.issuer = ISSUER.into();
}

async fn fetch(server: &Server, path: &str) -> Value {
    let answer = server.get(path).send().await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

#[tokio::test]
async fn it_says_who_issues_and_where_what_is_answered() {
    let server = framework::start_with(with_issuer).await;
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    assert_eq!(
        fetch(&server, NESTED).await,
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://app.example.org/auth/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
            "introspection_endpoint": "https://app.example.org/auth/introspect",
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": "https://app.example.org/auth/revoke",
            "revocation_endpoint_auth_methods_supported": methods,
        })
    );
}

#[tokio::test]
async fn the_issuer_is_the_one_of_the_tokens_to_the_letter() {
    for issuer in ["https://app.example.org", "https://app.example.org:8443/a/b", "http://127.0.0.1:3000/auth"] {
        let server = framework::start_with(|config| config.issuer = issuer.into()).await;
        let ada = server.register("ada@example.org").await;
        assert_eq!(ada.claims()["iss"], issuer);
        assert_eq!(fetch(&server, NESTED).await["issuer"], issuer);
    }
}

#[tokio::test]
async fn it_stands_at_the_root_of_the_host_with_the_issuers_path_behind() {
    for (issuer, path) in [
        (ISSUER, INSERTED),
        ("https://app.example.org", "/.well-known/oauth-authorization-server"),
        ("https://app.example.org/a/b", "/.well-known/oauth-authorization-server/a/b"),
    ] {
        let server = framework::start_with(|config| config.issuer = issuer.into()).await;
        assert_eq!(fetch(&server, path).await, fetch(&server, NESTED).await);
        let head = server.request("HEAD", path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(server.post(path).send().await.problem(), (405, "method_not_allowed".into()));
        let other = server.get(&format!("{path}/x")).send().await;
        assert_eq!(other.status, 404, "{other:?}");
    }
}

#[tokio::test]
async fn the_root_of_the_host_stays_the_applications() {
    let server = framework::start_with(with_issuer).await;
    for path in ["/login", "/introspect", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        assert_eq!(server.get(path).send().await.status, 404, "{path}");
    }
    assert_eq!(server.get("/").send().await.status, 200);
}

#[tokio::test]
async fn the_routes_may_be_elsewhere_than_the_issuer() {
    let server = framework::start_with(|config| {
        config.issuer = "https://example.org".into();
        config.base_url = Some("https://app.example.org/auth".into());
    })
    .await;
    let json = fetch(&server, NESTED).await;
    assert_eq!(json["issuer"], "https://example.org");
    assert_eq!(json["jwks_uri"], "https://app.example.org/auth/.well-known/jwks.json");
}

#[tokio::test]
async fn without_a_public_address_it_is_not_there_and_says_what_to_set() {
    for issuer in ["portcullis", "http://app.example.org", "https://app.example.org/", "https://a.example/?x"] {
        let server = framework::start_with(|config| config.issuer = issuer.into()).await;
        let answer = server.get(NESTED).send().await;
        assert_eq!(answer.problem(), (404, "not_configured".into()), "{issuer}");
        assert!(answer.text().contains("set the issuer"), "{answer:?}");
        assert_eq!(server.get("/.well-known/oauth-authorization-server").send().await.status, 404);
    }
}

#[tokio::test]
async fn what_clients_cannot_use_is_not_announced() {
    let server = framework::start_with(|config| {
        with_issuer(config);
        config.clients.clear();
    })
    .await;
    let json = fetch(&server, NESTED).await;
    for name in ["introspection_endpoint", "revocation_endpoint", "token_endpoint", "authorization_endpoint"] {
        assert_eq!(json.get(name), None);
    }
}

#[tokio::test]
async fn the_registry_of_permissions_is_published_in_its_order() {
    let server = framework::start_with(|config| {
        with_issuer(config);
        config.access.permissions = vec!["b".into(), "a".into()];
    })
    .await;
    assert_eq!(fetch(&server, NESTED).await["portcullis_permissions"], json!({ "names": ["b", "a"] }));
}

#[tokio::test]
async fn it_is_cached_and_asked_for_anew_as_the_keys_are() {
    let server = framework::start_with(with_issuer).await;
    for path in [NESTED, INSERTED] {
        let answer = server.get(path).send().await;
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300, stale-while-revalidate=60"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let tag = answer.header("etag").unwrap();
        let again = server.get(path).header("if-none-match", tag).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    let check = |issuer: &str, base: &str| {
        let mut config = Config::new(crate::server::SECRET);
        config.issuer = issuer.into();
        config.base_url = Some(base.into());
        config.check()
    };
    assert!(check(ISSUER, "https://app.example.org/auth").is_ok());
    assert!(check(ISSUER, "http://localhost:3000/auth").is_ok());
    assert!(check("portcullis", "https://app.example.org/auth").is_err());
    for base in [
        "https://app.example.org/auth/",
        "http://app.example.org/auth",
        "https://app.example.org/auth?x",
        "https://app.example.org/auth#x",
        "https://ada@app.example.org/auth",
        "https://App.example.org",
        "https://app.example.org/a/../b",
        "https://app.example.org/%61uth",
        "https://app.example.org//auth",
        "https://",
        "//app.example.org/auth",
        "/auth",
        "",
    ] {
        assert!(check(ISSUER, base).is_err(), "{base}");
    }
}

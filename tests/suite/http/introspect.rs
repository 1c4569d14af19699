use std::collections::BTreeSet;

use portcullis::Client;
use portcullis::token::{Audience, KeyRing, SigningKey};
use serde_json::{Value, json};

use super::framework;
use crate::client::{Answer, Request};
use crate::server::{Device, OWN_CLIENT, SERVICE, Server};

/// A token that is good.
async fn good() -> (Server, Device) {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    (server, ada)
}

fn inactive(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"active":false}"#), "{what}: {answer:?}");
}

async fn active(server: &Server, token: &str) -> Value {
    let answer = server.introspect(token).await;
    assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(true)), "{answer:?}");
    answer.json()
}

fn ask(server: &Server, token: &str) -> Request {
    server.post("/auth/introspect").form(&[("token", token)])
}

#[tokio::test]
async fn a_good_access_token_is_told_with_everything_it_says() {
    let server = framework::start_with(|config| {
        config.access.permissions = vec!["notes:read".into(), "notes:write".into()];
        config.access.grants.insert("editor".into(), vec!["notes:write".into()]);
    })
    .await;
    let ada = server.register("ada@example.org").await;
    server.auth.set_roles(ada.user.parse().unwrap(), &["editor".into()]).await.unwrap();
    let ada = server.renew(&ada).await;
    let answer = server.introspect(&ada.access).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut expected = ada.claims();
    let said = expected.as_object_mut().unwrap();
    said.remove("pms").unwrap();
    said.insert("permissions".into(), json!(["notes:write"]));
    said.insert("active".into(), json!(true));
    said.insert("token_type".into(), json!("Bearer"));
    assert_eq!(answer.json(), expected);
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "auth_time", "amr", "roles"] {
        assert!(expected.get(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_nothing_but_inactive() {
    let (server, ada) = good().await;
    let other = KeyRing::new(SigningKey::ed25519(&[9; 32]).unwrap());
    let mut claims: portcullis::token::AccessClaims = {
        let headers = axum::http::HeaderMap::from_iter([(
            axum::http::header::AUTHORIZATION,
            format!("Bearer {}", ada.access).parse().unwrap(),
        )]);
        server.auth.require("GET", &headers).await.unwrap().claims().clone()
    };
    let forged = other.sign(&claims).unwrap();
    claims.aud = Audience::from("another");
    let foreign = other.sign(&claims).unwrap();
    for token in [
        "rubbish",
        "pcr_",
        "pcr_AAAA",
        "..",
        "e30.e30.e30",
        &forged,
        &foreign,
        &ada.access[..ada.access.len() - 1],
        &ada.refresh[..ada.refresh.len() - 1],
        &ada.session(),
        &ada.user,
        &"x".repeat(60_000),
        &"%C3%A9".repeat(20),
    ] {
        inactive(&server.introspect(token).await, token);
    }
    server.clock.advance_seconds(900);
    inactive(&server.introspect(&ada.access).await, "expired");
}

#[tokio::test]
async fn a_token_whose_session_is_over_is_inactive_at_once() {
    let (server, ada) = good().await;
    active(&server, &ada.access).await;
    assert_eq!(server.post("/auth/logout").bearer(&ada.access).send().await.status, 200);
    inactive(&server.introspect(&ada.access).await, "after the logout");
    // Cut short: only the epoch was advanced.
    let bob = server.register("bob@example.org").await;
    sqlx::query("UPDATE portcullis_users SET epoch = epoch + 1").execute(server.store.pool()).await.unwrap();
    inactive(&server.introspect(&bob.access).await, "of an earlier epoch");
    let eve = server.register("eve@example.org").await;
    sqlx::query("DELETE FROM portcullis_users").execute(server.store.pool()).await.unwrap();
    inactive(&server.introspect(&eve.access).await, "of nobody");
}

#[tokio::test]
async fn a_session_ended_on_another_node_is_inactive_here_without_delay() {
    let (server, ada) = good().await;
    let node = server.another().await;
    active(&node, &ada.access).await;
    assert_eq!(server.post("/auth/logout").bearer(&ada.access).send().await.status, 200);
    inactive(&node.introspect(&ada.access).await, "the session is looked up");
}

#[tokio::test]
async fn a_refresh_token_is_told_to_the_client_that_holds_it_and_to_no_service() {
    let (server, ada) = good().await;
    inactive(&server.introspect(&ada.refresh).await, "a service could take it for an access token");
    let own = |token: &str| ask(&server, token).basic("portcullis", OWN_CLIENT);
    let answer = own(&ada.refresh).send().await;
    let iat = ada.claims()["iat"].as_u64().unwrap();
    let expected = json!({
        "active": true, "iss": "portcullis", "sub": ada.user, "client_id": "portcullis", "sid": ada.session(),
        "iat": iat, "exp": iat + 7 * 86_400,
    });
    assert_eq!(answer.json(), expected);
    server.renew(&ada).await;
    assert_eq!(own(&ada.refresh).send().await.json()["active"], true, "within the grace");
    server.clock.advance_seconds(11);
    inactive(&own(&ada.refresh).send().await, "replaced");
    assert_eq!(server.events().iter().filter(|event| event.contains("reuse")).count(), 0, "nobody used it");
    let bob = server.register("bob@example.org").await;
    server.clock.advance_seconds(7 * 86_400);
    inactive(&own(&bob.refresh).send().await, "expired");
}

#[tokio::test]
async fn asking_changes_nothing() {
    let (server, ada) = good().await;
    let before = (server.rows().await, server.events());
    for token in [&ada.access, &ada.refresh, "rubbish"] {
        server.introspect(token).await;
        ask(&server, token).basic("portcullis", OWN_CLIENT).send().await;
    }
    assert_eq!((server.rows().await, server.events()), before);
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_client_may_ask_after_its_own_audience_alone() {
    let server = framework::start_with(|config| {
        config.audience = "notes".into();
        config.clients.push(Client::new("notes", "n".repeat(40)).audience("notes").audience("mail"));
        config.clients.push(Client::new("mail", "m".repeat(40)).audience("mail"));
    })
    .await;
    let ada = server.register("ada@example.org").await;
    let as_client = |id: &str, letter: &str| ask(&server, &ada.access).basic(id, &letter.repeat(40));
    assert_eq!(as_client("notes", "n").send().await.json()["active"], true);
    inactive(&as_client("mail", "m").send().await, "another audience's");
    active(&server, &ada.access).await;
}

#[tokio::test]
async fn a_client_names_itself_in_the_header_or_in_the_body_and_not_in_both() {
    let (server, ada) = good().await;
    let post = || server.post("/auth/introspect");
    let token = ("token", ada.access.as_str());
    let (id, secret) = (("client_id", "service"), ("client_secret", SERVICE));
    for (what, request, expected) in [
        ("header", post().basic("service", SERVICE).form(&[token]), 200),
        ("body", post().form(&[token, id, secret]), 200),
        ("header and its id", post().basic("service", SERVICE).form(&[token, id]), 200),
        ("both", post().basic("service", SERVICE).form(&[token, id, secret]), 400),
        ("both, secret alone", post().basic("service", SERVICE).form(&[token, secret]), 400),
        ("two ids", post().basic("service", SERVICE).form(&[token, ("client_id", "portcullis")]), 400),
        ("two headers", post().basic("service", SERVICE).basic("service", SERVICE).form(&[token]), 400),
    ] {
        let answer = request.send().await;
        match expected {
            200 => assert_eq!(answer.json()["active"], true, "{what}"),
            _ => assert_eq!(answer.oauth(), (400, "invalid_request".into()), "{what}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_look_the_same() {
    let (server, ada) = good().await;
    let mut answers = BTreeSet::new();
    for path in ["/auth/introspect", "/auth/revoke"] {
        for (id, secret) in [
            ("service", OWN_CLIENT),
            ("service", &SERVICE[1..]),
            ("service", ""),
            ("nobody", SERVICE),
            ("nobody", "x"),
            ("Service", SERVICE),
            ("", SERVICE),
            ("", ""),
            ("service:b1946ac92492d2347c62", &SERVICE[20..]),
            (&"x".repeat(2000), "x"),
        ] {
            let post = server.post(path);
            let token = ("token", ada.access.as_str());
            let by_header = post.clone().basic(id, secret).form(&[token]).send().await;
            assert_eq!(by_header.oauth(), (401, "invalid_client".into()), "{id} {secret}");
            answers.insert(by_header.text());
            if id.len() < 1000 {
                let by_body = post.form(&[token, ("client_id", id), ("client_secret", secret)]).send().await;
                assert_eq!(by_body.oauth(), (401, "invalid_client".into()), "{id} {secret}");
                answers.insert(by_body.text());
            }
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_credential_in_the_wrong_place_is_none() {
    let (server, ada) = good().await;
    let query = format!("?client_id=service&client_secret={SERVICE}");
    let token = ("token", ada.access.as_str());
    for path in ["/auth/introspect", "/auth/revoke"] {
        let post = server.post(path);
        for (what, request) in [
            ("nothing", post.clone().form(&[token])),
            ("the query", server.post(&format!("{path}{query}")).form(&[token])),
            ("a cookie", post.clone().header("cookie", format!("client_secret={SERVICE}")).form(&[token])),
            ("a user's token", post.clone().bearer(&ada.access).form(&[token])),
            ("the secret as a bearer", post.clone().bearer(SERVICE).form(&[token])),
            ("an id alone", post.clone().form(&[token, ("client_id", "service")])),
            ("a secret alone", post.clone().form(&[token, ("client_secret", SERVICE)])),
            ("no body", post.clone()),
        ] {
            assert_eq!(request.send().await.oauth(), (401, "invalid_client".into()), "{path} {what}");
        }
    }
}

#[tokio::test]
async fn a_malformed_basic_header_is_a_401() {
    let (server, ada) = good().await;
    for value in [
        &b"Basic"[..],
        b"Basic ",
        b"Basic *",
        b"Basic c2VydmljZQ==",
        b"Basic c2VydmljZQ",
        b"Basic \xff\xfe",
        b"Basic /////w==",
        b"Basic Og==",
        b"Basic JTo=",
        b"Basic c2VydmljZTolMA==",
        b"Basic JWZmOng=",
        b"Basic YSZiOmM=",
        b"Basic AAo6AA==",
        b"Basic  ",
        b"basic:x",
        b"",
    ] {
        let request = ask(&server, &ada.access).header("authorization", value);
        let shown = String::from_utf8_lossy(value);
        assert_eq!(request.send().await.oauth(), (401, "invalid_client".into()), "{shown}");
    }
    for scheme in ["Basic", "basic", "BASIC"] {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("%73ervice:{SERVICE}"));
        let request = ask(&server, &ada.access).header("authorization", format!("{scheme} {pair}"));
        assert_eq!(request.send().await.json()["active"], true, "RFC 6749 §2.3.1: encoded as a form");
    }
}

#[tokio::test]
async fn a_form_is_read_strictly() {
    let (server, ada) = good().await;
    for path in ["/auth/introspect", "/auth/revoke"] {
        let post = server.post(path).basic("service", SERVICE);
        let form = |body: &[u8]| {
            post.clone().header("content-type", "application/x-www-form-urlencoded").body(body)
        };
        for body in [
            &b""[..],
            b"token=",
            b"token",
            b"Token=x",
            b"token=x&token=x",
            b"token=x&token=",
            b"token=x&%74oken=y",
            b"token=x&token_type_hint=a&token_type_hint=a",
            b"token=%",
            b"token=%4",
            b"token=%zz",
            b"token=%ff",
            b"token=\xff",
            b"token=a%00b",
            b"token=a\0b",
            b"token=%ed%a0%80",
            b"{\"token\":\"x\"}",
            b"&&&",
        ] {
            let answer = form(body).send().await;
            let shown = String::from_utf8_lossy(body);
            assert_eq!(answer.oauth(), (400, "invalid_request".into()), "{path} {shown}");
        }
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
            let body = json!({ "token": ada.access }).to_string();
            let answer = post.clone().header("content-type", kind).body(body).send().await;
            assert_eq!(answer.oauth(), (415, "invalid_request".into()), "{path} {kind}");
        }
        let latin = "application/x-www-form-urlencoded; charset=iso-8859-1";
        let answer = post.clone().header("content-type", latin).body("token=x").send().await;
        assert_eq!(answer.oauth(), (415, "invalid_request".into()));
        let giant = form(&[b"token=", &b"x".repeat(64 * 1024)[..]].concat()).send().await;
        assert_eq!(giant.oauth(), (413, "invalid_request".into()));
        let utf_8 = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
        let answer = post.clone().header("content-type", utf_8).body("x=%C3%A9&token=rubbish").send().await;
        assert_eq!(answer.status, 200, "what is not known is ignored");
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn forms_are_for_these_routes_alone() {
    let (server, _) = good().await;
    for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
        let answer = server.post(path).basic("service", SERVICE).form(&[("token", "x")]).send().await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".into()), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_asked_by_get_nor_from_another_site() {
    let (server, ada) = good().await;
    for path in ["/auth/introspect", "/auth/revoke"] {
        let query = format!("{path}?token={}", ada.access);
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = server.request(method, &query).basic("portcullis", OWN_CLIENT).send().await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
        }
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test"), ("origin", "null")] {
            let post = server.post(path).basic("portcullis", OWN_CLIENT).header(name, value);
            let answer = post.form(&[("token", &ada.access)]).send().await;
            assert_eq!(answer.oauth(), (403, "invalid_request".into()), "{path} {name}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn the_hint_does_not_matter() {
    let (server, ada) = good().await;
    for hint in ["access_token", "refresh_token", "rubbish", ""] {
        let parameters = [("token", ada.access.as_str()), ("token_type_hint", hint)];
        let request = server.post("/auth/introspect").basic("service", SERVICE).form(&parameters);
        assert_eq!(request.send().await.json()["active"], true, "{hint}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_500_and_never_inactive() {
    let (server, ada) = good().await;
    server.store.pool().close().await;
    for token in [&ada.access, &ada.refresh] {
        let own = ask(&server, token).basic("portcullis", OWN_CLIENT).send().await;
        assert_eq!(own.oauth(), (500, "server_error".into()));
        let answer = server.post("/auth/revoke").basic("portcullis", OWN_CLIENT).form(&[("token", token)]);
        assert_eq!(answer.send().await.oauth(), (500, "server_error".into()));
    }
}

#[test]
fn clients_that_are_none_are_refused_at_the_start() {
    let check = |clients: &[(&str, &str)]| {
        let mut config = portcullis::Config::new(crate::server::SECRET);
        config.clients = clients.iter().map(|(id, secret)| Client::new(*id, *secret)).collect();
        config.check()
    };
    assert!(check(&[("a", SERVICE), ("b", OWN_CLIENT)]).is_ok());
    for (id, secret) in [
        ("", SERVICE),
        ("a:b", SERVICE),
        ("a b", SERVICE),
        ("a+b", SERVICE),
        ("é", SERVICE),
        ("a", ""),
        ("a", &SERVICE[..31]),
        ("a", "0123456789abcdef+0123456789abcdef"),
        ("a", "0123456789abcdef%0123456789abcdef"),
        ("a", "0123456789abcdef 0123456789abcdef"),
    ] {
        let error = check(&[(id, secret)]).unwrap_err().to_string();
        assert!(secret.is_empty() || !error.contains(secret), "no secret is shown");
    }
    assert!(check(&[("a", SERVICE), ("a", OWN_CLIENT)]).is_err(), "one name, two clients");
    let var = |value: &str| {
        portcullis::Config::from_vars([
            ("PORTCULLIS_SECRET".into(), crate::server::SECRET.into()),
            ("PORTCULLIS_CLIENTS".into(), value.into()),
        ])
    };
    let clients = var(&format!("a:{SERVICE}\n\t b:{OWN_CLIENT} ")).unwrap().clients;
    assert_eq!(clients.iter().map(Client::id).collect::<Vec<_>>(), ["a", "b"]);
    assert!(!format!("{clients:?}").contains(SERVICE));
    let error = var(&format!("{SERVICE} b:short")).unwrap_err().to_string();
    assert!(error.contains("number 1") && error.contains("secret of `b`") && !error.contains(SERVICE), "{error}");
}

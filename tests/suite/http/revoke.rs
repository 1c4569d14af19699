use portcullis::Client;

use super::framework;
use crate::client::Answer;
use crate::server::{Device, OWN_CLIENT, SERVICE, Server};

async fn signed_in() -> (Server, Device) {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    (server, ada)
}

fn done(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{what}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.all("set-cookie").count(), 0, "the client is no browser");
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_tokens_with_it() {
    let (server, ada) = signed_in().await;
    let other = server.login("ada@example.org").await;
    done(&server.revoke(&ada.refresh).await, "refresh token");
    server.assert_signed_out(&ada).await;
    server.assert_signed_in(&other).await;
}

#[tokio::test]
async fn a_revoked_access_token_takes_its_session_with_it() {
    let (server, ada) = signed_in().await;
    let renewed = server.renew(&ada).await;
    done(&server.revoke(&ada.access).await, "access token");
    server.assert_signed_out(&renewed).await;
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_still_names_its_session() {
    let (server, ada) = signed_in().await;
    let renewed = server.renew(&ada).await;
    server.clock.advance_seconds(60);
    done(&server.revoke(&ada.refresh).await, "an older one");
    server.assert_signed_out(&renewed).await;
}

#[tokio::test]
async fn the_other_nodes_hear_of_it_in_time() {
    let (server, ada) = signed_in().await;
    let node = server.another().await;
    assert_eq!(node.me(&ada.access).await.status, 200);
    done(&server.revoke(&ada.access).await, "access token");
    server.clock.advance_seconds(2);
    assert_eq!(node.me(&ada.access).await.problem(), (401, "invalid_token".into()));
}

#[tokio::test]
async fn a_token_that_is_not_good_is_revoked_already() {
    let (server, ada) = signed_in().await;
    for token in ["rubbish", "pcr_", &ada.session(), &ada.refresh[1..], &ada.access[1..], &"x".repeat(60_000)] {
        done(&server.revoke(token).await, token);
    }
    server.assert_signed_in(&ada).await;
    let bob = server.register("bob@example.org").await;
    for token in [&bob.refresh, &bob.refresh, &bob.access] {
        done(&server.revoke(token).await, "again");
    }
    let eve = server.register("eve@example.org").await;
    server.clock.advance_seconds(900);
    done(&server.revoke(&eve.access).await, "expired");
    assert_eq!(server.refresh(&eve.refresh).await.status, 200, "an expired token ends nothing");
}

#[tokio::test]
async fn a_token_of_another_client_is_not_revoked() {
    let (server, ada) = signed_in().await;
    for token in [&ada.access, &ada.refresh] {
        let request = server.post("/auth/revoke").basic("service", SERVICE).form(&[("token", token)]);
        assert_eq!(request.send().await.oauth(), (400, "unauthorized_client".into()));
    }
    assert!(!server.events().iter().any(|event| event.starts_with("token_revoked")));
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_token_issued_to_a_client_of_another_name_is_that_ones() {
    let (server, ada) = signed_in().await;
    let renamed = |config: &mut portcullis::Config| {
        config.client_id = "web".into();
        config.clients.push(Client::new("web", "w".repeat(40)));
    };
    let node = server.another_with(renamed, |stores| stores).await;
    let request = node.post("/auth/revoke").basic("web", &"w".repeat(40)).form(&[("token", &ada.access)]);
    assert_eq!(request.send().await.oauth(), (400, "unauthorized_client".into()));
    done(&node.revoke(&ada.access).await, "by the client that it was issued to");
}

#[tokio::test]
async fn it_is_written_down_once_with_the_client_that_did_it() {
    let (server, ada) = signed_in().await;
    for _ in 0..3 {
        done(&server.revoke(&ada.refresh).await, "again and again");
    }
    let events = server.auth.events_of(ada.user.parse().unwrap(), 10).await.unwrap();
    let revoked: Vec<_> = events.iter().filter(|event| event.action == "token_revoked").collect();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].cause.as_deref(), Some("portcullis"));
    assert_eq!(revoked[0].session.unwrap().to_string(), ada.session());
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_why = 'client'").await, 1);
}

#[tokio::test]
async fn the_hint_does_not_matter() {
    let (server, _) = signed_in().await;
    for hint in ["access_token", "refresh_token", "rubbish", ""] {
        let ada = server.login("ada@example.org").await;
        let parameters = [("token_type_hint", hint), ("token", ada.refresh.as_str())];
        let request = server.post("/auth/revoke").basic("portcullis", OWN_CLIENT).form(&parameters);
        done(&request.send().await, hint);
        server.assert_signed_out(&ada).await;
    }
}

use serde_json::{Value, json};

use super::framework;
use crate::client::{Answer, Request, at_once};
use crate::server::{Device, PASSWORD, Server};

async fn list(server: &Server, device: &Device) -> Vec<Value> {
    let answer = server.get("/auth/sessions").bearer(&device.access).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.data()["sessions"].as_array().unwrap().clone()
}

async fn ids(server: &Server, device: &Device) -> Vec<String> {
    list(server, device).await.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

fn revoke(server: &Server, device: &Device, id: &str) -> Request {
    server.request("DELETE", &format!("/auth/sessions/{id}")).bearer(&device.access)
}

/// A login by a program that calls itself that.
async fn login_by(server: &Server, user_agent: impl AsRef<[u8]>) -> Device {
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answer = server.post("/auth/login").header("user-agent", user_agent).json(credentials).send().await;
    Device::of(&answer)
}

#[tokio::test]
async fn one_sees_ones_devices_the_latest_first_and_which_is_this_one() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    server.clock.advance_seconds(60);
    let laptop = login_by(&server, "Laptop/1.0").await;
    server.register("bob@example.org").await;
    server.clock.advance_seconds(60);
    server.refresh(&phone.refresh).await;
    let listed = list(&server, &laptop).await;
    assert_eq!(
        listed,
        [
            json!({
                "id": laptop.session(),
                "createdAt": "2027-01-15T08:01:00.123Z",
                // This device is seen now; its limit is told by its token, which counts whole seconds.
                "lastSeenAt": "2027-01-15T08:02:00.123Z",
                "expiresAt": "2027-01-22T08:01:00.000Z",
                "ip": "127.0.0.1",
                "userAgent": "Laptop/1.0",
                "current": true,
            }),
            json!({
                "id": phone.session(),
                "createdAt": "2027-01-15T08:00:00.123Z",
                "lastSeenAt": "2027-01-15T08:02:00.123Z",
                "expiresAt": "2027-01-22T08:02:00.123Z",
                "ip": "127.0.0.1",
                "userAgent": null,
                "current": false,
            }),
        ]
    );
    assert_eq!(list(&server, &phone).await[1]["current"], true);
}

#[tokio::test]
async fn the_list_holds_no_token_and_nothing_else_worth_stealing() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let text = server.get("/auth/sessions").bearer(&ada.access).send().await.text();
    for secret in ["pcr_", "eyJ", "$argon2", &ada.refresh[4..40]] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_user_agent_is_shown_without_control_characters_and_not_without_end() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for (sent, shown) in [
        ("Tab\tand \u{85}\u{9b}C1".to_owned(), Some("Taband C1".to_owned())),
        ("B\u{f6}rser \u{1f98a}".to_owned(), Some("B\u{f6}rser \u{1f98a}".to_owned())),
        ("<script>alert(1)</script>".to_owned(), Some("<script>alert(1)</script>".to_owned())),
        ("\u{e9}".repeat(1000), Some("\u{e9}".repeat(256))),
        ("y".repeat(257), Some("y".repeat(256))),
    ] {
        server.clock.advance_seconds(1);
        login_by(&server, &sent).await;
        let latest = list(&server, &ada).await[0].clone();
        assert_eq!(latest["userAgent"].as_str().map(str::to_owned), shown, "{sent:?}");
    }
}

#[tokio::test]
async fn a_user_agent_that_is_not_utf_8_does_no_harm() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(1);
    let other = login_by(&server, b"latin \xe9").await;
    assert_eq!(list(&server, &ada).await[0]["id"], other.session());
}

#[tokio::test]
async fn a_revoked_session_ends_at_once_and_no_other_does() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let tablet = server.login("ada@example.org").await;
    let answer = revoke(&server, &phone, &laptop.session()).send().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "success": true, "data": {} })));
    assert_eq!(answer.all("set-cookie").count(), 0, "this device stays signed in");
    assert_eq!(answer.header("clear-site-data"), None);
    server.assert_signed_out(&laptop).await;
    server.assert_signed_in(&tablet).await;
    server.assert_signed_in(&phone).await;
    assert!(!ids(&server, &phone).await.contains(&laptop.session()));
    assert_eq!(server.events()[5..], ["sessions_revoked"]);
    let heard = server.heard.lock().unwrap();
    assert_eq!(heard.last().unwrap().session.unwrap().to_string(), laptop.session());
}

#[tokio::test]
async fn revoking_the_session_one_is_in_is_signing_out() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = revoke(&server, &ada, &ada.session()).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.cookie("__Host-portcullis-refresh").unwrap().0, "");
    assert_eq!(answer.header("clear-site-data"), Some(r#""cookies", "storage""#));
    server.assert_signed_out(&ada).await;
}

#[tokio::test]
async fn revoking_the_others_leaves_this_one() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let tablet = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let request = || server.post("/auth/sessions/revoke-others").bearer(&laptop.access);
    assert_eq!(request().send().await.data(), json!({ "revoked": 2 }));
    assert_eq!(request().send().await.data(), json!({ "revoked": 0 }));
    server.assert_signed_out(&phone).await;
    server.assert_signed_out(&tablet).await;
    server.assert_signed_in(&laptop).await;
    server.assert_signed_in(&bob).await;
    assert_eq!(ids(&server, &laptop).await, [laptop.session()]);
    assert_eq!(server.events()[7..], ["sessions_revoked others", "sessions_revoked others"]);
}

#[tokio::test]
async fn nobody_can_end_or_tell_apart_somebody_elses_session() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let foreign = revoke(&server, &bob, &ada.session()).send().await;
    let unknown = revoke(&server, &bob, "01944c5e-0000-7000-8000-000000000000").send().await;
    assert_eq!(foreign.problem(), (404, "session_not_found".into()));
    assert_eq!(foreign.undated(), unknown.undated());
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn an_id_that_names_no_live_session_is_not_found() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let ended = server.login("ada@example.org").await;
    server.post("/auth/logout").bearer(&ended.access).send().await;
    for id in [
        ended.session(),
        ada.session().to_uppercase(),
        ada.session().replace('-', ""),
        format!("%7B{}%7D", ada.session()),
        format!("{}%00", ada.session()),
        format!("{}%20", ada.session()),
        "x".to_owned(),
        "0".to_owned(),
        "%27%20OR%201=1--".to_owned(),
        "..%2Fme".to_owned(),
        "a".repeat(2000),
    ] {
        let answer = revoke(&server, &ada, &id).send().await;
        assert_eq!(answer.problem(), (404, "session_not_found".into()), "{id}");
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn without_a_user_nothing_is_listed_or_revoked() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for request in [
        server.get("/auth/sessions"),
        server.request("DELETE", &format!("/auth/sessions/{}", ada.session())),
        server.post("/auth/sessions/revoke-others"),
    ] {
        assert_eq!(request.clone().send().await.problem(), (401, "unauthenticated".into()));
        assert_eq!(request.bearer("rubbish").send().await.problem(), (401, "invalid_token".into()));
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_session_that_was_ended_can_neither_list_nor_revoke() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let thief = server.login("ada@example.org").await;
    revoke(&server, &phone, &thief.session()).send().await;
    for request in [
        server.get("/auth/sessions").bearer(&thief.access),
        revoke(&server, &thief, &phone.session()),
        server.post("/auth/sessions/revoke-others").bearer(&thief.access),
    ] {
        assert_eq!(request.send().await.problem(), (401, "invalid_token".into()));
    }
    server.assert_signed_in(&phone).await;
}

#[tokio::test]
async fn sessions_that_have_expired_are_not_listed() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    server.clock.advance_seconds(6 * 86_400);
    let laptop = server.renew(&laptop).await;
    assert_eq!(ids(&server, &laptop).await.len(), 2);
    server.clock.advance_seconds(86_400);
    let laptop = server.renew(&laptop).await;
    assert_eq!(ids(&server, &laptop).await, [laptop.session()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_revoke_one_session_at_once_one_is_told_that_it_did() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let answers = at_once((0..32).map(|_| revoke(&server, &phone, &laptop.session()))).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1);
    let not_found = |answer: &&Answer| answer.status == 404 && answer.code() == "session_not_found";
    assert_eq!(answers.iter().filter(not_found).count(), 31);
    server.assert_signed_out(&laptop).await;
}

#[tokio::test]
async fn a_revoked_session_is_refused_on_every_node_within_max_staleness() {
    let server = framework::start().await;
    let node = server.another().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    revoke(&server, &phone, &laptop.session()).send().await;
    server.clock.advance(server.auth.config().max_staleness);
    node.assert_signed_out(&laptop).await;
    node.assert_signed_in(&phone).await;
}

#[tokio::test]
async fn a_thief_in_the_session_does_not_read_off_the_list_when_its_owner_refreshes() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let before = list(&server, &ada).await;
    let owner = server.renew(&ada).await;
    assert_eq!(list(&server, &ada).await, before, "in the same instant nothing has changed for the old token");
    server.clock.advance_seconds(60);
    server.renew(&owner).await;
    assert_eq!(list(&server, &ada).await[0]["expiresAt"], before[0]["expiresAt"]);
}

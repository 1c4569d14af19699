use serde_json::{Value, json};

use super::framework;
use crate::client::{Request, at_once};
use crate::server::{Device, Gate, PASSWORD, Server};

const NEW: &str = "staple of another colour";

fn change(server: &Server, device: &Device, body: Value) -> Request {
    server.post("/auth/password/change").bearer(&device.access).json(body)
}

fn change_to(server: &Server, device: &Device, new: &str) -> Request {
    change(server, device, json!({ "currentPassword": PASSWORD, "newPassword": new }))
}

#[tokio::test]
async fn after_a_change_the_new_password_works_and_the_old_one_does_not() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = change_to(&server, &ada, NEW).send().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "success": true, "data": {} })));
    assert_eq!(server.login_with("ada@example.org", PASSWORD).await.status, 401);
    assert_eq!(server.login_with("ada@example.org", NEW).await.status, 200);
    assert_eq!(server.events()[3..], ["password_changed", "sign_in_failed wrong_password", "signed_in"]);
    assert!(!server.database_holds(NEW));
}

#[tokio::test]
async fn a_change_ends_the_other_sessions_at_once_and_neither_this_one_nor_anybody_elses() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let tablet = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    assert_eq!(change_to(&server, &laptop, NEW).send().await.status, 200);
    server.assert_signed_out(&phone).await;
    server.assert_signed_out(&tablet).await;
    server.assert_signed_in(&laptop).await;
    server.assert_signed_in(&bob).await;
}

#[tokio::test]
async fn a_change_is_seen_on_every_node_within_max_staleness() {
    let server = framework::start().await;
    let node = server.another().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    node.assert_signed_in(&phone).await;
    let phone = node.renew(&phone).await;
    change_to(&server, &laptop, NEW).send().await;
    assert_eq!(node.login_with("ada@example.org", PASSWORD).await.status, 401, "at once");
    assert_eq!(node.refresh(&phone.refresh).await.problem(), (401, "session_revoked".into()), "at once");
    server.clock.advance(server.auth.config().max_staleness);
    node.assert_signed_out(&phone).await;
    node.assert_signed_in(&laptop).await;
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing_and_is_written_down() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let body = json!({ "currentPassword": "wrong horse battery", "newPassword": NEW });
    let answer = change(&server, &phone, body).send().await;
    assert_eq!(answer.problem(), (403, "wrong_password".into()));
    assert_eq!(server.events().last().unwrap(), "password_change_failed wrong_password");
    assert_eq!(server.login_with("ada@example.org", NEW).await.status, 401);
    server.assert_signed_in(&server.login("ada@example.org").await).await;
    server.assert_signed_in(&phone).await;
    server.assert_signed_in(&laptop).await;
}

#[tokio::test]
async fn a_new_password_that_breaks_the_policy_is_refused_and_changes_nothing() {
    let server = framework::start().await;
    let ada = server.register("ada.lovelace@example.org").await;
    let before = server.rows().await;
    for (new, code) in [
        ("", "password_too_short"),
        ("purple7", "password_too_short"),
        (&"x".repeat(1025), "password_too_long"),
        ("password1", "password_too_common"),
        ("Ada.Lovelace@example.org", "password_too_common"),
    ] {
        assert_eq!(change_to(&server, &ada, new).send().await.problem(), (422, code.into()), "{new:?}");
    }
    let long = json!({ "currentPassword": "x".repeat(1025), "newPassword": NEW });
    assert_eq!(change(&server, &ada, long).send().await.problem(), (422, "password_too_long".into()));
    for body in [
        json!({}),
        json!({ "currentPassword": PASSWORD }),
        json!({ "newPassword": NEW }),
        json!({ "currentPassword": null, "newPassword": NEW }),
        json!({ "currentPassword": PASSWORD, "newPassword": ["staple of another colour"] }),
    ] {
        assert_eq!(change(&server, &ada, body.clone()).send().await.problem(), (422, "invalid_field".into()), "{body}");
    }
    assert_eq!(server.rows().await, before);
    server.login("ada.lovelace@example.org").await;
}

#[tokio::test]
async fn only_who_is_signed_in_can_change_a_password() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    let request = || server.post("/auth/password/change").json(body.clone());
    assert_eq!(request().send().await.problem(), (401, "unauthenticated".into()));
    assert_eq!(request().refresh_cookie(&ada.refresh).send().await.status, 401);
    server.post("/auth/logout").bearer(&ada.access).send().await;
    assert_eq!(request().bearer(&ada.access).send().await.problem(), (401, "invalid_token".into()));
    server.login("ada@example.org").await;
}

#[tokio::test]
async fn the_current_password_counts_however_a_keyboard_composes_it() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    assert_eq!(change_to(&server, &ada, "e\u{301}lan vital").send().await.status, 200);
    let body = json!({ "currentPassword": "\u{e9}lan vital", "newPassword": NEW });
    assert_eq!(change(&server, &ada, body).send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_changes_at_once_one_wins_and_the_others_are_told() {
    let server = framework::start().await;
    for round in 0..4 {
        let email = format!("ada{round}@example.org");
        let ada = server.register(&email).await;
        let new = |number: usize| format!("staple of colour {number}");
        let answers = at_once((0..16).map(|number| change_to(&server, &ada, &new(number)))).await;
        let won: Vec<_> = (0..16).filter(|number| answers[*number].status == 200).collect();
        assert_eq!(won.len(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            let problem = answer.problem();
            assert!(problem == (409, "conflict".into()) || problem == (403, "wrong_password".into()), "{problem:?}");
        }
        assert_eq!(server.login_with(&email, &new(won[0])).await.status, 200);
        server.assert_signed_in(&ada).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_with_the_old_password_outlives_the_change() {
    let server = framework::start().await;
    for round in 0..4 {
        let email = format!("ada{round}@example.org");
        let ada = server.register(&email).await;
        let credentials = json!({ "email": email, "password": PASSWORD });
        let change_at = round * 16;
        let answers = at_once((0..64).map(|number| {
            if number == change_at {
                change_to(&server, &ada, NEW)
            } else {
                server.post("/auth/login").json(credentials.clone())
            }
        }))
        .await;
        assert_eq!(answers[change_at].status, 200);
        for (number, answer) in answers.iter().enumerate().filter(|(number, _)| *number != change_at) {
            match answer.status {
                200 => server.assert_signed_out(&Device::of(answer)).await,
                _ => assert_eq!(answer.problem(), (401, "invalid_credentials".into()), "{number}"),
            }
        }
        server.assert_signed_in(&ada).await;
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NULL").await, 4);
}

#[tokio::test]
async fn a_sign_in_whose_password_was_checked_before_the_change_starts_nothing() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let gate = Gate::default();
    let node = server.another_with(|_| {}, |stores| gate.before_sessions_start(stores)).await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let login = tokio::spawn(node.post("/auth/login").json(credentials).send());
    gate.reached().await;
    assert_eq!(change_to(&server, &ada, NEW).send().await.status, 200);
    gate.open();
    assert_eq!(login.await.unwrap().problem(), (401, "invalid_credentials".into()));
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NULL").await, 1);
}

#[tokio::test]
async fn a_change_reaches_the_sessions_that_a_refresh_was_carrying_on() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let laptop = server.renew(&laptop).await;
    change_to(&server, &phone, NEW).send().await;
    server.assert_signed_out(&laptop).await;
    let why = "SELECT COUNT(*) FROM portcullis_sessions WHERE ended_why = 'password_changed'";
    assert_eq!(server.count(why).await, 1);
    assert!(!server.events().iter().any(|event| event.starts_with("refresh")), "and that is no theft");
}

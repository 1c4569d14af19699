use std::time::{Duration, Instant};

use serde_json::json;

use super::framework;
use crate::client::at_once;
use crate::server::{Device, PASSWORD, Server};

async fn hash(server: &Server) -> String {
    sqlx::query_scalar("SELECT hash FROM portcullis_passwords").fetch_one(server.store.pool()).await.unwrap()
}

#[tokio::test]
async fn a_login_answers_with_tokens_and_the_user() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = server.login_with(" ADA@example.org ", PASSWORD).await;
    assert_eq!(answer.status, 200);
    let device = Device::of(&answer);
    let user = json!({ "id": ada.user, "email": "ada@example.org", "roles": [] });
    assert_eq!(
        answer.json(),
        json!({ "success": true, "data": { "accessToken": device.access, "expiresIn": 900, "user": user } })
    );
    assert_ne!(device.session(), ada.session());
    server.assert_signed_in(&device).await;
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn the_access_token_says_what_the_standard_asks_and_nothing_personal() {
    let server = framework::start().await;
    let claims = server.register("ada@example.org").await.claims();
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["amr", "aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "sid", "sub"]);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    assert_eq!(claims["amr"], json!(["pwd"]));
}

#[tokio::test]
async fn an_access_token_dies_with_its_last_second() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance(Duration::from_millis(899_800));
    assert_eq!(server.me(&ada.access).await.status, 200);
    server.clock.advance(Duration::from_millis(200));
    assert_eq!(server.me(&ada.access).await.problem(), (401, "invalid_token".into()));
}

#[tokio::test]
async fn by_body_the_refresh_token_is_in_the_answer_and_in_no_cookie() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD, "transport": "body" });
    let answer = server.post("/auth/login").json(credentials).send().await;
    assert_eq!(answer.all("set-cookie").count(), 0);
    assert!(answer.data()["refreshToken"].as_str().unwrap().starts_with("pcr_"));
    let answer = server.login_with("ada@example.org", PASSWORD).await;
    assert_eq!(answer.data().get("refreshToken"), None, "by cookie no script sees it");
}

#[tokio::test]
async fn unknown_user_and_wrong_password_are_answered_byte_for_byte_alike() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let unknown = server.login_with("eve@example.org", "wrong horse battery").await;
    let wrong = server.login_with("ada@example.org", "wrong horse battery").await;
    assert_eq!(wrong.problem(), (401, "invalid_credentials".into()));
    assert_eq!(unknown.undated(), wrong.undated());
    assert_eq!(wrong.all("set-cookie").count(), 0);
}

#[tokio::test]
async fn unknown_user_and_wrong_password_take_the_same_time() {
    let server = framework::start_with(|config| {
        config.password.memory_kib = 8 * 1024;
        config.password.threads = 1;
    })
    .await;
    server.register("ada@example.org").await;
    let mut ratios = Vec::new();
    // Other tests run beside this one: one quiet round of three is enough, and a missing hash would show in all.
    for _ in 0..3 {
        let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            for (email, times) in [("eve@example.org", &mut unknown), ("ada@example.org", &mut wrong)] {
                let start = Instant::now();
                assert_eq!(server.login_with(email, "wrong horse battery").await.status, 401);
                times.push(start.elapsed());
            }
        }
        unknown.sort();
        wrong.sort();
        let ratio = unknown[10].as_secs_f64() / wrong[10].as_secs_f64();
        if (0.75..1.33).contains(&ratio) {
            return;
        }
        ratios.push(ratio);
    }
    panic!("unknown user / wrong password: {ratios:?}");
}

#[tokio::test]
async fn a_password_that_is_too_long_is_refused_before_anything_is_hashed() {
    let server = framework::start_with(|config| {
        config.password.memory_kib = 32 * 1024;
        config.password.threads = 1;
    })
    .await;
    let (mut hashed, mut refused) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let start = Instant::now();
        assert_eq!(server.login_with("ada@example.org", "wrong horse battery").await.status, 401);
        hashed = hashed.min(start.elapsed());
        let start = Instant::now();
        let answer = server.login_with("ada@example.org", &"x".repeat(60_000)).await;
        refused = refused.min(start.elapsed());
        assert_eq!(answer.problem(), (422, "password_too_long".into()));
    }
    assert!(refused * 3 < hashed, "{refused:?} against {hashed:?}");
    assert_eq!(server.events().iter().filter(|event| event.starts_with("sign_in_failed")).count(), 5);
}

#[tokio::test]
async fn a_login_over_somebody_elses_session_starts_a_new_one_and_ends_that() {
    let server = framework::start().await;
    let mallory = server.register("mallory@example.org").await;
    let ada = server.register("ada@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answer = server.post("/auth/login").refresh_cookie(&mallory.refresh).json(credentials).send().await;
    let victim = Device::of(&answer);
    assert_eq!(victim.user, ada.user);
    assert_ne!(victim.session(), mallory.session(), "the planted session did not become the victim's");
    server.assert_signed_out(&mallory).await;
    server.assert_signed_in(&victim).await;
    server.assert_signed_in(&ada).await;
    assert_eq!(
        server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_why = 'replaced'").await,
        1
    );
}

#[tokio::test]
async fn a_login_over_ones_own_session_ends_the_old_one() {
    let server = framework::start().await;
    let old = server.register("ada@example.org").await;
    let other = server.login("ada@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answer = server.post("/auth/login").refresh_cookie(&old.refresh).json(credentials).send().await;
    server.assert_signed_out(&old).await;
    server.assert_signed_in(&Device::of(&answer)).await;
    server.assert_signed_in(&other).await;
}

#[tokio::test]
async fn a_login_that_overwrites_no_cookie_ends_no_session() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let failed = json!({ "email": "ada@example.org", "password": "wrong horse battery" });
    let answer = server.post("/auth/login").refresh_cookie(&ada.refresh).json(failed).send().await;
    assert_eq!(answer.status, 401);
    let by_body = json!({ "email": "ada@example.org", "password": PASSWORD, "transport": "body" });
    let answer = server.post("/auth/login").refresh_cookie(&ada.refresh).json(by_body).send().await;
    assert_eq!(answer.status, 200);
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_cookie_that_is_rubbish_or_forged_keeps_nobody_from_signing_in() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let (rest, last) = ada.refresh.split_at(ada.refresh.len() - 1);
    let forged = format!("{rest}{}", if last == "A" { "B" } else { "A" });
    for cookie in [
        "__Host-portcullis-refresh=rubbish".to_owned(),
        "__Host-portcullis-refresh=".to_owned(),
        format!("__Host-portcullis-refresh={forged}"),
        format!("__Host-portcullis-refresh=a; __Host-portcullis-refresh={}", ada.refresh),
        ";;;=;".to_owned(),
    ] {
        let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
        let answer = server.post("/auth/login").header("cookie", &cookie).json(credentials).send().await;
        assert_eq!(answer.status, 200, "{cookie}");
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_stale_access_token_keeps_nobody_from_signing_in() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answer = server.post("/auth/login").bearer("stale").json(credentials).send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_login_brings_a_hash_of_older_parameters_up_to_date() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let old = hash(&server).await;
    server.login("ada@example.org").await;
    assert_eq!(hash(&server).await, old, "nothing to do while the parameters are the same");

    let stronger = server.another_with(|config| config.password.memory_kib = 128, |stores| stores).await;
    assert_eq!(stronger.login_with("ada@example.org", "wrong horse battery").await.status, 401);
    assert_eq!(hash(&server).await, old, "a wrong password changes nothing");
    stronger.login("ada@example.org").await;
    let new = hash(&server).await;
    assert!(old.contains("m=64,") && new.contains("m=128,"), "{old} {new}");
    stronger.login("ada@example.org").await;
    assert_eq!(hash(&server).await, new);
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn every_login_and_every_failure_is_written_down_with_its_cause_and_origin() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let login = |email: &str, password: &str| {
        let credentials = json!({ "email": email, "password": password });
        server.post("/auth/login").header("user-agent", "Browser/1.0").json(credentials)
    };
    login("eve@example.org", PASSWORD).send().await;
    login("ada@example.org", "wrong horse battery").send().await;
    login("ada@example.org", PASSWORD).send().await;
    assert_eq!(
        server.events()[3..],
        ["sign_in_failed unknown_user", "sign_in_failed wrong_password", "signed_in"]
    );
    let written = server
        .count(
            "SELECT COUNT(*) FROM portcullis_events
             WHERE ip = '127.0.0.1' AND user_agent = 'Browser/1.0' AND occurred_at = 1800000000123",
        )
        .await;
    assert_eq!(written, 3);
    let events = server.auth.events_of(ada.user.parse().unwrap(), 2).await.unwrap();
    assert_eq!(events.iter().map(|event| &*event.action).collect::<Vec<_>>(), ["signed_in", "sign_in_failed"]);
    assert_eq!(events[0].session.unwrap().to_string().len(), 36);
}

#[tokio::test]
async fn what_was_typed_into_a_failed_login_is_written_nowhere() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    server.login_with("ada@example.org", "the right password of another site").await;
    server.login_with("eve@example.org", "the right password of another site").await;
    assert_eq!(server.events().len(), 5, "both failures are written down");
    assert!(!server.database_holds("the right password of another site"));
    assert!(!server.database_holds("eve@example.org"), "people type passwords into the wrong field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_at_once_each_start_a_session_of_their_own() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answers = at_once((0..64).map(|_| server.post("/auth/login").json(credentials.clone()))).await;
    let mut sessions: Vec<_> = answers.iter().map(|answer| Device::of(answer).session()).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 64);
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NULL").await, 65);
}

#[tokio::test]
async fn when_more_wait_than_are_hashed_in_reasonable_time_the_rest_is_told_when_to_come_back() {
    let server = framework::start_with(|config| {
        config.password.memory_kib = 32 * 1024;
        config.password.threads = 1;
        config.password.queue = 1;
    })
    .await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answers = at_once((0..32).map(|_| server.post("/auth/login").json(credentials.clone()))).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty());
    for answer in busy {
        assert_eq!(answer.problem(), (503, "overloaded".into()));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 503)));
    assert!(answers.iter().any(|answer| answer.status == 401));
}

use std::time::Duration;

use serde_json::{Value, json};

use super::framework;
use crate::client::at_once;
use crate::server::{Device, Server};

/// Everything that is written down about the sessions.
async fn sessions(server: &Server) -> Vec<String> {
    let all = "SELECT id || ' ' || generation || ' ' || rotated_at || ' ' || idle_expires_at || ' ' || last_seen_at
        || ' ' || COALESCE(ended_why, '') || ' ' || COALESCE(user_agent, '') FROM portcullis_sessions ORDER BY id";
    sqlx::query_scalar(all).fetch_all(server.store.pool()).await.unwrap()
}

async fn execute(server: &Server, sql: &'static str) {
    sqlx::query(sql).execute(server.store.pool()).await.unwrap();
}

#[tokio::test]
async fn a_refresh_answers_with_the_next_token_and_a_new_access_token() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(60);
    let answer = server.refresh(&ada.refresh).await;
    let access = answer.data()["accessToken"].clone();
    assert_eq!(answer.json(), json!({ "success": true, "data": { "accessToken": access, "expiresIn": 900 } }));
    let mut attributes = answer.cookie("__Host-portcullis-refresh").unwrap().1;
    attributes.sort();
    assert_eq!(attributes, ["httponly", "max-age=604800", "path=/", "samesite=strict", "secure"]);

    let renewed = Device {
        access: access.as_str().unwrap().to_owned(),
        refresh: answer.refresh_token(),
        user: ada.user.clone(),
    };
    assert_ne!(renewed.refresh, ada.refresh);
    let (before, after) = (ada.claims(), renewed.claims());
    for kept in ["sub", "sid", "auth_time", "amr", "iss", "aud"] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
    assert_ne!(before["jti"], after["jti"]);
    assert_eq!(after["exp"].as_u64().unwrap(), before["exp"].as_u64().unwrap() + 60);
    server.assert_signed_in(&renewed).await;
    assert_eq!(server.me(&ada.access).await.status, 200, "the old access token lives out its time");
}

#[tokio::test]
async fn by_body_the_next_token_comes_back_in_the_body() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = server.post("/auth/refresh").json(json!({ "refreshToken": ada.refresh })).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("set-cookie").count(), 0);
    let next = answer.data()["refreshToken"].as_str().unwrap().to_owned();
    assert_ne!(next, ada.refresh);
    let answer = server.post("/auth/refresh").json(json!({ "refreshToken": next })).send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn by_cookie_no_script_sees_the_next_token() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for body in [None, Some(json!({})), Some(json!({ "refreshToken": null }))] {
        let request = server.post("/auth/refresh").refresh_cookie(&ada.refresh);
        let answer = match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        };
        assert_eq!(answer.status, 200);
        assert_eq!(answer.data().get("refreshToken"), None);
        assert_ne!(answer.refresh_token(), ada.refresh);
    }
}

#[tokio::test]
async fn a_token_in_the_body_goes_before_the_cookie() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let answer = server
        .post("/auth/refresh")
        .refresh_cookie(&ada.refresh)
        .json(json!({ "refreshToken": bob.refresh }))
        .send()
        .await;
    let device = Device {
        access: answer.data()["accessToken"].as_str().unwrap().to_owned(),
        refresh: answer.data()["refreshToken"].as_str().unwrap().to_owned(),
        user: bob.user.clone(),
    };
    assert_eq!(device.session(), bob.session());
    let unmoved = format!("{} 1 ", ada.session());
    assert!(sessions(&server).await.iter().any(|line| line.starts_with(&unmoved)), "the cookie's session");
}

#[tokio::test]
async fn without_a_token_it_is_a_401() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for request in [
        server.post("/auth/refresh"),
        server.post("/auth/refresh").json(json!({})),
        server.post("/auth/refresh").bearer(&ada.access),
        server.post("/auth/refresh").refresh_cookie(""),
        server.post("/auth/refresh").header("cookie", format!("portcullis-refresh={}", ada.refresh)),
        server.post(&format!("/auth/refresh?refreshToken={}", ada.refresh)),
    ] {
        assert_eq!(request.send().await.problem(), (401, "unauthenticated".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refreshes_at_once_all_succeed_with_one_identical_successor() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answers = at_once((0..64).map(|_| server.post("/auth/refresh").refresh_cookie(&ada.refresh))).await;
    let successor = answers[0].refresh_token();
    assert_ne!(successor, ada.refresh);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.refresh_token(), successor);
        assert_eq!(server.me(answer.data()["accessToken"].as_str().unwrap()).await.status, 200);
    }
    assert_eq!(server.count("SELECT generation FROM portcullis_sessions").await, 2, "advanced by exactly one");
    // Whichever answer came last, its cookie is the one that works from here on.
    server.clock.advance_seconds(600);
    assert_eq!(server.refresh(&answers[63].refresh_token()).await.status, 200);
    assert_eq!(server.events(), ["signing_key_made", "registered", "signed_in"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refreshes_at_once_on_two_nodes_have_one_identical_successor_too() {
    let server = framework::start().await;
    let other = server.another().await;
    let ada = server.register("ada@example.org").await;
    let answers = at_once((0..64).map(|number| {
        let node = if number % 2 == 0 { &server } else { &other };
        node.post("/auth/refresh").refresh_cookie(&ada.refresh)
    }))
    .await;
    for answer in &answers {
        assert_eq!((answer.status, answer.refresh_token()), (200, answers[0].refresh_token()));
    }
    assert_eq!(server.count("SELECT generation FROM portcullis_sessions").await, 2);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_until_the_last_millisecond_of_the_grace() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let lost = server.renew(&ada).await;
    let written = sessions(&server).await;
    for wait in [0, 1, 4_999, 5_000] {
        server.clock.advance(Duration::from_millis(wait));
        let again = server
            .post("/auth/refresh")
            .refresh_cookie(&ada.refresh)
            .header("user-agent", "somebody else")
            .send()
            .await;
        assert_eq!((again.status, again.refresh_token()), (200, lost.refresh.clone()));
        assert_eq!(sessions(&server).await, written, "a replay changes nothing");
    }
    server.assert_signed_in(&lost).await;
}

#[tokio::test]
async fn after_the_grace_a_replaced_token_ends_its_session_and_no_other() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let renewed = server.renew(&phone).await;
    server.clock.advance(Duration::from_millis(10_001));
    let answer = server.refresh(&phone.refresh).await;
    assert_eq!(answer.problem(), (401, "refresh_reused".into()));
    server.assert_signed_out(&renewed).await;
    server.assert_signed_out(&phone).await;
    server.assert_signed_in(&laptop).await;
    server.assert_signed_in(&bob).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_why = 'reuse'").await, 1);
    let alarms: Vec<_> = server.events().into_iter().filter(|event| event.starts_with("refresh")).collect();
    assert_eq!(alarms, ["refresh_reused reuse"], "one alarm, however often the tokens come back");
    let heard = server.heard.lock().unwrap();
    let alarm = heard.iter().find(|event| event.action == "refresh_reused").unwrap();
    assert_eq!(alarm.session.unwrap().to_string(), phone.session());
    assert_eq!(alarm.user.unwrap().to_string(), phone.user);
}

#[tokio::test]
async fn a_token_two_steps_back_is_a_reuse_even_within_the_grace() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let renewed = server.renew(&server.renew(&ada).await).await;
    assert_eq!(server.refresh(&ada.refresh).await.problem(), (401, "refresh_reused".into()));
    server.assert_signed_out(&renewed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reuse_seen_by_many_at_once_ends_the_session_for_all_of_them() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let renewed = server.renew(&ada).await;
    server.clock.advance_seconds(11);
    let answers = at_once((0..32).map(|_| server.post("/auth/refresh").refresh_cookie(&ada.refresh))).await;
    for answer in answers {
        let (status, code) = answer.problem();
        assert!(status == 401 && (code == "refresh_reused" || code == "session_revoked"), "{code}");
    }
    server.assert_signed_out(&renewed).await;
}

#[tokio::test]
async fn a_thief_in_lock_step_is_found() {
    for thief_is_first in [false, true] {
        let server = framework::start().await;
        let owner = server.register("ada@example.org").await;
        let (mut owners, mut thiefs) = (owner.refresh.clone(), owner.refresh);
        let mut refreshes = 0;
        // Each in turn, every five minutes, both always with the newest token they have seen.
        let caught = 'found: loop {
            let turns = if thief_is_first { [&mut thiefs, &mut owners] } else { [&mut owners, &mut thiefs] };
            for token in turns {
                server.clock.advance_seconds(300);
                let answer = server.refresh(token).await;
                if answer.status != 200 {
                    break 'found answer;
                }
                *token = answer.refresh_token();
                refreshes += 1;
                assert!(refreshes < 10, "never found");
            }
        };
        assert_eq!(caught.problem(), (401, "refresh_reused".into()));
        assert_eq!(refreshes, 1, "found when the second of the two comes");
        assert_eq!(server.refresh(&owners).await.status, 401);
        assert_eq!(server.refresh(&thiefs).await.status, 401);
    }
}

#[tokio::test]
async fn a_thief_who_stays_within_the_grace_is_found_at_the_first_late_step() {
    let server = framework::start().await;
    let mut owner = server.register("ada@example.org").await;
    let mut thief = owner.refresh.clone();
    for _ in 0..5 {
        server.clock.advance_seconds(300);
        owner = server.renew(&owner).await;
        server.clock.advance_seconds(9);
        thief = server.refresh(&thief).await.refresh_token();
        assert_eq!(thief, owner.refresh, "there is only one live token to be had");
    }
    server.clock.advance_seconds(300);
    server.renew(&owner).await;
    server.clock.advance_seconds(11);
    assert_eq!(server.refresh(&thief).await.problem(), (401, "refresh_reused".into()));
}

#[tokio::test]
async fn a_token_revoked_by_logout_raises_no_alarm() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let renewed = server.renew(&ada).await;
    server.post("/auth/logout").refresh_cookie(&renewed.refresh).send().await;
    server.clock.advance_seconds(60);
    for token in [&ada.refresh, &renewed.refresh] {
        assert_eq!(server.refresh(token).await.problem(), (401, "session_revoked".into()));
    }
    assert!(!server.events().iter().any(|event| event.starts_with("refresh")));
}

#[tokio::test]
async fn each_refresh_starts_the_idle_time_anew_and_never_the_absolute_one() {
    let hour = Duration::from_secs(3600);
    let server = framework::start_with(|config| {
        config.session.idle = hour;
        config.session.absolute = 3 * hour;
    })
    .await;
    let mut ada = server.register("ada@example.org").await;
    let idle = server.login("ada@example.org").await;
    for (minutes, max_age) in [(50, 3600), (50, 3600), (50, 1800)] {
        server.clock.advance_seconds(minutes * 60);
        let answer = server.refresh(&ada.refresh).await;
        assert_eq!(answer.status, 200);
        let (token, attributes) = answer.cookie("__Host-portcullis-refresh").unwrap();
        assert!(attributes.contains(&format!("max-age={max_age}")), "{attributes:?}");
        ada.refresh = token;
    }
    assert_eq!(server.refresh(&idle.refresh).await.problem(), (401, "session_expired".into()));
    server.clock.advance(Duration::from_millis(30 * 60_000 - 1));
    ada = server.renew(&ada).await;
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.refresh(&ada.refresh).await.problem(), (401, "session_expired".into()));
    assert!(!server.events().iter().any(|event| event.starts_with("refresh")), "growing old is no theft");
}

#[tokio::test]
async fn a_session_lives_until_the_last_millisecond_of_its_idle_time() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    server.clock.advance(Duration::from_millis(7 * 86_400_000 - 1));
    assert_eq!(server.refresh(&ada.refresh).await.status, 200);
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.refresh(&bob.refresh).await.problem(), (401, "session_expired".into()));
}

#[tokio::test]
async fn what_was_not_minted_here_is_refused_without_asking_the_database() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let good = ada.refresh.clone();
    let flip = |at: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    server.store.pool().close().await;
    assert_eq!(server.refresh(&good).await.status, 500, "a true one is looked up");
    let mut refused = vec![
        "rubbish".to_owned(),
        "pcr_".to_owned(),
        good.replace("pcr_", "pcr-"),
        good[4..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        good.to_uppercase(),
        good.repeat(2),
        "x".repeat(500),
        ada.access.chars().take(500).collect(),
    ];
    refused.extend((4..good.len()).step_by(7).map(flip));
    for token in refused {
        assert_eq!(server.refresh(&token).await.problem(), (401, "invalid_token".into()), "{token}");
        let answer = server.post("/auth/refresh").json(json!({ "refreshToken": token })).send().await;
        assert_eq!(answer.problem(), (401, "invalid_token".into()), "{token}");
    }
}

#[tokio::test]
async fn neither_token_does_the_work_of_the_other() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    assert_eq!(server.refresh(&ada.access).await.problem(), (401, "invalid_token".into()));
    assert_eq!(server.me(&ada.refresh).await.problem(), (401, "invalid_token".into()));
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_and_reported_and_ends_nothing() {
    let server = framework::start().await;
    let first = server.register("ada@example.org").await;
    let third = server.renew(&server.renew(&first).await).await;
    execute(&server, "UPDATE portcullis_sessions SET generation = 1").await;
    assert_eq!(server.refresh(&third.refresh).await.problem(), (401, "invalid_token".into()));
    assert_eq!(server.events().last().unwrap(), "refresh_from_the_future");
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NULL").await, 1);
    server.assert_signed_in(&first).await;
}

#[tokio::test]
async fn new_roles_stand_in_the_next_access_token() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let roles = ["editor".to_owned(), "admin".to_owned()];
    assert!(server.auth.set_roles(ada.user.parse().unwrap(), &roles).await.unwrap());
    assert_eq!(ada.claims().get("roles"), None);
    assert_eq!(server.renew(&ada).await.claims()["roles"], json!(["editor", "admin"]));
    assert_eq!(server.login("ada@example.org").await.claims()["roles"], json!(["editor", "admin"]));
    assert_eq!(server.events()[3..], ["roles_set", "signed_in"]);
}

#[tokio::test]
async fn sessions_die_with_their_user() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    execute(&server, "DELETE FROM portcullis_users WHERE email = 'ada@example.org'").await;
    server.assert_signed_out(&ada).await;
    server.assert_signed_in(&bob).await;
    assert_eq!(server.login_with("ada@example.org", crate::server::PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_restart_signs_nobody_out() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let restarted = server.another().await;
    drop(server);
    assert_eq!(restarted.me(&ada.access).await.status, 200);
    let renewed = restarted.renew(&ada).await;
    restarted.assert_signed_in(&renewed).await;
    assert_eq!(restarted.login("ada@example.org").await.user, ada.user);
}

#[tokio::test]
async fn a_restart_forgets_neither_a_logout_nor_a_replaced_token() {
    let server = framework::start().await;
    let gone = server.register("gone@example.org").await;
    server.post("/auth/logout").bearer(&gone.access).send().await;
    let ada = server.register("ada@example.org").await;
    let renewed = server.renew(&ada).await;
    let restarted = server.another().await;
    drop(server);
    restarted.assert_signed_out(&gone).await;
    assert_eq!(restarted.refresh(&ada.refresh).await.refresh_token(), renewed.refresh, "still in its grace");
    restarted.clock.advance_seconds(11);
    assert_eq!(restarted.refresh(&ada.refresh).await.problem(), (401, "refresh_reused".into()));
    restarted.assert_signed_out(&renewed).await;
}

#[tokio::test]
async fn a_clock_that_steps_back_signs_nobody_out() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(100);
    let renewed = server.renew(&ada).await;
    server.clock.step_back(Duration::from_secs(30));
    assert_eq!(server.refresh(&ada.refresh).await.refresh_token(), renewed.refresh);
    server.assert_signed_in(&renewed).await;
}

#[tokio::test]
async fn a_grace_of_nothing_forgives_nothing() {
    let server = framework::start_with(|config| config.session.grace = Duration::ZERO).await;
    let ada = server.register("ada@example.org").await;
    server.renew(&ada).await;
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.refresh(&ada.refresh).await.problem(), (401, "refresh_reused".into()));
}

#[tokio::test]
async fn a_refused_refresh_sets_no_cookie_and_names_no_token() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.renew(&ada).await;
    server.clock.advance_seconds(11);
    let answer = server.refresh(&ada.refresh).await;
    assert_eq!(answer.all("set-cookie").count(), 0);
    assert_eq!(answer.json().get("data"), None::<&Value>);
    assert!(!answer.text().contains("pcr_"));
}

#[tokio::test]
async fn a_session_that_its_user_left_behind_is_over_even_if_its_row_does_not_say_so() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    // As if a crash had come between the change of a password and the end of the other sessions.
    execute(&server, "UPDATE portcullis_users SET epoch = epoch + 1").await;
    assert_eq!(server.refresh(&ada.refresh).await.code(), "session_revoked");
    assert_eq!(server.me(&ada.access).await.code(), "invalid_token", "its access token went with it");
    assert!(!server.events().contains(&"refresh_reused reuse".to_owned()));
    server.login("ada@example.org").await;
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let server = framework::start_with(|config| {
        config.session.absolute = std::time::Duration::from_secs(1000);
        config.session.idle = std::time::Duration::from_secs(1000);
    })
    .await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(900);
    let answer = server.refresh(&ada.refresh).await;
    assert_eq!(answer.data()["expiresIn"], 100);
    let access = answer.data()["accessToken"].as_str().unwrap().to_owned();
    server.clock.advance_seconds(99);
    assert_eq!(server.me(&access).await.status, 200);
    server.clock.advance_seconds(1);
    assert_eq!(server.me(&access).await.code(), "invalid_token");
}

#[tokio::test]
async fn a_replay_by_another_program_is_answered_and_written_down() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.renew(&ada).await;
    assert_eq!(server.refresh(&ada.refresh).await.status, 200);
    let replayed = "refresh_replayed other_client".to_owned();
    assert!(!server.events().contains(&replayed), "a retry of the same program is nothing special");
    let other = server.post("/auth/refresh").refresh_cookie(&ada.refresh).header("user-agent", "Thief/1.0");
    assert_eq!(other.send().await.status, 200);
    assert!(server.events().contains(&replayed));
}

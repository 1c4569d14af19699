use serde_json::json;

use super::framework;
use crate::client::{Answer, at_once};
use crate::server::{PASSWORD, Server};

/// Cookies taken back and the site's data cleared.
fn assert_clears(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({ "success": true, "data": {} }));
    assert_eq!(answer.header("clear-site-data"), Some(r#""cookies", "storage""#));
    for name in ["__Host-portcullis-refresh", "__Host-portcullis-access"] {
        let (value, mut attributes) = answer.cookie(name).unwrap();
        attributes.sort();
        assert_eq!(value, "");
        assert_eq!(attributes, ["httponly", "max-age=0", "path=/", "samesite=strict", "secure"]);
    }
}

async fn live(server: &Server) -> i64 {
    server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NULL").await
}

#[tokio::test]
async fn a_logout_takes_effect_at_once_and_clears_the_browser() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = server.post("/auth/logout").bearer(&ada.access).refresh_cookie(&ada.refresh).send().await;
    assert_clears(&answer);
    server.assert_signed_out(&ada).await;
    assert_eq!(server.events()[3..], ["signed_out"]);
}

#[tokio::test]
async fn any_one_token_of_the_session_is_enough() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    for number in 0..5 {
        let ada = server.login("ada@example.org").await;
        let renewed = server.renew(&ada).await;
        let logout = server.post("/auth/logout");
        let logout = match number {
            0 => logout.refresh_cookie(&renewed.refresh),
            1 => logout.bearer(&renewed.access),
            2 => logout.bearer(&ada.access),
            3 => logout.json(json!({ "refreshToken": renewed.refresh })),
            _ => logout.refresh_cookie(&ada.refresh),
        };
        assert_clears(&logout.send().await);
        server.assert_signed_out(&renewed).await;
        assert_eq!(live(&server).await, 1, "way {number} ended that session and no other");
    }
}

#[tokio::test]
async fn an_expired_access_token_keeps_nobody_signed_in() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(1000);
    let answer = server.post("/auth/logout").bearer(&ada.access).refresh_cookie(&ada.refresh).send().await;
    assert_clears(&answer);
    server.assert_signed_out(&ada).await;
}

#[tokio::test]
async fn a_good_token_signs_out_whatever_else_comes_with_it() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    for number in 0..5 {
        let ada = server.login("ada@example.org").await;
        let logout = server.post("/auth/logout");
        let logout = match number {
            0 => logout.bearer(&ada.access).refresh_cookie("rubbish"),
            1 => logout.bearer(&ada.access).refresh_cookie("one").refresh_cookie("two"),
            2 => logout.bearer(&ada.access).header("content-type", "application/json").body("{"),
            3 => logout.bearer("rubbish").refresh_cookie(&ada.refresh),
            _ => logout.header("authorization", "Bearer").json(json!({ "refreshToken": ada.refresh })),
        };
        assert_clears(&logout.send().await);
        server.assert_signed_out(&ada).await;
        assert_eq!(live(&server).await, 1, "way {number}");
    }
}

#[tokio::test]
async fn without_a_credential_there_is_nobody_to_sign_out() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for (code, request) in [
        ("unauthenticated", server.post("/auth/logout")),
        ("unauthenticated", server.post("/auth/logout").json(json!({}))),
        ("invalid_token", server.post("/auth/logout").bearer("rubbish")),
        ("unauthenticated", server.post("/auth/logout-all")),
        ("unauthenticated", server.post("/auth/logout-all").refresh_cookie(&ada.refresh)),
        ("invalid_token", server.post("/auth/logout-all").bearer("rubbish")),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.problem(), (401, code.into()));
        assert_eq!(answer.header("clear-site-data"), None);
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_cookie_that_is_good_for_nothing_is_refused_and_taken_back() {
    let server = framework::start().await;
    let answer = server.post("/auth/logout").refresh_cookie("rubbish").send().await;
    assert_eq!(answer.problem(), (401, "invalid_token".into()));
    assert_eq!(answer.refresh_token(), "", "taken back");
}

#[tokio::test]
async fn logging_out_again_with_the_same_cookie_is_done_already() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for _ in 0..3 {
        assert_clears(&server.post("/auth/logout").refresh_cookie(&ada.refresh).send().await);
    }
    assert_eq!(server.events()[3..], ["signed_out"], "it happened once");
}

#[tokio::test]
async fn two_tokens_of_two_sessions_end_both() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let answer = server.post("/auth/logout").bearer(&ada.access).refresh_cookie(&bob.refresh).send().await;
    assert_clears(&answer);
    server.assert_signed_out(&ada).await;
    server.assert_signed_out(&bob).await;
}

#[tokio::test]
async fn other_devices_and_other_users_stay_signed_in() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    server.post("/auth/logout").bearer(&phone.access).send().await;
    server.assert_signed_in(&laptop).await;
    server.assert_signed_in(&bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_is_final_however_many_requests_are_in_flight() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    for round in 0..8 {
        let ada = server.login("ada@example.org").await;
        let logout_at = 5 + round * 7;
        let answers = at_once((0..64).map(|number| match number {
            _ if number == logout_at && round % 2 == 0 => server.post("/auth/logout").bearer(&ada.access),
            _ if number == logout_at => server.post("/auth/logout").refresh_cookie(&ada.refresh),
            _ if number % 3 == 0 => server.get("/auth/me").bearer(&ada.access),
            _ => server.post("/auth/refresh").refresh_cookie(&ada.refresh),
        }))
        .await;
        assert_eq!(answers[logout_at].status, 200);
        assert_eq!(live(&server).await, 1, "round {round}: what ended stays ended");
        let (mut accesses, mut refreshes) = (vec![ada.access.clone()], vec![ada.refresh.clone()]);
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            accesses.extend(answer.data()["accessToken"].as_str().map(str::to_owned));
            refreshes.extend(answer.cookie("__Host-portcullis-refresh").map(|cookie| cookie.0));
        }
        refreshes.retain(|token| !token.is_empty());
        refreshes.dedup();
        for access in accesses {
            assert_eq!(server.me(&access).await.problem(), (401, "invalid_token".into()), "round {round}");
        }
        for refresh in refreshes {
            let answer = server.refresh(&refresh).await;
            assert_eq!(answer.problem(), (401, "session_revoked".into()), "round {round}");
        }
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert!(["invalid_token", "session_revoked"].contains(&answer.code().as_str()), "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logouts_at_once_are_all_answered_alike_and_happen_once() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answers = at_once((0..32).map(|_| server.post("/auth/logout").refresh_cookie(&ada.refresh))).await;
    answers.iter().for_each(assert_clears);
    assert_eq!(server.events()[3..], ["signed_out"]);
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_device_of_the_user_and_nobody_elses() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    assert_clears(&server.post("/auth/logout-all").bearer(&laptop.access).send().await);
    server.assert_signed_out(&phone).await;
    server.assert_signed_out(&laptop).await;
    server.assert_signed_in(&bob).await;
    assert_eq!(server.events().last().unwrap(), "signed_out_everywhere");
    server.assert_signed_in(&server.login("ada@example.org").await).await;
}

#[tokio::test]
async fn a_logout_is_seen_on_every_node_within_max_staleness() {
    for path in ["/auth/logout", "/auth/logout-all"] {
        let server = framework::start().await;
        let node = server.another().await;
        let ada = server.register("ada@example.org").await;
        node.assert_signed_in(&ada).await;
        let ada = node.renew(&ada).await;
        assert_eq!(server.post(path).bearer(&ada.access).send().await.status, 200);
        assert_eq!(node.refresh(&ada.refresh).await.problem(), (401, "session_revoked".into()), "at once");
        server.clock.advance(server.auth.config().max_staleness);
        node.assert_signed_out(&ada).await;
        assert_eq!(node.get("/me").bearer(&ada.access).send().await.status, 401, "in the application too");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logging_out_everywhere_is_final_however_many_requests_are_in_flight() {
    let server = framework::start().await;
    let mut ada = server.register("ada@example.org").await;
    for round in 0..4 {
        let other = server.login("ada@example.org").await;
        let answers = at_once((0..64).map(|number| match number {
            30 => server.post("/auth/logout-all").bearer(&ada.access),
            _ if number % 2 == 0 => server.post("/auth/refresh").refresh_cookie(&ada.refresh),
            _ => server.post("/auth/refresh").refresh_cookie(&other.refresh),
        }))
        .await;
        assert_eq!(answers[30].status, 200);
        assert_eq!(live(&server).await, 0, "round {round}");
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            if let Some(access) = answer.data()["accessToken"].as_str() {
                assert_eq!(server.me(access).await.status, 401, "round {round}");
            }
        }
        ada = server.login("ada@example.org").await;
    }
}

#[tokio::test]
async fn the_application_can_end_all_sessions_of_a_user() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    let ended = server.auth.sign_out_everywhere(phone.user.parse().unwrap()).await.unwrap();
    assert_eq!(ended, 2);
    server.assert_signed_out(&phone).await;
    server.assert_signed_out(&laptop).await;
    server.assert_signed_in(&bob).await;
    assert_eq!(server.events().last().unwrap(), "signed_out_everywhere administrator");
}

#[tokio::test]
async fn a_sign_in_whose_password_was_checked_before_logging_out_everywhere_starts_nothing() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let gate = crate::server::Gate::default();
    let node = server.another_with(|_| {}, |stores| gate.before_sessions_start(stores)).await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let login = tokio::spawn(node.post("/auth/login").json(credentials).send());
    gate.reached().await;
    assert_eq!(server.post("/auth/logout-all").bearer(&ada.access).send().await.status, 200);
    gate.open();
    assert_eq!(login.await.unwrap().problem(), (401, "invalid_credentials".into()));
    assert_eq!(live(&server).await, 0);
}

#[tokio::test]
async fn a_refresh_token_in_the_body_and_one_in_the_cookie_both_end_their_sessions() {
    let server = framework::start().await;
    let phone = server.register("ada@example.org").await;
    let laptop = server.login("ada@example.org").await;
    let both = server.post("/auth/logout").refresh_cookie(&laptop.refresh);
    assert_clears(&both.json(json!({ "refreshToken": phone.refresh })).send().await);
    server.assert_signed_out(&phone).await;
    server.assert_signed_out(&laptop).await;
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_and_comes_back_revives_nobody() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    assert_eq!(server.post("/auth/logout").bearer(&ada.access).send().await.status, 200);
    server.clock.advance_seconds(3);
    assert_eq!(server.me(&bob.access).await.status, 200, "the index has heard of it");
    let leap = std::time::Duration::from_secs(3600);
    server.clock.advance(leap);
    let carol = server.register("carol@example.org").await;
    assert_eq!(server.me(&carol.access).await.status, 200, "and has forgotten it");
    server.clock.step_back(leap);
    assert_eq!(server.me(&ada.access).await.code(), "invalid_token");
    assert_eq!(server.me(&bob.access).await.status, 200);
}

use serde_json::json;

use super::framework;
use crate::client::{Answer, at_once};
use crate::server::{Device, PASSWORD, Server};

async fn register(server: &Server, email: &str, password: &str) -> Answer {
    server.post("/auth/register").json(json!({ "email": email, "password": password })).send().await
}

#[tokio::test]
async fn a_new_user_is_told_who_they_are_and_is_signed_in() {
    let server = framework::start().await;
    let answer = register(&server, " Ada@Example.ORG\t", PASSWORD).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let device = Device::of(&answer);
    let user = json!({ "id": device.user, "email": "ada@example.org", "roles": [] });
    assert_eq!(
        answer.json(),
        json!({ "success": true, "data": { "accessToken": device.access, "expiresIn": 900, "user": user } })
    );
    server.assert_signed_in(&device).await;
}

#[tokio::test]
async fn no_answer_with_a_token_may_be_cached_sniffed_or_framed() {
    let server = framework::start().await;
    let answer = register(&server, "ada@example.org", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn in_production_the_cookie_is_secure_and_bound_to_this_host() {
    let server = framework::start().await;
    let answer = register(&server, "ada@example.org", PASSWORD).await;
    let (token, mut attributes) = answer.cookie("__Host-portcullis-refresh").unwrap();
    attributes.sort();
    assert!(token.starts_with("pcr_"));
    assert_eq!(attributes, ["httponly", "max-age=604800", "path=/", "samesite=strict", "secure"]);
    assert_eq!(answer.all("set-cookie").count(), 1, "the access token is in no cookie unless asked for");
}

#[tokio::test]
async fn in_development_the_cookie_has_neither_secure_nor_the_prefix() {
    let server = framework::start_with(|config| config.mode = portcullis::Mode::Development).await;
    let answer = register(&server, "ada@example.org", PASSWORD).await;
    let (token, mut attributes) = answer.cookie("portcullis-refresh").unwrap();
    attributes.sort();
    assert_eq!(attributes, ["httponly", "max-age=604800", "path=/", "samesite=strict"]);
    let refresh = server.post("/auth/refresh").header("cookie", format!("portcullis-refresh={token}"));
    assert_eq!(refresh.send().await.status, 200);
}

#[tokio::test]
async fn who_asks_for_the_refresh_token_in_the_body_gets_no_cookie() {
    let server = framework::start().await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD, "transport": "body" });
    let answer = server.post("/auth/register").json(credentials).send().await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.all("set-cookie").count(), 0);
    let token = answer.data()["refreshToken"].as_str().unwrap().to_owned();
    assert_eq!(server.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn an_unknown_transport_is_refused() {
    let server = framework::start().await;
    for transport in [json!("header"), json!("Cookie"), json!(""), json!(1), json!(["body"])] {
        let credentials =
            json!({ "email": "ada@example.org", "password": PASSWORD, "transport": transport });
        let answer = server.post("/auth/register").json(credentials).send().await;
        assert_eq!(answer.problem(), (422, "invalid_field".into()), "{transport}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_users").await, 0);
}

#[tokio::test]
async fn an_address_is_taken_in_whatever_case_and_with_whatever_blanks() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    for taken in ["ada@example.org", "ADA@EXAMPLE.ORG", "Ada@example.Org", "  ada@example.org", "ada@example.org\t "]
    {
        let answer = register(&server, taken, PASSWORD).await;
        assert_eq!(answer.problem(), (409, "email_taken".into()), "{taken:?}");
        assert_eq!(answer.all("set-cookie").count(), 0);
    }
    assert_eq!(register(&server, "ada+notes@example.org", PASSWORD).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_registrations_of_one_address_exactly_one_makes_an_account() {
    let server = framework::start().await;
    let answers = at_once((0..64).map(|number| {
        let email = if number % 2 == 0 { "ada@example.org" } else { "ADA@example.org" };
        let password = format!("correct horse battery {number}");
        server.post("/auth/register").json(json!({ "email": email, "password": password }))
    }))
    .await;
    let made: Vec<_> = (0..64).filter(|at| answers[*at].status == 201).collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.problem(), (409, "email_taken".into()));
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_users").await, 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_passwords").await, 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions").await, 1);
    let password = format!("correct horse battery {}", made[0]);
    assert_eq!(server.login_with("ada@example.org", &password).await.status, 200, "the winner's password counts");
}

#[tokio::test]
async fn what_mail_could_not_reach_is_no_address() {
    let server = framework::start().await;
    let long = format!("{}@example.org", "a".repeat(65));
    for typed in [
        "",
        " ",
        "ada",
        "@",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@@example.org",
        "a@b@example.org",
        "ada example@example.org",
        "ada@example.org, eve@evil.test",
        "ada@example.org\r\nBcc: eve@evil.test",
        "ada@example.org\n",
        "Ada <ada@example.org>",
        "\"ada\"@example.org",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@example..org",
        "ada@example.org.",
        "ädä@example.org",
        "ada@ex\u{212a}mple.org",
        "ada@example.org\u{a0}",
        &long,
    ] {
        let answer = register(&server, typed, PASSWORD).await;
        assert_eq!(answer.problem(), (422, "invalid_email".into()), "{typed:?}");
    }
}

#[tokio::test]
async fn a_password_that_breaks_the_policy_is_refused() {
    let server = framework::start().await;
    for (password, code) in [
        ("", "password_too_short"),
        ("purple7", "password_too_short"),
        ("\u{1f98a}\u{1f989}\u{1f419}\u{1f98a}\u{1f989}\u{1f419}\u{1f98a}", "password_too_short"),
        (&"x".repeat(1025), "password_too_long"),
        (&"\u{e9}".repeat(513), "password_too_long"),
        (&"x".repeat(40_000), "password_too_long"),
        ("password1", "password_too_common"),
        ("PassWord1", "password_too_common"),
        ("12345678", "password_too_common"),
        ("ada.lovelace@example.org", "password_too_common"),
        ("ADA.Lovelace@Example.org", "password_too_common"),
        ("ada.lovelace", "password_too_common"),
    ] {
        let answer = register(&server, "ada.lovelace@example.org", password).await;
        assert_eq!(answer.problem(), (422, code.into()), "{password:?}");
    }
}

#[tokio::test]
async fn a_password_in_any_script_with_blanks_and_emoji_is_kept_as_typed() {
    let server = framework::start().await;
    for (number, password) in [
        "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}\u{2603}\u{436}",
        "  two blanks before and behind  ",
        "\u{1f98a}\u{1f989}\u{1f419}\u{1f98a}\u{1f989}\u{1f419}\u{1f98a}\u{1f989}",
        "quote\" back\\slash 'single' %s ; -- <b>",
        "tab\tand\nnewline",
        &"x\u{e9}".repeat(341),
        &"y".repeat(1024),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("ada{number}@example.org");
        assert_eq!(register(&server, &email, password).await.status, 201, "{password:?}");
        assert_eq!(server.login_with(&email, password).await.status, 200, "{password:?}");
        let (last, _) = password.char_indices().last().unwrap();
        for other in [password.trim(), &password[..last]].into_iter().filter(|other| *other != password) {
            assert_eq!(server.login_with(&email, other).await.status, 401, "{other:?} for {password:?}");
        }
    }
}

#[tokio::test]
async fn a_password_is_the_same_however_a_keyboard_composes_it() {
    let server = framework::start().await;
    let (decomposed, composed) = ("e\u{301}lan vital, of\u{fb01}ce", "\u{e9}lan vital, office");
    assert_eq!(register(&server, "ada@example.org", decomposed).await.status, 201);
    assert_eq!(server.login_with("ada@example.org", composed).await.status, 200);
    assert_eq!(register(&server, "bob@example.org", composed).await.status, 201);
    assert_eq!(server.login_with("bob@example.org", decomposed).await.status, 200);
    assert_eq!(server.login_with("bob@example.org", "elan vital, office").await.status, 401);
}

#[tokio::test]
async fn nothing_is_written_when_a_registration_is_refused() {
    let server = framework::start().await;
    server.register("taken@example.org").await;
    let before = server.rows().await;
    let good = json!({ "email": "ada@example.org", "password": PASSWORD });
    let post = || server.post("/auth/register");
    for (status, refused) in [
        (400, post().header("content-type", "application/json").body("{")),
        (400, post()),
        (415, post().header("content-type", "text/plain").body(good.to_string())),
        (403, post().header("sec-fetch-site", "cross-site").json(good.clone())),
        (422, post().json(json!({ "email": "ada@example.org" }))),
        (422, post().json(json!({ "password": PASSWORD }))),
        (422, post().json(json!({ "email": "ada", "password": PASSWORD }))),
        (422, post().json(json!({ "email": "ada@example.org", "password": "short" }))),
        (422, post().json(json!({ "email": "ada@example.org", "password": "password1" }))),
        (422, post().json(json!({ "email": "ada@example.org", "password": PASSWORD, "transport": "x" }))),
        (409, post().json(json!({ "email": "taken@example.org", "password": PASSWORD }))),
        (405, server.request("PUT", "/auth/register").json(good.clone())),
        (404, server.post("/auth/register/").json(good.clone())),
        (413, post().header("content-type", "application/json").body("x".repeat(70_000))),
    ] {
        let answer = refused.send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.code();
    }
    assert_eq!(server.rows().await, before);
}

#[tokio::test]
async fn a_registration_is_written_down() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    assert_eq!(server.events(), ["signing_key_made", "registered", "signed_in"]);
}

#[tokio::test]
async fn the_database_holds_neither_the_password_nor_a_token() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let renewed = server.renew(&ada).await;
    server.post("/auth/logout").bearer(&renewed.access).send().await;
    assert!(server.database_holds("ada@example.org") && server.database_holds(&ada.session()), "the search works");
    for device in [ada, renewed] {
        let secrets = [&device.refresh, &device.refresh[4..], &device.refresh[46..], &device.access];
        for secret in secrets.into_iter().chain(device.access.split('.').skip(1)) {
            assert!(!server.database_holds(secret), "{secret}");
        }
    }
    assert!(!server.database_holds(PASSWORD));
}

#[tokio::test]
async fn registering_in_a_browser_that_is_signed_in_ends_the_session_whose_cookie_is_overwritten() {
    let server = framework::start().await;
    let eve = server.register("eve@example.org").await;
    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let answer = server.post("/auth/register").refresh_cookie(&eve.refresh).json(credentials).send().await;
    let ada = Device::of(&answer);
    assert_ne!(ada.session(), eve.session());
    server.assert_signed_out(&eve).await;
    server.assert_signed_in(&ada).await;
}

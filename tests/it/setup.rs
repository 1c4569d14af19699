//! What an application sets up, and what happens when it forgets to.

use std::sync::Arc;

use actix_web::test as actix_test;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis::token::{Algorithm, SigningKey};
use portcullis::{Auth, Config};
use portcullis_sql::SqlStore;
use serde_json::Value;

use crate::frameworks;
use crate::server::SECRET;

/// RFC 8037 appendix A.1, with a name.
const RFC_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"ours","use":"sig",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn header(token: &str) -> Value {
    let header = BASE64URL.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

#[tokio::test]
async fn a_signing_key_of_ones_own_signs_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.jwk");
    std::fs::write(&file, RFC_8037).unwrap();
    let vars = [
        ("PORTCULLIS_SECRET".into(), SECRET.into()),
        ("PORTCULLIS_SIGNING_KEY_FILE".into(), file.into_os_string()),
    ];
    let key = Config::from_vars(vars).unwrap().signing_key;
    let server = frameworks::axum::start_with(|config| config.signing_key = key).await;
    let ada = server.register("ada@example.org").await;
    assert_eq!(header(&ada.access)["kid"], "ours");
    server.assert_signed_in(&ada).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_keys").await, 0);
}

#[tokio::test]
async fn a_token_of_another_key_is_refused_whatever_else_is_alike() {
    let own = |seed| {
        move |config: &mut Config| config.signing_key = Some(SigningKey::ed25519(&[seed; 32]).unwrap())
    };
    let server = frameworks::axum::start_with(own(1)).await;
    let ada = server.register("ada@example.org").await;
    let node = server.another_with(own(2), |stores| stores).await;
    assert_eq!(node.me(&ada.access).await.code(), "invalid_token");
    assert_eq!(server.me(&ada.access).await.status, 200);
    assert_eq!(node.refresh(&ada.refresh).await.status, 200, "the secret is the same");
}

#[tokio::test]
async fn hs256_by_choice_survives_a_restart_like_eddsa() {
    let server = frameworks::axum::start_with(|config| config.access.algorithm = Algorithm::Hs256).await;
    let ada = server.register("ada@example.org").await;
    assert_eq!(header(&ada.access)["alg"], "HS256");
    let restarted = server.another().await;
    restarted.assert_signed_in(&ada).await;
    assert!(restarted.auth.jwks().keys.is_empty(), "a symmetric key is never published");
}

#[tokio::test]
async fn two_of_them_in_one_program_know_nothing_of_each_other() {
    let one = frameworks::axum::start().await;
    let other =
        frameworks::actix::start_with(|config| config.secret = "another secret of 32 bytes and more".into())
            .await;
    let ada = one.register("ada@example.org").await;
    let bob = other.register("ada@example.org").await;
    assert_eq!(other.me(&ada.access).await.code(), "invalid_token");
    assert_eq!(other.refresh(&ada.refresh).await.code(), "invalid_token");
    assert_eq!(one.me(&bob.access).await.code(), "invalid_token");
    one.assert_signed_in(&ada).await;
    other.assert_signed_in(&bob).await;
}

#[tokio::test]
async fn a_configuration_with_mistakes_does_not_start() {
    let store = SqlStore::connect("sqlite::memory:").await.unwrap();
    let error = Auth::new(Config::new("short"), store).await.unwrap_err();
    assert!(format!("{error:?}").contains("secret: needs at least 32 bytes"), "{error:?}");
}

#[rocket::get("/")]
fn asks(_user: portcullis_rocket::CurrentUser) {}

#[rocket::get("/perhaps")]
fn asks_perhaps(_user: portcullis_rocket::MaybeUser) {}

#[rocket::get("/optional")]
fn asks_optionally(_user: Option<portcullis_rocket::CurrentUser>) {}

#[tokio::test]
async fn a_rocket_that_asks_for_a_user_without_the_fairing_does_not_launch() {
    for routes in [rocket::routes![asks], rocket::routes![asks_perhaps], rocket::routes![asks_optionally]] {
        let settings =
            rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::debug_default() };
        let rocket = rocket::custom(settings).mount("/", routes);
        let error = rocket.ignite().await.unwrap_err();
        assert!(matches!(error.kind(), rocket::error::ErrorKind::SentinelAborts(_)), "{error:?}");
    }
}

#[actix_web::test]
async fn an_actix_application_that_asks_for_a_user_without_the_middleware_is_answered_500() {
    async fn asks(_: portcullis_actix::CurrentUser) -> &'static str {
        "never"
    }
    let app = actix_web::App::new().route("/", actix_web::web::get().to(asks));
    let app = actix_test::init_service(app).await;
    let answer = actix_test::call_service(&app, actix_test::TestRequest::get().uri("/").to_request()).await;
    assert_eq!(answer.status(), 500);
}

#[tokio::test]
async fn the_application_finds_accounts_and_sets_roles_within_bounds() {
    let server = frameworks::axum::start().await;
    let ada = server.register("ada@example.org").await;
    let email = portcullis::Email::parse("Ada@Example.org").unwrap();
    let user = server.auth.user_by_email(&email).await.unwrap().unwrap();
    assert_eq!(user.id.to_string(), ada.user);
    assert!(server.auth.set_roles(user.id, &["admin".to_owned()]).await.unwrap());
    assert!(server.auth.set_roles(user.id, &["x".repeat(65)]).await.is_err(), "every token would carry it");
    let renewed = server.renew(&ada).await;
    let headers = axum::http::HeaderMap::from_iter([(
        axum::http::header::AUTHORIZATION,
        format!("Bearer {}", renewed.access).parse().unwrap(),
    )]);
    let identity = server.auth.require("GET", &headers).await.unwrap();
    assert!(identity.has_role("admin") && !identity.has_role("adm"));
    let unknown = portcullis::Email::parse("nobody@example.org").unwrap();
    assert!(server.auth.user_by_email(&unknown).await.unwrap().is_none());
}

#[tokio::test]
async fn roles_that_would_not_fit_into_a_token_are_refused_before_nobody_can_sign_in() {
    let names: Vec<_> =
        (0..200).map(|number| format!("department:resource{number}:{}", "x".repeat(40))).collect();
    let by_name = names.clone();
    let server = frameworks::axum::start_with(|config| {
        config.access.grants.insert("admin".into(), by_name);
    })
    .await;
    let ada = server.register("ada@example.org").await;
    let user = ada.user.parse().unwrap();
    let refused = server.auth.set_roles(user, &["admin".into()]).await.unwrap_err();
    let denied =
        portcullis::Denied::InvalidField("roles", "are too many, or grant too much, to fit into a token");
    assert!(matches!(refused, portcullis::Refusal::Denied(given) if given == denied), "{refused:?}");
    server.assert_signed_in(&ada).await;
    let listed = server.another_with(|config| config.access.permissions = names, |stores| stores).await;
    assert!(listed.auth.set_roles(user, &["admin".into()]).await.unwrap(), "a bit each fits");
    listed.login("ada@example.org").await;
}

#[tokio::test]
async fn an_identity_knows_what_it_may_do_and_a_list_that_was_reordered_takes_nothing_for_something_else() {
    let with = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        move |config: &mut Config| {
            config.access.permissions = names;
            config.access.grants.insert("editor".into(), vec!["write".into()]);
        }
    };
    let server = frameworks::axum::start_with(with(&["read", "write"])).await;
    let ada = server.register("ada@example.org").await;
    server.auth.set_roles(ada.user.parse().unwrap(), &["editor".into()]).await.unwrap();
    let ada = server.renew(&ada).await;
    let headers = axum::http::HeaderMap::from_iter([(
        axum::http::header::AUTHORIZATION,
        format!("Bearer {}", ada.access).parse().unwrap(),
    )]);
    let identity = server.auth.require("GET", &headers).await.unwrap();
    assert!(identity.has_permission("write") && !identity.has_permission("read"));
    assert_eq!(identity.permissions().collect::<Vec<_>>(), ["write"]);
    let appended = server.another_with(with(&["read", "write", "erase"]), |stores| stores).await;
    assert!(appended.auth.require("GET", &headers).await.unwrap().has_permission("write"));
    let reordered = server.another_with(with(&["write", "read"]), |stores| stores).await;
    assert_eq!(reordered.me(&ada.access).await.problem(), (401, "invalid_token".into()));
    let renewed = reordered.renew(&ada).await;
    assert_eq!(reordered.me(&renewed.access).await.status, 200);
}

#[test]
fn a_grant_of_what_is_not_listed_does_not_start() {
    let mut config = Config::new(SECRET);
    config.access.permissions = vec!["read".into()];
    config.access.grants.insert("editor".into(), vec!["raed".into()]);
    assert!(config.check().unwrap_err().to_string().contains("`raed` of `editor`"));
}

#[tokio::test]
async fn the_listener_hears_what_was_stored() {
    let server = frameworks::axum::start().await;
    let ada = server.register("ada@example.org").await;
    let stored = server.auth.events_of(ada.user.parse().unwrap(), 10).await.unwrap();
    let heard = Arc::clone(&server.heard);
    let mut heard = heard.lock().unwrap().clone();
    heard.retain(|event| event.user.is_some());
    heard.reverse();
    assert_eq!(stored, heard);
    assert_eq!(stored.len(), 2, "registered and signed in");
}

#[tokio::test]
async fn a_token_from_before_its_lifetime_was_shortened_counts_no_more() {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let server = frameworks::axum::start_with(|config| config.access.ttl = day).await;
    let ada = server.register("ada@example.org").await;
    let minute = std::time::Duration::from_secs(60);
    let shortened = server.another_with(|config| config.access.ttl = minute, |stores| stores).await;
    assert_eq!(
        shortened.me(&ada.access).await.code(),
        "invalid_token",
        "no revocation is remembered for a day"
    );
    shortened.assert_signed_in(&shortened.renew(&ada).await).await;
}

/// Revocations whose store hangs for a while and then fails.
struct Hanging(std::sync::atomic::AtomicUsize);

#[async_trait::async_trait]
impl portcullis::store::Revocations for Hanging {
    async fn put(
        &self,
        _: &[portcullis::SessionId],
        _: portcullis::clock::Time,
    ) -> Result<(), portcullis::Fault> {
        Ok(())
    }

    async fn after(
        &self,
        _: i64,
        _: portcullis::clock::Time,
    ) -> Result<Vec<portcullis::store::Revocation>, portcullis::Fault> {
        if self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return Ok(Vec::new());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Err(portcullis::Fault::new("asking", "nobody is there"))
    }
}

#[tokio::test]
async fn all_who_wait_for_a_store_that_hangs_wait_once() {
    let server = frameworks::axum::start().await;
    let ada = server.register("ada@example.org").await;
    let hanging = Arc::new(Hanging(0.into()));
    let stores = |stores| portcullis::Stores { revocations: hanging.clone(), ..stores };
    let node = server.another_with(|_| {}, stores).await;
    server.clock.advance_seconds(2);
    let requests = (0..50).map(|_| node.get("/auth/me").bearer(&ada.access));
    let answers = crate::client::at_once(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 500), "neither signed out nor let in");
    let asked = hanging.0.load(std::sync::atomic::Ordering::SeqCst) - 1;
    assert!(asked <= 5, "asked {asked} times for 50 requests");
}

#[actix_web::test]
async fn what_an_option_hides_in_actix_web_is_answered_even_if_the_handler_refuses_otherwise() {
    async fn asks(user: Option<portcullis_actix::CurrentUser>) -> Result<String, portcullis_actix::Refused> {
        Ok(user.ok_or(portcullis::Denied::Forbidden)?.id().to_string())
    }
    let store = SqlStore::connect("sqlite::memory:").await.unwrap();
    let auth = Auth::new(Config::new(SECRET), store).await.unwrap();
    for mount in ["/auth", "auth/"] {
        let app = portcullis_actix::app(&auth, mount).route("/asks", actix_web::web::get().to(asks));
        let app = actix_test::init_service(app).await;
        let request = |path: &str| actix_test::TestRequest::get().uri(path);
        let status = async |request: actix_test::TestRequest| {
            actix_test::call_service(&app, request.to_request()).await.status().as_u16()
        };
        assert_eq!(status(request("/asks")).await, 403, "nobody");
        let bad = request("/asks").insert_header(("authorization", "Bearer rubbish"));
        assert_eq!(status(bad).await, 401, "a credential that is not valid");
        assert_eq!(status(request("/auth/me")).await, 401, "mounted at {mount}");
    }
}

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
    assert!(restarted.auth.ring().jwks().keys.is_empty(), "a symmetric key is never published");
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
    assert!(server.auth.set_roles(user.id, &["x".repeat(9000)]).await.is_err(), "no token could carry it");
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

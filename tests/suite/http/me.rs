use std::time::Duration;

use serde_json::json;

use super::framework;

#[tokio::test]
async fn the_signed_in_user_is_told_who_they_are() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = server.me(&ada.access).await;
    assert_eq!(answer.status, 200);
    let user = json!({ "id": ada.user, "email": "ada@example.org", "roles": [] });
    assert_eq!(answer.json(), json!({ "success": true, "data": { "user": user } }));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn without_a_credential_it_is_a_401_without_an_error_code() {
    let server = framework::start().await;
    let answer = server.get("/auth/me").send().await;
    assert_eq!(answer.problem(), (401, "unauthenticated".into()));
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="portcullis""#));
}

#[tokio::test]
async fn with_a_bad_credential_the_challenge_says_so() {
    let server = framework::start().await;
    let answer = server.get("/auth/me").bearer("rubbish").send().await;
    assert_eq!(answer.problem(), (401, "invalid_token".into()));
    let challenge = r#"Bearer realm="portcullis", error="invalid_token""#;
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
}

#[tokio::test]
async fn roles_are_shown_as_they_are_now() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let roles = ["editor".to_owned(), "admin".to_owned()];
    server.auth.set_roles(ada.user.parse().unwrap(), &roles).await.unwrap();
    assert_eq!(server.me(&ada.access).await.data()["user"]["roles"], json!(["editor", "admin"]));
}

#[tokio::test]
async fn everybody_sees_themselves_alone() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let bob = server.register("bob@example.org").await;
    for (device, email) in [(&ada, "ada@example.org"), (&bob, "bob@example.org"), (&ada, "ada@example.org")] {
        let user = server.me(&device.access).await.data()["user"].clone();
        assert_eq!((&user["id"], &user["email"]), (&json!(device.user), &json!(email)));
    }
}

#[tokio::test]
async fn who_was_deleted_is_nobody() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    sqlx::query("DELETE FROM portcullis_users").execute(server.store.pool()).await.unwrap();
    assert_eq!(server.me(&ada.access).await.problem(), (401, "invalid_token".into()));
}

#[tokio::test]
async fn a_refresh_cookie_alone_is_no_credential_here() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for path in ["/auth/me", "/me", "/notes", "/auth/sessions"] {
        let answer = server.get(path).refresh_cookie(&ada.refresh).send().await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{path}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let head = server.request("HEAD", "/auth/me").bearer(&ada.access).send().await;
    let get = server.me(&ada.access).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.undated().headers, get.undated().headers);
}

#[tokio::test]
async fn a_token_from_a_node_whose_clock_is_a_little_ahead_is_good() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.clock.step_back(Duration::from_secs(60));
    assert_eq!(server.me(&ada.access).await.status, 200);
    server.clock.step_back(Duration::from_secs(1));
    assert_eq!(server.me(&ada.access).await.problem(), (401, "invalid_token".into()));
}

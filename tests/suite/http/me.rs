use super::framework;

#[tokio::test]
async fn the_signed_in_user_is_told_who_they_are() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let answer = server.me(&ada.access).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.data()["user"]["id"], ada.user);
    assert_eq!(answer.data()["user"]["email"], "ada@example.org");
    assert_eq!(answer.data()["user"]["roles"], serde_json::json!([]));
}

#[tokio::test]
async fn without_a_credential_it_is_a_401_without_an_error_code() {
    let server = framework::start().await;
    let answer = server.get("/auth/me").send().await;
    assert_eq!(answer.problem(), (401, "unauthenticated".into()));
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="portcullis""#));
}

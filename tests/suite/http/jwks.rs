use portcullis::token::{Algorithm, Expect, KeyRing, PermissionRegistry, SigningKey};
use serde_json::{Value, json};

use super::framework;
use crate::client::Answer;
use crate::server::Server;

async fn fetch(server: &Server) -> Answer {
    let answer = server.get("/auth/.well-known/jwks.json").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test]
async fn the_document_is_a_key_set_as_the_standard_has_it() {
    let server = framework::start().await;
    let answer = fetch(&server).await;
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    let keys = json["keys"].as_array().unwrap();
    let key = &keys[0];
    assert_eq!((keys.len(), &key["kty"], &key["alg"], &key["use"]), (1, &json!("OKP"), &json!("EdDSA"), &json!("sig")));
    let ada = server.register("ada@example.org").await;
    let header: Value = crate::server::header(&ada.access);
    assert_eq!(header["kid"], key["kid"], "it names the key that signs");
}

#[tokio::test]
async fn no_private_and_no_symmetric_member_is_ever_published() {
    let public = ["alg", "crv", "e", "key_ops", "kid", "kty", "n", "use", "x", "y"];
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let server = framework::start_with(|config| config.access.algorithm = algorithm).await;
        let json = fetch(&server).await.json();
        let keys = json["keys"].as_array().unwrap();
        assert_eq!(keys.is_empty(), algorithm == Algorithm::Hs256, "{json}");
        for key in keys {
            let strangers: Vec<_> =
                key.as_object().unwrap().keys().filter(|name| !public.contains(&name.as_str())).collect();
            assert_eq!(strangers, Vec::<&String>::new());
        }
    }
}

#[tokio::test]
async fn caches_may_keep_it_and_pages_of_every_origin_may_read_it() {
    let server = framework::start().await;
    let answer = fetch(&server).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300, stale-while-revalidate=60"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.all("set-cookie").count(), 0);
}

#[tokio::test]
async fn it_says_the_same_to_all_whatever_they_bring() {
    let server = framework::start().await;
    let plain = fetch(&server).await.undated();
    let get = server.get("/auth/.well-known/jwks.json");
    for request in [
        get.clone().bearer("rubbish"),
        get.clone().refresh_cookie("rubbish"),
        get.clone().header("origin", "https://evil.test").header("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(request.send().await.undated(), plain);
    }
}

#[tokio::test]
async fn who_has_it_already_is_told_so_and_not_sent_it_again() {
    let server = framework::start().await;
    let tag = fetch(&server).await.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong one: {tag}");
    let other = "\"AAAAAAAAAAAAAAAAAAAAAA\"";
    for (value, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        ("*".into(), 304),
        (format!("{other}, {tag}"), 304),
        (format!("{other},W/{tag} , \"x\""), 304),
        (other.into(), 200),
        (tag.trim_matches('"').into(), 200),
        (format!("w/{tag}"), 200),
        (format!("{tag}x"), 200),
        (String::new(), 200),
        ("\"".into(), 200),
        (",,,".into(), 200),
    ] {
        let get = server.get("/auth/.well-known/jwks.json").header("if-none-match", &value);
        let answer = get.send().await;
        assert_eq!(answer.status, status, "{value}");
        assert_eq!(answer.header("etag"), Some(&*tag), "{value}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300, stale-while-revalidate=60"));
        assert_eq!(answer.body.is_empty(), status == 304, "{value}");
    }
    let twice = server.get("/auth/.well-known/jwks.json");
    let twice = twice.header("if-none-match", other).header("if-none-match", &tag);
    assert_eq!(twice.send().await.status, 304);
}

#[tokio::test]
async fn the_tag_follows_the_content() {
    let server = framework::start().await;
    let tag = |answer: Answer| answer.header("etag").unwrap().to_owned();
    let (first, second) = (tag(fetch(&server).await), tag(fetch(&server.another().await).await));
    assert_eq!(first, second, "the same on every node");
    let seven = |config: &mut portcullis::Config| {
        config.signing_key = Some(SigningKey::ed25519(&[7; 32]).unwrap());
    };
    assert_ne!(tag(fetch(&server.another_with(seven, |stores| stores).await).await), first);
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body_and_nothing_else_is() {
    let server = framework::start().await;
    let path = "/auth/.well-known/jwks.json";
    let head = server.request("HEAD", path).send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.undated().headers, fetch(&server).await.undated().headers);
    for method in ["POST", "PUT", "DELETE"] {
        let answer = server.request(method, path).send().await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_service_needs_this_one_document_to_read_tokens_and_permissions() {
    let server = framework::start_with(|config| {
        config.access.permissions = vec!["notes:read".into(), "notes:write".into(), "users:erase".into()];
        config.access.grants.insert("editor".into(), vec!["notes:write".into(), "notes:read".into()]);
    })
    .await;
    let ada = server.register("ada@example.org").await;
    server.auth.set_roles(ada.user.parse().unwrap(), &["editor".into(), "unheard-of".into()]).await.unwrap();
    let ada = server.renew(&ada).await;
    assert!(ada.claims()["pms"].as_str().unwrap().ends_with(".Aw"), "{}", ada.claims());
    assert_eq!(ada.claims().get("permissions"), None);

    let document = fetch(&server).await.text();
    let registry = PermissionRegistry::from_published(&document).unwrap().unwrap();
    let keys: portcullis::token::JwkSet = serde_json::from_str(&document).unwrap();
    let key = serde_json::to_string(&keys.keys[0]).unwrap();
    // A ring needs a key that signs; what counts is the published one.
    let ring = KeyRing::new(SigningKey::ed25519(&[9; 32]).unwrap());
    let ring = ring.also_verify(portcullis::token::VerifyingKey::from_jwk(&key).unwrap()).unwrap();
    let now = ada.claims()["iat"].as_u64().unwrap();
    let claims = ring.verify(&ada.access, &Expect::new("portcullis", "portcullis"), now).unwrap();
    let granted = claims.granted(Some(&registry)).unwrap();
    assert_eq!(granted.names().collect::<Vec<_>>(), ["notes:read", "notes:write"]);
}

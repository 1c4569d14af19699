//! The examples of the standards, as they stand there.
//!
//! Of no use here, since the algorithm is none of ours: RFC 7515 A.4 and RFC 7520 §4.3 (`ES512`), RFC 7520 §4.2
//! (`PS384`); of no form of ours: RFC 7515 A.6 and A.7, RFC 7520 §4.5 to §4.8 (detached or JSON). The tests say how
//! they are refused. For `ES384`, `PS256`, `HS384` and `HS512` the standards have no example; Wycheproof has.

use std::sync::LazyLock;

use portcullis_token::{Algorithm, Expect, KeyError, KeyRing, KeySet, Rejected, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, ISSUER, NOW, decode, encode, sign_ed25519, sign_hs256, with, without};

static RFC: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/rfc.json")).unwrap());

/// RFC 8037 appendix A.1.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// RFC 8037 appendix A.2.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// RFC 8037 appendix A.3.
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
/// RFC 8037 appendix A.4: `Example of Ed25519 signing` under a header of `alg` alone.
const JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn rfc_8037_a_1_the_private_key_is_read() {
    let key =
        SigningKey::from_jwk(&json!({ "kty": "OKP", "crv": "Ed25519", "d": D, "x": X }).to_string()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    assert_eq!(key.to_jwk(), SigningKey::ed25519(&seed()).unwrap().to_jwk());
}

#[test]
fn rfc_8037_a_2_the_public_key_follows_from_the_private_one() {
    let jwk = SigningKey::ed25519(&seed()).unwrap().verifying().to_jwk().unwrap();
    let published = json!({
        "kty": "OKP", "crv": "Ed25519", "x": X, "kid": THUMBPRINT, "alg": "EdDSA", "use": "sig",
    });
    assert_eq!(serde_json::to_value(jwk).unwrap(), published);
}

#[test]
fn rfc_8037_a_3_a_key_without_a_name_bears_its_thumbprint() {
    assert_eq!(SigningKey::ed25519(&seed()).unwrap().kid(), THUMBPRINT);
    let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": X }).to_string();
    assert_eq!(VerifyingKey::from_jwk(&public).unwrap().kid(), THUMBPRINT);
}

#[test]
fn rfc_8037_a_4_the_signature_is_made_and_verified() {
    let key = SigningKey::ed25519(&seed()).unwrap();
    example(key.verifying(), JWS);
    signs_as(&key, JWS);
    let (message, signature) = JWS.rsplit_once('.').unwrap();
    assert_eq!(encode(sign_ed25519(&seed(), message)), signature, "so do these tests");
}

#[test]
fn rfc_7515_a_1_hs256_is_made_and_verified() {
    let (key, jws) = (SigningKey::from_jwk(&key_at("7515", "a1")).unwrap(), jws_at("7515", "a1"));
    assert_eq!(key.algorithm(), Algorithm::Hs256);
    example(key.verifying(), &jws);
    signs_as(&key, &jws);
    let k = decode(RFC["7515"]["a1"]["key"]["k"].as_str().unwrap());
    let (message, signature) = jws.rsplit_once('.').unwrap();
    assert_eq!(encode(sign_hs256(&k, message)), signature, "so do these tests");
}

#[test]
fn rfc_7515_a_2_rs256_is_made_and_verified() {
    let (key, jws) = (SigningKey::from_jwk(&key_at("7515", "a2")).unwrap(), jws_at("7515", "a2"));
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    example(key.verifying(), &jws);
    signs_as(&key, &jws);
}

#[test]
fn rfc_7515_a_3_es256_is_verified() {
    let (key, jws) = (SigningKey::from_jwk(&key_at("7515", "a3")).unwrap(), jws_at("7515", "a3"));
    assert_eq!(key.algorithm(), Algorithm::Es256);
    example(key.verifying(), &jws);
    let (message, _) = jws.rsplit_once('.').unwrap();
    let ours = key.signature(message.as_bytes()).unwrap();
    assert!(key.verifying().verifies(message.as_bytes(), &ours), "another one each time, and as good");
}

#[test]
fn rfc_7515_a_4_es512_is_none_of_our_algorithms() {
    assert_eq!(SigningKey::from_jwk(&key_at("7515", "a4")).unwrap_err(), KeyError::Unfit("crv"));
    assert_eq!(VerifyingKey::from_jwk(&key_at("7515", "a4")).unwrap_err(), KeyError::Unfit("crv"));
    assert!(jws_at("7515", "a4").starts_with("eyJhbGciOiJFUzUxMiJ9."), "control");
}

#[test]
fn rfc_7515_a_5_an_unsecured_jws_is_refused() {
    let jws = jws_at("7515", "a5");
    assert!(jws.ends_with('.'), "control");
    for key in keys_of_the_standards() {
        assert_eq!(KeySet::new().with(key).unwrap().verify(&jws, &expect(), NOW), Err(Rejected::Type));
    }
}

#[test]
fn rfc_7515_a_6_and_a_7_and_7520_4_4_the_json_serialisations_are_refused() {
    for jws in
        [&RFC["7515"]["a6"], &RFC["7515"]["a7"], &RFC["7520"]["4_4_general"], &RFC["7520"]["4_4_flattened"]]
    {
        let jws = jws.as_str().unwrap();
        assert!(jws.starts_with('{'), "control");
        for key in keys_of_the_standards() {
            assert_eq!(
                KeySet::new().with(key).unwrap().verify(jws, &expect(), NOW),
                Err(Rejected::Malformed)
            );
        }
    }
}

#[test]
fn rfc_7517_a_1_of_the_public_keys_the_one_for_signatures_is_taken() {
    for set in [KeySet::from_json(&set_at("a1")).unwrap(), KeySet::from_published(&set_at("a1")).unwrap()] {
        assert_eq!(names(&set), ["2011-04-29"]);
        assert_eq!(set.keys()[0].algorithm(), Algorithm::Rs256);
        assert_eq!(left_out(&set), [(Some("1"), KeyError::Forbidden)], "its `use` is `enc`");
    }
}

#[test]
fn rfc_7517_a_2_the_private_keys_sign_and_are_never_taken_from_what_is_published() {
    let set = KeySet::from_json(&set_at("a2")).unwrap();
    assert_eq!((names(&set), left_out(&set).len()), (vec!["2011-04-29"], 1));
    let set = KeySet::from_published(&set_at("a2")).unwrap();
    assert!(set.is_empty());
    assert_eq!(left_out(&set), [(Some("1"), KeyError::Forbidden), (Some("2011-04-29"), KeyError::Forbidden)]);

    let keys = RFC["7517"]["a2"]["keys"].as_array().unwrap();
    assert_eq!(SigningKey::from_jwk(&keys[0].to_string()).unwrap_err(), KeyError::Forbidden);
    for jwk in [without(keys[0].clone(), "use"), keys[1].clone()] {
        let key = SigningKey::from_jwk(&jwk.to_string()).unwrap();
        let signature = key.signature(b"message").unwrap();
        assert!(key.verifying().verifies(b"message", &signature), "{key:?}");
    }
}

#[test]
fn rfc_7517_a_3_of_the_symmetric_keys_the_one_for_signatures_is_taken() {
    let set = KeySet::from_json(&set_at("a3")).unwrap();
    assert_eq!(names(&set), ["HMAC key used in JWS spec Appendix A.1 example"]);
    assert_eq!(left_out(&set), [(None, KeyError::Unfit("alg"))]);
    assert!(KeySet::from_published(&set_at("a3")).unwrap().is_empty());
}

#[test]
fn rfc_7517_b_a_certificate_beside_a_key_is_ignored() {
    let jwk = &RFC["7517"]["b"];
    let other = with(jwk.clone(), "x5c", json!(["bm9uZQ"]));
    for jwk in [jwk, &other] {
        let key = VerifyingKey::from_jwk(&jwk.to_string()).unwrap();
        assert_eq!((key.kid(), key.algorithm()), ("1b94c", Algorithm::Rs256));
    }
}

#[test]
fn rfc_7638_3_1_a_key_without_a_name_bears_its_thumbprint() {
    for (at, thumbprint) in [
        // Of RFC 7517 A.1's P-256 key, by another implementation.
        (0, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"),
        (1, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
    ] {
        let jwk = with(without(RFC["7517"]["a1"]["keys"][at].clone(), "kid"), "use", json!("sig"));
        assert_eq!(VerifyingKey::from_jwk(&jwk.to_string()).unwrap().kid(), thumbprint);
    }
}

#[test]
fn rfc_7520_4_1_rs256_is_made_and_verified() {
    let key = SigningKey::from_jwk(&RFC["7520"]["3_4"].to_string()).unwrap();
    assert_eq!((key.kid(), key.algorithm()), ("bilbo.baggins@hobbiton.example", Algorithm::Rs256));
    let public = VerifyingKey::from_jwk(&RFC["7520"]["3_3"].to_string()).unwrap();
    assert_eq!(*key.verifying(), public);
    let jws = RFC["7520"]["4_1"].as_str().unwrap();
    example(&public, jws);
    signs_as(&key, jws);
}

#[test]
fn rfc_7520_4_2_ps384_is_none_of_our_algorithms() {
    let jwk = &RFC["7520"]["3_3"];
    let (message, signature) = RFC["7520"]["4_2"].as_str().unwrap().rsplit_once('.').unwrap();
    for algorithm in ["RS256", "PS256"] {
        let key = VerifyingKey::from_jwk(&with(jwk.clone(), "alg", json!(algorithm)).to_string()).unwrap();
        assert!(!key.verifies(message.as_bytes(), &decode(signature)), "{algorithm}");
    }
    let jwk = with(jwk.clone(), "alg", json!("PS384")).to_string();
    assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap_err(), KeyError::Unfit("alg"));
}

#[test]
fn rfc_7520_4_3_es512_is_none_of_our_algorithms() {
    for at in ["3_1", "3_2"] {
        let jwk = RFC["7520"][at].to_string();
        assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap_err(), KeyError::Unfit("crv"));
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), KeyError::Unfit("crv"));
    }
}

#[test]
fn rfc_7520_4_4_hs256_is_made_and_verified() {
    let key = SigningKey::from_jwk(&RFC["7520"]["3_5"].to_string()).unwrap();
    let jws = RFC["7520"]["4_4"].as_str().unwrap();
    example(key.verifying(), jws);
    signs_as(&key, jws);
}

/// Demands that the signature is right, that no other is, and that the JWS is still no access token.
#[track_caller]
fn example(key: &VerifyingKey, jws: &str) {
    let (message, signature) = jws.rsplit_once('.').unwrap();
    let mut signature = decode(signature);
    assert!(key.verifies(message.as_bytes(), &signature), "{key:?}");
    assert!(!key.verifies(&message.as_bytes()[1..], &signature), "{key:?}");
    signature[7] ^= 1;
    assert!(!key.verifies(message.as_bytes(), &signature), "{key:?}");
    let set = KeySet::new().with(key.clone()).unwrap();
    assert_eq!(set.verify(jws, &expect(), NOW), Err(Rejected::Type), "{key:?}");
}

/// Demands that `key` makes that very signature.
#[track_caller]
fn signs_as(key: &SigningKey, jws: &str) {
    let (message, signature) = jws.rsplit_once('.').unwrap();
    assert_eq!(encode(key.signature(message.as_bytes()).unwrap()), signature, "{key:?}");
    let ring = KeyRing::new(key.clone());
    assert_eq!(ring.verify(jws, &expect(), NOW), Err(Rejected::Type), "{key:?}");
}

/// Every key of these examples that is one of ours.
fn keys_of_the_standards() -> Vec<VerifyingKey> {
    let jwks = [
        RFC["7515"]["a1"]["key"].clone(),
        RFC["7515"]["a2"]["key"].clone(),
        RFC["7515"]["a3"]["key"].clone(),
        RFC["7520"]["3_3"].clone(),
        RFC["7520"]["3_5"].clone(),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": X }),
    ];
    jwks.iter().map(|jwk| VerifyingKey::from_jwk(&jwk.to_string()).unwrap()).collect()
}

fn names(set: &KeySet) -> Vec<&str> {
    set.keys().iter().map(VerifyingKey::kid).collect()
}

fn left_out(set: &KeySet) -> Vec<(Option<&str>, KeyError)> {
    set.left_out().iter().map(|key| (key.kid.as_deref(), key.why.clone())).collect()
}

fn set_at(appendix: &str) -> String {
    RFC["7517"][appendix].to_string()
}

fn key_at(rfc: &str, appendix: &str) -> String {
    RFC[rfc][appendix]["key"].to_string()
}

fn jws_at(rfc: &str, appendix: &str) -> String {
    RFC[rfc][appendix]["jws"].as_str().unwrap().to_owned()
}

fn expect() -> Expect {
    Expect::new(ISSUER, AUDIENCE)
}

fn seed() -> [u8; 32] {
    decode(D).try_into().unwrap()
}

//! What must hold whatever bytes come. Run by cargo-fuzz, and in the ordinary tests over the corpus and its mutations.

use std::str::from_utf8;
use std::sync::OnceLock;

use portcullis_token::{Algorithm, Expect, KeySet, SigningKey, VerifyingKey};
use serde_json::Value;

/// A token is accepted only if it is, byte for byte, one that was signed.
pub(crate) fn verify(data: &[u8]) {
    static SIGNED: OnceLock<(KeySet, Expect, u64, Vec<String>)> = OnceLock::new();
    let (keys, expect, now, tokens) = SIGNED.get_or_init(|| {
        let vectors: Value = serde_json::from_str(include_str!("../tests/vectors/tokens.json")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut tokens: Vec<_> =
            vectors["valid"].as_array().unwrap().iter().map(|one| text(&one["token"])).collect();
        tokens.push(text(&vectors["packed"]["token"]));
        (
            KeySet::from_json(&vectors["sets"]["own"].to_string()).unwrap(),
            Expect::new(text(&vectors["issuer"]), text(&vectors["audience"])),
            vectors["now"].as_u64().unwrap(),
            tokens,
        )
    });
    if let Ok(token) = from_utf8(data)
        && keys.verify(token, expect, *now).is_ok()
    {
        assert!(tokens.iter().any(|signed| signed == token), "{token} was never signed");
    }
}

/// What is read as a key is written and read again as the same key.
pub(crate) fn jwk(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if let Ok(key) = VerifyingKey::from_jwk(text) {
        same_public(&key);
    }
    if let Ok(key) = SigningKey::from_jwk(text) {
        same_private(&key);
    }
}

/// A set holds each name once, and one that was published no key that is secret.
pub(crate) fn jwks(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    for set in [KeySet::from_json(text), KeySet::from_published(text)].into_iter().flatten() {
        for (at, key) in set.keys().iter().enumerate() {
            assert!(set.keys().iter().take(at).all(|before| before.kid() != key.kid()));
        }
        assert!(set.jwks().keys.iter().all(|jwk| !jwk.is_private()));
    }
    if let Ok(set) = KeySet::from_published(text) {
        assert!(set.keys().iter().all(|key| !key.algorithm().is_symmetric()));
    }
}

/// The same as for a JWK.
pub(crate) fn pem(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    for algorithm in Algorithm::ALL {
        if let Ok(key) = SigningKey::from_pem(text, algorithm, Some("k")) {
            same_private(&key);
        }
        if let Ok(key) = VerifyingKey::from_pem(text, algorithm, Some("k")) {
            same_public(&key);
        }
    }
}

fn same_public(key: &VerifyingKey) {
    if let Some(jwk) = key.to_jwk() {
        assert!(!jwk.is_private());
        let again = VerifyingKey::from_jwk(&serde_json::to_string(&jwk).unwrap()).unwrap();
        assert!(again == *key);
    }
}

fn same_private(key: &SigningKey) {
    let again = SigningKey::from_jwk(&key.to_jwk()).unwrap();
    assert!(again.to_jwk() == key.to_jwk() && again.algorithm() == key.algorithm());
}

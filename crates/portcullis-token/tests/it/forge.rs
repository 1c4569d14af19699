//! Tokens as an issuer who does not follow the rules, or an attacker, would write them.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis_token::{AccessClaims, Algorithm, Expect, KeyRing, Rejected, SigningKey};
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "notes";
pub(crate) const SEED: [u8; 32] = *b"an Ed25519 seed for tests only!!";
pub(crate) const SECRET: [u8; 32] = *b"an HS256 secret for tests only!!";

pub(crate) fn ed25519() -> SigningKey {
    SigningKey::ed25519(&SEED).unwrap()
}

pub(crate) fn hs256() -> SigningKey {
    SigningKey::hmac(Algorithm::Hs256, &SECRET, "hs-1").unwrap()
}

/// One key of each algorithm.
pub(crate) fn both() -> [SigningKey; 2] {
    [ed25519(), hs256()]
}

/// Claims with which a token is accepted at `NOW`.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "exp": NOW + 900,
        "iat": NOW,
        "jti": "token-1",
        "sid": "session-1",
    })
}

/// The header of `key`'s own tokens.
pub(crate) fn header(key: &SigningKey) -> Value {
    json!({ "alg": key.algorithm().name(), "kid": key.kid(), "typ": "at+jwt" })
}

/// `object` with one member set.
pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// `object` without one member.
pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

/// A token of that header and those claims with a signature that is `key`'s own.
pub(crate) fn token(key: &SigningKey, header: &Value, claims: &Value) -> String {
    raw(key, header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// The same of any bytes, JSON or not.
pub(crate) fn raw(key: &SigningKey, header: &[u8], claims: &[u8]) -> String {
    seal(key, &format!("{}.{}", encode(header), encode(claims)))
}

/// `message`, a dot and `key`'s signature of it.
pub(crate) fn seal(key: &SigningKey, message: &str) -> String {
    format!("{message}.{}", encode(sign(key, message)))
}

/// `key`'s signature: one of the two keys of this file.
pub(crate) fn sign(key: &SigningKey, message: &str) -> Vec<u8> {
    if key.algorithm() == Algorithm::EdDsa {
        sign_ed25519(&SEED, message)
    } else {
        sign_hs256(&SECRET, message)
    }
}

pub(crate) fn sign_ed25519(seed: &[u8; 32], message: &str) -> Vec<u8> {
    Ed25519KeyPair::from_seed_unchecked(seed).unwrap().sign(message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sign_hs256(secret: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

/// What a ring of `key` alone says to `token` at `NOW`.
pub(crate) fn verify(key: &SigningKey, token: &str) -> Result<AccessClaims, Rejected> {
    KeyRing::new(key.clone()).verify(token, &Expect::new(ISSUER, AUDIENCE), NOW)
}

/// Demands that `token` is refused for that reason; `case` says which one it was.
#[track_caller]
pub(crate) fn refused(key: &SigningKey, token: &str, why: Rejected, case: &str) {
    let name = key.algorithm().name();
    assert_eq!(verify(key, token), Err(why), "{name}: {case}");
}

/// Demands that `token` is accepted.
#[track_caller]
pub(crate) fn accepted(key: &SigningKey, token: &str, case: &str) {
    let answer = verify(key, token);
    assert!(answer.is_ok(), "{}: {case}: {answer:?}", key.algorithm().name());
}

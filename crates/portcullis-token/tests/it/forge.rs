//! Tokens as an issuer who does not follow the rules, or an attacker, would write them.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use portcullis_token::{AccessClaims, Algorithm, Expect, KeyRing, Rejected, SigningKey};
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "notes";
pub(crate) const SEED: [u8; 32] = *b"an Ed25519 seed for tests only!!";
pub(crate) const SECRET: [u8; 32] = *b"an HS256 secret for tests only!!";
pub(crate) const LONG_SECRET: [u8; 64] = *b"a secret for tests only that is long enough for HS384 and HS512!";

/// Keys that OpenSSL made, once; `keys/` has them.
pub(crate) const P256: &str = include_str!("keys/p256.pem");
pub(crate) const P384: &str = include_str!("keys/p384.pem");
pub(crate) const RSA: &str = include_str!("keys/rsa2048.pem");
pub(crate) const OTHER_RSA: &str = include_str!("keys/rsa3072.pem");

pub(crate) fn ed25519() -> SigningKey {
    key_of(Algorithm::EdDsa)
}

pub(crate) fn hs256() -> SigningKey {
    key_of(Algorithm::Hs256)
}

/// One key of each algorithm. Those of RS256 and PS256 are of the same numbers.
pub(crate) fn one_of_each() -> Vec<SigningKey> {
    static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
        let read = |algorithm: Algorithm| match algorithm {
            Algorithm::EdDsa => SigningKey::ed25519(&SEED),
            Algorithm::Es256 => SigningKey::from_pem(P256, algorithm, None),
            Algorithm::Es384 => SigningKey::from_pem(P384, algorithm, None),
            Algorithm::Rs256 => SigningKey::from_pem(RSA, algorithm, Some("rs-1")),
            Algorithm::Ps256 => SigningKey::from_pem(RSA, algorithm, Some("ps-1")),
            Algorithm::Hs256 => SigningKey::hmac(algorithm, &SECRET, "hs-1"),
            Algorithm::Hs384 => SigningKey::hmac(algorithm, &LONG_SECRET, "hs-2"),
            _ => SigningKey::hmac(algorithm, &LONG_SECRET, "hs-3"),
        };
        Algorithm::ALL.into_iter().map(|algorithm| read(algorithm).unwrap()).collect()
    });
    KEYS.clone()
}

/// Of these, those that have a public half.
pub(crate) fn asymmetric() -> Vec<SigningKey> {
    one_of_each().into_iter().filter(|key| !key.algorithm().is_symmetric()).collect()
}

/// Of these, that of one algorithm.
pub(crate) fn key_of(algorithm: Algorithm) -> SigningKey {
    one_of_each().into_iter().find(|key| key.algorithm() == algorithm).unwrap()
}

/// Another key of that algorithm.
pub(crate) fn another(algorithm: Algorithm, kid: &str) -> SigningKey {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => SigningKey::from_pem(OTHER_RSA, algorithm, Some(kid)),
        _ => SigningKey::generate(algorithm, Some(kid), &[9; 64]),
    }
    .unwrap()
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

/// The signature of one of the keys of this file.
pub(crate) fn sign(key: &SigningKey, message: &str) -> Vec<u8> {
    match key.algorithm() {
        Algorithm::EdDsa => sign_ed25519(&SEED, message),
        Algorithm::Es256 => sign_ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, P256, message),
        Algorithm::Es384 => sign_ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, P384, message),
        Algorithm::Rs256 => sign_rsa(&RSA_PKCS1_SHA256, RSA, message),
        Algorithm::Ps256 => sign_rsa(&RSA_PSS_SHA256, RSA, message),
        Algorithm::Hs256 => sign_hs256(&SECRET, message),
        Algorithm::Hs384 => sign_hmac(hmac::HMAC_SHA384, &LONG_SECRET, message),
        _ => sign_hmac(hmac::HMAC_SHA512, &LONG_SECRET, message),
    }
}

pub(crate) fn sign_ed25519(seed: &[u8; 32], message: &str) -> Vec<u8> {
    Ed25519KeyPair::from_seed_unchecked(seed).unwrap().sign(message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sign_hs256(secret: &[u8], message: &str) -> Vec<u8> {
    sign_hmac(hmac::HMAC_SHA256, secret, message)
}

pub(crate) fn sign_hmac(hash: hmac::Algorithm, secret: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hash, secret), message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sign_ecdsa(curve: &'static EcdsaSigningAlgorithm, pem: &str, message: &str) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(curve, &der(pem)).unwrap();
    let signature: signature::Signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    signature.as_ref().to_vec()
}

pub(crate) fn sign_rsa(padding: &'static dyn RsaEncoding, pem: &str, message: &str) -> Vec<u8> {
    let pair = RsaKeyPair::from_pkcs8(&der(pem)).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    signature
}

/// What a PEM of one block holds.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    BASE64URL.decode(text).unwrap()
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

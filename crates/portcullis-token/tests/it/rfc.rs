//! The examples of the standards.

use portcullis_token::{Algorithm, Expect, KeyRing, Rejected, SigningKey, VerifyingKey};
use serde_json::json;

use crate::forge::{AUDIENCE, ISSUER, NOW, claims, encode, sign_ed25519, sign_hs256};

/// RFC 8037 appendix A.1.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// RFC 8037 appendix A.2.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// RFC 8037 appendix A.3.
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
/// RFC 8037 appendix A.4: `Example of Ed25519 signing` under a header of `alg` alone.
const JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// RFC 7515 appendix A.1.
const K: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515 appendix A.1.1.
const JWT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

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
fn rfc_8037_a_4_the_signature_is_right_and_still_no_access_token() {
    let (message, signature) = JWS.rsplit_once('.').unwrap();
    assert_eq!(encode(sign_ed25519(&seed(), message)), signature);
    let key = SigningKey::ed25519(&seed()).unwrap();
    let expect = Expect::new(ISSUER, AUDIENCE);
    assert_eq!(KeyRing::new(key).verify(JWS, &expect, NOW), Err(Rejected::Type));
}

#[test]
fn rfc_8037_a_4_the_key_signs_access_tokens_as_the_standard_says() {
    let ring = KeyRing::new(SigningKey::ed25519(&seed()).unwrap());
    let expect = Expect::new(ISSUER, AUDIENCE);
    let header = json!({ "alg": "EdDSA", "kid": THUMBPRINT, "typ": "at+jwt" }).to_string();
    let message = format!("{}.{}", encode(header), encode(claims().to_string()));
    let forged = format!("{message}.{}", encode(sign_ed25519(&seed(), &message)));
    let said = ring.verify(&forged, &expect, NOW).unwrap();
    let signed = ring.sign(&said).unwrap();
    let (message, signature) = signed.rsplit_once('.').unwrap();
    assert_eq!(signature, encode(sign_ed25519(&seed(), message)), "Ed25519 is deterministic");
}

#[test]
fn rfc_7515_a_1_the_key_signs_as_hs256() {
    let k = decode(K);
    assert_eq!(k.len(), 64);
    let key = SigningKey::from_jwk(&json!({ "kty": "oct", "k": K, "kid": "a1" }).to_string()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Hs256);
    let (message, signature) = JWT.rsplit_once('.').unwrap();
    assert_eq!(encode(sign_hs256(&k, message)), signature);

    let ring = KeyRing::new(key);
    let expect = Expect::new(ISSUER, AUDIENCE);
    let header = json!({ "alg": "HS256", "kid": "a1", "typ": "at+jwt" }).to_string();
    let message = format!("{}.{}", encode(header), encode(claims().to_string()));
    let forged = format!("{message}.{}", encode(sign_hs256(&k, &message)));
    let said = ring.verify(&forged, &expect, NOW).unwrap();
    let signed = ring.sign(&said).unwrap();
    let (message, signature) = signed.rsplit_once('.').unwrap();
    assert_eq!(signature, encode(sign_hs256(&k, message)));
}

#[test]
fn rfc_7515_a_1_the_example_is_no_access_token() {
    let key = SigningKey::hmac(Algorithm::Hs256, &decode(K), "a1").unwrap();
    let expect = Expect::new("joe", AUDIENCE);
    assert_eq!(KeyRing::new(key).verify(JWT, &expect, 1_300_000_000), Err(Rejected::Type));
}

fn seed() -> [u8; 32] {
    decode(D).try_into().unwrap()
}

fn decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).unwrap()
}

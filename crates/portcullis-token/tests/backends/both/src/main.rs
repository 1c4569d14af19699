//! A program in which another crate brought jsonwebtoken, both of its backends, and chose one for the whole process.

use jsonwebtoken::{DecodingKey, Validation};
use portcullis_token::{AccessClaims, Algorithm, Audience, Expect, KeyRing, SigningKey};

fn main() {
    jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default().unwrap();
    for key in keys() {
        let algorithm = key.algorithm();
        let ring = KeyRing::new(key);
        let token = ring.sign(&claims()).unwrap();
        let said = ring.verify(&token, &Expect::new("https://issuer.example", "notes"), 1_000);
        assert_eq!(said, Ok(claims()), "{algorithm:?}");
        if algorithm == Algorithm::Hs256 {
            theirs_reads(&token);
        }
        println!("{}", algorithm.name());
    }
}

fn keys() -> [SigningKey; 4] {
    let pem = |text, algorithm| SigningKey::from_pem(text, algorithm, Some("k")).unwrap();
    [
        SigningKey::ed25519(&[7; 32]).unwrap(),
        pem(include_str!("../../../it/keys/p256.pem"), Algorithm::Es256),
        pem(include_str!("../../../it/keys/rsa2048.pem"), Algorithm::Rs256),
        SigningKey::hmac(Algorithm::Hs256, SECRET, "k").unwrap(),
    ]
}

/// The other crate's choice works for it, beside ours.
fn theirs_reads(token: &str) {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_audience(&["notes"]);
    let key = DecodingKey::from_secret(SECRET);
    let said = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).unwrap();
    assert_eq!(said.claims["sub"], "user-1");
}

fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://issuer.example".into(),
        sub: "user-1".into(),
        aud: Audience::from("notes"),
        exp: 1_900,
        iat: 1_000,
        jti: "token-1".into(),
        client_id: "web".into(),
        sid: "session-1".into(),
        auth_time: 1_000,
        amr: vec!["pwd".into()],
        roles: vec![],
        permissions: vec![],
        packed: None,
    }
}

const SECRET: &[u8] = b"an HS256 secret for tests only!!";

//! The key decides the algorithm; the header only has to agree.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_token::{Algorithm, Expect, KeyRing, Rejected, SigningKey};
use serde_json::json;

use crate::forge::{
    AUDIENCE, ISSUER, NOW, SECRET, asymmetric, claims, decode, der, encode, header, hs256, one_of_each, raw,
    refused, seal, sign_ed25519, sign_hmac, token, with, without,
};

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    for key in one_of_each() {
        for alg in
            ["none", "None", "NONE", "nOnE", "NoNe", "none ", " none", "none\0", "\u{FF4E}one", "", "null"]
        {
            let header = with(header(&key), "alg", json!(alg));
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            refused(&key, &format!("{message}."), Rejected::Algorithm, alg);
            refused(&key, &seal(&key, &message), Rejected::Algorithm, alg);
            let nameless = without(header, "kid");
            let message = format!("{}.{}", encode(nameless.to_string()), encode(claims().to_string()));
            refused(&key, &format!("{message}."), Rejected::UnknownKey, alg);
        }
        let escaped = format!(r#"{{"alg":"no\u006ee","kid":"{}","typ":"at+jwt"}}"#, key.kid());
        let message = format!("{}.{}", encode(escaped), encode(claims().to_string()));
        refused(&key, &format!("{message}."), Rejected::Algorithm, "escaped");
    }
}

#[test]
fn the_algorithm_is_there_and_a_string() {
    for key in one_of_each() {
        refused(&key, &token(&key, &without(header(&key), "alg"), &claims()), Rejected::Malformed, "no alg");
        for alg in [json!(null), json!(0), json!(false), json!([key.algorithm().name()]), json!({})] {
            let forged = token(&key, &with(header(&key), "alg", alg.clone()), &claims());
            refused(&key, &forged, Rejected::Malformed, &alg.to_string());
        }
    }
}

#[test]
fn the_key_decides_the_algorithm_not_the_header() {
    for key in one_of_each() {
        for alg in [
            "HS256", "HS384", "HS512", "EdDSA", "Ed25519", "Ed448", "ES256", "ES256K", "ES384", "RS256",
            "PS256", "hs256", "eddsa", "EDDSA", "Hs256", "HS256 ", "EdDSA\0",
        ] {
            if alg != key.algorithm().name() {
                let forged = token(&key, &with(header(&key), "alg", json!(alg)), &claims());
                refused(&key, &forged, Rejected::Algorithm, alg);
            }
        }
    }
}

#[test]
fn a_key_does_not_lend_its_algorithm_to_another_of_its_ring() {
    let keys = one_of_each();
    let ring = keys[1..]
        .iter()
        .fold(KeyRing::new(keys[0].clone()), |ring, key| ring.also_verify(key.verifying().clone()).unwrap());
    for named in &keys {
        for signing in keys.iter().filter(|signing| signing.kid() != named.kid()) {
            for (alg, why) in
                [(signing.algorithm(), Rejected::Algorithm), (named.algorithm(), Rejected::Signature)]
            {
                let header = json!({ "alg": alg.name(), "kid": named.kid(), "typ": "at+jwt" });
                let forged = token(signing, &header, &claims());
                let answer = ring.verify(&forged, &Expect::new(ISSUER, AUDIENCE), NOW);
                assert_eq!(answer, Err(why), "{header}, signed by {signing:?}");
            }
        }
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let mut tried = 0;
    for key in asymmetric() {
        for (case, secret) in public_writings(&key) {
            for (alg, hash) in [
                ("HS256", hmac::HMAC_SHA256),
                ("HS384", hmac::HMAC_SHA384),
                ("HS512", hmac::HMAC_SHA512),
                (key.algorithm().name(), hmac::HMAC_SHA256),
            ] {
                let header = with(header(&key), "alg", json!(alg));
                let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
                let forged = format!("{message}.{}", encode(sign_hmac(hash, &secret, &message)));
                let own = alg == key.algorithm().name();
                refused(&key, &forged, if own { Rejected::Signature } else { Rejected::Algorithm }, &case);
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn the_hmac_secret_is_no_ed25519_seed() {
    let key = hs256();
    let header = with(header(&key), "alg", json!("EdDSA"));
    let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
    let forged = format!("{message}.{}", encode(sign_ed25519(&SECRET, &message)));
    refused(&key, &forged, Rejected::Algorithm, "seed");
}

#[test]
fn the_signature_comes_before_the_content() {
    for key in one_of_each() {
        for payload in ["", "{", "null", "{\"exp\":0}"] {
            let good = raw(&key, header(&key).to_string().as_bytes(), payload.as_bytes());
            refused(&key, &good, Rejected::Claims, payload);
            let (message, signature) = good.rsplit_once('.').unwrap();
            let bad = encode(vec![7; decode(signature).len()]);
            refused(&key, &format!("{message}.{bad}"), Rejected::Signature, payload);
        }
    }
}

/// The bytes in which a public key might lie before somebody who takes it for a secret.
fn public_writings(key: &SigningKey) -> Vec<(String, Vec<u8>)> {
    let jwk = key.verifying().to_jwk().unwrap();
    let (pem, pkcs1) = match key.algorithm() {
        Algorithm::EdDsa => (pem(&ed25519_spki(&decode(jwk.x.as_deref().unwrap()))), None),
        Algorithm::Es256 => (include_str!("keys/p256.pub.pem").to_owned(), None),
        Algorithm::Es384 => (include_str!("keys/p384.pub.pem").to_owned(), None),
        _ => (
            include_str!("keys/rsa2048.pub.pem").to_owned(),
            Some(include_str!("keys/rsa2048.pkcs1-pub.pem").to_owned()),
        ),
    };
    let mut writings = vec![
        ("JWK".to_owned(), serde_json::to_vec(&jwk).unwrap()),
        ("JWK, indented".to_owned(), serde_json::to_vec_pretty(&jwk).unwrap()),
        ("JWK set".to_owned(), serde_json::to_vec(&KeyRing::new(key.clone()).jwks()).unwrap()),
        ("key id".to_owned(), key.kid().as_bytes().to_vec()),
        ("nothing".to_owned(), vec![]),
    ];
    for pem in [Some(pem), pkcs1].into_iter().flatten() {
        writings.push(("DER".to_owned(), der(&pem)));
        writings.push(("DER in base64".to_owned(), STANDARD.encode(der(&pem)).into_bytes()));
        writings.push(("PEM, CRLF".to_owned(), pem.replace('\n', "\r\n").into_bytes()));
        writings.push(("PEM, trimmed".to_owned(), pem.trim_end().as_bytes().to_vec()));
        writings.push(("PEM, line ends escaped".to_owned(), pem.replace('\n', "\\n").into_bytes()));
        writings.push(("PEM".to_owned(), pem.into_bytes()));
    }
    for member in [&jwk.x, &jwk.y, &jwk.n, &jwk.e].into_iter().flatten() {
        let bytes = decode(member);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writings.push(("a member in hex".to_owned(), hex.into_bytes()));
        writings.push(("a member in base64".to_owned(), STANDARD.encode(&bytes).into_bytes()));
        writings.push(("a member in base64url".to_owned(), member.clone().into_bytes()));
        writings.push(("a member".to_owned(), bytes));
    }
    writings
}

fn ed25519_spki(point: &[u8]) -> Vec<u8> {
    [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], point].concat()
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

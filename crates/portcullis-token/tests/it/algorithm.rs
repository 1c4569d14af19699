//! The key decides the algorithm; the header only has to agree.

use portcullis_token::{Expect, KeyRing, Rejected};
use serde_json::json;

use crate::forge::{
    AUDIENCE, ISSUER, NOW, SECRET, both, claims, ed25519, encode, header, hs256, raw, refused, seal,
    sign_ed25519, sign_hs256, token, with, without,
};

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    for key in both() {
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
    for key in both() {
        refused(&key, &token(&key, &without(header(&key), "alg"), &claims()), Rejected::Malformed, "no alg");
        for alg in [json!(null), json!(0), json!(false), json!([key.algorithm().name()]), json!({})] {
            let forged = token(&key, &with(header(&key), "alg", alg.clone()), &claims());
            refused(&key, &forged, Rejected::Malformed, &alg.to_string());
        }
    }
}

#[test]
fn the_key_decides_the_algorithm_not_the_header() {
    for key in both() {
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
    let (ed, hs) = (ed25519(), hs256());
    let ring = KeyRing::new(ed.clone()).also_verify(hs.verifying().clone()).unwrap();
    for (named, signing) in [(&ed, &hs), (&hs, &ed)] {
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

#[test]
fn the_public_key_is_no_hmac_secret() {
    let key = ed25519();
    let jwk = key.verifying().to_jwk().unwrap();
    let x = jwk.x.clone().unwrap();
    let bytes = decoded(&x);
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], bytes.as_slice()]
        .concat();
    let pem = |lines: &str| format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
    let jwks = KeyRing::new(key.clone()).jwks();
    let secrets = [
        ("raw", bytes.clone()),
        ("base64url", x.clone().into_bytes()),
        ("base64", standard(&bytes).into_bytes()),
        ("hex", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
        ("JWK", serde_json::to_vec(&jwk).unwrap()),
        ("JWK, indented", serde_json::to_vec_pretty(&jwk).unwrap()),
        ("JWK set", serde_json::to_vec(&jwks).unwrap()),
        ("DER", spki.clone()),
        ("PEM", pem(&standard(&spki)).into_bytes()),
        ("PEM, trimmed", pem(&standard(&spki)).trim_end().as_bytes().to_vec()),
        ("thumbprint", key.kid().as_bytes().to_vec()),
        ("nothing", vec![]),
    ];
    for (case, secret) in secrets {
        for (alg, why) in [("HS256", Rejected::Algorithm), ("EdDSA", Rejected::Signature)] {
            let header = with(header(&key), "alg", json!(alg));
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            let forged = format!("{message}.{}", encode(sign_hs256(&secret, &message)));
            refused(&key, &forged, why, case);
        }
    }
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
    for key in both() {
        for payload in ["", "{", "null", "{\"exp\":0}"] {
            let good = raw(&key, header(&key).to_string().as_bytes(), payload.as_bytes());
            refused(&key, &good, Rejected::Claims, payload);
            let (message, _) = good.rsplit_once('.').unwrap();
            refused(&key, &format!("{message}.{}", encode([7; 64])), Rejected::Signature, payload);
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).unwrap()
}

fn standard(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

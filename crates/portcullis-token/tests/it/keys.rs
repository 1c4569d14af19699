//! A key is checked before it is used, and its secret stays where it is.

use portcullis_token::{Algorithm, Expect, Jwk, JwkSet, KeyError, KeyRing, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::forge::{
    AUDIENCE, ISSUER, NOW, SECRET, SEED, accepted, claims, ed25519, encode, header, hs256, one_of_each,
    token, verify, with, without,
};

#[test]
fn a_key_survives_its_jwk() {
    for key in one_of_each() {
        let again = SigningKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(again.to_jwk(), key.to_jwk());
        assert_eq!((again.kid(), again.algorithm()), (key.kid(), key.algorithm()));
        let claims = verify(&key, &token(&key, &header(&key), &claims()));
        let token = KeyRing::new(again.clone()).sign(&claims.unwrap()).unwrap();
        accepted(&key, &token, "signed by the key read back");
    }
}

#[test]
fn a_public_key_survives_its_jwk() {
    let key = ed25519();
    let jwk = key.verifying().to_jwk().unwrap();
    let again = VerifyingKey::from_jwk(&serde_json::to_string(&jwk).unwrap()).unwrap();
    assert_eq!(again.to_jwk(), Some(jwk));
    assert_eq!((again.kid(), again.algorithm()), (key.kid(), Algorithm::EdDsa));
}

#[test]
fn a_private_jwk_read_as_a_public_one_becomes_public() {
    let key = VerifyingKey::from_jwk(&okp().to_string()).unwrap();
    assert_eq!(key.to_jwk(), ed25519().verifying().to_jwk());
}

#[test]
fn a_key_keeps_the_name_it_was_given_and_else_bears_its_thumbprint() {
    let named = SigningKey::from_jwk(&with(okp(), "kid", json!("2024-01")).to_string()).unwrap();
    assert_eq!((named.kid(), named.verifying().kid()), ("2024-01", "2024-01"));
    let nameless = SigningKey::from_jwk(&without(okp(), "kid").to_string()).unwrap();
    assert_eq!(nameless.kid(), ed25519().kid());
    assert_eq!(nameless.kid().len(), 43);
}

#[test]
fn an_hmac_key_is_as_long_as_its_hash() {
    for length in [0, 1, 16, 31] {
        let secret = vec![7; length];
        assert_eq!(
            SigningKey::hmac(Algorithm::Hs256, &secret, "k").unwrap_err(),
            KeyError::TooShort("HS256", 32, length)
        );
        unfit(&with(oct(), "k", json!(encode(&secret))), &KeyError::TooShort("HS256", 32, length));
    }
    for length in [32, 33, 64, 1_000] {
        let k = encode(vec![7; length]);
        let key = SigningKey::from_jwk(&with(oct(), "k", json!(k)).to_string()).unwrap();
        assert!(key.to_jwk().contains(&k), "{length} bytes");
    }
}

#[test]
fn a_symmetric_key_needs_a_name_that_tells_nothing() {
    unfit(&without(oct(), "kid"), &KeyError::Member("kid"));
}

#[test]
fn a_key_id_is_neither_empty_nor_endless() {
    for kid in [String::new(), "k".repeat(129)] {
        assert_eq!(SigningKey::hmac(Algorithm::Hs256, &SECRET, &kid).unwrap_err(), KeyError::Member("kid"));
        for jwk in [okp(), oct()] {
            unfit(&with(jwk, "kid", json!(kid)), &KeyError::Member("kid"));
        }
    }
    assert!(SigningKey::hmac(Algorithm::Hs256, &SECRET, &"k".repeat(128)).is_ok());
}

#[test]
fn a_key_of_another_type_or_curve_is_refused() {
    for kty in ["AKP", "okp", "ec", "OCT", ""] {
        for jwk in [okp(), oct()] {
            unfit(&with(jwk, "kty", json!(kty)), &KeyError::Unfit("kty"));
        }
    }
    unfit(&with(okp(), "kty", json!("EC")), &KeyError::Unfit("crv"));
    unfit(&with(okp(), "kty", json!("RSA")), &KeyError::Unfit("alg"));
    for crv in ["X25519", "Ed448", "ed25519", "P-256", ""] {
        unfit(&with(okp(), "crv", json!(crv)), &KeyError::Unfit("crv"));
    }
    unfit(&without(okp(), "crv"), &KeyError::Unfit("crv"));
    unfit(&with(with(okp(), "kty", json!("oct")), "k", json!(encode(SECRET))), &KeyError::Unfit("alg"));
}

#[test]
fn a_key_for_another_algorithm_is_refused() {
    for (jwk, names) in [
        (okp(), ["HS256", "ES256", "Ed448", "eddsa", "none", ""]),
        (oct(), ["EdDSA", "RS256", "HS1", "hs256", "none", ""]),
    ] {
        for alg in names {
            unfit(&with(jwk.clone(), "alg", json!(alg)), &KeyError::Unfit("alg"));
        }
        assert!(SigningKey::from_jwk(&without(jwk, "alg").to_string()).is_ok());
    }
}

#[test]
fn a_key_that_is_not_for_signatures_is_refused() {
    for jwk in [okp(), oct()] {
        for usage in ["enc", "SIG", "signature", ""] {
            unfit(&with(jwk.clone(), "use", json!(usage)), &KeyError::Forbidden);
        }
        for ops in [json!([]), json!(["encrypt"]), json!(["deriveBits", "wrapKey"]), json!(["Sign"])] {
            unfit(&with(jwk.clone(), "key_ops", ops), &KeyError::Forbidden);
        }
        let unused = without(jwk, "use").to_string();
        assert!(SigningKey::from_jwk(&unused).is_ok() && VerifyingKey::from_jwk(&unused).is_ok());
    }
}

#[test]
fn key_ops_say_which_half_a_key_is_good_for() {
    for jwk in [okp(), oct()] {
        for (ops, signs, verifies) in [
            (json!(["sign"]), true, false),
            (json!(["verify"]), false, true),
            (json!(["sign", "verify"]), true, true),
        ] {
            let text = with(jwk.clone(), "key_ops", ops).to_string();
            assert_eq!(SigningKey::from_jwk(&text).err(), (!signs).then_some(KeyError::Forbidden), "{text}");
            assert_eq!(
                VerifyingKey::from_jwk(&text).err(),
                (!verifies).then_some(KeyError::Forbidden),
                "{text}"
            );
        }
    }
}

#[test]
fn the_public_part_belongs_to_the_private_part() {
    let other = SigningKey::ed25519(&[9; 32]).unwrap().verifying().to_jwk().unwrap();
    for x in [other.x.clone().unwrap(), encode([0; 32]), encode(SEED)] {
        let jwk = with(okp(), "x", json!(x)).to_string();
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), KeyError::Mismatch, "{x}");
    }
}

#[test]
fn ed25519_keys_have_32_bytes_in_each_part() {
    for length in [0, 31, 33, 64] {
        unfit(&with(okp(), "x", json!(encode(vec![7; length]))), &KeyError::Member("x"));
        let jwk = with(okp(), "d", json!(encode(vec![7; length]))).to_string();
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), KeyError::Member("d"));
    }
    unfit(&without(okp(), "x"), &KeyError::Member("x"));
    assert_eq!(SigningKey::from_jwk(&without(okp(), "d").to_string()).unwrap_err(), KeyError::Member("d"));
    unfit(&without(oct(), "k"), &KeyError::Member("k"));
}

#[test]
fn key_members_are_canonical_base64url_without_padding() {
    // 0xfb and 0xff need the letters in which the alphabets differ; 32 bytes leave two bits unused.
    let bytes = [[0xfb; 16], [0xff; 16]].concat();
    let good = encode(&bytes);
    let bad = [
        format!("{good}="),
        good.replace('-', "+").replace('_', "/"),
        good[..good.len() - 1].to_owned() + "9",
        format!("{good}AA"),
        format!(" {good}"),
        format!("{good}\n"),
        good[..20].to_owned() + "\n" + &good[20..],
        good[..42].to_owned() + "\u{FF21}",
    ];
    assert!(VerifyingKey::from_jwk(&with(oct(), "k", json!(good)).to_string()).is_ok());
    for text in bad {
        unfit(&with(oct(), "k", json!(text)), &KeyError::Member("k"));
        unfit(&with(okp(), "x", json!(text)), &KeyError::Member("x"));
        let jwk = with(okp(), "d", json!(text)).to_string();
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), KeyError::Member("d"), "{text}");
    }
}

#[test]
fn a_text_that_is_no_key_is_refused_and_not_quoted() {
    let secret = encode(SECRET);
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        secret.clone(),
        json!(secret).to_string(),
        format!(r#"{{"kty":"oct","kid":"k","k":"{secret}"#),
        format!(r#"{{"kty":"oct","kid":"k","k":"{secret}","k":"{secret}"}}"#),
        format!(r#"{{"kty":"oct","kid":"k","k":["{secret}"]}}"#),
        format!(r#"{{"kty":"oct","kid":"k","{secret}"}}"#),
        format!(r#"{{"kty":["{secret}"]}}"#),
        format!(r#"{{"kty":"oct","key_ops":"{secret}"}}"#),
        format!(r#"{{"kty":"oct","kid":7,"k":"{secret}"}}"#),
        format!("{}{}", okp(), okp()),
    ] {
        for error in [SigningKey::from_jwk(&text).unwrap_err(), VerifyingKey::from_jwk(&text).unwrap_err()] {
            assert!(matches!(error, KeyError::Malformed(_)), "{text}: {error:?}");
            silent(&format!("{error} {error:?}"), &text);
        }
    }
    for jwk in [okp(), oct()] {
        for (name, value) in
            [("kty", json!("EC")), ("alg", json!("none")), ("use", json!("enc")), ("kid", json!(""))]
        {
            let error = SigningKey::from_jwk(&with(jwk.clone(), name, value).to_string()).unwrap_err();
            silent(&format!("{error} {error:?}"), name);
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    for key in one_of_each() {
        let jwk: Jwk = serde_json::from_str(&key.to_jwk()).unwrap();
        let set = JwkSet { keys: vec![jwk.clone()] };
        let ring = KeyRing::new(key.clone());
        silent(&format!("{key:?} {key:#?}"), "signing key");
        silent(&format!("{0:?} {0:#?}", key.verifying()), "verifying key");
        silent(&format!("{jwk:?} {jwk:#?}"), "JWK");
        silent(&format!("{set:?} {set:#?}"), "JWK set");
        silent(&format!("{ring:?} {ring:#?}"), "ring");
    }
}

#[test]
fn what_is_published_has_no_private_or_symmetric_member() {
    let (ed, hs) = (ed25519(), hs256());
    assert_eq!(hs.verifying().to_jwk(), None);
    assert_eq!(KeyRing::new(hs.clone()).jwks().keys, []);
    let retired = SigningKey::from_jwk(&with(okp(), "kid", json!("retired")).to_string()).unwrap();
    let ring = KeyRing::new(hs)
        .also_verify(ed.verifying().clone())
        .and_then(|ring| ring.also_verify(retired.verifying().clone()))
        .unwrap();
    let published = serde_json::to_value(ring.jwks()).unwrap();
    let keys = published["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
    silent(&published.to_string(), "jwks");
}

#[test]
fn a_published_key_is_all_that_a_verifier_needs() {
    let ring = KeyRing::new(ed25519());
    let published: JwkSet = serde_json::from_value(serde_json::to_value(ring.jwks()).unwrap()).unwrap();
    assert_eq!(published, ring.jwks());
    let key = VerifyingKey::from_jwk(&serde_json::to_string(&published.keys[0]).unwrap()).unwrap();
    let elsewhere = KeyRing::new(hs256()).also_verify(key).unwrap();
    let ed = ed25519();
    let token = token(&ed, &header(&ed), &claims());
    let expect = Expect::new(ISSUER, AUDIENCE);
    assert!(elsewhere.verify(&token, &expect, NOW).is_ok());
}

#[test]
fn an_algorithm_is_named_exactly() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
    }
    for name in ["", "none", "eddsa", "EDDSA", "Ed25519", "hs256", "HS1", "HS256 "] {
        assert_eq!(Algorithm::from_name(name), None, "{name}");
    }
    assert_eq!(Algorithm::default(), Algorithm::EdDsa);
}

/// The private JWK of the Ed25519 key.
fn okp() -> Value {
    serde_json::from_str(&ed25519().to_jwk()).unwrap()
}

/// The JWK of the symmetric key.
fn oct() -> Value {
    serde_json::from_str(&hs256().to_jwk()).unwrap()
}

/// Demands that `jwk` is refused alike as a key to sign and as one to verify.
#[track_caller]
fn unfit(jwk: &Value, why: &KeyError) {
    let text = jwk.to_string();
    assert_eq!(SigningKey::from_jwk(&text).as_ref().err(), Some(why), "sign: {text}");
    assert_eq!(VerifyingKey::from_jwk(&text).as_ref().err(), Some(why), "verify: {text}");
}

/// Demands that `shown` holds neither secret of these tests, in no writing.
#[track_caller]
fn silent(shown: &str, case: &str) {
    for secret in [SEED, SECRET] {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8(secret.to_vec()).unwrap();
        let list = format!("{:?}", &secret[..8]);
        for writing in [&encode(secret)[..16], &hex[..16], &text[..16], list.trim_matches(['[', ']'])] {
            assert!(!shown.contains(writing), "{case}: {writing} in {shown}");
        }
    }
}

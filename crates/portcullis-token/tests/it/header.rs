//! What the header may say, and what of it is never believed.

use portcullis_token::{KeyRing, Rejected};
use serde_json::{Value, json};

use crate::forge::{
    accepted, another, asymmetric, claims, ed25519, encode, header, hs256, one_of_each, raw, refused, seal,
    sign_hs256, token, verify, with, without,
};

#[test]
fn only_an_access_token_is_an_access_token() {
    for key in one_of_each() {
        refused(&key, &token(&key, &without(header(&key), "typ"), &claims()), Rejected::Type, "no typ");
        for typ in [
            "JWT",
            "jwt",
            "application/jwt",
            "",
            "application/",
            "rt+jwt",
            "logout+jwt",
            "dpop+jwt",
            "secevent+jwt",
            "at+jwt ",
            " at+jwt",
            "at +jwt",
            "at+jwt;v=1",
            "at+jwts",
            "text/at+jwt",
            "application/application/at+jwt",
            "/at+jwt",
            "\u{FF41}t+jwt",
        ] {
            let forged = token(&key, &with(header(&key), "typ", json!(typ)), &claims());
            refused(&key, &forged, Rejected::Type, typ);
        }
        for typ in [json!(null), json!(1), json!(["at+jwt"]), json!({ "at+jwt": true })] {
            let forged = token(&key, &with(header(&key), "typ", typ.clone()), &claims());
            refused(&key, &forged, Rejected::Malformed, &typ.to_string());
        }
    }
}

#[test]
fn an_id_token_is_no_access_token() {
    let key = ed25519();
    let id_token = with(with(claims(), "nonce", json!("n-1")), "at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ"));
    refused(
        &key,
        &token(&key, &with(header(&key), "typ", json!("JWT")), &id_token),
        Rejected::Type,
        "ID token",
    );
}

#[test]
fn a_refresh_token_is_no_access_token() {
    for key in one_of_each() {
        let opaque = format!("pcr_{}", encode([7; 64]));
        refused(&key, &opaque, Rejected::Malformed, "refresh token");
    }
}

#[test]
fn the_type_is_a_media_type_so_its_case_and_prefix_do_not_count() {
    for key in one_of_each() {
        for typ in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"] {
            accepted(&key, &token(&key, &with(header(&key), "typ", json!(typ)), &claims()), typ);
        }
    }
}

#[test]
fn any_crit_is_refused_even_an_empty_or_mistyped_one() {
    for key in one_of_each() {
        for crit in [
            json!(["exp"]),
            json!(["b64"]),
            json!(["https://example.com/unknown"]),
            json!(["alg", "kid"]),
            json!([]),
            json!(["a", "a"]),
            json!("exp"),
            json!(null),
            json!(false),
            json!({}),
        ] {
            let case = crit.to_string();
            let forged = token(&key, &with(header(&key), "crit", crit), &claims());
            refused(&key, &forged, Rejected::Critical, &case);
        }
    }
}

#[test]
fn a_payload_that_is_not_base64url_is_refused_with_or_without_crit() {
    for key in one_of_each() {
        for b64 in [json!(false), json!(true), json!(null)] {
            let alone = with(header(&key), "b64", b64);
            let listed = with(alone.clone(), "crit", json!(["b64"]));
            for header in [alone, listed] {
                let case = header.to_string();
                refused(&key, &token(&key, &header, &claims()), Rejected::Critical, &case);
                // RFC 7797 §3: the payload as it is, here without a dot, and detached.
                let plain = claims().to_string().replace('.', "-");
                let unencoded = seal(&key, &format!("{}.{plain}", encode(header.to_string())));
                refused(&key, &unencoded, Rejected::Critical, &case);
                let detached = seal(&key, &format!("{}.", encode(header.to_string())));
                refused(&key, &detached, Rejected::Critical, &case);
            }
        }
    }
}

#[test]
fn a_key_in_the_header_is_never_trusted() {
    for ours in asymmetric() {
        let theirs = another(ours.algorithm(), "theirs");
        let forge = |header: &Value| {
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            let signature = theirs.signature(message.as_bytes()).unwrap();
            format!("{message}.{}", encode(signature))
        };
        let jwk = serde_json::to_value(theirs.verifying().to_jwk()).unwrap();
        for (name, value) in [
            ("jwk", jwk),
            ("jku", json!("https://evil.example/jwks.json")),
            ("x5u", json!("https://evil.example/cert.pem")),
            ("x5c", json!(["MIIBVTCCAQegAwIBAgIUe2V2aWw="])),
            ("x5t", json!("dGh1bWJwcmludA")),
            ("x5t#S256", json!("dGh1bWJwcmludA")),
        ] {
            let header = with(header(&ours), name, value);
            refused(&ours, &forge(&header), Rejected::Signature, name);
            let named = with(header.clone(), "kid", json!(theirs.kid()));
            refused(&ours, &forge(&named), Rejected::UnknownKey, name);
            refused(&ours, &forge(&without(header, "kid")), Rejected::UnknownKey, name);
        }
    }
}

#[test]
fn a_symmetric_key_in_the_header_is_never_trusted() {
    let ours = hs256();
    let secret = [0; 32];
    let header = with(header(&ours), "jwk", json!({ "kty": "oct", "k": encode(secret) }));
    let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
    let forged = format!("{message}.{}", encode(sign_hs256(&secret, &message)));
    refused(&ours, &forged, Rejected::Signature, "oct");
}

#[test]
fn the_key_id_names_a_key_of_the_ring_exactly() {
    for key in one_of_each() {
        refused(&key, &token(&key, &without(header(&key), "kid"), &claims()), Rejected::UnknownKey, "no kid");
        let kid = key.kid().to_owned();
        for near in [
            "".to_owned(),
            "unknown".to_owned(),
            kid.to_uppercase() + "-",
            kid[..kid.len() - 1].to_owned(),
            format!("{kid} "),
            format!(" {kid}"),
            format!("{kid}\0"),
            format!("./{kid}"),
            format!("{kid}' OR '1'='1"),
            "../../../../../../dev/null".to_owned(),
            "/dev/null".to_owned(),
            "file:///proc/self/environ".to_owned(),
            "https://evil.example/jwks.json".to_owned(),
            "x' UNION SELECT 'c2VjcmV0' --".to_owned(),
            "'; DROP TABLE keys; --".to_owned(),
            "| whoami".to_owned(),
            "%00".to_owned(),
            "*".to_owned(),
            "k".repeat(4_000),
        ] {
            let forged = token(&key, &with(header(&key), "kid", json!(near)), &claims());
            refused(&key, &forged, Rejected::UnknownKey, &near);
        }
        for kid in [json!(null), json!(1), json!([kid]), json!({ "kid": kid })] {
            let forged = token(&key, &with(header(&key), "kid", kid.clone()), &claims());
            refused(&key, &forged, Rejected::Malformed, &kid.to_string());
        }
    }
}

#[test]
fn a_path_as_key_id_does_not_sign_with_an_empty_file() {
    for key in one_of_each() {
        for secret in [b"".as_slice(), b"\0", b"\n"] {
            let header = json!({ "alg": "HS256", "kid": "../../dev/null", "typ": "at+jwt" });
            let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
            let forged = format!("{message}.{}", encode(sign_hs256(secret, &message)));
            refused(&key, &forged, Rejected::UnknownKey, "empty secret");
        }
    }
}

#[test]
fn no_header_member_stands_twice() {
    let key = ed25519();
    let good = header(&key).to_string();
    let tail = good.strip_prefix('{').unwrap();
    for twice in [
        format!("\"kid\":\"{}\",", key.kid()),
        "\"kid\":\"other\",".to_owned(),
        r#""alg":"EdDSA","#.to_owned(),
        r#""alg":"none","#.to_owned(),
        r#""\u0061lg":"none","#.to_owned(),
        r#""typ":"JWT","#.to_owned(),
        r#""crit":[],"crit":[],"#.to_owned(),
        r#""x":1,"x":1,"#.to_owned(),
        r#""x":{"a":1,"a":1},"#.to_owned(),
        r#""jwk":[{"k":"a","k":"b"}],"#.to_owned(),
    ] {
        let forged = raw(&key, format!("{{{twice}{tail}").as_bytes(), claims().to_string().as_bytes());
        refused(&key, &forged, Rejected::Malformed, &twice);
    }
}

#[test]
fn a_header_is_utf_8_and_one_json_object() {
    let key = ed25519();
    let good = header(&key).to_string();
    let tail = good.strip_prefix('{').unwrap();
    for bytes in [
        [b"{\"x\":\"\xff\",", tail.as_bytes()].concat(),
        [b"{\"\xff\":1,", tail.as_bytes()].concat(),
        [br#"{"x":"\udc00","#, tail.as_bytes()].concat(),
        format!("\u{FEFF}{good}").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("[{good}]").into_bytes(),
        format!("{{\"x\":{},{tail}", "[".repeat(2_000)).into_bytes(),
        format!("{{\"x\":{}{},{tail}", "[".repeat(2_000), "]".repeat(2_000)).into_bytes(),
        format!("{{\"x\":{}0{},{tail}", "{\"\":".repeat(900), "}".repeat(900)).into_bytes(),
        encode(&good).into_bytes(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"".to_vec(),
    ] {
        let forged = raw(&key, &bytes, claims().to_string().as_bytes());
        refused(&key, &forged, Rejected::Malformed, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_header_may_be_written_otherwise_than_ours() {
    for key in one_of_each() {
        let (alg, kid) = (key.algorithm().name(), key.kid());
        for text in [
            format!(r#"{{"typ":"at+jwt","kid":"{kid}","alg":"{alg}"}}"#),
            format!("{{ \"typ\": \"at+jwt\",\r\n \"kid\": \"{kid}\",\n \"alg\": \"{alg}\" }} "),
            format!(r#"{{"\u0074yp":"at\u002bjwt","kid":"{kid}","alg":"{alg}","x":[null,true,-1,1.5]}}"#),
        ] {
            accepted(&key, &raw(&key, text.as_bytes(), claims().to_string().as_bytes()), &text);
        }
    }
}

#[test]
fn the_header_that_we_write_says_algorithm_key_and_type_and_no_more() {
    for key in one_of_each() {
        let ring = KeyRing::new(key.clone());
        let said = verify(&key, &token(&key, &header(&key), &claims())).unwrap();
        let written = ring.sign(&said).unwrap();
        let (first, _) = written.split_once('.').unwrap();
        assert_eq!(first, encode(header(&key).to_string()));
    }
}

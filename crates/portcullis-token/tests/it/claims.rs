//! What a token says must be complete, typed, unambiguous and meant for us.

use portcullis_token::{AccessClaims, Audience, Expect, KeyRing, Rejected, SigningKey};
use serde_json::{Value, json};

use crate::forge::{
    AUDIENCE, ISSUER, NOW, accepted, both, claims, ed25519, encode, header, raw, refused, token, verify,
    with, without,
};

const REQUIRED: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "jti", "sid"];

#[test]
fn the_claims_of_these_tests_are_good_as_they_stand() {
    for key in both() {
        accepted(&key, &token(&key, &header(&key), &claims()), "control");
    }
}

#[test]
fn every_required_claim_is_demanded() {
    for key in both() {
        for name in REQUIRED {
            let forged = token(&key, &header(&key), &without(claims(), name));
            refused(&key, &forged, Rejected::Claims, &format!("without {name}"));
        }
        refused(&key, &token(&key, &header(&key), &json!({})), Rejected::Claims, "no claims at all");
    }
}

#[test]
fn a_required_claim_is_of_its_type() {
    for key in both() {
        for name in ["iss", "sub", "jti", "sid"] {
            for value in [json!(null), json!(7), json!(true), json!(["x"]), json!([]), json!({ "x": "y" })] {
                mistyped(&key, name, value);
            }
        }
        for value in [json!(null), json!(7), json!(true), json!({}), json!([7]), json!([AUDIENCE, null])] {
            mistyped(&key, "aud", value);
        }
        for name in ["exp", "iat"] {
            let text = (NOW + 900).to_string();
            for value in [json!(null), json!(text), json!(true), json!([NOW + 900]), json!({}), json!("")] {
                mistyped(&key, name, value);
            }
        }
    }
}

#[test]
fn an_optional_claim_is_of_its_type_if_it_is_there() {
    let key = ed25519();
    for (name, values) in [
        ("nbf", vec![json!(null), json!("0"), json!(-1), json!(1.5), json!([0]), json!(false)]),
        ("auth_time", vec![json!(null), json!("0"), json!(-1), json!(1.5)]),
        ("client_id", vec![json!(null), json!(7), json!([])]),
        ("amr", vec![json!(null), json!("pwd"), json!([7])]),
        ("roles", vec![json!(null), json!("admin"), json!([["admin"]])]),
        ("permissions", vec![json!(null), json!("all"), json!({ "all": true })]),
    ] {
        for value in values {
            mistyped(&key, name, value);
        }
    }
}

#[test]
fn the_subject_is_not_empty() {
    for key in both() {
        mistyped(&key, "sub", json!(""));
    }
}

#[test]
fn times_are_whole_seconds_that_fit() {
    let key = ed25519();
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for number in
            ["1700000900.5", "1700000900.0", "1.7000009e9", "-1", "-0.0", "18446744073709551616", "1e300"]
        {
            let text = with(claims(), name, json!("@")).to_string().replace("\"@\"", number);
            let forged = raw(&key, header(&key).to_string().as_bytes(), text.as_bytes());
            refused(&key, &forged, Rejected::Claims, &format!("{name} {number}"));
        }
    }
}

#[test]
fn the_audience_is_one_name_or_several() {
    let key = ed25519();
    for (aud, names) in [
        (json!(AUDIENCE), vec![AUDIENCE]),
        (json!([AUDIENCE]), vec![AUDIENCE]),
        (json!(["mail", AUDIENCE, "files"]), vec!["mail", AUDIENCE, "files"]),
    ] {
        let said = verify(&key, &token(&key, &header(&key), &with(claims(), "aud", aud))).unwrap();
        assert_eq!(said.aud.names(), names);
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let key = ed25519();
    for aud in [
        json!("mail"),
        json!([]),
        json!(""),
        json!([""]),
        json!(["mail", "files"]),
        json!("note"),
        json!("notes2"),
        json!("Notes"),
        json!(" notes"),
        json!("notes\u{0}"),
        json!("mail notes"),
    ] {
        let forged = token(&key, &header(&key), &with(claims(), "aud", aud.clone()));
        refused(&key, &forged, Rejected::Audience, &aud.to_string());
    }
}

#[test]
fn a_token_of_another_issuer_is_refused_though_the_key_fits() {
    let key = ed25519();
    for iss in [
        "",
        "https://issuer.example/",
        "https://issuer.example.evil.example",
        "https://issuer.exampl",
        "https://ISSUER.example",
        "http://issuer.example",
        " https://issuer.example",
        "https://issuer.example\u{0}",
    ] {
        let forged = token(&key, &header(&key), &with(claims(), "iss", json!(iss)));
        refused(&key, &forged, Rejected::Issuer, iss);
    }
}

#[test]
fn no_claim_stands_twice() {
    let key = ed25519();
    let good = claims().to_string();
    let tail = good.strip_prefix('{').unwrap();
    for twice in [
        r#""sub":"user-1","#,
        r#""sub":"admin","#,
        r#""\u0073ub":"admin","#,
        r#""exp":9999999999,"#,
        r#""aud":"mail","#,
        r#""roles":["a"],"roles":["b"],"#,
        r#""unknown":1,"unknown":1,"#,
        r#""unknown":1,"\u0075nknown":1,"#,
        r#""nested":{"a":1,"a":2},"#,
        r#""nested":[0,[{"b":{"a":1,"a":2}}]],"#,
        r#""nested":{"":1,"":2},"#,
    ] {
        let forged = raw(&key, header(&key).to_string().as_bytes(), format!("{{{twice}{tail}").as_bytes());
        refused(&key, &forged, Rejected::Claims, twice);
    }
}

#[test]
fn unknown_claims_are_ignored_whatever_their_type() {
    let key = ed25519();
    for value in [
        json!(null),
        json!(true),
        json!(-7),
        json!(7.5),
        json!("text \u{1F511}"),
        json!([1, [2, { "a": 1 }], { "a": 2 }]),
        json!({ "a": { "a": { "a": [] } }, "sub": "admin", "exp": 0 }),
    ] {
        let said = verify(&key, &token(&key, &header(&key), &with(claims(), "x", value.clone())));
        assert_eq!(said.unwrap().sub, "user-1", "{value}");
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    let key = ed25519();
    let good = claims().to_string();
    let tail = good.strip_prefix('{').unwrap();
    for (open, close, depth) in
        [("[", "]", 200), ("[", "]", 2_500), ("{\"\":", "}", 900), ("[{\"\":", "}]", 700), ("[", "", 5_000)]
    {
        let middle = if open.contains('{') { "0" } else { "" };
        let deep = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
        let text = format!("{{\"x\":{deep},{tail}");
        let forged = raw(&key, header(&key).to_string().as_bytes(), text.as_bytes());
        assert!(forged.len() <= 8 * 1024, "short enough to be read: {}", forged.len());
        refused(&key, &forged, Rejected::Claims, &format!("{depth} x {open}"));
    }
}

#[test]
fn claims_are_utf_8_and_one_json_object() {
    let key = ed25519();
    let good = claims().to_string();
    let tail = good.strip_prefix('{').unwrap();
    let spliced = |member: &[u8]| [b"{".as_slice(), member, b",", tail.as_bytes()].concat();
    for payload in [
        spliced(b"\"x\":\"\xff\""),
        spliced(b"\"x\":\"\xc0\x80\""),
        spliced(b"\"x\":\"\xed\xa0\x80\""),
        spliced(b"\"\xff\":1"),
        spliced(b"\"x\":{\"\xff\":1}"),
        spliced(b"\"client_id\":\"\xff\""),
        spliced(br#""x":"\ud800""#),
        spliced(br#""client_id":"\ud800""#),
        spliced(b"\"x\":NaN"),
        spliced(b"\"x\":'y'"),
        spliced(b"\"x\":\"a\nb\""),
        spliced(b"/* x */ \"x\":1"),
        format!("\u{FEFF}{good}").into_bytes(),
        format!("{good}{{}}").into_bytes(),
        format!("{good},").into_bytes(),
        format!("{good}\0").into_bytes(),
        format!("[{good}]").into_bytes(),
        good.replace('}', ",}").into_bytes(),
        good.trim_end_matches('}').as_bytes().to_vec(),
        encode(&good).into_bytes(),
        b"null".to_vec(),
        b"\"sub\"".to_vec(),
        b"[]".to_vec(),
        b"".to_vec(),
    ] {
        let forged = raw(&key, header(&key).to_string().as_bytes(), &payload);
        refused(&key, &forged, Rejected::Claims, &String::from_utf8_lossy(&payload));
    }
}

#[test]
fn what_was_signed_is_what_is_read() {
    let whole = AccessClaims {
        iss: ISSUER.into(),
        sub: "user \"1\" \u{1F511} \\ \n".into(),
        aud: Audience::from(vec![AUDIENCE.to_owned(), "mail".to_owned()]),
        exp: NOW + 900,
        iat: NOW,
        jti: "token-1".into(),
        client_id: "web".into(),
        sid: "session-1".into(),
        auth_time: NOW - 50,
        amr: vec!["pwd".into(), "otp".into()],
        roles: vec!["editor".into()],
        permissions: vec!["notes:write".into(), String::new()],
        packed: None,
    };
    let sparse = AccessClaims {
        aud: Audience::from(AUDIENCE),
        client_id: "".into(),
        amr: vec![],
        roles: vec![],
        permissions: vec![],
        packed: None,
        ..whole.clone()
    };
    for key in both() {
        let ring = KeyRing::new(key);
        for claims in [&whole, &sparse] {
            let token = ring.sign(claims).unwrap();
            assert_eq!(ring.verify(&token, &Expect::new(ISSUER, AUDIENCE), NOW).as_ref(), Ok(claims));
        }
    }
}

#[test]
fn a_missing_auth_time_is_the_time_of_issue() {
    let key = ed25519();
    let said = verify(&key, &token(&key, &header(&key), &claims())).unwrap();
    assert_eq!((said.auth_time, said.client_id.as_str(), said.amr.len()), (NOW, "", 0));
}

#[track_caller]
fn mistyped(key: &SigningKey, name: &str, value: Value) {
    let case = format!("{name}: {value}");
    refused(key, &token(key, &header(key), &with(claims(), name, value)), Rejected::Claims, &case);
}

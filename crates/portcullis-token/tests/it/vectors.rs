//! Vectors that are not for Rust alone: `tests/vectors/tokens.json`, which the WebAssembly is held to as well.
//!
//! A case is a token with the reason why it is refused, or a JWK Set that has no key to offer. After a change of
//! what is refused, or why, write them anew: `cargo test -p portcullis-token vectors::written_anew -- --ignored`.

use std::fs;
use std::path::PathBuf;

use portcullis_token::{Algorithm, Expect, KeySet, PermissionRegistry, SigningKey};
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, ISSUER, NOW, SECRET, SEED, claims, encode, header, sign_hs256, with, without};

#[test]
fn the_shared_vectors_are_accepted_and_refused_as_they_say() {
    let vectors = read();
    let set = |name: &str| KeySet::from_json(&vectors["sets"][name].to_string()).unwrap();
    let (own, published) = (set("own"), set("published"));
    assert!(own.left_out().is_empty() && own.keys().len() == Algorithm::ALL.len());
    let expect = Expect::new(ISSUER, AUDIENCE);
    for valid in vectors["valid"].as_array().unwrap() {
        let said = own.verify(valid["token"].as_str().unwrap(), &expect, NOW).unwrap();
        assert_eq!(serde_json::to_value(said).unwrap(), valid["claims"]);
    }
    let packed = &vectors["packed"];
    let said = own.verify(packed["token"].as_str().unwrap(), &expect, NOW).unwrap();
    let granted = said.granted(Some(&registry(packed))).unwrap();
    assert_eq!(json!(granted.names().collect::<Vec<_>>()), packed["granted"]);
    let mut tried = 0;
    for trap in vectors["traps"].as_array().unwrap() {
        for case in trap["cases"].as_array().unwrap() {
            let reason = match (&case["jwks"], case["token"].as_str()) {
                (Value::String(jwks), _) => read_set(jwks, case["published"] == json!(true)).err(),
                (_, Some(token)) => {
                    let keys = if case["published"] == json!(true) { &published } else { &own };
                    let now = case["now"].as_u64().unwrap_or(NOW);
                    keys.verify(token, &expect, now).err().map(snake_case)
                }
                _ => panic!("neither keys nor a token: {case}"),
            };
            assert_eq!(json!(reason), case["reason"], "{}: {}", trap["trap"], case["case"]);
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried} cases");
}

#[test]
#[ignore = "writes the vectors; ECDSA and PSS signatures come out different each time"]
fn written_anew() {
    let keys = keys();
    let own: Vec<Value> = keys.iter().map(|key| serde_json::from_str(&key.to_jwk()).unwrap()).collect();
    let own = json!({ "keys": own });
    let published = KeySet::from_json(&own.to_string()).unwrap().jwks();
    let valid: Vec<Value> = keys.iter().map(valid).collect();
    let traps = [
        ("`iss`, `sub`, `aud`, `exp` and `iat` are demanded, of the right JSON type", claims_traps(&keys)),
        ("`typ` is demanded, `crit` understood or refused, and no second is granted", header_traps(&keys)),
        ("keys are checked before they are used", key_traps(&keys)),
        ("the key decides the algorithm and not the header", algorithm_traps(&keys)),
        ("keys come from the set and not from the token", source_traps(&keys)),
        ("a signature has one form", signature_traps(&keys)),
        ("a token has one form", form_traps(&keys)),
        ("no member stands twice and nothing is nested without end", json_traps(&keys)),
        ("one kind of token is not taken for another", kind_traps(&keys)),
    ]
    .map(|(trap, cases)| json!({ "trap": trap, "cases": cases }));
    let vectors = json!({
        "about": "Written by crates/portcullis-token/tests/it/vectors.rs. The keys are for tests alone.",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "now": NOW,
        "sets": { "own": own, "published": published },
        "valid": valid,
        "packed": packed(&keys[0]),
        "traps": traps,
    });
    fs::write(path(), serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
}

fn claims_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        for name in ["iss", "sub", "aud", "exp", "iat", "jti", "sid"] {
            let token = sealed(key, &header(key), &without(claims(), name));
            cases.push(refused(key, &format!("without {name}"), &token, "claims"));
        }
    }
    let key = &keys[0];
    let text = (NOW + 900).to_string();
    for (names, values) in [
        (vec!["iss", "sub", "jti", "sid"], vec![json!(null), json!(7), json!(true), json!(["x"]), json!({})]),
        (vec!["aud"], vec![json!(null), json!(7), json!({}), json!([7]), json!([AUDIENCE, null])]),
        (vec!["exp", "iat", "nbf"], vec![json!(null), json!(text), json!(true), json!([NOW]), json!(1.5)]),
        (vec!["sub"], vec![json!("")]),
    ] {
        for name in names {
            for value in &values {
                let token = sealed(key, &header(key), &with(claims(), name, value.clone()));
                cases.push(refused(key, &format!("{name}: {value}"), &token, "claims"));
            }
        }
    }
    for (name, value, reason) in [
        ("iss", json!("https://issuer.example/"), "issuer"),
        ("iss", json!(""), "issuer"),
        ("aud", json!("mail"), "audience"),
        ("aud", json!("Notes"), "audience"),
        ("aud", json!([]), "audience"),
        ("exp", json!(NOW), "expired"),
        ("exp", json!(0), "expired"),
        ("iat", json!(NOW + 61), "not_yet_valid"),
        ("nbf", json!(NOW + 61), "not_yet_valid"),
    ] {
        let token = sealed(key, &header(key), &with(claims(), name, value.clone()));
        cases.push(refused(key, &format!("{name}: {value}"), &token, reason));
    }
    cases
}

fn header_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        let token = sealed(key, &without(header(key), "typ"), &claims());
        cases.push(refused(key, "without typ", &token, "type"));
        for typ in ["JWT", "at", "logout+jwt", "dpop+jwt", ""] {
            let token = sealed(key, &with(header(key), "typ", json!(typ)), &claims());
            cases.push(refused(key, &format!("typ {typ:?}"), &token, "type"));
        }
        for (name, value) in [("crit", json!(["exp"])), ("crit", json!([])), ("b64", json!(false))] {
            let token = sealed(key, &with(header(key), name, value.clone()), &claims());
            cases.push(refused(key, &format!("{name}: {value}"), &token, "critical"));
        }
        let last = json!({ "now": NOW + 900 });
        cases.push(also(refused(key, "the second at which it is dead", &valid_token(key), "expired"), last));
        let before = json!({ "now": NOW + 899, "reason": null });
        cases.push(also(refused(key, "the second before", &valid_token(key), ""), before));
        let typ = sealed(key, &with(header(key), "typ", json!("application/AT+JWT")), &claims());
        cases.push(also(refused(key, "typ as a media type", &typ, ""), json!({ "reason": null })));
    }
    cases
}

fn key_traps(keys: &[SigningKey]) -> Vec<Value> {
    let jwk = |at: usize| serde_json::from_str::<Value>(&keys[at].to_jwk()).unwrap();
    let public = |at: usize| serde_json::to_value(keys[at].verifying().to_jwk()).unwrap();
    let (ed, es, rs, hs) = (public(0), public(1), public(3), jwk(5));
    let text = |key: &Value, member: &str| key[member].as_str().unwrap().to_owned();
    let mut cases = Vec::new();
    let mut bad = |case: &str, jwks: String, published: bool| {
        cases.push(json!({ "case": case, "jwks": jwks, "published": published, "reason": "invalid_jwks" }));
    };
    let one = |key: &Value| json!({ "keys": [key] }).to_string();
    for (case, key) in [
        ("an empty HMAC key", with(hs.clone(), "k", json!(""))),
        ("a short HMAC key", with(hs.clone(), "k", json!(encode([7; 31])))),
        ("an HMAC key that is short for HS512", with(hs.clone(), "alg", json!("HS512"))),
        ("an HMAC key without a name", without(hs.clone(), "kid")),
        ("an RSA key of 1024 bits", with(rs.clone(), "n", json!(encode([0xc3; 128])))),
        ("an RSA key of 2040 bits", with(rs.clone(), "n", json!(encode([0xc3; 255])))),
        ("an RSA modulus that is even", with(rs.clone(), "n", json!(encode([0xc2; 256])))),
        ("an RSA exponent of 1", with(rs.clone(), "e", json!("AQ"))),
        ("an RSA exponent of 3", with(rs.clone(), "e", json!("Aw"))),
        ("an RSA exponent that is even", with(rs.clone(), "e", json!("AQAC"))),
        ("an RSA exponent with a leading zero", with(rs.clone(), "e", json!("AAEAAQ"))),
        ("an ES256 key labelled P-384", with(es.clone(), "crv", json!("P-384"))),
        ("an ES256 key labelled ES384", with(es.clone(), "alg", json!("ES384"))),
        ("an EC key that is no point", with(es.clone(), "y", json!(text(&es, "x")))),
        (
            "an EC key at zero",
            with(with(es.clone(), "x", json!(encode([0; 32]))), "y", json!(encode([0; 32]))),
        ),
        ("an Ed25519 key of small order", with(ed.clone(), "x", json!(encode([0; 32])))),
        ("an Ed25519 key that is short", with(ed.clone(), "x", json!(encode([7; 31])))),
        ("an Ed25519 key for RS256", with(ed.clone(), "alg", json!("RS256"))),
        ("a key for encryption", with(ed.clone(), "use", json!("enc"))),
        ("a key that may only sign", with(ed.clone(), "key_ops", json!(["sign"]))),
        ("a key that may verify twice", with(ed.clone(), "key_ops", json!(["verify", "verify"]))),
        ("padded base64url", with(ed.clone(), "x", json!(text(&ed, "x") + "="))),
        ("base64 that is not of URLs", with(ed.clone(), "x", json!(format!("+/{}", &text(&ed, "x")[2..])))),
        ("base64url with a blank", with(ed.clone(), "x", json!(format!(" {}", text(&ed, "x"))))),
        (
            "base64url with bits left over",
            with(ed.clone(), "x", json!(format!("{}B", &encode([0x41; 32])[..42]))),
        ),
        ("a key of an unknown type", with(ed.clone(), "kty", json!("AKP"))),
        ("a key without a type", without(ed.clone(), "kty")),
        ("a key id that is empty", with(ed.clone(), "kid", json!(""))),
    ] {
        bad(case, one(&key), false);
    }
    let twice = json!({ "keys": [ed, with(es.clone(), "kid", ed["kid"].clone())] });
    bad("a name that stands twice", twice.to_string(), false);
    bad("a symmetric key that was published", one(&hs), true);
    bad("a private key that was published", one(&jwk(0)), true);
    bad("no keys", json!({ "keys": [] }).to_string(), true);
    bad("no set", "{}".to_owned(), true);
    bad("no JSON", "keys".to_owned(), true);
    bad("a set in which `keys` stands twice", r#"{"keys":[],"keys":[]}"#.to_owned(), true);
    let member = one(&ed).replace(r#""kty":"#, r#""kty":"OKP","kty":"#);
    bad("a key in which a member stands twice", member, true);
    cases
}

fn algorithm_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        for alg in ["none", "None", "NONE", "nOnE", "none ", ""] {
            let message = message(&with(header(key), "alg", json!(alg)), &claims());
            cases.push(refused(key, &format!("alg {alg:?}"), &format!("{message}."), "algorithm"));
        }
        for other in Algorithm::ALL.iter().filter(|other| **other != key.algorithm()) {
            let token = sealed(key, &with(header(key), "alg", json!(other.name())), &claims());
            cases.push(refused(key, &format!("alg {}", other.name()), &token, "algorithm"));
        }
        let token = sealed(key, &without(header(key), "alg"), &claims());
        cases.push(refused(key, "without alg", &token, "malformed"));
        if let Some(jwk) = key.verifying().to_jwk() {
            let number = jwk.x.clone().or(jwk.n.clone()).unwrap();
            for (case, secret) in [
                ("its number in base64url", number.clone().into_bytes()),
                ("its JWK", serde_json::to_vec(&jwk).unwrap()),
                ("its name", key.kid().as_bytes().to_vec()),
                ("nothing", vec![]),
            ] {
                for (alg, reason) in [("HS256", "algorithm"), (key.algorithm().name(), "signature")] {
                    let message = message(&with(header(key), "alg", json!(alg)), &claims());
                    let token = format!("{message}.{}", encode(sign_hs256(&secret, &message)));
                    let case = format!("{alg}, an HMAC by {case} of the public key");
                    cases.push(also(refused(key, &case, &token, reason), json!({ "published": true })));
                }
            }
        }
    }
    cases
}

fn source_traps(keys: &[SigningKey]) -> Vec<Value> {
    let thief = SigningKey::ed25519(&[9; 32]).unwrap();
    let jwk = json!(thief.verifying().to_jwk());
    let mut cases = Vec::new();
    for key in &keys[..5] {
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!("https://thief.example/jwks.json")),
            ("x5u", json!("https://thief.example/cert.pem")),
            ("x5c", json!(["MIIB"])),
        ] {
            let named = with(header(key), name, value.clone());
            let token = format!("{}.{}", message(&named, &claims()), encode([7; 64]));
            cases.push(refused(key, &format!("{name} of a thief"), &token, "signature"));
        }
        for kid in
            ["../../../dev/null", "/dev/null", "x' UNION SELECT 'k", "x'; DROP TABLE keys; --", "\0", ""]
        {
            let token = sealed(key, &with(header(key), "kid", json!(kid)), &claims());
            cases.push(refused(key, &format!("kid {kid:?}"), &token, "unknown_key"));
        }
        let token = sealed(key, &without(header(key), "kid"), &claims());
        cases.push(refused(key, "without kid", &token, "unknown_key"));
    }
    let own = sealed(&thief, &header(&thief), &claims());
    cases.push(refused(&thief, "signed by a thief", &own, "unknown_key"));
    cases
}

fn signature_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        let message = message(&header(key), &claims());
        let good = key.signature(message.as_bytes()).unwrap();
        let half = good.len() / 2;
        let integer = |bytes: &[u8]| [&[0x02, bytes.len() as u8 + 1, 0], bytes].concat();
        let integers = [integer(&good[..half]), integer(&good[half..])].concat();
        let mut bit = good.clone();
        bit[0] ^= 1;
        for (case, signature) in [
            ("absent", vec![]),
            ("all zeros", vec![0; good.len()]),
            ("all ones", vec![0xff; good.len()]),
            ("half zeros", [good[..half].to_vec(), vec![0; half]].concat()),
            ("DER instead of raw", [&[0x30, integers.len() as u8], integers.as_slice()].concat()),
            ("a trailing byte", [good.as_slice(), &[0]].concat()),
            ("a leading byte", [&[0], good.as_slice()].concat()),
            ("a byte short", good[1..].to_vec()),
            ("twice", [good.clone(), good.clone()].concat()),
            ("of another message", key.signature(b"another").unwrap()),
            ("with a bit changed", bit),
        ] {
            cases.push(refused(key, case, &format!("{message}.{}", encode(signature)), "signature"));
        }
    }
    cases
}

fn form_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        let good = valid_token(key);
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = message.split_once('.').unwrap();
        for (case, token) in [
            ("padded", format!("{good}=")),
            ("padded twice", format!("{good}==")),
            ("a blank behind", format!("{good} ")),
            ("a blank before", format!(" {good}")),
            ("a line end", format!("{good}\n")),
            ("a fourth part", format!("{good}.AAAA")),
            ("two parts", message.to_owned()),
            ("no parts", String::new()),
            ("dots", "..".to_owned()),
            ("a letter of another width", format!("{message}.\u{ff21}{}", &signature[1..])),
            ("JSON", json!({ "protected": header, "payload": payload, "signature": signature }).to_string()),
        ] {
            cases.push(refused(key, case, &token, "malformed"));
        }
        // 32, 48, 64 and 256 bytes leave 4, 0, 2 and 2 bits of the last character without a meaning.
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap_or('A');
        if signature.len() % 4 != 0 {
            let token = format!("{message}.{}{next}", &signature[..signature.len() - 1]);
            cases.push(refused(key, "bits that mean nothing", &token, "malformed"));
        }
    }
    let long = with(claims(), "x", json!("x".repeat(8 * 1024)));
    cases.push(refused(&keys[0], "8 KiB", &sealed(&keys[0], &header(&keys[0]), &long), "too_long"));
    cases
}

fn json_traps(keys: &[SigningKey]) -> Vec<Value> {
    let mut cases = Vec::new();
    for key in keys {
        let (top, good) = (header(key).to_string(), claims().to_string());
        let raw = |header: &str, claims: &str| {
            let message = format!("{}.{}", encode(header), encode(claims));
            format!("{message}.{}", encode(key.signature(message.as_bytes()).unwrap()))
        };
        let tail = &good[1..];
        for twice in
            [r#""sub":"admin","#, r#""\u0073ub":"admin","#, r#""x":1,"x":1,"#, r#""x":{"a":1,"a":2},"#]
        {
            cases.push(refused(
                key,
                &format!("claims: {twice}"),
                &raw(&top, &format!("{{{twice}{tail}")),
                "claims",
            ));
        }
        for twice in [r#""alg":"none","#, r#""kid":"x","#, r#""typ":"JWT","#, r#""x":1,"x":1,"#] {
            let token = raw(&format!("{{{twice}{}", &top[1..]), &good);
            cases.push(refused(key, &format!("header: {twice}"), &token, "malformed"));
        }
        for (open, close, depth) in [("[", "]", 2_000), ("{\"\":", "}", 700), ("[", "", 4_000)] {
            if key.algorithm() != Algorithm::EdDsa {
                continue; // These are long.
            }
            let middle = if open.contains('{') { "0" } else { "" };
            let deep = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            let token = raw(&top, &format!("{{\"x\":{deep},{tail}"));
            cases.push(refused(key, &format!("{depth} x {open}"), &token, "claims"));
            let token = raw(&format!("{{\"x\":{deep},{}", &top[1..]), &good);
            cases.push(refused(key, &format!("{depth} x {open} in the header"), &token, "malformed"));
        }
        for payload in ["", "null", "[]", "{", "\"sub\""] {
            cases.push(refused(key, &format!("claims {payload:?}"), &raw(&top, payload), "claims"));
        }
    }
    cases
}

fn kind_traps(keys: &[SigningKey]) -> Vec<Value> {
    let key = &keys[0];
    let refresh = format!("pcr_{}", encode([1; 65]));
    let id_token = sealed(key, &with(header(key), "typ", json!("JWT")), &claims());
    let logout = sealed(key, &with(header(key), "typ", json!("logout+jwt")), &claims());
    vec![
        refused(key, "a refresh token", &refresh, "malformed"),
        refused(key, "an ID token", &id_token, "type"),
        refused(key, "a logout token", &logout, "type"),
        refused(key, "an encrypted token", &format!("{}.a.b.c.d", encode(r#"{"alg":"dir"}"#)), "malformed"),
        refused(key, "a session id", "session-1", "malformed"),
    ]
}

/// One key of each algorithm, in their order. RSA keys cannot be made of a seed: they stay as they are in the file.
fn keys() -> Vec<SigningKey> {
    let kept = fs::read_to_string(path()).ok().map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let of_the_file = |kid: &str| {
        let keys = kept.as_ref()?["sets"]["own"]["keys"].as_array()?;
        SigningKey::from_jwk(&keys.iter().find(|key| key["kid"] == json!(kid))?.to_string()).ok()
    };
    let bytes = [SEED, SECRET].concat().try_into().unwrap();
    let make = |algorithm: Algorithm| {
        let kid = algorithm.name().to_lowercase();
        of_the_file(&kid).unwrap_or_else(|| SigningKey::generate(algorithm, Some(&kid), &bytes).unwrap())
    };
    Algorithm::ALL.into_iter().map(make).collect()
}

/// A set that has a key to offer, or the name of the complaint.
fn read_set(jwks: &str, published: bool) -> Result<KeySet, String> {
    let set = if published { KeySet::from_published(jwks) } else { KeySet::from_json(jwks) };
    set.ok().filter(|set| !set.is_empty()).ok_or_else(|| "invalid_jwks".to_owned())
}

fn valid(key: &SigningKey) -> Value {
    let token = valid_token(key);
    let keys = KeySet::new().with(key.verifying().clone()).unwrap();
    let claims = keys.verify(&token, &Expect::new(ISSUER, AUDIENCE), NOW).unwrap();
    json!({ "alg": key.algorithm().name(), "token": token, "claims": claims })
}

/// A token whose permissions are numbers in a registry.
fn packed(key: &SigningKey) -> Value {
    let names = json!({ "names": ["notes:read", "notes:write", "notes:erase"], "granted": ["notes:erase"] });
    let pms = registry(&names).pack(["notes:erase"]);
    let token = sealed(key, &header(key), &with(claims(), "pms", json!(pms)));
    with(names, "token", json!(token))
}

fn registry(packed: &Value) -> PermissionRegistry {
    PermissionRegistry::new(packed["names"].as_array().unwrap().iter().filter_map(Value::as_str)).unwrap()
}

fn valid_token(key: &SigningKey) -> String {
    sealed(key, &header(key), &claims())
}

fn sealed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    format!("{message}.{}", encode(key.signature(message.as_bytes()).unwrap()))
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

fn refused(key: &SigningKey, case: &str, token: &str, reason: &str) -> Value {
    json!({ "case": format!("{}: {case}", key.algorithm().name()), "token": token, "reason": reason })
}

/// `case` with some members set.
fn also(case: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    members.into_iter().fold(case, |case, (name, value)| with(case, &name, value))
}

fn snake_case(variant: impl std::fmt::Debug) -> String {
    let name = format!("{variant:?}");
    let parts = name.chars().enumerate().map(|(at, char)| {
        let lower = char.to_lowercase();
        if char.is_uppercase() && at > 0 { format!("_{lower}") } else { lower.to_string() }
    });
    parts.collect()
}

fn read() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tokens.json")
}

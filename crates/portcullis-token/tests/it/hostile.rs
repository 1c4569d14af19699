//! Keys that somebody made to be taken for good ones, generated for each algorithm.
//!
//! A [`Case`] is a private JWK and its public half, spoilt in one way. Neither may be taken, whoever gives it: alone, in
//! a set that an operator trusts, or in one that was published; and a good key beside it in the set stays of use.

use portcullis_token::{Algorithm, JwkSet, KeyError, KeySet, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::forge::{another, decode, encode, key_of, one_of_each, with, without};

/// A JWK that must be refused, as text: some are no JSON.
struct Case {
    name: String,
    /// To sign with.
    private: Option<String>,
    /// To verify with.
    public: Option<String>,
}

/// What the cases of one algorithm are made from.
struct Base {
    algorithm: Algorithm,
    private: Value,
    public: Value,
    cases: Vec<Case>,
}

impl Base {
    fn new(algorithm: Algorithm) -> Self {
        let key = key_of(algorithm);
        let private: Value = serde_json::from_str(&key.to_jwk()).unwrap();
        let public = key
            .verifying()
            .to_jwk()
            .map_or_else(|| private.clone(), |jwk| serde_json::to_value(jwk).unwrap());
        Self { algorithm, private, public, cases: Vec::new() }
    }

    /// The members that are numbers: those of the public half, and the others.
    fn numbers(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.algorithm {
            Algorithm::EdDsa => (&["x"], &["d"]),
            Algorithm::Es256 | Algorithm::Es384 => (&["x", "y"], &["d"]),
            Algorithm::Rs256 | Algorithm::Ps256 => (&["n", "e"], &["d", "p", "q", "dp", "dq", "qi"]),
            _ => (&["k"], &[]),
        }
    }

    /// Spoils both halves in one way.
    fn both(&mut self, name: impl Into<String>, spoil: impl Fn(Value) -> Value) {
        let (private, public) = (spoil(self.private.clone()), spoil(self.public.clone()));
        self.cases.push(Case {
            name: name.into(),
            private: Some(private.to_string()),
            public: Some(public.to_string()),
        });
    }

    /// Spoils the private half alone; the public one of it would be a key like others.
    fn private(&mut self, name: impl Into<String>, spoil: impl Fn(Value) -> Value) {
        let private = spoil(self.private.clone()).to_string();
        self.cases.push(Case { name: name.into(), private: Some(private), public: None });
    }

    /// Spoils the text of both.
    fn text(&mut self, name: impl Into<String>, spoil: impl Fn(&str) -> String) {
        let (private, public) = (spoil(&self.private.to_string()), spoil(&self.public.to_string()));
        self.cases.push(Case { name: name.into(), private: Some(private), public: Some(public) });
    }

    /// Gives a member another value, in both halves if both have it.
    fn member(&mut self, member: &str, name: &str, value: Value) {
        let case = format!("{member}: {name}");
        if self.public.get(member).is_some() {
            self.both(case, |jwk| with(jwk, member, value.clone()));
        } else {
            self.private(case, |jwk| with(jwk, member, value.clone()));
        }
    }

    fn bytes(&self, member: &str) -> Vec<u8> {
        decode(self.private[member].as_str().unwrap())
    }
}

/// Every way of this file to spoil the key of that algorithm.
fn cases(algorithm: Algorithm) -> Vec<Case> {
    let mut base = Base::new(algorithm);
    writings(&mut base);
    types_and_names(&mut base);
    uses(&mut base);
    texts(&mut base);
    match algorithm {
        Algorithm::EdDsa => ed25519_points(&mut base),
        Algorithm::Es256 | Algorithm::Es384 => curve_points(&mut base),
        Algorithm::Rs256 | Algorithm::Ps256 => rsa_numbers(&mut base),
        _ => short_secrets(&mut base),
    }
    base.cases
}

/// Each number written in each wrong way, missing, or of another JSON type.
fn writings(base: &mut Base) {
    let (public, private) = base.numbers();
    for member in public.iter().chain(private) {
        let good = base.private[*member].as_str().unwrap().to_owned();
        let bytes = decode(&good);
        let last = ALPHABET.iter().position(|letter| Some(letter) == good.as_bytes().last()).unwrap();
        let head = &good[..good.len() - 1];
        let mut writings = vec![
            ("padded", format!("{good}=")),
            ("padded twice", format!("{good}==")),
            ("padded thrice", format!("{good}===")),
            ("a letter too many", format!("{good}{}", "A".repeat((5 - good.len() % 4) % 4))),
            ("a plus", format!("+{}", &good[1..])),
            ("a slash", format!("/{}", &good[1..])),
            ("a space before", format!(" {good}")),
            ("a space behind", format!("{good} ")),
            ("a line break inside", format!("{}\n{}", &good[..2], &good[2..])),
            ("a line end", format!("{good}\r\n")),
            ("a NUL", format!("{good}\0")),
            ("a full-width letter", format!("{head}\u{FF21}")),
            ("a dot", format!("{head}.")),
            ("percent", format!("{head}%41")),
            ("empty", String::new()),
            ("one letter", "A".to_owned()),
            ("zero", "AA".to_owned()),
            (
                "hexadecimal",
                format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            ),
        ];
        if !bytes.len().is_multiple_of(3) {
            let other = char::from(ALPHABET[last + 1]);
            writings.push(("unused bits", format!("{head}{other}")));
        }
        for (name, writing) in writings {
            base.member(member, name, json!(writing));
        }
        for value in [json!(null), json!(7), json!(true), json!([good]), json!({ "x": good }), json!([])] {
            base.member(member, &value.to_string(), value.clone());
        }
        let twice = format!("\"{member}\":\"{good}\",");
        let escaped = format!("\"\\u{:04x}{}\":\"AQAB\",", member.as_bytes()[0], &member[1..]);
        let missing = |jwk: Value| without(jwk, member);
        if base.public.get(member).is_some() {
            base.both(format!("{member}: missing"), missing);
            base.text(format!("{member}: twice"), |text| text.replacen('{', &format!("{{{twice}"), 1));
            base.text(format!("{member}: twice, escaped"), |text| {
                text.replacen('{', &format!("{{{escaped}"), 1)
            });
        } else {
            base.private(format!("{member}: missing"), missing);
        }
    }
}

/// `kty`, `crv`, `alg` and `kid` that are unknown, mistyped, or belong to another key.
fn types_and_names(base: &mut Base) {
    let own = base.public.clone();
    let mistyped =
        |own: &Value| [json!(null), json!(0), json!(true), json!([own]), json!({ "x": own }), json!([])];

    for kty in ["EC", "OKP", "RSA", "oct", "ec", "okp", "rsa", "OCT", "Oct", "AKP", "", " ", "EC ", "none"] {
        if own["kty"] != kty {
            base.member("kty", kty, json!(kty));
            base.both(format!("kty: {kty}, no alg"), |jwk| without(with(jwk, "kty", json!(kty)), "alg"));
        }
    }
    base.both("kty: missing", |jwk| without(jwk, "kty"));

    if let Some(crv) = own.get("crv") {
        for other in [
            "P-256",
            "P-384",
            "P-521",
            "p-256",
            "P256",
            "secp256r1",
            "prime256v1",
            "secp256k1",
            "P-256K",
            "BP-256",
            "Ed25519",
            "ed25519",
            "Ed448",
            "X25519",
            "X448",
            "",
            " ",
            "P-256\0",
        ] {
            if crv != other {
                base.member("crv", other, json!(other));
                base.both(format!("crv: {other}, no alg"), |jwk| {
                    without(with(jwk, "crv", json!(other)), "alg")
                });
            }
        }
        // RFC 8725 §3.1: what the other algorithm of the type says must not be believed either.
        for (alg, crv) in
            [("ES256", "P-384"), ("ES384", "P-256"), ("ES512", "P-521"), ("ES256K", "secp256k1")]
        {
            base.both(format!("{alg} on {crv}"), |jwk| {
                let jwk = if own["alg"] == alg { jwk } else { with(jwk, "alg", json!(alg)) };
                with(jwk, "crv", json!(crv))
            });
        }
        base.both("crv: missing", |jwk| without(jwk, "crv"));
        base.both("crv and alg: missing", |jwk| without(without(jwk, "crv"), "alg"));
    }

    let fits = |alg: &str| match own["kty"].as_str() {
        Some("RSA") => ["RS256", "PS256"].contains(&alg),
        // A key that is long enough for HS512 is so for the others; the key says which it is for.
        Some("oct") => alg.starts_with("HS"),
        _ => own["alg"] == alg,
    };
    for alg in [
        "EdDSA",
        "Ed25519",
        "Ed448",
        "ES256",
        "ES384",
        "ES512",
        "ES256K",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "HS256",
        "HS384",
        "HS512",
        "none",
        "None",
        "NONE",
        "",
        " ",
        "RS1",
        "HS1",
        "dir",
        "A128KW",
        "A256GCMKW",
        "RSA-OAEP",
        "RSA1_5",
        "ECDH-ES",
        "eddsa",
        "es256",
        "rs256",
        "hs256",
        "RS256 ",
    ] {
        if !fits(alg) {
            base.member("alg", alg, json!(alg));
        }
    }
    for member in ["kty", "crv", "alg", "kid"] {
        if own.get(member).is_some() {
            for value in mistyped(&own[member]) {
                base.member(member, &value.to_string(), value.clone());
            }
            let twice = format!("\"{member}\":{},", own[member]);
            base.text(format!("{member}: twice"), |text| text.replacen('{', &format!("{{{twice}"), 1));
        }
    }
    base.member("kid", "empty", json!(""));
    base.member("kid", "129 bytes", json!("k".repeat(129)));
    base.member("kid", "a megabyte", json!("k".repeat(1_000_000)));
    if base.algorithm.is_symmetric() {
        base.both("kid: missing", |jwk| without(jwk, "kid"));
    }
}

/// `use` and `key_ops` that forbid signatures, contradict themselves or are mistyped.
fn uses(base: &mut Base) {
    for value in [
        json!("enc"),
        json!("SIG"),
        json!("sig "),
        json!("signature"),
        json!(""),
        json!(null),
        json!(7),
        json!(["sig"]),
        json!(true),
        json!({}),
    ] {
        base.member("use", &value.to_string(), value.clone());
    }
    for ops in [
        json!([]),
        json!(["encrypt"]),
        json!(["decrypt", "wrapKey"]),
        json!(["deriveKey", "deriveBits"]),
        json!(["Sign", "Verify"]),
        json!(["sign ", "verify "]),
        json!(["sign", "verify", "sign"]),
        json!(["verify", "sign", "verify"]),
        json!(["sign", "verify", "encrypt", "encrypt"]),
        json!("sign"),
        json!("verify"),
        json!("sign verify"),
        json!(null),
        json!(7),
        json!([null]),
        json!(["sign", "verify", 7]),
        json!([["sign", "verify"]]),
        json!({ "sign": true, "verify": true }),
    ] {
        base.both(format!("key_ops: {ops}"), |jwk| with(jwk, "key_ops", ops.clone()));
    }
    base.both("use contradicted", |jwk| {
        with(with(jwk, "use", json!("enc")), "key_ops", json!(["sign", "verify"]))
    });
    base.text("key_ops twice", |text| {
        text.replacen('{', r#"{"key_ops":["sign","verify"],"key_ops":["sign","verify"],"#, 1)
    });
    base.text("use twice", |text| text.replacen('{', r#"{"use":"enc","#, 1));
}

/// Texts that are not one JSON object, or one that no parser should be asked to read.
fn texts(base: &mut Base) {
    base.text("in an array", |text| format!("[{text}]"));
    base.text("twice", |text| format!("{text}{text}"));
    base.text("in a string", |text| json!(text).to_string());
    base.text("a comma behind", |text| format!("{text},"));
    base.text("a comma inside", |text| text.replace('}', ",}"));
    base.text("a byte order mark", |text| format!("\u{FEFF}{text}"));
    base.text("a NUL behind", |text| format!("{text}\0"));
    base.text("cut", |text| text[..text.len() - 1].to_owned());
    base.text("a comment", |text| text.replacen('{', "{/* key */", 1));
    base.text("single quotes", |text| text.replace('"', "'"));
    base.text("a lone surrogate", |text| text.replacen('{', r#"{"x5t":"\ud800","#, 1));
    base.text("a stranger twice", |text| text.replacen('{', r#"{"ext":true,"ext":true,"#, 1));
    base.text("a stranger twice, deep", |text| text.replacen('{', r#"{"a":[{"b":1,"b":2}],"#, 1));
    for (open, close) in [("[", "]"), ("{\"\":", "}")] {
        for depth in [200, 100_000] {
            base.text(format!("{depth} x {open}"), |text| {
                let deep = format!("{}0{}", open.repeat(depth), close.repeat(depth));
                text.replacen('{', &format!("{{\"a\":{deep},"), 1)
            });
        }
        base.text(format!("endless {open}"), |text| {
            text.replacen('{', &format!("{{\"a\":{}", open.repeat(100_000)), 1)
        });
    }
    // RFC 7518 §6.3.2.7: more than two primes.
    for oth in [json!([]), json!(null), json!([{ "r": "AQAB", "d": "AQAB", "t": "AQAB" }])] {
        base.both(format!("oth: {oth}"), |jwk| with(jwk, "oth", oth.clone()));
    }
}

fn ed25519_points(base: &mut Base) {
    for length in [0, 1, 31, 33, 64] {
        for member in ["x", "d"] {
            base.member(member, &format!("{length} bytes"), json!(encode(vec![7; length])));
        }
    }
    for point in small_order() {
        base.member("x", &format!("of small order, {point:02x?}"), json!(encode(point)));
    }
    for ordinate in not_reduced() {
        base.member("x", &format!("not reduced, {ordinate:02x?}"), json!(encode(ordinate)));
    }
    let other = another(Algorithm::EdDsa, "k").verifying().to_jwk().unwrap();
    let mut negated = base.bytes("x");
    negated[31] ^= 0x80;
    let seed = base.bytes("d");
    base.private("x: another key's", |jwk| with(jwk, "x", json!(other.x)));
    base.private("x: negated", |jwk| with(jwk, "x", json!(encode(&negated))));
    base.private("d: another key's", |jwk| with(jwk, "d", json!(encode([9; 32]))));
    base.private("d: clamped", |jwk| {
        let mut seed = seed.clone();
        seed[0] &= 248;
        seed[31] = seed[31] & 127 | 64;
        with(jwk, "d", json!(encode(seed)))
    });
}

/// The encodings of the eight points of small order, reduced or not, of either sign.
fn small_order() -> Vec<[u8; 32]> {
    let p = |add: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + add, 0x7f);
        bytes
    };
    let small = |value: u8| {
        let mut bytes = [0; 32];
        bytes[0] = value;
        bytes
    };
    let mut minus_one = p(0);
    minus_one[0] -= 1;
    // Of order eight: the two ordinates are roots of d y^4 + 2 y^2 - 1.
    let eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let minus_eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let ordinates = [
        small(0),
        small(1),
        minus_one,
        p(0),
        p(1),
        hex(eight).try_into().unwrap(),
        hex(minus_eight).try_into().unwrap(),
    ];
    ordinates
        .into_iter()
        .flat_map(|ordinate| {
            let mut other = ordinate;
            other[31] |= 0x80;
            [ordinate, other]
        })
        .collect()
}

/// Ordinates for which there is no abscissa.
fn undecodable() -> Vec<[u8; 32]> {
    (2..60_u8)
        .map(|value| {
            let mut bytes = [0; 32];
            bytes[0] = value;
            bytes
        })
        .filter(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_err())
        .take(12)
        .collect()
}

/// RFC 8032 §5.1.3: an ordinate of p or more is no encoding. (Those of 0 and 1 are of small order.)
fn not_reduced() -> Vec<[u8; 32]> {
    (2..=18)
        .flat_map(|value| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + value, 0x7f);
            let mut other = bytes;
            other[31] = 0xff;
            [bytes, other]
        })
        .collect()
}

#[test]
fn the_fourteen_encodings_of_points_of_small_order_are_refused_as_such() {
    let all = small_order();
    assert_eq!(all.len(), 14);
    for point in all {
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&point) {
            assert!(key.is_weak(), "{point:02x?}: this list is wrong");
        }
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(point) }).to_string();
        assert_eq!(VerifyingKey::from_jwk(&jwk), Err(KeyError::Mismatch), "{point:02x?}");
    }
}

#[test]
fn an_ordinate_of_no_point_verifies_nothing() {
    // aws-lc looks at the point when it verifies; RustCrypto does not take it in the first place.
    let all = undecodable();
    assert_eq!(all.len(), 12);
    for ordinate in all {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(ordinate) }).to_string();
        let Ok(key) = VerifyingKey::from_jwk(&jwk) else { continue };
        for r in small_order() {
            for s in [[0; 32], {
                let mut one = [0; 32];
                one[0] = 1;
                one
            }] {
                for message in [b"".as_slice(), b"message", b"another"] {
                    assert!(!key.verifies(message, &[r, s].concat()), "{ordinate:02x?}");
                }
            }
        }
    }
}

fn curve_points(base: &mut Base) {
    let (p, n, width, other_curve) = match base.algorithm {
        Algorithm::Es256 => (hex(P_256_PRIME), hex(P_256_ORDER), 32, Algorithm::Es384),
        _ => (hex(P_384_PRIME), hex(P_384_ORDER), 48, Algorithm::Es256),
    };
    let (x, y) = (base.bytes("x"), base.bytes("y"));
    for length in [0, 1, width - 1, width + 1, 2 * width, 2 * width + 1] {
        for member in ["x", "y", "d"] {
            base.member(member, &format!("{length} bytes"), json!(encode(vec![7; length])));
        }
    }
    for member in ["x", "y", "d"] {
        let bytes = base.bytes(member);
        base.member(member, "a leading zero", json!(encode([&[0], bytes.as_slice()].concat())));
        base.member(member, "a byte less", json!(encode(&bytes[1..])));
        base.member(member, "two bytes more", json!(encode([bytes.as_slice(), &[0, 0]].concat())));
    }
    let point =
        |jwk: Value, x: &[u8], y: &[u8]| with(with(jwk, "x", json!(encode(x))), "y", json!(encode(y)));
    let zero = vec![0; width];
    let mut one = zero.clone();
    one[width - 1] = 1;
    let off = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[width - 1] ^= 1;
        bytes
    };
    for (name, x, y) in [
        ("0, 0", zero.clone(), zero.clone()),
        ("0, 1", zero.clone(), one.clone()),
        ("1, 1", one.clone(), one.clone()),
        ("x, 0", x.clone(), zero.clone()),
        ("0, y", zero.clone(), y.clone()),
        ("y, x", y.clone(), x.clone()),
        ("x, x", x.clone(), x.clone()),
        ("x, y + 1", x.clone(), off(&y)),
        ("x + 1, y", off(&x), y.clone()),
        ("p, y", p.clone(), y.clone()),
        ("x, p", x.clone(), p.clone()),
        ("p, p", p.clone(), p.clone()),
        ("ones", vec![0xff; width], vec![0xff; width]),
        ("x, ones", x.clone(), vec![0xff; width]),
    ] {
        base.both(format!("point: {name}"), |jwk| point(jwk, &x, &y));
    }
    // Compressed (SEC 1 §2.3.3), as somebody might squeeze it into these members, and the whole point in one.
    let sign = 2 + (y[width - 1] & 1);
    base.both("compressed into x", |jwk| {
        without(with(jwk, "x", json!(encode([&[sign], x.as_slice()].concat()))), "y")
    });
    base.both("compressed, y its sign", |jwk| with(jwk, "y", json!(encode([sign]))));
    base.both("the whole point in x", |jwk| {
        without(with(jwk, "x", json!(encode([&[4], x.as_slice(), &y].concat()))), "y")
    });
    base.both("at infinity", |jwk| point(jwk, &[0], &[0]));
    let strange = key_of(other_curve).verifying().to_jwk().unwrap();
    base.both("a point of the other curve", |jwk| {
        with(with(jwk, "x", json!(strange.x)), "y", json!(strange.y))
    });

    let negated = minus(&p, &y);
    base.private("point: negated", |jwk| point(jwk, &x, &negated));
    let other: Value = serde_json::from_str(&another(base.algorithm, "k").to_jwk()).unwrap();
    base.private("point: another key's", |jwk| {
        with(with(jwk, "x", other["x"].clone()), "y", other["y"].clone())
    });
    let d = base.bytes("d");
    for (name, d) in [
        ("another key's", decode(other["d"].as_str().unwrap())),
        ("0", zero.clone()),
        ("1", one.clone()),
        ("the order", n.clone()),
        ("the order + 1", off(&n)),
        ("negated", minus(&n, &d)),
        ("ones", vec![0xff; width]),
        ("p", p.clone()),
    ] {
        base.private(format!("d: {name}"), |jwk| with(jwk, "d", json!(encode(&d))));
    }
}

fn rsa_numbers(base: &mut Base) {
    let (n, e) = (base.bytes("n"), base.bytes("e"));
    for member in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let bytes = base.bytes(member);
        base.member(member, "a leading zero", json!(encode([&[0], bytes.as_slice()].concat())));
        base.member(member, "a zero behind", json!(encode([bytes.as_slice(), &[0]].concat())));
        base.member(member, "two zeros", json!(encode([0, 0])));
        let mut even = bytes.clone();
        *even.last_mut().unwrap() &= 0xfe;
        if even != bytes {
            base.member(member, "even", json!(encode(even)));
        }
    }
    for exponent in
        [0_u128, 1, 2, 3, 5, 7, 17, 35, 257, 65535, 65536, 65538, 1 << 32 | 1, (1 << 64) + 1, 1 << 100 | 1]
    {
        let bytes = exponent.to_be_bytes();
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(15);
        base.member("e", &exponent.to_string(), json!(encode(&bytes[start..])));
    }
    base.member("e", "n", json!(encode(&n)));
    base.member("e", "65 KiB", json!(encode(vec![0xff; 65_536])));
    for bits in [1, 8, 512, 768, 1024, 1536, 2040, 2047, 8193, 8200, 16384, 65536] {
        let mut bytes = vec![0xff; usize::div_ceil(bits, 8)];
        bytes[0] = 0xff >> (8 * bytes.len() - bits);
        base.member("n", &format!("{bits} bits"), json!(encode(bytes)));
    }
    base.member("n", "e", json!(encode(&e)));
    base.member("n", "2^2048", json!(encode([&[1], vec![0; 256].as_slice()].concat())));
    base.member("n", "2^2047", json!(encode([&[0x80], vec![0; 255].as_slice()].concat())));

    let other: Value = serde_json::from_str(&another(base.algorithm, "k").to_jwk()).unwrap();
    let one = json!(encode([1]));
    for member in ["n", "d", "p", "q", "dp", "dq", "qi"] {
        base.private(format!("{member}: another key's"), |jwk| with(jwk, member, other[member].clone()));
    }
    base.private("e: another", |jwk| with(jwk, "e", json!(encode([1, 0, 3]))));
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        let own = base.bytes(member);
        let mut near = own.clone();
        near[own.len() - 1] ^= 2;
        base.private(format!("{member}: near it"), |jwk| with(jwk, member, json!(encode(&near))));
        base.private(format!("{member}: 1"), |jwk| with(jwk, member, one.clone()));
        base.private(format!("{member}: 3"), |jwk| with(jwk, member, json!(encode([3]))));
        base.private(format!("{member}: n"), |jwk| with(jwk, member, json!(encode(&n))));
        base.private(format!("{member}: ones"), |jwk| {
            with(jwk, member, json!(encode(vec![0xff; own.len()])))
        });
        base.private(format!("{member}: 64 KiB"), |jwk| with(jwk, member, json!(encode(vec![0xff; 65_536]))));
    }
    base.private("p and q: 1 and n", |jwk| with(with(jwk, "p", one.clone()), "q", json!(encode(&n))));
    for (left, right) in [("p", "q"), ("dp", "dq"), ("p", "d"), ("qi", "dp")] {
        base.private(format!("{left} and {right} swapped"), |jwk| {
            let (one, two) = (jwk[left].clone(), jwk[right].clone());
            with(with(jwk, left, two), right, one)
        });
    }
}

fn short_secrets(base: &mut Base) {
    let least = base.bytes("k").len().min(match base.algorithm {
        Algorithm::Hs256 => 32,
        Algorithm::Hs384 => 48,
        _ => 64,
    });
    for length in 0..least {
        base.member("k", &format!("{length} bytes"), json!(encode(vec![0xa5; length])));
    }
}

#[test]
fn no_hostile_key_is_taken_by_whoever_gives_it() {
    let mut tried = 0;
    for algorithm in Algorithm::ALL {
        let base = Base::new(algorithm);
        assert!(SigningKey::from_jwk(&base.private.to_string()).is_ok(), "control");
        assert!(VerifyingKey::from_jwk(&base.public.to_string()).is_ok(), "control");
        let secret = base.numbers();
        let cases = cases(algorithm);
        assert!(cases.len() >= 190, "{algorithm:?}: {}", cases.len());
        let mut taken = Vec::new();
        for case in &cases {
            let private = case.private.as_deref().map(SigningKey::from_jwk);
            let public = case.public.as_deref().map(VerifyingKey::from_jwk);
            for (half, error) in
                [("private", private.map(|key| key.err())), ("public", public.map(|key| key.err()))]
            {
                match error {
                    None => {}
                    Some(None) => taken.push(format!("{half}: {}", case.name)),
                    Some(Some(error)) => {
                        quotes_nothing(&error, &base.private, secret, &case.name);
                        tried += 1;
                    }
                }
            }
        }
        assert!(taken.is_empty(), "{algorithm:?} takes {} hostile keys:\n{}", taken.len(), taken.join("\n"));
    }
    assert!(tried > 3_500, "{tried}");
}

#[test]
fn a_hostile_key_in_a_set_is_left_out_and_the_good_one_beside_it_stays() {
    let good = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "good", "x": encode(decode(GOOD)) });
    let mut tried = 0;
    for algorithm in Algorithm::ALL {
        for case in cases(algorithm) {
            let Some(text) = case.public.filter(|text| text.len() < 100_000) else {
                continue;
            };
            for set in [format!(r#"{{"keys":[{text},{good}]}}"#), format!(r#"{{"keys":[{good},{text}]}}"#)] {
                for read in [KeySet::from_json(&set), KeySet::from_published(&set)] {
                    // What is no JSON spoils the set; every other key only itself.
                    let Ok(read) = read else {
                        assert!(
                            serde_json::from_str::<Value>(&text).is_err(),
                            "{algorithm:?}: {}",
                            case.name
                        );
                        continue;
                    };
                    let kids: Vec<_> = read.keys().iter().map(VerifyingKey::kid).collect();
                    assert_eq!(kids, ["good"], "{algorithm:?}: {}", case.name);
                    assert!(!read.left_out().is_empty(), "{algorithm:?}: {}", case.name);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 4_000, "{tried}");
}

#[test]
fn a_published_set_gives_no_private_and_no_symmetric_key() {
    for key in one_of_each() {
        let jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
        let names: Vec<_> = ["d", "p", "q", "dp", "dq", "qi", "k"]
            .into_iter()
            .filter(|name| jwk.get(name).is_some())
            .collect();
        // One private member alone gives it away, also in a key of a type that has none of that name.
        let alone = names.iter().map(|name| {
            names.iter().filter(|other| *other != name).fold(jwk.clone(), |jwk, other| without(jwk, other))
        });
        let public = key.verifying().to_jwk().map(|jwk| serde_json::to_value(jwk).unwrap());
        let strange = public.iter().flat_map(|public| {
            ["d", "p", "q", "dp", "dq", "qi", "k"].map(|name| with(public.clone(), name, json!("AQAB")))
        });
        for jwk in alone.chain(strange).chain([jwk.clone()]) {
            let set = KeySet::from_published(&json!({ "keys": [jwk] }).to_string()).unwrap();
            assert!(set.is_empty(), "{}", jwk);
            assert_eq!(set.left_out()[0].why, KeyError::Forbidden);
        }
        if let Some(public) = public {
            let set = KeySet::from_published(&json!({ "keys": [public] }).to_string()).unwrap();
            assert_eq!(set.keys(), [key.verifying().clone()]);
        }
    }
}

#[test]
fn a_name_stands_once_in_a_set_of_keys_that_verify() {
    let keys = one_of_each();
    for one in &keys {
        for other in &keys {
            let jwk = |key: &SigningKey| -> Value {
                with(serde_json::from_str(&key.to_jwk()).unwrap(), "kid", json!("twice"))
            };
            let set = json!({ "keys": [jwk(one), jwk(other)] }).to_string();
            assert_eq!(KeySet::from_json(&set), Err(KeyError::Unfit("kid")));
            if let (Some(one), Some(other)) = (one.verifying().to_jwk(), other.verifying().to_jwk()) {
                let named = |jwk| with(serde_json::to_value(jwk).unwrap(), "kid", json!("twice"));
                let set = json!({ "keys": [named(one), named(other.clone())] }).to_string();
                assert_eq!(KeySet::from_published(&set), Err(KeyError::Unfit("kid")));
                // A key that is not for us may bear any name.
                let for_others = with(named(other), "use", json!("enc"));
                let set = json!({ "keys": [for_others, named(keys[0].verifying().to_jwk().unwrap())] });
                assert_eq!(KeySet::from_published(&set.to_string()).unwrap().keys().len(), 1);
            }
        }
    }
    // Without a name both bear the thumbprint, which is one name too.
    let public = without(serde_json::to_value(keys[0].verifying().to_jwk()).unwrap(), "kid");
    let set = json!({ "keys": [public, public] }).to_string();
    assert_eq!(KeySet::from_published(&set), Err(KeyError::Unfit("kid")));
}

#[test]
fn a_set_is_one_object_with_one_list_of_keys() {
    let good = json!({ "kty": "OKP", "crv": "Ed25519", "x": GOOD }).to_string();
    for bad in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!("[{good}]"),
        good.clone(),
        format!(r#"{{"Keys":[{good}]}}"#),
        format!(r#"{{"keys":{good}}}"#),
        r#"{"keys":null}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":"[]"}"#.to_owned(),
        r#"{"keys":7}"#.to_owned(),
        format!(r#"{{"keys":[{good}],"keys":[{good}]}}"#),
        format!(r#"{{"keys":[],"k\u0065ys":[{good}]}}"#),
        format!(r#"{{"keys":[{good}],"a":1,"a":1}}"#),
        format!(r#"{{"keys":[{good}],"a":{{"b":1,"b":1}}}}"#),
        format!(r#"{{"keys":[{good},]}}"#),
        format!(r#"{{"keys":[{good}]}}{{}}"#),
        format!(r#"{{"keys":[{good}]"#),
        format!("\u{FEFF}{{\"keys\":[{good}]}}"),
        format!(r#"{{"a":{}{},"keys":[{good}]}}"#, "[".repeat(100_000), "]".repeat(100_000)),
        format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 101].join(",")),
    ] {
        for read in [KeySet::from_json(&bad), KeySet::from_published(&bad)] {
            assert!(matches!(read, Err(KeyError::Malformed(_))), "{:.80}: {read:?}", bad);
        }
    }
}

#[test]
fn an_empty_set_and_keys_of_other_kinds_are_no_fault_of_the_set() {
    let good = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "good", "x": GOOD });
    let strangers = [
        json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA", "kid": "good" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": GOOD, "use": "enc" }),
        json!({ "kid": "only-a-name" }),
        json!({}),
        json!([]),
        json!(null),
        json!("key"),
        json!(7),
    ];
    for read in [KeySet::from_json, KeySet::from_published] {
        assert!(read(r#"{"keys":[]}"#).unwrap().is_empty());
        assert!(read(&json!({ "keys": strangers }).to_string()).unwrap().is_empty());
        let mut keys = strangers.to_vec();
        keys.insert(4, good.clone());
        let set = read(&json!({ "keys": keys, "x-more": [1, { "a": null }] }).to_string()).unwrap();
        assert_eq!((set.keys().len(), set.left_out().len()), (1, strangers.len()));
        assert!(set.contains("good"));
    }
    // Certificates beside a key, and an address to fetch them from, say nothing here.
    let decorated = with(with(good, "x5c", json!(["bm9uZQ=="])), "x5u", json!("https://evil.example/c.pem"));
    let set = KeySet::from_published(&json!({ "keys": [decorated] }).to_string()).unwrap();
    let again: JwkSet = serde_json::from_str(&serde_json::to_string(&set.jwks()).unwrap()).unwrap();
    assert_eq!(again, set.jwks());
    assert!(!serde_json::to_string(&again).unwrap().contains("x5"));
}

#[test]
fn ten_megabytes_are_read_once_and_refused() {
    let huge = "A".repeat(10_000_000);
    for jwk in [
        json!({ "kty": "RSA", "n": huge, "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-256", "x": huge, "y": "AAAA" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": huge }),
        json!({ "kty": "oct", "kid": huge, "k": huge }),
        json!({ "kty": huge }),
    ] {
        let text = jwk.to_string();
        let error = VerifyingKey::from_jwk(&text).unwrap_err();
        assert!(format!("{error} {error:?}").len() < 200);
        let set = KeySet::from_published(&format!(r#"{{"keys":[{text}]}}"#)).unwrap();
        assert!(set.is_empty());
    }
}

/// Demands that the error holds no piece of a number.
#[track_caller]
fn quotes_nothing(error: &KeyError, jwk: &Value, numbers: (&[&str], &[&str]), case: &str) {
    let said = format!("{error} {error:?}");
    for member in numbers.0.iter().chain(numbers.1) {
        let number = jwk[*member].as_str().unwrap();
        assert!(number.len() < 8 || !said.contains(&number[..8]), "{case}: {said}");
    }
}

/// `from - take` of big-endian numbers of one length.
fn minus(from: &[u8], take: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut result: Vec<_> = from
        .iter()
        .zip(take)
        .rev()
        .map(|(from, take)| {
            let digit = i16::from(*from) - i16::from(*take) - borrow;
            borrow = i16::from(digit < 0);
            digit.rem_euclid(256) as u8
        })
        .collect();
    result.reverse();
    result
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 8037 appendix A.2.
const GOOD: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// FIPS 186-4 §D.1.2.3, §D.1.2.4.
const P_256_PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const P_256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P_384_PRIME: &str =
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff";
const P_384_ORDER: &str =
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";

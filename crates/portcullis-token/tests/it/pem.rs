//! Keys in PEM as OpenSSL writes them: each form that is ours is read, each other one refused in clear words.

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_token::{Algorithm, KeyError, SigningKey, VerifyingKey};

/// The private forms of one key, and the public ones.
struct Written {
    algorithms: &'static [Algorithm],
    private: &'static [&'static str],
    public: &'static [&'static str],
}

const WRITTEN: [Written; 6] = [
    Written { algorithms: &[Algorithm::EdDsa], private: &["ed25519"], public: &["ed25519.pub"] },
    Written {
        algorithms: &[Algorithm::Es256],
        private: &["p256", "p256.sec1", "p256.sec1-params", "p256.sec1-alone"],
        public: &["p256.pub"],
    },
    Written {
        algorithms: &[Algorithm::Es384],
        private: &["p384", "p384.sec1", "p384.sec1-params", "p384.sec1-alone"],
        public: &["p384.pub"],
    },
    Written {
        algorithms: &[Algorithm::Rs256, Algorithm::Ps256],
        private: &["rsa2048", "rsa2048.pkcs1"],
        public: &["rsa2048.pub", "rsa2048.pkcs1-pub"],
    },
    Written {
        algorithms: &[Algorithm::Rs256, Algorithm::Ps256],
        private: &["rsa3072", "rsa3072.pkcs1"],
        public: &["rsa3072.pub", "rsa3072.pkcs1-pub"],
    },
    Written {
        algorithms: &[Algorithm::Rs256, Algorithm::Ps256],
        private: &["rsa4096", "rsa4096.pkcs1"],
        public: &["rsa4096.pub", "rsa4096.pkcs1-pub"],
    },
];

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for written in &WRITTEN {
        for algorithm in written.algorithms {
            let read = |name: &str| SigningKey::from_pem(&file(name), *algorithm, None).unwrap();
            let key = read(written.private[0]);
            let signature = key.signature(b"message").unwrap();
            for name in written.private {
                let again = read(name);
                assert_eq!(again.to_jwk(), key.to_jwk(), "{name}");
                assert!(again.verifying().verifies(b"message", &signature), "{name}");
            }
            for name in written.public {
                let public = VerifyingKey::from_pem(&file(name), *algorithm, None).unwrap();
                assert_eq!(public, *key.verifying(), "{name}");
                assert!(public.verifies(b"message", &signature), "{name}");
            }
        }
    }
}

#[test]
fn a_key_in_pem_is_the_same_key_as_a_jwk() {
    for written in &WRITTEN {
        let algorithm = written.algorithms[0];
        let key = SigningKey::from_pem(&file(written.private[0]), algorithm, Some("k")).unwrap();
        let again = SigningKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!((again.to_jwk(), again.kid()), (key.to_jwk(), "k"));
    }
}

#[test]
fn line_ends_and_text_around_the_block_do_not_count() {
    for written in &WRITTEN {
        let algorithm = written.algorithms[0];
        for name in written.private {
            let due = SigningKey::from_pem(&file(name), algorithm, None).unwrap();
            for (case, text) in dressings(&file(name)) {
                let key = SigningKey::from_pem(&text, algorithm, None);
                assert_eq!(key.unwrap_or_else(|e| panic!("{name}, {case}: {e}")).to_jwk(), due.to_jwk());
            }
        }
        for name in written.public {
            let due = VerifyingKey::from_pem(&file(name), algorithm, None).unwrap();
            for (case, text) in dressings(&file(name)) {
                assert_eq!(VerifyingKey::from_pem(&text, algorithm, None), Ok(due.clone()), "{name}, {case}");
            }
        }
    }
}

#[test]
fn an_ed25519_key_that_brings_its_public_half_is_read_if_that_is_its_own() {
    // RFC 5958 version 2, as aws-lc and ring write it.
    let seed = [7; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let mut der = pair.to_pkcs8().unwrap().as_ref().to_vec();
    let key = SigningKey::from_pem(&pem("PRIVATE KEY", &der), Algorithm::EdDsa, None).unwrap();
    assert_eq!(key.to_jwk(), SigningKey::ed25519(&seed).unwrap().to_jwk());
    *der.last_mut().unwrap() ^= 1;
    let refused = SigningKey::from_pem(&pem("PRIVATE KEY", &der), Algorithm::EdDsa, None).unwrap_err();
    assert_eq!(refused, KeyError::Mismatch);
}

#[test]
fn a_key_is_for_an_algorithm_of_its_type_and_curve() {
    for written in &WRITTEN {
        for algorithm in Algorithm::ALL.into_iter().filter(|one| !written.algorithms.contains(one)) {
            for name in written.private {
                let refused = SigningKey::from_pem(&file(name), algorithm, Some("k")).unwrap_err();
                assert_eq!(refused, KeyError::Unfit("alg"), "{name} as {algorithm:?}");
            }
            for name in written.public {
                let refused = VerifyingKey::from_pem(&file(name), algorithm, Some("k")).unwrap_err();
                assert_eq!(refused, KeyError::Unfit("alg"), "{name} as {algorithm:?}");
            }
        }
    }
}

#[test]
fn a_private_key_is_not_read_as_a_public_one_nor_the_reverse() {
    for written in &WRITTEN {
        for name in written.private {
            let refused = VerifyingKey::from_pem(&file(name), written.algorithms[0], None).unwrap_err();
            assert!(matches!(refused, KeyError::Malformed(_)), "{name}: {refused}");
        }
        for name in written.public {
            let refused = SigningKey::from_pem(&file(name), written.algorithms[0], None).unwrap_err();
            assert!(matches!(refused, KeyError::Malformed(_)), "{name}: {refused}");
        }
    }
}

#[test]
fn what_is_no_key_of_ours_is_refused_in_clear_words_that_do_not_quote_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keys/refused");
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".pem");
        let text = fs::read_to_string(&path).unwrap();
        for algorithm in Algorithm::ALL {
            let errors = [
                SigningKey::from_pem(&text, algorithm, Some("k")).map(drop).unwrap_err(),
                VerifyingKey::from_pem(&text, algorithm, Some("k")).map(drop).unwrap_err(),
            ];
            for error in errors {
                let said = format!("{error} {error:?}");
                assert!(text.lines().all(|line| line.len() < 30 || !said.contains(line)), "{name}: {said}");
            }
            tried += 1;
        }
        let (words, error) = match (name.strip_suffix(".pub"), algorithm_for(name)) {
            (None, algorithm) if !name.contains("compressed") => {
                (private_words(name), SigningKey::from_pem(&text, algorithm, Some("k")).map(drop))
            }
            (_, algorithm) => {
                (public_words(name), VerifyingKey::from_pem(&text, algorithm, Some("k")).map(drop))
            }
        };
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(tried, 8 * 32);
}

fn algorithm_for(name: &str) -> Algorithm {
    if name.contains("rsa") || name.contains("encrypted") || name.contains("cert") || name.contains("request")
    {
        Algorithm::Rs256
    } else if name.contains("p384") {
        Algorithm::Es384
    } else if name.contains("p256") || name.contains("secp") || name.contains("p521") {
        Algorithm::Es256
    } else {
        Algorithm::EdDsa
    }
}

fn private_words(name: &str) -> &'static str {
    match name {
        "encrypted" => "it is encrypted; decrypt it first",
        "encrypted-pkcs1" | "encrypted-sec1" => "it is encrypted; decrypt it first",
        "certificate" | "request" => "there is no such PEM block",
        "rsa1024" => "needs 2048 to 8192 bits, this one has 1024",
        "rsa-e3" | "rsa-e17" | "rsa-e-2-64-1" => "must be odd and at least 65537",
        "rsa-three-primes" => "no RSA private key of two primes",
        "rsa-pss" | "dsa-pkcs8" | "ed448" | "x25519" => "`kty` does not fit",
        "secp256k1" | "secp256k1-pkcs8" | "p521" => "`crv` does not fit",
        "p256.sec1-explicit" | "p384.sec1-explicit" => "no EC private key",
        other => panic!("{other}: what is to be said of it?"),
    }
}

fn public_words(name: &str) -> &'static str {
    match name {
        "rsa1024.pub" => "needs 2048 to 8192 bits, this one has 1024",
        "rsa-e3.pub" | "rsa-e17.pub" | "rsa-e-2-64-1.pub" => "must be odd and at least 65537",
        "rsa-pss.pub" | "dsa.pub" | "ed448.pub" | "x25519.pub" => "`kty` does not fit",
        "secp256k1.pub" | "secp256k1-pkcs8.pub" | "p521.pub" => "`crv` does not fit",
        "p256.pub-compressed" | "p384.pub-compressed" => "`x` is missing or malformed",
        other => panic!("{other}: what is to be said of it?"),
    }
}

#[test]
fn a_damaged_block_is_refused() {
    for (name, algorithm) in [
        ("ed25519", Algorithm::EdDsa),
        ("p256", Algorithm::Es256),
        ("p384.sec1", Algorithm::Es384),
        ("rsa2048.pkcs1", Algorithm::Rs256),
    ] {
        let good = file(name);
        let lines: Vec<_> = good.lines().collect();
        let body = lines[1];
        for (case, bad) in [
            ("nothing", String::new()),
            ("no end", lines[..lines.len() - 1].join("\n")),
            ("no beginning", lines[1..].join("\n")),
            ("another end", good.replace("-----END ", "-----END X")),
            ("no body", good.replace(body, "")),
            (
                "a line less",
                lines.iter().filter(|line| **line != body).copied().collect::<Vec<_>>().join("\n"),
            ),
            ("base64url", good.replace(body, &format!("-_{}", &body[2..]))),
            ("a stranger inside", good.replace(body, &format!("{}!{}", &body[..5], &body[6..]))),
            ("a byte cut off", pem_of(&good, |der| der[..der.len() - 1].to_vec())),
            ("a byte more", pem_of(&good, |der| [der, &[0]].concat())),
            ("the first byte", pem_of(&good, |der| [&[der[0] ^ 1], &der[1..]].concat())),
            (
                "a longer length",
                pem_of(&good, |der| [&[der[0], 0x84, 0x7f, 0xff, 0xff, 0xff], &der[2..]].concat()),
            ),
            ("an endless length", pem_of(&good, |der| [&[der[0], 0x80], &der[2..]].concat())),
        ] {
            let refused = SigningKey::from_pem(&bad, algorithm, None);
            assert!(refused.is_err(), "{name}, {case}");
        }
    }
}

/// The same key as it lies about in the world.
fn dressings(good: &str) -> Vec<(&'static str, String)> {
    vec![
        ("CRLF", good.replace('\n', "\r\n")),
        ("no last line end", good.trim_end().to_owned()),
        ("blank lines around", format!("\n\n{good}\n\n")),
        (
            "text before",
            format!("Bag Attributes\n    friendlyName: key\nKey Attributes: <No Attributes>\n{good}"),
        ),
        ("CRLF and text before", format!("Bag Attributes\n{good}").replace('\n', "\r\n")),
        ("text behind", format!("{good}that was the key\n")),
        ("another block before", format!("{}{good}", file("refused/certificate"))),
        ("another block behind", format!("{good}{}", file("refused/certificate"))),
    ]
}

/// The block again, what it holds changed.
fn pem_of(text: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let start = text.rfind("-----BEGIN ").unwrap();
    let label = text[start..].lines().next().unwrap().trim_matches('-').trim_start_matches("BEGIN ");
    pem(label, &change(&crate::forge::der(&text[start..])))
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keys").join(format!("{name}.pem"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

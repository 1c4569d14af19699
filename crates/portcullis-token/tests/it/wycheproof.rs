//! Project Wycheproof's vectors, each of which once broke somebody's library.
//!
//! The numbers are there so that nothing passes by being skipped: how many signatures were accepted, how many refused,
//! and how many of them only because our policy has no use for the key or the tag. What a set leaves to us as
//! "acceptable" (PKCS #1 without the NULL, RFC 8017 §A.2.4 note) is refused; the last number would say otherwise.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis_token::{Algorithm, KeyError, VerifyingKey};
use serde_json::json;
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// What became of the vectors of a set.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Rightly accepted.
    accepted: usize,
    /// Rightly refused, by a key that we use.
    refused: usize,
    /// Vectors whose key or tag our policy refuses, right or wrong.
    by_policy: usize,
    /// "Acceptable" vectors that we accept.
    leniently: usize,
}

impl Tally {
    /// Counts the verdict, which must be the one that the vector asks for.
    #[track_caller]
    fn count(&mut self, verdict: bool, asked: TestResult, case: &str) {
        match (verdict, asked) {
            (true, TestResult::Valid) => self.accepted += 1,
            (true, TestResult::Acceptable) => self.leniently += 1,
            (true, TestResult::Invalid) => panic!("false accept: {case}"),
            (false, TestResult::Valid) => panic!("false reject: {case}"),
            (false, _) => self.refused += 1,
        }
    }
}

fn tally(accepted: usize, refused: usize, by_policy: usize, leniently: usize) -> Tally {
    Tally { accepted, refused, by_policy, leniently }
}

#[test]
fn ed25519() {
    use eddsa::{TestName, TestSet};
    let mut seen = Tally::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = VerifyingKey::from_pem(&group.pem, Algorithm::EdDsa, None).unwrap();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(&*group.key.pk) });
        assert_eq!(VerifyingKey::from_jwk(&jwk.to_string()).unwrap(), key);
        for test in group.tests {
            let case = format!("{} {}", test.tc_id, test.comment);
            seen.count(key.verifies(&test.msg, &test.sig), test.result, &case);
        }
    }
    assert_eq!(seen, tally(88, 63, 0, 0));
}

#[test]
fn ecdsa_on_p_256() {
    assert_eq!(
        ecdsa_set(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256"),
        tally(173, 89, 0, 0)
    );
}

#[test]
fn ecdsa_on_p_384() {
    assert_eq!(
        ecdsa_set(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384"),
        tally(193, 87, 0, 0)
    );
}

fn ecdsa_set(name: ecdsa::TestName, algorithm: Algorithm, crv: &str) -> Tally {
    let mut seen = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let key = VerifyingKey::from_pem(&group.pem, algorithm, None).unwrap();
        let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
        let jwk = json!({ "kty": "EC", "crv": crv, "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) });
        assert_eq!(VerifyingKey::from_jwk(&jwk.to_string()).unwrap(), key);
        for test in group.tests {
            let case = format!("{} {}", test.tc_id, test.comment);
            seen.count(key.verifies(&test.msg, &test.sig), test.result, &case);
        }
    }
    seen
}

#[test]
fn rsa_pkcs1_of_2048_bits() {
    assert_eq!(pkcs1_set(rsa_pkcs1_verify::TestName::Rsa2048Sha256), tally(7, 250, 2, 0));
}

#[test]
fn rsa_pkcs1_of_3072_bits() {
    assert_eq!(pkcs1_set(rsa_pkcs1_verify::TestName::Rsa3072Sha256), tally(7, 251, 1, 0));
}

#[test]
fn rsa_pkcs1_of_4096_bits() {
    assert_eq!(pkcs1_set(rsa_pkcs1_verify::TestName::Rsa4096Sha256), tally(7, 251, 0, 0));
}

#[test]
fn rsa_pkcs1_of_8192_bits() {
    assert_eq!(pkcs1_set(rsa_pkcs1_verify::TestName::Rsa8192Sha256), tally(7, 251, 0, 0));
}

#[test]
fn rsa_pkcs1_with_another_hash_is_no_rs256() {
    // Each of the sets has one signature that is wrong there for being made with SHA-256.
    for (name, due) in [
        (rsa_pkcs1_verify::TestName::Rsa2048Sha224, tally(1, 257, 0, 0)),
        (rsa_pkcs1_verify::TestName::Rsa2048Sha384, tally(1, 257, 0, 0)),
        (rsa_pkcs1_verify::TestName::Rsa2048Sha512_256, tally(1, 256, 0, 0)),
        (rsa_pkcs1_verify::TestName::Rsa2048Sha3_256, tally(1, 256, 0, 0)),
    ] {
        let mut seen = Tally::default();
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let Some(key) = rsa(&group.pem, &group.key.n, &group.key.e, Algorithm::Rs256) else {
                seen.by_policy += group.tests.len();
                continue;
            };
            for test in group.tests {
                let ours = test.comment.contains("hashed with SHA-256 instead");
                let asked = if ours { TestResult::Valid } else { TestResult::Invalid };
                let case = format!("{name:?} {} {}", test.tc_id, test.comment);
                seen.count(key.verifies(&test.msg, &test.sig), asked, &case);
            }
        }
        assert_eq!(seen, due, "{name:?}");
    }
}

fn pkcs1_set(name: rsa_pkcs1_verify::TestName) -> Tally {
    let mut seen = Tally::default();
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        assert_eq!(group.hash, HashFunction::Sha2_256);
        let Some(key) = rsa(&group.pem, &group.key.n, &group.key.e, Algorithm::Rs256) else {
            seen.by_policy += group.tests.len();
            continue;
        };
        for test in group.tests {
            let case = format!("{} {}", test.tc_id, test.comment);
            seen.count(key.verifies(&test.msg, &test.sig), test.result, &case);
        }
    }
    seen
}

#[test]
fn rsa_pss_with_a_salt_as_long_as_the_hash() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
    };
    assert_eq!(pss_set(RsaPss2048Sha256Mgf1SaltLen32), tally(63, 45, 0, 0));
    assert_eq!(pss_set(RsaPss3072Sha256Mgf1SaltLen32), tally(63, 45, 0, 0));
    assert_eq!(pss_set(RsaPss4096Sha256Mgf1SaltLen32), tally(63, 45, 0, 0));
}

#[test]
fn rsa_pss_with_any_other_salt_or_hash_is_no_ps256() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1Sha1_20, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss2048Sha512_256Mgf1SaltLen32, RsaPssmisc,
    };
    assert_eq!(pss_set(RsaPss2048Sha256Mgf1SaltLen0), tally(1, 102, 0, 0));
    assert_eq!(pss_set(RsaPss2048Sha256Mgf1Sha1_20), tally(0, 108, 0, 0));
    assert_eq!(pss_set(RsaPss2048Sha384Mgf1SaltLen48), tally(0, 141, 0, 0));
    assert_eq!(pss_set(RsaPss2048Sha512_256Mgf1SaltLen32), tally(0, 115, 0, 0));
    assert_eq!(pss_set(RsaPssmisc), tally(1, 149, 0, 0));
}

/// RFC 7518 §3.5: SHA-256 twice, and a salt of 32 bytes. What is right by other parameters is wrong by these.
fn pss_set(name: rsa_pss_verify::TestName) -> Tally {
    let mut seen = Tally::default();
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let hashes = group.hash == HashFunction::Sha2_256 && group.mgf_hash == Some(HashFunction::Sha2_256);
        let Some(key) = rsa(&group.pem, &group.key.n, &group.key.e, Algorithm::Ps256) else {
            seen.by_policy += group.tests.len();
            continue;
        };
        for test in group.tests {
            let case = format!("{name:?} {} {}", test.tc_id, test.comment);
            let verdict = key.verifies(&test.msg, &test.sig);
            let asked = match test.comment.as_str() {
                _ if hashes && group.salt_size == 32 => test.result,
                // Wrong there, for being made as ours are.
                "s_len changed to 32" if hashes => TestResult::Valid,
                _ => TestResult::Invalid,
            };
            seen.count(verdict, asked, &case);
        }
    }
    seen
}

/// The key, from both its writings; none if it is one that we refuse, which must be for its size or exponent.
fn rsa(pem: &str, n: &[u8], e: &[u8], algorithm: Algorithm) -> Option<VerifyingKey> {
    let integer = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        BASE64URL.encode(&bytes[zeros..])
    };
    let jwk = json!({ "kty": "RSA", "alg": algorithm.name(), "n": integer(n), "e": integer(e) }).to_string();
    let (key, other) = (VerifyingKey::from_pem(pem, algorithm, None), VerifyingKey::from_jwk(&jwk));
    assert_eq!(key, other);
    match key {
        Ok(key) => Some(key),
        Err(KeyError::Exponent | KeyError::Modulus(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn hmac_with_the_whole_tag_and_a_key_as_long_as_the_hash() {
    use mac::TestName::{HmacSha256, HmacSha384, HmacSha512};
    for (name, algorithm, hash, due) in [
        (HmacSha256, Algorithm::Hs256, 32, tally(30, 54, 90, 0)),
        (HmacSha384, Algorithm::Hs384, 48, tally(30, 54, 90, 0)),
        (HmacSha512, Algorithm::Hs512, 64, tally(30, 54, 90, 0)),
    ] {
        let mut seen = Tally::default();
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let case = format!("{name:?} {} {}", test.tc_id, test.comment);
                let k = BASE64URL.encode(&*test.key);
                let jwk = json!({ "kty": "oct", "kid": "k", "alg": algorithm.name(), "k": k }).to_string();
                let key = VerifyingKey::from_jwk(&jwk);
                if test.key.len() < hash {
                    assert_eq!(key, Err(KeyError::TooShort(algorithm.name(), hash, test.key.len())));
                    seen.by_policy += 1;
                    continue;
                }
                let verdict = key.unwrap().verifies(&test.msg, &test.tag);
                if group.tag_size == 8 * hash {
                    seen.count(verdict, test.result, &case);
                } else {
                    assert!(!verdict, "a cut tag: {case}");
                    seen.by_policy += 1;
                }
            }
        }
        assert_eq!(seen, due, "{name:?}");
    }
}

//! What signing and verifying one token costs, and meeting one again: `cargo bench -p portcullis-bench --bench tokens`.

// A benchmark is a program to look at: it prints, and stops where something is not as it was set up.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::hint::black_box;

use allocation_counter as _;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use jwt_compact::AlgorithmExt;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, EdDSAPublicKeyLike, MACLike, RSAPublicKeyLike, VerificationOptions,
};
use portcullis_bench::{Contestant, side_by_side};
use portcullis_token::{AccessClaims, Algorithm, Audience, Expect, KeyRing, SigningKey, TokenCache};
use serde::{Deserialize, Serialize};

fn main() {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let algorithms = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    if wanted("verify") {
        println!("\nVerify one token: in multiples of the limit, and (heap blocks taken)\n");
        table(algorithms, verify);
    }
    if wanted("sign") {
        println!("\nSign one token: the same\n");
        table(algorithms, sign);
    }
    if wanted("algorithms") {
        println!("\nEvery algorithm, ours: microseconds\n");
        every_algorithm();
    }
    if wanted("again") {
        println!("\nA token met again: nanoseconds, and (heap blocks taken)\n");
        again();
    }
}

fn table(algorithms: [Algorithm; 4], contestants: fn(&'static Keys) -> Vec<Contestant>) {
    let mut head = false;
    for algorithm in algorithms {
        let row = contestants(Box::leak(Box::new(Keys::of(algorithm))));
        if !std::mem::replace(&mut head, true) {
            let names: Vec<_> = row.iter().map(|one| one.name).collect();
            println!("| | limit (ns) | {} |", names.join(" | "));
            println!("|---|---|{}", "---|".repeat(names.len()));
        }
        let measured = side_by_side(&row, 1, ROUNDS);
        let cells: Vec<_> =
            measured.iter().map(|one| format!("{} ({})", precise(one.ratio), one.allocations)).collect();
        println!("| {} | {:.0} | {} |", algorithm.name(), measured[1].nanoseconds, cells.join(" | "));
    }
}

fn precise(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

/// One key in the form that each contestant wants.
struct Keys {
    algorithm: Algorithm,
    bare: Bare,
    encoding: EncodingKey,
    decoding: DecodingKey,
    ours: SigningKey,
}

/// A key of aws-lc-rs, set up once.
enum Bare {
    Ed25519(Ed25519KeyPair, ParsedPublicKey),
    Es256(EcdsaKeyPair, ParsedPublicKey),
    Rs256(RsaKeyPair, ParsedPublicKey),
    Hs256(Box<hmac::Key>),
}

impl Keys {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
                let public = pair.public_key().as_ref().to_vec();
                Self {
                    algorithm,
                    encoding: EncodingKey::from_ed_der(pair.to_pkcs8().unwrap().as_ref()),
                    decoding: DecodingKey::from_ed_der(&public),
                    ours: SigningKey::ed25519(&[7; 32]).unwrap(),
                    bare: Bare::Ed25519(pair, ParsedPublicKey::new(&ED25519, public).unwrap()),
                }
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let pkcs8 = pair.to_pkcs8v1().unwrap();
                let public = pair.public_key().as_ref().to_vec();
                Self {
                    algorithm,
                    encoding: EncodingKey::from_ec_der(pkcs8.as_ref()),
                    decoding: DecodingKey::from_ec_der(&public),
                    ours: SigningKey::from_pem(&pem(pkcs8.as_ref()), algorithm, None).unwrap(),
                    bare: Bare::Es256(pair, ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).unwrap()),
                }
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let pem = pem(pkcs8.as_ref());
                let public = pair.public_key().as_ref().to_vec();
                Self {
                    algorithm,
                    encoding: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
                    decoding: DecodingKey::from_rsa_der(&public),
                    ours: SigningKey::from_pem(&pem, algorithm, None).unwrap(),
                    bare: Bare::Rs256(
                        pair,
                        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).unwrap(),
                    ),
                }
            }
            _ => Self {
                algorithm,
                bare: Bare::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &SECRET))),
                encoding: EncodingKey::from_secret(&SECRET),
                decoding: DecodingKey::from_secret(&SECRET),
                ours: SigningKey::hmac(algorithm, &SECRET, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
                    .unwrap(),
            },
        }
    }

    fn jose(&self) -> jsonwebtoken::Algorithm {
        self.algorithm.name().parse().unwrap()
    }

    /// The header as [`KeyRing::sign`] writes it.
    fn header(&self) -> String {
        format!(r#"{{"alg":"{}","kid":"{}","typ":"at+jwt"}}"#, self.algorithm.name(), self.ours.kid())
    }
}

fn pem(pkcs8: &[u8]) -> String {
    let text = STANDARD.encode(pkcs8);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

impl Bare {
    fn verify(&self, message: &[u8], signature: &[u8]) {
        match self {
            Bare::Ed25519(_, public) | Bare::Es256(_, public) | Bare::Rs256(_, public) => {
                public.verify_sig(message, signature).unwrap();
            }
            Bare::Hs256(key) => hmac::verify(key, message, signature).unwrap(),
        }
    }

    fn sign<'room>(&self, message: &[u8], room: &'room mut [u8; 256]) -> &'room [u8] {
        let mut put = |signature: &[u8]| {
            room[..signature.len()].copy_from_slice(signature);
            signature.len()
        };
        let length = match self {
            Bare::Ed25519(pair, _) => put(pair.sign(message).as_ref()),
            Bare::Es256(pair, _) => put(pair.sign(&SystemRandom::new(), message).unwrap().as_ref()),
            Bare::Hs256(key) => put(hmac::sign(key, message).as_ref()),
            Bare::Rs256(pair, _) => {
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, room).unwrap();
                room.len()
            }
        };
        &room[..length]
    }
}

fn verify(keys: &'static Keys) -> Vec<Contestant> {
    let claims = serde_json::to_string(&Claims::example()).unwrap();
    assert_eq!(claims.len(), 253);
    let message: &'static str =
        format!("{}.{}", BASE64URL.encode(keys.header()), BASE64URL.encode(&claims)).leak();
    let signature: &'static [u8] = keys.bare.sign(message.as_bytes(), &mut [0; 256]).to_vec().leak();
    let token: &'static str = format!("{message}.{}", BASE64URL.encode(signature)).leak();
    let payload = message.split_once('.').unwrap().1;

    let mut validation = Validation::new(keys.jose());
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let ring = KeyRing::new(keys.ours.clone());
    let (ring_again, cache) = (ring.clone(), TokenCache::new(1 << 20));
    let (expect, expect_again) = (Expect::new(ISSUER, AUDIENCE), Expect::new(ISSUER, AUDIENCE));
    vec![
        Contestant::new("primitive", move || {
            keys.bare.verify(black_box(message).as_bytes(), black_box(signature));
        }),
        Contestant::new("limit", move || {
            keys.bare.verify(black_box(message).as_bytes(), black_box(signature));
            let mut json = [0; 512];
            let length = BASE64URL.decode_slice(black_box(payload), &mut json).unwrap();
            black_box(serde_json::from_slice::<Claims<'_>>(&json[..length]).unwrap());
        }),
        Contestant::new("jsonwebtoken", move || {
            let data = jsonwebtoken::decode::<OwnedClaims>(black_box(token), &keys.decoding, &validation);
            black_box(data.unwrap());
        }),
        jwt_simple(keys, token),
        jwt_compact(keys, token),
        Contestant::new("ours, first", move || {
            black_box(ring.verify(black_box(token), &expect, NOW).unwrap());
        }),
        Contestant::new("ours, again", move || {
            let made = cache.verify(ring_again.keys(), black_box(token), &expect_again, NOW, Ok);
            black_box(made.unwrap());
        }),
    ]
}

fn sign(keys: &'static Keys) -> Vec<Contestant> {
    let ring = KeyRing::new(keys.ours.clone());
    let header =
        Header { typ: Some("at+jwt".into()), kid: Some(keys.ours.kid().into()), ..Header::new(keys.jose()) };
    let start = BASE64URL.encode(keys.header()) + ".";
    let claims: &'static AccessClaims = Box::leak(Box::new(access_claims()));
    let length = serde_json::to_string(claims).unwrap().len();
    assert!((240..=260).contains(&length), "{length}");
    let token = ring.sign(claims).unwrap();
    let message: &'static str = token.rsplit_once('.').unwrap().0.to_owned().leak();
    vec![
        Contestant::new("primitive", move || {
            black_box(keys.bare.sign(black_box(message).as_bytes(), &mut [0; 256]));
        }),
        Contestant::new("limit", move || {
            let mut token = String::with_capacity(1024);
            token.push_str(&start);
            BASE64URL.encode_string(serde_json::to_vec(black_box(claims)).unwrap(), &mut token);
            let mut room = [0; 256];
            let signature = keys.bare.sign(token.as_bytes(), &mut room);
            token.push('.');
            BASE64URL.encode_string(signature, &mut token);
            black_box(token);
        }),
        Contestant::new("jsonwebtoken", move || {
            black_box(jsonwebtoken::encode(&header, black_box(claims), &keys.encoding).unwrap());
        }),
        Contestant::new("ours", move || {
            black_box(ring.sign(black_box(claims)).unwrap());
        }),
    ]
}

/// What each algorithm costs here, without a measure beside it.
fn every_algorithm() {
    println!("| | sign | verify | bytes of the token |\n|---|---|---|---|");
    for algorithm in Algorithm::ALL {
        let kid = algorithm.is_symmetric().then_some("3fa85f64-5717-4562-b3fc-2c963f66afa6");
        let ring = KeyRing::new(SigningKey::generate(algorithm, kid, &[7; 64]).unwrap());
        let (token, again) = (ring.sign(&access_claims()).unwrap(), ring.clone());
        let bytes = token.len();
        let (claims, expect) = (access_claims(), Expect::new(ISSUER, AUDIENCE));
        let both = [
            Contestant::new("sign", move || drop(black_box(ring.sign(black_box(&claims)).unwrap()))),
            Contestant::new("verify", move || {
                black_box(again.verify(black_box(&token), &expect, NOW).unwrap());
            }),
        ];
        let measured = side_by_side(&both, 0, ROUNDS);
        let micros = |at: usize| measured[at].nanoseconds / 1000.0;
        println!("| {} | {:.1} | {:.1} | {bytes} |", algorithm.name(), micros(0), micros(1));
    }
}

/// A cache of few hot tokens, and one of many met at random, as a look-up pays for memory too.
fn again() {
    println!("| | 64 hot tokens | 100,000 tokens at random |\n|---|---|---|");
    let ring = KeyRing::new(SigningKey::ed25519(&[7; 32]).unwrap());
    let expect = Expect::new(ISSUER, AUDIENCE);
    let mut cells = Vec::new();
    for count in [64, 100_000] {
        let cache = TokenCache::new(1 << 30);
        let tokens: Vec<_> = (0..count)
            .map(|number| {
                let claims = AccessClaims { jti: format!("{number:022}").into(), ..access_claims() };
                let token = ring.sign(&claims).unwrap();
                cache.verify(ring.keys(), &token, &expect, NOW, Ok).unwrap();
                token
            })
            .collect();
        assert_eq!(cache.len(), count);
        let (ring, expect) = (ring.clone(), expect.clone());
        // A walk that comes to each and looks random to the processor.
        let at = std::cell::Cell::new(0_usize);
        let step = Contestant::new("again", move || {
            at.set((at.get() + 48_271) % tokens.len());
            let made = cache.verify(ring.keys(), black_box(&tokens[at.get()]), &expect, NOW, Ok);
            black_box(made.unwrap());
        });
        let measured = &side_by_side(&[step], 0, ROUNDS)[0];
        cells.push(format!("{:.0} ({})", measured.nanoseconds, measured.allocations));
    }
    println!("| TokenCache | {} |", cells.join(" | "));
}

fn jwt_simple(keys: &'static Keys, token: &'static str) -> Contestant {
    let options = || {
        Some(VerificationOptions {
            allowed_issuers: Some([ISSUER.to_owned()].into()),
            allowed_audiences: Some([AUDIENCE.to_owned()].into()),
            ..VerificationOptions::default()
        })
    };
    let asked = options();
    let run: Box<dyn Fn()> = match &keys.bare {
        Bare::Hs256(_) => {
            let key = jwt_simple::algorithms::HS256Key::from_bytes(&SECRET);
            Box::new(move || {
                drop(black_box(key.verify_token::<Rest>(black_box(token), asked.clone()).unwrap()))
            })
        }
        Bare::Ed25519(pair, _) => {
            let key =
                jwt_simple::algorithms::Ed25519PublicKey::from_bytes(pair.public_key().as_ref()).unwrap();
            Box::new(move || {
                drop(black_box(key.verify_token::<Rest>(black_box(token), asked.clone()).unwrap()))
            })
        }
        Bare::Es256(pair, _) => {
            let key = jwt_simple::algorithms::ES256PublicKey::from_bytes(pair.public_key().as_ref()).unwrap();
            Box::new(move || {
                drop(black_box(key.verify_token::<Rest>(black_box(token), asked.clone()).unwrap()))
            })
        }
        Bare::Rs256(pair, _) => {
            let key: signature::RsaSubjectPublicKey = pair.public_key().clone();
            let (n, e) = (key.modulus(), key.exponent());
            let key = jwt_simple::algorithms::RS256PublicKey::from_components(
                n.big_endian_without_leading_zero(),
                e.big_endian_without_leading_zero(),
            )
            .unwrap();
            Box::new(move || {
                drop(black_box(key.verify_token::<Rest>(black_box(token), asked.clone()).unwrap()))
            })
        }
    };
    Contestant { name: "jwt-simple", run }
}

fn jwt_compact(keys: &'static Keys, token: &'static str) -> Contestant {
    use jwt_compact::alg::{Ed25519, Es256, Hs256, Hs256Key, Rsa};
    use jwt_compact::jwk::JsonWebKey;
    use jwt_compact::{TimeOptions, UntrustedToken};
    fn check<A: jwt_compact::Algorithm + 'static>(
        algorithm: A,
        key: A::VerifyingKey,
        token: &'static str,
    ) -> Box<dyn Fn()> {
        Box::new(move || {
            let untrusted = UntrustedToken::new(black_box(token)).unwrap();
            let token = algorithm.validator::<CompactClaims>(&key).validate(&untrusted).unwrap();
            let claims = token.claims().validate_expiration(&TimeOptions::default()).unwrap();
            assert!(claims.custom.iss == ISSUER && claims.custom.aud == AUDIENCE);
            black_box(token);
        })
    }
    let jwk = keys.ours.verifying().to_jwk().map(|jwk| serde_json::to_string(&jwk).unwrap());
    let jwk: Option<JsonWebKey<'static>> = jwk.map(|jwk| serde_json::from_str(jwk.leak()).unwrap());
    let run = match &keys.bare {
        Bare::Hs256(_) => check(Hs256, Hs256Key::new(SECRET), token),
        Bare::Ed25519(..) => check(Ed25519, (&jwk.unwrap()).try_into().unwrap(), token),
        Bare::Es256(..) => check(Es256, (&jwk.unwrap()).try_into().unwrap(), token),
        Bare::Rs256(..) => check(Rsa::rs256(), (&jwk.unwrap()).try_into().unwrap(), token),
    };
    Contestant { name: "jwt-compact", run }
}

/// The claims to verify, as parsed by the limit: nothing is copied.
#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: &'a str,
    sid: &'a str,
    roles: [&'a str; 2],
    scope: &'a str,
}

/// The same as a service with `jsonwebtoken` would write them.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed, not read")]
struct OwnedClaims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    sid: String,
    roles: Vec<String>,
    scope: String,
}

/// What `jwt-simple` does not read by itself.
#[derive(Serialize, Deserialize)]
struct Rest {
    sid: String,
    roles: Vec<String>,
    scope: String,
}

/// What `jwt-compact` does not read by itself.
#[derive(Clone, Serialize, Deserialize)]
struct CompactClaims {
    iss: String,
    sub: String,
    aud: String,
    jti: String,
    sid: String,
    roles: Vec<String>,
    scope: String,
}

impl Claims<'_> {
    fn example() -> Self {
        Self {
            iss: ISSUER,
            sub: "018f6b1e-7c3a-7d52-9a41-5b1f0c2d3e4f",
            aud: AUDIENCE,
            exp: EXP,
            iat: NOW,
            jti: "6MYI0VYq3mWTzRjX4c8Nvg",
            sid: "bH8vKq2rT5yX1cDe7fGhJw",
            roles: ["admin", "editor"],
            scope: "notes:read notes:write",
        }
    }
}

/// Claims of the same length for the contestants that sign.
fn access_claims() -> AccessClaims {
    let like = Claims::example();
    AccessClaims {
        iss: like.iss.into(),
        sub: like.sub.into(),
        aud: Audience::from(like.aud),
        exp: like.exp,
        iat: like.iat,
        jti: like.jti.into(),
        client_id: "".into(),
        sid: like.sid.into(),
        auth_time: NOW,
        amr: vec!["pwd".into()],
        roles: like.roles.map(str::to_owned).into(),
        permissions: vec![],
        packed: None,
    }
}

const SECRET: [u8; 32] = [7; 32];
const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "notes-api";
const NOW: u64 = 1_750_000_000;
/// The peers read the clock, so the token must outlive it.
const EXP: u64 = 4_102_444_800;
const ROUNDS: usize = 201;

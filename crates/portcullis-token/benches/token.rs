//! What signing and verifying one token costs, beside the bare cryptography and beside `jsonwebtoken`.
//!
//! Criterion gives the times and their history. The table at the end gives ratios: all contestants of a row
//! run in turn, round after round, so that whatever else the machine does falls on all of them alike.

// A benchmark is a program to look at: it prints, and stops where something is not as it was set up.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use criterion::Criterion;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use portcullis_token::{AccessClaims, Algorithm, Audience, Expect, KeyRing, SigningKey};
use serde::{Deserialize, Serialize};

fn main() {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for bench in all() {
        let mut group = criterion.benchmark_group(bench.name);
        for (who, run) in CONTESTANTS.into_iter().zip(&bench.runs) {
            group.bench_function(who, |bencher| bencher.iter(run));
        }
        group.finish();
    }
    criterion.final_summary();
    // Under `cargo test` criterion runs each contestant once, and a table would say nothing.
    if std::env::args().any(|argument| argument == "--bench") {
        print_table();
    }
}

/// The columns, in the order of [`Bench::runs`]; the second is the measure of the others.
const CONTESTANTS: [&str; 4] = ["primitive", "limit", "jsonwebtoken", "portcullis"];

/// One task and the four who do it.
struct Bench {
    name: &'static str,
    runs: [Box<dyn Fn()>; 4],
}

fn all() -> Vec<Bench> {
    vec![
        verify("verify EdDSA", Keys::ed25519()),
        verify("verify HS256", Keys::hs256()),
        sign("sign EdDSA", Keys::ed25519()),
        sign("sign HS256", Keys::hs256()),
    ]
}

/// Rounds in which every contestant of a task runs once; then the median of its times and of its ratios.
fn print_table() {
    println!("\nOne token, median of {ROUNDS} interleaved rounds, in multiples of the limit:\n");
    println!("| | limit (ns) | {} |", CONTESTANTS.join(" | "));
    println!("|---|---|{}", "---|".repeat(CONTESTANTS.len()));
    for Bench { name, runs } in all() {
        let repeats: Vec<u32> = runs.iter().map(|run| repeats(run)).collect();
        let mut limits = Vec::with_capacity(ROUNDS);
        let mut ratios = [const { Vec::new() }; CONTESTANTS.len()];
        for _ in 0..ROUNDS {
            let times: Vec<f64> = runs.iter().zip(&repeats).map(|(run, &count)| time(run, count)).collect();
            limits.push(times[1]);
            for (ratios, time) in ratios.iter_mut().zip(&times) {
                ratios.push(time / times[1]);
            }
        }
        let ratios: Vec<_> = ratios.into_iter().map(|ratios| format!("{:.2}", median(ratios))).collect();
        println!("| {name} | {:.0} | {} |", median(limits), ratios.join(" | "));
    }
}

/// Nanoseconds of one run, over `count` of them.
fn time(run: &dyn Fn(), count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        run();
    }
    start.elapsed().as_nanos() as f64 / f64::from(count)
}

/// How many runs make a round's share of a contestant.
fn repeats(run: &dyn Fn()) -> u32 {
    time(run, 200);
    (ROUND.as_nanos() as f64 / time(run, 200)).ceil() as u32
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

const ROUNDS: usize = 201;
const ROUND: Duration = Duration::from_millis(3);

/// One key in the form that each contestant wants.
struct Keys {
    bare: Bare,
    encoding: EncodingKey,
    decoding: DecodingKey,
    algorithm: jsonwebtoken::Algorithm,
    ours: SigningKey,
}

/// A key of aws-lc-rs, set up once.
enum Bare {
    Ed25519(Ed25519KeyPair, ParsedPublicKey),
    Hs256(Box<hmac::Key>),
}

impl Keys {
    fn ed25519() -> Self {
        let seed = [7; 32];
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        Self {
            encoding: EncodingKey::from_ed_der(pair.to_pkcs8().unwrap().as_ref()),
            decoding: DecodingKey::from_ed_der(&public),
            algorithm: jsonwebtoken::Algorithm::EdDSA,
            ours: SigningKey::ed25519(&seed).unwrap(),
            bare: Bare::Ed25519(pair, ParsedPublicKey::new(&ED25519, public).unwrap()),
        }
    }

    fn hs256() -> Self {
        let secret = [7; 32];
        Self {
            bare: Bare::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret))),
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
            algorithm: jsonwebtoken::Algorithm::HS256,
            ours: SigningKey::hmac(Algorithm::Hs256, &secret, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
                .unwrap(),
        }
    }

    fn header(&self) -> Header {
        Header {
            typ: Some("at+jwt".into()),
            kid: Some(self.ours.kid().into()),
            ..Header::new(self.algorithm)
        }
    }
}

impl Bare {
    fn verify(&self, message: &[u8], signature: &[u8]) {
        match self {
            Bare::Ed25519(_, public) => public.verify_sig(message, signature).unwrap(),
            Bare::Hs256(key) => hmac::verify(key, message, signature).unwrap(),
        }
    }

    fn sign<'room>(&self, message: &[u8], room: &'room mut [u8; 64]) -> &'room [u8] {
        let mut put = |signature: &[u8]| {
            room[..signature.len()].copy_from_slice(signature);
            signature.len()
        };
        let length = match self {
            Bare::Ed25519(pair, _) => put(pair.sign(message).as_ref()),
            Bare::Hs256(key) => put(hmac::sign(key, message).as_ref()),
        };
        &room[..length]
    }
}

fn verify(name: &'static str, keys: Keys) -> Bench {
    let claims = serde_json::to_string(&Claims::example()).unwrap();
    assert_eq!(claims.len(), 253);
    let message = format!("{}.{}", BASE64URL.encode(header_json(&keys.ours)), BASE64URL.encode(&claims));
    let signature = keys.bare.sign(message.as_bytes(), &mut [0; 64]).to_vec();
    let token = format!("{message}.{}", BASE64URL.encode(&signature));
    let payload = message.split_once('.').unwrap().1.to_owned();

    let mut validation = Validation::new(keys.algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let ring = KeyRing::new(keys.ours.clone());
    let expect = Expect::new(ISSUER, AUDIENCE);
    let keys = &*Box::leak(Box::new(keys));
    let (token, message): (&'static str, &'static str) = (token.leak(), message.leak());
    let signature: &'static [u8] = signature.leak();

    Bench {
        name,
        runs: [
            Box::new(move || keys.bare.verify(black_box(message).as_bytes(), black_box(signature))),
            Box::new(move || {
                keys.bare.verify(black_box(message).as_bytes(), black_box(signature));
                let mut json = [0; 512];
                let length = BASE64URL.decode_slice(black_box(&payload), &mut json).unwrap();
                black_box(serde_json::from_slice::<Claims<'_>>(&json[..length]).unwrap());
            }),
            Box::new(move || {
                let data = jsonwebtoken::decode::<OwnedClaims>(black_box(token), &keys.decoding, &validation);
                black_box(data.unwrap());
            }),
            Box::new(move || {
                black_box(ring.verify(black_box(token), &expect, NOW).unwrap());
            }),
        ],
    }
}

fn sign(name: &'static str, keys: Keys) -> Bench {
    let ring = KeyRing::new(keys.ours.clone());
    let header = keys.header();
    let start = BASE64URL.encode(header_json(&keys.ours)) + ".";
    let claims: &'static AccessClaims = Box::leak(Box::new(access_claims()));
    let length = serde_json::to_string(claims).unwrap().len();
    assert!((240..=260).contains(&length), "{length}");
    let token = ring.sign(claims).unwrap();
    let message: &'static str = token.rsplit_once('.').unwrap().0.to_owned().leak();
    let keys = &*Box::leak(Box::new(keys));

    Bench {
        name,
        runs: [
            Box::new(move || {
                black_box(keys.bare.sign(black_box(message).as_bytes(), &mut [0; 64]));
            }),
            Box::new(move || {
                let mut token = String::with_capacity(640);
                token.push_str(&start);
                BASE64URL.encode_string(serde_json::to_vec(black_box(claims)).unwrap(), &mut token);
                let mut room = [0; 64];
                let signature = keys.bare.sign(token.as_bytes(), &mut room);
                token.push('.');
                BASE64URL.encode_string(signature, &mut token);
                black_box(token);
            }),
            Box::new(move || {
                black_box(jsonwebtoken::encode(&header, black_box(claims), &keys.encoding).unwrap());
            }),
            Box::new(move || {
                black_box(ring.sign(black_box(claims)).unwrap());
            }),
        ],
    }
}

/// The header as [`KeyRing::sign`] writes it.
fn header_json(key: &SigningKey) -> String {
    format!(r#"{{"alg":"{}","kid":"{}","typ":"at+jwt"}}"#, key.algorithm().name(), key.kid())
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
        client_id: String::new(),
        sid: like.sid.into(),
        auth_time: NOW,
        amr: vec!["pwd".into()],
        roles: like.roles.map(str::to_owned).into(),
        permissions: vec![],
    }
}

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "notes-api";
const NOW: u64 = 1_750_000_000;
/// `jsonwebtoken` reads the clock, so the token must outlive it.
const EXP: u64 = 4_102_444_800;

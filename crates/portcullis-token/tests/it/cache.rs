//! What a cache of verified tokens may remember, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_token::{AccessClaims, Audience, Expect, KeyRing, KeySet, Rejected, SigningKey, TokenCache};
use serde_json::json;

use crate::forge::{
    AUDIENCE, ISSUER, NOW, another, claims, ed25519, encode, header, hs256, one_of_each, token, with,
};

/// A cache, the keys that it is for, and how often it asked what to make of claims.
struct Cached {
    cache: TokenCache<AccessClaims>,
    keys: KeySet,
    made: AtomicUsize,
}

impl Cached {
    fn of(key: &SigningKey) -> Self {
        let keys = KeySet::new().with(key.verifying().clone()).unwrap();
        Self { cache: TokenCache::new(1 << 20), keys, made: AtomicUsize::new(0) }
    }

    fn at(&self, token: &str, now: u64) -> Result<Arc<AccessClaims>, Rejected> {
        self.cache.verify(&self.keys, token, &Expect::new(ISSUER, AUDIENCE), now, |claims| {
            self.made.fetch_add(1, Ordering::Relaxed);
            Ok(claims)
        })
    }

    fn verified(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

#[test]
fn a_token_met_again_is_a_look_up_and_says_the_same() {
    for key in one_of_each() {
        let cached = Cached::of(&key);
        let token = token(&key, &header(&key), &claims());
        let first = cached.at(&token, NOW).unwrap();
        for _ in 0..10 {
            let again = cached.at(&token, NOW).unwrap();
            assert!(Arc::ptr_eq(&first, &again), "{key:?}");
        }
        assert_eq!((cached.verified(), cached.cache.len()), (1, 1), "{key:?}");
        assert_eq!(*first, cached.keys.verify(&token, &Expect::new(ISSUER, AUDIENCE), NOW).unwrap());
    }
}

#[test]
fn a_token_dies_at_its_second_however_often_it_was_met() {
    let key = ed25519();
    let cached = Cached::of(&key);
    let token = token(&key, &header(&key), &with(claims(), "exp", json!(NOW + 10)));
    for now in NOW..NOW + 10 {
        assert!(cached.at(&token, now).is_ok(), "{now}");
    }
    for now in [NOW + 10, NOW + 11, u64::MAX] {
        assert_eq!(cached.at(&token, now).unwrap_err(), Rejected::Expired);
    }
    assert_eq!(cached.verified(), 1, "every one of these was a hit");
}

#[test]
fn a_clock_that_stepped_back_makes_a_token_wait_again() {
    let key = ed25519();
    for name in ["iat", "nbf"] {
        let cached = Cached::of(&key);
        let token = token(&key, &header(&key), &with(claims(), name, json!(NOW)));
        assert!(cached.at(&token, NOW).is_ok());
        assert!(cached.at(&token, NOW - 60).is_ok(), "as far as clocks may differ");
        if name == "iat" {
            assert_eq!(cached.at(&token, NOW - 61).unwrap_err(), Rejected::NotYetValid);
        }
        assert_eq!(cached.at(&token, 0).unwrap_err(), Rejected::NotYetValid);
        assert!(cached.at(&token, NOW).is_ok());
        assert_eq!(cached.verified(), 1);
    }
    // `nbf` alone decides where it is the later of the two.
    let cached = Cached::of(&key);
    let token = token(&key, &header(&key), &with(with(claims(), "iat", json!(0)), "nbf", json!(NOW)));
    assert!(cached.at(&token, NOW).is_ok());
    assert_eq!(cached.at(&token, NOW - 61).unwrap_err(), Rejected::NotYetValid);
}

#[test]
fn a_cache_goes_with_its_keys_and_so_do_their_tokens() {
    let (old, new) = (ed25519(), another(ed25519().algorithm(), "new"));
    let token = token(&old, &header(&old), &claims());
    let before = Cached::of(&old);
    assert!(before.at(&token, NOW).is_ok());
    let after = Cached::of(&new);
    assert_eq!(after.at(&token, NOW).unwrap_err(), Rejected::UnknownKey);
}

#[test]
fn the_whole_token_is_what_is_remembered() {
    for key in one_of_each() {
        let cached = Cached::of(&key);
        let good = token(&key, &header(&key), &claims());
        cached.at(&good, NOW).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(cached.at(&bad, NOW).is_err(), "{key:?}: byte {at}");
        }
        for bad in [format!("{good} "), format!(" {good}"), format!("{good}="), good[1..].to_owned()] {
            assert!(cached.at(&bad, NOW).is_err(), "{key:?}: {bad}");
        }
        // The signature of the one that was met, under another header or other claims.
        let parts: Vec<_> = good.split('.').collect();
        let admin = encode(with(claims(), "sub", json!("admin")).to_string());
        let plain = encode(with(header(&key), "x", json!(1)).to_string());
        for bad in
            [format!("{}.{admin}.{}", parts[0], parts[2]), format!("{plain}.{}.{}", parts[1], parts[2])]
        {
            assert_eq!(cached.at(&bad, NOW).unwrap_err(), Rejected::Signature, "{key:?}");
        }
        assert_eq!((cached.verified(), cached.cache.len()), (1, 1), "{key:?}");
    }
}

#[test]
fn a_refusal_is_never_remembered() {
    let key = ed25519();
    let cached = Cached::of(&key);
    let early = token(&key, &header(&key), &with(claims(), "iat", json!(NOW + 100)));
    assert_eq!(cached.at(&early, NOW).unwrap_err(), Rejected::NotYetValid);
    assert!(cached.cache.is_empty());
    assert!(cached.at(&early, NOW + 100).is_ok());

    let good = token(&key, &header(&key), &claims());
    let expect = Expect::new(ISSUER, AUDIENCE);
    let refused = cached.cache.verify(&cached.keys, &good, &expect, NOW, |_| Err(Rejected::Claims));
    assert_eq!(refused.unwrap_err(), Rejected::Claims);
    assert_eq!(cached.cache.len(), 1);
    assert!(cached.at(&good, NOW).is_ok(), "what was made of it is asked anew");
}

#[test]
fn its_memory_is_bounded() {
    const BYTES: usize = 1 << 20;
    let key = hs256();
    let ring = KeyRing::new(key.clone());
    let cache = TokenCache::new(BYTES);
    let expect = Expect::new(ISSUER, AUDIENCE);
    let mut said = AccessClaims {
        iss: ISSUER.into(),
        sub: "user-1".into(),
        aud: Audience::from(AUDIENCE),
        exp: NOW + 900,
        iat: NOW,
        jti: "".into(),
        client_id: "web".into(),
        sid: "session-1".into(),
        auth_time: NOW,
        amr: vec![],
        roles: vec![],
        permissions: vec![],
        packed: None,
    };
    let mut shortest = usize::MAX;
    for number in 0..100_000 {
        said.jti = format!("token-{number}").into();
        let token = ring.sign(&said).unwrap();
        shortest = shortest.min(token.len());
        assert!(cache.verify(ring.keys(), &token, &expect, NOW, Ok).is_ok());
        assert!(cache.len() * 2 * shortest <= BYTES, "{} tokens", cache.len());
    }
    assert!(cache.len() > 100, "and it is used: {} tokens", cache.len());
}

#[test]
fn a_token_as_large_as_the_cache_does_not_empty_it_nor_grow_it() {
    let key = hs256();
    let keys = KeySet::new().with(key.verifying().clone()).unwrap();
    let cache = TokenCache::new(8 * 1024);
    let expect = Expect::new(ISSUER, AUDIENCE);
    for number in 0..100 {
        let claims = with(with(claims(), "x", json!("x".repeat(5_000))), "jti", json!(number.to_string()));
        let token = token(&key, &header(&key), &claims);
        assert!(cache.verify(&keys, &token, &expect, NOW, Ok).is_ok());
        assert!(cache.len() <= 1);
    }
}

#[test]
fn a_cache_of_no_bytes_is_off() {
    let key = ed25519();
    let mut cached = Cached::of(&key);
    cached.cache = TokenCache::new(0);
    let token = token(&key, &header(&key), &claims());
    for _ in 0..3 {
        assert!(cached.at(&token, NOW).is_ok());
    }
    assert_eq!((cached.verified(), cached.cache.len(), cached.cache.is_empty()), (3, 0, true));
}

#[test]
fn many_threads_share_it() {
    let key = hs256();
    let cached = Cached::of(&key);
    let tokens: Vec<_> = (0..50)
        .map(|number| token(&key, &header(&key), &with(claims(), "sub", json!(format!("user-{number}")))))
        .collect();
    std::thread::scope(|threads| {
        for thread in 0..16 {
            let (cached, tokens) = (&cached, &tokens);
            threads.spawn(move || {
                for round in 0..500 {
                    let number = (thread * 7 + round) % tokens.len();
                    let token = &tokens[number];
                    assert_eq!(cached.at(token, NOW).unwrap().sub, format!("user-{number}"));
                    let (message, _) = token.rsplit_once('.').unwrap();
                    let bad = format!("{message}.{}", encode([7; 32]));
                    assert_eq!(cached.at(&bad, NOW).unwrap_err(), Rejected::Signature);
                }
            });
        }
    });
    assert_eq!(cached.cache.len(), tokens.len());
}

#[test]
fn debug_shows_no_token() {
    let key = ed25519();
    let cached = Cached::of(&key);
    let token = token(&key, &header(&key), &claims());
    cached.at(&token, NOW).unwrap();
    assert_eq!(format!("{:?}", cached.cache), "TokenCache(1 tokens)");
}

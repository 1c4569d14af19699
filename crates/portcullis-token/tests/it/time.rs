//! When a token counts.

use portcullis_token::{Expect, KeyRing, Rejected, SigningKey};
use serde_json::json;

use crate::forge::{AUDIENCE, ISSUER, NOW, claims, ed25519, header, one_of_each, token, with};

#[test]
fn a_token_lives_until_its_last_second() {
    for key in one_of_each() {
        for (exp, now, answer) in [
            (NOW, NOW - 1, Ok(())),
            (NOW, NOW, Err(Rejected::Expired)),
            (NOW, NOW + 1, Err(Rejected::Expired)),
            (NOW, u64::MAX, Err(Rejected::Expired)),
            (0, NOW, Err(Rejected::Expired)),
            (u64::MAX, NOW, Ok(())),
            (u64::MAX, u64::MAX, Err(Rejected::Expired)),
        ] {
            assert_eq!(at(&key, &[("exp", exp), ("iat", 0)], now, 60), answer, "exp {exp}, now {now}");
        }
    }
}

#[test]
fn the_clock_skew_does_not_stretch_exp() {
    let key = ed25519();
    for skew in [0, 60, u64::MAX] {
        assert_eq!(at(&key, &[("exp", NOW)], NOW, skew), Err(Rejected::Expired), "skew {skew}");
    }
}

#[test]
fn iat_and_nbf_lie_in_the_future_no_further_than_clocks_differ() {
    let key = ed25519();
    for name in ["iat", "nbf"] {
        for (ahead, skew, answer) in [
            (0, 60, Ok(())),
            (60, 60, Ok(())),
            (61, 60, Err(Rejected::NotYetValid)),
            (0, 0, Ok(())),
            (1, 0, Err(Rejected::NotYetValid)),
            (u64::MAX - NOW, 60, Err(Rejected::NotYetValid)),
            (u64::MAX - NOW, u64::MAX, Ok(())),
        ] {
            let answered = at(&key, &[(name, NOW + ahead)], NOW, skew);
            assert_eq!(answered, answer, "{name} {ahead} s ahead, skew {skew}");
        }
    }
}

#[test]
fn the_clock_skew_is_a_minute_unless_said_otherwise() {
    let key = ed25519();
    let ring = KeyRing::new(key.clone());
    for (ahead, fine) in [(60, true), (61, false)] {
        let forged = token(&key, &header(&key), &with(claims(), "iat", json!(NOW + ahead)));
        assert_eq!(ring.verify(&forged, &Expect::new(ISSUER, AUDIENCE), NOW).is_ok(), fine, "{ahead}");
    }
}

#[test]
fn a_token_without_nbf_counts_at_once() {
    assert_eq!(at(&ed25519(), &[], NOW, 0), Ok(()));
}

/// The answer at `now` to the good claims with some times changed.
fn at(key: &SigningKey, times: &[(&str, u64)], now: u64, skew: u64) -> Result<(), Rejected> {
    let said = times.iter().fold(claims(), |claims, (name, time)| with(claims, name, json!(time)));
    let expect = Expect::new(ISSUER, AUDIENCE).clock_skew(skew);
    KeyRing::new(key.clone()).verify(&token(key, &header(key), &said), &expect, now).map(drop)
}

#[test]
fn a_token_that_was_made_to_live_longer_than_allowed_is_refused() {
    let key = ed25519();
    let ring = KeyRing::new(key.clone());
    for (lives, answer) in [(900, Ok(())), (901, Err(Rejected::TooLongLived))] {
        let claims = with(with(claims(), "iat", json!(NOW)), "exp", json!(NOW + lives));
        let expect = Expect::new(ISSUER, AUDIENCE).longest(900);
        let made = ring.verify(&token(&key, &header(&key), &claims), &expect, NOW).map(drop);
        assert_eq!(made, answer, "lives {lives} seconds");
    }
}

//! Only the key's own signature of exactly these bytes will do.

use portcullis_token::{Algorithm, Rejected};

use crate::forge::{
    accepted, another, claims, decode, ed25519, encode, header, hs256, key_of, one_of_each, refused, sign,
    sign_ed25519, sign_hs256, token, verify, with,
};

#[test]
fn a_signature_of_another_key_is_refused() {
    for key in one_of_each() {
        let message = message(&key);
        for (case, signature) in [
            ("another seed", sign_ed25519(&[9; 32], &message)),
            ("another secret", sign_hs256(&[9; 32], &message)),
            ("no secret", sign_hs256(b"", &message)),
            ("another key", another(key.algorithm(), "k").signature(message.as_bytes()).unwrap()),
            ("another message", sign(&key, "message")),
            ("without the claims", sign(&key, message.split('.').next().unwrap())),
        ] {
            refused(&key, &format!("{message}.{}", encode(signature)), Rejected::Signature, case);
        }
    }
}

#[test]
fn an_absent_or_blank_signature_is_refused() {
    for key in one_of_each() {
        let message = message(&key);
        refused(&key, &format!("{message}."), Rejected::Signature, "empty");
        for length in [1, 16, 31, 32, 33, 48, 63, 64, 65, 72, 95, 96, 97, 128, 255, 256, 257, 384] {
            for byte in [0, 0xff] {
                let blank = format!("{message}.{}", encode(vec![byte; length]));
                refused(&key, &blank, Rejected::Signature, &format!("{length} bytes of {byte}"));
            }
        }
    }
}

#[test]
fn a_signature_is_neither_shortened_nor_lengthened() {
    for key in one_of_each() {
        let message = message(&key);
        let good = sign(&key, &message);
        for length in 0..good.len() {
            let cut = format!("{message}.{}", encode(&good[..length]));
            refused(&key, &cut, Rejected::Signature, &format!("{length} bytes"));
        }
        for more in [vec![0], vec![0; 32], good.clone(), b"\r\n".to_vec()] {
            for long in [[good.as_slice(), &more].concat(), [more.as_slice(), &good].concat()] {
                refused(&key, &format!("{message}.{}", encode(long)), Rejected::Signature, "longer");
            }
        }
    }
}

#[test]
fn a_signature_is_raw_and_not_wrapped() {
    for key in one_of_each() {
        let message = message(&key);
        let good = sign(&key, &message);
        let half = good.len() / 2;
        let integer = |bytes: &[u8]| {
            let sign = bytes.first().filter(|first| **first > 0x7f).map(|_| 0);
            let bytes: Vec<_> = sign.into_iter().chain(bytes.iter().copied()).collect();
            [&[0x02, bytes.len() as u8], bytes.as_slice()].concat()
        };
        let integers = [integer(&good[..half]), integer(&good[half..])].concat();
        let octets = [&[0x04, good.len() as u8], good.as_slice()].concat();
        let bits = [&[0x03, good.len() as u8 + 1, 0], good.as_slice()].concat();
        let sequence = [&[0x30, integers.len() as u8], integers.as_slice()].concat();
        let hex: String = good.iter().map(|byte| format!("{byte:02x}")).collect();
        for wrapped in [sequence, octets, bits, hex.into_bytes(), encode(&good).into_bytes()] {
            refused(&key, &format!("{message}.{}", encode(wrapped)), Rejected::Signature, "wrapped");
        }
    }
}

#[test]
fn an_ed25519_signature_has_one_form() {
    // RFC 8032 §5.1.7: S + L would satisfy the equation too, so S is below L.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let key = ed25519();
    let message = message(&key);
    let mut signature = sign(&key, &message);
    accepted(&key, &format!("{message}.{}", encode(&signature)), "control");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    refused(&key, &format!("{message}.{}", encode(signature)), Rejected::Signature, "S + L");
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    for key in one_of_each() {
        let good = token(&key, &header(&key), &claims());
        accepted(&key, &good, "control");
        let ends: Vec<_> = good.match_indices('.').map(|(at, _)| at).chain([good.len()]).collect();
        let mut tried = 0;
        for at in 0..good.len() {
            let near_an_end = ends.iter().any(|end| at < *end && *end - at <= 4);
            let neighbours = [good.as_bytes()[at] ^ 1, good.as_bytes()[at] ^ 0x20];
            let others = if near_an_end { ALL } else { SOME };
            for other in others.iter().chain(&neighbours).copied().filter(u8::is_ascii) {
                if other == good.as_bytes()[at] {
                    continue;
                }
                let mut bad = good.clone().into_bytes();
                bad[at] = other;
                let bad = String::from_utf8(bad).unwrap();
                let answer = verify(&key, &bad);
                assert!(answer.is_err(), "{:?}: byte {at} to {:?}", key.algorithm(), char::from(other));
                tried += 1;
            }
        }
        assert!(tried > 8 * good.len(), "{tried} changes of {} bytes", good.len());
    }
}

#[test]
fn no_byte_of_a_token_can_be_left_out_added_or_swapped() {
    for key in one_of_each() {
        let good = token(&key, &header(&key), &claims());
        for at in 0..=good.len() {
            for added in ["A", "=", ".", "-", " "] {
                let bad = format!("{}{added}{}", &good[..at], &good[at..]);
                assert!(verify(&key, &bad).is_err(), "{:?}: {added:?} at {at}", key.algorithm());
            }
            if at < good.len() {
                assert!(verify(&key, &good[..at]).is_err(), "{:?}: cut at {at}", key.algorithm());
                let bad = format!("{}{}", &good[..at], &good[at + 1..]);
                assert!(verify(&key, &bad).is_err(), "{:?}: without byte {at}", key.algorithm());
            }
            if let Some(pair) = good.as_bytes().get(at..at + 2)
                && pair[0] != pair[1]
            {
                let mut bad = good.clone().into_bytes();
                bad.swap(at, at + 1);
                let bad = String::from_utf8(bad).unwrap();
                assert!(verify(&key, &bad).is_err(), "{:?}: swapped at {at}", key.algorithm());
            }
        }
    }
}

#[test]
fn the_parts_of_two_tokens_do_not_mix() {
    for key in one_of_each() {
        let one = token(&key, &header(&key), &claims());
        let two = token(&key, &header(&key), &with(claims(), "sub", "admin".into()));
        let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
        refused(&key, &[one[0], two[1], one[2]].join("."), Rejected::Signature, "other claims");
        refused(&key, &[one[0], one[1], two[2]].join("."), Rejected::Signature, "other signature");
    }
    let (ed, hs) = (ed25519(), hs256());
    assert_eq!((ed.algorithm(), hs.algorithm()), (Algorithm::EdDsa, Algorithm::Hs256));
    let (of_ed, of_hs) = (token(&ed, &header(&ed), &claims()), token(&hs, &header(&hs), &claims()));
    let mixed = format!("{}.{}", message(&ed), of_hs.rsplit_once('.').unwrap().1);
    refused(&ed, &mixed, Rejected::Signature, "the other algorithm's");
    let mixed = format!("{}.{}", message(&hs), of_ed.rsplit_once('.').unwrap().1);
    refused(&hs, &mixed, Rejected::Signature, "the other algorithm's");
}

#[test]
fn an_ecdsa_signature_has_both_numbers_between_one_and_the_order() {
    for (key, order) in ecdsa() {
        let message = message(&key);
        let width = order.len();
        let (zero, ones) = (vec![0; width], vec![0xff; width]);
        let (one, beyond) = (plus_one(&zero), plus_one(&order));
        let good = sign(&key, &message);
        let (r, s) = good.split_at(width);
        let bad = [&zero, &one, &order, &ones, &beyond].map(Vec::as_slice);
        let pairs = bad
            .iter()
            .flat_map(|left| bad.map(|right| (*left, right)))
            .chain(bad.map(|left| (left, s)))
            .chain(bad.map(|right| (r, right)))
            .chain([(s, r), (r, r), (s, s)]);
        for (left, right) in pairs {
            let forged = format!("{message}.{}", encode([left, right].concat()));
            refused(&key, &forged, Rejected::Signature, &format!("{left:02x?}, {right:02x?}"));
        }
        // r + n and s + n are the same modulo n, but no numbers of this length.
        for wide in
            [[&sum(r, &order), s].concat(), [r, &sum(s, &order)].concat(), [&[0], r, &[0], s].concat()]
        {
            refused(&key, &format!("{message}.{}", encode(wide)), Rejected::Signature, "a number too long");
        }
    }
}

#[test]
fn an_ecdsa_signature_is_good_with_either_s() {
    // RFC 7518 §3.4 asks for no low S: whoever counts tokens by their bytes must not take the signature for a name.
    for (key, order) in ecdsa() {
        let message = message(&key);
        let good = sign(&key, &message);
        let (r, s) = good.split_at(order.len());
        let other = [r, &difference(&order, s)].concat();
        accepted(&key, &format!("{message}.{}", encode(&good)), "control");
        accepted(&key, &format!("{message}.{}", encode(other)), "n - s");
    }
}

#[test]
fn an_rsa_signature_is_a_number_below_the_modulus_and_as_long() {
    for key in [key_of(Algorithm::Rs256), key_of(Algorithm::Ps256)] {
        let n = decode(key.verifying().to_jwk().unwrap().n.as_deref().unwrap());
        // One for which s + n still fits into the length of the modulus.
        let (message, good) = (0..1_000)
            .map(|number| {
                let claims = with(claims(), "jti", format!("token-{number}").into());
                let message = format!("{}.{}", encode(header(&key).to_string()), encode(claims.to_string()));
                let good = sign(&key, &message);
                (message, good)
            })
            .find(|(_, good)| sum(good, &n).len() == n.len())
            .unwrap();
        accepted(&key, &format!("{message}.{}", encode(&good)), "control");
        let zero = vec![0; n.len()];
        for (case, bad) in [
            ("s + n", sum(&good, &n)),
            ("n - s", difference(&n, &good)),
            ("n", n.clone()),
            ("n - 1", difference(&n, &plus_one(&zero))),
            ("n + 1", plus_one(&n)),
            ("0", zero.clone()),
            ("1", plus_one(&zero)),
            ("a leading zero", [&[0], good.as_slice()].concat()),
            ("256 leading zeros", [zero.as_slice(), &good].concat()),
            ("shorter", good[1..].to_vec()),
            ("backwards", good.iter().rev().copied().collect()),
        ] {
            refused(&key, &format!("{message}.{}", encode(bad)), Rejected::Signature, case);
        }
    }
}

#[test]
fn a_signature_of_pkcs1_is_none_of_pss_nor_the_reverse() {
    let (rs, ps) = (key_of(Algorithm::Rs256), key_of(Algorithm::Ps256));
    for (key, other) in [(&rs, &ps), (&ps, &rs)] {
        let message = message(key);
        let forged = format!("{message}.{}", encode(sign(other, &message)));
        refused(key, &forged, Rejected::Signature, "the other padding, by the same key");
    }
}

/// The two keys, each with the order of its group (FIPS 186-4 §D.1.2).
fn ecdsa() -> [(portcullis_token::SigningKey, Vec<u8>); 2] {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let p_256 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let p_384 =
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
    [(key_of(Algorithm::Es256), hex(p_256)), (key_of(Algorithm::Es384), hex(p_384))]
}

/// Of big-endian numbers of one length; a byte longer if it must be.
fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    let mut bytes: Vec<_> = one
        .iter()
        .zip(other)
        .rev()
        .map(|(one, other)| {
            carry += u16::from(*one) + u16::from(*other);
            let byte = carry as u8;
            carry >>= 8;
            byte
        })
        .collect();
    bytes.extend((carry > 0).then_some(1));
    bytes.reverse();
    bytes
}

fn plus_one(bytes: &[u8]) -> Vec<u8> {
    let mut one = vec![0; bytes.len()];
    *one.last_mut().unwrap() = 1;
    sum(bytes, &one)
}

/// Of big-endian numbers of one length, the first the larger: by two's complement, its carry left out.
fn difference(from: &[u8], take: &[u8]) -> Vec<u8> {
    let inverted: Vec<_> = take.iter().map(|byte| !byte).collect();
    let mut bytes = sum(from, &plus_one(&inverted));
    bytes.drain(..bytes.len() - from.len());
    bytes
}

/// The good header and claims under `key`, not yet signed.
fn message(key: &portcullis_token::SigningKey) -> String {
    format!("{}.{}", encode(header(key).to_string()), encode(claims().to_string()))
}

/// Tried at every byte.
const SOME: &[u8] = b"A_-.= \n0z";

/// Tried where a segment ends and unused bits may hide.
const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n\0~";

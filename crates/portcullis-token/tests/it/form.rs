//! Three segments of canonical base64url with nothing around or between them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use portcullis_token::{Rejected, SigningKey};
use serde_json::{Value, json};

use crate::forge::{accepted, claims, encode, header, one_of_each, refused, seal, sign, token, verify, with};

#[test]
fn a_token_has_three_segments() {
    for key in one_of_each() {
        let good = token(&key, &header(&key), &claims());
        let segments: Vec<_> = good.split('.').collect();
        let (first, rest) = (segments[0], segments[1..].join("."));
        for bad in [
            String::new(),
            first.to_owned(),
            rest.clone(),
            format!("{first}.{}", segments[1]),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{first}"),
            format!("{good}.{rest}"),
            format!("{first}..{rest}"),
            format!("..{}", segments[2]),
            ".".to_owned(),
            "..".to_owned(),
            "...".to_owned(),
            "....".to_owned(),
        ] {
            refused(&key, &bad, Rejected::Malformed, &bad);
        }
    }
}

#[test]
fn an_encrypted_token_of_five_segments_is_refused() {
    for key in one_of_each() {
        let header = with(header(&key), "enc", json!("A256GCM"));
        let message =
            [&encode(header.to_string()), "", &encode([1; 12]), &encode(claims().to_string())].join(".");
        refused(&key, &seal(&key, &message), Rejected::Malformed, "JWE");
    }
}

#[test]
fn the_json_serialisation_is_refused() {
    for key in one_of_each() {
        let good = token(&key, &header(&key), &claims());
        let parts: Vec<_> = good.split('.').collect();
        let one = json!({ "protected": parts[0], "signature": parts[2] });
        let general = json!({ "payload": parts[1], "signatures": [one] });
        let flattened = json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] });
        // The compact form hidden in it, as some parsers would find it by its dots.
        let disguised = format!("{{\"x\":\"{good}\",\"payload\":\"{}\"}}", parts[1]);
        for bad in [general.to_string(), flattened.to_string(), disguised, json!(good).to_string()] {
            refused(&key, &bad, Rejected::Malformed, &bad);
        }
    }
}

#[test]
fn padding_is_refused_in_every_segment() {
    for key in one_of_each() {
        each_segment(&key, "padded", |bytes| {
            let padded = URL_SAFE.encode(bytes);
            if padded.ends_with('=') { padded } else { format!("{padded}=") }
        });
        each_segment(&key, "four signs too many", |bytes| encode(bytes) + "====");
    }
}

#[test]
fn the_standard_alphabet_is_refused_in_every_segment() {
    for key in one_of_each() {
        // Bytes that need the two letters in which the alphabets differ.
        let header = with(header(&key), "x", json!("???>>>~~~"));
        let claims = with(claims(), "x", json!("???>>>~~~"));
        let (message, parts) = (0..200)
            .map(|number| {
                let claims = with(claims.clone(), "jti", json!(format!("token-{number}"))).to_string();
                let message = format!("{}.{}", encode(header.to_string()), encode(&claims));
                let signature = sign(&key, &message);
                (message, [header.to_string().into_bytes(), claims.into_bytes(), signature])
            })
            .find(|(_, parts)| parts.iter().all(|part| STANDARD.encode(part).contains(['+', '/'])))
            .unwrap();
        accepted(&key, &seal(&key, &message), "control");
        for segment in 0..3 {
            let bad = assemble(&key, &parts, segment, |part| STANDARD_NO_PAD.encode(part));
            refused(&key, &bad, Rejected::Malformed, &format!("segment {segment}"));
        }
    }
}

#[test]
fn unused_bits_at_the_end_of_a_segment_are_zero() {
    for key in one_of_each() {
        // Lengths that leave bits unused in the last letter: of the header and the claims by filling up.
        let fill = |value: Value| {
            (0..3)
                .map(|fill| with(value.clone(), "x", json!("x".repeat(fill))))
                .find(|value| value.to_string().len() % 3 == 1)
                .unwrap()
        };
        let (header, claims) = (fill(header(&key)), fill(claims()));
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        accepted(&key, &seal(&key, &message), "control");
        let parts = [header.to_string().into_bytes(), claims.to_string().into_bytes(), sign(&key, &message)];
        for segment in 0..3 {
            if parts[segment].len().is_multiple_of(3) {
                // 48 or 96 bytes leave no bit unused.
                assert_eq!(segment, 2, "{:?}", key.algorithm());
                continue;
            }
            let bad = assemble(&key, &parts, segment, |part| {
                let mut text = encode(part).into_bytes();
                let last = text.last_mut().unwrap();
                let place = ALPHABET.iter().position(|letter| letter == last).unwrap();
                *last = ALPHABET[place + 1];
                String::from_utf8(text).unwrap()
            });
            refused(&key, &bad, Rejected::Malformed, &format!("segment {segment}"));
        }
    }
}

#[test]
fn a_segment_of_one_letter_too_many_is_refused() {
    for key in one_of_each() {
        each_segment(&key, "one letter more", |bytes| {
            let text = encode(bytes);
            // A length of 1 modulo 4 is no base64 at all.
            let more = (5 - text.len() % 4) % 4;
            text + &"A".repeat(more)
        });
    }
}

#[test]
fn whitespace_and_other_strangers_are_refused_everywhere() {
    for key in one_of_each() {
        let good = token(&key, &header(&key), &claims());
        for stranger in
            [" ", "\n", "\r\n", "\t", "\0", "\u{FEFF}", "\u{200B}", "\u{A0}", "\u{FF0E}", "%2E", "\"", ","]
        {
            for bad in [
                format!("{stranger}{good}"),
                format!("{good}{stranger}"),
                good.replacen('.', &format!("{stranger}."), 1),
                good.replacen('.', &format!(".{stranger}"), 1),
                good.replace('.', stranger),
                format!("{}{stranger}{}", &good[..10], &good[10..]),
                format!("{}{stranger}{}", &good[..good.len() - 5], &good[good.len() - 5..]),
            ] {
                let answer = verify(&key, &bad);
                assert!(
                    matches!(answer, Err(Rejected::Malformed | Rejected::Signature)),
                    "{stranger:?} in {bad:?}: {answer:?}"
                );
            }
        }
        each_segment(&key, "signed with a line break inside", |bytes| {
            let mut text = encode(bytes);
            text.insert(4, '\n');
            text
        });
        refused(&key, &format!("Bearer {good}"), Rejected::Malformed, "with its scheme");
    }
}

#[test]
fn a_token_of_eight_kibibytes_is_read_and_a_longer_one_is_not() {
    for key in one_of_each() {
        let encoded = |bytes: usize| (bytes * 4).div_ceil(3);
        let filled =
            |value: &Value, fill: usize| with(value.clone(), "x", json!("x".repeat(fill))).to_string();
        let (header, claims) = (header(&key), claims());
        let (of_header, of_claims) = (filled(&header, 0).len(), filled(&claims, 0).len());
        let of_signature = encoded(sign(&key, "").len());
        let of_length = |length: usize| {
            (0..4).find_map(|one| {
                let other = (5_000..6_100).find(|other| {
                    encoded(of_header + one) + 1 + encoded(of_claims + other) + 1 + of_signature == length
                })?;
                let message = format!("{}.{}", encode(filled(&header, one)), encode(filled(&claims, other)));
                Some(seal(&key, &message))
            })
        };
        accepted(&key, &of_length(8 * 1024).unwrap(), "8 KiB");
        refused(&key, &of_length(8 * 1024 + 1).unwrap(), Rejected::TooLong, "a byte more");
        refused(&key, &".".repeat(1_000_000), Rejected::TooLong, "a million dots");
    }
}

/// A token whose one segment is written by `write`, with a signature that covers it so.
fn assemble(
    key: &SigningKey,
    parts: &[Vec<u8>; 3],
    segment: usize,
    write: impl Fn(&[u8]) -> String,
) -> String {
    let text = |at: usize| if at == segment { write(&parts[at]) } else { encode(&parts[at]) };
    let message = format!("{}.{}", text(0), text(1));
    match segment {
        2 => format!("{message}.{}", text(2)),
        _ => seal(key, &message),
    }
}

/// Writes each segment in turn by `write` and demands that the token is refused as malformed.
#[track_caller]
fn each_segment(key: &SigningKey, case: &str, write: impl Fn(&[u8]) -> String) {
    let (header, claims) = (header(key).to_string(), claims().to_string());
    let signature = sign(key, &format!("{}.{}", encode(&header), encode(&claims)));
    let parts = [header.into_bytes(), claims.into_bytes(), signature];
    for segment in 0..3 {
        let bad = assemble(key, &parts, segment, &write);
        refused(key, &bad, Rejected::Malformed, &format!("{case}, segment {segment}"));
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

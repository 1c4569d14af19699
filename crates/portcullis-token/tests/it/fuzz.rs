//! What cargo-fuzz runs for as long as it is let, here on every compiler and for a moment: over the saved corpus, and over
//! a fixed number of its mutations, the same in every run.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/targets.rs"]
mod targets;

#[test]
fn no_mutation_of_a_token_is_accepted() {
    run("verify", targets::verify, 20_000);
}

#[test]
fn a_key_that_is_read_is_the_key_that_is_written() {
    run("jwk", targets::jwk, 10_000);
}

#[test]
fn a_set_holds_each_name_once_and_a_published_one_no_secret() {
    run("jwks", targets::jwks, 2_000);
}

#[test]
fn a_pem_that_is_read_is_the_key_that_is_written() {
    run("pem", targets::pem, 2_000);
}

fn run(name: &str, target: fn(&[u8]), mutations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(corpus.len() >= 10, "{name} has a corpus");
    corpus.iter().for_each(|input| target(input));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..mutations {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            let other = &corpus[random.below(corpus.len())];
            mutate(&mut input, other, &mut random);
        }
        target(&input);
    }
}

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(6) {
        0 => input.truncate(at),
        1 => input.insert(at, random.below(256) as u8),
        2 => input.extend_from_within(at..),
        3 => {
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// SplitMix64: no secret hangs on it.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }
}

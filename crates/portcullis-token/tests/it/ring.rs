//! Several keys, several rings, one process.

use jsonwebtoken::crypto::{CryptoProvider, KeyUtils};
use portcullis_token::{Algorithm, Expect, KeyError, KeyRing, Rejected, SigningKey};

use crate::forge::{
    AUDIENCE, ISSUER, NOW, SECRET, accepted, another, claims, ed25519, header, hs256, one_of_each, token,
    verify,
};

#[test]
fn two_rings_do_not_accept_each_others_tokens() {
    let rings: Vec<_> = one_of_each()
        .into_iter()
        .map(|key| (KeyRing::new(key.clone()), token(&key, &header(&key), &claims())))
        .collect();
    for (at, (ring, _)) in rings.iter().enumerate() {
        for (from, (_, token)) in rings.iter().enumerate() {
            let answer = ring.verify(token, &Expect::new(ISSUER, AUDIENCE), NOW).map(drop);
            let due = if at == from { Ok(()) } else { Err(Rejected::UnknownKey) };
            assert_eq!(answer, due, "token of {from} at {at}");
        }
    }
}

#[test]
fn two_keys_of_one_name_in_two_rings_do_not_accept_each_others_tokens() {
    for ours in one_of_each() {
        let theirs = another(ours.algorithm(), ours.kid());
        let of_ours = token(&ours, &header(&ours), &claims());
        let said = verify(&ours, &of_ours).unwrap();
        let of_theirs = KeyRing::new(theirs.clone()).sign(&said).unwrap();
        assert_eq!(verify(&ours, &of_theirs), Err(Rejected::Signature));
        assert_eq!(verify(&theirs, &of_ours), Err(Rejected::Signature));
        accepted(&theirs, &of_theirs, "control");
    }
}

#[test]
fn a_name_stands_once_in_a_ring() {
    let hs = hs256();
    let same_name = SigningKey::hmac(Algorithm::Hs256, &[9; 32], hs.kid()).unwrap();
    let ed_named_alike = SigningKey::hmac(Algorithm::Hs256, &SECRET, ed25519().kid()).unwrap();
    for (active, twice) in [
        (hs.clone(), hs.verifying().clone()),
        (hs.clone(), same_name.verifying().clone()),
        (ed25519(), ed_named_alike.verifying().clone()),
    ] {
        assert_eq!(KeyRing::new(active).also_verify(twice).unwrap_err(), KeyError::Unfit("kid"));
    }
    let ring = KeyRing::new(ed25519()).also_verify(hs.verifying().clone()).unwrap();
    assert_eq!(ring.also_verify(same_name.verifying().clone()).unwrap_err(), KeyError::Unfit("kid"));
}

#[test]
fn an_old_key_verifies_while_it_is_in_the_ring_and_no_longer() {
    for old in one_of_each() {
        let before = token(&old, &header(&old), &claims());
        let new = SigningKey::ed25519(&[9; 32]).unwrap();
        let rotated = KeyRing::new(new.clone()).also_verify(old.verifying().clone()).unwrap();
        let expect = Expect::new(ISSUER, AUDIENCE);
        let said = rotated.verify(&before, &expect, NOW).unwrap();
        let after = rotated.sign(&said).unwrap();
        assert_eq!(rotated.active().kid(), new.kid());
        assert_eq!(rotated.verify(&after, &expect, NOW), Ok(said));
        assert_eq!(KeyRing::new(new).verify(&before, &expect, NOW), Err(Rejected::UnknownKey));
        assert_eq!(verify(&old, &after), Err(Rejected::UnknownKey));
    }
}

#[test]
fn nothing_process_wide_decides() {
    // Whatever another crate of the program installs, even a provider that only panics, is not ours.
    static BROKEN: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| panic!("the process-wide provider was asked"),
        verifier_factory: |_, _| panic!("the process-wide provider was asked"),
        key_utils: KeyUtils::new_unimplemented(),
    };
    BROKEN.install_default().unwrap();
    for key in one_of_each() {
        let key = SigningKey::from_jwk(&key.to_jwk()).unwrap();
        let forged = token(&key, &header(&key), &claims());
        let said = verify(&key, &forged).unwrap();
        accepted(&key, &KeyRing::new(key.clone()).sign(&said).unwrap(), "with a broken provider installed");
    }
}

#[test]
fn keys_and_rings_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<KeyRing>();
    shared::<SigningKey>();
    shared::<portcullis_token::VerifyingKey>();
    let ring = KeyRing::new(ed25519());
    let forged = token(&ed25519(), &header(&ed25519()), &claims());
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| assert!(ring.verify(&forged, &Expect::new(ISSUER, AUDIENCE), NOW).is_ok()));
        }
    });
}

#[test]
fn nothing_is_signed_that_would_be_too_long_to_be_verified() {
    let key = ed25519();
    let ring = KeyRing::new(key.clone());
    let mut said = verify(&key, &token(&key, &header(&key), &claims())).unwrap();
    said.roles = vec!["x".repeat(8 * 1024)];
    assert!(matches!(ring.sign(&said), Err(portcullis_token::SignError::TooLong(_))));
    said.roles.clear();
    accepted(&key, &ring.sign(&said).unwrap(), "control");
}

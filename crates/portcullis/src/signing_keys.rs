//! The signing key: given, or made at the first start and kept in the store, sealed.

use portcullis_token::{KeyRing, SigningKey};

use crate::clock::{self, Time};
use crate::secret::Keychain;
use crate::store::{Keys, SealedKey};
use crate::{Config, Fault};

/// The keys to work with, and whether one was made for it.
pub(crate) async fn load(
    config: &Config,
    keychain: &Keychain,
    store: &dyn Keys,
    now: Time,
) -> Result<(KeyRing, bool), Fault> {
    if let Some(given) = &config.signing_key {
        return Ok((KeyRing::new(given.clone()), false));
    }
    let mut stored = store.all().await?;
    let mut made = false;
    if stored.is_empty() {
        // Of several nodes that start at once one wins, and all read the winner's.
        made = store.offer(&make(config, keychain, now)?).await?;
        stored = store.all().await?;
    }
    Ok((ring(keychain, &stored)?, made))
}

fn make(config: &Config, keychain: &Keychain, now: Time) -> Result<SealedKey, Fault> {
    let entropy = &*config.entropy;
    let random = zeroize::Zeroizing::new(clock::random::<64>(entropy)?);
    let algorithm = config.access.algorithm;
    let named = match algorithm.is_symmetric() {
        true => Some(uuid::Builder::from_random_bytes(clock::random(entropy)?).into_uuid().to_string()),
        false => None,
    };
    let key = SigningKey::generate(algorithm, named.as_deref(), &random)
        .map_err(|error| Fault::new("making a signing key", error))?;
    let sealed = keychain.seal(&seal_name(key.kid()), key.to_jwk().as_bytes(), entropy)?;
    Ok(SealedKey { serial: 1, kid: key.kid().to_owned(), sealed, created_at: now })
}

/// The latest key signs; the others still verify.
fn ring(keychain: &Keychain, stored: &[SealedKey]) -> Result<KeyRing, Fault> {
    let mut ring = None;
    for sealed in stored.iter().rev() {
        let key = open(keychain, sealed)?;
        ring = Some(match ring {
            None => KeyRing::new(key),
            Some(ring) => KeyRing::also_verify(ring, key.verifying().clone())
                .map_err(|error| Fault::new("reading the signing keys", error))?,
        });
    }
    ring.ok_or_else(|| Fault::new("reading the signing keys", "the store lost the key that was just made"))
}

fn open(keychain: &Keychain, sealed: &SealedKey) -> Result<SigningKey, Fault> {
    let jwk = keychain.open(&seal_name(&sealed.kid), &sealed.sealed)?;
    let jwk = std::str::from_utf8(&jwk).map_err(|error| Fault::new("reading a signing key", error))?;
    SigningKey::from_jwk(jwk).map_err(|error| Fault::new("reading a signing key", error))
}

/// A sealed key opens only in its own row.
fn seal_name(kid: &str) -> String {
    format!("signing key {kid}")
}

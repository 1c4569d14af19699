//! The keys that sign access tokens: given by the application, or made here, kept in the store, sealed, and rotated.
//!
//! What each key is for follows from the stored rows and the time (`schedule`). This node reads the rows when it asks
//! what was revoked (`revocation`), so within `max_staleness` it knows what any other did.

mod rotate;
mod schedule;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use futures_channel::oneshot;
use futures_util::lock::Mutex;
use portcullis_token::{Algorithm, KeyRing, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::clock::{self, Entropy, Time};
use crate::config::CLOCK_MARGIN;
use crate::secret::Keychain;
use crate::store::{Keys, SealedKey};
use crate::{Config, Fault};

pub use schedule::KeyState;

use schedule::{Chore, Timing};

/// A signing key as its operator sees it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyInfo {
    /// Its name in tokens and in the published set.
    pub kid: String,
    /// With what it signs; unknown once it is retired.
    pub algorithm: Option<Algorithm>,
    /// What it is for at the moment.
    pub state: KeyState,
    /// When it was made, and published.
    pub created_at: Time,
    /// From when on it signs.
    pub signs_from: Time,
    /// Until when its tokens count; known once there is a key after it.
    pub verifies_until: Option<Time>,
}

/// The keys of one node.
pub(crate) struct SigningKeys {
    vault: Vault,
    in_use: ArcSwap<InUse>,
    /// Milliseconds since the epoch at which what is in use changes by the clock alone.
    changes_at: AtomicI64,
    /// Held while the store is asked, so that an older answer never takes the place of a newer one.
    known: Mutex<Known>,
    /// Held by the one who rotates; the moment before which nobody tries again after a failure.
    rotating: Mutex<Time>,
}

/// What tokens are signed and verified with: never changed, only replaced as a whole.
pub(crate) struct InUse {
    pub(crate) ring: KeyRing,
    /// The ids of the stored keys in it, the active one first.
    kids: Vec<String>,
}

/// What the store said last.
#[derive(Default)]
struct Known {
    rows: Vec<SealedKey>,
    opened: HashMap<String, SigningKey>,
}

/// Makes, seals and opens keys.
struct Vault {
    config: Arc<Config>,
    keychain: Arc<Keychain>,
    store: Arc<dyn Keys>,
}

impl SigningKeys {
    /// The keys to work with, and the id of the one that was made for it, if there was none.
    pub(crate) async fn load(
        config: Arc<Config>,
        keychain: Arc<Keychain>,
        store: Arc<dyn Keys>,
        now: Time,
    ) -> Result<(Self, Option<String>), Fault> {
        let vault = Vault { config, keychain, store };
        let mut known = Known::default();
        let (in_use, made) = if let Some(own) = &vault.config.signing_key {
            (InUse { ring: vault.ring(own, [])?, kids: Vec::new() }, None)
        } else {
            let made = vault.learn(&mut known, now).await?;
            vault.reseal(&known).await?;
            (vault.in_use(&known, now)?, made)
        };
        let changes_at = AtomicI64::new(vault.changes_at(&known, now));
        let rotating = Mutex::new(now);
        let in_use = ArcSwap::from_pointee(in_use);
        Ok((Self { vault, in_use, changes_at, known: Mutex::new(known), rotating }, made))
    }

    /// What to sign and verify with.
    pub(crate) fn in_use(&self) -> Arc<InUse> {
        self.in_use.load_full()
    }

    /// Whether no key has begun or ceased to count by the clock since the store was read.
    pub(crate) fn is_current(&self, now: Time) -> bool {
        now.millis() < self.changes_at.load(Ordering::Acquire)
    }

    /// Reads what the store says, and replaces what is in use if that has changed.
    pub(crate) async fn read(&self, now: Time) -> Result<(), Fault> {
        self.rows(now).await.map(drop)
    }

    /// The same, and answers the rows; none for a key of the application's own.
    async fn rows(&self, now: Time) -> Result<Vec<SealedKey>, Fault> {
        if self.vault.config.signing_key.is_some() {
            return Ok(Vec::new());
        }
        let mut known = self.known.lock().await;
        if let Some(kid) = self.vault.learn(&mut known, now).await? {
            tracing::warn!(kid, "all signing keys were retired, so another one was made");
        }
        if self.in_use.load().kids != self.vault.kids(&known, now) {
            self.in_use.store(Arc::new(self.vault.in_use(&known, now)?));
        }
        self.changes_at.store(self.vault.changes_at(&known, now), Ordering::Release);
        Ok(known.rows.clone())
    }

    /// What is to be written down, as far as is known here.
    async fn chores(&self, now: Time) -> Vec<Chore> {
        let known = self.known.lock().await;
        let wanted = self.vault.config.access.algorithm;
        let outdated = schedule::active(&known.rows, now)
            .and_then(|active| known.opened.get(&active.kid))
            .is_some_and(|active| active.algorithm() != wanted);
        self.vault.timing().chores(&known.rows, now, outdated)
    }

    /// All keys as their operator sees them, in the order in which they were made.
    async fn list(&self, now: Time) -> Result<Vec<SigningKeyInfo>, Fault> {
        self.read(now).await?;
        let known = self.known.lock().await;
        let timing = self.vault.timing();
        let states = timing.states(&known.rows, now);
        let info = |(row, state): (&SealedKey, KeyState)| SigningKeyInfo {
            kid: row.kid.clone(),
            algorithm: known.opened.get(&row.kid).map(SigningKey::algorithm),
            state,
            created_at: row.created_at,
            signs_from: row.signs_from,
            verifies_until: row.retired_at.or_else(|| timing.verifies_until(&known.rows, row)),
        };
        Ok(known.rows.iter().zip(states).map(info).collect())
    }
}

impl Vault {
    fn timing(&self) -> Timing {
        Timing {
            rotate_every: self.config.keys.rotate_every,
            publish_ahead: self.config.keys.publish_ahead,
            tokens_live: self.config.access.ttl + CLOCK_MARGIN,
        }
    }

    /// Asks the store and opens what is new. If there is no key that counts, makes one, and answers its id.
    async fn learn(&self, known: &mut Known, now: Time) -> Result<Option<String>, Fault> {
        let mut rows = self.store.all().await?;
        let mut made = None;
        if schedule::active(&rows, now).is_none() {
            // Of several nodes that start at once one wins, and all read the winner's.
            made = self.offer(&rows, now, now).await?;
            rows = self.store.all().await?;
        }
        let states = self.timing().states(&rows, now);
        let mut opened = HashMap::new();
        for (row, _) in rows.iter().zip(states).filter(|(_, state)| *state != KeyState::Retired) {
            let key = match known.opened.remove(&row.kid) {
                Some(key) => key,
                None => self.open(row)?,
            };
            opened.insert(row.kid.clone(), key);
        }
        *known = Known { rows, opened };
        Ok(made)
    }

    /// Makes a key and stores it as the one after those rows; answers its id, or `None` if somebody else was faster.
    async fn offer(&self, rows: &[SealedKey], now: Time, signs_from: Time) -> Result<Option<String>, Fault> {
        let key = self.make().await?;
        let serial = rows.last().map_or(1, |last| last.serial + 1);
        let sealed = self.seal(key.kid(), &key.to_jwk())?;
        let kid = key.kid().to_owned();
        let offer =
            SealedKey { serial, kid: kid.clone(), sealed, created_at: now, signs_from, retired_at: None };
        Ok(self.store.offer(&offer).await?.then_some(kid))
    }

    /// On a thread of its own: an RSA key takes a while.
    async fn make(&self) -> Result<SigningKey, Fault> {
        let (algorithm, entropy) = (self.config.access.algorithm, Arc::clone(&self.config.entropy));
        let (send, made) = oneshot::channel();
        std::thread::Builder::new()
            .name("portcullis-key".to_owned())
            .spawn(move || {
                // Whoever asked may have gone.
                let _ = send.send(generate(algorithm, &*entropy));
            })
            .map_err(|error| Fault::new("making a signing key", error))?;
        made.await.map_err(|error| Fault::new("making a signing key", error))?
    }

    /// Seals anew what a former secret sealed, so that it can be dropped one day.
    async fn reseal(&self, known: &Known) -> Result<(), Fault> {
        for row in known.rows.iter().filter(|row| !self.keychain.is_current(&row.sealed)) {
            if let Some(key) = known.opened.get(&row.kid) {
                let sealed = self.seal(&row.kid, &key.to_jwk())?;
                // Another node that starts at once may have done it; its seal is as good.
                self.store.reseal(&row.kid, &row.sealed, &sealed).await?;
            }
        }
        Ok(())
    }

    fn seal(&self, kid: &str, jwk: &Zeroizing<String>) -> Result<Vec<u8>, Fault> {
        self.keychain.seal(&seal_name(kid), jwk.as_bytes(), &*self.config.entropy)
    }

    fn open(&self, row: &SealedKey) -> Result<SigningKey, Fault> {
        let jwk = self.keychain.open(&seal_name(&row.kid), &row.sealed)?;
        let jwk = std::str::from_utf8(&jwk).map_err(|error| Fault::new("reading a signing key", error))?;
        SigningKey::from_jwk(jwk).map_err(|error| Fault::new("reading a signing key", error))
    }

    /// The ids of the keys that count, the active one first.
    fn kids(&self, known: &Known, now: Time) -> Vec<String> {
        let states = self.timing().states(&known.rows, now);
        let mut counting: Vec<_> = known.rows.iter().zip(states).collect();
        counting.retain(|(_, state)| *state != KeyState::Retired);
        counting.sort_by_key(|(_, state)| *state != KeyState::Active);
        counting.into_iter().map(|(row, _)| row.kid.clone()).collect()
    }

    fn in_use(&self, known: &Known, now: Time) -> Result<InUse, Fault> {
        let kids = self.kids(known, now);
        let mut keys = kids.iter().filter_map(|kid| known.opened.get(kid));
        let active = keys
            .next()
            .ok_or_else(|| Fault::new("reading the signing keys", "the store has lost them all"))?;
        Ok(InUse { ring: self.ring(active, keys.map(SigningKey::verifying))?, kids })
    }

    /// One that signs, those that verify, and those that the application accepts besides.
    fn ring<'a>(
        &'a self,
        active: &SigningKey,
        others: impl IntoIterator<Item = &'a VerifyingKey>,
    ) -> Result<KeyRing, Fault> {
        let others = others.into_iter().chain(&self.config.also_verify);
        others
            .cloned()
            .try_fold(KeyRing::new(active.clone()), KeyRing::also_verify)
            .map_err(|error| Fault::new("reading the signing keys", error))
    }

    fn changes_at(&self, known: &Known, now: Time) -> i64 {
        self.timing().next_change(&known.rows, now).map_or(i64::MAX, Time::millis)
    }
}

/// Its id is its thumbprint; of a symmetric key, which must tell nothing about itself, a random one.
fn generate(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<SigningKey, Fault> {
    let random = Zeroizing::new(clock::random::<64>(entropy)?);
    let kid = match algorithm.is_symmetric() {
        true => Some(uuid::Builder::from_random_bytes(clock::random(entropy)?).into_uuid().to_string()),
        false => None,
    };
    SigningKey::generate(algorithm, kid.as_deref(), &random)
        .map_err(|error| Fault::new("making a signing key", error))
}

/// A sealed key opens only in its own row.
fn seal_name(kid: &str) -> String {
    format!("signing key {kid}")
}

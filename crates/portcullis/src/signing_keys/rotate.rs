//! Rotating: by schedule, by hand, and in an emergency.
//!
//! A new key is stored by an offer of the next serial, which one of any number of nodes wins; all others read again
//! and find it there. A key is retired only once there is another to sign, so a crash in between leaves a system that
//! works, and doing the same again is safe.

use std::time::Duration;

use super::{Chore, KeyState, SigningKeyInfo, schedule};
use crate::clock::Time;
use crate::event::{Event, action};
use crate::store::SealedKey;
use crate::{Auth, Fault};

impl Auth {
    /// The signing keys kept in the store, in the order in which they were made, with what each is for. A key of the
    /// application's own ([`Config::signing_key`](crate::Config::signing_key)) is not among them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyInfo>, Fault> {
        self.keys().list(self.now()).await
    }

    /// Rotates the signing key without waiting for its time; answers the key that will sign, and from when on.
    ///
    /// If none is published to come after the active one, one is made now and signs after
    /// [`publish_ahead`](crate::config::KeysConfig::publish_ahead); so everybody knows it by then, and no token is refused.
    /// If one is published, it signs as soon as it has been known for that long. Calling it again, on this or another
    /// node, changes nothing until then.
    ///
    /// # Errors
    /// The store failed, and trying again is safe; or the key is the application's own.
    pub async fn rotate_signing_key(&self) -> Result<SigningKeyInfo, Fault> {
        self.keep_own_key()?;
        let _turn = self.keys().rotating.lock().await;
        let now = self.now();
        let timing = self.keys().vault.timing();
        for _ in 0..ATTEMPTS {
            let rows = self.keys().rows(now).await?;
            let kid = match schedule::next(&rows, now) {
                Some(next) => {
                    let earliest = timing.earliest(next, now);
                    self.keys().vault.store.bring_forward(&next.kid, earliest).await?;
                    next.kid.clone()
                }
                None => match self.publish(&rows, now, now.plus(timing.publish_ahead)).await? {
                    Some(kid) => kid,
                    None => continue,
                },
            };
            return self.info(&kid, now).await;
        }
        Err(Fault::new("rotating the signing key", "the keys kept changing"))
    }

    /// Retires a signing key at once, because somebody else may have it; `false` if there is none of that id, or none
    /// any more. Every token that it signed is refused here when this returns, and on every other node within
    /// [`max_staleness`](crate::Config::max_staleness). Their holders refresh and stay signed in.
    ///
    /// If it was the active key, the next one signs at once if one is published, or else a new one. Services that verify
    /// with the published keys may have to fetch them anew, and until they do they accept what the retired key signs.
    ///
    /// # Errors
    /// The store failed, and trying again is safe; or the key is the application's own.
    pub async fn revoke_signing_key(&self, kid: &str) -> Result<bool, Fault> {
        self.keep_own_key()?;
        let _turn = self.keys().rotating.lock().await;
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let rows = self.keys().rows(now).await?;
            if schedule::active(&rows, now).is_none_or(|active| active.kid != kid) {
                let retired = self.retire(kid, action::SIGNING_KEY_REVOKED, now).await?;
                self.keys().read(now).await?;
                return Ok(retired);
            }
            match schedule::next(&rows, now) {
                Some(next) => drop(self.keys().vault.store.bring_forward(&next.kid, now).await?),
                None => drop(self.publish(&rows, now, now).await?),
            }
        }
        Err(Fault::new("revoking a signing key", "the keys kept changing"))
    }

    /// Retires every signing key there is at once, also the one to come, and lets a new one sign: for when the database
    /// and the secret may be in other hands. Effect as [`Auth::revoke_signing_key`]. Answers the new key.
    ///
    /// # Errors
    /// The store failed, and trying again is safe; or the key is the application's own.
    pub async fn revoke_signing_keys(&self) -> Result<SigningKeyInfo, Fault> {
        self.keep_own_key()?;
        let _turn = self.keys().rotating.lock().await;
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let rows = self.keys().rows(now).await?;
            let serial = rows.last().map_or(1, |last| last.serial + 1);
            self.publish(&rows, now, now).await?;
            let rows = self.keys().rows(now).await?;
            // Whoever made the key of that serial made it after this began; it is as good if it signs at once.
            let fresh = rows.iter().find(|row| row.serial == serial);
            let Some(fresh) = fresh.filter(|row| row.retired_at.is_none() && row.signs_from <= now) else {
                continue;
            };
            for row in rows.iter().filter(|row| row.serial < serial && row.retired_at.is_none()) {
                self.retire(&row.kid, action::SIGNING_KEY_REVOKED, now).await?;
            }
            return self.info(&fresh.kid, now).await;
        }
        Err(Fault::new("revoking the signing keys", "the keys kept changing"))
    }

    /// Does what the schedule says is due. The request that comes upon it waits for that, and all others go on; should
    /// it fail, the keys there are go on too.
    pub(crate) async fn tend_keys(&self, now: Time) {
        let Some(mut not_before) = self.keys().rotating.try_lock() else { return };
        if now < *not_before && not_before.since(now) <= PAUSE {
            return;
        }
        for chore in self.keys().chores(now).await {
            if let Err(fault) = self.tend(chore, now).await {
                tracing::error!(%fault, "the signing keys could not be tended; tried again in {} s", PAUSE.as_secs());
                *not_before = now.plus(PAUSE);
                return;
            }
        }
    }

    async fn tend(&self, chore: Chore, now: Time) -> Result<(), Fault> {
        match chore {
            Chore::Retire(kid) => drop(self.retire(&kid, action::SIGNING_KEY_RETIRED, now).await?),
            Chore::BringForward(kid, at) => drop(self.keys().vault.store.bring_forward(&kid, at).await?),
            Chore::Publish(signs_from) => {
                let rows = self.keys().rows(now).await?;
                // Another node may have come first.
                if schedule::next(&rows, now).is_none() {
                    self.publish(&rows, now, signs_from).await?;
                }
            }
        }
        self.keys().read(now).await
    }

    /// Offers a new key; answers its id, or `None` if another node offered one first.
    async fn publish(
        &self,
        rows: &[SealedKey],
        now: Time,
        signs_from: Time,
    ) -> Result<Option<String>, Fault> {
        let published = self.keys().vault.offer(rows, now, signs_from).await?;
        if let Some(kid) = &published {
            let action =
                if signs_from > now { action::SIGNING_KEY_PUBLISHED } else { action::SIGNING_KEY_MADE };
            self.record(Event::new(now, action).about(kid)).await?;
        }
        Ok(published)
    }

    async fn retire(&self, kid: &str, action: &'static str, now: Time) -> Result<bool, Fault> {
        let retired = self.keys().vault.store.retire(kid, now).await?;
        if retired {
            self.record(Event::new(now, action).about(kid)).await?;
        }
        Ok(retired)
    }

    async fn info(&self, kid: &str, now: Time) -> Result<SigningKeyInfo, Fault> {
        let keys = self.keys().list(now).await?;
        let found = keys.into_iter().find(|key| key.kid == kid && key.state != KeyState::Retired);
        found.ok_or_else(|| Fault::new("rotating the signing key", "another node has just revoked it"))
    }

    fn keep_own_key(&self) -> Result<(), Fault> {
        match self.config().signing_key {
            None => Ok(()),
            Some(_) => Err(Fault::new(
                "rotating the signing key",
                "it is the application's own; start with another one, and with this one in `also_verify`",
            )),
        }
    }
}

/// How often a change is tried that other nodes undid.
const ATTEMPTS: usize = 8;

/// How long after a failure the schedule is looked at again.
const PAUSE: Duration = Duration::from_secs(10);

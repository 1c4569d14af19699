//! What must be refused although it has not expired: an index in memory, fed by the store.
//!
//! A token is looked up here without I/O. The index knows when it last heard from the store; once that is
//! longer ago than `max_staleness`, the next request asks first, and is refused with a 500 if the store is
//! silent. So a session that was ended on another node is refused here within that bound.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::lock::Mutex;

use crate::Fault;
use crate::clock::Time;
use crate::id::SessionId;
use crate::store::Revocations;

pub(crate) struct Revoked {
    store: Arc<dyn Revocations>,
    max_staleness: Duration,
    index: RwLock<Index>,
    /// How many times somebody began to ask the store.
    begun: AtomicU64,
    /// Held by the one who asks; the others wait for its answer, the last of which is kept with its number.
    asking: Mutex<(u64, Result<(), Fault>)>,
}

struct Index {
    sequence: i64,
    heard_at: Time,
    until: HashMap<SessionId, Time>,
}

impl Revoked {
    /// Reads what is revoked from the store.
    pub(crate) async fn load(
        store: Arc<dyn Revocations>,
        max_staleness: Duration,
        now: Time,
    ) -> Result<Self, Fault> {
        let index = Index { sequence: 0, heard_at: now, until: HashMap::new() };
        let (begun, asking) = (AtomicU64::new(0), Mutex::new((0, Ok(()))));
        let revoked = Self { store, max_staleness, index: RwLock::new(index), begun, asking };
        revoked.ask(now).await?;
        Ok(revoked)
    }

    /// Whether the tokens of that session are refused, as far as is known here.
    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.read(|index| index.until.contains_key(&session))
    }

    /// Whether the index has heard from the store lately. A clock that stepped back counts as "no".
    pub(crate) fn is_fresh(&self, now: Time) -> bool {
        let heard_at = self.read(|index| index.heard_at);
        now.since(heard_at) < self.max_staleness && heard_at.since(now) < RACE
    }

    /// Makes the index fresh. One asks for all who wait, and all get its answer, a failure too: a store that hangs
    /// costs everybody one time-out, not one for each who waits.
    pub(crate) async fn freshen(&self, now: Time) -> Result<(), Fault> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.asking.lock().await;
        // Only an answer to a question that was asked after this request came says enough.
        if last.0 > before {
            return last.1.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = self.ask(now).await;
        *last = (number, answer.clone());
        answer
    }

    /// Revokes in the store and here; every other node hears of it. What is in the index is in the store already.
    pub(crate) async fn revoke(&self, sessions: &[SessionId], until: Time) -> Result<(), Fault> {
        let new: Vec<_> = sessions.iter().copied().filter(|session| !self.contains(*session)).collect();
        if !new.is_empty() {
            self.store.put(&new, until).await?;
            self.write(|index| index.until.extend(new.into_iter().map(|session| (session, until))));
        }
        Ok(())
    }

    async fn ask(&self, now: Time) -> Result<(), Fault> {
        // What a clock that was ahead made this node forget counts again once the clock is back: read all of it anew.
        let sequence = self.read(|index| if now < index.heard_at { 0 } else { index.sequence });
        let news = self.store.after(sequence, now).await?;
        self.write(|index| {
            index.until.retain(|_, until| *until > now);
            for revocation in news {
                index.sequence = index.sequence.max(revocation.sequence);
                index.until.insert(revocation.session, revocation.until);
            }
            index.heard_at = now;
        });
        Ok(())
    }

    fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Index)) {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A request may have looked at the clock that much earlier than the one that asked the store.
const RACE: Duration = Duration::from_millis(100);

//! What must be refused although it has not expired: an index in memory, fed by the store.
//!
//! A token is looked up here without I/O. The index knows when it last heard from the store; once that is
//! longer ago than `max_staleness`, the next request asks first, and is refused with a 500 if the store is
//! silent. So a session that was ended on another node is refused here within that bound. The signing keys are read
//! along with it, so the same holds for a key that was revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::lock::Mutex;

use crate::Fault;
use crate::clock::Time;
use crate::id::SessionId;
use crate::signing_keys::SigningKeys;
use crate::store::Revocations;

pub(crate) struct Revoked {
    store: Arc<dyn Revocations>,
    keys: Arc<SigningKeys>,
    max_staleness: Duration,
    index: RwLock<Index>,
    /// How many times somebody began to ask the store.
    begun: AtomicU64,
    /// Held by the one who asks; the others wait for its answer.
    asking: Mutex<Asked>,
}

/// The last question, by its number, and its answer.
struct Asked {
    number: u64,
    answer: Result<(), Fault>,
    /// When somebody asked last because of a key that was not known.
    for_a_key_at: Option<Time>,
}

struct Index {
    sequence: i64,
    heard_at: Time,
    until: HashMap<SessionId, Time>,
}

impl Revoked {
    /// Reads what is revoked from the store; the keys were read already.
    pub(crate) async fn load(
        store: Arc<dyn Revocations>,
        keys: Arc<SigningKeys>,
        max_staleness: Duration,
        now: Time,
    ) -> Result<Self, Fault> {
        let index = Index { sequence: 0, heard_at: now, until: HashMap::new() };
        let asked = Asked { number: 0, answer: Ok(()), for_a_key_at: None };
        let (index, begun, asking) = (RwLock::new(index), AtomicU64::new(0), Mutex::new(asked));
        let revoked = Self { store, keys, max_staleness, index, begun, asking };
        revoked.ask(now).await?;
        Ok(revoked)
    }

    /// Whether the tokens of that session are refused, as far as is known here.
    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.read(|index| index.until.contains_key(&session))
    }

    /// Whether the index and the keys have heard from the store lately. A clock that stepped back counts as "no".
    pub(crate) fn is_fresh(&self, now: Time) -> bool {
        let heard_at = self.read(|index| index.heard_at);
        now.since(heard_at) < self.max_staleness && heard_at.since(now) < RACE && self.keys.is_current(now)
    }

    /// Makes the index fresh. One asks for all who wait, and all get its answer, a failure too: a store that hangs
    /// costs everybody one time-out, not one for each who waits.
    pub(crate) async fn freshen(&self, now: Time) -> Result<(), Fault> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.asking.lock().await;
        // Only an answer to a question that was asked after this request came says enough.
        if last.number > before {
            return last.answer.clone();
        }
        self.ask_next(&mut last, now).await
    }

    /// Asks for a key that is not known here: another node may have made it a moment ago. At most once a second, or
    /// whoever invents key ids has the store asked as often as he likes; others wait for the answer that is under way.
    pub(crate) async fn ask_for_a_key(&self, now: Time) -> Result<(), Fault> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.asking.lock().await;
        let asked_lately = |at: Time| now.since(at) < KEY_PAUSE && at.since(now) < KEY_PAUSE;
        if last.number > before || last.for_a_key_at.is_some_and(asked_lately) {
            return last.answer.clone();
        }
        last.for_a_key_at = Some(now);
        self.ask_next(&mut last, now).await
    }

    async fn ask_next(&self, last: &mut Asked, now: Time) -> Result<(), Fault> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        // Should the one who asks give up half-way, the next in the queue asks.
        let answer = self.ask(now).await;
        (last.number, last.answer) = (number, answer.clone());
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
        self.keys.read(now).await?;
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

/// How long it takes until the store is asked again for a key that is not known.
const KEY_PAUSE: Duration = Duration::from_secs(1);

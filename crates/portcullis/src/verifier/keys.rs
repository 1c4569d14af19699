//! The issuer's keys: in memory, renewed beside the requests, and the last good ones kept whatever happens to the
//! issuer.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::{FutureExt, Shared};
use portcullis_token::{KeySet, PermissionRegistry, VerifyingKey};
use serde::Deserialize;

use super::config::{KeySource, VerifierConfig};
use super::pace::{Allowance, Unknown, retry_after};
use super::source::{Delivery, JwksSource};
use crate::Fault;
use crate::clock::{Clock, Time};
use crate::identity::Recognised;

/// The largest key set that is read, in bytes.
pub const MAX_JWKS: usize = 256 * 1024;

pub(super) struct Keys {
    held: ArcSwapOption<Held>,
    /// When `held` was last heard to be the issuer's, and when it is time to ask again, in milliseconds: read by every
    /// request, so without a lock.
    heard_at: AtomicI64,
    due_at: AtomicI64,
    /// Whether the last fetch failed.
    failing: AtomicBool,
    /// When the one that is under way began; `NEVER` if none is.
    began_at: AtomicI64,
    /// `None` for keys that were given once and for all.
    source: Option<Arc<dyn JwksSource>>,
    asking: Mutex<Asking>,
    refresh_after: Duration,
    max_stale: Duration,
    cache_bytes: usize,
    clock: Arc<dyn Clock>,
}

/// One set of keys and what it verified: swapped as one, so that a key that is gone is gone with all its tokens.
pub(super) struct Held {
    pub(super) set: KeySet,
    pub(super) recognised: Recognised,
}

/// What is known of a key after the issuer was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Held,
    Unknown,
}

struct Asking {
    /// Ends with the fetch that is under way.
    under_way: Option<Shared<oneshot::Receiver<()>>>,
    allowance: Allowance,
    unknown: Unknown,
    /// How many fetches in a row failed, and why the last one did.
    failures: u32,
    failure: Option<Fault>,
}

/// What to do about a key that is not there.
enum Next {
    Decided(Standing),
    Wait(Shared<oneshot::Receiver<()>>),
}

impl Keys {
    pub(super) fn new(config: &VerifierConfig) -> Arc<Self> {
        let (given, source) = match &config.keys {
            KeySource::Given(set) => (Some(set.clone()), None),
            KeySource::Fetched(source) => (None, Some(Arc::clone(source))),
        };
        let registry = config.permissions.clone();
        let held = given.map(|set| Held { set, recognised: Recognised::new(config.cache_bytes, registry) });
        Arc::new(Self {
            held: ArcSwapOption::from_pointee(held),
            heard_at: AtomicI64::new(i64::MIN),
            due_at: AtomicI64::new(i64::MIN),
            failing: AtomicBool::new(false),
            began_at: AtomicI64::new(NEVER),
            source,
            asking: Mutex::new(Asking {
                under_way: None,
                allowance: Allowance::full(),
                unknown: Unknown::default(),
                failures: 0,
                failure: None,
            }),
            refresh_after: config.refresh_after,
            max_stale: config.max_stale,
            cache_bytes: config.cache_bytes,
            clock: Arc::clone(&config.clock),
        })
    }

    /// Looks at the keys to verify with now, if there are any. Begins to fetch them anew where it is time to, and waits
    /// for nothing.
    pub(super) fn look<T>(self: &Arc<Self>, now: Time, look: impl FnOnce(&Held) -> T) -> Option<T> {
        if self.source.is_some() && self.is_due(now) {
            self.renew(now);
        }
        self.usable(now).as_deref().map(look)
    }

    /// Apart from `look`, which every request goes through.
    #[cold]
    fn renew(self: &Arc<Self>, now: Time) {
        let mut asking = self.asking();
        // Without keys somebody has to wait for them: see `settle`.
        if asking.under_way.is_none() && self.is_due(now) && self.usable(now).is_some() {
            let delivery = self.begin(&mut asking, now);
            drop(asking);
            self.fetch(delivery);
        }
    }

    /// Waits until it is decided whether a key is the issuer's; without a name, until there is any.
    ///
    /// # Errors
    /// The issuer could not be asked, so nobody knows.
    pub(super) async fn settle(self: &Arc<Self>, kid: Option<&str>) -> Result<Standing, Fault> {
        // The fetch that is under way may have been answered before the key was published; the next one was not.
        for waited in 0..3 {
            match self.next(kid, waited)? {
                Next::Decided(standing) => return Ok(standing),
                Next::Wait(end) => drop(end.await),
            }
        }
        Ok(Standing::Unknown)
    }

    /// Whether the keys are older than they may become while the issuer answers: nobody asked for them for long, so
    /// nobody heard what was withdrawn meanwhile. While it does not answer, `max_stale` is the bound.
    pub(super) fn are_overdue(&self, now: Time) -> bool {
        let heard_at = Time::from_millis(self.heard_at.load(Ordering::Acquire));
        let worth_waiting = |began_at| match began_at {
            NEVER => self.is_due(now),
            // One that hangs holds nobody up for long.
            began_at => now.since(Time::from_millis(began_at)) < CATCH_UP,
        };
        self.source.is_some()
            && now.since(heard_at) > 2 * self.refresh_after
            && !self.failing.load(Ordering::Acquire)
            && worth_waiting(self.began_at.load(Ordering::Acquire))
            && self.usable(now).is_some()
    }

    /// Waits for the keys of now, once they are overdue.
    pub(super) async fn catch_up(self: &Arc<Self>) {
        let end = {
            let now = self.clock.now();
            let mut asking = self.asking();
            match (&asking.under_way, self.are_overdue(now)) {
                (Some(end), _) => Some(end.clone()),
                (None, false) => None,
                (None, true) => {
                    let delivery = self.begin(&mut asking, now);
                    let end = asking.under_way.clone();
                    drop(asking);
                    self.fetch(delivery);
                    end
                }
            }
        };
        if let Some(end) = end {
            // What came of it, the keys at hand say.
            let _ = end.await;
        }
    }

    /// Waits for what the issuer publishes now, if it may be asked again.
    pub(super) async fn ask_again(self: &Arc<Self>) {
        if let Some(end) = self.next_answer() {
            // What came of it, the keys at hand say.
            let _ = end.await;
        }
    }

    fn next_answer(self: &Arc<Self>) -> Option<Shared<oneshot::Receiver<()>>> {
        let now = self.clock.now();
        let mut asking = self.asking();
        if asking.under_way.is_some() || self.source.is_none() || !asking.allowance.take(now) {
            return asking.under_way.clone();
        }
        let delivery = self.begin(&mut asking, now);
        let end = asking.under_way.clone();
        drop(asking);
        self.fetch(delivery);
        end
    }

    fn next(self: &Arc<Self>, kid: Option<&str>, waited: u32) -> Result<Next, Fault> {
        let now = self.clock.now();
        let mut asking = self.asking();
        let held = self.usable(now);
        if held.as_ref().is_some_and(|held| kid.is_none_or(|kid| held.set.contains(kid))) {
            return Ok(Next::Decided(Standing::Held));
        }
        // Whoever waited for a fetch that failed is told so, and whoever waited for two has waited long enough.
        if waited == 2 || waited == 1 && asking.failure.is_some() {
            return asking.verdict();
        }
        if let Some(end) = asking.under_way.clone() {
            return Ok(Next::Wait(end));
        }
        let may_ask = match (held.as_ref(), kid) {
            (Some(_), Some(kid)) => {
                let ask = !asking.unknown.contains(kid, now) && asking.allowance.take(now);
                if ask {
                    asking.unknown.remember(kid, now);
                }
                ask
            }
            // Without keys nobody is served, and everybody waits for the same fetch.
            _ => self.is_due(now),
        };
        if !may_ask || self.source.is_none() {
            return asking.verdict();
        }
        let delivery = self.begin(&mut asking, now);
        let end = asking.under_way.clone();
        drop(asking);
        self.fetch(delivery);
        Ok(end.map_or(Next::Decided(Standing::Unknown), Next::Wait))
    }

    /// What was heard last, unless that is too long ago.
    fn usable(&self, now: Time) -> Guard<Option<Arc<Held>>> {
        let heard_at = Time::from_millis(self.heard_at.load(Ordering::Acquire));
        match self.source.is_none() || now.since(heard_at) < self.max_stale {
            true => self.held.load(),
            false => Guard::from_inner(None),
        }
    }

    /// A clock that stepped back counts as "yes".
    fn is_due(&self, now: Time) -> bool {
        let due_at = Time::from_millis(self.due_at.load(Ordering::Acquire));
        due_at <= now || due_at.since(now) > self.refresh_after
    }

    /// Marks that a fetch is under way; `fetch` then begins it, when nothing is locked any more.
    fn begin(self: &Arc<Self>, asking: &mut Asking, now: Time) -> Delivery {
        let (ended, end) = oneshot::channel();
        asking.under_way = Some(end.shared());
        self.set_due(now, UNDER_WAY);
        self.began_at.store(now.millis(), Ordering::Release);
        let keys = Arc::clone(self);
        Delivery::new(move |document| {
            keys.take(document);
            // Nobody may be waiting.
            let _ = ended.send(());
        })
    }

    fn fetch(&self, delivery: Delivery) {
        if let Some(source) = &self.source {
            source.fetch(delivery);
        }
    }

    /// What a fetch brought. Keys that are not what they should be change nothing.
    fn take(&self, document: Result<Bytes, Fault>) {
        let fetched = document.and_then(|document| read(&document));
        let now = self.clock.now();
        let mut asking = self.asking();
        asking.under_way = None;
        self.began_at.store(NEVER, Ordering::Release);
        let wait = match fetched {
            Ok(published) => {
                (asking.failures, asking.failure) = (0, None);
                self.failing.store(false, Ordering::Release);
                self.put(published);
                self.heard_at.store(now.millis(), Ordering::Release);
                self.refresh_after
            }
            Err(fault) => {
                asking.failures = asking.failures.saturating_add(1);
                self.failing.store(true, Ordering::Release);
                asking.unknown.forget_all();
                match self.usable(now).as_ref() {
                    Some(_) => {
                        tracing::warn!(%fault, "the issuer's keys were not fetched; the last ones go on")
                    }
                    None => tracing::error!(%fault, "there are no keys to verify tokens with"),
                }
                asking.failure = Some(fault);
                retry_after(asking.failures)
            }
        };
        self.set_due(now, wait);
    }

    fn set_due(&self, now: Time, wait: Duration) {
        self.due_at.store(now.plus(wait.min(self.refresh_after)).millis(), Ordering::Release);
    }

    fn put(&self, (set, registry): (KeySet, Option<PermissionRegistry>)) {
        let same = |held: &Arc<Held>| held.set == set && held.recognised.registry == registry;
        if self.held.load().as_ref().is_some_and(same) {
            return;
        }
        let kids: Vec<_> = set.keys().iter().map(VerifyingKey::kid).collect();
        tracing::info!(?kids, "the issuer's keys are new");
        for left_out in set.left_out() {
            tracing::warn!(kid = ?left_out.kid, why = %left_out.why, "a key of the issuer's is not used");
        }
        self.held
            .store(Some(Arc::new(Held { set, recognised: Recognised::new(self.cache_bytes, registry) })));
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking {
    /// Of a key that is not there and is not asked for now.
    fn verdict(&self) -> Result<Next, Fault> {
        match &self.failure {
            // It may be good. An outage must not look like a logout.
            Some(fault) => Err(fault.clone()),
            None => Ok(Next::Decided(Standing::Unknown)),
        }
    }
}

/// The keys of a document that an issuer published. One that holds none is no answer: an issuer that retired every
/// key has a new one.
fn read(document: &[u8]) -> Result<(KeySet, Option<PermissionRegistry>), Fault> {
    let fault = |why: String| Fault::new("reading the issuer's keys", why);
    if document.len() > MAX_JWKS {
        return Err(fault(format!("longer than {MAX_JWKS} bytes")));
    }
    let text = std::str::from_utf8(document).map_err(|error| fault(error.to_string()))?;
    let set = KeySet::from_published(text).map_err(|error| fault(error.to_string()))?;
    let registry = PermissionRegistry::from_published(text).map_err(|error| fault(error.to_string()))?;
    if set.is_empty() {
        Err(fault("no key in it can be used; an issuer that signs with HS256 publishes none".to_owned()))
    } else {
        Ok((set, registry))
    }
}

/// The name of the key that a token says it was signed with, nothing of it verified: only for asking the issuer.
pub(super) fn kid(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let (header, _) = token.split_once('.').filter(|(header, _)| header.len() <= MAX_HEADER)?;
    let header: Header = serde_json::from_slice(&BASE64URL.decode(header).ok()?).ok()?;
    Some(header.kid)
}

/// Bytes of a token's first segment. Names of keys are short.
const MAX_HEADER: usize = 1024;

/// No moment.
const NEVER: i64 = i64::MIN;

/// How long keys that are overdue are waited for.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How long nobody looks whether a fetch that is under way has come to its end. It tells when it has.
const UNDER_WAY: Duration = Duration::from_secs(60);

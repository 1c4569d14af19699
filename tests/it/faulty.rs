//! Stores that fail when told to.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use portcullis::clock::Time;
use portcullis::event::Event;
use portcullis::store::{
    Advance, Credentials, Ended, Events, Keys, NewUser, PasswordRecord, Revocation, Revocations, SealedKey,
    Session, Sessions, User, Users, Which,
};
use portcullis::{Email, Fault, SessionId, Stores, UserId};

/// The hand on the stores.
#[derive(Clone)]
pub struct Switch {
    plan: Arc<Mutex<Plan>>,
    calls: Arc<AtomicU64>,
    cause: Arc<str>,
}

#[derive(Clone, Copy)]
enum Plan {
    Work,
    /// Every call takes that long.
    Crawl(Duration),
    Fail,
    FailOnly(Kind),
    /// The call after that many others fails, and is the only one.
    FailOnce(u64, Moment),
}

/// Of which state a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Users,
    Credentials,
    Sessions,
    Revocations,
    Keys,
    Events,
}

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was done.
    Before,
    /// It was done, and the answer was lost.
    After,
}

impl Switch {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let cause = format!("disk {number} is on fire").into();
        Self { plan: Arc::new(Mutex::new(Plan::Work)), calls: Arc::default(), cause }
    }

    /// These stores behind this switch.
    pub fn before(&self, stores: Stores) -> Stores {
        let faulty = Arc::new(Faulty { switch: self.clone(), inner: stores });
        Stores {
            users: faulty.clone(),
            credentials: faulty.clone(),
            sessions: faulty.clone(),
            revocations: faulty.clone(),
            keys: faulty.clone(),
            events: faulty,
        }
    }

    /// What a call fails of; every switch has its own.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn repair(&self) {
        self.set(Plan::Work);
    }

    pub fn fail(&self) {
        self.set(Plan::Fail);
    }

    pub fn fail_only(&self, kind: Kind) {
        self.set(Plan::FailOnly(kind));
    }

    /// The call after `calls` others fails, once.
    pub fn fail_once_after(&self, calls: u64, moment: Moment) {
        self.set(Plan::FailOnce(calls, moment));
    }

    /// Whether the call that was to fail once has failed; if not, none will any more.
    pub fn has_failed(&self) -> bool {
        let mut plan = self.plan.lock().unwrap();
        !matches!(std::mem::replace(&mut *plan, Plan::Work), Plan::FailOnce(..))
    }

    pub fn crawl(&self, each: Duration) {
        self.set(Plan::Crawl(each));
    }

    fn set(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    /// What becomes of this call.
    fn verdict(&self, kind: Kind) -> (Duration, Option<Moment>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan.lock().unwrap();
        let fails = match *plan {
            Plan::Work => None,
            Plan::Crawl(each) => return (each, None),
            Plan::Fail => Some(Moment::Before),
            Plan::FailOnly(which) => (which == kind).then_some(Moment::Before),
            Plan::FailOnce(0, moment) => {
                *plan = Plan::Work;
                Some(moment)
            }
            Plan::FailOnce(left, moment) => {
                *plan = Plan::FailOnce(left - 1, moment);
                None
            }
        };
        (Duration::ZERO, fails)
    }
}

struct Faulty {
    switch: Switch,
    inner: Stores,
}

impl Faulty {
    async fn call<T>(&self, kind: Kind, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let (pause, fails) = self.switch.verdict(kind);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        match fails {
            None => return work.await,
            Some(Moment::Before) => {}
            Some(Moment::After) => drop(work.await?),
        }
        Err(Fault::new("asking a store", self.switch.cause().to_owned()))
    }
}

macro_rules! delegate {
    ($kind:ident: $trait:ident.$field:ident { $(fn $verb:ident($($name:ident: $type:ty),*) -> $result:ty;)* }) => {
        #[async_trait]
        impl $trait for Faulty {
            $(async fn $verb(&self, $($name: $type),*) -> Result<$result, Fault> {
                self.call(Kind::$kind, self.inner.$field.$verb($($name),*)).await
            })*
        }
    };
}

delegate!(Users: Users.users {
    fn create(new: NewUser<'_>) -> bool;
    fn find(id: UserId) -> Option<User>;
    fn set_roles(id: UserId, roles: &[String]) -> bool;
    fn advance_epoch(id: UserId) -> bool;
});

delegate!(Credentials: Credentials.credentials {
    fn by_email(email: &Email) -> Option<PasswordRecord>;
    fn by_user(user: UserId) -> Option<PasswordRecord>;
    fn change(old: &PasswordRecord, hash: &str, keep: Option<SessionId>) -> bool;
    fn rehash(old: &PasswordRecord, hash: &str) -> bool;
});

delegate!(Sessions: Sessions.sessions {
    fn start(session: &Session) -> bool;
    fn find(id: SessionId) -> Option<Session>;
    fn advance(step: &Advance) -> bool;
    fn live(user: UserId, now: Time) -> Vec<Session>;
    fn end(user: UserId, which: Which, at: Time, why: Ended) -> u64;
    fn ended_since(user: UserId, since: Time) -> Vec<SessionId>;
});

delegate!(Revocations: Revocations.revocations {
    fn put(sessions: &[SessionId], until: Time) -> ();
    fn after(sequence: i64, now: Time) -> Vec<Revocation>;
});

delegate!(Keys: Keys.keys {
    fn offer(key: &SealedKey) -> bool;
    fn all() -> Vec<SealedKey>;
    fn bring_forward(kid: &str, signs_from: Time) -> bool;
    fn retire(kid: &str, at: Time) -> bool;
    fn reseal(kid: &str, old: &[u8], new: &[u8]) -> bool;
});

delegate!(Events: Events.events {
    fn append(event: &Event) -> ();
    fn latest(user: UserId, most: u32) -> Vec<Event>;
});

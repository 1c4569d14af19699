//! Records to store, and what it takes to race for them.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis::clock::Time;
use portcullis::rotation::State;
use portcullis::store::{Advance, NewUser, Session, User};
use portcullis::{Email, Stores, UserId};
use tokio::sync::Barrier;

/// Half past nothing; what matters in the suites is how times compare.
pub const NOW: Time = Time::from_millis(1_800_000_000_123);

/// An id that nothing else has.
pub fn id<T: FromStr>() -> T {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let text = format!("01900000-0000-7000-8000-{number:012x}");
    text.parse().ok().unwrap()
}

pub fn email(address: &str) -> Email {
    Email::parse(address).unwrap()
}

/// An account that is not stored yet.
pub fn new_user(address: &str) -> User {
    User { id: id(), email: email(address), roles: vec!["reader".into()], epoch: 0, created_at: NOW }
}

/// A stored account; its password's hash is `hash of <address>`.
pub async fn user(stores: &Stores, address: &str) -> User {
    let user = new_user(address);
    let password = format!("hash of {address}");
    assert!(stores.users.create(NewUser { user: &user, password: &password }).await.unwrap());
    user
}

/// A session that is not started yet.
pub fn new_session(user: UserId) -> Session {
    Session {
        id: id(),
        user,
        epoch: 0,
        rotation: State {
            generation: 0,
            rotated_at: NOW,
            idle_expires_at: Time::from_millis(NOW.millis() + 1_000),
            absolute_expires_at: Time::from_millis(NOW.millis() + 5_000),
            ended: false,
        },
        created_at: NOW,
        auth_time: NOW,
        amr: "pwd".into(),
        last_seen_at: NOW,
        ip: Some("192.0.2.7".parse().unwrap()),
        user_agent: Some("a browser".into()),
    }
}

/// A started session.
pub async fn session(stores: &Stores, user: &User) -> Session {
    let session = Session { epoch: user.epoch, ..new_session(user.id) };
    assert!(stores.sessions.start(&session).await.unwrap());
    session
}

/// The step from that generation to the next.
pub fn step(session: &Session, from: u32) -> Advance {
    Advance {
        id: session.id,
        from,
        at: later(1),
        idle_expires_at: later(2_000),
        ip: session.ip,
        user_agent: session.user_agent.clone(),
    }
}

/// That many milliseconds after `NOW`.
pub fn later(millis: i64) -> Time {
    Time::from_millis(NOW.millis() + millis)
}

/// Runs all at once, from one start, and answers what each brought home.
pub async fn race<F>(racers: usize, run: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let start = Arc::new(Barrier::new(racers));
    let tasks: Vec<_> = (0..racers)
        .map(|number| {
            let (start, racer) = (start.clone(), run(number));
            tokio::spawn(async move {
                start.wait().await;
                racer.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// How many of them said yes.
pub fn wins(results: &[bool]) -> usize {
    results.iter().filter(|won| **won).count()
}

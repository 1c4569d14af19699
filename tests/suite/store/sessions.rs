use portcullis::store::{Ended, Session, Which};
use portcullis::{SessionId, Stores};

use super::backend;
use crate::records::{self, NOW, later, new_session, race, step, wins};

async fn find(stores: &Stores, session: &Session) -> Session {
    stores.sessions.find(session.id).await.unwrap().unwrap()
}

fn ids(sessions: &[Session]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn a_session_reads_back_as_it_was_started() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let full = new_session(ada.id);
    let other = Session {
        rotation: portcullis::rotation::State { generation: u32::MAX, ..full.rotation },
        amr: "pwd otp".into(),
        auth_time: later(-500),
        ip: Some("2001:db8::7".parse().unwrap()),
        user_agent: Some("ünïcode ' \" 🦀".into()),
        ..new_session(ada.id)
    };
    let bare = Session { ip: None, user_agent: None, ..new_session(ada.id) };
    for session in [full, other, bare] {
        assert!(stores.sessions.start(&session).await.unwrap());
        assert_eq!(find(&stores, &session).await, session);
    }
    assert_eq!(stores.sessions.find(records::id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_of_nobody_does_not_start() {
    let (stores, _keep) = backend::stores().await;
    records::user(&stores, "ada@example.org").await;
    let session = new_session(records::id());
    assert!(!stores.sessions.start(&session).await.unwrap());
    assert_eq!(stores.sessions.find(session.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_starts_only_in_the_epoch_of_its_user() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    assert!(stores.users.advance_epoch(ada.id).await.unwrap());
    for (epoch, starts) in [(0, false), (2, false), (-1, false), (1, true)] {
        let session = new_session(ada.id);
        assert_eq!(stores.sessions.start(&Session { epoch, ..session }).await.unwrap(), starts, "epoch {epoch}");
        assert_eq!(stores.sessions.find(session.id).await.unwrap().is_some(), starts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_start_of_an_old_epoch_outlives_an_advance_of_the_epoch_and_an_end_of_all() {
    let (stores, _keep) = backend::stores().await;
    for round in 0..8 {
        let user = records::user(&stores, &format!("user{round}@example.org")).await;
        let sessions: Vec<_> = (0..64).map(|_| new_session(user.id)).collect();
        let started = race(65, |racer| {
            let (stores, id, session) = (stores.clone(), user.id, sessions.get(racer).cloned());
            async move {
                match session {
                    Some(session) => stores.sessions.start(&session).await.unwrap(),
                    None => {
                        assert!(stores.users.advance_epoch(id).await.unwrap());
                        stores.sessions.end(id, Which::All, NOW, Ended::Administrator).await.unwrap();
                        let late = stores.sessions.start(&new_session(id)).await.unwrap();
                        assert!(!late, "a start of the old epoch succeeded after the advance");
                        true
                    }
                }
            }
        })
        .await;
        for (session, started) in sessions.iter().zip(started) {
            assert_eq!(stores.sessions.find(session.id).await.unwrap().is_some(), started);
        }
        assert_eq!(stores.sessions.live(user.id, NOW).await.unwrap(), [], "round {round}");
    }
}

#[tokio::test]
async fn an_advance_writes_what_the_step_says_and_nothing_else() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let session = records::session(&stores, &ada).await;
    let neighbour = records::session(&stores, &ada).await;
    let mut step = step(&session, 0);
    step.ip = Some("2001:db8::9".parse().unwrap());
    step.user_agent = None;
    assert!(stores.sessions.advance(&step).await.unwrap());
    let mut expected = session.clone();
    expected.rotation.generation = 1;
    expected.rotation.rotated_at = step.at;
    expected.rotation.idle_expires_at = step.idle_expires_at;
    expected.last_seen_at = step.at;
    expected.ip = step.ip;
    expected.user_agent = None;
    assert_eq!(find(&stores, &session).await, expected);
    assert_eq!(find(&stores, &neighbour).await, neighbour);
}

#[tokio::test]
async fn an_advance_from_another_generation_changes_nothing() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let session = records::session(&stores, &ada).await;
    assert!(stores.sessions.advance(&step(&session, 0)).await.unwrap());
    let before = find(&stores, &session).await;
    for from in [0, 2, u32::MAX] {
        assert!(!stores.sessions.advance(&step(&session, from)).await.unwrap(), "from {from}");
    }
    let mut nowhere = step(&session, 1);
    nowhere.id = records::id();
    assert!(!stores.sessions.advance(&nowhere).await.unwrap());
    assert_eq!(find(&stores, &session).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_generation_has_one_winner_of_64() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let session = records::session(&stores, &ada).await;
    for generation in 0..20 {
        let advanced = race(64, |racer| {
            let (stores, mut step) = (stores.clone(), step(&session, generation));
            step.user_agent = Some(format!("racer {racer}"));
            async move { stores.sessions.advance(&step).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&advanced), 1, "generation {generation}");
        let winner = advanced.iter().position(|won| *won).unwrap();
        let now = find(&stores, &session).await;
        assert_eq!(now.rotation.generation, generation + 1);
        assert_eq!(now.user_agent, Some(format!("racer {winner}")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_revives_an_ended_session() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    for round in 0..8 {
        let session = records::session(&stores, &ada).await;
        // Each racer knows of the generation that the one before it makes, so that advances come all the time.
        let done = race(65, |racer| {
            let (stores, session) = (stores.clone(), session.clone());
            async move {
                if racer == 64 {
                    let one = Which::One(session.id);
                    let ended = stores.sessions.end(session.user, one, NOW, Ended::Logout).await.unwrap();
                    let frozen = find(&stores, &session).await;
                    assert!(frozen.rotation.ended);
                    return (ended, frozen.rotation.generation);
                }
                let mut won = 0;
                for generation in 0..16 {
                    won += u64::from(stores.sessions.advance(&step(&session, generation)).await.unwrap());
                }
                (won, 0)
            }
        })
        .await;
        let (ended, frozen) = done[64];
        assert_eq!(ended, 1);
        let now = find(&stores, &session).await;
        assert!(now.rotation.ended, "round {round}");
        assert_eq!(now.rotation.generation, frozen, "it moved after its end");
        let won: u64 = done[..64].iter().map(|(won, _)| won).sum();
        assert_eq!(won, u64::from(frozen), "every success moved it by one");
        for generation in 0..=frozen + 1 {
            assert!(!stores.sessions.advance(&step(&session, generation)).await.unwrap());
        }
        assert_eq!(find(&stores, &session).await, now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_of_ends_one_counts_the_session() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let session = records::session(&stores, &ada).await;
    let counted = race(64, |racer| {
        let (stores, session) = (stores.clone(), session.clone());
        let which = if racer % 2 == 0 { Which::One(session.id) } else { Which::All };
        async move { stores.sessions.end(session.user, which, NOW, Ended::Logout).await.unwrap() }
    })
    .await;
    assert_eq!(counted.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn an_end_ends_which_it_says_of_that_user_alone() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let eve = records::user(&stores, "eve@example.org").await;
    let eves = records::session(&stores, &eve).await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(records::session(&stores, &ada).await);
    }
    let end = async |user, which| stores.sessions.end(user, which, NOW, Ended::Revoked).await.unwrap();
    let left = async || {
        let mut left = ids(&stores.sessions.live(ada.id, NOW).await.unwrap());
        left.sort();
        left
    };
    assert_eq!(end(eve.id, Which::One(sessions[0].id)).await, 0, "somebody else's");
    assert_eq!(left().await, ids(&sessions));
    assert_eq!(end(ada.id, Which::One(sessions[0].id)).await, 1);
    assert_eq!(end(ada.id, Which::One(sessions[0].id)).await, 0, "ended already");
    assert_eq!(left().await, ids(&sessions[1..]));
    assert_eq!(end(ada.id, Which::Others(sessions[1].id)).await, 2);
    assert_eq!(left().await, [sessions[1].id]);
    assert_eq!(end(ada.id, Which::All).await, 1);
    assert_eq!(left().await, []);
    assert!(find(&stores, &sessions[1]).await.rotation.ended, "found all the same");
    assert_eq!(ids(&stores.sessions.live(eve.id, NOW).await.unwrap()), [eves.id]);
}

#[tokio::test]
async fn live_are_those_neither_ended_nor_expired_the_latest_first() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let mut expected = Vec::new();
    for (created, idle, absolute, lives) in [
        (30, 100, 100, true),
        (10, 101, 900, true),
        (20, 99, 900, false),
        (40, 900, 99, false),
        (50, 98, 900, false),
        (25, 900, 100, true),
    ] {
        let mut session = new_session(ada.id);
        session.created_at = later(created);
        session.rotation.idle_expires_at = later(idle);
        session.rotation.absolute_expires_at = later(absolute);
        assert!(stores.sessions.start(&session).await.unwrap());
        if lives {
            expected.push(session);
        }
    }
    expected.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    assert_eq!(stores.sessions.live(ada.id, later(99)).await.unwrap(), expected);
    assert_eq!(stores.sessions.live(records::id(), later(99)).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_ended_since_a_moment_is_named_that_moment_included() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let eve = records::user(&stores, "eve@example.org").await;
    let (first, second, live) = (
        records::session(&stores, &ada).await,
        records::session(&stores, &ada).await,
        records::session(&stores, &ada).await,
    );
    let eves = records::session(&stores, &eve).await;
    for (session, at) in [(&first, 10), (&second, 20), (&eves, 20)] {
        let one = Which::One(session.id);
        stores.sessions.end(session.user, one, later(at), Ended::Logout).await.unwrap();
    }
    // A second end does not make it younger.
    let again = stores.sessions.end(ada.id, Which::One(first.id), later(30), Ended::Revoked).await;
    assert_eq!(again.unwrap(), 0);
    for (since, expected) in
        [(9, vec![first.id, second.id]), (10, vec![first.id, second.id]), (11, vec![second.id]), (21, vec![])]
    {
        let mut ended = stores.sessions.ended_since(ada.id, later(since)).await.unwrap();
        ended.sort();
        assert_eq!(ended, expected, "since {since}");
    }
    assert!(!find(&stores, &live).await.rotation.ended);
}

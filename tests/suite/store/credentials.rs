use portcullis::Stores;
use portcullis::store::{Ended, PasswordRecord, Session, User, Which};

use super::backend;
use crate::records::{self, email, race, wins};

async fn record(stores: &Stores, user: &User) -> PasswordRecord {
    stores.credentials.by_user(user.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_record_is_found_by_address_and_by_user_alike() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    records::user(&stores, "eve@example.org").await;
    let by_email = stores.credentials.by_email(&ada.email).await.unwrap().unwrap();
    assert!(by_email == record(&stores, &ada).await);
    assert_eq!(by_email.user, ada);
    assert_eq!(by_email.hash, "hash of ada@example.org");
    assert!(stores.credentials.by_email(&email("nobody@example.org")).await.unwrap().is_none());
    assert!(stores.credentials.by_user(records::id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_replaces_the_hash_and_advances_the_epoch_in_the_same_instant() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let eve = records::user(&stores, "eve@example.org").await;
    let old = record(&stores, &ada).await;
    assert!(stores.credentials.change(&old, "new hash", None).await.unwrap());
    let new = record(&stores, &ada).await;
    assert_eq!((new.user.epoch, new.hash.as_str()), (1, "new hash"));
    assert_eq!(record(&stores, &eve).await.hash, "hash of eve@example.org");
    assert_eq!(record(&stores, &eve).await.user.epoch, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_ever_sees_a_new_hash_with_an_old_epoch_or_the_reverse() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let writer = {
        let (stores, ada) = (stores.clone(), ada.clone());
        tokio::spawn(async move {
            for epoch in 1..=50 {
                let old = record(&stores, &ada).await;
                assert!(stores.credentials.change(&old, &format!("hash {epoch}"), None).await.unwrap());
            }
        })
    };
    while !writer.is_finished() {
        let seen = stores.credentials.by_email(&ada.email).await.unwrap().unwrap();
        let expected = match seen.user.epoch {
            0 => "hash of ada@example.org".to_owned(),
            epoch => format!("hash {epoch}"),
        };
        assert_eq!(seen.hash, expected);
    }
    writer.await.unwrap();
    assert_eq!(record(&stores, &ada).await.user.epoch, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_of_racing_changes_one_wins() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    for round in 1..=4 {
        let old = record(&stores, &ada).await;
        let changed = race(64, |racer| {
            let (stores, old) = (stores.clone(), old.clone());
            async move { stores.credentials.change(&old, &format!("{round} by {racer}"), None).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&changed), 1, "round {round}");
        let winner = changed.iter().position(|won| *won).unwrap();
        let new = record(&stores, &ada).await;
        assert_eq!((new.user.epoch, new.hash), (round, format!("{round} by {winner}")));
    }
}

#[tokio::test]
async fn a_change_under_an_old_epoch_changes_nothing() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let old = record(&stores, &ada).await;
    assert!(stores.users.advance_epoch(ada.id).await.unwrap());
    assert!(!stores.credentials.change(&old, "new hash", None).await.unwrap());
    let now = record(&stores, &ada).await;
    assert_eq!((now.user.epoch, now.hash), (1, old.hash));
}

#[tokio::test]
async fn a_change_of_an_old_hash_changes_nothing_not_even_the_epoch() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let old = record(&stores, &ada).await;
    assert!(stores.credentials.rehash(&old, "same password, new cost").await.unwrap());
    assert!(!stores.credentials.change(&old, "new hash", None).await.unwrap());
    let now = record(&stores, &ada).await;
    assert_eq!((now.user.epoch, now.hash.as_str()), (0, "same password, new cost"));
}

#[tokio::test]
async fn hashes_are_compared_byte_for_byte() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let right = record(&stores, &ada).await;
    for wrong in ["HASH OF ADA@EXAMPLE.ORG", "hash of ada@example.org ", "hash of ada@example.or", "%", ""] {
        let old = PasswordRecord { hash: wrong.into(), ..right.clone() };
        assert!(!stores.credentials.change(&old, "new hash", None).await.unwrap(), "{wrong:?}");
        assert!(!stores.credentials.rehash(&old, "new hash").await.unwrap(), "{wrong:?}");
    }
    assert!(record(&stores, &ada).await == right);
}

#[tokio::test]
async fn a_rehash_replaces_the_hash_alone() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let old = record(&stores, &ada).await;
    assert!(stores.credentials.rehash(&old, "new cost").await.unwrap());
    let new = record(&stores, &ada).await;
    assert_eq!((new.user, new.hash.as_str()), (old.user, "new cost"));
}

#[tokio::test]
async fn a_rehash_under_an_old_epoch_changes_nothing() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let old = record(&stores, &ada).await;
    assert!(stores.users.advance_epoch(ada.id).await.unwrap());
    assert!(!stores.credentials.rehash(&old, "new cost").await.unwrap());
    assert_eq!(record(&stores, &ada).await.hash, old.hash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rehash_never_undoes_a_change() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    for round in 0..8 {
        let old = record(&stores, &ada).await;
        let done = race(64, |racer| {
            let (stores, old) = (stores.clone(), old.clone());
            async move {
                let hash = format!("{round} by {racer}");
                match racer % 2 {
                    0 => stores.credentials.change(&old, &hash, None).await.unwrap(),
                    _ => stores.credentials.rehash(&old, &hash).await.unwrap(),
                }
            }
        })
        .await;
        // Whoever comes first makes `old` a thing of the past for all others.
        assert_eq!(wins(&done), 1, "round {round}");
        let winner = done.iter().position(|won| *won).unwrap();
        let now = record(&stores, &ada).await;
        assert_eq!(now.hash, format!("{round} by {winner}"));
        assert_eq!(now.user.epoch - old.user.epoch, i64::from(winner % 2 == 0));
    }
}

#[tokio::test]
async fn a_change_carries_the_kept_session_over_in_the_same_instant_or_changes_nothing() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let bob = records::user(&stores, "bob@example.org").await;
    let (kept, other) = (records::session(&stores, &ada).await, records::session(&stores, &ada).await);
    let foreign = records::session(&stores, &bob).await;
    let ended = records::session(&stores, &ada).await;
    stores.sessions.end(ada.id, Which::One(ended.id), records::NOW, Ended::Logout).await.unwrap();
    let epoch = async |session: &Session| stores.sessions.find(session.id).await.unwrap().unwrap().epoch;

    let old = stores.credentials.by_user(ada.id).await.unwrap().unwrap();
    for not_hers_or_over in [foreign.id, ended.id, records::id()] {
        assert!(!stores.credentials.change(&old, "new", Some(not_hers_or_over)).await.unwrap());
    }
    assert!(stores.credentials.by_user(ada.id).await.unwrap().unwrap() == old, "nothing has changed");
    assert!(stores.credentials.change(&old, "new", Some(kept.id)).await.unwrap());
    assert_eq!((epoch(&kept).await, epoch(&other).await, epoch(&foreign).await), (1, 0, 0));
}

use portcullis::store::SealedKey;

use super::backend;
use crate::records::{NOW, later, race, wins};

fn key(serial: i64, kid: &str) -> SealedKey {
    SealedKey {
        serial,
        kid: kid.into(),
        sealed: format!("sealed {kid}").into_bytes(),
        created_at: NOW,
        signs_from: later(10),
        retired_at: None,
    }
}

#[tokio::test]
async fn a_key_reads_back_as_it_was_offered_byte_for_byte() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.all().await.unwrap().is_empty());
    let keys = [
        SealedKey { sealed: (0..=255).collect(), created_at: later(-7), ..key(1, "Key") },
        SealedKey { sealed: vec![0; 3], signs_from: later(-99), ..key(2, "key") },
        SealedKey { sealed: Vec::new(), ..key(3, "key ") },
        SealedKey { sealed: vec![0xff; 4096], ..key(4, "kéy") },
    ];
    for key in &keys {
        assert!(stores.keys.offer(key).await.unwrap(), "{}", key.kid);
    }
    assert!(stores.keys.all().await.unwrap() == keys);
}

#[tokio::test]
async fn keys_come_in_the_order_of_their_serials() {
    let (stores, _keep) = backend::stores().await;
    for serial in [10, 2, 1, 9] {
        assert!(stores.keys.offer(&key(serial, &format!("key {serial}"))).await.unwrap());
    }
    let all = stores.keys.all().await.unwrap();
    assert_eq!(all.iter().map(|key| key.serial).collect::<Vec<_>>(), [1, 2, 9, 10]);
}

#[tokio::test]
async fn an_offer_of_a_serial_that_is_there_changes_nothing() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.offer(&key(1, "first")).await.unwrap());
    assert!(!stores.keys.offer(&key(1, "second")).await.unwrap());
    assert!(stores.keys.all().await.unwrap() == [key(1, "first")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_of_offers_with_one_serial_exactly_one_succeeds() {
    let (stores, _keep) = backend::stores().await;
    for serial in 1..=4 {
        let offered = race(64, |racer| {
            let stores = stores.clone();
            async move { stores.keys.offer(&key(serial, &format!("{serial} of {racer}"))).await.unwrap() }
        })
        .await;
        assert_eq!(wins(&offered), 1, "serial {serial}");
        let winner = offered.iter().position(|won| *won).unwrap();
        let all = stores.keys.all().await.unwrap();
        assert_eq!(all.len() as i64, serial);
        assert!(all.last() == Some(&key(serial, &format!("{serial} of {winner}"))));
    }
}

#[tokio::test]
async fn a_retired_key_stays_in_its_place_without_its_private_part() {
    let (stores, _keep) = backend::stores().await;
    for serial in 1..=2 {
        assert!(stores.keys.offer(&key(serial, &format!("key {serial}"))).await.unwrap());
    }
    assert!(stores.keys.retire("key 1", later(5)).await.unwrap());
    let gone = SealedKey { sealed: Vec::new(), retired_at: Some(later(5)), ..key(1, "key 1") };
    assert!(stores.keys.all().await.unwrap() == [gone.clone(), key(2, "key 2")]);
    assert!(!stores.keys.offer(&key(1, "another")).await.unwrap(), "its serial is taken for good");
    assert!(!stores.keys.offer(&key(3, "key 1")).await.unwrap(), "and so is its id");
    for never in [
        stores.keys.retire("key 1", later(6)).await.unwrap(),
        stores.keys.bring_forward("key 1", NOW).await.unwrap(),
        stores.keys.reseal("key 1", b"", b"back again").await.unwrap(),
        stores.keys.reseal("key 1", b"sealed key 1", b"back again").await.unwrap(),
        stores.keys.retire("unknown", later(6)).await.unwrap(),
    ] {
        assert!(!never);
    }
    assert!(stores.keys.all().await.unwrap() == [gone, key(2, "key 2")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_who_retire_a_key_exactly_one_does() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.offer(&key(1, "key")).await.unwrap());
    let retired = race(64, |racer| {
        let stores = stores.clone();
        async move { stores.keys.retire("key", later(racer as i64)).await.unwrap() }
    })
    .await;
    assert_eq!(wins(&retired), 1);
    let winner = retired.iter().position(|won| *won).unwrap();
    assert_eq!(stores.keys.all().await.unwrap()[0].retired_at, Some(later(winner as i64)));
}

#[tokio::test]
async fn a_key_is_brought_forward_and_never_put_off() {
    let (stores, _keep) = backend::stores().await;
    for serial in 1..=2 {
        assert!(stores.keys.offer(&key(serial, &format!("key {serial}"))).await.unwrap());
    }
    for (signs_from, changes, after) in [(11, false, 10), (10, false, 10), (3, true, 3), (5, false, 3)] {
        let brought = stores.keys.bring_forward("key 1", later(signs_from)).await.unwrap();
        assert_eq!(brought, changes, "{signs_from}");
        let expected = SealedKey { signs_from: later(after), ..key(1, "key 1") };
        assert!(stores.keys.all().await.unwrap() == [expected, key(2, "key 2")], "{signs_from}");
    }
    assert!(!stores.keys.bring_forward("unknown", NOW).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_who_bring_a_key_forward_the_earliest_time_stays() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.offer(&SealedKey { signs_from: later(1000), ..key(1, "key") }).await.unwrap());
    race(64, |racer| {
        let stores = stores.clone();
        async move { stores.keys.bring_forward("key", later((racer as i64 * 37) % 64)).await.unwrap() }
    })
    .await;
    assert_eq!(stores.keys.all().await.unwrap()[0].signs_from, later(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_who_seal_a_key_anew_exactly_one_does() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.offer(&key(1, "key")).await.unwrap());
    assert!(!stores.keys.reseal("key", b"something else", b"new").await.unwrap());
    assert!(!stores.keys.reseal("unknown", b"sealed key", b"new").await.unwrap());
    let resealed = race(64, |racer| {
        let stores = stores.clone();
        async move {
            let new = format!("new {racer}");
            stores.keys.reseal("key", b"sealed key", new.as_bytes()).await.unwrap()
        }
    })
    .await;
    assert_eq!(wins(&resealed), 1);
    let winner = resealed.iter().position(|won| *won).unwrap();
    assert_eq!(stores.keys.all().await.unwrap()[0].sealed, format!("new {winner}").into_bytes());
}

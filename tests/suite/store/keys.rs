use portcullis::store::SealedKey;

use super::backend;
use crate::records::{NOW, later, race, wins};

fn key(serial: i64, kid: &str) -> SealedKey {
    SealedKey { serial, kid: kid.into(), sealed: format!("sealed {kid}").into_bytes(), created_at: NOW }
}

#[tokio::test]
async fn a_key_reads_back_as_it_was_offered_byte_for_byte() {
    let (stores, _keep) = backend::stores().await;
    assert!(stores.keys.all().await.unwrap().is_empty());
    let keys = [
        SealedKey { sealed: (0..=255).collect(), created_at: later(-7), ..key(1, "Key") },
        SealedKey { sealed: vec![0; 3], ..key(2, "key") },
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

use portcullis::UserId;
use portcullis::store::{NewUser, User};

use super::backend;
use crate::records::{self, email, new_user, race, wins};

#[tokio::test]
async fn an_account_reads_back_as_it_was_made() {
    let (stores, _keep) = backend::stores().await;
    let ada = User { roles: vec!["b".into(), "a".into()], ..new_user("ada@example.org") };
    assert!(stores.users.create(NewUser { user: &ada, password: "a hash" }).await.unwrap());
    assert_eq!(stores.users.find(ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(stores.users.find(records::id::<UserId>()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_any_number_of_creates_with_one_address_exactly_one_succeeds() {
    let (stores, _keep) = backend::stores().await;
    let users: Vec<_> = (0..64).map(|_| new_user("ada@example.org")).collect();
    let created = race(64, |racer| {
        let (stores, user) = (stores.clone(), users[racer].clone());
        async move {
            let password = format!("hash of racer {racer}");
            stores.users.create(NewUser { user: &user, password: &password }).await.unwrap()
        }
    })
    .await;
    assert_eq!(wins(&created), 1, "{created:?}");
    let winner = created.iter().position(|won| *won).unwrap();
    let record = stores.credentials.by_email(&email("ada@example.org")).await.unwrap().unwrap();
    assert_eq!(record.user, users[winner]);
    assert_eq!(record.hash, format!("hash of racer {winner}"));
}

#[tokio::test]
async fn an_account_that_was_not_made_left_nothing_behind() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let second = new_user("ada@example.org");
    assert!(!stores.users.create(NewUser { user: &second, password: "another hash" }).await.unwrap());
    assert_eq!(stores.users.find(second.id).await.unwrap(), None);
    assert!(stores.credentials.by_user(second.id).await.unwrap().is_none());
    let record = stores.credentials.by_email(&ada.email).await.unwrap().unwrap();
    assert_eq!((record.user, record.hash.as_str()), (ada, "hash of ada@example.org"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn account_and_password_come_into_being_together_or_not_at_all_however_the_caller_ends() {
    let (stores, _keep) = backend::stores().await;
    let users: Vec<_> = (0..64).map(|number| new_user(&format!("user{number}@example.org"))).collect();
    let tasks: Vec<_> = users
        .iter()
        .cloned()
        .map(|user| {
            let stores = stores.clone();
            tokio::spawn(
                async move { stores.users.create(NewUser { user: &user, password: "a hash" }).await },
            )
        })
        .collect();
    // Some have finished, one is half way, the rest has not begun.
    while stores.users.find(users[8].id).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    tasks.iter().for_each(|task| task.abort());
    for task in tasks {
        let _ = task.await;
    }
    // What was dropped is rolled back before the next one writes.
    records::user(&stores, "last@example.org").await;
    for user in users {
        let account = stores.users.find(user.id).await.unwrap().is_some();
        let password = stores.credentials.by_user(user.id).await.unwrap().is_some();
        assert_eq!(account, password, "{}", user.email);
        if !account {
            let again = stores.users.create(NewUser { user: &user, password: "a hash" }).await;
            assert!(again.unwrap(), "{} is free", user.email);
        }
    }
}

#[tokio::test]
async fn addresses_are_compared_byte_for_byte() {
    let (stores, _keep) = backend::stores().await;
    let addresses = [
        "ada@example.org",
        "ada_@example.org",
        "ada%@example.org",
        "adab@example.org",
        "a'da@example.org",
        "a''da@example.org",
        "ada?@example.org",
        "a.da@example.org",
        "ada+1@example.org",
        "ada@example.org.uk",
        "01@example.org",
        "1@example.org",
        "1e0@example.org",
    ];
    let mut made = Vec::new();
    for address in addresses {
        made.push(records::user(&stores, address).await);
    }
    for user in made {
        let record = stores.credentials.by_email(&user.email).await.unwrap().unwrap();
        assert_eq!(record.user, user);
        assert_eq!(record.hash, format!("hash of {}", user.email));
    }
    assert!(stores.credentials.by_email(&email("a_a@example.org")).await.unwrap().is_none());
    assert!(stores.credentials.by_email(&email("%@example.org")).await.unwrap().is_none());
}

#[tokio::test]
async fn roles_are_replaced_and_read_back_in_the_order_in_which_they_were_set() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let eve = records::user(&stores, "eve@example.org").await;
    for roles in [vec!["z", "a", "m"], vec![], vec!["with \"quotes\"", "ünïcode", "a,b", "", "it's"]] {
        let roles: Vec<_> = roles.into_iter().map(str::to_owned).collect();
        assert!(stores.users.set_roles(ada.id, &roles).await.unwrap());
        assert_eq!(stores.users.find(ada.id).await.unwrap().unwrap().roles, roles);
        // The same again is a change that succeeds too.
        assert!(stores.users.set_roles(ada.id, &roles).await.unwrap());
    }
    assert_eq!(stores.users.find(eve.id).await.unwrap(), Some(eve));
    assert!(!stores.users.set_roles(records::id(), &[]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_advance_of_the_epoch_counts_and_only_for_that_account() {
    let (stores, _keep) = backend::stores().await;
    let ada = records::user(&stores, "ada@example.org").await;
    let eve = records::user(&stores, "eve@example.org").await;
    let advanced = race(64, |_| {
        let (stores, id) = (stores.clone(), ada.id);
        async move { stores.users.advance_epoch(id).await.unwrap() }
    })
    .await;
    assert_eq!(wins(&advanced), 64);
    assert_eq!(stores.users.find(ada.id).await.unwrap().unwrap().epoch, 64);
    assert_eq!(stores.users.find(eve.id).await.unwrap().unwrap().epoch, 0);
    assert!(!stores.users.advance_epoch(records::id()).await.unwrap());
}

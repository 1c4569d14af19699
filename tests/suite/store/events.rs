use portcullis::UserId;
use portcullis::event::Event;

use super::backend;
use crate::records::{self, NOW, later, race};

fn event(user: UserId, action: &str) -> Event {
    Event {
        at: NOW,
        action: action.to_owned().into(),
        cause: None,
        user: Some(user),
        session: None,
        ip: None,
        user_agent: None,
    }
}

#[tokio::test]
async fn an_event_reads_back_as_it_was_appended() {
    let (stores, _keep) = backend::stores().await;
    let ada: UserId = records::id();
    let full = Event {
        at: later(-123),
        cause: Some("wrong_password".into()),
        session: Some(records::id()),
        ip: Some("2001:db8::7".parse().unwrap()),
        user_agent: Some("ünïcode ' \" 🦀".into()),
        ..event(ada, "signed_in")
    };
    let bare = event(ada, "registered");
    for event in [&full, &bare] {
        stores.events.append(event).await.unwrap();
    }
    assert_eq!(stores.events.latest(ada, 10).await.unwrap(), [bare, full]);
}

#[tokio::test]
async fn the_latest_come_first_and_no_more_than_asked_for() {
    let (stores, _keep) = backend::stores().await;
    let ada: UserId = records::id();
    for number in 0..10 {
        // A clock that steps back does not change the order in which things happened.
        let at = later(if number == 5 { -1_000 } else { number });
        stores.events.append(&Event { at, ..event(ada, &format!("event {number}")) }).await.unwrap();
    }
    for (most, expected) in [(0, vec![]), (1, vec![9]), (6, vec![9, 8, 7, 6, 5, 4])] {
        let latest = stores.events.latest(ada, most).await.unwrap();
        let latest: Vec<_> = latest.iter().map(|event| event.action.to_string()).collect();
        let expected: Vec<_> = expected.into_iter().map(|number| format!("event {number}")).collect();
        assert_eq!(latest, expected, "at most {most}");
    }
    assert_eq!(stores.events.latest(ada, u32::MAX).await.unwrap().len(), 10);
}

#[tokio::test]
async fn an_event_is_shown_to_the_user_it_concerns_and_to_nobody_else() {
    let (stores, _keep) = backend::stores().await;
    let (ada, eve): (UserId, UserId) = (records::id(), records::id());
    stores.events.append(&event(ada, "of ada")).await.unwrap();
    stores.events.append(&Event { user: None, ..event(ada, "of nobody") }).await.unwrap();
    assert_eq!(stores.events.latest(ada, 10).await.unwrap(), [event(ada, "of ada")]);
    assert_eq!(stores.events.latest(eve, 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_64_append_at_once_is_lost() {
    let (stores, _keep) = backend::stores().await;
    let ada: UserId = records::id();
    race(64, |racer| {
        let stores = stores.clone();
        async move {
            for number in 0..4 {
                stores.events.append(&event(ada, &format!("{racer} {number}"))).await.unwrap();
            }
        }
    })
    .await;
    let read = stores.events.latest(ada, 1_000).await.unwrap();
    for racer in 0..64 {
        let prefix = format!("{racer} ");
        let mine: Vec<_> = read.iter().filter_map(|event| event.action.strip_prefix(&prefix)).collect();
        assert_eq!(mine, ["3", "2", "1", "0"], "of racer {racer}");
    }
    assert_eq!(read.len(), 256);
}

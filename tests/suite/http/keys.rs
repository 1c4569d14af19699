use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis::KeyState::{self, Active, Next, Retired, Verifying};
use portcullis::clock::Time;
use portcullis::config::Config;
use portcullis::store::{Keys, SealedKey};
use portcullis::token::{Algorithm, SigningKey};
use portcullis::{Auth, Fault, Secret, SigningKeyInfo, Stores};
use serde_json::Value;

use super::framework;
use crate::client::at_once;
use crate::faulty::{Kind, Moment, Switch};
use crate::fixtures::ManualClock;
use crate::records::race;
use crate::server::{Device, SECRET, Server};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// Access token and margin: how long after its successor's start a key verifies.
const TOKENS_LIVE: u64 = 900 + 300;

/// The id of the key that signed a token.
fn kid(token: &str) -> String {
    let header = BASE64URL.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// The same token, said to be of another key.
fn of_key(token: &str, kid: &str) -> String {
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#);
    format!("{}.{}", BASE64URL.encode(header), token.split_once('.').unwrap().1)
}

async fn keys(server: &Server) -> Vec<SigningKeyInfo> {
    server.auth.signing_keys().await.unwrap()
}

async fn states(server: &Server) -> Vec<KeyState> {
    keys(server).await.iter().map(|key| key.state).collect()
}

/// What is published, in order.
fn published(server: &Server) -> Vec<String> {
    server.auth.jwks().keys.iter().map(|key| key.kid.clone().unwrap()).collect()
}

/// The events of keys, with the id of the key.
fn key_events(server: &Server) -> Vec<(String, String)> {
    let heard = server.heard.lock().unwrap();
    let of_keys = heard.iter().filter(|event| event.action.starts_with("signing_key"));
    of_keys.map(|event| (event.action.to_string(), event.cause.clone().unwrap().into_owned())).collect()
}

async fn refused(server: &Server, token: &str) {
    assert_eq!(server.me(token).await.problem(), (401, "invalid_token".into()));
}

async fn accepted(server: &Server, token: &str) {
    let answer = server.me(token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What another node with the first secret says instead of starting.
async fn does_not_start(server: &Server) -> String {
    let mut config = Config::new(SECRET);
    config.clock = Arc::new(server.clock.clone());
    Auth::new(config, server.store.clone()).await.unwrap_err().to_string()
}

/// A node with the schedule that the tests count with.
async fn start() -> Server {
    framework::start().await
}

/// The node at the moment when its second key begins to sign, and a token that the first one signed just before.
async fn rotated() -> (Server, Device) {
    let server = start().await;
    server.auth.rotate_signing_key().await.unwrap();
    server.clock.advance_seconds(DAY - 1);
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(1);
    (server, ada)
}

#[tokio::test]
async fn the_next_key_is_published_a_day_before_it_signs_and_everybody_is_served_all_the_while() {
    let server = start().await;
    server.clock.advance_seconds(29 * DAY - 1);
    server.register("early@example.org").await;
    assert_eq!(states(&server).await, [Active], "a second too early");
    server.clock.advance_seconds(2);
    let ada = server.register("ada@example.org").await;
    let both = keys(&server).await;
    assert_eq!(both.iter().map(|key| key.state).collect::<Vec<_>>(), [Active, Next]);
    let [first, second] = [&both[0].kid, &both[1].kid];
    assert_eq!(published(&server), [first.clone(), second.clone()]);
    assert_eq!(&kid(&ada.access), first);
    let ahead = both[1].signs_from.since(server.clock_now());
    assert!(ahead >= Duration::from_secs(DAY), "{ahead:?}");

    server.clock.advance(ahead - Duration::from_secs(1));
    let ada = server.renew(&ada).await;
    assert_eq!(&kid(&ada.access), first);
    server.clock.advance_seconds(1);
    let later = server.renew(&ada).await;
    assert_eq!(&kid(&later.access), second);
    accepted(&server, &ada.access).await;
    accepted(&server, &later.access).await;
    assert_eq!(states(&server).await, [Verifying, Active]);
    assert_eq!(published(&server), [second.clone(), first.clone()], "the active one first");
    let events = ["signing_key_made", "signing_key_published"].map(str::to_owned);
    assert_eq!(key_events(&server), events.into_iter().zip([first.clone(), second.clone()]).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_old_key_verifies_until_its_last_token_is_dead_and_is_then_wiped() {
    let (server, ada) = rotated().await;
    let old = kid(&ada.access);
    server.clock.advance_seconds(898);
    accepted(&server, &ada.access).await;
    server.clock.advance_seconds(1);
    refused(&server, &ada.access).await;

    server.clock.advance_seconds(TOKENS_LIVE - 899 - 1);
    assert_eq!(states(&server).await, [Verifying, Active]);
    assert!(published(&server).contains(&old));
    server.clock.advance_seconds(1);
    // Whatever request comes next finds it.
    let ada = server.renew(&ada).await;
    assert!(!published(&server).contains(&old));
    assert_eq!(states(&server).await, [Retired, Active]);
    let wiped = "SELECT COUNT(*) FROM portcullis_keys WHERE length(sealed) = 0 AND retired_at IS NOT NULL";
    assert_eq!(server.count(wiped).await, 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_keys").await, 2, "its row is history");
    assert_eq!(key_events(&server).last().unwrap(), &("signing_key_retired".to_owned(), old.clone()));
    let history = &keys(&server).await[0];
    assert_eq!((history.algorithm, history.verifies_until), (None, Some(server.clock_now())));
    accepted(&server, &ada.access).await;
}

#[tokio::test]
async fn keys_in_every_state_survive_a_restart() {
    let (server, ada) = rotated().await;
    server.auth.rotate_signing_key().await.unwrap();
    server.clock.advance_seconds(10);
    assert_eq!(states(&server).await, [Verifying, Active, Next]);
    let bob = server.register("bob@example.org").await;
    let restarted = server.another().await;
    assert_eq!(keys(&restarted).await, keys(&server).await);
    assert_eq!(published(&restarted), published(&server));
    accepted(&restarted, &ada.access).await;
    let renewed = restarted.renew(&bob).await;
    assert_eq!(kid(&renewed.access), kid(&bob.access));
    server.clock.advance_seconds(DAY);
    let third = restarted.login("bob@example.org").await;
    assert_eq!(kid(&third.access), keys(&server).await[2].kid);
    accepted(&server, &third.access).await;
}

#[tokio::test]
async fn a_rotation_by_hand_publishes_first_and_asking_again_changes_nothing() {
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    let node = server.another().await;
    let next = server.auth.rotate_signing_key().await.unwrap();
    assert_eq!(next.state, Next);
    assert_eq!(next.signs_from, server.clock_now().plus(Duration::from_secs(DAY)));
    server.clock.advance_seconds(HOUR);
    assert_eq!(node.auth.rotate_signing_key().await.unwrap(), next, "on another node either");
    assert_eq!(published(&node), [kid(&ada.access), next.kid.clone()]);
    let ada = server.renew(&ada).await;
    server.clock.advance_seconds(DAY - HOUR);
    for server in [&server, &node] {
        let now = server.login("ada@example.org").await;
        assert_eq!(kid(&now.access), next.kid);
    }
    assert_ne!(kid(&ada.access), next.kid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_rotate_at_once_one_key_is_active_and_one_to_come() {
    let server = start().await;
    let node = server.another().await;
    for round in 1..=2 {
        let nodes = [server.auth.clone(), node.auth.clone()];
        let answers = race(64, |racer| {
            let auth = nodes[racer % 2].clone();
            async move { auth.rotate_signing_key().await.unwrap() }
        })
        .await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "all are told of one key");
        let states = states(&server).await;
        assert_eq!(states.iter().filter(|state| **state == Active).count(), 1, "{states:?}");
        assert_eq!(states.iter().filter(|state| **state == Next).count(), 1, "{states:?}");
        assert_eq!(states.len(), round + 1);
        server.clock.advance_seconds(DAY);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_nodes_that_come_upon_a_due_rotation_at_once_one_publishes() {
    let server = start().await;
    let node = server.another().await;
    server.register("ada@example.org").await;
    server.clock.advance_seconds(30 * DAY);
    let email = |number: usize| format!("user{number}@example.org");
    let registrations = (0..32).map(|number| {
        let credentials = serde_json::json!({ "email": email(number), "password": crate::server::PASSWORD });
        let node = if number % 2 == 0 { &server } else { &node };
        node.post("/auth/register").json(credentials)
    });
    for answer in at_once(registrations).await {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(states(&server).await, [Active, Next]);
    let events = key_events(&server);
    assert_eq!(events.len(), 2, "{events:?}");
}

#[tokio::test]
async fn every_token_of_a_revoked_key_is_refused_at_once_here_and_within_two_seconds_elsewhere() {
    let server = start().await;
    let node = server.another().await;
    let ada = server.register("ada@example.org").await;
    accepted(&node, &ada.access).await;
    assert!(server.auth.revoke_signing_key(&kid(&ada.access)).await.unwrap());
    refused(&server, &ada.access).await;
    accepted(&node, &ada.access).await;
    server.clock.advance(Duration::from_millis(1999));
    accepted(&node, &ada.access).await;
    server.clock.advance(Duration::from_millis(1));
    refused(&node, &ada.access).await;
    assert!(!published(&node).contains(&kid(&ada.access)));

    let renewed = node.renew(&ada).await;
    assert_ne!(kid(&renewed.access), kid(&ada.access));
    accepted(&server, &renewed.access).await;
    let restarted = server.another().await;
    refused(&restarted, &ada.access).await;
    accepted(&restarted, &renewed.access).await;
    assert_eq!(states(&server).await, [Retired, Active]);
    let revoked = ("signing_key_revoked".to_owned(), kid(&ada.access));
    assert!(key_events(&server).contains(&revoked));
    assert!(!server.auth.revoke_signing_key(&kid(&ada.access)).await.unwrap(), "it is already");
    assert!(!server.auth.revoke_signing_key("unknown").await.unwrap());
    assert_eq!(states(&server).await, [Retired, Active]);
}

/// Some of them verify by the keys of an hour ago, while another is about to replace them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_none_slips_through_an_idle_node_with_a_revoked_key() {
    let server = framework::start_with(|config| config.access.ttl = Duration::from_secs(2 * HOUR)).await;
    for round in 0..8 {
        let node = server.another().await;
        let ada = server.register(&format!("ada{round}@example.org")).await;
        accepted(&node, &ada.access).await;
        server.auth.revoke_signing_keys().await.unwrap();
        server.clock.advance_seconds(HOUR);
        let answers = at_once((0..32).map(|_| node.get("/auth/me").bearer(&ada.access))).await;
        assert!(answers.iter().all(|answer| answer.status == 401), "round {round}");
    }
}

#[tokio::test]
async fn a_node_that_slept_does_not_sign_with_a_key_that_was_revoked_meanwhile() {
    let server = start().await;
    let node = server.another().await;
    let ada = server.register("ada@example.org").await;
    server.auth.revoke_signing_keys().await.unwrap();
    server.clock.advance_seconds(2);
    let renewed = node.renew(&ada).await;
    assert_ne!(kid(&renewed.access), kid(&ada.access));
    accepted(&server, &renewed.access).await;
}

#[tokio::test]
async fn a_token_of_a_key_made_elsewhere_a_moment_ago_is_accepted_by_all_who_ask_at_once() {
    let server = start().await;
    let node = server.another().await;
    let ada = server.register("ada@example.org").await;
    server.auth.revoke_signing_keys().await.unwrap();
    let renewed = server.renew(&ada).await;
    let answers = at_once((0..16).map(|_| node.get("/auth/me").bearer(&renewed.access))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

#[tokio::test]
async fn whoever_invents_key_ids_has_the_store_asked_once_a_second() {
    let healthy = start().await;
    let switch = Switch::new();
    let node = healthy.another_with(|_| {}, |stores| switch.before(stores)).await;
    let ada = healthy.register("ada@example.org").await;
    let invented = |number: u64| of_key(&ada.access, &format!("invented {number}"));
    let before = switch.calls();
    // One question reads revocations and keys.
    for expected in [2, 4] {
        for number in 0..50 {
            refused(&node, &invented(number)).await;
        }
        assert_eq!(switch.calls() - before, expected);
        healthy.clock.advance(Duration::from_millis(1000));
    }
    // While the store is silent, nobody knows whether there is such a key: no sign-out, and no way in.
    switch.fail_only(Kind::Keys);
    assert_eq!(node.me(&invented(0)).await.problem(), (500, "internal_error".into()));
    assert_eq!(node.me("not.a.token").await.problem(), (401, "invalid_token".into()));
    switch.repair();
    healthy.clock.advance_seconds(1);
    refused(&node, &invented(0)).await;
    accepted(&node, &ada.access).await;
}

#[tokio::test]
async fn in_place_of_a_revoked_key_the_published_one_signs_and_one_to_come_can_be_revoked_too() {
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    let next = server.auth.rotate_signing_key().await.unwrap();
    assert!(server.auth.revoke_signing_key(&next.kid).await.unwrap());
    assert_eq!(states(&server).await, [Active, Retired]);
    accepted(&server, &ada.access).await;

    let next = server.auth.rotate_signing_key().await.unwrap();
    assert!(server.auth.revoke_signing_key(&kid(&ada.access)).await.unwrap());
    assert_eq!(states(&server).await, [Retired, Retired, Active]);
    refused(&server, &ada.access).await;
    assert_eq!(kid(&server.renew(&ada).await.access), next.kid, "others know it already");
}

#[tokio::test]
async fn a_revoked_key_that_only_verifies_leaves_the_active_one_alone() {
    let (server, ada) = rotated().await;
    let bob = server.register("bob@example.org").await;
    accepted(&server, &ada.access).await;
    assert!(server.auth.revoke_signing_key(&kid(&ada.access)).await.unwrap());
    refused(&server, &ada.access).await;
    accepted(&server, &bob.access).await;
    assert_eq!(states(&server).await, [Retired, Active]);
}

#[tokio::test]
async fn all_keys_are_revoked_at_once_and_the_one_to_come_never_signs() {
    let (server, ada) = rotated().await;
    let bob = server.register("bob@example.org").await;
    let next = server.auth.rotate_signing_key().await.unwrap();
    let fresh = server.auth.revoke_signing_keys().await.unwrap();
    assert_eq!((fresh.state, fresh.signs_from), (Active, server.clock_now()));
    assert_eq!(states(&server).await, [Retired, Retired, Retired, Active]);
    assert_eq!(published(&server), [fresh.kid.as_str()]);
    for old in [&ada.access, &bob.access] {
        refused(&server, old).await;
    }
    let renewed = server.renew(&bob).await;
    assert_eq!(kid(&renewed.access), fresh.kid);
    server.clock.advance_seconds(DAY);
    assert_ne!(kid(&server.login("bob@example.org").await.access), next.kid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_revoke_at_once_one_active_key_remains() {
    let server = start().await;
    let node = server.another().await;
    let ada = server.register("ada@example.org").await;
    let next = server.auth.rotate_signing_key().await.unwrap();
    let nodes = [server.auth.clone(), node.auth.clone()];
    race(64, |racer| {
        let (auth, mine) = (nodes[racer % 2].clone(), [kid(&ada.access), next.kid.clone()]);
        async move {
            // Each kind of rotation against all others.
            match racer / 2 % 4 {
                0 => drop(auth.revoke_signing_key(&mine[0]).await.unwrap()),
                1 => drop(auth.revoke_signing_key(&mine[1]).await.unwrap()),
                // The key that it made may be revoked before it could be told of.
                2 => drop(auth.revoke_signing_keys().await),
                _ => drop(auth.rotate_signing_key().await),
            }
        }
    })
    .await;
    let states = states(&server).await;
    assert_eq!(states.iter().filter(|state| **state == Active).count(), 1, "{states:?}");
    assert!(states.iter().filter(|state| **state == Next).count() <= 1, "{states:?}");
    server.clock.advance_seconds(2);
    for server in [&server, &node] {
        refused(server, &ada.access).await;
        let renewed = server.login("ada@example.org").await;
        for node in [server, &node] {
            accepted(node, &renewed.access).await;
        }
    }
}

/// Lets one store call after the other fail, before and after it was done, until there is none left to fail.
async fn fail_at_each_call(server: &Server, name: &str, work: impl AsyncFn(&Auth) -> bool) {
    for moment in [Moment::Before, Moment::After] {
        for calls in 0.. {
            // What was published by the try before signs by now.
            server.clock.advance_seconds(DAY);
            let switch = Switch::new();
            let node = server.another_with(|_| {}, |stores| switch.before(stores)).await;
            let email = format!("{name}.{moment:?}{calls}@example.org");
            let ada = node.register(&email).await;
            switch.fail_once_after(calls, moment);
            let done = work(&node.auth).await;
            if !switch.has_failed() {
                assert!(done && calls >= 4, "it takes {calls} calls");
                break;
            }
            // Whatever came of it: this and every other node serve everybody.
            let mut devices = vec![node.renew(&ada).await];
            node.clock.advance_seconds(2);
            devices.push(node.login(&email).await);
            let restarted = node.another().await;
            let states = states(&restarted).await;
            assert_eq!(states.iter().filter(|state| **state == Active).count(), 1, "{states:?}");
            assert!(states.iter().filter(|state| **state == Next).count() <= 1, "{states:?}");
            for node in [&node, &restarted, server] {
                accepted(node, &devices[1].access).await;
            }
            assert!(work(&node.auth).await, "doing it again is safe");
        }
    }
}

#[tokio::test]
async fn a_rotation_that_failed_anywhere_leaves_a_system_that_works_and_can_be_repeated() {
    let server = start().await;
    fail_at_each_call(&server, "rotate", async |auth: &Auth| auth.rotate_signing_key().await.is_ok()).await;
    let published = states(&server).await.into_iter().filter(|state| *state == Next).count();
    assert_eq!(published, 1, "however often it failed and was repeated");
}

#[tokio::test]
async fn an_emergency_that_failed_anywhere_leaves_a_system_that_works_and_is_over_once_repeated() {
    let server = start().await;
    let one = async |auth: &Auth| {
        let Ok(keys) = auth.signing_keys().await else { return false };
        let active = keys.iter().find(|key| key.state == Active).unwrap();
        auth.revoke_signing_key(&active.kid).await.is_ok()
    };
    fail_at_each_call(&server, "one", one).await;
    fail_at_each_call(&server, "all", async |auth: &Auth| auth.revoke_signing_keys().await.is_ok()).await;
    let last = server.auth.revoke_signing_keys().await.unwrap();
    assert_eq!(published(&server), [last.kid], "nothing is left over");
}

/// Keys that can be read while none can be stored.
struct Full {
    keys: Arc<dyn Keys>,
    full: AtomicBool,
    offers: AtomicU64,
}

#[async_trait::async_trait]
impl Keys for Full {
    async fn offer(&self, key: &SealedKey) -> Result<bool, Fault> {
        self.offers.fetch_add(1, Ordering::SeqCst);
        match self.full.load(Ordering::SeqCst) {
            true => Err(Fault::new("offering a key", "the disk is full")),
            false => self.keys.offer(key).await,
        }
    }

    async fn all(&self) -> Result<Vec<SealedKey>, Fault> {
        self.keys.all().await
    }

    async fn bring_forward(&self, kid: &str, signs_from: Time) -> Result<bool, Fault> {
        self.keys.bring_forward(kid, signs_from).await
    }

    async fn retire(&self, kid: &str, at: Time) -> Result<bool, Fault> {
        self.keys.retire(kid, at).await
    }

    async fn reseal(&self, kid: &str, old: &[u8], new: &[u8]) -> Result<bool, Fault> {
        self.keys.reseal(kid, old, new).await
    }
}

#[tokio::test]
async fn a_rotation_that_is_due_and_fails_refuses_nobody_and_is_made_up_for() {
    let server = start().await;
    let keys: Arc<dyn Keys> = Arc::new(server.store.clone());
    let full = Arc::new(Full { keys, full: AtomicBool::new(true), offers: AtomicU64::new(0) });
    let node = server.another_with(|_| {}, |stores| Stores { keys: full.clone(), ..stores }).await;
    server.clock.advance_seconds(30 * DAY);
    let ada = node.register("ada@example.org").await;
    for _ in 0..3 {
        server.clock.advance_seconds(2);
        accepted(&node, &ada.access).await;
        node.login("ada@example.org").await;
    }
    assert_eq!(full.offers.load(Ordering::SeqCst), 1, "it is not tried with every request");
    assert_eq!(states(&node).await, [Active]);
    full.full.store(false, Ordering::SeqCst);
    server.clock.advance_seconds(10);
    accepted(&node, &ada.access).await;
    assert_eq!(states(&node).await, [Active, Next]);
}

#[tokio::test]
async fn the_secret_is_replaced_node_by_node_and_nobody_notices() {
    const NEW: &str = "the secret after that, 32 bytes and more";
    let with = |current: &'static str, accepted: &'static [&'static str]| {
        move |config: &mut Config| {
            config.secret = current.into();
            config.accepted_secrets = accepted.iter().copied().map(Secret::from).collect();
        }
    };
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    server.auth.rotate_signing_key().await.unwrap();
    let sealed = async || -> Vec<Vec<u8>> {
        let all = "SELECT sealed FROM portcullis_keys ORDER BY serial";
        sqlx::query_scalar(all).fetch_all(server.store.pool()).await.unwrap()
    };
    let before = sealed().await;

    // First every node accepts the new one.
    let accepting = server.another_with(with(SECRET, &[NEW]), |stores| stores).await;
    assert_eq!(sealed().await, before, "what is current already is not sealed anew");
    // Then it is the current one, node by node.
    let replaced = server.another_with(with(NEW, &[SECRET]), |stores| stores).await;
    let after = sealed().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "every key is sealed anew");
    accepted(&replaced, &ada.access).await;
    let renewed = replaced.renew(&ada).await;
    assert_eq!(kid(&renewed.access), kid(&ada.access), "the keys are the same");
    let renewed = accepting.renew(&renewed).await;
    accepted(&replaced, &renewed.access).await;
    let renewed = replaced.renew(&renewed).await;
    // A node that has not restarted yet has its keys in memory.
    accepted(&accepting, &renewed.access).await;

    // Then the old one is dropped.
    let only_new = server.another_with(with(NEW, &[]), |stores| stores).await;
    only_new.assert_signed_in(&renewed).await;
    assert_eq!(only_new.refresh(&ada.refresh).await.problem(), (401, "invalid_token".into()));
    let error = does_not_start(&server).await;
    assert!(error.contains("sealed under another secret") && error.contains("ACCEPTED_SECRETS"), "{error}");
}

#[tokio::test]
async fn a_secret_in_other_hands_is_replaced_together_with_the_keys_and_what_it_made_is_worthless() {
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    let mut config = Config::new("the secret after that, 32 bytes and more");
    config.accepted_secrets = vec![SECRET.into()];
    config.clock = Arc::new(server.clock.clone());
    let program = Auth::new(config, server.store.clone()).await.unwrap();
    program.revoke_signing_keys().await.unwrap();
    let change = |config: &mut Config| config.secret = "the secret after that, 32 bytes and more".into();
    let node = server.another_with(change, |stores| stores).await;
    refused(&node, &ada.access).await;
    assert_eq!(node.refresh(&ada.refresh).await.problem(), (401, "invalid_token".into()));
    node.assert_signed_in(&node.login("ada@example.org").await).await;
    assert!(does_not_start(&server).await.contains("sealed under another secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_with_the_new_secret_seal_the_keys_anew_once() {
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    let change = |config: &mut Config| {
        config.accepted_secrets = vec![SECRET.into()];
        config.secret = "the secret after that, 32 bytes and more".into();
    };
    let starts = (0..8).map(|_| server.another_with(change, |stores| stores));
    for node in futures_util::future::join_all(starts).await {
        accepted(&node, &ada.access).await;
        assert_eq!(states(&node).await, [Active]);
    }
    let last = server.another_with(|config| config.secret = "the secret after that, 32 bytes and more".into(), |s| s);
    accepted(&last.await, &ada.access).await;
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_and_back_leaves_a_key_to_sign_and_a_schedule_that_heals() {
    let server = start().await;
    server.register("ada@example.org").await;
    // Ahead for long enough to publish, and back.
    server.clock.advance_seconds(400 * DAY);
    server.login("ada@example.org").await;
    assert_eq!(states(&server).await, [Active, Next]);
    server.clock.step_back(Duration::from_secs(400 * DAY));
    let ada = server.login("ada@example.org").await;
    accepted(&server, &ada.access).await;
    let next = &keys(&server).await[1];
    let in_time = server.clock_now().plus(Duration::from_secs(30 * DAY));
    assert!(next.signs_from <= in_time, "the next key was brought forward: {next:?}");

    // Ahead for so long that the next one signs and the first is wiped, and back.
    server.clock.advance_seconds(31 * DAY);
    server.login("ada@example.org").await;
    assert_eq!(states(&server).await[..2], [Retired, Active]);
    server.clock.step_back(Duration::from_secs(31 * DAY));
    for node in [&server, &server.another().await] {
        let ada = node.login("ada@example.org").await;
        accepted(node, &ada.access).await;
        assert_eq!(kid(&ada.access), next.kid);
    }
    // By hand it is in order again within a day.
    let by_hand = server.auth.rotate_signing_key().await.unwrap();
    server.clock.advance_seconds(DAY);
    assert_eq!(kid(&server.login("ada@example.org").await.access), by_hand.kid);
}

#[tokio::test]
async fn nodes_whose_clocks_differ_by_a_minute_accept_each_others_tokens_over_a_rotation() {
    let server = start().await;
    let ahead = Ahead(server.clock.clone(), Duration::from_secs(60));
    let node = server.another_with(|config| config.clock = Arc::new(ahead.clone()), |stores| stores).await;
    let next = server.auth.rotate_signing_key().await.unwrap();
    let mut ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(DAY - 70);
    let mut signed = Vec::new();
    for _ in 0..16 {
        server.clock.advance_seconds(10);
        for (one, other) in [(&server, &node), (&node, &server)] {
            ada = one.renew(&ada).await;
            accepted(one, &ada.access).await;
            accepted(other, &ada.access).await;
            signed.push(kid(&ada.access) == next.kid);
        }
    }
    assert!(!signed[0] && signed[31], "the change lies in between");
    // The slower one's last token is accepted by the faster one as long as it lives.
    assert_eq!(states(&node).await, [Verifying, Active]);
}

#[derive(Clone)]
struct Ahead(ManualClock, Duration);

impl portcullis::clock::Clock for Ahead {
    fn now(&self) -> Time {
        self.0.now().plus(self.1)
    }
}

#[tokio::test]
async fn another_algorithm_is_published_first_and_then_signs() {
    let server = start().await;
    let ada = server.register("ada@example.org").await;
    let changed = server.another_with(|config| config.access.algorithm = Algorithm::Hs256, |stores| stores).await;
    let both = keys(&changed).await;
    let algorithms: Vec<_> = both.iter().map(|key| key.algorithm.unwrap()).collect();
    assert_eq!(algorithms, [Algorithm::EdDsa, Algorithm::Hs256]);
    assert_eq!(published(&changed), [kid(&ada.access)], "a symmetric key is never published");
    server.clock.advance_seconds(DAY - 1);
    let ada = changed.login("ada@example.org").await;
    server.clock.advance_seconds(1);
    let later = changed.renew(&ada).await;
    assert_eq!(kid(&later.access), both[1].kid);
    accepted(&changed, &ada.access).await;
    accepted(&changed, &later.access).await;
    accepted(&server, &later.access).await;
}

#[tokio::test]
async fn keys_of_every_algorithm_are_made_rotated_and_revoked_alike() {
    for algorithm in Algorithm::ALL {
        let server = framework::start_with(|config| config.access.algorithm = algorithm).await;
        let ada = server.register("ada@example.org").await;
        server.auth.rotate_signing_key().await.unwrap();
        server.clock.advance_seconds(DAY);
        let renewed = server.renew(&ada).await;
        assert_ne!(kid(&renewed.access), kid(&ada.access), "{algorithm:?}");
        accepted(&server.another().await, &renewed.access).await;
        server.auth.revoke_signing_keys().await.unwrap();
        refused(&server, &renewed.access).await;
        let renewed = server.renew(&renewed).await;
        accepted(&server, &renewed.access).await;
        assert!(keys(&server).await.iter().all(|key| key.algorithm.is_none_or(|one| one == algorithm)));
        assert_eq!(published(&server).is_empty(), algorithm.is_symmetric(), "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_key_of_the_applications_own_stays_until_the_configuration_says_otherwise() {
    let key = |seed| SigningKey::ed25519(&[seed; 32]).unwrap();
    let server = framework::start_with(|config| config.signing_key = Some(key(1))).await;
    let ada = server.register("ada@example.org").await;
    server.clock.advance_seconds(40 * DAY);
    let ada = Device { access: server.login("ada@example.org").await.access, ..ada };
    assert_eq!(kid(&ada.access), key(1).kid());
    for answer in [
        server.auth.rotate_signing_key().await.map(drop),
        server.auth.revoke_signing_key(key(1).kid()).await.map(drop),
        server.auth.revoke_signing_keys().await.map(drop),
    ] {
        assert!(answer.unwrap_err().to_string().contains("also_verify"));
    }
    accepted(&server, &ada.access).await;
    assert_eq!(keys(&server).await, []);

    let change = |config: &mut Config| {
        config.signing_key = Some(key(2));
        config.also_verify = vec![key(1).verifying().clone()];
    };
    let restarted = server.another_with(change, |stores| stores).await;
    accepted(&restarted, &ada.access).await;
    assert_eq!(kid(&restarted.login("ada@example.org").await.access), key(2).kid());
    assert_eq!(published(&restarted), [key(2).kid(), key(1).kid()]);
}

#[tokio::test]
async fn the_database_holds_no_key_in_clear_however_often_they_rotate() {
    let server = start().await;
    for _ in 0..3 {
        server.auth.rotate_signing_key().await.unwrap();
        server.clock.advance_seconds(DAY);
    }
    server.auth.rotate_signing_key().await.unwrap();
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_keys").await, 5);
    for clear in [r#""d":"#, r#""kty""#, "OKP", "Ed25519"] {
        assert!(!server.database_holds(clear), "{clear}");
    }
    assert!(server.database_holds(&keys(&server).await[4].kid), "the looking finds what is there");
}

#[tokio::test]
async fn a_key_that_was_moved_to_another_row_does_not_open() {
    let server = start().await;
    server.auth.rotate_signing_key().await.unwrap();
    let swap = "UPDATE portcullis_keys SET sealed = (SELECT sealed FROM portcullis_keys WHERE serial = 1)";
    sqlx::query(swap).execute(server.store.pool()).await.unwrap();
    let error = does_not_start(&server).await;
    assert!(error.contains("it was altered"), "{error}");
}

//! How a verifier keeps the keys of its issuer: with a source that answers when the test says so, and a clock that
//! stands still, so that nothing here waits for anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use portcullis::verifier::{Delivery, JwksSource};
use portcullis::{Denied, Fault, Identity, Refusal, Verifier, VerifierConfig};

use crate::fixtures::ManualClock;
use crate::issuer::{AUDIENCE, ISSUER, bearer, jwks, token, token_of_key};

/// Keeps deliveries until it is told what to bring.
#[derive(Clone, Default)]
struct Source {
    under_way: Arc<Mutex<Vec<Delivery>>>,
    asked: Arc<AtomicUsize>,
}

impl JwksSource for Source {
    fn fetch(&self, delivery: Delivery) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.under_way.lock().unwrap().push(delivery);
    }
}

impl Source {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends the one fetch that is under way.
    fn brings(&self, document: impl Into<Bytes>) {
        self.take().done(Ok(document.into()));
    }

    fn fails(&self) {
        self.take().done(Err(Fault::new("fetching", "nobody is there")));
    }

    fn take(&self) -> Delivery {
        let mut under_way = self.under_way.lock().unwrap();
        assert_eq!(under_way.len(), 1, "one fetch at a time");
        under_way.pop().unwrap()
    }
}

struct Service {
    verifier: Verifier,
    source: Source,
    clock: ManualClock,
}

type Answer = Result<Identity, Refusal>;

impl Service {
    /// One that was not asked anything yet.
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut VerifierConfig)) -> Self {
        let (source, clock) = (Source::default(), ManualClock::new());
        let mut config = VerifierConfig::new(ISSUER, AUDIENCE, source.clone().into());
        config.clock = Arc::new(clock.clone());
        change(&mut config);
        Self { verifier: Verifier::new(config).unwrap(), source, clock }
    }

    /// One that has these keys.
    fn holding(seeds: &[u8]) -> Self {
        let service = Self::new();
        let mut ready = Box::pin(service.verifier.ready());
        assert!(ready.as_mut().now_or_never().is_none());
        service.source.brings(jwks(seeds));
        ready.now_or_never().unwrap().unwrap();
        service
    }

    fn ask(&self, token: &str) -> BoxFuture<'_, Answer> {
        self.verifier.require("GET", &bearer(token)).boxed()
    }

    /// The answer to a request that must not wait.
    fn at_once(&self, token: &str) -> Answer {
        self.ask(token).now_or_never().expect("an answer at once")
    }

    /// A request that must wait.
    fn waits(&self, token: &str) -> BoxFuture<'_, Answer> {
        let mut answer = self.ask(token);
        assert!(answer.as_mut().now_or_never().is_none(), "it waits");
        answer
    }

    fn token(&self, seed: u8) -> String {
        token(seed, &self.clock)
    }
}

fn now(answer: BoxFuture<'_, Answer>) -> Answer {
    answer.now_or_never().expect("an answer by now")
}

fn is_denied(answer: &Answer) -> bool {
    matches!(answer, Err(Refusal::Denied(Denied::InvalidToken)))
}

fn is_fault(answer: &Answer) -> bool {
    matches!(answer, Err(Refusal::Fault(_)))
}

#[test]
fn the_first_requests_wait_for_one_fetch_however_many_they_are() {
    let service = Service::new();
    assert_eq!(service.source.asked(), 0, "nothing is fetched before somebody asks");
    let answers: Vec<_> = (0..64).map(|_| service.waits(&service.token(1))).collect();
    assert_eq!(service.source.asked(), 1);
    service.source.brings(jwks(&[1]));
    assert!(answers.into_iter().map(now).all(|answer| answer.is_ok()));
    assert_eq!(service.source.asked(), 1);
}

#[test]
fn without_keys_a_failure_is_a_failure_and_nobody_is_signed_out() {
    let service = Service::new();
    let answers: Vec<_> = (0..64).map(|_| service.waits(&service.token(1))).collect();
    service.source.fails();
    assert!(answers.into_iter().map(now).all(|answer| is_fault(&answer)));
    assert!(is_fault(&service.at_once(&service.token(1))), "the issuer is not asked by every request");
    assert_eq!(service.source.asked(), 1);
    service.clock.advance_seconds(1);
    let answer = service.waits(&service.token(1));
    service.source.brings(jwks(&[1]));
    assert!(now(answer).is_ok(), "it is asked again after a second");
}

#[test]
fn what_no_key_could_make_good_is_refused_without_asking_anybody() {
    let service = Service::new();
    for token in ["rubbish", "a.b.c", "e30.e30.e30", "eyJraWQiOjF9.e30.e30"] {
        assert!(is_denied(&service.at_once(token)), "{token}");
    }
    let nobody = service.verifier.authenticate("GET", &axum::http::HeaderMap::new());
    assert!(matches!(nobody.now_or_never(), Some(Ok(None))));
    assert_eq!(service.source.asked(), 0);
}

#[test]
fn keys_that_are_due_go_on_while_one_fetch_runs() {
    let service = Service::holding(&[1]);
    service.clock.advance_seconds(299);
    assert!(service.at_once(&service.token(1)).is_ok());
    assert_eq!(service.source.asked(), 1);
    service.clock.advance_seconds(1);
    for _ in 0..64 {
        assert!(service.at_once(&service.token(1)).is_ok());
    }
    assert_eq!(service.source.asked(), 2);
    service.source.brings(jwks(&[1]));
    service.clock.advance_seconds(299);
    assert!(service.at_once(&service.token(1)).is_ok());
    assert_eq!(service.source.asked(), 2, "then they are as good as new");
}

#[test]
fn a_key_that_is_gone_is_refused_from_then_on_also_for_tokens_that_were_accepted_before() {
    let service = Service::holding(&[1, 2]);
    let old = service.token(1);
    assert!(service.at_once(&old).is_ok());
    service.clock.advance_seconds(300);
    assert!(service.at_once(&old).is_ok(), "until the fetch has ended");
    service.source.brings(jwks(&[2]));
    let answer = service.waits(&old);
    service.source.brings(jwks(&[2]));
    assert!(is_denied(&now(answer)));
    assert!(is_denied(&service.at_once(&old)));
    assert!(service.at_once(&service.token(2)).is_ok());
}

#[test]
fn a_rotation_is_noticed_by_its_first_token_and_the_others_wait_for_nothing() {
    let service = Service::holding(&[1]);
    let new: Vec<_> = (0..64).map(|_| service.waits(&service.token(2))).collect();
    assert_eq!(service.source.asked(), 2);
    assert!(service.at_once(&service.token(1)).is_ok());
    service.source.brings(jwks(&[1, 2]));
    assert!(new.into_iter().map(now).all(|answer| answer.is_ok()));
    assert!(service.at_once(&service.token(2)).is_ok());
    assert_eq!(service.source.asked(), 2);
}

#[test]
fn a_key_published_while_a_fetch_was_under_way_is_asked_for_again() {
    let service = Service::holding(&[1]);
    service.clock.advance_seconds(300);
    assert!(service.at_once(&service.token(1)).is_ok(), "a fetch begins");
    let mut new = service.waits(&service.token(2));
    service.source.brings(jwks(&[1]));
    assert!(new.as_mut().now_or_never().is_none(), "it may have been answered before the key was there");
    service.source.brings(jwks(&[1, 2]));
    assert!(now(new).is_ok());
}

#[test]
fn an_unknown_key_is_asked_for_once_in_ten_seconds() {
    let service = Service::holding(&[1]);
    let unknown = token_of_key("nobody's", &service.clock);
    let answers: Vec<_> = (0..64).map(|_| service.waits(&unknown)).collect();
    service.source.brings(jwks(&[1]));
    assert!(answers.into_iter().map(now).all(|answer| is_denied(&answer)));
    service.clock.advance(Duration::from_millis(9_999));
    assert!(is_denied(&service.at_once(&unknown)));
    assert_eq!(service.source.asked(), 2);
    service.clock.advance(Duration::from_millis(1));
    drop(service.waits(&unknown));
    assert_eq!(service.source.asked(), 3);
}

#[test]
fn a_flood_of_invented_keys_costs_fourteen_fetches_a_minute_and_nobody_else_anything() {
    let service = Service::holding(&[1]);
    let good = service.token(1);
    for number in 0..1000 {
        let invented = token_of_key(&format!("invented-{number}"), &service.clock);
        let mut answer = service.ask(&invented);
        if answer.as_mut().now_or_never().is_none() {
            assert!(service.at_once(&good).is_ok());
            service.source.brings(jwks(&[1]));
            assert!(is_denied(&now(answer)));
        }
        service.clock.advance(Duration::from_millis(60));
    }
    let fetches = service.source.asked() - 1;
    assert!((2..=14).contains(&fetches), "{fetches}");
    // One of those that the flood causes notices a rotation as well.
    service.clock.advance_seconds(5);
    let invented = service.waits(&token_of_key("invented", &service.clock));
    service.source.brings(jwks(&[1, 2]));
    drop(invented);
    assert!(service.at_once(&service.token(2)).is_ok());
}

#[test]
fn an_issuer_that_lies_changes_nothing() {
    let private = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let set: serde_json::Value = serde_json::from_slice(&jwks(&[1])).unwrap();
    let ours = &set["keys"][0];
    let symmetric = serde_json::json!({ "kty": "oct", "kid": ours["kid"], "alg": "HS256", "k": "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk" });
    let lies = [
        String::new(),
        "<!doctype html><title>Sign in to the Wi-Fi</title>".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":[{}]}"#.to_owned(),
        set.to_string()[..90].to_owned(),
        format!(r#"{{"keys":[{private}]}}"#),
        format!(r#"{{"keys":[{symmetric}]}}"#),
        format!(r#"{{"keys":[{ours},{ours}]}}"#),
        format!("{}{}", set, " ".repeat(40 * 1024 * 1024)),
    ];
    let service = Service::holding(&[1]);
    let forged = token_of_key(ours["kid"].as_str().unwrap(), &service.clock);
    for lie in lies {
        service.clock.advance_seconds(300);
        assert!(service.at_once(&service.token(1)).is_ok());
        service.source.brings(lie.clone());
        assert!(service.at_once(&service.token(1)).is_ok(), "{lie:.80}");
        assert!(is_denied(&service.at_once(&token_of_key(ours["kid"].as_str().unwrap(), &service.clock))));
        assert!(is_denied(&service.at_once(&forged)), "{lie:.80}");
    }
    service.clock.advance_seconds(300);
    assert!(service.at_once(&service.token(1)).is_ok());
    service.source.brings(b"\xff\xfe".as_slice());
    assert!(service.at_once(&service.token(1)).is_ok());
}

#[test]
fn while_the_issuer_is_down_a_key_that_is_not_known_is_a_failure_and_no_logout() {
    let service = Service::holding(&[1]);
    let new = service.waits(&service.token(2));
    service.source.fails();
    assert!(is_fault(&now(new)));
    let again = service.waits(&service.token(2));
    service.source.brings(jwks(&[1, 2]));
    assert!(now(again).is_ok(), "what it could not say is not remembered");
}

#[test]
fn a_dead_issuer_is_asked_once_a_minute_and_its_keys_count_for_a_day() {
    let service = Service::holding(&[1]);
    for _ in 0..24 * 60 - 1 {
        service.clock.advance_seconds(60);
        assert!(service.at_once(&service.token(1)).is_ok());
        if !service.source.under_way.lock().unwrap().is_empty() {
            service.source.fails();
        }
    }
    assert!((24 * 60 - 10..=24 * 60).contains(&service.source.asked()), "{}", service.source.asked());
    service.clock.advance_seconds(60);
    let answer = service.waits(&service.token(1));
    service.source.fails();
    assert!(is_fault(&now(answer)), "then nobody knows whether they are still the issuer's");
    service.clock.advance_seconds(60);
    let answer = service.waits(&service.token(1));
    service.source.brings(jwks(&[1]));
    assert!(now(answer).is_ok());
}

#[test]
fn a_fetch_that_is_given_up_without_a_word_has_failed() {
    let service = Service::holding(&[1]);
    let answer = service.waits(&service.token(2));
    drop(service.source.take());
    assert!(is_fault(&now(answer)));
    assert!(service.at_once(&service.token(1)).is_ok());
}

#[test]
fn a_fetch_that_hangs_holds_up_only_those_whose_key_is_not_known() {
    let service = Service::holding(&[1]);
    let unknown = service.waits(&service.token(2));
    for _ in 0..24 {
        service.clock.advance_seconds(300);
        assert!(service.at_once(&service.token(1)).is_ok());
    }
    assert_eq!(service.source.asked(), 2, "and nobody begins another");
    drop(unknown);
}

#[test]
fn after_a_long_silence_nobody_is_judged_by_the_keys_of_before() {
    let service = Service::holding(&[1]);
    service.clock.advance_seconds(23 * 60 * 60);
    // The issuer withdrew the first key meanwhile, and nobody here has heard of it.
    let withdrawn: Vec<_> = (0..64).map(|_| service.waits(&service.token(1))).collect();
    assert_eq!(service.source.asked(), 2, "one fetch for all of them");
    service.source.brings(jwks(&[2]));
    for answer in withdrawn {
        // That key is asked for once more, as every unknown one is.
        assert!(!matches!(answer.now_or_never(), Some(Ok(_))));
    }
}

#[test]
fn after_a_long_silence_an_issuer_that_does_not_answer_stops_nobody() {
    let service = Service::holding(&[1]);
    service.clock.advance_seconds(3_600);
    let waiting = service.waits(&service.token(1));
    service.source.fails();
    assert!(now(waiting).is_ok());
    assert!(service.at_once(&service.token(1)).is_ok());
}

#[test]
fn a_clock_that_steps_back_asks_again_and_refuses_nobody() {
    let service = Service::holding(&[1]);
    service.clock.step_back(Duration::from_secs(3600));
    assert!(service.at_once(&service.token(1)).is_ok());
    assert_eq!(service.source.asked(), 2);
    service.source.brings(jwks(&[1]));
    assert!(service.at_once(&service.token(1)).is_ok());
    assert_eq!(service.source.asked(), 2);
}

/// Answers before `fetch` returns.
struct AtOnce;

impl JwksSource for AtOnce {
    fn fetch(&self, delivery: Delivery) {
        delivery.done(Ok(jwks(&[1])));
    }
}

#[test]
fn a_source_that_answers_at_once_is_none_the_worse_for_it() {
    let service = Service::with(|config| config.keys = AtOnce.into());
    assert!(service.at_once(&service.token(1)).is_ok());
    service.clock.advance_seconds(300);
    assert!(service.at_once(&service.token(1)).is_ok());
    assert!(is_denied(&service.at_once(&service.token(2))));
}

#[test]
fn keys_that_were_given_are_never_asked_for() {
    let set = portcullis::token::KeySet::from_json(std::str::from_utf8(&jwks(&[1])).unwrap()).unwrap();
    let service = Service::with(|config| config.keys = set.into());
    service.clock.advance_seconds(10 * 24 * 60 * 60);
    assert!(service.at_once(&service.token(1)).is_ok());
    assert!(is_denied(&service.at_once(&service.token(2))));
    assert!(matches!(service.verifier.ready().now_or_never(), Some(Ok(()))));
}

#[test]
fn a_token_that_was_accepted_dies_in_the_second_it_says() {
    let service = Service::holding(&[1]);
    let token = service.token(1);
    service.clock.advance_seconds(299);
    assert!(service.at_once(&token).is_ok());
    service.clock.advance_seconds(600);
    let asked = service.waits(&token);
    service.source.brings(jwks(&[1]));
    assert!(now(asked).is_ok());
    service.clock.advance_seconds(1);
    assert!(is_denied(&service.at_once(&token)));
}

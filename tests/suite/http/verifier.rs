//! Services that only verify tokens: what they accept, and that nothing an issuer does breaks one that has its keys.

use std::sync::Arc;
use std::time::Duration;

use portcullis::token::Audience;
use portcullis::{Verifier, VerifierConfig};
use portcullis_jwks::{HttpJwks, HttpJwksConfig};

use super::framework;
use crate::client::{Answer, Request};
use crate::fixtures::ManualClock;
use crate::frameworks::Running;
use crate::issuer::{AUDIENCE, Conduct, ISSUER, Issuer, USER, claims, jwks, key, token, token_of_key};

struct Service {
    running: Running,
    issuer: Issuer,
    clock: ManualClock,
}

impl Service {
    async fn start(conduct: Conduct) -> Self {
        let issuer = Issuer::start(conduct).await;
        let clock = ManualClock::new();
        let timeouts = HttpJwksConfig { timeout: Duration::from_millis(300), ..HttpJwksConfig::default() };
        let source = HttpJwks::with(&issuer.url(), timeouts).unwrap();
        let mut config = VerifierConfig::new(ISSUER, AUDIENCE, source.into());
        config.clock = Arc::new(clock.clone());
        let running = framework::verify(Verifier::new(config).unwrap()).await;
        Self { running, issuer, clock }
    }

    /// One that has verified a token of key 1 already.
    async fn with_keys() -> Self {
        let service = Self::start(Conduct::Says(jwks(&[1]))).await;
        assert_eq!(service.me(&service.token(1)).await.status, 200);
        service
    }

    fn get(&self, path: &str) -> Request {
        Request::new(self.running.address, "GET", path)
    }

    async fn me(&self, token: &str) -> Answer {
        self.get("/me").bearer(token).send().await
    }

    fn token(&self, seed: u8) -> String {
        token(seed, &self.clock)
    }

    /// The keys are due, and requests go on until the issuer was asked for them that many times and the connection is
    /// over, one way or the other.
    async fn ask_again(&self, times: usize) {
        let before = self.issuer.asked();
        while self.issuer.asked() < before + times {
            self.clock.advance_seconds(300);
            assert_eq!(self.me(&self.token(1)).await.status, 200);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_token_of_the_issuer_for_this_audience_is_accepted() {
    let service = Service::with_keys().await;
    let token = service.token(1);
    for path in ["/me", "/perhaps", "/optional"] {
        assert_eq!(service.get(path).bearer(&token).send().await.text(), USER, "{path}");
    }
    assert_eq!(service.get("/guarded").bearer(&token).send().await.text(), "guarded");
    let mut several = claims(&service.clock);
    several.aud = Audience::from(vec!["billing".to_owned(), AUDIENCE.to_owned()]);
    assert_eq!(service.me(&key(1).sign(&several).unwrap()).await.status, 200);
    assert_eq!(service.issuer.asked(), 1);
}

#[tokio::test]
async fn without_a_credential_it_is_a_401_without_an_error_code() {
    let service = Service::start(Conduct::Hangs).await;
    for path in ["/me", "/guarded"] {
        let answer = service.get(path).send().await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="portcullis""#));
    }
    for path in ["/perhaps", "/optional"] {
        assert_eq!(service.get(path).send().await.text(), "nobody", "{path}");
    }
    let other = service.get("/me").header("authorization", "Basic dXNlcjpwYXNz").send().await;
    assert_eq!(other.code(), "unauthenticated", "somebody else's credential");
    assert_eq!(service.issuer.asked(), 0);
}

#[tokio::test]
async fn a_token_that_is_not_meant_for_here_is_a_401_everywhere() {
    let service = Service::with_keys().await;
    let change = |change: fn(&mut portcullis::token::AccessClaims)| {
        let mut claims = claims(&service.clock);
        change(&mut claims);
        key(1).sign(&claims).unwrap()
    };
    let good = service.token(1);
    let flipped = format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { 'Q' } else { 'A' });
    for (what, token) in [
        ("another audience", change(|claims| claims.aud = Audience::from("billing"))),
        ("an audience that only begins so", change(|claims| claims.aud = Audience::from("orders2"))),
        ("no audience", change(|claims| claims.aud = Audience::from(Vec::new()))),
        ("another issuer", change(|claims| claims.iss = "https://issuer.example.evil".into())),
        ("expired", change(|claims| claims.exp = claims.iat)),
        ("from the future", change(|claims| (claims.iat, claims.exp) = (claims.iat + 61, claims.exp + 61))),
        ("no user's id", change(|claims| claims.sub = "admin".into())),
        ("no session's id", change(|claims| claims.sid = "".into())),
        ("another key", token(2, &service.clock)),
        ("another signature", flipped),
        ("a symmetric key named like the issuer's", {
            token_of_key(key(1).active().kid(), &service.clock)
        }),
        ("the refresh token", "pcr_AAAA".to_owned()),
        ("rubbish", "rubbish".to_owned()),
    ] {
        for path in ["/me", "/perhaps", "/optional", "/guarded"] {
            let answer = service.get(path).bearer(&token).send().await;
            assert_eq!(answer.problem(), (401, "invalid_token".into()), "{what} at {path}");
            let challenge = r#"Bearer realm="portcullis", error="invalid_token""#;
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{what} at {path}");
        }
    }
}

#[tokio::test]
async fn a_malformed_authorization_is_refused_and_breaks_nothing() {
    let service = Service::with_keys().await;
    for value in ["Bearer", "Bearer ", "Bearer a b", "bearer \u{e9}", "Bearer \"quoted\" twice"] {
        let answer = service.get("/me").header("authorization", value).send().await;
        assert_eq!(answer.status, 401, "{value}: {answer:?}");
    }
    let good = format!("Bearer {}", service.token(1));
    let twice = service.get("/me").header("authorization", &good).header("authorization", &good).send().await;
    assert_eq!(twice.problem(), (400, "invalid_request".into()));
    let lower = service.get("/me").header("authorization", good.replace("Bearer", "bEARER")).send().await;
    assert_eq!(lower.status, 200, "the scheme's case does not count");
    let query = service.get(&format!("/me?access_token={}", service.token(1))).send().await;
    assert_eq!(query.code(), "unauthenticated", "RFC 9700: no token in an address");
    let cookie = format!("__Host-portcullis-access={}", service.token(1));
    let cookie = service.get("/me").header("cookie", cookie).send().await;
    assert_eq!(cookie.code(), "unauthenticated");
}

#[tokio::test]
async fn a_service_that_never_had_keys_says_that_something_is_wrong_and_signs_nobody_out() {
    let mut service = Service::start(Conduct::Hangs).await;
    assert_eq!(service.me(&service.token(1)).await.problem(), (500, "internal_error".into()));
    service.issuer.die().await;
    service.clock.advance_seconds(60);
    for path in ["/me", "/perhaps", "/optional", "/guarded"] {
        let answer = service.get(path).bearer(&service.token(1)).send().await;
        assert_eq!(answer.problem(), (500, "internal_error".into()), "{path}");
    }
}

#[tokio::test]
async fn an_issuer_that_hangs_lies_breaks_off_or_dies_fails_no_request_whose_key_is_known() {
    let mut service = Service::with_keys().await;
    let html = Conduct::Says("<html>502 Bad Gateway</html>".into());
    let truncated = Conduct::Says(jwks(&[1]).slice(..60));
    let empty = Conduct::Says(r#"{"keys":[]}"#.into());
    for conduct in [Conduct::Hangs, html, truncated, empty, Conduct::BreaksOff] {
        service.issuer.becomes(conduct);
        service.ask_again(2).await;
    }
    service.issuer.die().await;
    for _ in 0..20 {
        service.clock.advance_seconds(300);
        assert_eq!(service.me(&service.token(1)).await.status, 200);
    }
}

#[tokio::test]
async fn a_rotation_is_picked_up_by_the_first_token_of_the_new_key() {
    let service = Service::with_keys().await;
    service.issuer.becomes(Conduct::Says(jwks(&[1, 2])));
    assert_eq!(service.me(&service.token(2)).await.status, 200);
    assert_eq!(service.me(&service.token(1)).await.status, 200);
    assert_eq!(service.issuer.asked(), 2);
}

#[tokio::test]
async fn a_key_that_the_issuer_retired_is_refused_after_the_next_fetch() {
    let service = Service::with_keys().await;
    let old = service.token(1);
    service.issuer.becomes(Conduct::Says(jwks(&[2])));
    assert_eq!(service.me(&service.token(2)).await.status, 200);
    assert_eq!(service.me(&old).await.problem(), (401, "invalid_token".into()));
}

#[tokio::test]
async fn a_flood_of_invented_keys_costs_the_issuer_three_fetches() {
    let service = Service::with_keys().await;
    let flood = (0..60).map(|number| {
        let invented = token_of_key(&format!("invented-{number}"), &service.clock);
        service.get("/me").bearer(&invented)
    });
    let answers = crate::client::at_once(flood).await;
    assert!(answers.iter().all(|answer| answer.code() == "invalid_token"));
    assert!(service.issuer.asked() <= 3, "{}", service.issuer.asked());
    assert_eq!(service.me(&service.token(1)).await.status, 200);
}

#[tokio::test]
async fn options_pass_the_guard_of_a_scope() {
    let service = Service::with_keys().await;
    let answer = Request::new(service.running.address, "OPTIONS", "/guarded").send().await;
    assert_ne!(answer.status, 401, "browsers send them without credentials");
}

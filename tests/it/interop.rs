//! Libraries of other languages verify our tokens, and we theirs, each with code that stands in `docs/guides/interop.md`.
//! Only with the feature `interop`, so that nothing passes by being skipped; `tests/interop/run` turns it on.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis::Config;
use portcullis::clock::{Clock, Entropy, SystemClock, SystemEntropy, Time};
use portcullis::token::{
    AccessClaims, Algorithm, Audience, Expect, JwkSet, KeyError, KeyRing, KeySet, Rejected, SigningKey,
    VerifyingKey,
};
use serde_json::{Value, json};

use crate::frameworks;
use crate::peer::{Library, Peer, PeerKey};
use crate::server::Server;

const ISSUER: &str = "https://auth.example";
const AUDIENCE: &str = "notes";

/// The cases below, each for one algorithm.
macro_rules! of_each_algorithm {
    ($($name:ident: $algorithm:ident;)*) => {$(
        mod $name {
            const ALGORITHM: super::Algorithm = super::Algorithm::$algorithm;

            #[tokio::test]
            async fn peers_accept_the_token_of_a_login() {
                super::peers_accept_the_token_of_a_login(ALGORITHM).await;
            }

            #[tokio::test]
            async fn peers_refuse_what_was_changed_or_is_for_somebody_else() {
                super::peers_refuse_what_was_changed_or_is_for_somebody_else(ALGORITHM).await;
            }

            #[tokio::test]
            async fn we_accept_what_peers_sign() {
                super::we_accept_what_peers_sign(ALGORITHM).await;
            }

            #[tokio::test]
            async fn we_refuse_of_peers_what_our_policy_forbids() {
                super::we_refuse_of_peers_what_our_policy_forbids(ALGORITHM).await;
            }

            #[tokio::test]
            async fn peers_sign_with_our_keys() {
                super::peers_sign_with_our_keys(ALGORITHM).await;
            }

            #[tokio::test]
            async fn we_sign_with_the_keys_of_peers() {
                super::we_sign_with_the_keys_of_peers(ALGORITHM).await;
            }
        }
    )*};
}

of_each_algorithm! {
    eddsa: EdDsa;
    es256: Es256;
    es384: Es384;
    rs256: Rs256;
    ps256: Ps256;
    hs256: Hs256;
    hs384: Hs384;
    hs512: Hs512;
}

async fn peers_accept_the_token_of_a_login(algorithm: Algorithm) {
    let shared = algorithm.is_symmetric().then(|| signing_key(algorithm, "shared"));
    let server = frameworks::axum::start_with(|config| {
        issue(config, algorithm);
        config.signing_key.clone_from(&shared);
    })
    .await;
    let by = match &shared {
        Some(key) => by_secret(algorithm, &json_of(key)),
        None => by_address(algorithm, &jwks_of(&server)),
    };
    assert_peers_accept_a_login(&server, algorithm, &by).await;
}

#[tokio::test]
async fn peers_accept_the_tokens_of_every_framework() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let actix = frameworks::actix::start_with(|config| issue(config, algorithm)).await;
        let rocket = frameworks::rocket::start_with(|config| issue(config, algorithm)).await;
        for server in [actix, rocket] {
            let by = by_address(algorithm, &jwks_of(&server));
            assert_peers_accept_a_login(&server, algorithm, &by).await;
        }
    }
}

async fn assert_peers_accept_a_login(server: &Server, algorithm: Algorithm, by: &Value) {
    server.register("ada@example.org").await;
    let device = server.login("ada@example.org").await;
    for mut peer in Peer::all(algorithm) {
        let claims = peer.verify(&device.access, by).await;
        assert_eq!(claims, Ok(device.claims()), "{:?}", peer.library);
    }
}

async fn peers_refuse_what_was_changed_or_is_for_somebody_else(algorithm: Algorithm) {
    let key = signing_key(algorithm, "ours");
    let stranger = signing_key(algorithm, "ours");
    let published = Published::of(&KeyRing::new(key.clone()).jwks()).await;
    let by = match algorithm.is_symmetric() {
        true => by_secret(algorithm, &json_of(&key)),
        false => by_address(algorithm, &published.address),
    };
    let (header, claims) = (header(algorithm, "ours"), claims());
    let good = signed(&key, &header, &claims);
    let [head, body, signature] = segments(&good);
    let with = |name: &str, value: Value| signed(&key, &header, &with(&claims, name, value));
    let without = |name: &str| signed(&key, &header, &without(&claims, name));
    let retyped = |typ: &str| signed(&key, &self::with(&header, "typ", typ.into()), &claims);
    let bad = [
        (
            "another user",
            format!("{head}.{}.{signature}", encoded(&self::with(&claims, "sub", "eve".into()))),
        ),
        ("a changed signature", format!("{head}.{body}.{}", flipped(&signature))),
        ("a short signature", format!("{head}.{body}.{}", &signature[..signature.len() - 4])),
        ("no signature", format!("{head}.{body}.")),
        ("alg none", format!("{}.{body}.", encoded(&self::with(&header, "alg", "none".into())))),
        ("alg none, signed", signed(&key, &self::with(&header, "alg", "none".into()), &claims)),
        ("another alg", signed(&key, &self::with(&header, "alg", "ES512".into()), &claims)),
        ("another's key of that name", signed(&stranger, &header, &claims)),
        ("an unknown extension", {
            let header = self::with(&header, "crit", json!(["other"]));
            signed(&key, &self::with(&header, "other", 1.into()), &claims)
        }),
        ("an ID token", retyped("JWT")),
        ("a logout token", retyped("logout+jwt")),
        ("another issuer", with("iss", "https://auth.example/".into())),
        ("another audience", with("aud", "notes2".into())),
        ("several other audiences", with("aud", json!(["a", "b"]))),
        ("expired", with("exp", (now() - 1).into())),
        ("not yet valid", with("nbf", (now() + 600).into())),
        ("no issuer", without("iss")),
        ("no audience", without("aud")),
        ("no end", without("exp")),
        ("no session", without("sid")),
        ("not a token", "not a token".to_owned()),
        ("nothing", String::new()),
    ];
    let set = KeySet::new().with(key.verifying().clone()).unwrap();
    for (what, token) in &bad {
        assert!(set.verify(token, &expect(), now()).is_err(), "we refuse {what}");
    }
    for mut peer in Peer::all(algorithm) {
        let library = peer.library;
        assert_eq!(peer.verify(&good, &by).await, Ok(claims.clone()), "{library:?}");
        for (what, token) in &bad {
            let answer = peer.verify(token, &by).await;
            assert!(answer.is_err(), "{library:?} accepts {what}: {answer:?}");
        }
        // An algorithm that the verifier does not expect, whatever the key.
        let mut other = by.clone();
        other["algorithm"] = "ES512".into();
        assert!(peer.verify(&good, &other).await.is_err(), "{library:?}");
        // No secret here, and none of that name published.
        if !algorithm.is_symmetric() {
            let unknown = signed(&key, &self::with(&header, "kid", "another".into()), &claims);
            assert!(peer.verify(&unknown, &by).await.is_err(), "{library:?} accepts an unknown key");
        }
    }
}

async fn we_accept_what_peers_sign(algorithm: Algorithm) {
    for mut peer in Peer::all(algorithm) {
        let library = peer.library;
        let key = peer.key(algorithm).await;
        let set = set_of(&key, algorithm, "theirs");
        let header = header(algorithm, "theirs");
        let forms = [
            (header.clone(), claims()),
            (with(&header, "typ", "application/at+JWT".into()), claims()),
            (header.clone(), with(&claims(), "aud", json!(["others", AUDIENCE]))),
            (header.clone(), with(&claims(), "of their own", json!({ "deep": [1.5, null] }))),
        ];
        for (header, claims) in forms {
            let token = peer.sign(&claims, &header, &private(&key, algorithm, "theirs")).await;
            let verified = set.verify(&token, &expect(), now());
            assert_eq!(
                verified.map(|claims| claims.sub),
                Ok("user-1".into()),
                "{library:?} {header} {claims}"
            );
        }
        // A key that was published without a name, as many are, has that of its thumbprint.
        if let Some(thumbprint) = key.thumbprint.filter(|_| algorithm != Algorithm::Ps256) {
            let set = KeySet::from_published(&json!({ "keys": [key.public] }).to_string()).unwrap();
            let pem = json!({ "pem": key.pems[0] });
            let token = peer.sign(&claims(), &self::header(algorithm, &thumbprint), &pem).await;
            assert!(set.verify(&token, &expect(), now()).is_ok(), "{library:?}");
        }
    }
}

async fn we_refuse_of_peers_what_our_policy_forbids(algorithm: Algorithm) {
    let (header, claims) = (header(algorithm, "theirs"), claims());
    let cases = [
        (with(&header, "typ", "JWT".into()), claims.clone(), Rejected::Type),
        (without(&header, "typ"), claims.clone(), Rejected::Type),
        (without(&header, "kid"), claims.clone(), Rejected::UnknownKey),
        (with(&header, "kid", "other".into()), claims.clone(), Rejected::UnknownKey),
        (header.clone(), without(&claims, "sid"), Rejected::Claims),
        (header.clone(), without(&claims, "jti"), Rejected::Claims),
        (header.clone(), without(&claims, "iat"), Rejected::Claims),
        (header.clone(), without(&claims, "exp"), Rejected::Claims),
        (header.clone(), with(&claims, "exp", (now() as f64 + 600.5).into()), Rejected::Claims),
        (header.clone(), with(&claims, "exp", (now() + 600).to_string().into()), Rejected::Claims),
        (header.clone(), with(&claims, "sub", "".into()), Rejected::Claims),
        (header.clone(), with(&claims, "iss", "https://auth.example/".into()), Rejected::Issuer),
        (header.clone(), with(&claims, "aud", json!(["a", "b"])), Rejected::Audience),
        (header.clone(), with(&claims, "aud", json!([])), Rejected::Audience),
        (header.clone(), with(&claims, "exp", (now() - 1).into()), Rejected::Expired),
        (header.clone(), with(&claims, "nbf", (now() + 600).into()), Rejected::NotYetValid),
        (header.clone(), with(&claims, "iat", (now() + 600).into()), Rejected::NotYetValid),
    ];
    for mut peer in Peer::all(algorithm) {
        let key = peer.key(algorithm).await;
        let set = set_of(&key, algorithm, "theirs");
        let private = private(&key, algorithm, "theirs");
        for (header, claims, why) in &cases {
            let token = peer.sign(claims, header, &private).await;
            let verified = set.verify(&token, &expect(), now());
            assert_eq!(verified.unwrap_err(), *why, "{:?} {header} {claims}", peer.library);
        }
        let good = peer.sign(&self::claims(), &header, &private).await;
        assert!(set.verify(&good, &expect(), now()).is_ok(), "it was none of the rest");
    }
}

async fn peers_sign_with_our_keys(algorithm: Algorithm) {
    let ours = match algorithm.is_symmetric() {
        true => signing_key(algorithm, "shared"),
        // Named by its thumbprint.
        false => SigningKey::generate(algorithm, None, &random()).unwrap(),
    };
    let set = KeySet::new().with(ours.verifying().clone()).unwrap();
    for mut peer in Peer::all(algorithm) {
        let library = peer.library;
        let jwk = json!({ "jwk": json_of(&ours) });
        let token = peer.sign(&claims(), &header(algorithm, ours.kid()), &jwk).await;
        assert!(set.verify(&token, &expect(), now()).is_ok(), "{library:?}");
        if library.has_thumbprints()
            && let Some(public) = ours.verifying().to_jwk()
        {
            let theirs = peer.thumbprint(&serde_json::to_value(public).unwrap()).await;
            assert_eq!(theirs, ours.kid(), "{library:?}");
        }
    }
}

async fn we_sign_with_the_keys_of_peers(algorithm: Algorithm) {
    for mut peer in Peer::all(algorithm) {
        let library = peer.library;
        let theirs = peer.key(algorithm).await;
        let named = PeerKey::named(&theirs.private, algorithm, "theirs");
        let published = Published::text(keys(&PeerKey::named(&theirs.public, algorithm, "theirs"))).await;
        let by = match algorithm.is_symmetric() {
            true => by_secret(algorithm, &named),
            false => by_address(algorithm, &published.address),
        };
        let of_pem = |pem: &String| SigningKey::from_pem(pem, algorithm, Some("theirs")).unwrap();
        let forms: Vec<_> = [SigningKey::from_jwk(&named.to_string()).unwrap()]
            .into_iter()
            .chain(theirs.pems.iter().map(of_pem))
            .collect();
        // Every form is the same key.
        let public = |pem: &str| VerifyingKey::from_pem(pem, algorithm, Some("theirs")).unwrap().to_jwk();
        for key in &forms {
            let token = KeyRing::new(key.clone()).sign(&our_claims()).unwrap();
            let verified = peer.verify(&token, &by).await;
            assert_eq!(verified.map(|claims| claims["jti"].clone()), Ok("token-1".into()), "{library:?}");
            if let Some(pem) = &theirs.public_pem {
                assert_eq!(key.verifying().to_jwk(), public(pem), "{library:?}");
            }
        }
        if let (Some(pem), Some(thumbprint)) = (theirs.pems.first(), &theirs.thumbprint) {
            let unnamed = SigningKey::from_pem(pem, algorithm, None).unwrap();
            assert_eq!(unnamed.kid(), thumbprint, "{library:?}");
        }
        assert_eq!(theirs.pems.is_empty(), algorithm.is_symmetric(), "{library:?}");
        assert_eq!(theirs.thumbprint.is_some(), library.has_thumbprints() && !algorithm.is_symmetric());
    }
}

/// The guide says so. Once it learns it, it belongs among those that know it.
#[tokio::test]
async fn jsonwebtoken_knows_no_eddsa() {
    let key = signing_key(Algorithm::EdDsa, "ours");
    let published = Published::of(&KeyRing::new(key.clone()).jwks()).await;
    let token = signed(&key, &header(Algorithm::EdDsa, "ours"), &claims());
    let by = by_address(Algorithm::EdDsa, &published.address);
    let answer = Peer::start(Library::JsonWebToken).verify(&token, &by).await;
    assert!(answer.unwrap_err().contains("Unknown key type"));
}

/// The guide says so too: the name that RFC 9864 gives is not ours.
#[tokio::test]
async fn a_key_that_says_ed25519_instead_of_eddsa_is_left_out() {
    let key = Peer::start(Library::Jose).key(Algorithm::EdDsa).await;
    let mut public = PeerKey::named(&key.public, Algorithm::EdDsa, "theirs");
    public["alg"] = "Ed25519".into();
    let set = KeySet::from_published(&keys(&public)).unwrap();
    assert!(set.is_empty());
    assert_eq!(set.left_out()[0].why, KeyError::Unfit("alg"));
}

#[tokio::test]
async fn a_demanded_extension_is_refused() {
    let algorithm = Algorithm::Es256;
    let mut peer = Peer::start(Library::JsonWebToken);
    let key = peer.key(algorithm).await;
    let header = with(&header(algorithm, "theirs"), "crit", json!(["exp"]));
    let token = peer.sign(&claims(), &header, &private(&key, algorithm, "theirs")).await;
    let verified = set_of(&key, algorithm, "theirs").verify(&token, &expect(), now());
    assert_eq!(verified.unwrap_err(), Rejected::Critical);
}

#[tokio::test]
async fn an_hmac_under_the_text_of_a_public_key_is_no_signature() {
    let mut peer = Peer::start(Library::Jose);
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let key = peer.key(algorithm).await;
        let public = key.public_pem.clone().unwrap();
        for text in [public.as_str(), public.trim_end(), &key.public.to_string()] {
            let secret = json!({ "jwk": { "kty": "oct", "k": BASE64URL.encode(text) } });
            let token = peer.sign(&claims(), &header(Algorithm::Hs256, "theirs"), &secret).await;
            let verified = set_of(&key, algorithm, "theirs").verify(&token, &expect(), now());
            assert_eq!(verified.unwrap_err(), Rejected::Algorithm);
        }
    }
}

/// What a private key in a published set is worth.
#[tokio::test]
async fn a_key_that_peers_published_by_mistake_is_left_out() {
    let algorithm = Algorithm::Es256;
    for mut peer in Peer::all(algorithm) {
        let key = peer.key(algorithm).await;
        let published = json!({ "keys": [PeerKey::named(&key.private, algorithm, "theirs")] }).to_string();
        let set = KeySet::from_published(&published).unwrap();
        let token =
            peer.sign(&claims(), &header(algorithm, "theirs"), &private(&key, algorithm, "theirs")).await;
        assert_eq!(set.verify(&token, &expect(), now()).unwrap_err(), Rejected::UnknownKey);
        assert_eq!(set.left_out().len(), 1, "{:?}", peer.library);
    }
}

#[tokio::test]
async fn a_key_that_was_published_before_it_signs_is_known_without_another_fetch() {
    let algorithm = Algorithm::EdDsa;
    let [before, next] = ["before", "next"].map(|kid| signing_key(algorithm, kid));
    for library in [Library::Jose, Library::PyJwt] {
        let mut peer = Peer::start(library);
        let ring = KeyRing::new(before.clone()).also_verify(next.verifying().clone()).unwrap();
        let published = Published::of(&ring.jwks()).await;
        let by = by_address(algorithm, &published.address);
        let old = ring.sign(&our_claims()).unwrap();
        assert!(peer.verify(&old, &by).await.is_ok(), "{library:?}");

        let ring = KeyRing::new(next.clone()).also_verify(before.verifying().clone()).unwrap();
        published.replace(&ring.jwks());
        let new = ring.sign(&our_claims()).unwrap();
        for token in [&old, &new] {
            assert!(peer.verify(token, &by).await.is_ok(), "{library:?}");
        }
        assert_eq!(published.fetches(), 1, "{library:?}");
    }
}

#[tokio::test]
async fn a_key_that_replaced_all_others_at_once_is_known_after_the_cooldown_and_the_others_no_more() {
    let algorithm = Algorithm::EdDsa;
    let [stolen, fresh] = ["stolen", "fresh"].map(|kid| KeyRing::new(signing_key(algorithm, kid)));
    let [old, new] = [&stolen, &fresh].map(|ring| ring.sign(&our_claims()).unwrap());
    let impatient = [
        (Library::Jose, json!({ "cooldownDuration": 0 })),
        (Library::PyJwt, json!({ "cooldown_duration": 0 })),
    ];
    for (library, settings) in impatient {
        for cools_down in [true, false] {
            let mut peer = Peer::start(library);
            let published = Published::of(&stolen.jwks()).await;
            let mut by = by_address(algorithm, &published.address);
            if !cools_down {
                by["settings"] = settings.clone();
            }
            assert!(peer.verify(&old, &by).await.is_ok(), "{library:?}");
            published.replace(&fresh.jwks());
            assert_eq!(peer.verify(&new, &by).await.is_err(), cools_down, "{library:?}");
            assert_eq!(peer.verify(&old, &by).await.is_ok(), cools_down, "{library:?}");
        }
    }
}

/// A whole rotation of a server's keys, as its operator does it.
#[tokio::test]
async fn peers_follow_a_server_whose_key_is_rotated_and_then_replaced() {
    // The peers' clocks cannot be set, so the server lives in the last half hour.
    let clock = LateClock(Arc::new(AtomicI64::new(-30 * 60)));
    let server = frameworks::axum::start_with(|config| {
        issue(config, Algorithm::EdDsa);
        config.clock = Arc::new(clock.clone());
        config.access.ttl = Duration::from_secs(60 * 60);
        config.keys.publish_ahead = Duration::from_secs(10 * 60);
    })
    .await;
    server.register("ada@example.org").await;
    let old = server.login("ada@example.org").await.access;
    server.auth.rotate_signing_key().await.unwrap();

    let by = by_address(Algorithm::EdDsa, &jwks_of(&server));
    let mut peers = [Library::Jose, Library::PyJwt].map(Peer::start);
    for peer in &mut peers {
        assert!(peer.verify(&old, &by).await.is_ok(), "{:?}", peer.library);
    }
    clock.0.fetch_add(11 * 60, Ordering::SeqCst);
    let new = server.login("ada@example.org").await.access;
    assert_ne!(segments(&old)[0], segments(&new)[0], "another key signs");
    for peer in &mut peers {
        // These asked a moment ago and do not ask again so soon: they know the key from then.
        for token in [&old, &new] {
            assert!(peer.verify(token, &by).await.is_ok(), "{:?}", peer.library);
        }
    }

    server.auth.revoke_signing_keys().await.unwrap();
    let fresh = server.login("ada@example.org").await.access;
    for mut peer in Peer::all(Algorithm::EdDsa) {
        assert!(peer.verify(&fresh, &by).await.is_ok(), "{:?}", peer.library);
        for token in [&old, &new] {
            assert!(peer.verify(token, &by).await.is_err(), "{:?}", peer.library);
        }
    }
}

/// The time of day and some seconds.
#[derive(Clone)]
struct LateClock(Arc<AtomicI64>);

impl Clock for LateClock {
    fn now(&self) -> Time {
        Time::from_millis(SystemClock.now().millis() + 1000 * self.0.load(Ordering::SeqCst))
    }
}

/// Tokens that a peer can verify now: of the time of day, by and for these.
fn issue(config: &mut Config, algorithm: Algorithm) {
    config.clock = Arc::new(SystemClock);
    config.issuer = ISSUER.into();
    config.audience = AUDIENCE.into();
    config.access.algorithm = algorithm;
}

/// Where a server publishes its keys.
fn jwks_of(server: &Server) -> String {
    format!("http://{}/auth/.well-known/jwks.json", server.running.address)
}

/// A JWK Set at an address of its own.
struct Published {
    address: String,
    document: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Published {
    async fn of(jwks: &JwkSet) -> Self {
        Self::text(serde_json::to_string(jwks).unwrap()).await
    }

    async fn text(document: String) -> Self {
        let document = Arc::new(Mutex::new(document));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (shown, counted) = (document.clone(), fetches.clone());
        let answer = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let document = shown.lock().unwrap().clone();
            async move { ([("content-type", "application/jwk-set+json")], document) }
        };
        let app = axum::Router::new().route("/jwks.json", axum::routing::get(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, document, fetches, task }
    }

    fn replace(&self, jwks: &JwkSet) {
        *self.document.lock().unwrap() = serde_json::to_string(jwks).unwrap();
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a peer is told beside the token, if the keys are published.
fn by_address(algorithm: Algorithm, jwks: &str) -> Value {
    json!({ "algorithm": algorithm.name(), "issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks })
}

/// The same, if it is given the key.
fn by_secret(algorithm: Algorithm, jwk: &Value) -> Value {
    json!({ "algorithm": algorithm.name(), "issuer": ISSUER, "audience": AUDIENCE, "secret": jwk })
}

fn expect() -> Expect {
    Expect::new(ISSUER, AUDIENCE)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn our_claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.into(),
        sub: "user-1".into(),
        aud: Audience::from(AUDIENCE),
        exp: now() + 900,
        iat: now(),
        jti: "token-1".into(),
        client_id: "web".into(),
        sid: "session-1".into(),
        auth_time: now(),
        amr: vec!["pwd".into()],
        roles: vec!["größe".into()],
        permissions: vec![],
        packed: None,
    }
}

fn claims() -> Value {
    serde_json::to_value(our_claims()).unwrap()
}

fn header(algorithm: Algorithm, kid: &str) -> Value {
    json!({ "alg": algorithm.name(), "kid": kid, "typ": "at+jwt" })
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    assert!(object.as_object_mut().unwrap().remove(name).is_some(), "{name} was there");
    object
}

/// A token with that header, whatever it says.
fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = key.signature(message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64URL.encode(signature))
}

fn encoded(value: &Value) -> String {
    BASE64URL.encode(value.to_string())
}

fn segments(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// The same with another bit in the middle.
fn flipped(signature: &str) -> String {
    let mut bytes = BASE64URL.decode(signature).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    BASE64URL.encode(bytes)
}

fn signing_key(algorithm: Algorithm, kid: &str) -> SigningKey {
    SigningKey::generate(algorithm, Some(kid), &random()).unwrap()
}

fn random() -> [u8; 64] {
    let mut bytes = [0; 64];
    SystemEntropy.fill(&mut bytes).unwrap();
    bytes
}

fn json_of(key: &SigningKey) -> Value {
    serde_json::from_str(&key.to_jwk()).unwrap()
}

/// A peer's key as we read it.
fn set_of(key: &PeerKey, algorithm: Algorithm, kid: &str) -> KeySet {
    let set = match algorithm.is_symmetric() {
        true => KeySet::from_json(&keys(&PeerKey::named(&key.private, algorithm, kid))),
        false => KeySet::from_published(&keys(&PeerKey::named(&key.public, algorithm, kid))),
    };
    let set = set.unwrap();
    assert!(set.contains(kid), "{:?}", set.left_out());
    set
}

/// A JWK Set of one key.
fn keys(jwk: &Value) -> String {
    json!({ "keys": [jwk] }).to_string()
}

/// A peer's key as it signs with it.
fn private(key: &PeerKey, algorithm: Algorithm, kid: &str) -> Value {
    json!({ "jwk": PeerKey::named(&key.private, algorithm, kid) })
}

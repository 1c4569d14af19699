//! One script of requests over all frameworks at once, with the same time and the same "randomness": answers must not
//! differ in a byte.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis::Config;
use serde_json::{Value, json};

use crate::client::{Answer, Request};
use crate::fixtures::RepeatableEntropy;
use crate::frameworks;
use crate::server::{Device, OWN_CLIENT, PASSWORD, SERVICE, Server};

const NEW: &str = "staple of another colour";

#[tokio::test]
async fn every_framework_gives_the_same_answers_byte_for_byte() {
    let repeatable = |config: &mut Config| {
        config.issuer = "https://app.example.org/auth".into();
        config.entropy = Arc::new(RepeatableEntropy::default());
    };
    let script = same(repeatable, everything).await;
    assert!(script.len() >= 60);
    let codes: BTreeSet<_> = script.iter().filter_map(|(_, answer)| code(answer)).collect();
    // `conflict` and `overloaded` need a race.
    let provoked = [
        "body_too_large",
        "email_taken",
        "foreign_origin",
        "invalid_credentials",
        "invalid_email",
        "invalid_field",
        "invalid_request",
        "invalid_token",
        "malformed_json",
        "method_not_allowed",
        "not_found",
        "password_too_common",
        "password_too_long",
        "password_too_short",
        "refresh_reused",
        "session_expired",
        "session_not_found",
        "session_revoked",
        "unauthenticated",
        "unsupported_media_type",
        "wrong_password",
    ];
    assert_eq!(codes, provoked.map(str::to_owned).into());
}

#[tokio::test]
async fn with_access_cookies_in_development_too() {
    let cookies = |config: &mut Config| {
        config.entropy = Arc::new(RepeatableEntropy::default());
        config.mode = portcullis::Mode::Development;
        config.cookies.access_cookie = true;
        config.allowed_origins = vec!["https://app.example.org".into()];
    };
    same(cookies, access_cookies).await;
}

#[tokio::test]
async fn a_failure_of_the_store_is_the_same_500_everywhere() {
    let repeatable = |config: &mut Config| config.entropy = Arc::new(RepeatableEntropy::default());
    same(repeatable, store_fails).await;
}

type Transcript = Vec<(String, Answer)>;

/// Runs the script on every framework and shows every difference.
async fn same(change: fn(&mut Config), script: impl AsyncFn(&mut Script)) -> Transcript {
    let mut transcripts = Vec::new();
    for server in [
        frameworks::axum::start_with(change).await,
        frameworks::actix::start_with(change).await,
        frameworks::rocket::start_with(change).await,
    ] {
        let mut run = Script { server, answers: Vec::new() };
        script(&mut run).await;
        transcripts.push(run.answers);
    }
    let [axum, actix, rocket] = transcripts.try_into().unwrap();
    assert!(axum.len() == actix.len() && axum.len() == rocket.len());
    let mut differences = Vec::new();
    for ((one, two), three) in axum.iter().zip(&actix).zip(&rocket) {
        if one != two || one != three {
            let shown = |(_, answer): &(String, Answer)| {
                let body = String::from_utf8_lossy(&answer.body);
                format!("{} {:?} {body}", answer.status, answer.headers)
            };
            let (one_shown, two, three) = (shown(one), shown(two), shown(three));
            differences.push(format!("{}\n  axum   {one_shown}\n  actix  {two}\n  rocket {three}", one.0));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    axum
}

struct Script {
    server: Server,
    answers: Transcript,
}

impl Script {
    /// Sends it and notes the answer.
    async fn ask(&mut self, what: &str, request: Request) -> Answer {
        let answer = request.send().await;
        self.answers.push((what.to_owned(), answer.undated()));
        answer
    }

    async fn sign_in(&mut self, path: &str, email: &str, password: &str) -> Device {
        let credentials = json!({ "email": email, "password": password });
        let request = self.server.post(path).json(credentials);
        Device::of(&self.ask(&format!("{path} {email}"), request).await)
    }

    fn post(&self, path: &str, body: Value) -> Request {
        self.server.post(path).json(body)
    }
}

async fn everything(script: &mut Script) {
    let ada = script.sign_in("/auth/register", "ada@example.org", PASSWORD).await;
    let bob = script.sign_in("/auth/register", "bob@example.org", PASSWORD).await;
    refused_sign_ins(script).await;
    bodies(script, &ada).await;
    application(script, &ada).await;
    credentials(script, &ada).await;
    paths(script, &ada).await;
    methods(script, &ada).await;
    origins(script, &ada).await;
    sessions(script, &ada, &bob).await;
    rotation(script).await;
    password(script, &ada).await;
    documents(script).await;
    clients(script).await;
    endings(script, &ada, &bob).await;
}

async fn refused_sign_ins(script: &mut Script) {
    for path in ["/auth/register", "/auth/login"] {
        for (email, password) in [
            ("ada@example.org", "wrong horse battery"),
            ("eve@example", PASSWORD),
            ("nobody@example.org", "short"),
            ("nobody@example.org", "password1"),
            ("nobody@example.org", &"x".repeat(1025)),
        ] {
            let request = script.post(path, json!({ "email": email, "password": password }));
            script.ask(&format!("{path} {email} {password:.9}"), request).await;
        }
        for body in [
            json!({}),
            json!({ "email": 1, "password": PASSWORD }),
            json!({ "email": "eve@example.org", "password": "a\0bcdefgh" }),
            json!({ "email": "eve@example.org", "password": PASSWORD, "transport": "smoke" }),
        ] {
            let request = script.post(path, body.clone());
            script.ask(&format!("{path} {body}"), request).await;
        }
    }
    let by_body = json!({ "email": "ada@example.org", "password": PASSWORD, "transport": "body" });
    let request = script.post("/auth/login", by_body);
    script.ask("login by body", request).await;
}

async fn bodies(script: &mut Script, ada: &Device) {
    for path in ["/auth/login", "/auth/refresh", "/auth/password/change"] {
        for (kind, body) in [
            ("application/json", &b"{"[..]),
            ("application/json", b"[]"),
            ("application/json", b"{\"email\":\"\xff\"}"),
            ("application/json", b"{\"email\":\"\\ud800\"}"),
            ("application/json", b"{\"a\":1,\"a\":1}"),
            ("application/json; charset=utf-8", b"{}x"),
            ("text/plain", b"{}"),
            ("application/x-www-form-urlencoded", b"email=ada"),
            ("multipart/form-data; boundary=x", b"--x--"),
            ("application/json", &b" ".repeat(64 * 1024)),
            ("application/json", &b" ".repeat(64 * 1024 + 1)),
            ("application/json", &b" ".repeat(200_000)),
        ] {
            let request =
                script.server.post(path).bearer(&ada.access).header("content-type", kind).body(body);
            let what = format!("{path} {kind} {}", String::from_utf8_lossy(&body[..body.len().min(20)]));
            script.ask(&what, request).await;
        }
        let request = script.server.post(path).body("{}");
        script.ask(&format!("{path} without content-type"), request).await;
    }
    let request = script.server.post("/auth/login");
    script.ask("login without a body", request).await;
}

async fn application(script: &mut Script, ada: &Device) {
    let note = json!({ "text": "milk" });
    let request = script.post("/notes", note).bearer(&ada.access);
    script.ask("add a note", request).await;
    for path in ["/", "/me", "/notes", "/auth/me", "/nothing"] {
        let get = script.server.get(path);
        for (what, request) in [
            ("nobody", get.clone()),
            ("Ada", get.clone().bearer(&ada.access)),
            ("rubbish", get.clone().bearer("rubbish")),
            ("an empty token", get.clone().header("authorization", "Bearer ")),
            ("two tokens", get.clone().bearer(&ada.access).bearer(&ada.access)),
            ("Basic", get.clone().header("authorization", "Basic YTpi")),
            ("bytes", get.clone().header("authorization", b"Bearer \xff\xfe")),
            ("letters", get.clone().header("authorization", "Bearer \u{e9}")),
            ("a refresh token", get.clone().bearer(&ada.refresh)),
            ("a refresh cookie", get.clone().refresh_cookie(&ada.refresh)),
        ] {
            script.ask(&format!("GET {path} by {what}"), request).await;
        }
    }
    // Without a body: what becomes of one that a guard left unread is the server's business. actix-web closes the
    // connection, the others read on; `doors.rs` sees to it that neither takes it for a request.
    let request = script.server.post("/notes");
    script.ask("POST /notes by nobody", request.clone()).await;
    script.ask("POST /notes by rubbish", request.bearer("rubbish")).await;
}

async fn credentials(script: &mut Script, ada: &Device) {
    let refresh = script.server.post("/auth/refresh");
    let cookie = format!("__Host-portcullis-refresh={}", ada.refresh);
    for (what, request) in [
        ("nothing", refresh.clone()),
        ("rubbish", refresh.clone().refresh_cookie("rubbish")),
        ("two", refresh.clone().header("cookie", format!("{cookie}; __Host-portcullis-refresh=x"))),
        ("two headers", refresh.clone().refresh_cookie("x").header("cookie", &cookie)),
        ("empty", refresh.clone().refresh_cookie("")),
        ("quoted", refresh.clone().refresh_cookie(&format!("\"{}\"", ada.refresh))),
        ("bytes", refresh.clone().header("cookie", b"__Host-portcullis-refresh=\xff\xfe")),
        ("separators", refresh.clone().header("cookie", ";;=;;")),
        ("a wrong type", refresh.clone().json(json!({ "refreshToken": 1 }))),
        ("an access token", refresh.clone().refresh_cookie(&ada.access)),
        ("body", refresh.clone().json(json!({ "refreshToken": "rubbish" }))),
    ] {
        script.ask(&format!("refresh with {what}"), request).await;
    }
    for path in ["/auth/logout", "/auth/logout-all", "/auth/sessions/revoke-others", "/auth/password/change"]
    {
        let request = script.server.post(path);
        script.ask(&format!("{path} by nobody"), request.clone()).await;
        script.ask(&format!("{path} by rubbish"), request.bearer("rubbish")).await;
    }
}

async fn paths(script: &mut Script, ada: &Device) {
    for path in [
        "/auth",
        "/auth/",
        "/auth//",
        "/auth//login",
        "/auth//me",
        "//auth/me",
        "/auth/login/",
        "/auth/me/",
        "/auth/me?x=y",
        "/auth/me?",
        "/auth?x",
        "/auth/./me",
        "/auth/x/../me",
        "/auth/%6de",
        "/%61uth/me",
        "/auth%2fme",
        "/auth/me%2f",
        "/auth/me%00",
        "/auth/me%",
        "/auth/me%zz",
        "/auth/ME",
        "/AUTH/me",
        "/authx/me",
        "/auth/sessions/",
        "/auth/sessions/x",
        "/auth/sessions/%ff",
        "/auth/sessions/a%2Fb",
        "/auth/sessions/a/b",
        "/auth/nothing",
        "/auth/m%C3%A9",
        "/auth/me;x",
        "/auth/me\\",
        "/auth/\"me\"",
        "/auth/{me}",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let request = script.server.request(method, path).bearer(&ada.access);
            script.ask(&format!("{method} {path}"), request).await;
        }
    }
}

async fn methods(script: &mut Script, ada: &Device) {
    for path in ["/auth/login", "/auth/me", "/auth/sessions", "/auth/sessions/x", "/auth/nothing", "/auth"] {
        for method in ["GET", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND", "get", "post"] {
            let request = script.server.request(method, path);
            script.ask(&format!("{method} {path}"), request.clone()).await;
            script.ask(&format!("{method} {path} by Ada"), request.bearer(&ada.access)).await;
        }
        let request = script.server.request("PUT", path).json(json!({}));
        script.ask(&format!("PUT {path} with a body"), request).await;
        let request = script.server.request("BREW", path).json(json!({}));
        script.ask(&format!("BREW {path} with a body"), request).await;
    }
}

async fn origins(script: &mut Script, ada: &Device) {
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
        ("origin", "https://evil.test"),
    ] {
        for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
            let request = script.server.post(path).refresh_cookie(&ada.refresh).header(name, value);
            script.ask(&format!("{path} {name}: {value}"), request).await;
        }
    }
    let request = script.server.get("/auth/me").bearer(&ada.access).header("user-agent", b"\xff\xfe");
    script.ask("a user agent of bytes", request).await;
    let request = script.server.get("/auth/me").bearer(&ada.access).header("x-\u{7e}", "\u{1f98a}");
    script.ask("a header of letters", request).await;
}

async fn sessions(script: &mut Script, ada: &Device, bob: &Device) {
    script.server.clock.advance_seconds(1);
    let other = script.sign_in("/auth/login", "ada@example.org", PASSWORD).await;
    let list = script.server.get("/auth/sessions").bearer(&ada.access);
    script.ask("list", list.clone()).await;
    for id in [bob.session(), other.session(), other.session(), other.session().to_uppercase()] {
        let request = script.server.request("DELETE", &format!("/auth/sessions/{id}")).bearer(&ada.access);
        script.ask(&format!("revoke {id}"), request).await;
    }
    let request = script.server.refresh(&other.refresh).await;
    script.answers.push(("refresh of a revoked session".into(), request.undated()));
    let request = script.server.post("/auth/sessions/revoke-others").bearer(&ada.access);
    script.ask("revoke others", request).await;
    script.ask("list", list).await;
}

async fn rotation(script: &mut Script) {
    let device = script.sign_in("/auth/login", "ada@example.org", PASSWORD).await;
    let cookie = script.server.post("/auth/refresh").refresh_cookie(&device.refresh);
    let body = script.post("/auth/refresh", json!({ "refreshToken": device.refresh }));
    script.ask("refresh", cookie.clone()).await;
    script.ask("replay by cookie", cookie.clone()).await;
    script.ask("replay by body", body).await;
    script.server.clock.advance_seconds(11);
    script.ask("reuse", cookie.clone()).await;
    script.ask("after the reuse", cookie).await;
    let device = script.sign_in("/auth/login", "ada@example.org", PASSWORD).await;
    script.server.clock.advance_seconds(7 * 86_400);
    let request = script.server.post("/auth/refresh").refresh_cookie(&device.refresh);
    script.ask("expired", request).await;
    let request = script.server.get("/notes").bearer(&device.access);
    script.ask("an expired access token", request).await;
}

async fn password(script: &mut Script, old: &Device) {
    let ada = script.sign_in("/auth/login", "ada@example.org", PASSWORD).await;
    for (access, current, new) in [
        (&old.access, PASSWORD, NEW),
        (&ada.access, "wrong horse battery", NEW),
        (&ada.access, PASSWORD, "short"),
        (&ada.access, PASSWORD, "ada@example.org"),
        (&ada.access, PASSWORD, NEW),
    ] {
        let body = json!({ "currentPassword": current, "newPassword": new });
        let request = script.post("/auth/password/change", body).bearer(access);
        script.ask(&format!("change {current} to {new}"), request).await;
    }
}

async fn documents(script: &mut Script) {
    for path in [
        "/auth/.well-known/jwks.json",
        "/auth/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/auth",
        "/.well-known/oauth-authorization-server",
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
            // The last path is the application's; Rocket loses a method that it does not know.
            if method != "BREW" || !path.ends_with("server") || path.starts_with("/auth") {
                script.ask(&format!("{method} {path}"), script.server.request(method, path)).await;
            }
        }
        for known in ["*", "\"x\"", "W/\"x\", *", "rubbish"] {
            let request = script.server.get(path).header("if-none-match", known);
            script.ask(&format!("{path} {known}"), request.clone()).await;
        }
    }
}

async fn clients(script: &mut Script) {
    let ada = script.sign_in("/auth/register", "client@example.org", PASSWORD).await;
    for path in ["/auth/introspect", "/auth/revoke"] {
        let post = script.server.post(path);
        for (what, request) in [
            ("nobody", post.clone().form(&[("token", &ada.access)])),
            ("a stranger", post.clone().basic("x", "y").form(&[("token", &ada.access)])),
            ("a service", post.clone().basic("service", SERVICE).form(&[("token", &ada.access)])),
            ("two tokens", post.clone().basic("service", SERVICE).form(&[("token", "a"), ("token", "b")])),
            ("no token", post.clone().basic("service", SERVICE)),
            ("JSON", post.clone().basic("service", SERVICE).json(json!({ "token": "a" }))),
            ("rubbish", post.clone().basic("portcullis", OWN_CLIENT).form(&[("token", "rubbish")])),
            ("refresh token", post.clone().basic("portcullis", OWN_CLIENT).form(&[("token", &ada.refresh)])),
            ("giant", post.clone().basic("service", SERVICE).form(&[("token", &"x".repeat(70_000))])),
            ("cross-site", post.clone().basic("service", SERVICE).header("sec-fetch-site", "cross-site")),
            ("GET", script.server.get(path).basic("service", SERVICE)),
        ] {
            script.ask(&format!("{path} {what}"), request).await;
        }
    }
}

async fn endings(script: &mut Script, old: &Device, bob: &Device) {
    let ada = script.sign_in("/auth/login", "ada@example.org", NEW).await;
    let replaced = script.post("/auth/login", json!({ "email": "ada@example.org", "password": NEW }));
    script.ask("login over a session", replaced.refresh_cookie(&ada.refresh)).await;
    let ada = script.sign_in("/auth/login", "ada@example.org", NEW).await;
    let own = script.server.request("DELETE", &format!("/auth/sessions/{}", ada.session()));
    script.ask("revoke one's own", own.bearer(&ada.access)).await;
    let ada = script.sign_in("/auth/login", "ada@example.org", NEW).await;
    for _ in 0..2 {
        let request = script.server.post("/auth/logout").refresh_cookie(&ada.refresh);
        script.ask("logout by cookie", request).await;
    }
    let request = script.server.post("/auth/logout").bearer(&old.access).refresh_cookie(&bob.refresh);
    script.ask("logout with an expired token", request).await;
    let ada = script.sign_in("/auth/login", "ada@example.org", NEW).await;
    let everywhere = script.server.post("/auth/logout-all").bearer(&ada.access);
    script.ask("logout everywhere", everywhere.clone()).await;
    script.ask("logout everywhere again", everywhere).await;
    for path in ["/", "/me", "/notes", "/auth/me"] {
        let request = script.server.get(path).bearer(&ada.access);
        script.ask(&format!("GET {path} after the logout"), request).await;
    }
}

async fn access_cookies(script: &mut Script) {
    let answer = script.post("/auth/register", json!({ "email": "ada@example.org", "password": PASSWORD }));
    let answer = script.ask("register", answer).await;
    let refresh = format!("portcullis-refresh={}", answer.cookie("portcullis-refresh").unwrap().0);
    let access = format!("portcullis-access={}", answer.cookie("portcullis-access").unwrap().0);
    let bearer = answer.data()["accessToken"].as_str().unwrap().to_owned();
    for path in ["/", "/me", "/notes", "/auth/me", "/auth/sessions"] {
        let get = script.server.get(path).header("cookie", &access);
        script.ask(&format!("{path} by cookie"), get.clone()).await;
        script.ask(&format!("{path} by both"), get.bearer(&bearer)).await;
        let two = script.server.get(path).header("cookie", format!("{access}; portcullis-access=x"));
        script.ask(&format!("{path} by two"), two).await;
    }
    for (name, value, allowed) in [
        ("sec-fetch-site", "same-origin", true),
        ("sec-fetch-site", "cross-site", false),
        ("origin", "https://evil.test", false),
        ("origin", "https://app.example.org", true),
        ("origin", "null", false),
    ] {
        for path in ["/notes", "/auth/sessions/revoke-others"] {
            let request = script.server.post(path).header("cookie", &access).header(name, value);
            let request = if allowed { request.json(json!({ "text": "milk" })) } else { request };
            script.ask(&format!("POST {path} {name}: {value}"), request).await;
        }
    }
    let request = script.server.post("/auth/refresh").header("cookie", &refresh);
    script.ask("refresh", request).await;
    let request = script.server.post("/auth/logout").header("cookie", format!("{refresh}; {access}"));
    script.ask("logout", request).await;
    for path in ["/", "/me", "/notes"] {
        let request = script.server.get(path).header("cookie", &access);
        script.ask(&format!("{path} after the logout"), request).await;
    }
}

async fn store_fails(script: &mut Script) {
    let ada = script.sign_in("/auth/register", "ada@example.org", PASSWORD).await;
    script.server.store.pool().close().await;
    let request = script.post("/auth/login", json!({ "email": "ada@example.org", "password": PASSWORD }));
    script.ask("login", request).await;
    let request = script.server.post("/auth/refresh").refresh_cookie(&ada.refresh);
    script.ask("refresh", request).await;
    script.server.clock.advance_seconds(5);
    for path in ["/", "/me", "/notes", "/auth/me", "/auth/sessions"] {
        let request = script.server.get(path).bearer(&ada.access);
        let answer = script.ask(path, request).await;
        assert_eq!((answer.status, answer.code()), (500, "internal_error".into()), "{path}");
        let request = script.server.get(path);
        script.ask(&format!("{path} by nobody"), request).await;
    }
}

fn code(answer: &Answer) -> Option<String> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    Some(json.get("code")?.as_str()?.to_owned())
}

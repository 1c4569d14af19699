use serde_json::{Value, json};

use super::framework;
use crate::client::{Answer, Request};
use crate::server::{Device, PASSWORD, Server};

pub const APP: &str = "https://app.example.org";

pub fn credentials() -> Value {
    json!({ "email": "ada@example.org", "password": PASSWORD })
}

/// Every route that changes something, with what it needs to do so.
fn changes(server: &Server, ada: &Device) -> Vec<Request> {
    let session = format!("/auth/sessions/{}", ada.session());
    let passwords = json!({ "currentPassword": PASSWORD, "newPassword": "staple of another colour" });
    vec![
        server.post("/auth/register").json(json!({ "email": "new@example.org", "password": PASSWORD })),
        server.post("/auth/login").json(credentials()),
        server.post("/auth/refresh").refresh_cookie(&ada.refresh),
        server.post("/auth/logout").refresh_cookie(&ada.refresh),
        server.post("/auth/logout-all").bearer(&ada.access),
        server.post("/auth/sessions/revoke-others").bearer(&ada.access),
        server.post("/auth/password/change").bearer(&ada.access).json(passwords),
        server.request("DELETE", &session).bearer(&ada.access),
    ]
}

/// Everything that is written down.
pub async fn written(server: &Server) -> Vec<String> {
    let all = "SELECT id || generation || COALESCE(ended_at, '') FROM portcullis_sessions
        UNION ALL SELECT id || epoch FROM portcullis_users UNION ALL SELECT hash FROM portcullis_passwords
        UNION ALL SELECT sequence || action FROM portcullis_events UNION ALL SELECT id || text FROM notes";
    sqlx::query_scalar(all).fetch_all(server.store.pool()).await.unwrap()
}

/// A server that also keeps the access token in a cookie, and a browser that is signed in to it.
async fn with_access_cookie() -> (Server, String, Device) {
    let server = framework::start_with(|config| {
        config.cookies.access_cookie = true;
        config.allowed_origins = vec![APP.into()];
    })
    .await;
    let answer = server.post("/auth/register").json(credentials()).send().await;
    let (access, mut attributes) = answer.cookie("__Host-portcullis-access").unwrap();
    attributes.sort();
    assert_eq!(attributes, ["httponly", "max-age=900", "path=/", "samesite=strict", "secure"]);
    (server, format!("__Host-portcullis-access={access}"), Device::of(&answer))
}

// The Authorization header.

#[tokio::test]
async fn the_bearer_scheme_counts_in_any_case() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEARER", "Bearer "] {
        for path in ["/auth/me", "/me", "/notes"] {
            let answer = server.get(path).header("authorization", format!("{scheme} {}", ada.access));
            assert_eq!(answer.send().await.status, 200, "{scheme:?} {path}");
        }
    }
}

#[tokio::test]
async fn a_malformed_authorization_header_is_a_401() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let (head, _) = ada.access.rsplit_once('.').unwrap();
    let none = "unauthenticated";
    let bad = "invalid_token";
    for (value, code) in [
        (&b""[..], none),
        (b"Bearer", bad),
        (b"Bearer ", bad),
        (b"Bearer a b", bad),
        (b"Bearer null", bad),
        (b"Bearer \"quoted\"", bad),
        (b"Bearer a,Bearer b", bad),
        (b"Bearer ..", bad),
        (b"Bearer ...", bad),
        (b"Bearer e30.e30.", bad),
        (b"Bearer =", bad),
        (b"Bearer \xc3\xa9", bad),
        (b"Bearer \xff\xfe", none),
        (b"Bearer\ttab", none),
        (b"Bearer:x", none),
        (b"Bearerx y", none),
        (b"Token x", none),
        (b"\xff", none),
        (b"undefined", none),
        (format!("Bearer {head}.").as_bytes(), bad),
        (format!("Bearer {}", &ada.access[..ada.access.len() - 1]).as_bytes(), bad),
        (format!("Bearer {}A", ada.access).as_bytes(), bad),
        (format!("Bearer {}", "x".repeat(6000)).as_bytes(), bad),
        (ada.access.as_bytes(), none),
    ] {
        for path in ["/auth/me", "/me", "/notes"] {
            let answer = server.get(path).header("authorization", value).send().await;
            let shown = String::from_utf8_lossy(value);
            assert_eq!(answer.problem(), (401, code.into()), "{shown} {path}");
        }
    }
}

#[tokio::test]
async fn two_authorization_headers_are_ambiguous() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for path in ["/auth/me", "/me", "/notes", "/"] {
        let twice = server.get(path).bearer(&ada.access).bearer(&ada.access).send().await;
        assert_eq!(twice.problem(), (400, "invalid_request".into()), "{path}");
        let basic = server.get(path).header("authorization", "Basic YTpi").bearer(&ada.access).send().await;
        assert_eq!(basic.problem(), (400, "invalid_request".into()), "{path}");
    }
}

#[tokio::test]
async fn another_scheme_is_somebody_elses_business() {
    let (server, cookie, _) = with_access_cookie().await;
    let basic = |path| server.get(path).header("authorization", "Basic YWRhOmFkYQ==");
    for path in ["/auth/me", "/me", "/notes"] {
        assert_eq!(basic(path).send().await.problem(), (401, "unauthenticated".into()), "{path}");
        assert_eq!(basic(path).header("cookie", &cookie).send().await.status, 200, "{path}");
    }
    assert_eq!(basic("/").send().await.status, 200);
}

#[tokio::test]
async fn a_token_in_the_address_or_the_body_is_none() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for name in ["access_token", "token", "accessToken", "authorization", "bearer"] {
        for path in ["/auth/me", "/me", "/notes"] {
            let answer = server.get(&format!("{path}?{name}={}", ada.access)).send().await;
            assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{path} {name}");
        }
        let answer = server.post("/notes").json(json!({ "text": "milk", name: ada.access })).send().await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()));
    }
}

// The access token in a cookie.

#[tokio::test]
async fn an_access_cookie_is_ignored_unless_asked_for() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for path in ["/auth/me", "/me", "/notes"] {
        let cookie = format!("__Host-portcullis-access={}", ada.access);
        let answer = server.get(path).header("cookie", cookie).send().await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{path}");
    }
}

#[tokio::test]
async fn an_access_cookie_signs_in_reads_and_same_origin_writes() {
    let (server, cookie, ada) = with_access_cookie().await;
    for path in ["/", "/auth/me", "/me", "/notes", "/auth/sessions"] {
        let answer = server.get(path).header("cookie", &cookie).send().await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let note = || server.post("/notes").header("cookie", &cookie).json(json!({ "text": "milk" }));
    assert_eq!(note().send().await.status, 201);
    assert_eq!(note().header("sec-fetch-site", "same-origin").send().await.status, 201);
    assert_eq!(note().header("origin", APP).header("sec-fetch-site", "cross-site").send().await.status, 201);
    assert_eq!(server.count("SELECT COUNT(*) FROM notes").await, 3);
    server.post("/auth/logout").refresh_cookie(&ada.refresh).send().await;
    for path in ["/", "/auth/me", "/me", "/notes"] {
        let answer = server.get(path).header("cookie", &cookie).send().await;
        assert_eq!(answer.problem(), (401, "invalid_token".into()), "{path}");
    }
}

#[tokio::test]
async fn an_access_cookie_from_another_site_changes_nothing_in_the_application_either() {
    let (server, cookie, ada) = with_access_cookie().await;
    let before = written(&server).await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.test"),
        ("origin", "null"),
    ] {
        for path in ["/notes", "/auth/logout-all", "/auth/sessions/revoke-others"] {
            let request = server.post(path).header("cookie", &cookie).header(name, value);
            let request = if path == "/notes" { request.json(json!({ "text": "milk" })) } else { request };
            assert_eq!(request.send().await.problem(), (403, "foreign_origin".into()), "{path} {value}");
        }
        let get = server.get("/notes").header("cookie", &cookie).header(name, value);
        assert_eq!(get.send().await.status, 200, "reading is the business of CORS");
    }
    assert_eq!(written(&server).await, before);
    let bearer = server.post("/notes").bearer(&ada.access).header("sec-fetch-site", "cross-site");
    let answer = bearer.json(json!({ "text": "milk" })).send().await;
    assert_eq!(answer.status, 201, "a bearer token is sent by nobody unawares");
}

#[tokio::test]
async fn an_access_token_sent_in_two_ways_is_ambiguous() {
    let (server, cookie, ada) = with_access_cookie().await;
    for path in ["/auth/me", "/me", "/notes", "/"] {
        let answer = server.get(path).bearer(&ada.access).header("cookie", &cookie).send().await;
        assert_eq!(answer.problem(), (400, "invalid_request".into()), "{path}");
    }
}

// Cookies.

#[tokio::test]
async fn two_cookies_of_one_name_and_different_values_are_ambiguous() {
    let (server, cookie, ada) = with_access_cookie().await;
    let refresh = format!("__Host-portcullis-refresh={}", ada.refresh);
    for path in ["/auth/refresh", "/auth/logout"] {
        let planted = "__Host-portcullis-refresh=planted";
        for request in [
            server.post(path).header("cookie", format!("{refresh}; {planted}")),
            server.post(path).header("cookie", format!("{planted}; {refresh}")),
            server.post(path).header("cookie", planted).header("cookie", &refresh),
            server.post(path).header("cookie", &refresh).header("cookie", planted),
        ] {
            assert_eq!(request.send().await.problem(), (400, "invalid_request".into()), "{path}");
        }
    }
    for path in ["/auth/me", "/me", "/notes", "/"] {
        let request = server.get(path).header("cookie", format!("{cookie}; __Host-portcullis-access=planted"));
        assert_eq!(request.send().await.problem(), (400, "invalid_request".into()), "{path}");
    }
    let twice = server.post("/auth/refresh").header("cookie", format!("{refresh}; other=1; {refresh}"));
    assert_eq!(twice.send().await.status, 200, "the same thing said twice is no contradiction");
}

#[tokio::test]
async fn our_cookie_is_found_among_any_others() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let refresh = format!("__Host-portcullis-refresh={}", ada.refresh);
    for cookie in [
        format!("a=b; {refresh}; c=d"),
        format!("a=b;{refresh};c=d"),
        format!("; ;=;a; =b; {refresh}"),
        format!("json={{\"a\":1}}; {refresh}"),
        format!("x__Host-portcullis-refresh=no; {refresh}"),
        format!("%={refresh}; {refresh}"),
    ] {
        let answer = server.post("/auth/refresh").header("cookie", &cookie).send().await;
        assert_eq!(answer.status, 200, "{cookie}");
    }
    for cookie in [
        refresh.to_lowercase(),
        format!("x{refresh}"),
        refresh.replace("__Host-", ""),
        refresh.replace("__Host-", "__Secure-"),
        refresh.replace("__Host-", "%5F%5FHost-"),
    ] {
        let answer = server.post("/auth/refresh").header("cookie", &cookie).send().await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into()), "{cookie}");
    }
    let broken = server.post("/auth/refresh").header("cookie", b"bytes=\xff\xfe").refresh_cookie(&ada.refresh);
    assert_eq!(broken.send().await.status, 200, "a neighbour's broken cookie signs nobody out");
}

#[tokio::test]
async fn custom_cookie_names_domain_and_path_are_meant_everywhere() {
    for (refresh_name, access_name, domain, path) in [
        ("__Secure-visit", "__Secure-pass", Some("app.example.org"), "/"),
        ("__Secure-visit", "__Secure-pass", None, "/auth"),
        ("visit", "pass", None, "/"),
    ] {
        let server = framework::start_with(|config| {
            config.cookies.access_cookie = true;
            config.cookies.refresh_name = refresh_name.into();
            config.cookies.access_name = access_name.into();
            config.cookies.domain = domain.map(str::to_owned);
            config.cookies.path = path.into();
            config.cookies.same_site = portcullis::config::SameSite::Lax;
        })
        .await;
        let expected = |seconds: u64| {
            let mut attributes = vec!["httponly".to_owned(), "samesite=lax".into(), "secure".into()];
            attributes.extend([format!("max-age={seconds}"), format!("path={path}")]);
            attributes.extend(domain.map(|domain| format!("domain={domain}")));
            attributes.sort();
            attributes
        };
        let cookie = |answer: &Answer, name: &str, seconds: u64| {
            let (value, mut attributes) = answer.cookie(name).unwrap();
            attributes.sort();
            assert_eq!(attributes, expected(seconds), "{name}");
            format!("{name}={value}")
        };
        server.post("/auth/register").json(credentials()).send().await;
        let answer = server.post("/auth/login").json(credentials()).send().await;
        assert_eq!(answer.all("set-cookie").count(), 2);
        let (refresh, access) =
            (cookie(&answer, refresh_name, 604_800), cookie(&answer, access_name, 900));
        assert_eq!(server.get("/notes").header("cookie", &access).send().await.status, 200);

        let answer = server.post("/auth/refresh").header("cookie", &refresh).send().await;
        let next = cookie(&answer, refresh_name, 604_800);
        assert_ne!(next, refresh);
        assert_eq!(server.get("/me").header("cookie", cookie(&answer, access_name, 900)).send().await.status, 200);

        let answer = server.post("/auth/login").header("cookie", &next).json(credentials()).send().await;
        let newest = cookie(&answer, refresh_name, 604_800);
        let replaced = server.post("/auth/refresh").header("cookie", &next).send().await;
        assert_eq!(replaced.problem(), (401, "session_revoked".into()), "a login ends what it overwrites");

        let answer = server.post("/auth/logout").header("cookie", &newest).send().await;
        assert_eq!(cookie(&answer, refresh_name, 0), format!("{refresh_name}="));
        assert_eq!(cookie(&answer, access_name, 0), format!("{access_name}="));
        let gone = server.post("/auth/refresh").header("cookie", &newest).send().await;
        assert_eq!(gone.problem(), (401, "session_revoked".into()));
        let default = server.post("/auth/refresh").refresh_cookie(newest.split_once('=').unwrap().1);
        assert_eq!(default.send().await.problem(), (401, "unauthenticated".into()), "the default name is unknown");
    }
}

// The application's own routes.

#[tokio::test]
async fn an_optional_user_is_none_only_if_no_credential_was_sent() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let anonymous = server.get("/").send().await;
    assert_eq!(anonymous.status, 200);
    assert!(anonymous.text().contains("You are not signed in."));
    let signed_in = server.get("/").bearer(&ada.access).send().await;
    assert_eq!(signed_in.status, 200);
    assert!(signed_in.text().contains(&ada.user));
    let bad = server.get("/").bearer("rubbish").send().await;
    assert_eq!(bad.problem(), (401, "invalid_token".into()));
    server.post("/auth/logout").bearer(&ada.access).send().await;
    assert_eq!(server.get("/").bearer(&ada.access).send().await.problem(), (401, "invalid_token".into()));
    let again = server.get("/").send().await;
    assert_eq!(again.undated(), anonymous.undated(), "one visitor's refusal is not the next one's");
}

#[tokio::test]
async fn a_guarded_route_answers_its_user_and_nobody_else() {
    let server = framework::start().await;
    let (ada, bob) = (server.register("ada@example.org").await, server.register("bob@example.org").await);
    let add = |note: &str| server.post("/notes").json(json!({ "text": note }));
    for request in [server.get("/notes"), add("milk")] {
        assert_eq!(request.clone().send().await.problem(), (401, "unauthenticated".into()));
        assert_eq!(request.bearer("rubbish").send().await.problem(), (401, "invalid_token".into()));
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM notes").await, 0);
    let added = add("milk").bearer(&ada.access).send().await;
    assert_eq!((added.status, added.json()["text"].clone()), (201, json!("milk")));
    let notes = |device: &Device| server.get("/notes").bearer(&device.access).send();
    assert_eq!(notes(&ada).await.json(), json!([{ "id": 1, "text": "milk" }]));
    assert_eq!(notes(&bob).await.json(), json!([]));
    let me = server.get("/me").bearer(&bob.access).send().await;
    assert_eq!(me.text(), format!("hello {}", bob.user));
}

#[tokio::test]
async fn options_is_never_authenticated() {
    let server = framework::start().await;
    let preflight = |path: &str| {
        let request = server.request("OPTIONS", path).header("origin", "https://evil.test");
        request.header("access-control-request-method", "POST").header("sec-fetch-site", "cross-site")
    };
    assert_ne!(preflight("/notes").send().await.status, 401);
    for (path, allow) in [
        ("/auth/register", "POST, OPTIONS"),
        ("/auth/login", "POST, OPTIONS"),
        ("/auth/refresh", "POST, OPTIONS"),
        ("/auth/logout", "POST, OPTIONS"),
        ("/auth/logout-all", "POST, OPTIONS"),
        ("/auth/password/change", "POST, OPTIONS"),
        ("/auth/me", "GET, HEAD, OPTIONS"),
        ("/auth/sessions", "GET, HEAD, OPTIONS"),
        ("/auth/sessions/x", "DELETE, OPTIONS"),
    ] {
        let answer = preflight(path).send().await;
        assert_eq!((answer.status, answer.header("allow"), answer.body.len()), (204, Some(allow), 0), "{path}");
        let cors = answer.headers.iter().any(|(name, _)| name.starts_with("access-control-"));
        assert!(!cors, "no other site is invited unless the application does so");
    }
}

#[tokio::test]
async fn a_path_that_only_begins_alike_is_another() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for path in [
        "/notesx", "/notes.json", "/note", "/mex", "/authx", "/authx/login", "/auth-login", "/aut", "/auth.",
        "/auth/loginx", "/auth/login/x", "/auth/login/", "/auth/logi", "/auth/me/", "/auth/sessions/",
        "/auth/sessions/a/b", "/auth/password", "/auth/password/changed", "/auth", "/auth/", "/auth//login",
        "/auth/%6cogin", "/auth/login%2f", "/auth/login%00", "/AUTH/login", "/auth/LOGIN", "/x/auth/login",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let request = server.request(method, path);
            assert_eq!(request.clone().send().await.problem(), (404, "not_found".into()), "{method} {path}");
            let answer = request.bearer(&ada.access).send().await;
            assert_eq!(answer.problem(), (404, "not_found".into()), "{method} {path} signed in");
        }
    }
}

#[tokio::test]
async fn no_other_way_of_writing_a_guarded_path_gets_round_the_guard() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    server.post("/notes").bearer(&ada.access).json(json!({ "text": "milk" })).send().await;
    for path in [
        "/notes", "/notes/", "/notes//", "//notes", "/notes?", "/notes?x=y", "/notes;x", "/notes%20", "/notes%00",
        "/%6eotes", "/%6Eotes", "/NOTES", "/./notes", "/x/../notes", "/auth/../notes", "/notes%2f", "/notes.",
    ] {
        for method in ["GET", "POST", "HEAD"] {
            let answer = server.request(method, path).json(json!({ "text": "milk" })).send().await;
            assert!(matches!(answer.status, 400..=499), "{method} {path}: {answer:?}");
            assert!(!answer.body.windows(4).any(|window| window == b"milk"), "{path}");
        }
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM notes").await, 1);
}

// Where a request comes from.

#[tokio::test]
async fn only_our_own_pages_and_listed_origins_change_anything() {
    let server = framework::start_with(|config| config.allowed_origins = vec![APP.into()]).await;
    let ada = server.register("ada@example.org").await;
    let own = format!("http://{}", server.running.address);
    let port = server.running.address.port();
    let site = |value: &str| ("sec-fetch-site", value.to_owned());
    let origin = |value: &str| ("origin", value.to_owned());
    for (headers, allowed) in [
        (vec![], true),
        (vec![site("same-origin")], true),
        (vec![site("none")], true),
        (vec![site("same-site")], false),
        (vec![site("cross-site")], false),
        (vec![site("")], false),
        (vec![site("Same-Origin")], false),
        (vec![site("same-origin"), origin(&own)], true),
        (vec![site("cross-site"), origin(&own)], false),
        (vec![site("cross-site"), origin(APP)], true),
        (vec![origin(&own)], true),
        (vec![origin(&format!("https://{}", server.running.address))], true),
        (vec![origin(APP)], true),
        (vec![origin("null")], false),
        (vec![origin("")], false),
        (vec![origin("https://evil.test")], false),
        (vec![origin("http://app.example.org")], false),
        (vec![origin("https://app.example.org:8443")], false),
        (vec![origin("https://app.example.org.evil.test")], false),
        (vec![origin("https://evil.test?https://app.example.org")], false),
        (vec![origin("https://xapp.example.org")], false),
        (vec![origin("https://app.example.org/")], false),
        (vec![origin(&format!("http://127.0.0.1:{}", port ^ 1))], false),
        (vec![origin("http://127.0.0.1")], false),
        (vec![origin(&format!("http://localhost:{port}"))], false),
        (vec![origin(&format!("http://127.0.0.1:{port}.evil.test"))], false),
        (vec![origin(&format!("http://evil.test@127.0.0.1:{port}"))], false),
        (vec![origin(&format!("ftp://127.0.0.1:{port}"))], false),
        (vec![origin(&format!("127.0.0.1:{port}"))], false),
    ] {
        for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
            let request = match path {
                "/auth/login" => server.post(path).json(credentials()),
                "/auth/refresh" => server.post(path).refresh_cookie(&ada.refresh),
                _ => server.post(path).refresh_cookie(&server.login("ada@example.org").await.refresh),
            };
            let before = written(&server).await;
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            let answer = request.send().await;
            assert_eq!(answer.status == 200, allowed, "{path} {headers:?}: {answer:?}");
            if !allowed {
                assert_eq!(answer.problem(), (403, "foreign_origin".into()), "{path} {headers:?}");
                assert_eq!(written(&server).await, before, "{path} {headers:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_that_changes_something_refuses_another_site() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let before = written(&server).await;
    for request in changes(&server, &ada) {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
            let answer = request.clone().header(name, value).send().await;
            assert_eq!(answer.problem(), (403, "foreign_origin".into()), "{answer:?}");
            assert_eq!(answer.header("vary"), Some("sec-fetch-site, origin"));
        }
    }
    assert_eq!(written(&server).await, before);
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn no_get_changes_anything() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let before = written(&server).await;
    for path in [
        "/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/auth/logout-all",
        "/auth/password/change", "/auth/sessions/revoke-others",
    ] {
        for method in ["GET", "HEAD", "PUT", "PATCH", "TRACE", "BREW", "post"] {
            let answer = server
                .request(method, path)
                .bearer(&ada.access)
                .refresh_cookie(&ada.refresh)
                .header("x-http-method-override", "POST")
                .json(credentials())
                .send()
                .await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allow = answer.header("allow").unwrap();
            assert!(allow.contains("POST") && !allow.contains("GET"), "{method} {path}: {allow}");
            if method != "HEAD" {
                assert_eq!(answer.code(), "method_not_allowed");
            }
        }
    }
    assert_eq!(written(&server).await, before);
    server.assert_signed_in(&ada).await;
}

// Bodies.

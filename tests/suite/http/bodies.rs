//! What comes in: bodies good and bad, and connections that carry them.

use serde_json::json;

use super::doors::{APP, credentials, written};
use super::framework;
use crate::client::Connection;
use crate::server::{Device, PASSWORD, Server};

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let before = written(&server).await;
    for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/auth/logout-all"] {
        for kind in [
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "text/json",
            "application/jsonp",
            "application/json-patch+json",
            "application/problem+json",
            "application/json, text/plain",
            "json",
            "*/*",
            "",
        ] {
            let request = server.post(path).bearer(&ada.access).header("content-type", kind);
            let answer = request.body(json!({ "refreshToken": ada.refresh }).to_string()).send().await;
            assert_eq!(answer.problem(), (415, "unsupported_media_type".into()), "{path} {kind:?}");
        }
        let undeclared = server.post(path).bearer(&ada.access).body(credentials().to_string()).send().await;
        assert_eq!(undeclared.problem(), (415, "unsupported_media_type".into()), "{path}");
    }
    assert_eq!(written(&server).await, before);
}

#[tokio::test]
async fn json_with_a_parameter_and_in_any_case_is_json() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    for kind in [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "application/json ; x=y",
        "application/json;",
    ] {
        let request = server.post("/auth/login").header("content-type", kind).body(credentials().to_string());
        assert_eq!(request.send().await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn a_form_field_does_not_choose_the_method() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let before = written(&server).await;
    for body in ["_method=delete", "_method=DELETE&x=y", "_method=post"] {
        for path in [format!("/auth/sessions/{}", ada.session()), "/auth/sessions".into(), "/auth/logout".into()] {
            let request = server.post(&path).bearer(&ada.access).refresh_cookie(&ada.refresh);
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
            let answer = request.send().await;
            assert!(matches!(answer.status, 405 | 415), "{path} {body}: {answer:?}");
            answer.code();
        }
    }
    assert_eq!(written(&server).await, before);
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn what_is_not_one_json_object_each_member_once_is_malformed() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let good = credentials().to_string();
    let nested = format!(r#"{{"x":{}{},{}"#, "[".repeat(10_000), "]".repeat(10_000), &good[1..]);
    let before = written(&server).await;
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"}",
        b"{}{}",
        b"[]",
        b"null",
        b"true",
        b"1",
        b"\"text\"",
        b"NaN",
        b"{'email': 'ada@example.org'}",
        b"{\"email\": undefined}",
        b"{\"email\"}",
        b"{email: \"ada@example.org\"}",
        b"{\"email\":\"ada@example.org\",}",
        b"{\"email\":\"\xff\"}",
        b"{\"email\":\"\xc0\xaf\"}",
        b"{\"email\":\"\xed\xa0\x80\"}",
        b"{\"email\":\"\\ud800\"}",
        b"{\"email\":\"\\udc00\\ud800\"}",
        b"{\"email\":\"\\x41\"}",
        b"{\"email\":\"a\nb\"}",
        b"{\"email\":\"a\0b\"}",
        b"{\"n\":1e999999}",
        b"{\"email\":\"a\",\"email\":\"a\"}",
        b"{\"email\":\"a\",\"\\u0065mail\":\"b\"}",
        b"email=ada%40example.org&password=x",
        b"// comment\n{}",
        b"\0",
        &"[".repeat(60_000).into_bytes(),
        &"{\"a\":".repeat(10_000).into_bytes(),
        nested.as_bytes(),
        format!("{good}{good}").as_bytes(),
        format!("{good}x").as_bytes(),
        format!("{good}\0").as_bytes(),
        format!("[{good}]").as_bytes(),
        format!("\u{feff}{good}").as_bytes(),
        &good.as_bytes()[..good.len() - 1],
        &good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    ] {
        for path in ["/auth/login", "/auth/register", "/auth/refresh", "/auth/logout"] {
            // Where all fields may be left out, no body is none of them.
            if body.is_empty() && matches!(path, "/auth/refresh" | "/auth/logout") {
                continue;
            }
            let answer = server.post(path).header("content-type", "application/json").body(body).send().await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(answer.problem(), (400, "malformed_json".into()), "{path} {shown:?}");
        }
    }
    assert_eq!(written(&server).await, before);
}

#[tokio::test]
async fn a_field_that_is_missing_mistyped_too_long_or_holds_a_nul_is_named() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let ok = PASSWORD;
    for (body, field) in [
        (json!({}), "email"),
        (json!({ "password": ok }), "email"),
        (json!({ "email": "ada@example.org" }), "password"),
        (json!({ "email": null, "password": ok }), "email"),
        (json!({ "email": 1, "password": ok }), "email"),
        (json!({ "email": ["ada@example.org"], "password": ok }), "email"),
        (json!({ "email": { "$ne": "" }, "password": ok }), "email"),
        (json!({ "email": "ada@example.org", "password": true }), "password"),
        (json!({ "email": "ada@example.org", "password": { "$gt": "" } }), "password"),
        (json!({ "email": "ada@example.org\0", "password": ok }), "email"),
        (json!({ "email": "ada@example.org", "password": "correct\0 horse battery" }), "password"),
        (json!({ "email": format!("{}@example.org", "a".repeat(400)), "password": ok }), "email"),
        (json!({ "email": "ada@example.org", "password": ok, "transport": 7 }), "transport"),
        (json!({ "Email": "ada@example.org", "password": ok }), "email"),
    ] {
        for path in ["/auth/login", "/auth/register"] {
            let answer = server.post(path).json(body.clone()).send().await;
            assert_eq!(answer.problem(), (422, "invalid_field".into()), "{path} {body}");
            assert!(answer.json()["error"].as_str().unwrap().starts_with(field), "{path} {body}");
        }
    }
    for token in [json!(1), json!(["pcr_"]), json!("x".repeat(513)), json!("a\0b")] {
        for path in ["/auth/refresh", "/auth/logout"] {
            let answer = server.post(path).json(json!({ "refreshToken": token })).send().await;
            assert_eq!(answer.problem(), (422, "invalid_field".into()), "{path} {token}");
        }
    }
    let unknown = json!({ "email": "ada@example.org", "password": ok, "remember": [1, { "me": null }] });
    assert_eq!(server.post("/auth/login").json(unknown).send().await.status, 200, "unknown members are ignored");
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_a_byte_more_is_too_large() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let body = |length: usize| {
        let good = credentials().to_string();
        format!("{good}{}", " ".repeat(length - good.len()))
    };
    let login = |length| server.post("/auth/login").header("content-type", "application/json").body(body(length));
    assert_eq!(login(64 * 1024).send().await.status, 200);
    for length in [64 * 1024 + 1, 100_000, 1_000_000] {
        let answer = login(length).send().await;
        assert_eq!(answer.problem(), (413, "body_too_large".into()), "{length}");
    }
    for path in ["/auth/logout", "/auth/refresh", "/auth/password/change"] {
        let request = server.post(path).bearer(&ada.access).header("content-type", "application/json");
        let answer = request.body(body(64 * 1024 + 1)).send().await;
        assert_eq!(answer.problem(), (413, "body_too_large".into()), "{path}");
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn a_body_in_chunks_is_read_and_measured_like_any_other() {
    let server = framework::start().await;
    server.register("ada@example.org").await;
    let request = |chunks: &[&str]| {
        let request = server.post("/auth/login").header("content-type", "application/json");
        let mut bytes = request.header("transfer-encoding", "chunked").bytes();
        for chunk in chunks.iter().chain([&""]) {
            bytes.extend(format!("{:x}\r\n{chunk}\r\n", chunk.len()).into_bytes());
        }
        bytes
    };
    let good = credentials().to_string();
    let (one, other) = good.split_at(20);
    let mut connection = Connection::open(server.running.address).await;
    connection.write(&request(&[one, other])).await;
    assert_eq!(connection.read(false).await.unwrap().status, 200);
    connection.write(&request(&[&good, &" ".repeat(40_000), &" ".repeat(40_000)])).await;
    assert_eq!(connection.read(false).await.unwrap().problem(), (413, "body_too_large".into()));
}

#[tokio::test]
async fn a_body_that_ends_early_does_nothing() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    for (declared, body) in [(100, "{}"), (1000, ""), (70_000, "{\"refreshToken\":null}")] {
        let request = server.post("/auth/logout").refresh_cookie(&ada.refresh);
        let request = request.header("content-type", "application/json");
        let mut bytes = request.header("content-length", declared.to_string()).bytes();
        bytes.extend(body.as_bytes());
        let mut connection = Connection::open(server.running.address).await;
        connection.write(&bytes).await;
        connection.finish().await;
        if let Some(answer) = connection.read(false).await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    server.assert_signed_in(&ada).await;
}

#[tokio::test]
async fn what_follows_a_refused_body_is_not_read_as_a_request() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let hidden = server.post("/auth/logout").refresh_cookie(&ada.refresh).header("content-length", "0").bytes();
    for (path, kind, length) in [
        ("/auth/login", "application/json", 300),
        ("/auth/login", "text/plain", 60_000),
        ("/auth/login", "application/json", 70_000),
        ("/auth/login", "application/json", 500_000),
        ("/auth/login", "application/json", 5 * 1024 * 1024),
        ("/auth/nothing", "application/json", 300),
        ("/auth/nothing", "application/json", 200_000),
        ("/auth/me", "application/json", 200_000),
        ("/nothing", "application/json", 300),
        ("/nothing", "application/json", 200_000),
        ("/notes", "application/json", 300),
        ("/notes", "application/json", 200_000),
        ("/notes", "application/json", 5 * 1024 * 1024),
    ] {
        // Wherever a server stops reading, a whole request begins.
        let body = hidden.repeat(length / hidden.len() + 1);
        let refused = server.post(path).header("content-type", kind).body(&body);
        let mut connection = Connection::open(server.running.address).await;
        connection.write(&refused.bytes()).await;
        let next = server.get("/auth/me").bearer(&ada.access);
        connection.write(&next.bytes()).await;
        connection.finish().await;
        let mut answers = Vec::new();
        while let Some(answer) = connection.read(false).await {
            answers.push(answer.status);
        }
        assert!(answers.len() <= 2, "{path} {length}: {answers:?}");
        assert!(answers.first().is_none_or(|status| (400..500).contains(status)), "{path} {length}: {answers:?}");
        assert!(answers.get(1).is_none_or(|status| *status == 200), "{path} {length}: {answers:?}");
        assert_eq!(server.me(&ada.access).await.status, 200, "{path} {length}: the hidden logout was carried out");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM portcullis_sessions WHERE ended_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let mut connection = Connection::open(server.running.address).await;
    for (status, request) in [
        (200, server.get("/auth/me").bearer(&ada.access)),
        (200, server.post("/auth/login").json(credentials())),
        (422, server.post("/auth/login").json(json!({}))),
        (400, server.post("/auth/login").header("content-type", "application/json").body("{")),
        (415, server.post("/auth/login").header("content-type", "text/plain").body("text")),
        (404, server.post("/auth/nothing").json(credentials())),
        (405, server.request("PUT", "/auth/login").json(credentials())),
        (401, server.get("/auth/me")),
        (200, server.request("HEAD", "/auth/me").bearer(&ada.access)),
        (204, server.request("OPTIONS", "/auth/me")),
        (401, server.get("/notes")),
        (200, server.get("/notes").bearer(&ada.access)),
        (200, server.post("/auth/logout").bearer(&ada.access)),
        (401, server.get("/auth/me").bearer(&ada.access)),
    ] {
        let answer = connection.send(&request).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn no_input_however_strange_is_answered_5xx() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    for round in 0..300 {
        let request = strange(&server, &ada, &mut dice);
        let mut connection = Connection::open(server.running.address).await;
        connection.write(&request).await;
        connection.finish().await;
        if let Some(answer) = connection.read(request.starts_with(b"HEAD")).await {
            let shown = String::from_utf8_lossy(&request);
            assert!(matches!(answer.status, 200..=499), "round {round}: {shown}\n{answer:?}");
        }
    }
    server.register("bob@example.org").await;
}

/// A request like one of ours with a few bytes changed.
fn strange(server: &Server, ada: &Device, dice: &mut Dice) -> Vec<u8> {
    let passwords = json!({ "currentPassword": PASSWORD, "newPassword": "staple of another colour" });
    let request = match dice.below(10) {
        0 => server.post("/auth/register").json(json!({ "email": "eve@example.org", "password": PASSWORD })),
        1 => server.post("/auth/login").json(credentials()),
        2 => server.post("/auth/refresh").refresh_cookie(&ada.refresh),
        3 => server.post("/auth/refresh").json(json!({ "refreshToken": ada.refresh })),
        4 => server.post("/auth/logout").bearer(&ada.access).refresh_cookie(&ada.refresh),
        5 => server.get("/auth/sessions").bearer(&ada.access),
        6 => server.request("DELETE", &format!("/auth/sessions/{}", ada.session())).bearer(&ada.access),
        7 => server.post("/auth/password/change").bearer(&ada.access).json(passwords),
        8 => server.get("/notes").bearer(&ada.access),
        _ => server.request("HEAD", "/").bearer(&ada.access),
    };
    let mut bytes = request.header("user-agent", "Strange/1.0").header("origin", APP).bytes();
    let host = bytes.windows(6).position(|window| window == b"host: ").unwrap();
    for _ in 0..=dice.below(6) {
        // Half of the time in the request line, which is short beside the rest.
        let end = if dice.below(2) == 0 { host } else { bytes.len() };
        let at = 5 + dice.below(end - 5);
        let byte = [b'%', b'/', b'.', b'"', b'\\', b';', 0, 9, 0x7f, 0x80, 0xff, b'{'][dice.below(12)];
        if !b"\r\n".contains(&bytes[at]) {
            match dice.below(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
    }
    bytes
}

/// The same throws in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_answered_408_and_the_connection_closed() {
    let server = framework::start_with(|config| config.body_timeout = std::time::Duration::from_millis(200)).await;
    let request = server.post("/auth/login").header("content-type", "application/json");
    let mut bytes = request.header("content-length", "1000").bytes();
    bytes.extend(br#"{"email":"ada@example.org","pass"#);
    let mut connection = Connection::open(server.running.address).await;
    connection.write(&bytes).await;
    let answer = connection.read(false).await.expect("an answer");
    assert_eq!(answer.problem(), (408, "body_too_slow".into()));
    assert!(connection.read(false).await.is_none(), "closed");
}

#[tokio::test]
async fn json_in_another_encoding_is_refused() {
    let server = framework::start().await;
    for kind in ["application/json; charset=utf-16", "application/json;charset=\"latin1\""] {
        let request = server.post("/auth/login").header("content-type", kind).body(credentials().to_string());
        assert_eq!(request.send().await.problem(), (415, "unsupported_media_type".into()), "{kind}");
    }
}

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, future::Future};

use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::framework;
use crate::client::{Answer, Connection, Request};
use crate::faulty::{Kind, Moment, Switch};
use crate::log;
use crate::server::{Device, PASSWORD, Server};

const NEW_PASSWORD: &str = "another battery staple";

/// A node whose stores can be made to fail, and a second one on the same database, whose stores cannot.
async fn nodes() -> (Server, Server, Switch) {
    log::lines("");
    let healthy = framework::start().await;
    let switch = Switch::new();
    let faulty = healthy.another_with(|_| {}, |stores| switch.before(stores)).await;
    (faulty, healthy, switch)
}

fn logout(server: &Server, device: &Device) -> Request {
    server.post("/auth/logout").bearer(&device.access).refresh_cookie(&device.refresh)
}

fn change_password(server: &Server, device: &Device, from: &str, to: &str) -> Request {
    let body = json!({ "currentPassword": from, "newPassword": to });
    server.post("/auth/password/change").bearer(&device.access).json(body)
}

/// A request to every route that has to do with a store, with everything that makes it succeed.
async fn requests(server: &Server, name: &str) -> (Device, Vec<(&'static str, Request)>) {
    let email = format!("{name}@example.org");
    let device = server.register(&email).await;
    let other = server.login(&email).await;
    let sessions = server.get("/auth/sessions").bearer(&other.access).send().await.data();
    let sessions = sessions["sessions"].as_array().unwrap();
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    let path = format!("/auth/sessions/{}", current["id"].as_str().unwrap());
    let credentials = json!({ "email": email, "password": PASSWORD });
    let newcomer = json!({ "email": format!("new-{email}"), "password": PASSWORD });
    let refresh = server.post("/auth/refresh").refresh_cookie(&device.refresh);
    let authorized = |request: Request| request.bearer(&device.access);
    let requests = vec![
        ("register", server.post("/auth/register").json(newcomer)),
        ("login", server.post("/auth/login").json(credentials.clone())),
        ("login over a session", server.post("/auth/login").refresh_cookie(&other.refresh).json(credentials)),
        ("refresh", refresh),
        ("me", authorized(server.get("/auth/me"))),
        ("sessions", authorized(server.get("/auth/sessions"))),
        ("end a session", authorized(server.request("DELETE", &path))),
        ("revoke others", authorized(server.post("/auth/sessions/revoke-others"))),
        ("change the password", change_password(server, &device, PASSWORD, NEW_PASSWORD)),
        ("logout by refresh token", server.post("/auth/logout").refresh_cookie(&device.refresh)),
        ("logout by access token", authorized(server.post("/auth/logout"))),
        ("logout everywhere", authorized(server.post("/auth/logout-all"))),
    ];
    (device, requests)
}

/// It says that something broke here, and neither what nor that anybody is signed out.
fn is_a_fault(answer: &Answer, what: &str) {
    assert_eq!(answer.problem(), (500, "internal_error".into()), "{what}");
    assert_eq!(answer.all("set-cookie").count(), 0, "{what}: {answer:?}");
    assert_eq!(answer.header("clear-site-data"), None, "{what}");
    assert!(!answer.text().contains("disk") && !answer.text().contains("store"), "{what}: {answer:?}");
}

/// Both of its tokens work, on both nodes.
async fn is_signed_in(nodes: [&Server; 2], device: &Device, what: &str) {
    for node in nodes {
        assert_eq!(node.me(&device.access).await.status, 200, "{what}");
        assert_eq!(node.refresh(&device.refresh).await.status, 200, "{what}");
    }
}

/// None of its tokens works, on both nodes, at the latest when the nodes have talked.
async fn is_signed_out(nodes: [&Server; 2], device: &Device, what: &str) {
    assert_eq!(nodes[0].me(&device.access).await.status, 401, "{what}: at once where it was done");
    nodes[0].clock.advance_seconds(2);
    for node in nodes {
        assert_eq!(node.me(&device.access).await.status, 401, "{what}");
        assert_eq!(node.refresh(&device.refresh).await.status, 401, "{what}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_500_everywhere_and_signs_nobody_out() {
    let (server, healthy, switch) = nodes().await;
    let (ada, requests) = requests(&server, "ada").await;
    // So that verifying asks the store as well.
    server.clock.advance_seconds(2);
    switch.fail();
    for (what, request) in &requests {
        let before = log::lines(switch.cause()).len();
        is_a_fault(&request.clone().send().await, what);
        let logged = log::lines(switch.cause());
        assert_eq!(logged.len(), before + 1, "{what}: {logged:?}");
        assert!(logged[before].contains("ERROR") && logged[before].contains("asking a store"), "{logged:?}");
    }
    switch.repair();
    is_signed_in([&server, &healthy], &ada, "after the failure").await;
    for secret in [&ada.access, &ada.refresh, PASSWORD, NEW_PASSWORD] {
        assert_eq!(log::lines(secret), Vec::<String>::new());
    }
}

#[tokio::test]
async fn whichever_store_fails_the_answer_is_a_success_or_a_500_and_never_a_refusal() {
    let (server, healthy, switch) = nodes().await;
    for kind in [Kind::Users, Kind::Credentials, Kind::Sessions, Kind::Revocations, Kind::Keys, Kind::Events] {
        let (mut faults, mut name) = (0, 0);
        let count = requests(&server, &format!("{kind:?}")).await.1.len();
        for number in 0..count {
            // An account for each, since some requests may succeed in ending its sessions.
            name += 1;
            let (device, mut requests) = requests(&server, &format!("{kind:?}{name}")).await;
            server.clock.advance_seconds(2);
            let (what, request) = requests.swap_remove(number);
            let what = format!("{what} without {kind:?}");
            switch.fail_only(kind);
            let answer = request.send().await;
            switch.repair();
            match answer.status {
                200 | 201 => {}
                _ => {
                    is_a_fault(&answer, &what);
                    faults += 1;
                }
            }
            let reads = ["me", "sessions", "login", "register", "refresh"];
            if reads.iter().any(|read| what.starts_with(&format!("{read} without"))) {
                is_signed_in([&server, &healthy], &device, &what).await;
            }
        }
        assert!(faults > 0, "nothing needs {kind:?}");
    }
}

#[tokio::test]
async fn while_revocations_are_silent_tokens_count_for_max_staleness_and_then_nobody_is_believed() {
    let (server, _healthy, switch) = nodes().await;
    let ada = server.register("ada@example.org").await;
    let gone = server.register("gone@example.org").await;
    assert_eq!(logout(&server, &gone).send().await.status, 200);
    server.clock.advance_seconds(2);
    assert_eq!(server.me(&ada.access).await.status, 200);
    switch.fail_only(Kind::Revocations);
    server.clock.advance(Duration::from_millis(1999));
    for path in ["/auth/me", "/me", "/notes", "/"] {
        assert_eq!(server.get(path).bearer(&ada.access).send().await.status, 200, "{path}");
        assert_eq!(server.get(path).bearer(&gone.access).send().await.status, 401, "{path}");
    }
    server.clock.advance(Duration::from_millis(1));
    for path in ["/auth/me", "/me", "/notes", "/"] {
        for access in [&ada.access, &gone.access] {
            is_a_fault(&server.get(path).bearer(access).send().await, path);
        }
        // What needs no store to be refused, and what needs no user, goes on as always.
        let invalid = server.get(path).bearer("not.a.token").send().await;
        assert_eq!(invalid.problem(), (401, "invalid_token".into()), "{path}");
        let anonymous = server.get(path).send().await;
        assert_eq!(anonymous.status, if path == "/" { 200 } else { 401 }, "{path}");
    }
    switch.repair();
    for path in ["/auth/me", "/me", "/notes", "/"] {
        assert_eq!(server.get(path).bearer(&ada.access).send().await.status, 200, "{path}");
        assert_eq!(server.get(path).bearer(&gone.access).send().await.status, 401, "{path}");
    }
}

/// Lets one store call after the other of a flow fail, once with nothing done and once with only the answer lost,
/// until the flow needs no more calls. The flow is told its name, arms the switch, and says whether it was spoilt.
async fn fail_at_each_call<F>(least: u64, flow: impl Fn(String) -> F)
where
    F: Future<Output = bool>,
{
    for moment in ["before", "after"] {
        let mut calls = 0;
        while flow(format!("{moment}-{calls}")).await {
            calls += 1;
        }
        assert!(calls >= least, "the flow has only {calls} calls");
    }
}

/// Lets the call of that name fail in what follows.
fn arm(switch: &Switch, name: &str) {
    let (moment, calls) = name.split_once('-').unwrap();
    let moment = if moment == "before" { Moment::Before } else { Moment::After };
    switch.fail_once_after(calls.parse().unwrap(), moment);
}

/// Whether the answer was spoilt by the failure; if not, it is a success.
fn spoilt(switch: &Switch, answer: &Answer, what: &str) -> bool {
    let spoilt = switch.has_failed();
    if spoilt {
        is_a_fault(answer, what);
    } else {
        assert!(matches!(answer.status, 200 | 201), "{what}: {answer:?}");
    }
    spoilt
}

#[tokio::test]
async fn a_registration_that_failed_anywhere_can_be_repeated_or_is_an_account_to_log_in_to() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(3, async |name| {
        let email = format!("{name}@example.org");
        let register = server.post("/auth/register").json(json!({ "email": email, "password": PASSWORD }));
        arm(&switch, &name);
        let spoilt = spoilt(&switch, &register.clone().send().await, &name);
        if spoilt {
            let again = register.send().await;
            assert!(
                again.status == 201 || again.problem() == (409, "email_taken".into()),
                "{name}: {again:?}"
            );
        }
        let device = healthy.login(&email).await;
        is_signed_in([&server, &healthy], &device, &name).await;
        spoilt
    })
    .await;
}

#[tokio::test]
async fn a_login_that_failed_anywhere_can_be_repeated() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(6, async |name| {
        let email = format!("{name}@example.org");
        let old = server.register(&email).await;
        arm(&switch, &name);
        let login = server.post("/auth/login").refresh_cookie(&old.refresh);
        let login = login.json(json!({ "email": email, "password": PASSWORD }));
        let mut answer = login.clone().send().await;
        let spoilt = spoilt(&switch, &answer, &name);
        if spoilt {
            answer = login.send().await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
        }
        // The session that the new one took the place of is over, whatever happened in between.
        is_signed_out([&server, &healthy], &old, &name).await;
        let access = answer.data()["accessToken"].as_str().unwrap().to_owned();
        let device = Device { access, refresh: answer.refresh_token(), user: old.user };
        is_signed_in([&server, &healthy], &device, &name).await;
        spoilt
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_failed_anywhere_succeeds_with_the_same_token_within_the_grace() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(3, async |name| {
        let device = server.register(&format!("{name}@example.org")).await;
        arm(&switch, &name);
        let mut answer = server.refresh(&device.refresh).await;
        let spoilt = spoilt(&switch, &answer, &name);
        if spoilt {
            server.clock.advance_seconds(10);
            answer = server.refresh(&device.refresh).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
        }
        let next = answer.refresh_token();
        assert_ne!(next, device.refresh, "{name}");
        server.clock.advance_seconds(60);
        let last = healthy.refresh(&next).await;
        assert_eq!(last.status, 200, "{name}: {last:?}");
        spoilt
    })
    .await;
}

#[tokio::test]
async fn a_theft_found_while_the_store_fails_still_ends_the_family_once_it_is_asked_again() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(5, async |name| {
        let device = server.register(&format!("{name}@example.org")).await;
        let answer = server.refresh(&device.refresh).await;
        let access = answer.data()["accessToken"].as_str().unwrap().to_owned();
        let thief = Device { access, refresh: answer.refresh_token(), user: device.user.clone() };
        server.clock.advance_seconds(11);
        arm(&switch, &name);
        let reused = server.refresh(&device.refresh).await;
        let spoilt = switch.has_failed();
        if spoilt {
            is_a_fault(&reused, &name);
            assert_eq!(server.refresh(&device.refresh).await.status, 401, "{name}");
        } else {
            assert_eq!(reused.problem(), (401, "refresh_reused".into()), "{name}");
        }
        is_signed_out([&server, &healthy], &thief, &name).await;
        spoilt
    })
    .await;
}

#[tokio::test]
async fn a_logout_that_failed_anywhere_ends_everything_when_it_is_repeated() {
    let (server, healthy, switch) = nodes().await;
    for by in ["both tokens", "the refresh token", "the access token"] {
        fail_at_each_call(4, async |name| {
            let what = format!("{name} by {by}");
            let email = format!("{name}-{}@example.org", by.replace(' ', "-"));
            let device = server.register(&email).await;
            let bystander = server.login(&email).await;
            server.clock.advance_seconds(2);
            let logout = match by {
                "both tokens" => logout(&server, &device),
                "the refresh token" => server.post("/auth/logout").refresh_cookie(&device.refresh),
                _ => server.post("/auth/logout").bearer(&device.access),
            };
            arm(&switch, &name);
            let spoilt = spoilt(&switch, &logout.clone().send().await, &what);
        if spoilt {
                let again = logout.send().await;
                // By the access token alone it may be over already.
                let over = by == "the access token" && again.status == 401;
                assert!(again.status == 200 || over, "{what}: {again:?}");
            }
            is_signed_out([&server, &healthy], &device, &what).await;
            is_signed_in([&server, &healthy], &bystander, &what).await;
            spoilt
        })
        .await;
    }
}

#[tokio::test]
async fn a_logout_everywhere_that_failed_anywhere_ends_everything_when_it_is_repeated() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(5, async |name| {
        let email = format!("{name}@example.org");
        let devices = [server.register(&email).await, server.login(&email).await];
        let logout = server.post("/auth/logout-all").bearer(&devices[0].access);
        arm(&switch, &name);
        let spoilt = spoilt(&switch, &logout.clone().send().await, &name);
        if spoilt {
            let again = logout.send().await;
            assert!(matches!(again.status, 200 | 401), "{name}: {again:?}");
        }
        for device in devices {
            is_signed_out([&server, &healthy], &device, &name).await;
        }
        spoilt
    })
    .await;
}

#[tokio::test]
async fn a_session_ended_from_another_device_is_over_when_a_failed_try_is_repeated() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(4, async |name| {
        let (device, mut requests) = requests(&server, &name).await;
        let email = format!("{name}@example.org");
        let victim = server.login(&email).await;
        let others = requests.swap_remove(7).1;
        arm(&switch, &name);
        let spoilt = spoilt(&switch, &others.clone().send().await, &name);
        if spoilt {
            assert_eq!(others.send().await.status, 200, "{name}");
        }
        is_signed_out([&server, &healthy], &victim, &name).await;
        is_signed_in([&server, &healthy], &device, &name).await;
        spoilt
    })
    .await;
}

/// What a failure may leave behind: the password is changed, other sessions cannot refresh any more, but their last
/// access tokens count until they expire. The owner, who was told of a failure, finds out which password counts by
/// trying again, and the next change ends those too.
#[tokio::test]
async fn a_change_of_password_that_failed_anywhere_leaves_one_password_and_the_next_change_ends_all_others() {
    let (server, healthy, switch) = nodes().await;
    fail_at_each_call(6, async |name| {
        let email = format!("{name}@example.org");
        let device = server.register(&email).await;
        let other = server.login(&email).await;
        server.clock.advance_seconds(2);
        arm(&switch, &name);
        let change = change_password(&server, &device, PASSWORD, NEW_PASSWORD);
        let spoilt = spoilt(&switch, &change.clone().send().await, &name);
        if spoilt {
            let again = change.send().await;
            if again.status != 200 {
                assert_eq!(again.problem(), (403, "wrong_password".into()), "{name}");
                let refreshed = healthy.refresh(&other.refresh).await;
                assert_eq!(refreshed.problem(), (401, "session_revoked".into()), "{name}");
                let next = change_password(&server, &device, NEW_PASSWORD, PASSWORD).send().await;
                assert_eq!(next.status, 200, "{name}");
                let back = change_password(&server, &device, PASSWORD, NEW_PASSWORD).send().await;
                assert_eq!(back.status, 200, "{name}");
            }
        }
        is_signed_out([&server, &healthy], &other, &name).await;
        assert_eq!(server.me(&device.access).await.status, 200, "{name}: the device itself stays");
        let old = server.login_with(&email, PASSWORD).await;
        let new = server.login_with(&email, NEW_PASSWORD).await;
        assert_eq!((old.status, new.status), (401, 200), "{name}");
        spoilt
    })
    .await;
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[tokio::test]
async fn while_the_database_file_is_away_everything_is_a_500_and_once_it_is_back_all_sessions_are() {
    for suffixes in [&[""][..], &["", "-wal", "-shm"]] {
        let server = framework::start().await;
        let ada = server.register("ada@example.org").await;
        let (file, away) = (server.database_file(), with_suffix(&server.database_file(), ".away"));
        let carry = |from: &Path, to: &Path| {
            for suffix in suffixes {
                fs::rename(with_suffix(from, suffix), with_suffix(to, suffix)).unwrap();
            }
        };
        server.clock.advance_seconds(2);
        carry(&file, &away);
        for _ in 0..2 {
            is_a_fault(&server.login_with("ada@example.org", PASSWORD).await, "login");
            is_a_fault(&server.refresh(&ada.refresh).await, "refresh");
            is_a_fault(&server.me(&ada.access).await, "me");
            is_a_fault(&logout(&server, &ada).send().await, "logout");
            is_a_fault(&server.get("/notes").bearer(&ada.access).send().await, "notes");
            is_a_fault(&server.get("/").bearer(&ada.access).send().await, "the public page");
            assert_eq!(server.get("/").send().await.status, 200);
        }
        assert!(!file.exists(), "no new one took its place");
        carry(&away, &file);
        is_signed_in([&server, &server], &ada, "once it is back").await;
        server.login("ada@example.org").await;
    }
}

#[tokio::test]
async fn while_the_database_is_locked_a_login_is_a_500_after_a_while_and_then_works_again() {
    let server = framework::start().await;
    let ada = server.register("ada@example.org").await;
    let options = SqliteConnectOptions::new().filename(server.database_file());
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let started = Instant::now();
    let logins = (0..8).map(|_| server.login_with("ada@example.org", PASSWORD));
    for answer in futures_util::future::join_all(logins).await {
        is_a_fault(&answer, "login");
    }
    // However many wait: nobody waits for the time-out of all before.
    let waited = started.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(25)).contains(&waited), "{waited:?}");
    assert_eq!(server.me(&ada.access).await.status, 200, "reading goes on");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    server.login("ada@example.org").await;
    is_signed_in([&server, &server], &ada, "afterwards").await;
}

#[tokio::test]
async fn a_logout_is_done_although_its_client_hung_up() {
    let (server, healthy, switch) = nodes().await;
    for in_the_middle in [false, true] {
        let device = server.register(&format!("{in_the_middle}@example.org")).await;
        switch.crawl(Duration::from_millis(20));
        let calls = switch.calls();
        let mut connection = Connection::open(server.running.address).await;
        connection.write(&logout(&server, &device).bytes()).await;
        while in_the_middle && switch.calls() == calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(connection);
        let ended = async || {
            let sessions = "SELECT COUNT(*) FROM portcullis_events WHERE action = 'signed_out'";
            server.count(sessions).await > i64::from(in_the_middle)
        };
        for _ in 0..200 {
            if ended().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        switch.repair();
        is_signed_out([&server, &healthy], &device, "after the client hung up").await;
    }
}

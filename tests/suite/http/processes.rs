//! The examples as programs: started, killed, started again, and looked at from outside.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Connection, Request};
use crate::server::SECRET;

const FRAMEWORKS: [&str; 3] = ["axum", "actix", "rocket"];
const PASSWORD: &str = "processes-are-killed-here";

/// A running example, killed when this is dropped.
struct Example {
    child: Child,
    address: SocketAddr,
    /// What it printed when it had started.
    announced: String,
    /// What it logs; there in full once it is dead.
    log: Option<JoinHandle<String>>,
}

impl Example {
    fn start(framework: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = command(framework, folder, variables).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut announced = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while !announced.contains("/auth/logout") {
            if output.read_line(&mut announced).unwrap() == 0 {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{framework} said no more than {announced:?} and {}", log.join().unwrap());
            }
        }
        output.read_line(&mut announced).unwrap();
        // Read on, or who prints more fails.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let (_, after) = announced.split_once("http://").expect("an address");
        let address = after.split([' ', '/']).next().unwrap().parse().unwrap();
        Self { child, address, announced, log: Some(log) }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// Registers or logs in, with the refresh token in the body.
    async fn enter(&self, path: &str, email: &str) -> Answer {
        self.request("POST", path).json(entering(email)).send().await
    }

    async fn me(&self, access: &str) -> u16 {
        self.request("GET", "/auth/me").bearer(access).send().await.status
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.request("POST", "/auth/refresh").json(json!({ "refreshToken": token })).send().await
    }

    async fn logout(&self, access: &str, refresh: &str) -> Answer {
        let logout = self.request("POST", "/auth/logout").bearer(access);
        logout.json(json!({ "refreshToken": refresh })).send().await
    }

    /// SIGKILL; answers what it had logged.
    fn kill(mut self) -> String {
        self.stop();
        self.log.take().unwrap().join().unwrap()
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.stop();
    }
}

fn entering(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "transport": "body" })
}

/// The access and the refresh token.
fn tokens(answer: &Answer) -> (String, String) {
    let data = answer.data();
    let text = |name: &str| data[name].as_str().expect(name).to_owned();
    (text("accessToken"), text("refreshToken"))
}

fn command(framework: &str, folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(programs().join(format!("example-{framework}")));
    command
        .env_clear()
        .env("PORT", "0")
        .env("DATABASE_URL", format!("sqlite://{}", folder.join("app.db").display()))
        .env("PORTCULLIS_SECRET", SECRET)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts one that is not expected to live.
fn fails(framework: &str, folder: &Path, variables: &[(&str, &str)]) -> (String, Output) {
    let output = command(framework, folder, variables).output().unwrap();
    (String::from_utf8(output.stderr.clone()).unwrap(), output)
}

/// The folder of the examples, which are built as this test was.
fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let programs = this.parent().unwrap().parent().unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        // With the workspace's features, as the tests are: then little is left to compile.
        build.args(["build", "--quiet", "--locked", "--workspace", "--bins", "--examples", "--target-dir"]);
        build.arg(programs.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        if programs.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the examples build");
        programs
    })
}

#[tokio::test]
async fn each_example_says_where_it_listens_and_what_to_try_and_answers_there() {
    for framework in FRAMEWORKS {
        let folder = tempfile::tempdir().unwrap();
        let example = Example::start(framework, folder.path(), &[]);
        let at = format!("http://{}", example.address);
        assert!(example.announced.lines().next().unwrap().contains(&at), "{}", example.announced);
        assert!(example.announced.contains("development"), "{}", example.announced);
        let commands: Vec<_> =
            example.announced.lines().filter(|line| line.trim_start().starts_with("curl")).collect();
        for path in ["/auth/register", "/me", "/notes", "/auth/sessions", "/auth/refresh", "/auth/logout"] {
            let shown = commands.iter().any(|line| line.contains(&format!("{at}{path}")));
            assert!(shown, "{path} in {}", example.announced);
        }
        assert!(example.announced.contains(&format!("{at}/auth/login")));
        assert_eq!(example.request("GET", "/").send().await.status, 200);
        assert_eq!(example.request("GET", "/me").send().await.problem(), (401, "unauthenticated".into()));
        let (access, _) = tokens(&example.enter("/auth/register", "ada@example.org").await);
        let me = example.request("GET", "/me").bearer(&access).send().await;
        assert!(me.text().starts_with("hello "), "{me:?}");
        let note = example.request("POST", "/notes").bearer(&access).json(json!({ "text": "buy milk" }));
        assert_eq!(note.send().await.status, 201);
        let notes = example.request("GET", "/notes").bearer(&access).send().await;
        assert_eq!(notes.json()[0]["text"], "buy milk");
    }
}

#[tokio::test]
async fn cookies_are_secure_and_prefixed_in_production_and_neither_in_development_whatever_the_transport() {
    for framework in FRAMEWORKS {
        for (mode, name, secure) in
            [("production", "__Host-portcullis-refresh", true), ("development", "portcullis-refresh", false)]
        {
            let folder = tempfile::tempdir().unwrap();
            let mode = [("PORTCULLIS_MODE", mode)];
            let example = Example::start(framework, folder.path(), &mode);
            assert!(example.announced.contains(mode[0].1), "{}", example.announced);
            let register = json!({ "email": "ada@example.org", "password": PASSWORD });
            let answer = example.request("POST", "/auth/register").json(register).send().await;
            assert_eq!(answer.all("set-cookie").count(), 1, "{answer:?}");
            let (value, attributes) = answer.cookie(name).unwrap_or_else(|| panic!("{answer:?}"));
            assert_eq!(attributes.contains(&"secure".to_owned()), secure, "{answer:?}");
            for always in ["httponly", "samesite=strict", "path=/"] {
                assert!(attributes.contains(&always.to_owned()), "{always} in {answer:?}");
            }
            let cookie = format!("{name}={value}");
            let refreshed = example.request("POST", "/auth/refresh").header("cookie", cookie).send().await;
            assert_eq!(refreshed.status, 200);
            let warned = example.kill().contains("development mode");
            assert_eq!(warned, !secure, "the log of development says so");
        }
    }
}

#[test]
fn with_a_wrong_configuration_an_example_does_not_start_and_names_every_mistake() {
    for framework in FRAMEWORKS {
        let folder = tempfile::tempdir().unwrap();
        let (log, output) = fails(
            framework,
            folder.path(),
            &[
                ("PORTCULLIS_SECRET", "hunter2-is-short"),
                ("PORTCULLIS_MODE", "staging"),
                ("PORTCULLIS_ACCESS_TTL", "soon"),
                ("PORTCULLIS_COOKIE_SAME_SITE", "none"),
                ("PORTCULLIS_ALLOWED_ORIGINS", "https://fine.example.org,https://*.example.org"),
                ("PORTCULLIS_PASSWORD_MIN_LENGTH", "3"),
                ("PORTCULLIS_SECRT", "misspelt"),
            ],
        );
        assert!(!output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "it announces nothing");
        for mistake in [
            "\n  - secret: ",
            "\n  - PORTCULLIS_MODE: ",
            "\n  - PORTCULLIS_ACCESS_TTL: ",
            "\n  - PORTCULLIS_COOKIE_SAME_SITE: ",
            "\n  - allowed_origins: `https://*.example.org`",
            "\n  - password.min_length: ",
            "\n  - PORTCULLIS_SECRT: ",
        ] {
            assert!(log.contains(mistake), "{mistake:?} in {log}");
        }
        assert!(!log.contains("fine.example.org") && !log.contains("hunter2"), "{log}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no database was made");

        for (name, value, said) in [
            ("PORT", "eighty", "PORT"),
            ("DATABASE_URL", "postgres://localhost/app", "sqlite:"),
            ("DATABASE_URL", "sqlite:///nowhere/at/all/app.db", "opening the database"),
        ] {
            let (log, output) = fails(framework, folder.path(), &[(name, value)]);
            assert!(!output.status.success() && log.contains(said), "{name}={value}: {log}");
        }
    }
}

/// Everything a user does, twice over; answers every secret that appeared on the way.
async fn whole_flow(example: &Example) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), SECRET.to_owned()];
    let mut keep = |answer: Answer, status: u16| {
        assert_eq!(answer.status, status, "{answer:?}");
        let (access, refresh) = tokens(&answer);
        secrets.extend([access.clone(), refresh.clone()]);
        (access, refresh)
    };
    keep(example.enter("/auth/register", "ada@example.org").await, 201);
    let (_, first) = keep(example.enter("/auth/login", "ada@example.org").await, 200);
    let (access, second) = keep(example.refresh(&first).await, 200);
    keep(example.refresh(&first).await, 200);
    let (_, other) = keep(example.enter("/auth/login", "ada@example.org").await, 200);
    // In a cookie, too.
    let by_cookie = example.request("POST", "/auth/refresh");
    let by_cookie = by_cookie.header("cookie", format!("portcullis-refresh={other}")).send().await;
    secrets.push(by_cookie.cookie("portcullis-refresh").unwrap().0);
    secrets.push(by_cookie.data()["accessToken"].as_str().unwrap().to_owned());
    let wrong = json!({ "email": "ada@example.org", "password": "a wrong password, mistyped" });
    assert_eq!(example.request("POST", "/auth/login").json(wrong).send().await.status, 401);
    secrets.push("a wrong password, mistyped".into());
    let unknown = json!({ "email": "nobody@example.org", "password": "the password of nobody" });
    assert_eq!(example.request("POST", "/auth/login").json(unknown).send().await.status, 401);
    secrets.push("the password of nobody".into());
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "the password after that" });
    let change = example.request("POST", "/auth/password/change").bearer(&access).json(change);
    assert_eq!(change.send().await.status, 200);
    secrets.push("the password after that".into());
    assert_eq!(example.request("GET", "/auth/sessions").bearer(&access).send().await.status, 200);
    assert_eq!(example.me(&format!("{access}x")).await, 401);
    assert_eq!(example.refresh(&format!("{second}x")).await.status, 401);
    assert_eq!(example.refresh("pcr_nonsense-but-still-secret").await.status, 401);
    secrets.push("nonsense-but-still-secret".into());
    assert_eq!(example.logout(&access, &second).await.status, 200);
    assert_eq!(example.refresh(&second).await.status, 401);
    secrets
}

#[tokio::test]
async fn the_log_holds_no_password_token_or_secret_at_any_level() {
    for framework in FRAMEWORKS {
        let folder = tempfile::tempdir().unwrap();
        let example = Example::start(framework, folder.path(), &[("RUST_LOG", "trace")]);
        let secrets = whole_flow(&example).await;
        let log = example.kill();
        for event in ["registered", "signed_in", "sign_in_failed", "password_changed", "signed_out"] {
            assert!(log.contains(event), "{event} in the log of {framework}");
        }
        for secret in secrets {
            let leak = log.lines().find(|line| line.contains(&secret));
            assert_eq!(leak, None, "{framework} logs {secret}");
        }
    }
}

/// All files of the database, as somebody who stole the disk would see them.
fn dump(folder: &Path) -> Vec<u8> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["app.db", "app.db-shm", "app.db-wal"]);
    files.iter().flat_map(|file| fs::read(file).unwrap()).collect()
}

#[tokio::test]
async fn a_copy_of_the_database_holds_nothing_to_sign_in_with_and_starts_nothing_without_the_secret() {
    for framework in FRAMEWORKS {
        let folder = tempfile::tempdir().unwrap();
        let example = Example::start(framework, folder.path(), &[]);
        let mut secrets = whole_flow(&example).await;
        let (access, refresh) = tokens(&example.enter("/auth/register", "eve@example.org").await);
        secrets.extend([access.clone(), refresh]);
        example.kill();
        let bytes = dump(folder.path());
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        for there in ["eve@example.org", "portcullis_sessions", "$argon2id$"] {
            assert!(holds(there.as_bytes()), "{there} is in the database");
        }
        for secret in &secrets {
            assert!(!holds(secret.as_bytes()), "{secret} of {framework}");
            // What a token is made of, as text and as bytes: the last part is its signature or tag.
            let part = secret.rsplit(['.', '_']).next().unwrap();
            if let Ok(part) = BASE64URL.decode(part)
                && part.len() >= 32
            {
                assert!(!holds(&part[part.len() - 32..]), "the bytes of {secret} of {framework}");
            }
        }
        for key in [r#""d":"#, r#""kty""#, "PRIVATE KEY"] {
            assert!(!holds(key.as_bytes()), "{key} of {framework}");
        }

        let thief = tempfile::tempdir().unwrap();
        for file in ["app.db", "app.db-wal"] {
            fs::copy(folder.path().join(file), thief.path().join(file)).unwrap();
        }
        let other = [("PORTCULLIS_SECRET", "a secret of the thief's, 32 bytes and more")];
        let (log, output) = fails(framework, thief.path(), &other);
        assert!(!output.status.success());
        assert!(log.contains("sealed under another secret; start again with the PORTCULLIS_SECRET"), "{log}");
        // The owner restores the copy.
        let restored = Example::start(framework, thief.path(), &[]);
        assert_eq!(restored.me(&access).await, 200);
    }
}

/// What a client knows of its account: only what was acknowledged, and what was under way.
#[derive(Debug, Clone, Default)]
struct Known {
    email: String,
    registered: bool,
    tokens: Option<(String, String)>,
    logged_out: bool,
    under_way: &'static str,
}

/// Registers, refreshes, logs out and logs in until the server dies.
async fn live(address: SocketAddr, known: Arc<Mutex<Known>>, acknowledged: Arc<AtomicU64>) {
    let mut connection = Connection::open(address).await;
    let post = |path: &str| Request::new(address, "POST", path);
    for step in ["register", "refresh", "refresh", "logout", "login"]
        .into_iter()
        .chain(std::iter::repeat_n(["refresh", "logout", "login"], 1000).flatten())
    {
        let before = {
            let mut known = known.lock().unwrap();
            known.under_way = step;
            known.clone()
        };
        let (access, refresh) = before.tokens.clone().unwrap_or_default();
        let request = match step {
            "register" => post("/auth/register").json(entering(&before.email)),
            "login" => post("/auth/login").json(entering(&before.email)),
            "refresh" => post("/auth/refresh").json(json!({ "refreshToken": refresh })),
            _ => post("/auth/logout").bearer(&access).json(json!({ "refreshToken": refresh })),
        };
        connection.write(&request.bytes()).await;
        let Some(answer) = connection.read(false).await else { return };
        assert!(matches!(answer.status, 200 | 201), "{step}: {answer:?} {before:?}");
        let mut known = known.lock().unwrap();
        known.under_way = "";
        known.registered = true;
        known.logged_out = step == "logout";
        if !known.logged_out {
            known.tokens = Some(tokens(&answer));
        }
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    panic!("the server outlived {:?}", known.lock().unwrap());
}

async fn holds_what_was_acknowledged(example: &Example, known: &Known) {
    if !known.registered {
        // Done or not, the address is theirs: one of the two works.
        let status = example.enter("/auth/register", &known.email).await.status;
        assert!(matches!(status, 201 | 409), "{known:?}");
    }
    if let Some((access, refresh)) = &known.tokens {
        match (known.logged_out, known.under_way) {
            (false, "logout") => assert_eq!(example.logout(access, refresh).await.status, 200, "{known:?}"),
            (false, _) => {
                assert_eq!(example.me(access).await, 200, "{known:?}");
                let refreshed = example.refresh(refresh).await;
                assert_eq!(refreshed.status, 200, "{known:?}: {refreshed:?}");
            }
            (true, _) => {}
        }
        if known.logged_out || known.under_way == "logout" {
            assert_eq!(example.me(access).await, 401, "{known:?}");
            assert_eq!(
                example.refresh(refresh).await.problem(),
                (401, "session_revoked".into()),
                "{known:?}"
            );
        }
    }
    let login = example.enter("/auth/login", &known.email).await;
    assert_eq!(login.status, 200, "{known:?}: {login:?}");
}

async fn survives_kills(framework: &str) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    // So long that a slow machine has asked for everything again within it.
    let settings = [("PORTCULLIS_REFRESH_GRACE", "60")];
    let mut example = Example::start(framework, folder.path(), &settings);
    let mut seen = HashSet::new();
    let steps = ["register", "refresh", "logout", "login"];
    // Where a kill lands is chance, so there are as many rounds as it takes to land in each step, and three at least.
    for (round, kill_after) in [40, 333, 700].into_iter().cycle().take(15).enumerate() {
        if round >= 3 && steps.iter().all(|step| seen.contains(step)) {
            break;
        }
        let acknowledged = Arc::new(AtomicU64::new(0));
        let clients: Vec<_> = (0..64)
            .map(|number| {
                let email = format!("user{number}.{round}@example.org");
                let known = Arc::new(Mutex::new(Known { email, ..Known::default() }));
                let task = tokio::spawn(live(example.address, known.clone(), acknowledged.clone()));
                (known, task)
            })
            .collect();
        while acknowledged.load(Ordering::SeqCst) < kill_after {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        example.kill();
        let mut all = Vec::new();
        for (known, task) in clients {
            task.await.unwrap();
            all.push(Arc::into_inner(known).unwrap().into_inner().unwrap());
        }
        seen.extend(all.iter().map(|known| known.under_way));
        example = Example::start(framework, folder.path(), &settings);
        for known in &all {
            holds_what_was_acknowledged(&example, known).await;
        }
    }
    for step in steps {
        assert!(seen.contains(step), "no kill came in the middle of a {step}, only of {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_axum_example_acknowledged_holds_after_a_kill_in_the_middle_of_64_requests() {
    survives_kills("axum").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_actix_example_acknowledged_holds_after_a_kill_in_the_middle_of_64_requests() {
    survives_kills("actix").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_rocket_example_acknowledged_holds_after_a_kill_in_the_middle_of_64_requests() {
    survives_kills("rocket").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_example_holds_less_than_30_mib_also_after_logins() {
    for framework in FRAMEWORKS {
        let folder = tempfile::tempdir().unwrap();
        let example = Example::start(framework, folder.path(), &[]);
        let resident = || {
            let status = fs::read_to_string(format!("/proc/{}/status", example.child.id())).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let started = resident();
        example.enter("/auth/register", "ada@example.org").await;
        let logins = (0..8).map(|_| example.enter("/auth/login", "ada@example.org"));
        for login in futures_util::future::join_all(logins).await {
            assert_eq!(login.status, 200);
        }
        let busy = resident();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let idle = resident();
        println!(
            "{framework}: {started} KiB after the start, {busy} after logins, {idle} three seconds later"
        );
        for (when, resident) in [("after the start", started), ("after logins and a lull", idle)] {
            assert!(resident < 30 * 1024, "{framework} holds {resident} KiB {when}");
        }
    }
}

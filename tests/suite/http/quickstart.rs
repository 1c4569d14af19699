//! The quick starts of the README, as a reader would run them: built, started in an empty folder, and used.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis::clock::SystemClock;
use serde_json::json;
use tempfile::TempDir;

use crate::client::Request;
use crate::issuer::{AUDIENCE, Conduct, ISSUER, Issuer, USER, jwks, token};

/// A process that is killed when the test ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn the_quick_start_of_axum_does_what_the_readme_says() {
    works("axum").await;
}

#[tokio::test]
async fn the_quick_start_of_actix_web_does_what_the_readme_says() {
    works("actix").await;
}

#[tokio::test]
async fn the_quick_start_of_rocket_does_what_the_readme_says() {
    works("rocket").await;
}

#[tokio::test]
async fn a_service_on_axum_that_only_verifies_does_what_the_readme_says() {
    verifies("axum").await;
}

#[tokio::test]
async fn a_service_on_actix_web_that_only_verifies_does_what_the_readme_says() {
    verifies("actix").await;
}

#[tokio::test]
async fn a_service_on_rocket_that_only_verifies_does_what_the_readme_says() {
    verifies("rocket").await;
}

#[test]
fn the_readmes_show_the_quick_starts_that_were_tested() {
    let read = |path: String| std::fs::read_to_string(root().join(&path)).expect(&path);
    for framework in ["axum", "actix", "rocket"] {
        let file = read(format!("crates/portcullis-{framework}/examples/quickstart_{framework}.rs"));
        let (_, code) = file.split_once("\n\n").unwrap();
        for readme in ["README.md".to_owned(), format!("crates/portcullis-{framework}/README.md")] {
            assert!(read(readme.clone()).contains(&format!("\n{code}```")), "{framework} in {readme}");
        }
        let statements =
            code.lines().filter(|line| !line.starts_with("use ") && line.contains(char::is_alphabetic));
        assert!(statements.count() <= 15, "{framework}: fifteen lines beside imports");
        let file = read(format!("crates/portcullis-{framework}/examples/verifier_{framework}.rs"));
        let (_, code) = file.split_once("\n\n").unwrap();
        let readme = read(format!("crates/portcullis-{framework}/README.md"));
        assert!(readme.contains(&format!("\n{code}```")), "{framework}: the service that only verifies");
    }
}

async fn works(framework: &str) {
    let (address, _process, _folder) =
        start(&format!("quickstart_{framework}"), &[("PORTCULLIS_MODE", "development")]).await;
    let request = |method, path| Request::new(address, method, path);
    let ada = json!({ "email": "ada@example.org", "password": "purple otter sings" });

    assert_eq!(request("GET", "/me").send().await.code(), "unauthenticated");
    assert_eq!(request("POST", "/auth/register").json(ada.clone()).send().await.status, 201);
    let login = request("POST", "/auth/login").json(ada).send().await;
    let access = login.data()["accessToken"].as_str().unwrap().to_owned();
    let user = login.data()["user"]["id"].as_str().unwrap().to_owned();
    let me = request("GET", "/me").bearer(&access).send().await;
    assert_eq!(me.text(), format!("hello {user}"));

    let (refresh, _) = login.cookie("portcullis-refresh").unwrap();
    let cookie = format!("portcullis-refresh={refresh}");
    let refreshed = request("POST", "/auth/refresh").header("cookie", &cookie).send().await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let logout = request("POST", "/auth/logout").bearer(&access).send().await;
    assert_eq!(logout.status, 200, "{logout:?}");
    assert_eq!(request("GET", "/me").bearer(&access).send().await.code(), "invalid_token");
    let refused = request("POST", "/auth/refresh").header("cookie", &cookie).send().await;
    assert_eq!(refused.code(), "session_revoked");
}

/// A service of the READMEs that only verifies tokens, beside an issuer.
async fn verifies(framework: &str) {
    let issuer = Issuer::start(Conduct::Says(jwks(&[1]))).await;
    let url = issuer.url();
    let vars =
        [("PORTCULLIS_ISSUER", ISSUER), ("PORTCULLIS_AUDIENCE", AUDIENCE), ("PORTCULLIS_JWKS_URL", &url)];
    let (address, _process, _folder) = start(&format!("verifier_{framework}"), &vars).await;
    let get = || Request::new(address, "GET", "/me");
    assert_eq!(get().send().await.code(), "unauthenticated");
    let me = get().bearer(&token(1, &SystemClock)).send().await;
    assert_eq!(me.text(), format!("hello {USER}"));
    assert_eq!(get().bearer(&token(2, &SystemClock)).send().await.code(), "invalid_token");
}

async fn start(example: &str, vars: &[(&str, &str)]) -> (SocketAddr, Process, TempDir) {
    // The whole workspace, as `tests/run` has built it: nothing is left to compile then.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--workspace", "--examples"])
        .current_dir(root())
        .status();
    assert!(built.unwrap().success(), "{example} builds");

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let process = Command::new(target().join("examples").join(example))
        .current_dir(folder.path())
        .env_clear()
        .envs(vars.iter().copied())
        .env("ADDRESS", address.to_string())
        .env("ROCKET_PORT", address.port().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let process = Process(process.unwrap());
    let listening = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), listening).await.expect("the server listens");
    (address, process, folder)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where this profile's programs are: two folders up from this test's own.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned()
}

//! Libraries of other languages, each in a process that is asked by lines of JSON. `tests/interop/run` installs them.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use portcullis::token::Algorithm;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A library under way. It ends when this is dropped.
pub struct Peer {
    pub library: Library,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    Jose,
    JsonWebToken,
    PyJwt,
    JoseRfc,
}

impl Library {
    pub const ALL: [Library; 4] = [Library::Jose, Library::JsonWebToken, Library::PyJwt, Library::JoseRfc];

    /// Whether it can sign and verify with that algorithm.
    pub fn knows(self, algorithm: Algorithm) -> bool {
        (self, algorithm) != (Library::JsonWebToken, Algorithm::EdDsa)
    }

    pub fn has_thumbprints(self) -> bool {
        matches!(self, Library::Jose | Library::JoseRfc)
    }

    fn command(self) -> Command {
        let (program, script) = match self {
            Library::Jose => (PathBuf::from("node"), "peer_jose.mjs"),
            Library::JsonWebToken => (PathBuf::from("node"), "peer_jsonwebtoken.mjs"),
            Library::PyJwt => (FOLDER.join("python/bin/python"), "peer_pyjwt.py"),
            Library::JoseRfc => (FOLDER.join("python/bin/python"), "peer_joserfc.py"),
        };
        let mut command = Command::new(program);
        command.arg(FOLDER.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Peer {
    pub fn start(library: Library) -> Self {
        let mut process = library
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{library:?}: {error}; tests/interop/run installs it"));
        let questions = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { library, questions, answers, _process: process }
    }

    /// All of them that know that algorithm.
    pub fn all(algorithm: Algorithm) -> Vec<Self> {
        let known = Library::ALL.into_iter().filter(|library| library.knows(algorithm));
        known.map(Self::start).collect()
    }

    async fn ask(&mut self, verb: &str, mut question: Value) -> Value {
        question["do"] = verb.into();
        let library = self.library;
        self.questions.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(60), self.answers.next_line());
        let answer = answer.await.unwrap_or_else(|_| panic!("{library:?} does not answer"));
        let answer = answer.unwrap().unwrap_or_else(|| panic!("{library:?} ended; see its words above"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer.get("fault"), None, "{library:?}: {verb} {question}");
        answer
    }

    /// What the library says of a question that it must be able to answer.
    async fn told(&mut self, verb: &str, question: Value) -> Value {
        let answer = self.ask(verb, question).await;
        assert_eq!(answer.get("refused"), None, "{:?}: {verb}", self.library);
        answer
    }

    /// The claims of a token, or why it is refused.
    pub async fn verify(&mut self, token: &str, by: &Value) -> Result<Value, String> {
        let mut question = by.clone();
        question["token"] = token.into();
        let mut answer = self.ask("verify", question).await;
        match answer.get("refused") {
            Some(why) => Err(why.to_string()),
            None => Ok(answer["claims"].take()),
        }
    }

    /// A token of theirs. `key` is `{"jwk": ..}` or `{"pem": ..}`, private.
    pub async fn sign(&mut self, claims: &Value, header: &Value, key: &Value) -> String {
        let mut question = key.clone();
        question["claims"] = claims.clone();
        question["header"] = header.clone();
        self.told("sign", question).await["token"].as_str().unwrap().to_owned()
    }

    pub async fn key(&mut self, algorithm: Algorithm) -> PeerKey {
        let mut answer = self.told("key", json!({ "algorithm": algorithm.name() })).await;
        let pems = answer["pems"].as_array().into_iter().flatten();
        PeerKey {
            pems: pems.map(|pem| pem.as_str().unwrap().to_owned()).collect(),
            public_pem: answer["publicPem"].as_str().map(str::to_owned),
            thumbprint: answer["thumbprint"].as_str().map(str::to_owned),
            public: answer["public"].take(),
            private: answer["jwk"].take(),
        }
    }

    /// The RFC 7638 thumbprint of a public JWK.
    pub async fn thumbprint(&mut self, jwk: &Value) -> String {
        let answer = self.told("thumbprint", json!({ "jwk": jwk })).await;
        answer["thumbprint"].as_str().unwrap().to_owned()
    }
}

/// A key of a peer's making.
pub struct PeerKey {
    /// As JWK.
    pub private: Value,
    /// As JWK; of a symmetric key nothing.
    pub public: Value,
    /// The private key in each form that the peer can write, PKCS #8 first.
    pub pems: Vec<String>,
    pub public_pem: Option<String>,
    /// What the peer says that it is.
    pub thumbprint: Option<String>,
}

impl PeerKey {
    /// The members with which a key is published beside its numbers.
    pub fn named(jwk: &Value, algorithm: Algorithm, kid: &str) -> Value {
        let mut jwk = jwk.clone();
        jwk["kid"] = kid.into();
        jwk["alg"] = algorithm.name().into();
        jwk["use"] = "sig".into();
        jwk
    }
}

/// Where `tests/interop/run` installed the libraries, with the scripts beside them so that they find these.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop");
    assert!(folder.is_dir(), "the libraries are not there: tests/interop/run installs them");
    let scripts = [
        ("lines.mjs", include_str!("../interop/lines.mjs")),
        ("lines.py", include_str!("../interop/lines.py")),
        ("peer_jose.mjs", include_str!("../interop/peer_jose.mjs")),
        ("peer_jsonwebtoken.mjs", include_str!("../interop/peer_jsonwebtoken.mjs")),
        ("peer_joserfc.py", include_str!("../interop/peer_joserfc.py")),
        ("peer_pyjwt.py", include_str!("../interop/peer_pyjwt.py")),
    ];
    let recipes = recipes();
    assert_eq!(recipes.len(), Library::ALL.len(), "each library has its piece in the guide");
    for (name, text) in scripts.into_iter().chain(recipes) {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
});

/// The pieces of the guide by the names in their first lines. The peers verify with nothing else.
fn recipes() -> Vec<(&'static str, &'static str)> {
    let guide = include_str!("../../docs/guides/interop.md");
    let blocks = guide.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| {
            let text = block.split_once('\n').unwrap().1;
            let name = text.lines().next().unwrap().trim_start_matches(['/', '#', ' ']);
            (name, text)
        })
        .collect()
}

//! The configuration as environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use portcullis_token::{Algorithm, SigningKey};

use super::{Config, ConfigError, Mode, SameSite};
use crate::client::Client;
use crate::clock::{self, SystemEntropy};
use crate::secret::Secret;

impl Config {
    /// Reads the environment. Every variable may be left out or empty but the secret, and that too in development.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `PORTCULLIS_MODE` | `production` or `development` | `production` |
    /// | `PORTCULLIS_SECRET` | the application secret, at least 32 bytes | none |
    /// | `PORTCULLIS_SECRET_FILE_CREATE` | `true`: in production, too, the file below is made if it is not there | `false` |
    /// | `PORTCULLIS_SECRET_FILE` | a file that holds it; in development made with a random secret if it is not there | in development `.portcullis-secret` |
    /// | `PORTCULLIS_ISSUER` | `iss` | `portcullis` |
    /// | `PORTCULLIS_BASE_URL` | the public address of the routes, where it is not the issuer's | none |
    /// | `PORTCULLIS_AUDIENCE` | `aud` | `portcullis` |
    /// | `PORTCULLIS_CLIENT_ID` | `client_id` | `portcullis` |
    /// | `PORTCULLIS_CLIENTS` | clients that may introspect and revoke: `id:secret`, separated by white space | none |
    /// | `PORTCULLIS_ALLOWED_ORIGINS` | further origins, separated by commas | none |
    /// | `PORTCULLIS_MAX_STALENESS` | seconds until a revocation on another node counts here | `2` |
    /// | `PORTCULLIS_BODY_TIMEOUT` | seconds that a body may take to arrive | `30` |
    /// | `PORTCULLIS_ALGORITHM` | `EdDSA`, `ES256`, `ES384`, `RS256`, `PS256`, `HS256`, `HS384` or `HS512` | `EdDSA` |
    /// | `PORTCULLIS_SIGNING_KEY_FILE` | a private JWK to sign with | one is made and kept in the store |
    /// | `PORTCULLIS_ACCESS_TTL` | seconds an access token lives | `900` |
    /// | `PORTCULLIS_CLOCK_SKEW` | seconds that another node's clock may be ahead | `60` |
    /// | `PORTCULLIS_SESSION_IDLE` | seconds a session lives without a refresh | `604800` |
    /// | `PORTCULLIS_SESSION_ABSOLUTE` | seconds it lives at the most | `2592000` |
    /// | `PORTCULLIS_REFRESH_GRACE` | seconds the previous refresh token is still answered | `10` |
    /// | `PORTCULLIS_ACCESS_COOKIE` | `true`: the access token travels in a cookie too | `false` |
    /// | `PORTCULLIS_COOKIE_REFRESH_NAME`, `PORTCULLIS_COOKIE_ACCESS_NAME` | names of the cookies | `__Host-portcullis-refresh`, `-access` |
    /// | `PORTCULLIS_COOKIE_DOMAIN`, `PORTCULLIS_COOKIE_PATH` | `Domain` and `Path` | none, `/` |
    /// | `PORTCULLIS_COOKIE_SAME_SITE` | `strict` or `lax` | `strict` |
    /// | `PORTCULLIS_PASSWORD_MIN_LENGTH` | characters a password needs | `8` |
    /// | `PORTCULLIS_PASSWORD_MAX_BYTES` | bytes it may have | `1024` |
    /// | `PORTCULLIS_ARGON2_MEMORY_KIB`, `_ITERATIONS`, `_LANES` | cost of a hash | `19456`, `2`, `1` |
    /// | `PORTCULLIS_HASH_THREADS`, `PORTCULLIS_HASH_QUEUE` | hashes at once, and how many may wait | cores, `256` |
    ///
    /// # Errors
    /// All mistakes at once, a misspelt `PORTCULLIS_` name among them.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os())
    }

    /// Reads variables from anywhere else; the last of one name counts. What does not begin with
    /// `PORTCULLIS_` is left alone.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut vars = Vars::new(vars);
        let config = vars.config();
        vars.mistakes.extend(vars.left.keys().map(|name| format!("{name}: there is no such variable")));
        if let Err(ConfigError(more)) = config.check() {
            // A secret that could not be read was named already.
            let unread = |mistake: &String| {
                mistake.starts_with("PORTCULLIS_SECRET") || mistake.starts_with("PORTCULLIS_MODE")
            };
            let unread = config.secret.expose().is_empty() && vars.mistakes.iter().any(unread);
            vars.mistakes
                .extend(more.into_iter().filter(|mistake| !(unread && mistake.starts_with("secret"))));
        }
        if vars.mistakes.is_empty() { Ok(config) } else { Err(ConfigError(vars.mistakes)) }
    }
}

struct Vars {
    left: BTreeMap<String, String>,
    mistakes: Vec<String>,
}

impl Vars {
    fn new(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut ours = Self { left: BTreeMap::new(), mistakes: Vec::new() };
        for (name, value) in vars {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("PORTCULLIS_") && !value.is_empty() {
                match value.into_string() {
                    Ok(value) => drop(ours.left.insert(name, value)),
                    Err(_) => ours.mistakes.push(format!("{name}: its value is not text in UTF-8")),
                }
            }
        }
        ours
    }

    fn config(&mut self) -> Config {
        let mut config = Config::new("");
        self.choice(
            "PORTCULLIS_MODE",
            &mut config.mode,
            &[("production", Mode::Production), ("development", Mode::Development)],
        );
        config.secret = self.secret(config.mode);
        self.value("PORTCULLIS_ISSUER", &mut config.issuer);
        config.base_url = self.take("PORTCULLIS_BASE_URL");
        self.value("PORTCULLIS_AUDIENCE", &mut config.audience);
        self.value("PORTCULLIS_CLIENT_ID", &mut config.client_id);
        config.clients = self.clients();
        if let Some(list) = self.take("PORTCULLIS_ALLOWED_ORIGINS") {
            config.allowed_origins =
                list.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        }
        self.seconds("PORTCULLIS_MAX_STALENESS", &mut config.max_staleness);
        self.seconds("PORTCULLIS_BODY_TIMEOUT", &mut config.body_timeout);
        self.choice(
            "PORTCULLIS_ALGORITHM",
            &mut config.access.algorithm,
            &Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm)),
        );
        config.signing_key = self.signing_key();
        self.seconds("PORTCULLIS_ACCESS_TTL", &mut config.access.ttl);
        self.seconds("PORTCULLIS_CLOCK_SKEW", &mut config.access.clock_skew);
        self.seconds("PORTCULLIS_SESSION_IDLE", &mut config.session.idle);
        self.seconds("PORTCULLIS_SESSION_ABSOLUTE", &mut config.session.absolute);
        self.seconds("PORTCULLIS_REFRESH_GRACE", &mut config.session.grace);
        let cookies = &mut config.cookies;
        self.choice(
            "PORTCULLIS_ACCESS_COOKIE",
            &mut cookies.access_cookie,
            &[("true", true), ("false", false)],
        );
        self.value("PORTCULLIS_COOKIE_REFRESH_NAME", &mut cookies.refresh_name);
        self.value("PORTCULLIS_COOKIE_ACCESS_NAME", &mut cookies.access_name);
        cookies.domain = self.take("PORTCULLIS_COOKIE_DOMAIN");
        self.value("PORTCULLIS_COOKIE_PATH", &mut cookies.path);
        self.choice(
            "PORTCULLIS_COOKIE_SAME_SITE",
            &mut cookies.same_site,
            &[("strict", SameSite::Strict), ("lax", SameSite::Lax)],
        );
        let password = &mut config.password;
        self.value("PORTCULLIS_PASSWORD_MIN_LENGTH", &mut password.min_length);
        self.value("PORTCULLIS_PASSWORD_MAX_BYTES", &mut password.max_bytes);
        self.value("PORTCULLIS_ARGON2_MEMORY_KIB", &mut password.memory_kib);
        self.value("PORTCULLIS_ARGON2_ITERATIONS", &mut password.iterations);
        self.value("PORTCULLIS_ARGON2_LANES", &mut password.lanes);
        self.value("PORTCULLIS_HASH_THREADS", &mut password.threads);
        self.value("PORTCULLIS_HASH_QUEUE", &mut password.queue);
        config
    }

    fn clients(&mut self) -> Vec<Client> {
        let list = Secret::from(self.take("PORTCULLIS_CLIENTS").unwrap_or_default());
        let mut clients = Vec::new();
        for (number, pair) in list.expose().split_whitespace().enumerate() {
            match pair.split_once(':') {
                Some((id, secret)) => clients.push(Client::new(id, secret)),
                // Not shown: it may be a secret.
                None => {
                    self.mistakes.push(format!("PORTCULLIS_CLIENTS: number {} is not id:secret", number + 1))
                }
            }
        }
        clients
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    fn value<T: FromStr + Display>(&mut self, name: &str, value: &mut T) {
        let example = value.to_string();
        match self.take(name).map(|text| text.parse()) {
            None => {}
            Some(Ok(given)) => *value = given,
            Some(Err(_)) => self.mistakes.push(format!("{name}: must be a whole number, such as {example}")),
        }
    }

    fn seconds(&mut self, name: &str, value: &mut Duration) {
        let mut seconds = value.as_secs();
        self.value(name, &mut seconds);
        *value = Duration::from_secs(seconds);
    }

    fn choice<T: Copy>(&mut self, name: &str, value: &mut T, choices: &[(&str, T)]) {
        let Some(text) = self.take(name) else { return };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => *value = *choice,
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.mistakes.push(format!("{name}: must be one of {}", words.join(", ")));
            }
        }
    }

    fn secret(&mut self, mode: Mode) -> Secret {
        let given = self.take("PORTCULLIS_SECRET");
        let file = self.take("PORTCULLIS_SECRET_FILE");
        // A mount that failed must not give a deployment a new secret.
        let mut create = mode == Mode::Development;
        self.choice("PORTCULLIS_SECRET_FILE_CREATE", &mut create, &[("true", true), ("false", false)]);
        match (given, file, mode) {
            (Some(_), Some(_), _) => {
                self.mistakes
                    .push("PORTCULLIS_SECRET and PORTCULLIS_SECRET_FILE: give one of them".to_owned());
                Secret::default()
            }
            (Some(secret), None, _) => Secret::from(secret),
            (None, Some(file), _) => self.secret_file(Path::new(&file), create),
            // Whoever misspelt the mode may have meant the one that needs none.
            (None, None, _) if self.mistakes.iter().any(|mistake| mistake.starts_with("PORTCULLIS_MODE")) => {
                Secret::default()
            }
            (None, None, Mode::Development) => self.secret_file(Path::new(".portcullis-secret"), create),
            (None, None, Mode::Production) => {
                self.mistakes.push(
                    "PORTCULLIS_SECRET: missing; set it to at least 32 random bytes, \
                     e.g. from `openssl rand -base64 32`, the same on every node"
                        .to_owned(),
                );
                Secret::default()
            }
        }
    }

    fn secret_file(&mut self, path: &Path, create: bool) -> Secret {
        read_or_make(path, create).unwrap_or_else(|error| {
            self.mistakes.push(format!("PORTCULLIS_SECRET_FILE: {}: {error}", path.display()));
            Secret::default()
        })
    }

    fn signing_key(&mut self) -> Option<SigningKey> {
        let path = self.take("PORTCULLIS_SIGNING_KEY_FILE")?;
        let read = fs::read_to_string(&path).map_err(|error| error.to_string());
        read.and_then(|json| SigningKey::from_jwk(&json).map_err(|error| error.to_string()))
            .map_err(|error| self.mistakes.push(format!("PORTCULLIS_SIGNING_KEY_FILE: {path}: {error}")))
            .ok()
    }
}

/// Reads the secret, or makes one that only the owner of the file may read. Of several processes that start at
/// once one makes it and the others read it.
fn read_or_make(path: &Path, create: bool) -> Result<Secret, Box<dyn std::error::Error>> {
    if create && !path.exists() {
        // Written whole before it bears its name, so that nobody reads half a secret.
        let random = clock::random::<32>(&SystemEntropy)?;
        let draft = path.with_extension(format!(
            "{}-{}",
            std::process::id(),
            u64::from_le_bytes(clock::random(&SystemEntropy)?)
        ));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(BASE64.encode(random).as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        linked.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
    }
    Ok(Secret::from(fs::read_to_string(path)?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_vars(vars.iter().map(|(name, value)| (name.into(), value.into())))
    }

    const SECRET: (&str, &str) = ("PORTCULLIS_SECRET", "0123456789abcdef0123456789abcdef");

    #[test]
    fn each_variable_sets_what_it_names() {
        let config = read(&[
            SECRET,
            ("PATH", "/bin"),
            ("PORTCULLIS_MODE", "development"),
            ("PORTCULLIS_ISSUER", "https://a.example"),
            ("PORTCULLIS_ALLOWED_ORIGINS", "https://b.example, https://c.example"),
            ("PORTCULLIS_ALGORITHM", "HS256"),
            ("PORTCULLIS_ACCESS_TTL", "60"),
            ("PORTCULLIS_ACCESS_COOKIE", "true"),
            ("PORTCULLIS_COOKIE_SAME_SITE", "lax"),
            ("PORTCULLIS_ARGON2_MEMORY_KIB", "65536"),
        ])
        .unwrap();
        assert_eq!(config.mode, Mode::Development);
        assert_eq!(config.issuer, "https://a.example");
        assert_eq!(config.allowed_origins, ["https://b.example", "https://c.example"]);
        assert_eq!(config.access.algorithm, Algorithm::Hs256);
        assert_eq!(config.access.ttl, Duration::from_secs(60));
        assert!(config.cookies.access_cookie);
        assert_eq!(config.cookies.same_site, SameSite::Lax);
        assert_eq!(config.password.memory_kib, 65536);
    }

    #[test]
    fn every_mistake_is_named_and_no_secret_shown() {
        let error = read(&[
            ("PORTCULLIS_SECRET", "hunter2"),
            ("PORTCULLIS_MODE", "staging"),
            ("PORTCULLIS_ACCESS_TTL", "soon"),
            ("PORTCULLIS_SECRT", "x"),
            ("PORTCULLIS_SIGNING_KEY_FILE", "nowhere.jwk"),
        ])
        .unwrap_err()
        .to_string();
        for named in ["secret:", "PORTCULLIS_MODE", "ACCESS_TTL", "PORTCULLIS_SECRT:", "nowhere.jwk"] {
            assert!(error.contains(named), "{named} in {error}");
        }
        assert!(!error.contains("hunter2"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_named_and_not_shown() {
        use std::os::unix::ffi::OsStringExt;
        let secret = OsString::from_vec(b"\xff top secret, and long enough for one".to_vec());
        let error = Config::from_vars([("PORTCULLIS_SECRET".into(), secret)]).unwrap_err().to_string();
        assert!(error.contains("PORTCULLIS_SECRET: its value is not text"), "{error}");
        assert!(!error.contains("top secret"));
    }

    #[test]
    fn production_does_not_start_without_a_secret() {
        let error = read(&[]).unwrap_err();
        assert_eq!(error.mistakes().len(), 1, "{error}");
        assert!(error.to_string().contains("PORTCULLIS_SECRET"));
    }

    #[test]
    fn a_secret_file_is_made_once_and_then_read() {
        let path = std::env::temp_dir()
            .join(format!("portcullis-{}", u64::from_le_bytes(clock::random(&SystemEntropy).unwrap())));
        let file = ("PORTCULLIS_SECRET_FILE", path.to_str().unwrap());
        let error = read(&[file]).unwrap_err().to_string();
        assert!(error.contains("PORTCULLIS_SECRET_FILE") && !path.exists(), "not in production: {error}");
        let development = ("PORTCULLIS_MODE", "development");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| read(&[file, development]).unwrap().secret)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| secret.expose() == secrets[0].expose()));
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        fs::remove_file(path).unwrap();
    }
}

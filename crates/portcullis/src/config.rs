//! Everything that can be set. Fields are public and their defaults safe; [`Auth::new`](crate::Auth::new)
//! checks them once and names every mistake.

mod environment;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_token::{Algorithm, SigningKey, VerifyingKey};

use crate::client::Client;
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config_error::ConfigError;
use crate::event::Event;
use crate::permission::Grants;
use crate::secret::Secret;

/// The settings of an [`Auth`](crate::Auth).
#[non_exhaustive]
#[derive(Clone)]
pub struct Config {
    /// Production, unless said otherwise.
    pub mode: Mode,
    /// The application secret, at least 32 bytes from a random generator. Refresh tokens are keyed with it and
    /// signing keys are encrypted under it, so every node has the same one, and a copy of the database is
    /// worthless without it.
    pub secret: Secret,
    /// Further secrets, whose refresh tokens and sealed keys are accepted: the previous one, or the one to come.
    pub accepted_secrets: Vec<Secret>,
    /// `iss` of every token: usually the application's public address.
    pub issuer: String,
    /// The public address of the routes, such as `https://app.example.org/auth`, for the metadata (RFC 8414): where it is
    /// not the issuer's. `https`, or `http` on the loopback host.
    pub base_url: Option<String>,
    /// `aud` of every token, demanded when one is presented.
    pub audience: String,
    /// Further names in `aud` of every token: the services that verify this application's tokens, each by the name that it
    /// demands. Each of them can use the token at all the others.
    pub further_audiences: Vec<String>,
    /// `client_id` of every token (RFC 9068 §2.2).
    pub client_id: String,
    /// The programs that may ask whether a token is good (RFC 7662), and take back their own (RFC 7009).
    pub clients: Vec<Client>,
    /// Web origins, besides the application's own, whose pages may send state-changing requests:
    /// `https://app.example.org`, without a path.
    pub allowed_origins: Vec<String>,
    /// How long another node's revocation may remain unknown here. At most this long after a session was
    /// ended elsewhere, its tokens are refused here too.
    pub max_staleness: Duration,
    /// How long a request's body may take to arrive: 30 seconds, then the answer is 408.
    pub body_timeout: Duration,
    /// Access tokens.
    pub access: AccessConfig,
    /// How signing keys of our own making are rotated.
    pub keys: KeysConfig,
    /// Sessions and their refresh tokens.
    pub session: SessionConfig,
    /// Cookies.
    pub cookies: CookieConfig,
    /// Passwords and their hashes.
    pub password: PasswordConfig,
    /// A signing key of your own, which is not rotated. Without one, a key is made at the first start, kept in the store,
    /// sealed, and rotated.
    pub signing_key: Option<SigningKey>,
    /// Keys whose tokens are accepted besides: those that came before a signing key of your own.
    pub also_verify: Vec<VerifyingKey>,
    /// Is told of every event after it was stored. Must not block.
    pub listener: Option<Listener>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What the application does when it hears of an event.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Where the application runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Cookies are `Secure` and bear their prefix, whatever the transport: for everything that others reach.
    #[default]
    Production,
    /// For plain HTTP on the loopback address: cookies lose `Secure` and the `__Host-` prefix, and the log says so.
    Development,
}

/// Access tokens.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// How long one lives: 15 minutes.
    pub ttl: Duration,
    /// With what a key of our own making signs. After a change the next key is published at once and signs after
    /// [`KeysConfig::publish_ahead`]. It must be the same on every node, or they replace each other's keys.
    pub algorithm: Algorithm,
    /// How far another node's clock may be ahead: 60 seconds. `exp` is never stretched.
    pub clock_skew: Duration,
    /// Every permission there is. With them in a list a permission takes one bit of a token and not its name. The order
    /// counts: append, and take nothing out.
    pub permissions: Vec<String>,
    /// What each role may do.
    pub grants: BTreeMap<String, Vec<String>>,
    /// How many bytes are used to remember tokens that verified, so that the next request with one costs a look-up:
    /// 16 MiB; 0 remembers none.
    pub cache_bytes: usize,
}

/// How signing keys of our own making are rotated.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct KeysConfig {
    /// How long a key signs: 30 days. `None` for a key that is rotated by hand alone.
    pub rotate_every: Option<Duration>,
    /// How long a key is published before it signs: 24 hours, and at least 10 minutes. Services that verify with the
    /// published keys may keep them for five minutes, and some for longer.
    pub publish_ahead: Duration,
}

/// Sessions and their refresh tokens.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// How long a session lives without a refresh: 7 days. Each refresh starts it anew.
    pub idle: Duration,
    /// How long it lives at the most: 30 days.
    pub absolute: Duration,
    /// How long the refresh token before the live one is still answered, with the live one: 10 seconds. Covers
    /// tabs that refresh at once and answers that were lost.
    pub grace: Duration,
}

/// Cookies.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct CookieConfig {
    /// The name of the refresh token's cookie.
    pub refresh_name: String,
    /// The name of the access token's cookie.
    pub access_name: String,
    /// Whether the access token is set in a cookie too, and accepted from it. Off: a script sends it in the
    /// `Authorization` header.
    pub access_cookie: bool,
    /// `Domain`; without it the cookie goes to this host alone, which `__Host-` demands.
    pub domain: Option<String>,
    /// `Path`; `__Host-` demands `/`.
    pub path: String,
    /// `SameSite`.
    pub same_site: SameSite,
}

/// `SameSite` of a cookie (RFC 6265bis §5.6.7). `None` is not offered: it invites every other site.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Sent only from our own pages.
    #[default]
    Strict,
    /// Sent also when somebody follows a link to us.
    Lax,
}

/// Passwords and their hashes. The default cost is OWASP's: 19 MiB, two passes, one lane.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct PasswordConfig {
    /// How many characters a password needs: 8. NIST SP 800-63B-4 asks for 15 where it is the only factor.
    pub min_length: usize,
    /// How many bytes it may have: 1024, only to bound the work.
    pub max_bytes: usize,
    /// Allows the most common passwords and the address itself, which are the first that are guessed.
    pub danger_common_passwords: bool,
    /// Allows Argon2id to cost less than OWASP's minimum, so that whoever gets hold of the hashes guesses faster. For
    /// tests, which hash nobody's password.
    pub danger_weak_hashes: bool,
    /// Argon2id memory in KiB for each hashing thread.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub iterations: u32,
    /// Argon2id lanes.
    pub lanes: u32,
    /// How many hashes are made at once: as many as there are cores.
    pub threads: usize,
    /// How many may wait; the next one is answered 503 with `Retry-After`.
    pub queue: usize,
}

impl Config {
    /// Safe defaults under that secret.
    pub fn new(secret: impl Into<Secret>) -> Self {
        Self {
            mode: Mode::Production,
            secret: secret.into(),
            accepted_secrets: Vec::new(),
            issuer: "portcullis".to_owned(),
            base_url: None,
            audience: "portcullis".to_owned(),
            further_audiences: Vec::new(),
            client_id: "portcullis".to_owned(),
            clients: Vec::new(),
            allowed_origins: Vec::new(),
            max_staleness: Duration::from_secs(2),
            body_timeout: Duration::from_secs(30),
            access: AccessConfig::default(),
            keys: KeysConfig::default(),
            session: SessionConfig::default(),
            cookies: CookieConfig::default(),
            password: PasswordConfig::default(),
            signing_key: None,
            also_verify: Vec::new(),
            listener: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Names every mistake.
    ///
    /// # Errors
    /// If there is one.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        let mut expect = |right: bool, mistake: &str| {
            if !right {
                mistakes.push(mistake.to_owned());
            }
        };
        let accepted = self.accepted_secrets.iter().map(|secret| ("accepted_secrets", secret));
        for (field, secret) in std::iter::once(("secret", &self.secret)).chain(accepted) {
            let secret = secret.expose().as_bytes();
            expect(
                secret.len() >= MIN_SECRET,
                &format!("{field}: needs at least 32 bytes, e.g. from `openssl rand -base64 32`"),
            );
            expect(
                secret.len() < MIN_SECRET || distinct(secret) >= 8,
                &format!("{field}: repeats a few characters; take one from a random generator"),
            );
        }
        expect(!self.issuer.is_empty(), "issuer: must not be empty");
        expect(!self.audience.is_empty(), "audience: must not be empty");
        expect(
            self.further_audiences.iter().all(|name| !name.is_empty() && *name != self.audience),
            "further_audiences: none may be empty, or the audience itself",
        );
        let algorithm = self.signing_key.as_ref().map_or(self.access.algorithm, SigningKey::algorithm);
        expect(
            self.further_audiences.is_empty() || !algorithm.is_symmetric(),
            "further_audiences: services can only verify what is signed with a key that can be published; take EdDSA or ES256",
        );
        expect(!self.client_id.is_empty(), "client_id: must not be empty");
        expect(
            self.base_url.as_deref().is_none_or(|url| address(url).is_some()),
            "base_url: must be https://host[/path], or http on the loopback host, and end without `/`",
        );
        expect(
            self.base_url.is_none() || self.issuer_path().is_some(),
            "base_url: is of no use while the issuer is no such address (RFC 8414 §2)",
        );
        Client::check(&self.clients, &mut expect);
        for origin in &self.allowed_origins {
            expect(
                is_origin(origin),
                &format!(
                    "allowed_origins: `{origin}` is not scheme://host[:port] in lower case without a path"
                ),
            );
        }
        let second = Duration::from_secs(1);
        expect(self.body_timeout > Duration::ZERO, "body_timeout: must not be nothing");
        expect(self.access.ttl >= second, "access.ttl: must be at least a second");
        expect(self.access.ttl <= DAY, "access.ttl: must be at most a day; sessions are what lasts");
        expect(self.session.idle >= self.access.ttl, "session.idle: must not be shorter than access.ttl");
        expect(
            self.session.absolute >= self.session.idle,
            "session.absolute: must not be shorter than session.idle",
        );
        expect(
            self.session.absolute <= 400 * DAY,
            "session.absolute: browsers forget cookies after 400 days",
        );
        expect(
            self.session.grace <= Duration::from_secs(60),
            "session.grace: must be at most 60 seconds; a thief is not noticed within it",
        );
        expect(
            self.max_staleness <= self.access.ttl,
            "max_staleness: must not be longer than access.ttl, or nothing is revoked in time",
        );
        expect(
            self.access.clock_skew <= CLOCK_MARGIN,
            "access.clock_skew: must be at most 5 minutes; that long a revocation outlives the last token",
        );
        let kids = self.also_verify.iter().map(VerifyingKey::kid);
        let kids: Vec<_> = kids.chain(self.signing_key.as_ref().map(SigningKey::kid)).collect();
        expect(distinct(&kids) == kids.len(), "also_verify: two keys have one id, or that of signing_key");
        self.keys.check(&mut expect);
        self.cookies.check(&mut expect);
        self.password.check(&mut expect);
        if let Err(ConfigError(more)) = Grants::new(&self.access) {
            mistakes.extend(more);
        }
        ConfigError::unless_empty(mistakes)
    }

    /// The public address of the routes, if the issuer is an address.
    pub(crate) fn public_address(&self) -> Option<&str> {
        self.issuer_path()?;
        Some(self.base_url.as_deref().unwrap_or(&self.issuer))
    }

    /// What stands behind the host in the issuer, if it is an address.
    pub(crate) fn issuer_path(&self) -> Option<&str> {
        address(&self.issuer)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mode", &self.mode)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("allowed_origins", &self.allowed_origins)
            .field("access", &self.access)
            .field("keys", &self.keys)
            .field("session", &self.session)
            .field("cookies", &self.cookies)
            .field("password", &self.password)
            .finish_non_exhaustive()
    }
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15 * 60),
            algorithm: Algorithm::EdDsa,
            clock_skew: Duration::from_secs(60),
            permissions: Vec::new(),
            grants: BTreeMap::new(),
            cache_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self { rotate_every: Some(30 * DAY), publish_ahead: DAY }
    }
}

impl KeysConfig {
    fn check(&self, expect: &mut impl FnMut(bool, &str)) {
        expect(
            self.publish_ahead >= Duration::from_secs(10 * 60),
            "keys.publish_ahead: must be at least 10 minutes, or services that verify meet keys they do not know",
        );
        expect(
            self.rotate_every.is_none_or(|every| every > self.publish_ahead),
            "keys.rotate_every: must be longer than keys.publish_ahead",
        );
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle: 7 * DAY, absolute: 30 * DAY, grace: Duration::from_secs(10) }
    }
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            refresh_name: "__Host-portcullis-refresh".to_owned(),
            access_name: "__Host-portcullis-access".to_owned(),
            access_cookie: false,
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::Strict,
        }
    }
}

impl CookieConfig {
    fn check(&self, expect: &mut impl FnMut(bool, &str)) {
        for (field, name) in [("refresh_name", &self.refresh_name), ("access_name", &self.access_name)] {
            expect(
                !name.is_empty() && name.bytes().all(is_token),
                &format!("cookies.{field}: `{name}` is not a cookie name"),
            );
            expect(
                !name.starts_with("__Host-") || self.domain.is_none() && self.path == "/",
                &format!(
                    "cookies.{field}: `__Host-` allows no Domain and only the Path `/`; use `__Secure-`"
                ),
            );
        }
        expect(
            without_prefix(&self.refresh_name) != without_prefix(&self.access_name),
            "cookies: the two names must differ, also without their prefix",
        );
        expect(
            self.path.starts_with('/')
                && self.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';'),
            "cookies.path: must start with `/` and hold no blank and no `;`",
        );
        expect(
            self.domain.as_deref().is_none_or(is_cookie_domain),
            "cookies.domain: must be a host name of at least two labels, without scheme, port or leading dot",
        );
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            min_length: 8,
            max_bytes: 1024,
            danger_common_passwords: false,
            danger_weak_hashes: false,
            memory_kib: 19 * 1024,
            iterations: 2,
            lanes: 1,
            threads: std::thread::available_parallelism().map_or(2, usize::from).min(MAX_THREADS),
            queue: 256,
        }
    }
}

impl PasswordConfig {
    fn check(&self, expect: &mut impl FnMut(bool, &str)) {
        expect(self.min_length >= 8, "password.min_length: must be at least 8");
        expect(
            (64.max(self.min_length)..=4096).contains(&self.max_bytes),
            "password.max_bytes: must be 64 to 4096 and hold the shortest password allowed",
        );
        expect(
            (1..=16).contains(&self.lanes) && self.memory_kib >= 8 * self.lanes && self.iterations >= 1,
            "password: Argon2id needs a pass, 1 to 16 lanes and 8 KiB of memory for each lane",
        );
        let enough =
            |&(memory_kib, iterations)| self.memory_kib >= memory_kib && self.iterations >= iterations;
        expect(
            self.danger_weak_hashes || LEAST_COST.iter().any(enough),
            "password: Argon2id costs less than OWASP's minimum, e.g. 19456 KiB with 2 iterations",
        );
        expect(self.memory_kib <= 4 * 1024 * 1024, "password.memory_kib: must be at most 4 GiB");
        expect((1..=MAX_THREADS).contains(&self.threads), "password.threads: must be 1 to 64");
        expect(self.queue >= 1, "password.queue: must be at least 1");
    }
}

/// A cookie's name as it is in development: browsers refuse the prefixes on cookies that are not `Secure`.
pub(crate) fn without_prefix(name: &str) -> &str {
    name.strip_prefix("__Host-").or_else(|| name.strip_prefix("__Secure-")).unwrap_or(name)
}

/// A byte of an RFC 9110 §5.6.2 token.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_cookie_domain(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// Whether the text is an origin in the form in which browsers send it (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let (Some(scheme @ ("https" | "http")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    plain && !text.contains('*') && text == format!("{scheme}://{authority}").to_ascii_lowercase()
}

/// The path of an address that others can reach us at: `https`, or `http` on the loopback host; neither query nor
/// fragment (RFC 8414 §2), and nothing that would be written otherwise somewhere else.
fn address(text: &str) -> Option<&str> {
    let uri: http::Uri = text.parse().ok()?;
    let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let path = text.strip_prefix(&origin)?;
    let host = uri.host()?;
    let reachable = match uri.scheme_str()? {
        "https" => true,
        "http" => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    };
    let plain = is_origin(&origin) && !path.ends_with('/') && !path.contains("//");
    let plain = plain && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    (reachable && plain && !path.split('/').any(|part| part == "." || part == "..")).then_some(path)
}

fn distinct<T: Eq + std::hash::Hash>(all: &[T]) -> usize {
    all.iter().collect::<std::collections::HashSet<_>>().len()
}

const MIN_SECRET: usize = 32;
const MAX_THREADS: usize = 64;

/// KiB and iterations that OWASP's password storage cheat sheet holds for equally strong.
const LEAST_COST: [(u32, u32); 5] = [(47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5)];
/// How much longer than the last token of a session its revocation is remembered: clocks differ and step back.
pub(crate) const CLOCK_MARGIN: Duration = Duration::from_secs(5 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_mistake() {
        assert_eq!(Config::new("0123456789abcdef0123456789abcdef").check(), Ok(()));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mut config = Config::new("short");
        config.issuer = String::new();
        config.allowed_origins = vec!["https://app.example.org/".into(), "https://ok.example.org".into()];
        config.access.ttl = Duration::ZERO;
        config.session.grace = Duration::from_secs(3600);
        config.accepted_secrets = vec!["a".repeat(32).into()];
        config.keys.publish_ahead = Duration::from_secs(60);
        config.keys.rotate_every = Some(Duration::from_secs(60));
        config.cookies.domain = Some("example.org".into());
        config.password.min_length = 4;
        let mistakes = config.check().unwrap_err().mistakes().join("\n");
        for named in [
            "secret: needs",
            "accepted_secrets: repeats",
            "issuer",
            "org/`",
            "access.ttl",
            "keys.publish_ahead",
            "keys.rotate_every",
            "session.grace",
            "__Host-",
            "min_length",
        ] {
            assert!(mistakes.contains(named), "{named} in\n{mistakes}");
        }
        assert!(!mistakes.contains("ok.example.org"));
    }

    #[test]
    fn two_keys_of_one_id_are_refused() {
        let key = |seed| SigningKey::ed25519(&[seed; 32]).unwrap();
        let mut config = Config::new("0123456789abcdef0123456789abcdef");
        config.signing_key = Some(key(1));
        config.also_verify = vec![key(2).verifying().clone(), key(3).verifying().clone()];
        assert_eq!(config.check(), Ok(()));
        config.also_verify.push(key(1).verifying().clone());
        assert!(config.check().unwrap_err().to_string().contains("also_verify"));
    }

    #[test]
    fn a_wrong_prefix_path_domain_or_origin_is_refused() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::new("0123456789abcdef0123456789abcdef");
            change(&mut config);
            config.check().is_err()
        };
        assert!(with(|c| c.cookies.path = "/auth".into()), "__Host- with a path");
        assert!(with(|c| c.cookies.refresh_name = "a b".into()));
        assert!(with(|c| c.cookies.refresh_name = "x=y".into()));
        assert!(with(|c| c.cookies.access_name = c.cookies.refresh_name.clone()));
        for domain in ["localhost", ".example.org", "https://example.org", "example.org:80", "exa mple.org"] {
            let mut config = Config::new("0123456789abcdef0123456789abcdef");
            config.cookies.refresh_name = "__Secure-refresh".into();
            config.cookies.access_name = "__Secure-access".into();
            config.cookies.domain = Some(domain.into());
            assert!(config.check().is_err(), "{domain}");
        }
        for origin in [
            "*",
            "null",
            "https://*.example.org",
            "example.org",
            "https://a@b.org",
            "HTTPS://b.org",
            "ftp://b.org",
        ] {
            assert!(!is_origin(origin), "{origin}");
        }
        assert!(is_origin("http://localhost:5173") && is_origin("https://app.example.org"));
    }
}

//! What can be set of a [`Verifier`](super::Verifier).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_token::{KeySet, PermissionRegistry};

use super::source::JwksSource;
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};

/// The settings of a [`Verifier`](super::Verifier).
#[non_exhaustive]
#[derive(Clone)]
pub struct VerifierConfig {
    /// The `iss` of every token.
    pub issuer: String,
    /// The name of this service, which every token must have among its `aud`.
    pub audience: String,
    /// The keys that sign the tokens.
    pub keys: KeySource,
    /// What permissions in tokens are numbers in, for keys that were given: the issuer's `access.permissions`. Fetched keys
    /// bring it along.
    pub permissions: Option<PermissionRegistry>,
    /// How far the issuer's clock may be ahead: 60 seconds. `exp` is never stretched.
    pub clock_skew: Duration,
    /// How many bytes are used to remember tokens that verified, so that the next request with one costs a look-up:
    /// 16 MiB; 0 remembers none.
    pub cache_bytes: usize,
    /// How old fetched keys may become before they are fetched anew, beside the requests: 5 minutes. So long may a key
    /// that the issuer withdrew still be accepted here; after twice as long without a request, the next one waits for them.
    pub refresh_after: Duration,
    /// How old they may become if the issuer does not answer: 24 hours, by when the last token that was signed before
    /// the outage is dead. After that no token is accepted, and requests are answered 500.
    ///
    /// Whoever stole a key and can keep this service from hearing that it was withdrawn is believed for as long.
    pub max_stale: Duration,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Where the keys come from.
#[non_exhaustive]
#[derive(Clone)]
pub enum KeySource {
    /// Given once and for all.
    Given(KeySet),
    /// Fetched from the issuer, and again when it is time to.
    Fetched(Arc<dyn JwksSource>),
}

impl VerifierConfig {
    /// Safe defaults for the tokens of that issuer for that audience.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySource) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys,
            permissions: None,
            clock_skew: Duration::from_secs(60),
            cache_bytes: 16 * 1024 * 1024,
            refresh_after: Duration::from_secs(5 * 60),
            max_stale: Duration::from_secs(24 * 60 * 60),
            clock: Arc::new(SystemClock),
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
        expect(!self.issuer.is_empty(), "issuer: must not be empty");
        expect(!self.audience.is_empty(), "audience: must not be empty");
        expect(self.clock_skew <= Duration::from_secs(5 * 60), "clock_skew: must be at most 5 minutes");
        expect(
            (Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60)).contains(&self.refresh_after),
            "refresh_after: must be a second to a day",
        );
        expect(
            self.max_stale >= self.refresh_after,
            "max_stale: must not be shorter than refresh_after, or keys are dropped before new ones are fetched",
        );
        if let KeySource::Given(set) = &self.keys {
            expect(!set.is_empty(), "keys: there is none");
        }
        ConfigError::unless_empty(mistakes)
    }
}

impl fmt::Debug for VerifierConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("refresh_after", &self.refresh_after)
            .field("max_stale", &self.max_stale)
            .finish_non_exhaustive()
    }
}

impl From<KeySet> for KeySource {
    fn from(set: KeySet) -> Self {
        KeySource::Given(set)
    }
}

impl<S: JwksSource + 'static> From<S> for KeySource {
    fn from(source: S) -> Self {
        KeySource::Fetched(Arc::new(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Never;

    impl JwksSource for Never {
        fn fetch(&self, _: super::super::Delivery) {}
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mut config = VerifierConfig::new("", "", Never.into());
        config.refresh_after = Duration::ZERO;
        config.clock_skew = Duration::from_secs(3600);
        let mistakes = config.check().unwrap_err().mistakes().join("\n");
        for named in ["issuer", "audience", "refresh_after", "clock_skew"] {
            assert!(mistakes.contains(named), "{named} in\n{mistakes}");
        }
        config.refresh_after = Duration::from_secs(60);
        config.max_stale = Duration::from_secs(59);
        assert!(config.check().unwrap_err().to_string().contains("max_stale"));
    }

    #[test]
    fn the_defaults_have_no_mistake() {
        assert_eq!(VerifierConfig::new("https://issuer.example", "notes", Never.into()).check(), Ok(()));
    }
}

//! A verifier's settings as environment variables.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::sync::Arc;

use portcullis_token::KeySet;

use super::config::{KeySource, VerifierConfig};
use super::source::JwksSource;
use crate::ConfigError;
use crate::vars::Vars;

/// Where the environment says that the issuer's keys are.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksAddress {
    /// The address of the key set.
    pub url: String,
    /// The certificates, in PEM, of those who may vouch for its server; none: the usual public ones.
    pub authorities: Option<String>,
}

impl VerifierConfig {
    /// Reads the environment; `source` makes of an address what fetches from there.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `PORTCULLIS_ISSUER` | `iss` of the tokens | none |
    /// | `PORTCULLIS_AUDIENCE` | the name of this service, among the `aud` of the tokens | none |
    /// | `PORTCULLIS_JWKS_URL` | where the issuer publishes its keys | none |
    /// | `PORTCULLIS_JWKS_CA_FILE` | certificates in PEM that vouch for that server | the public ones |
    /// | `PORTCULLIS_JWKS_FILE` | instead of both: a file with the keys | none |
    /// | `PORTCULLIS_JWKS_REFRESH_AFTER` | seconds until keys are fetched anew | `300` |
    /// | `PORTCULLIS_JWKS_MAX_STALE` | seconds that they count if the issuer does not answer | `86400` |
    /// | `PORTCULLIS_CLOCK_SKEW` | seconds that the issuer's clock may be ahead | `60` |
    /// | `PORTCULLIS_TOKEN_CACHE_BYTES` | bytes for tokens that verified before, 0 for none | `16777216` |
    ///
    /// # Errors
    /// All mistakes at once, a misspelt `PORTCULLIS_` name among them.
    pub fn from_env<E: Display>(
        source: impl FnOnce(JwksAddress) -> Result<Arc<dyn JwksSource>, E>,
    ) -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os(), source)
    }

    /// Reads variables from anywhere else; the last of one name counts. What does not begin with
    /// `PORTCULLIS_` is left alone.
    ///
    /// # Errors
    /// As [`VerifierConfig::from_env`].
    pub fn from_vars<E: Display>(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
        source: impl FnOnce(JwksAddress) -> Result<Arc<dyn JwksSource>, E>,
    ) -> Result<Self, ConfigError> {
        let mut vars = Vars::new(vars);
        let issuer = vars.needed("PORTCULLIS_ISSUER");
        let audience = vars.needed("PORTCULLIS_AUDIENCE");
        let keys = vars.keys(source);
        // Without keys there is a mistake already, and what is made here is not handed out.
        let mut config =
            VerifierConfig::new(issuer, audience, keys.unwrap_or(KeySource::Fetched(Arc::new(Nowhere))));
        vars.seconds("PORTCULLIS_JWKS_REFRESH_AFTER", &mut config.refresh_after);
        vars.seconds("PORTCULLIS_JWKS_MAX_STALE", &mut config.max_stale);
        vars.seconds("PORTCULLIS_CLOCK_SKEW", &mut config.clock_skew);
        vars.value("PORTCULLIS_TOKEN_CACHE_BYTES", &mut config.cache_bytes);
        let mut mistakes = vars.mistakes_and_strangers();
        if let Err(ConfigError(more)) = config.check() {
            // Those that are missing were named already, as variables.
            let unnamed =
                |mistake: &String| !mistake.starts_with("issuer") && !mistake.starts_with("audience");
            mistakes.extend(more.into_iter().filter(unnamed));
        }
        ConfigError::unless_empty(mistakes)?;
        Ok(config)
    }
}

impl Vars {
    fn needed(&mut self, name: &str) -> String {
        self.take(name).unwrap_or_else(|| {
            self.mistakes.push(format!("{name}: missing"));
            String::new()
        })
    }

    fn keys<E: Display>(
        &mut self,
        source: impl FnOnce(JwksAddress) -> Result<Arc<dyn JwksSource>, E>,
    ) -> Option<KeySource> {
        let file = self.file("PORTCULLIS_JWKS_FILE");
        let authorities = self.file("PORTCULLIS_JWKS_CA_FILE");
        match (self.take("PORTCULLIS_JWKS_URL"), file) {
            (Some(url), None) => source(JwksAddress { url, authorities })
                .map(KeySource::Fetched)
                .map_err(|error| self.mistakes.push(format!("PORTCULLIS_JWKS_URL: {error}")))
                .ok(),
            (None, Some(json)) => KeySet::from_json(&json)
                .map(KeySource::Given)
                .map_err(|error| self.mistakes.push(format!("PORTCULLIS_JWKS_FILE: {error}")))
                .ok(),
            _ => {
                let mistake = "PORTCULLIS_JWKS_URL: give the address of the issuer's keys, or a file with them in \
                               PORTCULLIS_JWKS_FILE, and not both";
                self.mistakes.push(mistake.to_owned());
                None
            }
        }
    }

    /// What the file holds that the variable names.
    fn file(&mut self, name: &str) -> Option<String> {
        let path = self.take(name)?;
        fs::read_to_string(&path).map_err(|error| self.mistakes.push(format!("{name}: {path}: {error}"))).ok()
    }
}

/// Stands where no source could be made.
struct Nowhere;

impl JwksSource for Nowhere {
    fn fetch(&self, _: super::source::Delivery) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: [(&str, &str); 3] = [
        ("PORTCULLIS_ISSUER", "https://issuer.example"),
        ("PORTCULLIS_AUDIENCE", "orders"),
        ("PORTCULLIS_JWKS_URL", "https://issuer.example/jwks.json"),
    ];

    fn read(vars: &[(&str, &str)]) -> Result<(VerifierConfig, Option<JwksAddress>), ConfigError> {
        let mut address = None;
        let vars = vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let config = VerifierConfig::from_vars(vars, |given| {
            address = Some(given);
            Ok::<_, String>(Arc::new(Nowhere))
        });
        config.map(|config| (config, address))
    }

    #[test]
    fn every_setting_is_read() {
        let more =
            [("PORTCULLIS_JWKS_REFRESH_AFTER", "60"), ("PORTCULLIS_TOKEN_CACHE_BYTES", "0"), ("HOME", "/")];
        let (config, address) = read(&[&NEEDED[..], &more].concat()).unwrap();
        assert_eq!((config.issuer.as_str(), config.audience.as_str()), ("https://issuer.example", "orders"));
        assert_eq!((config.refresh_after.as_secs(), config.cache_bytes), (60, 0));
        assert_eq!(address.unwrap().url, "https://issuer.example/jwks.json");
    }

    #[test]
    fn every_mistake_is_named_once() {
        let vars = [
            ("PORTCULLIS_AUDIENC", "x"),
            ("PORTCULLIS_CLOCK_SKEW", "soon"),
            ("PORTCULLIS_JWKS_CA_FILE", "nowhere.pem"),
        ];
        let error = read(&vars).unwrap_err();
        for named in [
            "PORTCULLIS_ISSUER: missing",
            "PORTCULLIS_AUDIENCE: missing",
            "AUDIENC:",
            "SKEW",
            "JWKS_URL",
            "nowhere.pem",
        ] {
            assert_eq!(error.to_string().matches(named).count(), 1, "{named} in {error}");
        }
        assert_eq!(error.mistakes().len(), 6, "{error}");
    }
}

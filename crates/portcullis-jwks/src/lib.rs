#![doc = include_str!("../README.md")]

mod http;

use std::fmt;
use std::sync::Arc;

use portcullis::verifier::{JwksAddress, JwksSource, KeySource};
use portcullis::{ConfigError, Verifier, VerifierConfig};

pub use http::{AddressError, HttpJwks, HttpJwksConfig};

/// A verifier of the tokens of `issuer` for `audience`, whose keys are fetched from `jwks_url`, with the defaults of
/// [`VerifierConfig`] and [`HttpJwksConfig`].
///
/// # Errors
/// An address that keys must not be fetched from, and what [`VerifierConfig::check`] names.
pub fn verifier(issuer: &str, audience: &str, jwks_url: &str) -> Result<Verifier, SetupError> {
    let source = KeySource::from(HttpJwks::new(jwks_url)?);
    Ok(Verifier::new(VerifierConfig::new(issuer, audience, source))?)
}

/// A verifier as the environment says; the table of variables stands at [`VerifierConfig::from_env`].
///
/// # Errors
/// All mistakes at once.
pub fn verifier_from_env() -> Result<Verifier, ConfigError> {
    Verifier::new(VerifierConfig::from_env(source)?)
}

/// What fetches from an address, as [`VerifierConfig::from_env`] and [`VerifierConfig::from_vars`] ask for it.
///
/// # Errors
/// An address that keys must not be fetched from, or certificates that are none.
pub fn source(address: JwksAddress) -> Result<Arc<dyn JwksSource>, AddressError> {
    let config = HttpJwksConfig { authorities: address.authorities, ..HttpJwksConfig::default() };
    Ok(Arc::new(HttpJwks::with(&address.url, config)?))
}

/// Why there is no verifier.
#[non_exhaustive]
pub enum SetupError {
    /// Keys must not be fetched from there.
    Address(AddressError),
    /// The configuration has mistakes; all are named.
    Config(ConfigError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Address(error) => error.fmt(f),
            SetupError::Config(error) => error.fmt(f),
        }
    }
}

/// `main` prints its error with `Debug`; a person reads it.
impl fmt::Debug for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SetupError {}

impl From<AddressError> for SetupError {
    fn from(error: AddressError) -> Self {
        SetupError::Address(error)
    }
}

impl From<ConfigError> for SetupError {
    fn from(error: ConfigError) -> Self {
        SetupError::Config(error)
    }
}

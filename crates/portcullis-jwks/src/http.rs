//! One GET, in a thread of its own, that believes nothing of the other side.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use portcullis::Fault;
use portcullis::verifier::{Delivery, JwksSource, MAX_JWKS};
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// Fetches a key set over HTTPS. Each fetch is a thread of its own, so it works under every executor, and without one.
#[derive(Clone)]
pub struct HttpJwks {
    agent: Agent,
    url: Uri,
}

/// How a key set is fetched.
#[derive(Debug, Clone)]
pub struct HttpJwksConfig {
    /// How long connecting may take, TLS included: 3 seconds.
    pub connect_timeout: Duration,
    /// How long all of it may take: 5 seconds.
    pub timeout: Duration,
    /// The certificates, in PEM, of those who may vouch for the server, and no others; `None`: the usual public ones
    /// (Mozilla's list).
    pub authorities: Option<String>,
    /// Fetches over plain HTTP from any host, not only the loopback one. Whoever can alter what is under way then
    /// gives this service keys of their own and signs in as anybody.
    pub danger_allow_http: bool,
}

/// Why keys are not fetched from an address.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an absolute address with a host.
    #[error("`{0}` is not an address such as https://issuer.example/auth/.well-known/jwks.json")]
    Malformed(String),
    /// Plain HTTP to another machine, or another scheme.
    #[error("keys are fetched over https; http is for the loopback host alone")]
    Insecure,
    /// The address holds a user name or password, which would be logged.
    #[error("the address must not hold a user name or password")]
    Userinfo,
    /// The certificates cannot be read, or there is none.
    #[error("no certificate in PEM can be read from the authorities given")]
    Authorities,
}

impl Default for HttpJwksConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(5),
            authorities: None,
            danger_allow_http: false,
        }
    }
}

impl HttpJwks {
    /// Fetches from that address, with the defaults.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn new(url: &str) -> Result<Self, AddressError> {
        Self::with(url, HttpJwksConfig::default())
    }

    /// Fetches from that address.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn with(url: &str, config: HttpJwksConfig) -> Result<Self, AddressError> {
        let url = address(url, config.danger_allow_http)?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            // Named here, so that what the rest of the program made rustls's default, if anything, does not matter.
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .root_certs(authorities(config.authorities.as_deref())?)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(config.connect_timeout))
            .timeout_global(Some(config.timeout))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent(concat!("portcullis-jwks/", env!("CARGO_PKG_VERSION")))
            .accept("application/jwk-set+json, application/json")
            .build()
            .new_agent();
        Ok(Self { agent, url })
    }

    fn get(&self) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let mut response = self.agent.get(&self.url).call()?;
        // A redirect too: keys come from where the operator said.
        if response.status() != StatusCode::OK {
            return Err(format!("{} answers {}", self.url, response.status()).into());
        }
        let limit = u64::try_from(MAX_JWKS).unwrap_or(u64::MAX);
        Ok(response.body_mut().with_config().limit(limit).read_to_vec()?.into())
    }
}

impl JwksSource for HttpJwks {
    fn fetch(&self, delivery: Delivery) {
        let source = self.clone();
        let fetch = move || {
            let document = source.get();
            delivery.done(document.map_err(|error| Fault::new("fetching the issuer's keys", error)));
        };
        // Without a thread the delivery is dropped, which says that the fetch has failed.
        drop(thread::Builder::new().name("portcullis-jwks".to_owned()).spawn(fetch));
    }
}

impl fmt::Debug for HttpJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpJwks").field(&self.url).finish()
    }
}

fn address(text: &str, allow_http: bool) -> Result<Uri, AddressError> {
    // Before anything else, since what is malformed is shown.
    if text.contains('@') {
        return Err(AddressError::Userinfo);
    }
    let malformed = || AddressError::Malformed(text.to_owned());
    let url: Uri = text.parse().map_err(|_| malformed())?;
    let authority = url.authority().ok_or_else(malformed)?;
    if authority.as_str().contains('@') {
        return Err(AddressError::Userinfo);
    }
    let host = url.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
    match url.scheme_str() {
        Some("https") => Ok(url),
        Some("http") if allow_http || matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(url),
        _ => Err(AddressError::Insecure),
    }
}

fn authorities(pem: Option<&str>) -> Result<RootCerts, AddressError> {
    let Some(pem) = pem else { return Ok(RootCerts::WebPki) };
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| AddressError::Authorities)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(AddressError::Authorities) } else { Ok(certificates.into_iter().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_over_https_and_over_http_from_the_loopback_host_alone() {
        for (url, allowed) in [
            ("https://issuer.example/jwks.json", Ok(())),
            ("http://127.0.0.1:3000/jwks.json", Ok(())),
            ("http://localhost/jwks.json", Ok(())),
            ("http://[::1]:3000/jwks.json", Ok(())),
            ("http://issuer.example/jwks.json", Err(AddressError::Insecure)),
            ("http://127.0.0.1.evil.example/jwks.json", Err(AddressError::Insecure)),
            ("http://localhost.evil.example/jwks.json", Err(AddressError::Insecure)),
            ("http://localhost@evil.example/jwks.json", Err(AddressError::Userinfo)),
            ("https://user:password@issuer.example/", Err(AddressError::Userinfo)),
            ("ftp://issuer.example/", Err(AddressError::Insecure)),
            ("file:///etc/passwd", Err(AddressError::Malformed("file:///etc/passwd".into()))),
            ("/jwks.json", Err(AddressError::Malformed("/jwks.json".into()))),
            ("", Err(AddressError::Malformed(String::new()))),
        ] {
            assert_eq!(address(url, false).map(drop), allowed, "{url}");
        }
        assert!(address("http://issuer.example/", true).is_ok());
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        for pem in ["", "rubbish", "-----BEGIN CERTIFICATE-----\n"] {
            let config = HttpJwksConfig { authorities: Some(pem.into()), ..HttpJwksConfig::default() };
            let refused = HttpJwks::with("https://issuer.example/", config).map(drop);
            assert_eq!(refused, Err(AddressError::Authorities), "{pem}");
        }
    }
}

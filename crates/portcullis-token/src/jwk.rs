//! JSON Web Keys (RFC 7517), as far as the algorithms here need them.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::strict;

/// One key as JSON: its names, and the numbers that it is made of in base64url. The private ones (`d`, `p`, `q`,
/// `dp`, `dq`, `qi`, `k`) are secret: `Debug` hides them and dropping the value wipes them.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
pub struct Jwk {
    /// Key type: `OKP` (RFC 8037), `EC`, `RSA` or `oct` (RFC 7518 §6).
    pub kty: String,
    /// Key id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm that the key is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What the key is for; only `sig` is accepted.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The operations allowed, each once; `sign` or `verify` must be among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// The curve: `Ed25519`, `P-256` or `P-384`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The public key of an `OKP` key, or the first coordinate of an `EC` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The second coordinate of an `EC` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The modulus of an `RSA` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The public exponent of an `RSA` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The private key, scalar or exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d: Option<Zeroizing<String>>,
    /// The first prime factor of an `RSA` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<Zeroizing<String>>,
    /// The second prime factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<Zeroizing<String>>,
    /// `d` modulo `p - 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dp: Option<Zeroizing<String>>,
    /// `d` modulo `q - 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dq: Option<Zeroizing<String>>,
    /// The inverse of `q` modulo `p`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qi: Option<Zeroizing<String>>,
    /// The bytes of an `oct` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<Zeroizing<String>>,
}

impl Jwk {
    /// Whether a part of it is secret.
    pub fn is_private(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.k].iter().any(|part| part.is_some())
    }

    /// The same without its secret parts.
    pub(crate) fn public(&self) -> Self {
        let public = self.clone();
        Self { d: None, p: None, q: None, dp: None, dq: None, qi: None, k: None, ..public }
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

/// Strictly: each member once and of its type. Members that are not named here are ignored (RFC 7517 §4), but for
/// `oth`: the numbers of an RSA key with more than two primes are not all here.
impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Jwk;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON Web Key")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Jwk, A::Error> {
                let mut jwk = Jwk::default();
                let mut kty = None;
                strict::object(map, |name, map| {
                    match name {
                        "kty" => strict::once(&mut kty, map)?,
                        "kid" => strict::once(&mut jwk.kid, map)?,
                        "alg" => strict::once(&mut jwk.alg, map)?,
                        "use" => strict::once(&mut jwk.usage, map)?,
                        "key_ops" => strict::once(&mut jwk.key_ops, map)?,
                        "crv" => strict::once(&mut jwk.crv, map)?,
                        "x" => strict::once(&mut jwk.x, map)?,
                        "y" => strict::once(&mut jwk.y, map)?,
                        "n" => strict::once(&mut jwk.n, map)?,
                        "e" => strict::once(&mut jwk.e, map)?,
                        "d" => strict::once(&mut jwk.d, map)?,
                        "p" => strict::once(&mut jwk.p, map)?,
                        "q" => strict::once(&mut jwk.q, map)?,
                        "dp" => strict::once(&mut jwk.dp, map)?,
                        "dq" => strict::once(&mut jwk.dq, map)?,
                        "qi" => strict::once(&mut jwk.qi, map)?,
                        "k" => strict::once(&mut jwk.k, map)?,
                        "oth" => return Err(A::Error::custom("more than two primes")),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                jwk.kty = kty.ok_or_else(|| A::Error::missing_field("kty"))?;
                Ok(jwk)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A set of public keys (RFC 7517 §5), as published at `jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct JwkSet {
    /// The keys, the active one first.
    pub keys: Vec<Jwk>,
}

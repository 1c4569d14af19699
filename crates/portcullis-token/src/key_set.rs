//! Keys that verify, each found by its name: all that a service needs that signs nothing.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{AccessClaims, Expect, Jwk, JwkSet, KeyError, Rejected, VerifyingKey, strict, verify};

/// Keys that verify. No two have one name (`kid`): that would be an ambiguity, not a choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    left_out: Vec<LeftOut>,
}

/// A key of a set that is not used, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Its name, if that could be read.
    pub kid: Option<String>,
    /// What is wrong with it.
    pub why: KeyError,
}

impl KeySet {
    /// A set without keys, which accepts nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set with one more key.
    ///
    /// # Errors
    /// A `kid` that is already there.
    pub fn with(mut self, key: VerifyingKey) -> Result<Self, KeyError> {
        if self.contains(key.kid()) {
            return Err(KeyError::Unfit("kid"));
        }
        self.keys.push(key);
        Ok(self)
    }

    /// Reads a JWK Set (RFC 7517 §5) that was given by whoever is trusted with its keys, symmetric ones too. Keys that
    /// are for something else, of an unknown kind or not safe are left out, as the RFC has it; [`KeySet::left_out`]
    /// names them.
    ///
    /// # Errors
    /// The text is not a JWK Set, or two of the keys that verify have one `kid`.
    pub fn from_json(json: &str) -> Result<Self, KeyError> {
        Self::read(json, |_| Ok(()))
    }

    /// The same of a set that was published: a symmetric or private key in it is a secret no more, so it is left out.
    ///
    /// # Errors
    /// As [`KeySet::from_json`].
    pub fn from_published(json: &str) -> Result<Self, KeyError> {
        Self::read(json, |jwk| if jwk.is_private() { Err(KeyError::Forbidden) } else { Ok(()) })
    }

    fn read(json: &str, allowed: impl Fn(&Jwk) -> Result<(), KeyError>) -> Result<Self, KeyError> {
        // Only the place is told: serde's own words may quote a key.
        let set: Texts<'_> = serde_json::from_str(json).map_err(|e| {
            KeyError::Malformed(format!("no JWK Set at line {}, column {}", e.line(), e.column()))
        })?;
        if set.0.len() > MAX_KEYS {
            return Err(KeyError::Malformed(format!("more than {MAX_KEYS} keys")));
        }
        let mut read = Self::new();
        for text in set.0 {
            let jwk: Result<Jwk, _> = serde_json::from_str(text.get());
            let kid = jwk.as_ref().ok().and_then(|jwk| jwk.kid.clone());
            let key = match jwk {
                Err(_) => Err(KeyError::Malformed("no JWK".to_owned())),
                Ok(jwk) => allowed(&jwk).and_then(|()| VerifyingKey::from_public(&jwk)),
            };
            match key {
                Ok(key) => read = read.with(key)?,
                Err(why) => read.left_out.push(LeftOut { kid, why }),
            }
        }
        Ok(read)
    }

    /// The keys of the JWK Set that are not used.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Whether there is no key that verifies.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key of that name is there.
    pub fn contains(&self, kid: &str) -> bool {
        self.key(kid).is_some()
    }

    /// The public keys, to publish. Never a private or a symmetric one.
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.keys.iter().filter_map(VerifyingKey::to_jwk).collect() }
    }

    /// What a token says, if everything about it is right at `now` (seconds since the epoch).
    ///
    /// Demands, in this order: compact form, `typ` `at+jwt`, no `crit`, a known `kid` whose key's algorithm
    /// is the header's, the signature, then `iss`, `aud`, `sub`, `exp`, `iat`, `jti`, `sid` present and of
    /// their types, `iss` and `aud` as expected, and the times.
    ///
    /// # Errors
    /// The first of these that is not right. For the log; a client is told `invalid_token` and no more.
    pub fn verify(&self, token: &str, expect: &Expect, now: u64) -> Result<AccessClaims, Rejected> {
        verify::verify(self, token, expect, now)
    }

    pub(crate) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The key whose own header a token begins with, and what comes after the dot behind it.
    pub(crate) fn key_by_start<'t>(&self, message: &'t str) -> Option<(&VerifyingKey, &'t str)> {
        self.keys.iter().find_map(|key| Some((key, message.strip_prefix(key.header())?.strip_prefix('.')?)))
    }
}

/// The keys of a JWK Set, unread: one that cannot be read does not spoil the others.
struct Texts<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JWK Set")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Texts<'de>, A::Error> {
                let mut keys = None;
                strict::object(map, |name, map| {
                    let known = name == "keys";
                    if known {
                        strict::once(&mut keys, map)?;
                    }
                    Ok(known)
                })?;
                Ok(Texts(keys.ok_or_else(|| A::Error::missing_field("keys"))?))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Keys of one set; an issuer has a handful.
const MAX_KEYS: usize = 100;

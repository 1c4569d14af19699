//! Stands in for what the token crate is about to have.

use std::marker::PhantomData;
use std::sync::Arc;

use portcullis_token::{AccessClaims, Expect, JwkSet, KeyError, KeyRing, Rejected, SigningKey, VerifyingKey};

/// Keys that verify.
#[derive(Debug, Clone)]
pub struct KeySet(KeyRing, Vec<VerifyingKey>);

impl KeySet {
    #[allow(missing_docs)]
    pub fn new(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let mut ring = KeyRing::new(SigningKey::ed25519(&[1; 32])?);
        for key in &keys {
            ring = ring.also_verify(key.clone())?;
        }
        Ok(Self(ring, keys))
    }

    #[allow(missing_docs)]
    pub fn from_json(json: &str) -> Result<Self, KeyError> {
        Self::from_published(json)
    }

    #[allow(missing_docs)]
    pub fn from_published(json: &str) -> Result<Self, KeyError> {
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|error| KeyError::Malformed(error.to_string()))?;
        let keys = value.get("keys").and_then(|keys| keys.as_array());
        let keys = keys.ok_or_else(|| KeyError::Malformed("keys".into()))?;
        let keys = keys.iter().filter(|key| key["kty"] != "oct" && key.get("d").is_none());
        Self::new(keys.map(|key| VerifyingKey::from_jwk(&key.to_string())).collect::<Result<_, _>>()?)
    }

    #[allow(missing_docs)]
    pub fn of(ring: &KeyRing) -> Self {
        Self(ring.clone(), Vec::new())
    }

    #[allow(missing_docs)]
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.1.iter().filter_map(VerifyingKey::to_jwk).collect() }
    }

    #[allow(missing_docs)]
    pub fn is_empty(&self) -> bool {
        self.1.is_empty()
    }

    #[allow(missing_docs)]
    pub fn contains(&self, kid: &str) -> bool {
        self.1.iter().any(|key| key.kid() == kid)
    }
}

pub(crate) struct TokenCache<T>(PhantomData<fn() -> T>);

impl<T> TokenCache<T> {
    pub(crate) fn new(_: usize) -> Self {
        Self(PhantomData)
    }

    pub(crate) fn verify(
        &self,
        keys: &KeySet,
        token: &str,
        expect: &Expect,
        now: u64,
        make: impl FnOnce(AccessClaims) -> Result<T, Rejected>,
    ) -> Result<Arc<T>, Rejected> {
        make(keys.0.verify(token, expect, now)?).map(Arc::new)
    }
}

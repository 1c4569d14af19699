//! The keys of one issuer: one that signs, and those whose tokens still count.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use crate::{AccessClaims, Expect, JwkSet, KeyError, KeySet, Rejected, SigningKey, VerifyingKey};

/// One key that signs and any number that verify.
#[derive(Debug, Clone)]
pub struct KeyRing {
    active: SigningKey,
    /// The active key's other half first: nearly every token is its.
    keys: KeySet,
}

/// Why a token was not signed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The claims could not be written as JSON.
    #[error("the claims could not be written")]
    Claims(#[from] serde_json::Error),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token would be longer than 4096 bytes; it was to carry too many roles or permissions.
    #[error(
        "the token would be {0} bytes long, and browsers and servers take 4096 at most; give the user fewer roles, \
         or list the permissions in a registry, so that each costs a bit"
    )]
    TooLong(usize),
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(active: SigningKey) -> Self {
        // The first name of a set is never there already.
        let keys = KeySet::new().with(active.verifying().clone()).unwrap_or_default();
        Self { active, keys }
    }

    /// Also accepts the tokens of `key`: one that signed before, or that will.
    ///
    /// # Errors
    /// A `kid` that is already there: two keys of one name are an ambiguity, not a choice.
    pub fn also_verify(mut self, key: VerifyingKey) -> Result<Self, KeyError> {
        self.keys = self.keys.with(key)?;
        Ok(self)
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The keys that verify, the active one first.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The public keys, to publish. Never a private or a symmetric one.
    pub fn jwks(&self) -> JwkSet {
        self.keys.jwks()
    }

    /// The token that says `claims`, signed by the active key.
    ///
    /// # Errors
    /// [`SignError::TooLong`] for more than 4096 bytes; the key failed.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        let mut token = String::with_capacity(640);
        token.push_str(self.active.verifying().header());
        token.push('.');
        BASE64URL.encode_string(serde_json::to_vec(claims)?, &mut token);
        self.active.sign(&mut token)?;
        if token.len() > MAX_MINTED { Err(SignError::TooLong(token.len())) } else { Ok(token) }
    }

    /// As [`KeySet::verify`].
    ///
    /// # Errors
    /// As [`KeySet::verify`].
    pub fn verify(&self, token: &str, expect: &Expect, now: u64) -> Result<AccessClaims, Rejected> {
        self.keys.verify(token, expect, now)
    }
}

/// Bytes of a token that is issued: with a cookie's name and attributes, browsers keep no more (RFC 6265bis §5.7), and
/// many servers take no longer header field. What is verified may be twice as long, since others issue too.
const MAX_MINTED: usize = 4096;

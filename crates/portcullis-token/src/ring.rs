//! The keys of one issuer: one that signs, and those whose tokens still count.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use crate::{AccessClaims, Expect, JwkSet, KeyError, Rejected, SigningKey, VerifyingKey, verify};

/// One key that signs and any number that verify.
#[derive(Debug, Clone)]
pub struct KeyRing {
    active: SigningKey,
    /// The active key's other half first: nearly every token is its.
    verifying: Vec<VerifyingKey>,
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
    /// The token would be longer than what is verified; it was to carry too many roles or permissions.
    #[error(
        "the token would be {0} bytes long, more than are verified; give the user fewer roles or permissions"
    )]
    TooLong(usize),
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(active: SigningKey) -> Self {
        let verifying = vec![active.verifying().clone()];
        Self { active, verifying }
    }

    /// Also accepts the tokens of `key`: one that signed before.
    ///
    /// # Errors
    /// A `kid` that is already there: two keys of one name are an ambiguity, not a choice.
    pub fn also_verify(mut self, key: VerifyingKey) -> Result<Self, KeyError> {
        if self.key(key.kid()).is_some() {
            return Err(KeyError::Unfit("kid"));
        }
        self.verifying.push(key);
        Ok(self)
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The public keys, to publish. Never a private or a symmetric one.
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.verifying.iter().filter_map(VerifyingKey::to_jwk).collect() }
    }

    /// The token that says `claims`, signed by the active key.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        let mut token = String::with_capacity(640);
        token.push_str(self.active.verifying().header());
        token.push('.');
        BASE64URL.encode_string(serde_json::to_vec(claims)?, &mut token);
        self.active.sign(&mut token)?;
        if token.len() > verify::MAX_TOKEN { Err(SignError::TooLong(token.len())) } else { Ok(token) }
    }

    /// What a token says, if everything about it is right at `now` (seconds since the epoch).
    ///
    /// Demands, in this order: compact form, `typ` `at+jwt`, no `crit`, a known `kid` whose key's algorithm
    /// is the header's, the signature, then `iss`, `aud`, `sub`, `exp`, `iat`, `jti`, `sid` present and of
    /// their types, `iss` and `aud` as expected, and the times.
    pub fn verify(&self, token: &str, expect: &Expect, now: u64) -> Result<AccessClaims, Rejected> {
        verify::verify(self, token, expect, now)
    }

    pub(crate) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.kid() == kid)
    }

    pub(crate) fn key_by_header(&self, header: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.header() == header)
    }
}

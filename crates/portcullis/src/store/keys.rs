use async_trait::async_trait;

use crate::Fault;
use crate::clock::Time;

/// A signing key as it is stored: encrypted, so that a copy of the database signs nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its place in the order of keys, from 1.
    pub serial: i64,
    /// Its name in tokens.
    pub kid: String,
    /// The private JWK, sealed under a key made from the application secret.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Time,
}

/// Signing keys.
///
/// # What an implementation promises
/// - Of any number of `offer` with one serial exactly one succeeds.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores a key; `false` if there is one of that serial.
    async fn offer(&self, key: &SealedKey) -> Result<bool, Fault>;

    /// All keys, in the order of their serials.
    async fn all(&self) -> Result<Vec<SealedKey>, Fault>;
}

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
    /// The private JWK, sealed under a key made from the application secret; nothing, once the key is retired.
    pub sealed: Vec<u8>,
    /// When it was made, and published.
    pub created_at: Time,
    /// From when on it signs.
    pub signs_from: Time,
    /// When it ceased to count. Such a row is history.
    pub retired_at: Option<Time>,
}

/// Signing keys.
///
/// Which of them signs and which only verify is no state of theirs: it follows from the rows and the time.
///
/// # What an implementation promises
/// - Of any number of `offer` with one serial exactly one succeeds, also if the key of that serial is retired.
/// - Of any number of `retire` for one key exactly one succeeds, and from then on its private part is nowhere.
/// - `bring_forward` never puts a key off, and changes no key that is retired.
/// - Of any number of `reseal` from the same bytes exactly one succeeds; a retired key gets nothing back.
/// - What succeeded is seen by every `all` that begins afterwards.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores a key; `false` if there is one of that serial.
    async fn offer(&self, key: &SealedKey) -> Result<bool, Fault>;

    /// All keys, in the order of their serials, the retired ones too.
    async fn all(&self) -> Result<Vec<SealedKey>, Fault>;

    /// Lets a key sign from `signs_from` on; `false` if it does so already, is retired or unknown.
    async fn bring_forward(&self, kid: &str, signs_from: Time) -> Result<bool, Fault>;

    /// Wipes the private part of a key for good; `false` if it is retired already or unknown.
    async fn retire(&self, kid: &str, at: Time) -> Result<bool, Fault>;

    /// Replaces `old`, the sealed private part of a key, by `new`; `false` if it is another by now.
    async fn reseal(&self, kid: &str, old: &[u8], new: &[u8]) -> Result<bool, Fault>;
}

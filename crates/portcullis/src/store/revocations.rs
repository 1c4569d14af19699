use async_trait::async_trait;

use crate::Fault;
use crate::clock::Time;
use crate::id::SessionId;

/// A session whose access tokens are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Grows with every revocation that is stored.
    pub sequence: i64,
    /// Which session.
    pub session: SessionId,
    /// When the last of its access tokens has expired and nobody needs to remember.
    pub until: Time,
}

/// The feed by which every node learns what it must refuse.
///
/// # What an implementation promises
/// - A reader who asks with the last sequence it saw misses nothing that was stored before.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Stores revocations; one that is there already may be stored again or not.
    async fn put(&self, sessions: &[SessionId], until: Time) -> Result<(), Fault>;

    /// All after `sequence` that still count at `now`, in order.
    async fn after(&self, sequence: i64, now: Time) -> Result<Vec<Revocation>, Fault>;
}

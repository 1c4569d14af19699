use async_trait::async_trait;

use crate::Fault;
use crate::event::Event;
use crate::id::UserId;

/// What happened.
///
/// # What an implementation promises
/// - An event that was appended is read back as it was.
#[async_trait]
pub trait Events: Send + Sync {
    /// Appends an event.
    async fn append(&self, event: &Event) -> Result<(), Fault>;

    /// The latest events that concern the user, the latest first.
    async fn latest(&self, user: UserId, most: u32) -> Result<Vec<Event>, Fault>;
}

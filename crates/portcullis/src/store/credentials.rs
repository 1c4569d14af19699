use async_trait::async_trait;

use super::User;
use crate::Fault;
use crate::email::Email;
use crate::id::{SessionId, UserId};

/// An account and the hash of its password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordRecord {
    /// Whose it is, as of the same moment as the hash.
    pub user: User,
    /// Argon2id in PHC form.
    pub hash: String,
}

/// What proves who somebody is.
///
/// # What an implementation promises
/// - `change` and `rehash` succeed only if the account's epoch and hash are still those given: of any
///   number of racing changes one wins, and a re-hash never undoes a change.
/// - After `change` the account's epoch has advanced by one, and that of the session which is kept with it, in the same
///   instant.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The account of that address and its password hash.
    async fn by_email(&self, email: &Email) -> Result<Option<PasswordRecord>, Fault>;

    /// The account of that id and its password hash.
    async fn by_user(&self, user: UserId) -> Result<Option<PasswordRecord>, Fault>;

    /// A new password: replaces the hash, advances the epoch and carries the session `keep` over; `false`, and nothing
    /// is changed, if `old` is no longer what counts or that session is not a live one of the account.
    async fn change(&self, old: &PasswordRecord, hash: &str, keep: Option<SessionId>) -> Result<bool, Fault>;

    /// The same password under newer parameters: replaces the hash alone; `false` if `old` is no longer
    /// what counts.
    async fn rehash(&self, old: &PasswordRecord, hash: &str) -> Result<bool, Fault>;
}

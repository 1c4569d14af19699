use async_trait::async_trait;

use crate::Fault;
use crate::clock::Time;
use crate::email::Email;
use crate::id::UserId;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name in tokens.
    pub id: UserId,
    /// Its address.
    pub email: Email,
    /// Its roles, in the order in which they were set.
    pub roles: Vec<String>,
    /// Counts what must end every sign-in under way: a change of the password, a logout everywhere.
    pub epoch: i64,
    /// When it was made.
    pub created_at: Time,
}

/// An account to be made, with its first credential.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// The account; its `epoch` is 0.
    pub user: &'a User,
    /// The Argon2id hash of its password, in PHC form.
    pub password: &'a str,
}

/// Accounts.
///
/// # What an implementation promises
/// - Of any number of `create` with one address exactly one succeeds, and the account and its password
///   come into being together or not at all.
/// - Addresses are compared byte for byte.
#[async_trait]
pub trait Users: Send + Sync {
    /// Makes an account; `false` when the address is taken.
    async fn create(&self, new: NewUser<'_>) -> Result<bool, Fault>;

    /// The account of that id.
    async fn find(&self, id: UserId) -> Result<Option<User>, Fault>;

    /// Replaces the roles; `false` when there is no such account.
    async fn set_roles(&self, id: UserId, roles: &[String]) -> Result<bool, Fault>;

    /// Advances the epoch, so that no sign-in that began before it can start a session any more; `false`
    /// when there is no such account.
    async fn advance_epoch(&self, id: UserId) -> Result<bool, Fault>;
}

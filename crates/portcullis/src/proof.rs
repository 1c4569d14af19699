//! Evidence that somebody proved who they are.

use crate::features::register::Created;
use crate::hashing::Matched;
use crate::store::{PasswordRecord, User};

/// Only a check that succeeded makes one, and only with one does a session start.
pub(crate) struct Proof {
    pub(crate) user: User,
    /// How (RFC 8176).
    pub(crate) amr: &'static str,
}

impl Proof {
    /// By their password.
    pub(crate) fn password(record: PasswordRecord, _: &Matched) -> Self {
        Self { user: record.user, amr: "pwd" }
    }

    /// By having chosen the password of an account that did not exist before.
    pub(crate) fn registration(created: Created) -> Self {
        Self { user: created.into_user(), amr: "pwd" }
    }
}

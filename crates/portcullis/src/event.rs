//! What is worth auditing, and the one place through which it goes.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::clock::Time;
use crate::id::{SessionId, UserId};
use crate::{Auth, Fault};

/// Something that happened. Holds no password, token or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What, by a stable name: one of the constants of [`action`].
    pub action: Cow<'static, str>,
    /// The cause, where there is more than one: `unknown_user`, `wrong_password`, `reuse`.
    pub cause: Option<Cow<'static, str>>,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// The names of what happens.
pub mod action {
    /// An account was made.
    pub const REGISTERED: &str = "registered";
    /// A session began.
    pub const SIGNED_IN: &str = "signed_in";
    /// Somebody did not prove who they are.
    pub const SIGN_IN_FAILED: &str = "sign_in_failed";
    /// A session was ended by its owner on the device itself.
    pub const SIGNED_OUT: &str = "signed_out";
    /// All sessions were ended.
    pub const SIGNED_OUT_EVERYWHERE: &str = "signed_out_everywhere";
    /// One session, or all others (cause `others`), were ended by their owner from the list.
    pub const SESSIONS_REVOKED: &str = "sessions_revoked";
    /// A client revoked a token, and with it the session that it belongs to; the cause is the client's id.
    pub const TOKEN_REVOKED: &str = "token_revoked";
    /// A replaced refresh token came back after its grace; the session was ended.
    pub const REFRESH_REUSED: &str = "refresh_reused";
    /// A replaced refresh token came within its grace, and from another address or program than the one that
    /// replaced it.
    pub const REFRESH_REPLAYED: &str = "refresh_replayed";
    /// A refresh token came that was not issued yet: the database was rolled back, or the secret leaked.
    pub const REFRESH_FROM_THE_FUTURE: &str = "refresh_from_the_future";
    /// The password was changed.
    pub const PASSWORD_CHANGED: &str = "password_changed";
    /// The change of a password failed.
    pub const PASSWORD_CHANGE_FAILED: &str = "password_change_failed";
    /// The roles of a user were set.
    pub const ROLES_SET: &str = "roles_set";
    /// The first signing key was made.
    pub const SIGNING_KEY_MADE: &str = "signing_key_made";
}

impl Event {
    /// An event of no one in particular.
    pub(crate) fn new(at: Time, action: &'static str) -> Self {
        Self {
            at,
            action: Cow::Borrowed(action),
            cause: None,
            user: None,
            session: None,
            ip: None,
            user_agent: None,
        }
    }

    pub(crate) fn because(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn of(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    pub(crate) fn within(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }
}

impl Auth {
    /// Writes an event down, logs it and tells the application's listener.
    pub(crate) async fn record(&self, event: Event) -> Result<(), Fault> {
        tracing::info!(
            target: "portcullis::event",
            action = &*event.action,
            cause = event.cause.as_deref(),
            user = event.user.map(tracing::field::display),
            session = event.session.map(tracing::field::display),
            ip = event.ip.map(tracing::field::display),
        );
        self.stores().events.append(&event).await?;
        if let Some(listener) = &self.config().listener {
            listener(&event);
        }
        Ok(())
    }
}

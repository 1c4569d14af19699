use std::net::IpAddr;

use async_trait::async_trait;

use crate::Fault;
use crate::clock::Time;
use crate::id::{SessionId, UserId};
use crate::rotation::State;

/// A signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name in tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The user's epoch in which it began or into which it was carried over. It is over when the user's is later.
    pub epoch: i64,
    /// Where its refresh token stands.
    pub rotation: State,
    /// When it began.
    pub created_at: Time,
    /// When the user last proved who they are.
    pub auth_time: Time,
    /// How (RFC 8176), separated by blanks.
    pub amr: String,
    /// When it was last refreshed.
    pub last_seen_at: Time,
    /// From where it was last refreshed.
    pub ip: Option<IpAddr>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// One step of the rotation.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Which session.
    pub id: SessionId,
    /// The generation that it must still have.
    pub from: u32,
    /// Now.
    pub at: Time,
    /// The new idle limit.
    pub idle_expires_at: Time,
    /// From where.
    pub ip: Option<IpAddr>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// Which sessions of a user to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(SessionId),
    /// All but this one.
    Others(SessionId),
    /// All.
    All,
}

/// Why a session was ended.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its owner logged out.
    Logout,
    /// Its owner ended it from another device.
    Revoked,
    /// A newer sign-in in the same browser took its place.
    Replaced,
    /// The password was changed.
    PasswordChanged,
    /// Its refresh token came back after its grace.
    Reuse,
    /// An administrator ended it.
    Administrator,
    /// A client revoked one of its tokens (RFC 7009).
    Client,
    /// Its user left its epoch: a change of the password or a logout everywhere was cut short before it came here.
    Superseded,
}

impl Ended {
    /// The name under which it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Ended::Logout => "logout",
            Ended::Revoked => "revoked",
            Ended::Replaced => "replaced",
            Ended::PasswordChanged => "password_changed",
            Ended::Reuse => "reuse",
            Ended::Administrator => "administrator",
            Ended::Client => "client",
            Ended::Superseded => "superseded",
        }
    }
}

/// Sessions.
///
/// # What an implementation promises
/// - `start` succeeds only if the user exists and is still in the session's epoch.
/// - `advance` succeeds only if the session is live and of that generation: of any number of racers one
///   wins, and nothing revives an ended session.
/// - What `end` ended stays ended, whatever was under way.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Begins a session; `false` if the user is gone or has left its epoch.
    async fn start(&self, session: &Session) -> Result<bool, Fault>;

    /// The session of that id, ended ones too.
    async fn find(&self, id: SessionId) -> Result<Option<Session>, Fault>;

    /// Takes one step of the rotation; `false` if somebody was faster or the session has ended.
    async fn advance(&self, step: &Advance) -> Result<bool, Fault>;

    /// The user's sessions that are neither ended nor expired at `now`, the latest first.
    async fn live(&self, user: UserId, now: Time) -> Result<Vec<Session>, Fault>;

    /// Ends sessions; answers how many of them were not ended before.
    async fn end(&self, user: UserId, which: Which, at: Time, why: Ended) -> Result<u64, Fault>;

    /// The user's sessions that were ended at `since` or later.
    async fn ended_since(&self, user: UserId, since: Time) -> Result<Vec<SessionId>, Fault>;
}

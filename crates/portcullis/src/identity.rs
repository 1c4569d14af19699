//! Who is asking, and how that was proved.

use std::sync::Arc;

use portcullis_token::{AccessClaims, Expect, KeySet, Rejected, TokenCache};

use crate::Denied;
use crate::clock::Time;
use crate::id::{SessionId, UserId};

/// A signed-in user, as their access token says. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(Arc<Named>);

/// What a token says, its names read.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    user: UserId,
    session: SessionId,
    claims: AccessClaims,
}

impl Identity {
    /// The user's id.
    pub fn id(&self) -> UserId {
        self.0.user
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    /// The user's roles when the token was issued.
    pub fn roles(&self) -> &[String] {
        &self.claims().roles
    }

    /// Whether the user had that role when the token was issued.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|one| one == role)
    }

    /// When the user last proved who they are.
    pub fn auth_time(&self) -> Time {
        Time::from_seconds(self.claims().auth_time)
    }

    /// When the token was issued.
    pub fn issued_at(&self) -> Time {
        Time::from_seconds(self.claims().iat)
    }

    /// How they did (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.claims().amr
    }

    /// Everything the token says.
    pub fn claims(&self) -> &AccessClaims {
        &self.0.claims
    }
}

/// Whom the tokens name that verified before, so that verifying one again costs a look-up. Belongs to one set of keys
/// and is thrown away with it, or a retired key would live on here.
pub(crate) struct Recognised(TokenCache<Named>);

impl Recognised {
    /// Room for that many bytes; 0 remembers nothing.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(TokenCache::new(bytes))
    }

    /// Whom a token names, if everything about it is right at `now`.
    pub(crate) fn identify(
        &self,
        keys: &KeySet,
        token: &str,
        expect: &Expect,
        now: Time,
    ) -> Result<Identity, Rejected> {
        self.0.verify(keys, token, expect, now.seconds(), named).map(Identity)
    }
}

fn named(claims: AccessClaims) -> Result<Named, Rejected> {
    let user = claims.sub.parse().map_err(|_| Rejected::Claims)?;
    let session = claims.sid.parse().map_err(|_| Rejected::Claims)?;
    Ok(Named { user, session, claims })
}

/// What a client learns of a token that was refused; the log says why.
pub(crate) fn refused(rejected: Rejected) -> Denied {
    tracing::debug!(target: "portcullis::token", %rejected, "access token refused");
    Denied::InvalidToken
}

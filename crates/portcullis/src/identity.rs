//! Who is asking, and how that was proved.

use std::sync::Arc;

use portcullis_token::{AccessClaims, Expect, KeySet, PermissionRegistry, Permissions, Rejected, TokenCache};

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
    permissions: Permissions,
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

    /// What the user could do when the token was issued.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.0.permissions.names()
    }

    /// Whether the user had that permission when the token was issued.
    pub fn has_permission(&self, name: &str) -> bool {
        self.0.permissions.contains(name)
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
pub(crate) struct Recognised {
    cache: TokenCache<Named>,
    /// What packed permissions are numbers in.
    pub(crate) registry: Option<PermissionRegistry>,
}

impl Recognised {
    /// Room for that many bytes; 0 remembers nothing.
    pub(crate) fn new(bytes: usize, registry: Option<PermissionRegistry>) -> Self {
        Self { cache: TokenCache::new(bytes), registry }
    }

    /// Whom a token names, if everything about it is right at `now`.
    pub(crate) fn identify(
        &self,
        keys: &KeySet,
        token: &str,
        expect: &Expect,
        now: Time,
    ) -> Result<Identity, Rejected> {
        self.cache.verify(keys, token, expect, now.seconds(), |claims| self.named(claims)).map(Identity)
    }

    fn named(&self, claims: AccessClaims) -> Result<Named, Rejected> {
        let user = claims.sub.parse().map_err(|_| Rejected::Claims)?;
        let session = claims.sid.parse().map_err(|_| Rejected::Claims)?;
        let permissions = claims.granted(self.registry.as_ref())?;
        Ok(Named { user, session, permissions, claims })
    }
}

/// What a client learns of a token that was refused; the log says why.
pub(crate) fn refused(rejected: Rejected) -> Denied {
    tracing::debug!(target: "portcullis::token", %rejected, "access token refused");
    Denied::InvalidToken
}

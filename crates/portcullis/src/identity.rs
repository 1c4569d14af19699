//! Who is asking, and how that was proved.

use std::fmt::Display;
use std::future::Future;

use portcullis_token::{AccessClaims, Permissions};

use crate::clock::Time;
use crate::features::register::Created;
use crate::hashing::Matched;
use crate::http::Headers;
use crate::id::{SessionId, UserId};
use crate::reply::access_cookie_name;
use crate::store::{PasswordRecord, User};
use crate::{Auth, Denied, Fault, Refusal, guard};

/// A signed-in user, as their access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    user: UserId,
    session: SessionId,
    claims: AccessClaims,
    permissions: Permissions,
}

impl Identity {
    /// The user's id.
    pub fn id(&self) -> UserId {
        self.user
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The user's roles when the token was issued.
    pub fn roles(&self) -> &[String] {
        &self.claims.roles
    }

    /// Whether the user had that role when the token was issued.
    pub fn has_role(&self, role: &str) -> bool {
        self.claims.roles.iter().any(|one| one == role)
    }

    /// What the user might do when the token was issued.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.names()
    }

    /// Whether the user might do that when the token was issued.
    pub fn has_permission(&self, name: &str) -> bool {
        self.permissions.contains(name)
    }

    /// When the user last proved who they are.
    pub fn auth_time(&self) -> Time {
        Time::from_seconds(self.claims.auth_time)
    }

    /// When the token was issued.
    pub fn issued_at(&self) -> Time {
        Time::from_seconds(self.claims.iat)
    }

    /// How they did (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.claims.amr
    }

    /// Everything the token says.
    pub fn claims(&self) -> &AccessClaims {
        &self.claims
    }
}

/// Evidence that somebody proved who they are; only a check that succeeded makes one, and only with one does a
/// session start.
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

impl Auth {
    /// Who sent a request, by its access token: the way in for the application's own handlers.
    ///
    /// `None` only if no credential was sent. Verifying does no I/O but for one read of the revocations each
    /// [`max_staleness`](crate::Config::max_staleness). A token from a cookie counts for a state-changing
    /// method only if the request comes from our own pages.
    ///
    /// # Errors
    /// [`Denied`] for a credential that is not valid; a [`Fault`] if the store is silent.
    pub fn authenticate(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<Option<Identity>, Refusal>> + Send + use<'_> {
        let now = self.now();
        let verdict = self.identify(method, headers, now);
        async move {
            let Some(identity) = verdict? else { return Ok(None) };
            if self.is_revoked(&identity, now).await? {
                return Err(Denied::InvalidToken.into());
            }
            Ok(Some(identity))
        }
    }

    /// Whom an access token names, however it came here; `None` if it is not good.
    pub(crate) async fn recognise(&self, token: &str, now: Time) -> Result<Option<Identity>, Fault> {
        let Ok(identity) = self.read(token, now) else { return Ok(None) };
        Ok(if self.is_revoked(&identity, now).await? { None } else { Some(identity) })
    }

    async fn is_revoked(&self, identity: &Identity, now: Time) -> Result<bool, Fault> {
        if !self.revoked().is_fresh(now) {
            self.revoked().freshen(now).await?;
        }
        Ok(self.revoked().contains(identity.session))
    }

    /// Who sent a request that needs a user.
    ///
    /// # Errors
    /// As [`Auth::authenticate`], and [`Denied::Unauthenticated`] if no credential was sent.
    pub fn require(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<Identity, Refusal>> + Send + use<'_> {
        let user = self.authenticate(method, headers);
        async move { Ok(user.await?.ok_or(Denied::Unauthenticated)?) }
    }

    /// Whether a request may go on to routes that need a user, for what guards many of them at once: as
    /// [`Auth::require`], but `OPTIONS` passes, which browsers send without credentials.
    ///
    /// # Errors
    /// As [`Auth::require`].
    pub fn admit(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<'_> {
        let exempt = method == "OPTIONS";
        let user = self.require(method, headers);
        async move { if exempt { Ok(()) } else { user.await.map(drop) } }
    }

    /// As [`Auth::authenticate`], without asking whether the session was ended.
    fn identify(&self, method: &str, headers: &dyn Headers, now: Time) -> Result<Option<Identity>, Denied> {
        let bearer = bearer(headers)?;
        let cookie = match self.config().cookies.access_cookie {
            true => headers.cookie(access_cookie_name(self.config()))?,
            false => None,
        };
        let token = match (bearer, cookie) {
            (None, None) => return Ok(None),
            (Some(token), None) => token,
            (None, Some(token)) => {
                guard::own_origin(self.config(), method, headers)?;
                token
            }
            (Some(_), Some(_)) => {
                return Err(Denied::InvalidRequest("send the access token in one way, not in two"));
            }
        };
        self.read(&token, now).map(Some)
    }

    fn read(&self, token: &str, now: Time) -> Result<Identity, Denied> {
        let refused = |why: &dyn Display| {
            tracing::debug!(target: "portcullis::token", rejected = %why, "access token refused");
            Denied::InvalidToken
        };
        let claims =
            self.ring().verify(token, self.expect(), now.seconds()).map_err(|rejected| refused(&rejected))?;
        // Its user comes back with a new one, packed with the registry of today.
        let permissions = claims.granted(self.grants().registry()).map_err(|unknown| refused(&unknown))?;
        let user = claims.sub.parse().map_err(|_| Denied::InvalidToken)?;
        let session = claims.sid.parse().map_err(|_| Denied::InvalidToken)?;
        Ok(Identity { user, session, claims, permissions })
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1). Another scheme is somebody else's business.
fn bearer(headers: &dyn Headers) -> Result<Option<String>, Denied> {
    let mut sent = 0;
    let mut found = Ok(None);
    headers.each("authorization", &mut |value| {
        sent += 1;
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            let token = token.trim_matches(' ');
            let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            found = if fits { Ok(Some(token.to_owned())) } else { Err(Denied::InvalidToken) };
        }
    });
    if sent > 1 {
        return Err(Denied::InvalidRequest("send one Authorization header"));
    }
    found
}

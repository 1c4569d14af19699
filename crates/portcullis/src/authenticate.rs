//! Who sent a request to an application that issues its tokens itself.

use std::future::Future;

use crate::clock::Time;
use crate::cookies::access_cookie_name;
use crate::headers::Headers;
use crate::identity::{self, Identity};
use crate::{Auth, Denied, Refusal, guard};

impl Auth {
    /// Who sent a request, by its access token: the way in for the application's own handlers.
    ///
    /// `None` only if no credential was sent. Verifying does no I/O but for one read of the revocations each
    /// [`max_staleness`](crate::Config::max_staleness). A token from a cookie counts for a state-changing
    /// method only if the request comes from our own pages.
    ///
    /// # Errors
    /// [`Denied`] for a credential that is not valid; a [`Fault`](crate::Fault) if the store is silent.
    pub fn authenticate(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<Option<Identity>, Refusal>> + Send + use<'_> {
        let now = self.now();
        let verdict = self.identify(method, headers, now);
        async move {
            let Some(identity) = verdict? else { return Ok(None) };
            if !self.revoked().is_fresh(now) {
                self.revoked().freshen(now).await?;
            }
            if self.revoked().contains(identity.session()) {
                return Err(Denied::InvalidToken.into());
            }
            Ok(Some(identity))
        }
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

    /// As [`Auth::authenticate`], without asking whether the session was ended.
    fn identify(&self, method: &str, headers: &dyn Headers, now: Time) -> Result<Option<Identity>, Denied> {
        let bearer = headers.bearer()?;
        let cookie = match self.config().cookies.access_cookie {
            true => headers.cookie(access_cookie_name(self.config()))?,
            false => None,
        };
        let token = match (bearer, &cookie) {
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
        let identity = self.recognised().identify(self.ring().keys(), token, self.expect(), now);
        identity.map(Some).map_err(identity::refused)
    }
}

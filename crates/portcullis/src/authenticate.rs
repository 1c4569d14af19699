//! Who sent a request to an application that issues its tokens itself.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either, FutureExt, ready};
use portcullis_token::Rejected;

use crate::clock::Time;
use crate::cookies::access_cookie_name;
use crate::gate::Verdict;
use crate::headers::Headers;
use crate::identity::{Identity, refused};
use crate::signing_keys::InUse;
use crate::{Auth, Denied, Fault, Refusal, guard};

impl Auth {
    /// Who sent a request, by its access token: the way in for the application's own handlers.
    ///
    /// `None` only if no credential was sent. Verifying does no I/O but for one read of revocations and keys each
    /// [`max_staleness`](crate::Config::max_staleness), and one each second while tokens of unknown keys come. A token
    /// from a cookie counts for a state-changing method only if the request comes from our own pages.
    ///
    /// # Errors
    /// [`Denied`] for a credential that is not valid; a [`Fault`] if the store is silent.
    pub fn authenticate(&self, method: &str, headers: &dyn Headers) -> Verdict<'_> {
        let now = self.now();
        let verdict = match self.presented(method, headers) {
            Ok(None) => Ok(None),
            Ok(Some(token)) => match self.identify_at_once(token.as_ref(), now) {
                Some(identified) => identified.map(Some).map_err(Refusal::from),
                None => return Either::Right(self.ask_and_identify(token.into_owned(), now)),
            },
            Err(denied) => Err(denied.into()),
        };
        Either::Left(ready(verdict))
    }

    /// Whom an access token names, however it came here; `None` if it is not good.
    pub(crate) async fn recognise(&self, token: &str, now: Time) -> Result<Option<Identity>, Fault> {
        match self.identify(token, now).await {
            Ok(identity) => Ok(Some(identity)),
            Err(Refusal::Denied(_)) => Ok(None),
            Err(Refusal::Fault(fault)) => Err(fault),
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

    /// The access token that a request brought.
    fn presented<'h>(&self, method: &str, headers: &'h dyn Headers) -> Result<Option<Cow<'h, str>>, Denied> {
        let bearer = headers.bearer()?;
        let cookie = match self.config().cookies.access_cookie {
            true => headers.cookie(access_cookie_name(self.config()))?,
            false => None,
        };
        match (bearer, cookie) {
            (Some(_), Some(_)) => Err(Denied::InvalidRequest("send the access token in one way, not in two")),
            (None, Some(token)) => {
                guard::own_origin(self.config(), method, headers)?;
                Ok(Some(Cow::Owned(token)))
            }
            (bearer, None) => Ok(bearer.map(Cow::Borrowed)),
        }
    }

    /// Whose token that is, as nearly every request asks it: without waiting. `None` if the store must be asked first.
    fn identify_at_once(&self, token: &str, now: Time) -> Option<Result<Identity, Denied>> {
        // In this order: what was fresh is in the keys that are looked at afterwards.
        let fresh = self.revoked().is_fresh(now);
        let verdict = self.keys().look(|keys| self.verified(keys, token, now));
        match verdict {
            Err(Rejected::UnknownKey) => None,
            Err(rejected) => Some(Err(refused(rejected))),
            Ok(_) if !fresh => None,
            Ok(identity) => Some(self.unless_revoked(identity)),
        }
    }

    /// Boxed, so that the way that nearly every request takes carries nothing of this one.
    fn ask_and_identify(&self, token: String, now: Time) -> BoxFuture<'_, Result<Option<Identity>, Refusal>> {
        async move { self.identify(&token, now).await.map(Some) }.boxed()
    }

    /// Whose token that is, by keys and revocations of which the store was heard within `max_staleness`.
    async fn identify(&self, token: &str, now: Time) -> Result<Identity, Refusal> {
        // In this order: what was fresh is in the keys that are looked at afterwards.
        let mut fresh = self.revoked().is_fresh(now);
        let mut keys = self.keys().in_use();
        let mut verdict = self.verified(&keys, token, now);
        if matches!(verdict, Err(Rejected::UnknownKey)) {
            self.revoked().ask_for_a_key(now).await?;
            fresh = self.revoked().is_fresh(now);
            keys = self.keys().in_use();
            verdict = self.verified(&keys, token, now);
        }
        if verdict.is_ok() && !fresh {
            self.freshen(now).await?;
            let latest = self.keys().in_use();
            if !Arc::ptr_eq(&keys, &latest) {
                verdict = self.verified(&latest, token, now);
            }
        }
        Ok(self.unless_revoked(verdict.map_err(refused)?)?)
    }

    fn verified(&self, keys: &InUse, token: &str, now: Time) -> Result<Identity, Rejected> {
        keys.recognised.identify(keys.ring.keys(), token, self.expect(), now)
    }

    fn unless_revoked(&self, identity: Identity) -> Result<Identity, Denied> {
        if self.revoked().contains(identity.session()) { Err(Denied::InvalidToken) } else { Ok(identity) }
    }
}

//! What an adapter asks who sent a request, whether the application issues tokens or only verifies them.

use std::future::Future;

use futures_util::future::{BoxFuture, Either, Ready};

#[cfg(feature = "issuer")]
use crate::Auth;
use crate::headers::Headers;
use crate::verifier::Verifier;
use crate::{Denied, Identity, Refusal};

/// Who sent a request, or why that is not said: there already, as nearly always, or to be waited for.
pub type Verdict<'a> = Either<Ready<Answer>, BoxFuture<'a, Answer>>;

type Answer = Result<Option<Identity>, Refusal>;

/// Says who sent a request: an `Auth`, or a [`Verifier`]. Cheap to clone. For adapters; the extractors ask it.
#[derive(Debug, Clone)]
pub struct Gate(Kind);

#[derive(Debug, Clone)]
enum Kind {
    #[cfg(feature = "issuer")]
    Auth(Auth),
    Verifier(Verifier),
}

impl Gate {
    /// Who sent a request; `None` only if no credential was sent.
    ///
    /// # Errors
    /// [`Denied`] for a credential that is not valid; a [`Fault`](crate::Fault) if it could not be decided.
    pub fn authenticate(&self, method: &str, headers: &dyn Headers) -> Verdict<'_> {
        match &self.0 {
            #[cfg(feature = "issuer")]
            Kind::Auth(auth) => auth.authenticate(method, headers),
            Kind::Verifier(verifier) => verifier.authenticate(method, headers),
        }
    }

    /// Who sent a request that needs a user.
    ///
    /// # Errors
    /// As [`Gate::authenticate`], and [`Denied::Unauthenticated`] if no credential was sent.
    pub fn require(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<Identity, Refusal>> + Send + use<'_> {
        let user = self.authenticate(method, headers);
        async move { Ok(user.await?.ok_or(Denied::Unauthenticated)?) }
    }

    /// Whether a request may go on to routes that need a user, for what guards many of them at once: as
    /// [`Gate::require`], but `OPTIONS` passes, which browsers send without credentials.
    ///
    /// # Errors
    /// As [`Gate::require`].
    pub fn admit(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<'_> {
        let exempt = method == "OPTIONS";
        let user = self.require(method, headers);
        async move { if exempt { Ok(()) } else { user.await.map(drop) } }
    }
}

#[cfg(feature = "issuer")]
impl From<Auth> for Gate {
    fn from(auth: Auth) -> Self {
        Self(Kind::Auth(auth))
    }
}

impl From<Verifier> for Gate {
    fn from(verifier: Verifier) -> Self {
        Self(Kind::Verifier(verifier))
    }
}

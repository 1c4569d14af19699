//! Says who sent a request to a service that issues no tokens and has no database: a [`Verifier`].

mod config;
mod environment;
mod keys;
mod pace;
mod source;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either, FutureExt, ready};
use portcullis_token::{Expect, Rejected};

pub use config::{KeySource, VerifierConfig};
pub use environment::JwksAddress;
pub use keys::MAX_JWKS;
pub use source::{Delivery, JwksSource};

use crate::clock::Time;
use crate::gate::Verdict;
use crate::headers::Headers;
use crate::identity::{Identity, refused};
use crate::{ConfigError, Denied, Fault, Refusal};
use keys::{Keys, Standing};

/// Verifies the access tokens of one issuer for one audience. Cheap to clone; all clones are one.
///
/// Verifying does no I/O: the issuer's keys are in memory and are renewed beside the requests. It learns of a session
/// that was ended when its token expires: the issuer's database it does not know.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    config: VerifierConfig,
    expect: Expect,
    keys: Arc<Keys>,
}

impl Verifier {
    /// Checks the configuration. Fetches nothing yet: the first request does, or [`Verifier::ready`].
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn new(config: VerifierConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let expect = Expect::new(&*config.issuer, &*config.audience).clock_skew(config.clock_skew.as_secs());
        let keys = Keys::new(&config);
        Ok(Self(Arc::new(Inner { config, expect, keys })))
    }

    /// The settings.
    pub fn config(&self) -> &VerifierConfig {
        &self.0.config
    }

    /// Waits until there are keys to verify with; to be awaited at start-up, so that a wrong address is found there
    /// and not by the first request.
    ///
    /// # Errors
    /// The keys could not be fetched. The next request, or call, tries again.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.0.keys.settle(None).await.map(drop)
    }

    /// Who sent a request, by its bearer token, whatever the method. `None` only if none was sent.
    ///
    /// A token of a key that is not known here waits for the issuer's keys to be asked for; any other waits for
    /// nothing once there are keys.
    ///
    /// # Errors
    /// [`Denied`] for a credential that is not valid; a [`Fault`] if there are no keys to tell by.
    pub fn authenticate(&self, _method: &str, headers: &dyn Headers) -> Verdict<'_> {
        let token = match headers.bearer() {
            Ok(Some(token)) => token,
            Ok(None) => return Either::Left(ready(Ok(None))),
            Err(denied) => return Either::Left(ready(Err(denied.into()))),
        };
        let now = self.now();
        if self.0.keys.are_overdue(now) {
            return Either::Right(self.catch_up_and_identify(token.to_owned()));
        }
        match self.identify(token, now) {
            Err(rejected @ (Rejected::UnknownKey | Rejected::Permissions)) => {
                Either::Right(self.ask_and_identify(token.to_owned(), rejected))
            }
            verdict => Either::Left(ready(verdict.map(Some).map_err(|rejected| refused(rejected).into()))),
        }
    }

    /// Who sent a request that needs a user.
    ///
    /// # Errors
    /// As [`Verifier::authenticate`], and [`Denied::Unauthenticated`] if no credential was sent.
    pub fn require(
        &self,
        method: &str,
        headers: &dyn Headers,
    ) -> impl Future<Output = Result<Identity, Refusal>> + Send + use<'_> {
        let user = self.authenticate(method, headers);
        async move { Ok(user.await?.ok_or(Denied::Unauthenticated)?) }
    }

    /// With the keys that are there; without any, every key is unknown.
    fn identify(&self, token: &str, now: Time) -> Result<Identity, Rejected> {
        let verdict =
            self.0.keys.look(now, |held| held.recognised.identify(&held.set, token, &self.0.expect, now));
        verdict.unwrap_or(Err(Rejected::UnknownKey))
    }

    /// After a long time without requests the keys of then are not looked at before those of now were asked for.
    fn catch_up_and_identify(&self, token: String) -> BoxFuture<'_, Result<Option<Identity>, Refusal>> {
        async move {
            self.0.keys.catch_up().await;
            match self.identify(&token, self.now()) {
                Err(rejected @ (Rejected::UnknownKey | Rejected::Permissions)) => {
                    self.ask_and_identify(token, rejected).await
                }
                verdict => Ok(verdict.map(Some).map_err(refused)?),
            }
        }
        .boxed()
    }

    /// Boxed, so that the way that nearly every request takes carries nothing of this one.
    fn ask_and_identify(
        &self,
        token: String,
        rejected: Rejected,
    ) -> BoxFuture<'_, Result<Option<Identity>, Refusal>> {
        async move {
            if rejected == Rejected::UnknownKey {
                // No key makes a token good that names none.
                let kid = keys::kid(&token).ok_or_else(|| refused(rejected))?;
                if self.0.keys.settle(Some(&kid)).await? == Standing::Unknown {
                    return Err(refused(rejected).into());
                }
            } else {
                // The issuer has another registry of permissions by now.
                self.0.keys.ask_again().await;
            }
            Ok(self.identify(&token, self.now()).map(Some).map_err(refused)?)
        }
        .boxed()
    }

    fn now(&self) -> Time {
        self.0.config.clock.now()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.0.config).finish()
    }
}

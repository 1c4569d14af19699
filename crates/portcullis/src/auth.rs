//! The authentication of one application, as its own code meets it.

use std::fmt;
use std::sync::Arc;

use portcullis_token::{Expect, JwkSet};

use crate::clock::Time;
use crate::event::{Event, action};
use crate::hashing::Hashing;
use crate::permission::Grants;
use crate::revocation::Revoked;
use crate::secret::Keychain;
use crate::signing_keys::SigningKeys;
use crate::store::{Ended, User, Which};
use crate::{Config, ConfigError, Denied, Email, Fault, Mode, Refusal, Stores, UserId};

/// The authentication of one application. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    stores: Stores,
    keychain: Arc<Keychain>,
    keys: Arc<SigningKeys>,
    expect: Expect,
    grants: Grants,
    hashing: Hashing,
    revoked: Revoked,
}

/// Why an [`Auth`] did not start.
#[non_exhaustive]
pub enum StartError {
    /// The configuration has mistakes; all are named.
    Config(ConfigError),
    /// The store did not answer, or its keys are sealed under another secret.
    Fault(Fault),
}

impl Auth {
    /// Checks the configuration, makes the signing key at the first start and opens it at every other, and reads
    /// what is revoked.
    ///
    /// # Errors
    /// Everything that would otherwise come up with the first request.
    pub async fn new(config: Config, stores: impl Into<Stores>) -> Result<Self, StartError> {
        config.check()?;
        if config.mode == Mode::Development {
            tracing::warn!(
                "development mode: cookies are sent without Secure and without their prefix; \
                 set PORTCULLIS_MODE=production for everything that others reach"
            );
        }
        if config.issuer.contains("://") && config.issuer_path().is_none() {
            tracing::warn!(
                issuer = config.issuer,
                "no metadata is published: the issuer must be https://host[/path], or http on the loopback host, and end \
                 without `/`"
            );
        }
        let (config, stores) = (Arc::new(config), stores.into());
        let now = config.clock.now();
        let keychain = Arc::new(Keychain::new(&config.secret, &config.accepted_secrets)?);
        let grants = Grants::new(&config.access)?;
        let registry = grants.registry().cloned();
        let (keys, made) =
            SigningKeys::load(config.clone(), keychain.clone(), stores.keys.clone(), registry, now).await?;
        let keys = Arc::new(keys);
        let expect = Expect::new(&*config.issuer, &*config.audience)
            .clock_skew(config.access.clock_skew.as_secs())
            // Revocations are remembered for as long; a token from before the setting was lowered counts no more.
            .longest(config.access.ttl.as_secs());
        let hashing = Hashing::new(&config.password, &*config.entropy)?;
        let revoked =
            Revoked::load(stores.revocations.clone(), keys.clone(), config.max_staleness, now).await?;
        let auth = Self(Arc::new(Inner { config, stores, keychain, keys, expect, grants, hashing, revoked }));
        if let Some(kid) = made {
            auth.record(Event::new(now, action::SIGNING_KEY_MADE).about(&kid)).await?;
        }
        auth.tend_keys(now).await;
        Ok(auth)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The account of that id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Fault> {
        self.stores().users.find(id).await
    }

    /// The account of that address.
    ///
    /// # Errors
    /// The store failed.
    pub async fn user_by_email(&self, email: &Email) -> Result<Option<User>, Fault> {
        Ok(self.stores().credentials.by_email(email).await?.map(|record| record.user))
    }

    /// Sets a user's roles; `false` if there is no such user. Their tokens say so from the next refresh on, so
    /// within [`AccessConfig::ttl`](crate::config::AccessConfig::ttl).
    ///
    /// # Errors
    /// [`Denied::InvalidField`] for more than 32 roles or a name that is empty, longer than 64 bytes or holds a control
    /// character, since every request carries them, or if the user's tokens would be too long with what these roles
    /// [grant](crate::config::AccessConfig::grants); and if the store failed.
    pub async fn set_roles(&self, user: UserId, roles: &[String]) -> Result<bool, Refusal> {
        let fits = |role: &String| (1..=64).contains(&role.len()) && !role.contains(char::is_control);
        if roles.len() > 32 || !roles.iter().all(fits) {
            let problem = "must be at most 32 names of 1 to 64 bytes without control characters";
            return Err(Denied::InvalidField("roles", problem).into());
        }
        let Some(account) = self.user(user).await? else { return Ok(false) };
        self.roles_fit(&account, roles)?;
        let set = self.stores().users.set_roles(user, roles).await?;
        if set {
            self.record(Event::new(self.now(), action::ROLES_SET).of(user)).await?;
        }
        Ok(set)
    }

    /// Ends all sessions of a user with effect at once; answers how many there were. It takes several statements, so run
    /// it to its end: in a handler whose client may hang up, in a task of its own.
    ///
    /// # Errors
    /// The store failed; trying again is safe.
    pub async fn sign_out_everywhere(&self, user: UserId) -> Result<u64, Fault> {
        let now = self.now();
        if self.user(user).await?.is_none() {
            return Ok(0);
        }
        let ended = self.sign_out_everywhere_as(user, Ended::Administrator, now).await?;
        let event = Event::new(now, action::SIGNED_OUT_EVERYWHERE).because(Ended::Administrator.name());
        self.record(event.of(user)).await?;
        Ok(ended)
    }

    /// The latest events that concern a user, the latest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn events_of(&self, user: UserId, most: u32) -> Result<Vec<Event>, Fault> {
        self.stores().events.latest(user, most).await
    }

    /// The public keys with which others can verify this application's access tokens (RFC 7517 §5), the next one among
    /// them, the active one first; none, if they are signed with HS256.
    pub fn jwks(&self) -> JwkSet {
        self.keys().in_use().ring.jwks()
    }

    /// Asks the store what was revoked, sessions and keys, and does what is due for the keys.
    pub(crate) async fn freshen(&self, now: Time) -> Result<(), Fault> {
        self.revoked().freshen(now).await?;
        self.tend_keys(now).await;
        Ok(())
    }

    pub(crate) async fn sign_out_everywhere_as(
        &self,
        user: UserId,
        why: Ended,
        now: Time,
    ) -> Result<u64, Fault> {
        // First the epoch: a sign-in that is under way, its password checked already, starts nothing any more.
        self.stores().users.advance_epoch(user).await?;
        self.end_sessions(user, Which::All, why, now).await
    }

    pub(crate) fn now(&self) -> Time {
        self.0.config.clock.now()
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.0.stores
    }

    pub(crate) fn keychain(&self) -> &Keychain {
        &self.0.keychain
    }

    pub(crate) fn keys(&self) -> &SigningKeys {
        &self.0.keys
    }

    pub(crate) fn expect(&self) -> &Expect {
        &self.0.expect
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.0.grants
    }

    pub(crate) fn hashing(&self) -> &Hashing {
        &self.0.hashing
    }

    pub(crate) fn revoked(&self) -> &Revoked {
        &self.0.revoked
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.0.config).finish()
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Fault(fault) => fault.fmt(f),
        }
    }
}

/// `main` prints its error with `Debug`; a person reads it.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        StartError::Config(error)
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        StartError::Fault(fault)
    }
}

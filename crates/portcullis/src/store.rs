//! Where state lives: a struct of small traits, so that each kind of state can have the store it fits.
//!
//! A verb is an intention and atomic by itself: however many callers race, in one process or in many, the
//! outcome is as if they had come one after the other. A verb that fails has changed nothing that matters,
//! or can be repeated. Stores hold no policy: what a number means is decided by the core.

mod credentials;
mod events;
mod keys;
mod revocations;
mod sessions;
mod users;

use std::sync::Arc;

pub use credentials::{Credentials, PasswordRecord};
pub use events::Events;
pub use keys::{Keys, SealedKey};
pub use revocations::{Revocation, Revocations};
pub use sessions::{Advance, Ended, Session, Sessions, Which};
pub use users::{NewUser, User, Users};

/// The stores of one [`Auth`](crate::Auth).
///
/// A database gives all of them (`store.into()`); single ones can be replaced:
/// `Stores { sessions: Arc::new(mine), ..store.into() }`.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub users: Arc<dyn Users>,
    /// What proves who somebody is.
    pub credentials: Arc<dyn Credentials>,
    /// Sessions, which are also the refresh token families.
    pub sessions: Arc<dyn Sessions>,
    /// Which sessions' access tokens must be refused although they have not expired.
    pub revocations: Arc<dyn Revocations>,
    /// Signing keys, sealed.
    pub keys: Arc<dyn Keys>,
    /// What happened.
    pub events: Arc<dyn Events>,
}

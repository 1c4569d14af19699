//! Signs and verifies access tokens: JWTs of type `at+jwt` (RFC 9068).
//!
//! Everything a token decision depends on is an argument: the time, the keys, what is expected. The crate
//! does no I/O, reads no clock, is not async and touches no process-wide state, so a service that only
//! verifies needs nothing else.
//!
//! ```
//! use portcullis_token::{AccessClaims, Audience, Expect, KeyRing, SigningKey};
//!
//! let ring = KeyRing::new(SigningKey::ed25519(&[7; 32])?);
//! let claims = AccessClaims {
//!     iss: "https://issuer.example".into(),
//!     sub: "user-1".into(),
//!     aud: Audience::from("notes"),
//!     exp: 1_900,
//!     iat: 1_000,
//!     jti: "token-1".into(),
//!     client_id: "web".into(),
//!     sid: "session-1".into(),
//!     auth_time: 1_000,
//!     amr: vec!["pwd".into()],
//!     roles: vec![],
//!     permissions: vec![],
//!     packed: None,
//! };
//! let token = ring.sign(&claims)?;
//!
//! let expect = Expect::new("https://issuer.example", "notes");
//! assert_eq!(ring.verify(&token, &expect, 1_899)?, claims);
//! assert!(ring.verify(&token, &expect, 1_900).is_err(), "a token is dead at its `exp`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it does not do: encrypt (JWE), sign anything but access tokens, fetch keys.

mod algorithm;
mod cache;
mod claims;
mod crypto;
mod jwk;
mod key;
mod key_set;
mod pem;
mod permissions;
mod ring;
mod strict;
mod verify;

pub use algorithm::Algorithm;
pub use cache::TokenCache;
pub use claims::{AccessClaims, Audience};
pub use compact_str::CompactString;
pub use jwk::{Jwk, JwkSet};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use key_set::{KeySet, LeftOut};
pub use permissions::{PackedPermissions, PermissionRegistry, Permissions, RegistryError, UnknownRegistry};
pub use ring::{KeyRing, SignError};
pub use verify::{Expect, Rejected};

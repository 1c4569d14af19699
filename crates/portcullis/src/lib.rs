//! Authentication for Rust web applications: every rule, and no framework.
//!
//! An application uses this crate through an adapter (`portcullis-axum`, `portcullis-actix`,
//! `portcullis-rocket`) and a store (`portcullis-sql`); those pages have the quick starts. The three things it
//! meets here are [`Config`], [`Auth`] and [`Identity`].
//!
//! - [`Auth::handle`] answers the requests of the routes: register, login, refresh, logout and the rest.
//! - [`Auth::authenticate`] says who sent a request to the application's own handlers.
//! - [`Auth::rotate_signing_key`], [`Auth::revoke_signing_key`] and [`Auth::signing_keys`] are for its operator.
//! - [`Auth::user`], [`Auth::set_roles`] and [`Auth::sign_out_everywhere`] are for the application's own code.
//!
//! The core names no framework, no database, no socket and no executor; time and randomness are passed in with
//! [`Config::clock`] and [`Config::entropy`].
//!
//! What it does not do yet stands in the README.

// What an issuer alone calls of the files that both share is not worth a condition each.
#![cfg_attr(not(feature = "issuer"), allow(dead_code))]

pub mod clock;
mod config_error;
mod error;
mod gate;
mod headers;
mod id;
mod identity;
mod reply;
mod vars;
pub mod verifier;

#[cfg(feature = "issuer")]
mod auth;
#[cfg(feature = "issuer")]
mod authenticate;
#[cfg(feature = "issuer")]
mod client;
#[cfg(feature = "issuer")]
pub mod config;
#[cfg(feature = "issuer")]
mod cookies;
#[cfg(feature = "issuer")]
mod email;
#[cfg(feature = "issuer")]
pub mod event;
#[cfg(feature = "issuer")]
mod features;
#[cfg(feature = "issuer")]
mod guard;
#[cfg(feature = "issuer")]
mod hashing;
#[cfg(feature = "issuer")]
pub mod http;
#[cfg(feature = "issuer")]
mod permission;
#[cfg(feature = "issuer")]
mod proof;
#[cfg(feature = "issuer")]
mod refresh_token;
#[cfg(feature = "issuer")]
mod revocation;
#[cfg(feature = "issuer")]
pub mod rotation;
#[cfg(feature = "issuer")]
mod secret;
#[cfg(feature = "issuer")]
mod sign_in;
#[cfg(feature = "issuer")]
mod signing_keys;
#[cfg(feature = "issuer")]
pub mod store;

#[cfg(feature = "issuer")]
pub use auth::{Auth, StartError};
#[cfg(feature = "issuer")]
pub use client::Client;
#[cfg(feature = "issuer")]
pub use config::{Config, Mode};
pub use config_error::ConfigError;
#[cfg(feature = "issuer")]
pub use email::Email;
pub use error::{Denied, Fault, Refusal};
pub use gate::{Gate, Verdict};
pub use headers::Headers;
pub use id::{InvalidId, SessionId, UserId};
pub use identity::Identity;
pub use portcullis_token as token;
#[cfg(feature = "issuer")]
pub use secret::Secret;
#[cfg(feature = "issuer")]
pub use signing_keys::{KeyState, SigningKeyInfo};
#[cfg(feature = "issuer")]
pub use store::Stores;
pub use verifier::{Verifier, VerifierConfig};

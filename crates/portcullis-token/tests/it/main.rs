//! What a token and a key must be, each promise and each known attack a test of its name.
//!
//! Tokens are forged from hand-written JSON and signed with `aws-lc-rs`, so that a test can say what
//! [`portcullis_token::KeyRing::sign`] never would. Run them with either backend; they demand the same of both.

// Everything here is a test; clippy knows only functions marked as such.
#![allow(clippy::unwrap_used, clippy::panic)]

mod algorithm;
mod backends;
mod cache;
mod claims;
mod forge;
mod form;
mod fuzz;
mod header;
mod hostile;
mod keys;
mod pem;
mod permissions;
mod rfc;
mod ring;
mod signature;
mod time;
mod vectors;
mod wycheproof;

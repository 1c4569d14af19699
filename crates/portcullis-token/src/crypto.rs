//! The cryptography, all of it a library's: aws-lc-rs, or RustCrypto where there is no C compiler. Both do the same;
//! if both are there, aws-lc-rs does it. Neither asks anything process-wide.
//!
//! A backend makes its keys once, from bytes whose lengths were checked, and refuses those that are no key.

#[cfg(not(any(feature = "aws_lc_rs", feature = "rust_crypto", target_arch = "wasm32")))]
compile_error!(
    "portcullis-token needs its feature `aws_lc_rs` (the default; needs a C compiler) or `rust_crypto` (needs none)"
);

#[cfg(all(feature = "aws_lc_rs", not(target_arch = "wasm32")))]
mod aws_lc;
#[cfg(all(feature = "aws_lc_rs", not(target_arch = "wasm32")))]
pub(crate) use aws_lc::{Private, Public, curve_point, ed25519_point, rsa_pkcs8, sha256};

#[cfg(any(target_arch = "wasm32", all(feature = "rust_crypto", not(feature = "aws_lc_rs"))))]
mod rust_crypto;
#[cfg(any(target_arch = "wasm32", all(feature = "rust_crypto", not(feature = "aws_lc_rs"))))]
pub(crate) use rust_crypto::{Private, Public, curve_point, ed25519_point, rsa_pkcs8, sha256};

use zeroize::Zeroizing;

/// What a key is made of; integers are big-endian without leading zeros, coordinates of their full width.
pub(crate) enum Material {
    /// An Ed25519 point (RFC 8032 §5.1.5), and perhaps its seed.
    Ed25519 { x: [u8; 32], seed: Option<Zeroizing<[u8; 32]>> },
    /// A point on the algorithm's curve in uncompressed form (SEC 1 §2.3.3), and perhaps its scalar.
    Ec { point: Vec<u8>, scalar: Option<Zeroizing<Vec<u8>>> },
    /// An RSA modulus and exponent, and perhaps the private numbers.
    Rsa { n: Vec<u8>, e: Vec<u8>, private: Option<RsaPrivate> },
    /// The bytes of an HMAC key.
    Hmac(Zeroizing<Vec<u8>>),
}

/// The private numbers of an RSA key (RFC 8017 §3.2).
#[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "RSA keys only verify there"))]
pub(crate) struct RsaPrivate {
    pub(crate) d: Zeroizing<Vec<u8>>,
    pub(crate) p: Zeroizing<Vec<u8>>,
    pub(crate) q: Zeroizing<Vec<u8>>,
    pub(crate) dp: Zeroizing<Vec<u8>>,
    pub(crate) dq: Zeroizing<Vec<u8>>,
    pub(crate) qi: Zeroizing<Vec<u8>>,
}

/// The library said no; it does not say why, and the reason might tell something about the key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused;

/// Bytes of the longest signature: RSA of 8192 bits.
pub(crate) const MAX_SIGNATURE: usize = 1024;

//! Signatures by RustCrypto. In wasm RSA keys only verify: signing with them needs randomness, which is not there.

use ed25519_dalek::Signer;
use ed25519_dalek::Verifier;
use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::sec1::ToSec1Point;
use rsa::BoxedUint;
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{Material, Refused};
use crate::Algorithm;

/// A key that verifies, made ready once.
#[derive(Clone)]
pub(crate) enum Public {
    Ed25519(ed25519_dalek::VerifyingKey),
    Es256(p256::ecdsa::VerifyingKey),
    Es384(p384::ecdsa::VerifyingKey),
    Rs256(rsa::pkcs1v15::VerifyingKey<Sha256>),
    Ps256(rsa::pss::VerifyingKey<Sha256>),
    Hmac(Keyed),
}

/// A key that signs, made ready once.
pub(crate) enum Private {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Es256(p256::ecdsa::SigningKey),
    Es384(p384::ecdsa::SigningKey),
    #[cfg(not(target_arch = "wasm32"))]
    Rs256(Box<rsa::pkcs1v15::SigningKey<Sha256>>),
    #[cfg(not(target_arch = "wasm32"))]
    Ps256(Box<rsa::pss::SigningKey<Sha256>>),
    Hmac(Keyed),
}

/// An HMAC that has read its key.
#[derive(Clone)]
pub(crate) enum Keyed {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Public {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, Refused> {
        match (algorithm, material) {
            (Algorithm::EdDsa, Material::Ed25519 { x, .. }) => {
                ed25519_dalek::VerifyingKey::from_bytes(x).map(Self::Ed25519).map_err(|_| Refused)
            }
            (Algorithm::Es256, Material::Ec { point, .. }) => {
                p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::Es256).map_err(|_| Refused)
            }
            (Algorithm::Es384, Material::Ec { point, .. }) => {
                p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::Es384).map_err(|_| Refused)
            }
            (Algorithm::Rs256, Material::Rsa { n, e, .. }) => {
                Ok(Self::Rs256(rsa::pkcs1v15::VerifyingKey::new(rsa_public(n, e)?)))
            }
            (Algorithm::Ps256, Material::Rsa { n, e, .. }) => {
                // RFC 7518 §3.5: the salt is as long as the hash, which is this constructor's rule.
                Ok(Self::Ps256(rsa::pss::VerifyingKey::new(rsa_public(n, e)?)))
            }
            (_, Material::Hmac(key)) => Keyed::new(algorithm, key).map(Self::Hmac),
            _ => Err(Refused),
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Es384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Rs256(key) => rsa::pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Ps256(key) => rsa::pss::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Hmac(key) => key.verifies(message, signature),
        }
    }
}

impl Private {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, Refused> {
        match (algorithm, material) {
            (Algorithm::EdDsa, Material::Ed25519 { x, seed: Some(seed) }) => {
                let key = ed25519_dalek::SigningKey::from_bytes(seed);
                (key.verifying_key().as_bytes() == x).then(|| Self::Ed25519(Box::new(key))).ok_or(Refused)
            }
            (Algorithm::Es256, Material::Ec { point, scalar: Some(scalar) }) => {
                let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| Refused)?;
                (curve_point(algorithm, scalar)? == *point).then_some(Self::Es256(key)).ok_or(Refused)
            }
            (Algorithm::Es384, Material::Ec { point, scalar: Some(scalar) }) => {
                let key = p384::ecdsa::SigningKey::from_slice(scalar).map_err(|_| Refused)?;
                (curve_point(algorithm, scalar)? == *point).then_some(Self::Es384(key)).ok_or(Refused)
            }
            #[cfg(not(target_arch = "wasm32"))]
            (Algorithm::Rs256, Material::Rsa { n, e, private: Some(private) }) => {
                Ok(Self::Rs256(Box::new(rsa::pkcs1v15::SigningKey::new(native::rsa_private(n, e, private)?))))
            }
            #[cfg(not(target_arch = "wasm32"))]
            (Algorithm::Ps256, Material::Rsa { n, e, private: Some(private) }) => {
                Ok(Self::Ps256(Box::new(rsa::pss::SigningKey::new(native::rsa_private(n, e, private)?))))
            }
            (_, Material::Hmac(key)) => Keyed::new(algorithm, key).map(Self::Hmac),
            _ => Err(Refused),
        }
    }

    /// Writes the signature to the start of `room`; answers its length.
    pub(crate) fn sign(&self, message: &[u8], room: &mut [u8]) -> Result<usize, Refused> {
        match self {
            Self::Ed25519(key) => put(&key.sign(message).to_bytes(), room),
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).map_err(|_| Refused)?;
                put(&signature.to_bytes(), room)
            }
            Self::Es384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(message).map_err(|_| Refused)?;
                put(&signature.to_bytes(), room)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Rs256(key) => put(&native::blinded(&**key, message)?, room),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Ps256(key) => put(&native::blinded(&**key, message)?, room),
            Self::Hmac(key) => put(&key.tag(message), room),
        }
    }
}

impl Keyed {
    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, Refused> {
        match algorithm {
            Algorithm::Hs256 => Hmac::new_from_slice(key).map(Self::Sha256).map_err(|_| Refused),
            Algorithm::Hs384 => Hmac::new_from_slice(key).map(Self::Sha384).map_err(|_| Refused),
            Algorithm::Hs512 => Hmac::new_from_slice(key).map(Self::Sha512).map_err(|_| Refused),
            _ => Err(Refused),
        }
    }

    /// Takes the same time wherever the two differ.
    fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::Sha256(hmac) => hmac.clone().chain_update(message).verify_slice(tag).is_ok(),
            Self::Sha384(hmac) => hmac.clone().chain_update(message).verify_slice(tag).is_ok(),
            Self::Sha512(hmac) => hmac.clone().chain_update(message).verify_slice(tag).is_ok(),
        }
    }

    fn tag(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256(hmac) => hmac.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha384(hmac) => hmac.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha512(hmac) => hmac.clone().chain_update(message).finalize().into_bytes().to_vec(),
        }
    }
}

/// The point of an Ed25519 seed.
pub(crate) fn ed25519_point(seed: &[u8; 32]) -> Result<[u8; 32], Refused> {
    Ok(ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes())
}

/// The point of a private scalar, in uncompressed form.
pub(crate) fn curve_point(algorithm: Algorithm, scalar: &[u8]) -> Result<Vec<u8>, Refused> {
    match algorithm {
        Algorithm::Es256 => {
            let key = p256::SecretKey::from_slice(scalar).map_err(|_| Refused)?;
            Ok(key.public_key().to_sec1_point(false).as_bytes().to_vec())
        }
        Algorithm::Es384 => {
            let key = p384::SecretKey::from_slice(scalar).map_err(|_| Refused)?;
            Ok(key.public_key().to_sec1_point(false).as_bytes().to_vec())
        }
        _ => Err(Refused),
    }
}

/// A new RSA key as PKCS #8.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn rsa_pkcs8() -> Result<Zeroizing<Vec<u8>>, Refused> {
    native::rsa_pkcs8()
}

/// A new RSA key as PKCS #8.
#[cfg(target_arch = "wasm32")]
pub(crate) fn rsa_pkcs8() -> Result<Zeroizing<Vec<u8>>, Refused> {
    Err(Refused)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn put(signature: &[u8], room: &mut [u8]) -> Result<usize, Refused> {
    room.get_mut(..signature.len()).ok_or(Refused)?.copy_from_slice(signature);
    Ok(signature.len())
}

fn rsa_public(n: &[u8], e: &[u8]) -> Result<rsa::PublicKey, Refused> {
    rsa::PublicKey::new(number(n), number(e)).map_err(|_| Refused)
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

/// RSA with a private key needs randomness, to blind what it computes.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use getrandom::SysRng;
    use rsa::pkcs8::EncodePrivateKey;
    use rsa::signature::{RandomizedSigner, SignatureEncoding};
    use rsa::traits::PrivateKeyParts;
    use zeroize::Zeroizing;

    use super::number;
    use crate::crypto::{Refused, RsaPrivate};

    pub(super) fn blinded<S: SignatureEncoding>(
        key: &impl RandomizedSigner<S>,
        message: &[u8],
    ) -> Result<Box<[u8]>, Refused> {
        let signature = key.try_sign_with_rng(&mut SysRng, message).map_err(|_| Refused)?;
        Ok(signature.to_bytes().as_ref().into())
    }

    pub(super) fn rsa_private(n: &[u8], e: &[u8], private: &RsaPrivate) -> Result<rsa::PrivateKey, Refused> {
        let primes = vec![number(&private.p), number(&private.q)];
        let key = rsa::PrivateKey::from_components(number(n), number(e), number(&private.d), primes)
            .map_err(|_| Refused)?;
        // It computes these again and would sign by its own; who wrote others may have meant another key.
        let same = key.dp() == Some(&number(&private.dp))
            && key.dq() == Some(&number(&private.dq))
            && key.crt_coefficient() == Some(number(&private.qi));
        if same { Ok(key) } else { Err(Refused) }
    }

    pub(super) fn rsa_pkcs8() -> Result<Zeroizing<Vec<u8>>, Refused> {
        let key = rsa::PrivateKey::new(&mut SysRng, BITS).map_err(|_| Refused)?;
        Ok(Zeroizing::new(key.to_pkcs8_der().map_err(|_| Refused)?.as_bytes().to_vec()))
    }

    const BITS: usize = 2048;
}

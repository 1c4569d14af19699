//! Signatures by aws-lc-rs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair, RsaPublicKeyComponents, VerificationAlgorithm,
};
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

use super::{Material, Refused, RsaPrivate};
use crate::Algorithm;

/// A key that verifies, made ready once.
#[derive(Clone)]
pub(crate) enum Public {
    Point(ParsedPublicKey),
    Hmac(Box<hmac::Key>),
}

/// A key that signs, made ready once.
pub(crate) enum Private {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Hmac(Box<hmac::Key>),
}

impl Public {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, Refused> {
        let parsed = match material {
            Material::Hmac(key) => return Ok(Self::Hmac(Box::new(hmac::Key::new(hash(algorithm)?, key)))),
            Material::Ed25519 { x, .. } => ParsedPublicKey::new(&ED25519, x),
            Material::Ec { point, .. } => ParsedPublicKey::new(verification(algorithm)?, point),
            Material::Rsa { n, e, .. } => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => return Err(Refused),
                };
                let components = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
                return components.to_parsed_public_key(parameters).map(Self::Point).map_err(|_| Refused);
            }
        };
        parsed.map(Self::Point).map_err(|_| Refused)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Point(key) => key.verify_sig(message, signature).is_ok(),
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl Private {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, Refused> {
        match material {
            Material::Ed25519 { x, seed: Some(seed) } => {
                Ed25519KeyPair::from_seed_and_public_key(seed.as_slice(), x)
                    .map(Self::Ed25519)
                    .map_err(|_| Refused)
            }
            Material::Ec { point, scalar: Some(scalar) } => {
                EcdsaKeyPair::from_private_key_and_public_key(curve(algorithm)?, scalar, point)
                    .map(Self::Ecdsa)
                    .map_err(|_| Refused)
            }
            Material::Rsa { n, e, private: Some(private) } => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => return Err(Refused),
                };
                RsaKeyPair::from_components(&components(n, e, private))
                    .map(|pair| Self::Rsa(pair, padding))
                    .map_err(|_| Refused)
            }
            Material::Hmac(key) => Ok(Self::Hmac(Box::new(hmac::Key::new(hash(algorithm)?, key)))),
            _ => Err(Refused),
        }
    }

    /// Writes the signature to the start of `room`; answers its length.
    pub(crate) fn sign(&self, message: &[u8], room: &mut [u8]) -> Result<usize, Refused> {
        match self {
            Self::Ed25519(pair) => put(pair.try_sign(message).map_err(|_| Refused)?.as_ref(), room),
            Self::Ecdsa(pair) => {
                put(pair.sign(&SystemRandom::new(), message).map_err(|_| Refused)?.as_ref(), room)
            }
            Self::Rsa(pair, padding) => {
                let length = pair.public_modulus_len();
                let room = room.get_mut(..length).ok_or(Refused)?;
                pair.sign(*padding, &SystemRandom::new(), message, room).map_err(|_| Refused)?;
                Ok(length)
            }
            Self::Hmac(key) => put(hmac::sign(key, message).as_ref(), room),
        }
    }
}

/// The point of an Ed25519 seed.
pub(crate) fn ed25519_point(seed: &[u8; 32]) -> Result<[u8; 32], Refused> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Refused)?;
    pair.public_key().as_ref().try_into().map_err(|_| Refused)
}

/// The point of a private scalar, in uncompressed form.
pub(crate) fn curve_point(algorithm: Algorithm, scalar: &[u8]) -> Result<Vec<u8>, Refused> {
    use aws_lc_rs::agreement::{ECDH_P256, ECDH_P384, PrivateKey};
    let curve = match algorithm {
        Algorithm::Es256 => &ECDH_P256,
        Algorithm::Es384 => &ECDH_P384,
        _ => return Err(Refused),
    };
    let private = PrivateKey::from_private_key(curve, scalar).map_err(|_| Refused)?;
    Ok(private.compute_public_key().map_err(|_| Refused)?.as_ref().to_vec())
}

/// A new RSA key as PKCS #8.
pub(crate) fn rsa_pkcs8() -> Result<Zeroizing<Vec<u8>>, Refused> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Refused)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Refused)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn put(signature: &[u8], room: &mut [u8]) -> Result<usize, Refused> {
    room.get_mut(..signature.len()).ok_or(Refused)?.copy_from_slice(signature);
    Ok(signature.len())
}

fn components<'a>(n: &'a [u8], e: &'a [u8], private: &'a RsaPrivate) -> KeyPairComponents<&'a [u8]> {
    KeyPairComponents {
        public_key: RsaPublicKeyComponents { n, e },
        d: &private.d,
        p: &private.p,
        q: &private.q,
        dP: &private.dp,
        dQ: &private.dq,
        qInv: &private.qi,
    }
}

fn hash(algorithm: Algorithm) -> Result<hmac::Algorithm, Refused> {
    match algorithm {
        Algorithm::Hs256 => Ok(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Ok(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Ok(hmac::HMAC_SHA512),
        _ => Err(Refused),
    }
}

fn verification(algorithm: Algorithm) -> Result<&'static dyn VerificationAlgorithm, Refused> {
    match algorithm {
        Algorithm::Es256 => Ok(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Ok(&ECDSA_P384_SHA384_FIXED),
        _ => Err(Refused),
    }
}

fn curve(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm, Refused> {
    match algorithm {
        Algorithm::Es256 => Ok(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Ok(&ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => Err(Refused),
    }
}

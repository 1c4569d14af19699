//! Keys in PEM (RFC 7468) as JSON Web Keys: one form inside, whatever the form outside.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use pkcs1::{RsaPrivateKey, RsaPublicKey};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{AnyRef, Decode, pem};
use pkcs8::spki::SubjectPublicKeyInfo;
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

use crate::key::coordinates;
use crate::{Algorithm, Jwk, KeyError, crypto};

/// A private key: `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
pub(crate) fn private(text: &str) -> Result<Jwk, KeyError> {
    let (label, der) = block(text, "PRIVATE KEY-----")?;
    match label.as_str() {
        "PRIVATE KEY" => pkcs8(&der),
        "RSA PRIVATE KEY" => rsa_private(&der),
        "EC PRIVATE KEY" => ec_private(&der, None),
        "ENCRYPTED PRIVATE KEY" => Err(malformed(ENCRYPTED)),
        _ => Err(malformed("its label is not that of a private key")),
    }
}

/// A public key: `PUBLIC KEY` or `RSA PUBLIC KEY`.
pub(crate) fn public(text: &str) -> Result<Jwk, KeyError> {
    let (label, der) = block(text, "PUBLIC KEY-----")?;
    match label.as_str() {
        "PUBLIC KEY" => spki(&der),
        "RSA PUBLIC KEY" => rsa_public(&der),
        _ => Err(malformed("its label is not that of a public key")),
    }
}

/// A private key as PKCS #8 (RFC 5958).
pub(crate) fn pkcs8(der: &[u8]) -> Result<Jwk, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| malformed("no PKCS #8"))?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => rsa_private(key),
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Unfit("crv"))?;
            ec_private(key, Some(curve))
        }
        ED25519 => {
            let seed = <&OctetStringRef>::from_der(key).map_err(|_| malformed("no Ed25519 seed"))?;
            let seed = seed.as_bytes().try_into().map_err(|_| KeyError::Member("d"))?;
            let x = crypto::ed25519_point(seed).map_err(|_| KeyError::Mismatch)?;
            let stated = info.public_key.as_ref().map(BitStringRef::raw_bytes);
            if stated.is_some_and(|stated| stated != x) {
                return Err(KeyError::Mismatch);
            }
            Ok(Jwk { x: encode(&x), d: secret(seed), ..of(Algorithm::EdDsa) })
        }
        _ => Err(KeyError::Unfit("kty")),
    }
}

/// A public key as SubjectPublicKeyInfo (RFC 5280 §4.1).
fn spki(der: &[u8]) -> Result<Jwk, KeyError> {
    let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(der)
        .map_err(|_| malformed("no SubjectPublicKeyInfo"))?;
    let key = info.subject_public_key.as_bytes().ok_or_else(|| malformed("no whole bytes"))?;
    match info.algorithm.oid {
        RSA => rsa_public(key),
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Unfit("crv"))?;
            ec(curve_of(curve)?, key)
        }
        ED25519 => Ok(Jwk { x: encode(key), ..of(Algorithm::EdDsa) }),
        _ => Err(KeyError::Unfit("kty")),
    }
}

/// RFC 8017 §A.1.1.
fn rsa_public(der: &[u8]) -> Result<Jwk, KeyError> {
    let key = RsaPublicKey::from_der(der).map_err(|_| malformed("no RSA public key"))?;
    let (n, e): (pkcs1::UintRef<'_>, pkcs1::UintRef<'_>) = (key.modulus, key.public_exponent);
    Ok(Jwk { n: encode(n.as_bytes()), e: encode(e.as_bytes()), ..of(Algorithm::Rs256) })
}

/// RFC 8017 §A.1.2; of two primes.
fn rsa_private(der: &[u8]) -> Result<Jwk, KeyError> {
    let key = RsaPrivateKey::<pkcs1::UintRef<'_>>::from_der(der)
        .map_err(|_| malformed("no RSA private key of two primes"))?;
    if key.other_prime_infos.is_some() {
        return Err(malformed("no RSA private key of two primes"));
    }
    Ok(Jwk {
        n: encode(key.modulus.as_bytes()),
        e: encode(key.public_exponent.as_bytes()),
        d: secret(key.private_exponent.as_bytes()),
        p: secret(key.prime1.as_bytes()),
        q: secret(key.prime2.as_bytes()),
        dp: secret(key.exponent1.as_bytes()),
        dq: secret(key.exponent2.as_bytes()),
        qi: secret(key.coefficient.as_bytes()),
        ..of(Algorithm::Rs256)
    })
}

/// RFC 5915; the curve stands in it, or beside it in PKCS #8.
fn ec_private(der: &[u8], beside: Option<ObjectIdentifier>) -> Result<Jwk, KeyError> {
    let key = EcPrivateKey::from_der(der).map_err(|_| malformed("no EC private key"))?;
    let inside = key.parameters.map(|EcParameters::NamedCurve(curve)| curve);
    let algorithm = match (inside, beside) {
        (Some(one), Some(other)) if one != other => return Err(KeyError::Unfit("crv")),
        (one, other) => curve_of(one.or(other).ok_or(KeyError::Unfit("crv"))?)?,
    };
    if key.private_key.len() != algorithm.width() {
        return Err(KeyError::Member("d"));
    }
    let point = crypto::curve_point(algorithm, key.private_key).map_err(|_| KeyError::Mismatch)?;
    if key.public_key.is_some_and(|stated| stated != point) {
        return Err(KeyError::Mismatch);
    }
    Ok(Jwk { d: secret(key.private_key), ..ec(algorithm, &point)? })
}

fn ec(algorithm: Algorithm, point: &[u8]) -> Result<Jwk, KeyError> {
    let (x, y) = coordinates(algorithm, point).ok_or(KeyError::Member("x"))?;
    Ok(Jwk { x: encode(x), y: encode(y), ..of(algorithm) })
}

/// A JWK of the type of that algorithm's keys, and nothing more.
fn of(algorithm: Algorithm) -> Jwk {
    let (kty, crv) = algorithm.kind();
    Jwk { kty: kty.to_owned(), crv: crv.map(str::to_owned), ..Jwk::default() }
}

fn curve_of(curve: ObjectIdentifier) -> Result<Algorithm, KeyError> {
    match curve {
        P_256 => Ok(Algorithm::Es256),
        P_384 => Ok(Algorithm::Es384),
        _ => Err(KeyError::Unfit("crv")),
    }
}

/// The first block whose opening line ends so. What stands before it, such as `EC PARAMETERS`, is passed over.
fn block(text: &str, ending: &str) -> Result<(String, Zeroizing<Vec<u8>>), KeyError> {
    let start = text
        .match_indices("-----BEGIN ")
        .map(|(at, _)| at)
        .find(|at| text[*at..].lines().next().is_some_and(|line| line.trim_end().ends_with(ending)))
        .ok_or_else(|| malformed("there is no such PEM block"))?;
    let end = text[start..].find("-----END ").and_then(|end| {
        let line = text[start + end..].lines().next()?.len();
        Some(start + end + line)
    });
    let end = end.ok_or_else(|| malformed("the PEM block has no end"))?;
    let block = Zeroizing::new(text[start..end].trim_end().replace("\r\n", "\n"));
    // RFC 1421 §4.6.1.1: how OpenSSL encrypts PKCS #1 and SEC 1.
    if block.lines().nth(1).is_some_and(|line| line.starts_with("Proc-Type:")) {
        return Err(malformed(ENCRYPTED));
    }
    let (label, der) = pem::decode_vec(block.as_bytes())
        .map(|(label, der)| (label.to_owned(), Zeroizing::new(der)))
        .map_err(|_| malformed("the PEM block is damaged"))?;
    Ok((label, der))
}

fn encode(bytes: &[u8]) -> Option<String> {
    Some(BASE64URL.encode(bytes))
}

fn secret(bytes: &[u8]) -> Option<Zeroizing<String>> {
    encode(bytes).map(Zeroizing::new)
}

fn malformed(why: &str) -> KeyError {
    KeyError::Malformed(why.to_owned())
}

const ENCRYPTED: &str = "it is encrypted; decrypt it first, e.g. with `openssl pkey`";

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

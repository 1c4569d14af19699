//! Keys, each bound to one algorithm and checked before it is used.
//!
//! Signatures come from `jsonwebtoken`'s aws-lc-rs backend, called directly: its process-wide provider is
//! neither installed nor asked, so nothing that other crates of a program do with it matters here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as CRYPTO;
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::{Zeroize, Zeroizing};

use crate::Jwk;

/// A signature algorithm, by its JOSE name.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// `EdDSA` with Ed25519 (RFC 8037): the default. Verifiers need only the public key.
    #[default]
    EdDsa,
    /// `HS256` (RFC 7518 §3.2): whoever verifies can also sign. For one service that talks to itself.
    Hs256,
}

impl Algorithm {
    /// The name that stands in `alg`, compared with its case.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Hs256 => "HS256",
        }
    }

    /// The algorithm of that name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        [Algorithm::EdDsa, Algorithm::Hs256].into_iter().find(|one| one.name() == name)
    }

    const fn jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// Why a key was not accepted.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not a JWK.
    #[error("not a JSON Web Key: {0}")]
    Malformed(String),
    /// A member is missing, of the wrong length or not base64url.
    #[error("the key's `{0}` is missing or malformed")]
    Member(&'static str),
    /// `kty`, `crv` or `alg` name something that is not supported, or that does not belong together.
    #[error("the key's `{0}` does not fit")]
    Unfit(&'static str),
    /// `use` or `key_ops` forbid what the key was given for.
    #[error("the key's `use` or `key_ops` forbid signatures")]
    Forbidden,
    /// A symmetric key is shorter than its hash (RFC 7518 §3.2), counted in bytes.
    #[error("an HS256 key needs at least 32 bytes, this one has {0}")]
    TooShort(usize),
    /// The public part does not belong to the private part.
    #[error("the key's public part does not belong to its private part")]
    Mismatch,
    /// The cryptographic library refused the key.
    #[error("the key was refused: {0}")]
    Refused(String),
}

/// A key that signs, and verifies what it signed.
#[derive(Clone)]
pub struct SigningKey {
    private: EncodingKey,
    public: VerifyingKey,
    secret: Zeroizing<Vec<u8>>,
}

impl SigningKey {
    /// An Ed25519 key of a 32-byte seed; its key id is its thumbprint (RFC 7638).
    pub fn ed25519(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let mut der = Zeroizing::new(ED25519_PKCS8.to_vec());
        der.extend_from_slice(seed);
        let x = (CRYPTO.key_utils.ed_pub_components_from_private_key)(&der, &EllipticCurve::Ed25519)
            .map_err(|error| KeyError::Refused(error.to_string()))?;
        let public = VerifyingKey::ed25519(&x, None)?;
        let private = EncodingKey::from_ed_der(&der);
        Ok(Self { private, public, secret: Zeroizing::new(seed.to_vec()) })
    }

    /// An HS256 key of at least 32 bytes under a key id that tells nothing about it.
    pub fn hs256(secret: &[u8], kid: &str) -> Result<Self, KeyError> {
        let public = VerifyingKey::hs256(secret, kid)?;
        Ok(Self {
            private: EncodingKey::from_secret(secret),
            public,
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    /// Reads a private JWK; a missing `kid` becomes the thumbprint, which an `oct` key may not leave out.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let jwk: Jwk = parse(json)?;
        permit(&jwk, "sign")?;
        match jwk.kty.as_str() {
            "OKP" => {
                let d = Zeroizing::new(member(&jwk.d, "d")?);
                let seed: &[u8; 32] = d.as_slice().try_into().map_err(|_| KeyError::Member("d"))?;
                let mut key = Self::ed25519(seed)?;
                let given = VerifyingKey::from_okp(&jwk)?;
                if given.jwk.x != key.public.jwk.x {
                    return Err(KeyError::Mismatch);
                }
                key.public = given;
                Ok(key)
            }
            "oct" => {
                let k = Zeroizing::new(member(&jwk.k, "k")?);
                expect_alg(&jwk, Algorithm::Hs256)?;
                Self::hs256(&k, jwk.kid.as_deref().ok_or(KeyError::Member("kid"))?)
            }
            _ => Err(KeyError::Unfit("kty")),
        }
    }

    /// The private JWK as JSON. Keep it sealed.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let mut jwk = self.public.jwk.clone();
        let mut secret = BASE64URL.encode(self.secret.as_slice());
        match self.algorithm() {
            Algorithm::EdDsa => jwk.d = Some(std::mem::take(&mut secret)),
            Algorithm::Hs256 => jwk.k = Some(std::mem::take(&mut secret)),
        }
        secret.zeroize();
        // A struct of strings has one JSON form and no way to fail.
        Zeroizing::new(serde_json::to_string(&jwk).unwrap_or_default())
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The algorithm that it is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// The half that verifies.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.public
    }

    /// Appends the signature of `message` as base64url.
    pub(crate) fn sign(&self, message: &mut String) -> Result<(), KeyError> {
        let refused = |error: &dyn fmt::Display| KeyError::Refused(error.to_string());
        let signer =
            (CRYPTO.signer_factory)(&self.algorithm().jose(), &self.private).map_err(|e| refused(&e))?;
        let signature = signer.try_sign(message.as_bytes()).map_err(|e| refused(&e))?;
        message.push('.');
        BASE64URL.encode_string(signature, message);
        Ok(())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm().name(), self.kid())
    }
}

/// A key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: DecodingKey,
    /// The public JWK; of a symmetric key only the names.
    jwk: Jwk,
    /// The first segment of every token that the other half signs.
    header: String,
}

impl VerifyingKey {
    /// Reads a public JWK, or a symmetric one.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let jwk: Jwk = parse(json)?;
        permit(&jwk, "verify")?;
        match jwk.kty.as_str() {
            "OKP" => Self::from_okp(&jwk),
            "oct" => {
                expect_alg(&jwk, Algorithm::Hs256)?;
                let k = Zeroizing::new(member(&jwk.k, "k")?);
                Self::hs256(&k, jwk.kid.as_deref().ok_or(KeyError::Member("kid"))?)
            }
            _ => Err(KeyError::Unfit("kty")),
        }
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        self.jwk.kid.as_deref().unwrap_or_default()
    }

    /// The algorithm that it is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The JWK to publish; `None` for a symmetric key, which has no public half.
    pub fn to_jwk(&self) -> Option<Jwk> {
        (self.algorithm != Algorithm::Hs256).then(|| self.jwk.clone())
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        (CRYPTO.verifier_factory)(&self.algorithm.jose(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    fn from_okp(jwk: &Jwk) -> Result<Self, KeyError> {
        expect_alg(jwk, Algorithm::EdDsa)?;
        if jwk.crv.as_deref() != Some("Ed25519") {
            return Err(KeyError::Unfit("crv"));
        }
        Self::ed25519(&member(&jwk.x, "x")?, jwk.kid.as_deref())
    }

    fn ed25519(x: &[u8], kid: Option<&str>) -> Result<Self, KeyError> {
        if x.len() != 32 {
            return Err(KeyError::Member("x"));
        }
        let encoded = BASE64URL.encode(x);
        let key = DecodingKey::from_ed_components(&encoded)
            .map_err(|error| KeyError::Refused(error.to_string()))?;
        let kid = match kid {
            Some(kid) => kid.to_owned(),
            None => thumbprint(&encoded)?,
        };
        Self::new(Algorithm::EdDsa, key, &kid, Some(("Ed25519", encoded)))
    }

    fn hs256(secret: &[u8], kid: &str) -> Result<Self, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::TooShort(secret.len()));
        }
        Self::new(Algorithm::Hs256, DecodingKey::from_secret(secret), kid, None)
    }

    fn new(
        algorithm: Algorithm,
        key: DecodingKey,
        kid: &str,
        okp: Option<(&str, String)>,
    ) -> Result<Self, KeyError> {
        if kid.is_empty() || kid.len() > MAX_KID {
            return Err(KeyError::Member("kid"));
        }
        let header = serde_json::json!({ "alg": algorithm.name(), "kid": kid, "typ": "at+jwt" });
        let (crv, x) = okp.unzip();
        let jwk = Jwk {
            kty: if crv.is_some() { "OKP" } else { "oct" }.to_owned(),
            kid: Some(kid.to_owned()),
            alg: Some(algorithm.name().to_owned()),
            usage: Some("sig".to_owned()),
            key_ops: None,
            crv: crv.map(str::to_owned),
            x,
            d: None,
            k: None,
        };
        Ok(Self { algorithm, key, jwk, header: BASE64URL.encode(header.to_string()) })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm.name(), self.kid())
    }
}

fn parse(json: &str) -> Result<Jwk, KeyError> {
    // Only the place is told: serde's own words may quote the key.
    serde_json::from_str(json)
        .map_err(|e| KeyError::Malformed(format!("line {}, column {}", e.line(), e.column())))
}

/// RFC 7517 §4.2, §4.3: a key that says what it is for is used for nothing else.
fn permit(jwk: &Jwk, operation: &str) -> Result<(), KeyError> {
    let used_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let operation_allowed = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == operation));
    if used_for_signatures && operation_allowed { Ok(()) } else { Err(KeyError::Forbidden) }
}

fn expect_alg(jwk: &Jwk, algorithm: Algorithm) -> Result<(), KeyError> {
    match jwk.alg.as_deref() {
        None => Ok(()),
        Some(name) if name == algorithm.name() => Ok(()),
        Some(_) => Err(KeyError::Unfit("alg")),
    }
}

fn member(value: &Option<String>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = value.as_deref().ok_or(KeyError::Member(name))?;
    BASE64URL.decode(text).map_err(|_| KeyError::Member(name))
}

fn thumbprint(x: &str) -> Result<String, KeyError> {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let digest = (CRYPTO.key_utils.compute_digest)(canonical.as_bytes(), ThumbprintHash::SHA256)
        .map_err(|error| KeyError::Refused(error.to_string()))?;
    Ok(BASE64URL.encode(digest))
}

/// What stands before the seed in the PKCS #8 form of an Ed25519 key (RFC 8410 §7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Bytes of a key id; it travels in every token.
const MAX_KID: usize = 128;

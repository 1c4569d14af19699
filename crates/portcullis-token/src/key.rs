//! Keys, each bound to one algorithm, checked before it is used and made ready once.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use zeroize::Zeroizing;

use crate::crypto::{self, MAX_SIGNATURE, Material, Private, Public, RsaPrivate};
use crate::{Algorithm, Jwk, pem};

/// Why a key was not accepted.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not a JWK, or not a key in PEM.
    #[error("not a key: {0}")]
    Malformed(String),
    /// A member is missing, of the wrong length or not base64url.
    #[error("the key's `{0}` is missing or malformed")]
    Member(&'static str),
    /// `kty`, `crv`, `alg` or `kid` name something that is not supported, or that does not belong together.
    #[error("the key's `{0}` does not fit")]
    Unfit(&'static str),
    /// `use` or `key_ops` forbid what the key was given for, or contradict themselves.
    #[error("the key's `use` or `key_ops` forbid signatures")]
    Forbidden,
    /// A symmetric key is shorter than its hash (RFC 7518 §3.2), counted in bytes.
    #[error("a {0} key needs at least {1} bytes, this one has {2}")]
    TooShort(&'static str, usize, usize),
    /// An RSA modulus of fewer than 2048 bits (RFC 7518 §3.3) or more than 8192, counted in bits.
    #[error("an RSA key needs 2048 to 8192 bits, this one has {0}")]
    Modulus(usize),
    /// An RSA exponent that is even, smaller than 65537 (FIPS 186-5 §5.4) or longer than 4 bytes.
    #[error("the exponent of an RSA key must be odd and at least 65537")]
    Exponent,
    /// The public part does not belong to the private part, or the numbers are those of no key of this kind.
    #[error("the key's numbers do not belong together")]
    Mismatch,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed at {0}")]
    Failed(&'static str),
}

/// A key that signs, and verifies what it signed. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey {
    private: Arc<Private>,
    public: VerifyingKey,
    /// With its secret parts.
    jwk: Arc<Jwk>,
}

impl SigningKey {
    /// An Ed25519 key of a 32-byte seed; its key id is its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn ed25519(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::of_private_bytes(Algorithm::EdDsa, seed, None)
    }

    /// An HMAC key under a key id that tells nothing about it.
    ///
    /// # Errors
    /// If it is shorter than the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512; or the algorithm is no HMAC.
    pub fn hmac(algorithm: Algorithm, secret: &[u8], kid: &str) -> Result<Self, KeyError> {
        if !algorithm.is_symmetric() {
            return Err(KeyError::Unfit("alg"));
        }
        Self::of_private_bytes(algorithm, secret, Some(kid))
    }

    /// A new key. It is made of `random`, which must be unpredictable, but for an RSA key, of 2048 bits, which comes of
    /// the cryptographic library's own generator (and takes a tenth of a second or more). Without a `kid` it bears its
    /// thumbprint; a symmetric key needs one.
    ///
    /// # Errors
    /// The cryptographic library failed; and once in 2^32 times for ES256, if `random` is no scalar: take another.
    pub fn generate(algorithm: Algorithm, kid: Option<&str>, random: &[u8; 64]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let der = crypto::rsa_pkcs8().map_err(|_| KeyError::Failed("making an RSA key"))?;
                Self::from_private(&pem::pkcs8(&der)?.named(algorithm, kid))
            }
            _ => Self::of_private_bytes(algorithm, random.get(..algorithm.width()).unwrap_or(random), kid),
        }
    }

    fn of_private_bytes(algorithm: Algorithm, bytes: &[u8], kid: Option<&str>) -> Result<Self, KeyError> {
        Self::from_private(&private_jwk(algorithm, bytes)?.named(algorithm, kid))
    }

    /// Reads a private JWK. A missing `kid` becomes the thumbprint, which an `oct` key may not leave out; a missing
    /// `alg` the usual one of its type: EdDSA, ES256, ES384, RS256, HS256.
    ///
    /// # Errors
    /// What is wrong with the key; it never quotes it.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        Self::from_private(&parse(json)?)
    }

    /// Reads a private key in PEM (PKCS #8, PKCS #1 for RSA, SEC 1 for EC; not encrypted) for that algorithm. Without a
    /// `kid` it bears its thumbprint.
    ///
    /// # Errors
    /// What is wrong with the key; it never quotes it.
    pub fn from_pem(pem: &str, algorithm: Algorithm, kid: Option<&str>) -> Result<Self, KeyError> {
        Self::from_private(&pem::private(pem)?.named(algorithm, kid))
    }

    fn from_private(jwk: &Jwk) -> Result<Self, KeyError> {
        permit(jwk, "sign")?;
        let algorithm = algorithm(jwk)?;
        let material = material(algorithm, jwk)?;
        let public = VerifyingKey::new(algorithm, jwk, &material)?;
        let private = Private::new(algorithm, &material).map_err(|_| match material {
            Material::Ed25519 { seed: None, .. }
            | Material::Ec { scalar: None, .. }
            | Material::Rsa { private: None, .. } => KeyError::Member("d"),
            _ => KeyError::Mismatch,
        })?;
        let Jwk { kid, alg, usage, .. } = public.0.jwk.clone();
        let jwk = Jwk { kid, alg, usage, key_ops: None, ..jwk.clone() };
        Ok(Self { private: Arc::new(private), public, jwk: Arc::new(jwk) })
    }

    /// The private JWK as JSON. Keep it sealed.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        // A struct of strings has one JSON form and no way to fail.
        Zeroizing::new(serde_json::to_string(&*self.jwk).unwrap_or_default())
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The algorithm that it is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// The half that verifies.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature of `message` in the form of JWS; see [`VerifyingKey::verifies`].
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut room = [0; MAX_SIGNATURE];
        let length = self.private.sign(message, &mut room).map_err(|_| KeyError::Failed("signing"))?;
        Ok(room.get(..length).unwrap_or_default().to_vec())
    }

    /// Appends the signature of `message` as base64url.
    pub(crate) fn sign(&self, message: &mut String) -> Result<(), KeyError> {
        let mut room = [0; MAX_SIGNATURE];
        let length =
            self.private.sign(message.as_bytes(), &mut room).map_err(|_| KeyError::Failed("signing"))?;
        message.push('.');
        BASE64URL.encode_string(room.get(..length).unwrap_or_default(), message);
        Ok(())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm().name(), self.kid())
    }
}

/// A key that verifies. Cheap to clone.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Verifying>);

struct Verifying {
    algorithm: Algorithm,
    key: Public,
    /// Bytes of every signature of its.
    signature: usize,
    /// The public JWK; of a symmetric key only the names.
    jwk: Jwk,
    /// The first segment of every token that the other half signs.
    header: String,
}

impl VerifyingKey {
    /// Reads a public JWK, the public half of a private one, or a symmetric one. A missing `kid` becomes the thumbprint,
    /// which an `oct` key may not leave out; a missing `alg` the usual one of its type: EdDSA, ES256, ES384, RS256, HS256.
    ///
    /// # Errors
    /// What is wrong with the key; it never quotes it.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        Self::from_public(&parse(json)?)
    }

    /// Reads a public key in PEM (SubjectPublicKeyInfo, or PKCS #1 for RSA) for that algorithm. Without a `kid` it
    /// bears its thumbprint.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn from_pem(pem: &str, algorithm: Algorithm, kid: Option<&str>) -> Result<Self, KeyError> {
        Self::from_public(&pem::public(pem)?.named(algorithm, kid))
    }

    pub(crate) fn from_public(jwk: &Jwk) -> Result<Self, KeyError> {
        permit(jwk, "verify")?;
        let algorithm = algorithm(jwk)?;
        Self::new(algorithm, jwk, &material(algorithm, jwk)?)
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        self.0.jwk.kid.as_deref().unwrap_or_default()
    }

    /// The algorithm that it is bound to.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The JWK to publish; `None` for a symmetric key, which has no public half.
    pub fn to_jwk(&self) -> Option<Jwk> {
        (!self.0.algorithm.is_symmetric()).then(|| self.0.jwk.clone())
    }

    /// Whether `signature` is this key's over `message`, in the form of JWS (RFC 7515): ECDSA as `r | s`, RSA as long
    /// as the modulus. For signatures beside access tokens, whose every other check is the caller's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.0.signature && self.0.key.verifies(message, signature)
    }

    pub(crate) fn header(&self) -> &str {
        &self.0.header
    }

    fn new(algorithm: Algorithm, jwk: &Jwk, material: &Material) -> Result<Self, KeyError> {
        let kid = match &jwk.kid {
            Some(kid) => kid.clone(),
            None if algorithm.is_symmetric() => return Err(KeyError::Member("kid")),
            None => thumbprint(jwk)?,
        };
        if kid.is_empty() || kid.len() > MAX_KID {
            return Err(KeyError::Member("kid"));
        }
        let key = Public::new(algorithm, material).map_err(|_| KeyError::Mismatch)?;
        let header = serde_json::json!({ "alg": algorithm.name(), "kid": &kid, "typ": "at+jwt" });
        let mut jwk = jwk.public();
        jwk.kid = Some(kid);
        jwk.alg = Some(algorithm.name().to_owned());
        jwk.usage = Some("sig".to_owned());
        jwk.key_ops = None;
        let signature = match material {
            Material::Ed25519 { .. } | Material::Ec { .. } => 2 * algorithm.width(),
            Material::Rsa { n, .. } => n.len(),
            Material::Hmac(_) => algorithm.width(),
        };
        Ok(Self(Arc::new(Verifying {
            algorithm,
            key,
            signature,
            jwk,
            header: BASE64URL.encode(header.to_string()),
        })))
    }
}

/// Two keys are one if they are of one name, algorithm and public part; symmetric ones are never.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || !self.0.algorithm.is_symmetric() && self.0.jwk == other.0.jwk
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm().name(), self.kid())
    }
}

/// The JWK of a seed, a scalar or the bytes of an HMAC key.
fn private_jwk(algorithm: Algorithm, bytes: &[u8]) -> Result<Jwk, KeyError> {
    let (kty, crv) = algorithm.kind();
    let encode = |bytes: &[u8]| Some(BASE64URL.encode(bytes));
    let mut jwk = Jwk { kty: kty.to_owned(), crv: crv.map(str::to_owned), ..Jwk::default() };
    match algorithm {
        Algorithm::EdDsa => {
            let seed = bytes.try_into().map_err(|_| KeyError::Member("d"))?;
            jwk.x = encode(&crypto::ed25519_point(seed).map_err(|_| KeyError::Mismatch)?);
            jwk.d = encode(bytes).map(Zeroizing::new);
        }
        Algorithm::Es256 | Algorithm::Es384 => {
            let point = crypto::curve_point(algorithm, bytes).map_err(|_| KeyError::Mismatch)?;
            let (x, y) = coordinates(algorithm, &point).ok_or(KeyError::Mismatch)?;
            (jwk.x, jwk.y, jwk.d) = (encode(x), encode(y), encode(bytes).map(Zeroizing::new));
        }
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            jwk.k = encode(bytes).map(Zeroizing::new);
        }
        Algorithm::Rs256 | Algorithm::Ps256 => return Err(KeyError::Unfit("alg")),
    }
    Ok(jwk)
}

/// The two coordinates of an uncompressed point (SEC 1 §2.3.3).
pub(crate) fn coordinates(algorithm: Algorithm, point: &[u8]) -> Option<(&[u8], &[u8])> {
    match point {
        [4, coordinates @ ..] if coordinates.len() == 2 * algorithm.width() => {
            coordinates.split_at_checked(algorithm.width())
        }
        _ => None,
    }
}

impl Jwk {
    /// The same for that algorithm and under that name.
    fn named(mut self, algorithm: Algorithm, kid: Option<&str>) -> Self {
        self.alg = Some(algorithm.name().to_owned());
        self.kid = kid.map(str::to_owned);
        self
    }
}

fn parse(json: &str) -> Result<Jwk, KeyError> {
    // Only the place is told: serde's own words may quote the key.
    serde_json::from_str(json)
        .map_err(|e| KeyError::Malformed(format!("no JWK at line {}, column {}", e.line(), e.column())))
}

/// RFC 7517 §4.2, §4.3: a key that says what it is for is used for nothing else, and says no operation twice.
fn permit(jwk: &Jwk, operation: &str) -> Result<(), KeyError> {
    let used_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let operation_allowed = jwk.key_ops.as_ref().is_none_or(|ops| {
        let ops_that_count = ops.iter().take(MAX_OPERATIONS);
        let twice = ops_that_count.enumerate().any(|(at, op)| ops.iter().take(at).any(|before| before == op));
        ops.len() <= MAX_OPERATIONS && !twice && ops.iter().any(|op| op == operation)
    });
    if used_for_signatures && operation_allowed { Ok(()) } else { Err(KeyError::Forbidden) }
}

/// The one algorithm of a key: what it says, if that belongs to its type and curve, or the usual one of these.
fn algorithm(jwk: &Jwk) -> Result<Algorithm, KeyError> {
    let of_type = |algorithm: &Algorithm| algorithm.kind().0 == jwk.kty;
    let of_curve =
        |algorithm: &Algorithm| algorithm.kind().1.is_none_or(|crv| jwk.crv.as_deref() == Some(crv));
    if !Algorithm::ALL.iter().any(of_type) {
        return Err(KeyError::Unfit("kty"));
    }
    let mut fitting = Algorithm::ALL.into_iter().filter(of_type).filter(of_curve).peekable();
    if fitting.peek().is_none() {
        return Err(KeyError::Unfit("crv"));
    }
    fitting
        .find(|algorithm| jwk.alg.as_deref().is_none_or(|name| name == algorithm.name()))
        .ok_or(KeyError::Unfit("alg"))
}

/// The numbers of a key, each of the length and range that its algorithm asks for.
fn material(algorithm: Algorithm, jwk: &Jwk) -> Result<Material, KeyError> {
    let width = algorithm.width();
    match algorithm {
        Algorithm::EdDsa => {
            let x: [u8; 32] =
                wide(jwk.x.as_deref(), "x", 32)?.as_slice().try_into().map_err(|_| KeyError::Member("x"))?;
            if !is_reduced(&x) || is_of_small_order(&x) {
                return Err(KeyError::Mismatch);
            }
            let seed = match &jwk.d {
                None => None,
                Some(_) => {
                    let seed = wide(exposed(&jwk.d), "d", 32)?;
                    Some(Zeroizing::new(seed.as_slice().try_into().map_err(|_| KeyError::Member("d"))?))
                }
            };
            Ok(Material::Ed25519 { x, seed })
        }
        Algorithm::Es256 | Algorithm::Es384 => {
            let (x, y) = (wide(jwk.x.as_deref(), "x", width)?, wide(jwk.y.as_deref(), "y", width)?);
            let scalar = jwk.d.as_ref().map(|_| wide(exposed(&jwk.d), "d", width)).transpose()?;
            Ok(Material::Ec { point: [&[4], x.as_slice(), &y].concat(), scalar })
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let (n, e) = (integer(jwk.n.as_deref(), "n")?, integer(jwk.e.as_deref(), "e")?);
            let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
            if !(2048..=8192).contains(&bits) {
                return Err(KeyError::Modulus(bits));
            }
            let exponent = e.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            if e.len() > 4 || exponent < 65537 || exponent % 2 == 0 {
                return Err(KeyError::Exponent);
            }
            // An even modulus has the factor two.
            if n.last().is_none_or(|last| last % 2 == 0) {
                return Err(KeyError::Mismatch);
            }
            let private = jwk.d.as_ref().map(|_| rsa_private(jwk)).transpose()?;
            Ok(Material::Rsa { n: n.to_vec(), e: e.to_vec(), private })
        }
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            let key = member(exposed(&jwk.k), "k")?;
            if key.len() < width {
                return Err(KeyError::TooShort(algorithm.name(), width, key.len()));
            }
            Ok(Material::Hmac(key))
        }
    }
}

/// RFC 7518 §6.3.2: all of them, so that signing needs no guess.
fn rsa_private(jwk: &Jwk) -> Result<RsaPrivate, KeyError> {
    Ok(RsaPrivate {
        d: integer(exposed(&jwk.d), "d")?,
        p: integer(exposed(&jwk.p), "p")?,
        q: integer(exposed(&jwk.q), "q")?,
        dp: integer(exposed(&jwk.dp), "dp")?,
        dq: integer(exposed(&jwk.dq), "dq")?,
        qi: integer(exposed(&jwk.qi), "qi")?,
    })
}

fn exposed(secret: &Option<Zeroizing<String>>) -> Option<&str> {
    secret.as_deref().map(String::as_str)
}

fn member(value: Option<&str>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = value.ok_or(KeyError::Member(name))?;
    BASE64URL.decode(text).map(Zeroizing::new).map_err(|_| KeyError::Member(name))
}

/// A member of exactly that many bytes.
fn wide(value: Option<&str>, name: &'static str, width: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    member(value, name)
        .and_then(|bytes| if bytes.len() == width { Ok(bytes) } else { Err(KeyError::Member(name)) })
}

/// A positive integer in as few bytes as it needs (RFC 7518 §2, Base64urlUInt).
fn integer(value: Option<&str>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    member(value, name).and_then(|bytes| {
        if bytes.first().is_some_and(|first| *first != 0) { Ok(bytes) } else { Err(KeyError::Member(name)) }
    })
}

/// RFC 8032 §5.1.3: the ordinate is less than the prime 2^255 - 19, or one point would have two names.
fn is_reduced(x: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = x;
    *first < 0xed || middle.iter().any(|byte| *byte != 0xff) || last & 0x7f != 0x7f
}

/// Whether the point generates a group of eight elements at most: with such a key there are signatures that verify for
/// every message. The ordinates are those of the eight points.
fn is_of_small_order(x: &[u8; 32]) -> bool {
    let mut ordinate = *x;
    if let Some(last) = ordinate.last_mut() {
        *last &= 0x7f; // The sign of the abscissa.
    }
    SMALL_ORDER.contains(&ordinate)
}

/// RFC 7638 §3, RFC 8037 §2: the required members in the order of their names.
fn thumbprint(jwk: &Jwk) -> Result<String, KeyError> {
    let text = |value: &Option<String>, name| value.clone().ok_or(KeyError::Member(name));
    let canonical = match jwk.kty.as_str() {
        "OKP" => {
            format!(r#"{{"crv":"{}","kty":"OKP","x":"{}"}}"#, text(&jwk.crv, "crv")?, text(&jwk.x, "x")?)
        }
        "EC" => format!(
            r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
            text(&jwk.crv, "crv")?,
            text(&jwk.x, "x")?,
            text(&jwk.y, "y")?
        ),
        "RSA" => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(&jwk.e, "e")?, text(&jwk.n, "n")?),
        _ => return Err(KeyError::Member("kid")),
    };
    Ok(BASE64URL.encode(crypto::sha256(canonical.as_bytes())))
}

/// The operations that RFC 7517 §4.3 knows; a longer list is somebody's attempt to keep us busy.
const MAX_OPERATIONS: usize = 8;

/// Bytes of a key id; it travels in every token.
const MAX_KID: usize = 128;

const SMALL_ORDER: [[u8; 32]; 5] = {
    const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    [
        ends(0, 0, 0),
        ends(1, 0, 0),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        ends(0xec, 0xff, 0x7f),
    ]
};

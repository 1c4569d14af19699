//! The signature algorithms, by their JOSE names (RFC 7518 §3.1, RFC 8037 §3.1).

/// A signature algorithm. A key is bound to exactly one (RFC 8725 §3.1).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// `EdDSA` with Ed25519 (RFC 8037): the default. Small, fast to sign, and verifiers need only the public key.
    #[default]
    EdDsa,
    /// `ES256`: ECDSA with P-256 and SHA-256. For verifiers that do not know EdDSA.
    Es256,
    /// `ES384`: ECDSA with P-384 and SHA-384.
    Es384,
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256. The fastest to verify after HMAC, slow to sign; every verifier knows it.
    Rs256,
    /// `PS256`: RSASSA-PSS with SHA-256 and a salt as long as the hash.
    Ps256,
    /// `HS256`: HMAC with SHA-256. Whoever verifies can also sign: for one service that talks to itself.
    Hs256,
    /// `HS384`: HMAC with SHA-384.
    Hs384,
    /// `HS512`: HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 8] = [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
    ];

    /// The name that stands in `alg`, compared with its case.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Rs256 => "RS256",
            Algorithm::Ps256 => "PS256",
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
        }
    }

    /// The algorithm of that name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether one key both signs and verifies, so that it is never published.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512)
    }

    /// The type of its keys: `kty` and, where there is one, `crv`.
    pub(crate) const fn kind(self) -> (&'static str, Option<&'static str>) {
        match self {
            Algorithm::EdDsa => ("OKP", Some("Ed25519")),
            Algorithm::Es256 => ("EC", Some("P-256")),
            Algorithm::Es384 => ("EC", Some("P-384")),
            Algorithm::Rs256 | Algorithm::Ps256 => ("RSA", None),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => ("oct", None),
        }
    }

    /// Bytes of a coordinate, a private scalar or a seed on its curve, or the least bytes of its HMAC key
    /// (RFC 7518 §3.2: as long as the hash); of RSA nothing.
    pub(crate) const fn width(self) -> usize {
        match self {
            Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Hs256 => 32,
            Algorithm::Es384 | Algorithm::Hs384 => 48,
            Algorithm::Hs512 => 64,
            Algorithm::Rs256 | Algorithm::Ps256 => 0,
        }
    }
}

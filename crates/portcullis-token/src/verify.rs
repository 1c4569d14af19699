//! From the text of a token to its claims, or to the reason why not.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::claims::Parsed;
use crate::{AccessClaims, KeySet, VerifyingKey, strict};

/// What a verifier expects of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    issuer: String,
    audience: String,
    skew: u64,
    longest: u64,
}

impl Expect {
    /// Tokens of that issuer for that audience, both compared exactly.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), skew: DEFAULT_SKEW, longest: u64::MAX }
    }

    /// How many seconds another machine's clock may be ahead: `iat` and `nbf` may lie that far in the
    /// future (60 unless said otherwise). `exp` is never stretched.
    pub fn clock_skew(mut self, seconds: u64) -> Self {
        self.skew = seconds;
        self
    }

    /// How many seconds may lie between `iat` and `exp`; any number unless said otherwise. An issuer that remembers
    /// what it revoked for that long must not accept what lives longer.
    pub fn longest(mut self, seconds: u64) -> Self {
        self.longest = seconds;
        self
    }

    fn check(&self, claims: &AccessClaims, nbf: Option<u64>, now: u64) -> Result<(), Rejected> {
        if claims.iss != self.issuer {
            return Err(Rejected::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(Rejected::Audience);
        }
        if claims.exp.saturating_sub(claims.iat) > self.longest {
            return Err(Rejected::TooLongLived);
        }
        self.in_time(claims.exp, claims.iat.max(nbf.unwrap_or(0)), now)
    }

    /// Whether a token counts now that counts from `from` until `exp`: of its claims, what changes with time.
    pub(crate) fn in_time(&self, exp: u64, from: u64, now: u64) -> Result<(), Rejected> {
        if exp <= now {
            return Err(Rejected::Expired);
        }
        if from > now.saturating_add(self.skew) {
            return Err(Rejected::NotYetValid);
        }
        Ok(())
    }
}

/// Why a token was refused. For the log: to the client each of them is `invalid_token` (RFC 6750 §3.1).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Longer than any token of ours.
    #[error("longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// Not three segments of unpadded, canonical base64url with a JSON object in the first.
    #[error("not a JWS in compact form")]
    Malformed,
    /// `typ` is not `at+jwt` (RFC 9068 §4): an ID token, a logout token, somebody else's.
    #[error("`typ` is not at+jwt")]
    Type,
    /// The header bears `crit` (RFC 7515 §4.1.11) or `b64` (RFC 7797); no extension is understood here.
    #[error("the header demands an extension")]
    Critical,
    /// No key of that `kid`, or no `kid`.
    #[error("no key of that `kid`")]
    UnknownKey,
    /// `alg` is not the one that the key is bound to (RFC 8725 §3.1).
    #[error("`alg` is not the key's")]
    Algorithm,
    /// The signature is not the key's.
    #[error("the signature does not verify")]
    Signature,
    /// A claim is missing, twice there or of the wrong type.
    #[error("the claims are incomplete or mistyped")]
    Claims,
    /// `iss` is another.
    #[error("`iss` is another")]
    Issuer,
    /// `aud` does not name this audience.
    #[error("`aud` is another")]
    Audience,
    /// `exp` has come.
    #[error("`exp` has passed")]
    Expired,
    /// `exp` lies further behind `iat` than is allowed.
    #[error("it was made to live too long")]
    TooLongLived,
    /// `nbf` or `iat` lies in the future.
    #[error("`nbf` or `iat` lies in the future")]
    NotYetValid,
}

pub(crate) fn verify(
    keys: &KeySet,
    token: &str,
    expect: &Expect,
    now: u64,
) -> Result<AccessClaims, Rejected> {
    verified(keys, token, expect, now).map(|(claims, _)| claims)
}

/// The claims, and the `nbf` that stood beside them.
pub(crate) fn verified(
    keys: &KeySet,
    token: &str,
    expect: &Expect,
    now: u64,
) -> Result<(AccessClaims, Option<u64>), Rejected> {
    if token.len() > MAX_TOKEN {
        return Err(Rejected::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
    // Our own tokens begin with bytes that are known beforehand; only others need their header looked for and read.
    let (key, payload) = match keys.key_by_start(message) {
        Some((key, payload)) => (Some(key), payload),
        None => (None, message.split_once('.').ok_or(Rejected::Malformed)?.1),
    };
    if payload.contains('.') {
        return Err(Rejected::Malformed);
    }
    let key = match key {
        Some(key) => key,
        None => key_of_header(keys, message.split_once('.').ok_or(Rejected::Malformed)?.0)?,
    };
    let authentic =
        decoded::<SHORT_SIGNATURE, _>(signature, |signature| key.verifies(message.as_bytes(), signature));
    if !authentic? {
        return Err(Rejected::Signature);
    }
    let parsed = decoded::<SHORT_PAYLOAD, _>(payload, |json| serde_json::from_slice::<Parsed>(json))?;
    let Parsed { claims, nbf } = parsed.map_err(|_| Rejected::Claims)?;
    expect.check(&claims, nbf, now)?;
    Ok((claims, nbf))
}

/// Shows what a segment holds. What is short, as nearly all is, never leaves the stack.
fn decoded<const SHORT: usize, T>(segment: &str, see: impl FnOnce(&[u8]) -> T) -> Result<T, Rejected> {
    if segment.len() <= SHORT / 3 * 4 {
        let mut room = [0; SHORT];
        let length = BASE64URL.decode_slice(segment, &mut room).map_err(|_| Rejected::Malformed)?;
        Ok(see(room.get(..length).unwrap_or_default()))
    } else {
        Ok(see(&BASE64URL.decode(segment).map_err(|_| Rejected::Malformed)?))
    }
}

fn key_of_header<'keys>(keys: &'keys KeySet, segment: &str) -> Result<&'keys VerifyingKey, Rejected> {
    let json = BASE64URL.decode(segment).map_err(|_| Rejected::Malformed)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| Rejected::Malformed)?;
    // RFC 7515 §4.1.9: a media type, so its case does not count and `application/` may be left out.
    let typ = header.typ.ok_or(Rejected::Type)?.to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != "at+jwt" {
        return Err(Rejected::Type);
    }
    if header.crit {
        return Err(Rejected::Critical);
    }
    let key = header.kid.and_then(|kid| keys.key(&kid)).ok_or(Rejected::UnknownKey)?;
    if header.alg != key.algorithm().name() {
        return Err(Rejected::Algorithm);
    }
    Ok(key)
}

/// What of a JOSE header counts. `jwk`, `jku`, `x5u` and `x5c` never do: keys come from the set.
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: bool,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JOSE header")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Header, A::Error> {
                let (mut alg, mut typ, mut kid, mut crit) = (None, None, None, false);
                strict::object(map, |name, map| {
                    match name {
                        "alg" => strict::once(&mut alg, map)?,
                        "typ" => strict::once(&mut typ, map)?,
                        "kid" => strict::once(&mut kid, map)?,
                        // RFC 7797 §7: a JWT never says `b64`, listed in `crit` or not.
                        "crit" | "b64" => crit = true,
                        _ => {}
                    }
                    Ok(matches!(name, "alg" | "typ" | "kid"))
                })?;
                Ok(Header { alg: alg.ok_or_else(|| A::Error::missing_field("alg"))?, typ, kid, crit })
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Bytes of a token; a longer one is refused unread.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;

/// Bytes of a signature that is no RSA's, and room to spare.
const SHORT_SIGNATURE: usize = 129;

/// Bytes of claims that are decoded on the stack.
const SHORT_PAYLOAD: usize = 768;

/// Seconds that clocks of two machines may differ.
const DEFAULT_SKEW: u64 = 60;

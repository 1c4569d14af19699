//! What an access token says.

use std::fmt;

use compact_str::CompactString;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::{PackedPermissions, strict};

/// The claims of an access token (RFC 9068 §2.2). Times are seconds since the epoch.
///
/// Short texts stand in the struct itself, since a verification that takes a heap block for each claim takes half as
/// long again.
///
/// Reading them is strict: `iss`, `sub`, `aud`, `exp`, `iat`, `jti` and `sid` must be there, each of its
/// JSON type, none twice; claims not named here are ignored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccessClaims {
    /// Who issued the token: an address, compared exactly.
    pub iss: CompactString,
    /// Whom it speaks for: the user's id, never empty.
    pub sub: CompactString,
    /// For whom it is meant.
    pub aud: Audience,
    /// The first second at which the token is dead.
    pub exp: u64,
    /// When it was issued.
    pub iat: u64,
    /// Its own id.
    pub jti: CompactString,
    /// Which client asked for it (RFC 9068 §2.2).
    #[serde(skip_serializing_if = "CompactString::is_empty")]
    pub client_id: CompactString,
    /// The session that it belongs to (OpenID Connect's `sid`); ending the session ends the token.
    pub sid: CompactString,
    /// When the user last proved who they are.
    pub auth_time: u64,
    /// How they proved it (RFC 8176): `pwd`, `otp`, `hwk`.
    pub amr: Vec<String>,
    /// The user's roles (RFC 9068 §2.2.3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// What the user may do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// What the user may do, as numbers in the issuer's registry; [`granted`](AccessClaims::granted) reads both.
    #[serde(rename = "pms", skip_serializing_if = "Option::is_none")]
    pub packed: Option<PackedPermissions>,
}

/// The audience of a token: one name or several (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(Names);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    One(CompactString),
    Several(Vec<CompactString>),
}

impl Audience {
    /// Whether `name` is among them, compared exactly.
    pub fn contains(&self, name: &str) -> bool {
        self.names().iter().any(|one| one == name)
    }

    /// The names.
    pub fn names(&self) -> &[CompactString] {
        match &self.0 {
            Names::One(name) => std::slice::from_ref(name),
            Names::Several(names) => names,
        }
    }
}

impl From<&str> for Audience {
    fn from(name: &str) -> Self {
        Self(Names::One(name.into()))
    }
}

impl From<Vec<String>> for Audience {
    fn from(names: Vec<String>) -> Self {
        names.into_iter().collect()
    }
}

/// One name is the same alone and in a list.
impl<S: Into<CompactString>> FromIterator<S> for Audience {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut names: Vec<_> = names.into_iter().map(Into::into).collect();
        Self(match names.len() {
            1 => Names::One(names.swap_remove(0)),
            _ => Names::Several(names),
        })
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Names::One(name) => name.serialize(serializer),
            Names::Several(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;
        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience::from(name))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
                let mut names = Vec::<CompactString>::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(names.into_iter().collect())
            }
        }
        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// The claims of a token together with the one that is checked and not kept.
pub(crate) struct Parsed {
    pub(crate) claims: AccessClaims,
    pub(crate) nbf: Option<u64>,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parsed, A::Error> {
        let (mut iss, mut sub, mut aud, mut exp, mut iat) = (None, None, None, None, None);
        let (mut jti, mut sid, mut client_id, mut auth_time, mut nbf) = (None, None, None, None, None);
        let (mut amr, mut roles, mut permissions, mut packed) = (None, None, None, None);
        strict::object(map, |name, map| {
            match name {
                "iss" => strict::once(&mut iss, map)?,
                "sub" => strict::once(&mut sub, map)?,
                "aud" => strict::once(&mut aud, map)?,
                "exp" => strict::once(&mut exp, map)?,
                "iat" => strict::once(&mut iat, map)?,
                "nbf" => strict::once(&mut nbf, map)?,
                "jti" => strict::once(&mut jti, map)?,
                "sid" => strict::once(&mut sid, map)?,
                "client_id" => strict::once(&mut client_id, map)?,
                "auth_time" => strict::once(&mut auth_time, map)?,
                "amr" => strict::once(&mut amr, map)?,
                "roles" => strict::once(&mut roles, map)?,
                "permissions" => strict::once(&mut permissions, map)?,
                "pms" => strict::once(&mut packed, map)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let iat = iat.ok_or_else(|| A::Error::missing_field("iat"))?;
        let claims = AccessClaims {
            iss: iss.ok_or_else(|| A::Error::missing_field("iss"))?,
            sub: sub
                .filter(|sub: &CompactString| !sub.is_empty())
                .ok_or_else(|| A::Error::missing_field("sub"))?,
            aud: aud.ok_or_else(|| A::Error::missing_field("aud"))?,
            exp: exp.ok_or_else(|| A::Error::missing_field("exp"))?,
            iat,
            jti: jti.ok_or_else(|| A::Error::missing_field("jti"))?,
            sid: sid.ok_or_else(|| A::Error::missing_field("sid"))?,
            client_id: client_id.unwrap_or_default(),
            auth_time: auth_time.unwrap_or(iat),
            amr: amr.unwrap_or_default(),
            roles: roles.unwrap_or_default(),
            permissions: permissions.unwrap_or_default(),
            packed,
        };
        Ok(Parsed { claims, nbf })
    }
}

//! Permissions that take a bit each: a registry gives every permission a number, a token carries the set of numbers.
//!
//! The claim `pms` is `<n>.<id>.<bitmap>`: the bitmap, in base64url, says which of the first `n` names of the registry are
//! granted, the first name in the lowest bit of the first byte; `id` says which names those are. It is a claim of its
//! own and not another form of `permissions`, since whoever searches a text where an array was expected finds letters.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AccessClaims, crypto};

/// Every permission there is, in an order that only ever grows at its end. Cheap to clone.
///
/// A name may be appended at any time. One that is not needed any more stays where it is: taking it out or moving it
/// makes another registry, which refuses the tokens of this one.
///
/// Written to JSON as `{"names": [...]}`.
#[derive(Debug, Clone)]
pub struct PermissionRegistry(Arc<Names>);

#[derive(Debug)]
struct Names {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    /// `ids[n]` names the first `n` names.
    ids: Vec<String>,
}

/// What a user may do, as the claim `pms` carries it. It means nothing without the registry that it was packed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPermissions {
    reach: usize,
    id: String,
    bits: Vec<u8>,
}

/// What a user may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Names(Vec<String>),
    Bits(PermissionRegistry, Vec<u8>),
}

/// Why names make no registry.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It is empty, longer than 128 bytes, or holds a control character.
    #[error("`{0}` is not 1 to 128 bytes without control characters")]
    Name(String),
    /// It stands there twice.
    #[error("`{0}` stands there twice")]
    Twice(String),
    /// More than 4096.
    #[error("{0} permissions are more than 4096")]
    TooMany(usize),
    /// The text is not a document that publishes a registry.
    #[error("not a published registry: {0}")]
    Malformed(String),
}

/// The permissions of a token are numbers in a registry that is not the one at hand, or is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permissions are packed with another registry")]
pub struct UnknownRegistry;

impl PermissionRegistry {
    /// The registry of these names in this order.
    ///
    /// # Errors
    /// A name that is empty, longer than 128 bytes, holds a control character or stands there twice; more than 4096.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, RegistryError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() > MAX_NAMES {
            return Err(RegistryError::TooMany(names.len()));
        }
        let mut numbers = HashMap::new();
        let (mut ids, mut digest) = (vec![String::new()], Vec::new());
        for (number, name) in names.iter().enumerate() {
            if !(1..=MAX_NAME).contains(&name.len()) || name.contains(char::is_control) {
                return Err(RegistryError::Name(name.clone()));
            }
            if numbers.insert(name.clone(), number).is_some() {
                return Err(RegistryError::Twice(name.clone()));
            }
            digest = crypto::sha256(&[digest.as_slice(), name.as_bytes()].concat()).to_vec();
            ids.push(BASE64URL.encode(digest.get(..ID_BYTES).unwrap_or_default()));
        }
        Ok(Self(Arc::new(Names { names, numbers, ids })))
    }

    /// The registry that an issuer's document bears as `portcullis_permissions`: its keys (`jwks.json`) or its
    /// metadata; `None` if it bears none.
    ///
    /// # Errors
    /// The text is not a JSON object, or the names make no registry.
    pub fn from_published(json: &str) -> Result<Option<Self>, RegistryError> {
        #[derive(Deserialize)]
        struct Document {
            portcullis_permissions: Option<PermissionRegistry>,
        }
        let document: Document =
            serde_json::from_str(json).map_err(|error| RegistryError::Malformed(error.to_string()))?;
        Ok(document.portcullis_permissions)
    }

    /// The names, in their order.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// Whether there is such a permission.
    pub fn contains(&self, name: &str) -> bool {
        self.0.numbers.contains_key(name)
    }

    /// The set of these permissions; what is not in the registry is left out.
    ///
    /// It reaches only as far as its last permission, so what a longer registry packed without its new names, the
    /// shorter one still reads.
    pub fn pack<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> PackedPermissions {
        let mut bits = Vec::new();
        let mut reach = 0;
        for number in names.into_iter().filter_map(|name| self.0.numbers.get(name).copied()) {
            reach = reach.max(number + 1);
            if bits.len() <= number / 8 {
                bits.resize(number / 8 + 1, 0_u8);
            }
            if let Some(byte) = bits.get_mut(number / 8) {
                *byte |= 1 << (number % 8);
            }
        }
        PackedPermissions { reach, id: self.0.ids.get(reach).cloned().unwrap_or_default(), bits }
    }

    /// Reads a set.
    ///
    /// # Errors
    /// It was packed with another registry, or with a longer one whose new names it bears.
    pub fn unpack(&self, packed: &PackedPermissions) -> Result<Permissions, UnknownRegistry> {
        match self.0.ids.get(packed.reach) {
            Some(id) if *id == packed.id => Ok(Permissions(Form::Bits(self.clone(), packed.bits.clone()))),
            _ => Err(UnknownRegistry),
        }
    }
}

impl PartialEq for PermissionRegistry {
    fn eq(&self, other: &Self) -> bool {
        self.0.names == other.0.names
    }
}

impl Eq for PermissionRegistry {}

impl Serialize for PermissionRegistry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Published { names: self.names() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PermissionRegistry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Published::<Vec<String>> { names } = Published::deserialize(deserializer)?;
        Self::new(names).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
struct Published<N> {
    names: N,
}

impl Permissions {
    /// Whether `name` is among them.
    pub fn contains(&self, name: &str) -> bool {
        match &self.0 {
            Form::Names(names) => names.iter().any(|one| one == name),
            Form::Bits(registry, bits) => {
                registry.0.numbers.get(name).is_some_and(|number| is_set(bits, *number))
            }
        }
    }

    /// Their names, in the registry's order if there is one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (names, bits) = match &self.0 {
            Form::Names(names) => (names.as_slice(), None),
            Form::Bits(registry, bits) => (registry.names(), Some(bits)),
        };
        let granted = move |number: usize| bits.is_none_or(|bits| is_set(bits, number));
        names.iter().enumerate().filter(move |(number, _)| granted(*number)).map(|(_, name)| name.as_str())
    }
}

impl From<Vec<String>> for Permissions {
    fn from(names: Vec<String>) -> Self {
        Self(Form::Names(names))
    }
}

impl Default for Form {
    fn default() -> Self {
        Form::Names(Vec::new())
    }
}

impl AccessClaims {
    /// What the user may do, with the issuer's registry, if it has one.
    ///
    /// # Errors
    /// The token's permissions are numbers, and `registry` is not what they are numbers in.
    pub fn granted(&self, registry: Option<&PermissionRegistry>) -> Result<Permissions, UnknownRegistry> {
        match &self.packed {
            None => Ok(self.permissions.clone().into()),
            Some(packed) => registry.ok_or(UnknownRegistry)?.unpack(packed),
        }
    }
}

impl Serialize for PackedPermissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bits = BASE64URL.encode(&self.bits);
        serializer.collect_str(&format_args!("{}.{}.{bits}", self.reach, self.id))
    }
}

impl<'de> Deserialize<'de> for PackedPermissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read(&text).ok_or_else(|| serde::de::Error::custom("not a packed set of permissions"))
    }
}

/// Only the one form that [`PermissionRegistry::pack`] writes: no leading zero, no byte and no bit behind the reach.
fn read(text: &str) -> Option<PackedPermissions> {
    let (reach, rest) = text.split_once('.')?;
    let (id, bits) = rest.split_once('.')?;
    let packed = PackedPermissions {
        reach: reach.parse().ok()?,
        id: id.to_owned(),
        bits: BASE64URL.decode(bits).ok()?,
    };
    let last = packed.bits.last().map_or(0, |byte| 8 - byte.leading_zeros() as usize);
    let reaches = packed.bits.len().saturating_sub(1) * 8 + last;
    (packed.reach.to_string() == reach && packed.reach <= MAX_NAMES && packed.reach == reaches)
        .then_some(packed)
}

fn is_set(bits: &[u8], number: usize) -> bool {
    bits.get(number / 8).is_some_and(|byte| byte & (1 << (number % 8)) != 0)
}

const MAX_NAMES: usize = 4096;
const MAX_NAME: usize = 128;

/// Eight characters: enough that no two registries of one issuer are taken for each other by chance.
const ID_BYTES: usize = 6;

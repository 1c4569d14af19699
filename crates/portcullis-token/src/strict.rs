//! JSON objects in which a member may stand once.
//!
//! RFC 7519 §4 lets a parser take the last of two members of one name; two parsers that disagree about
//! which one counts are an attack (RFC 8725 §2.6). Here a second one is an error, at every depth.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads the members of an object one by one; what `member` does not take is read strictly and dropped.
/// What it takes, it takes by [`once`].
pub(crate) fn object<'de, A, F>(mut map: A, mut member: F) -> Result<(), A::Error>
where
    A: MapAccess<'de>,
    F: FnMut(&str, &mut A) -> Result<bool, A::Error>,
{
    // Names that are not ours are few: a set, which would take heap, only from the second on.
    let (mut first, mut others) = (None, BTreeSet::new());
    while let Some(Name(name)) = map.next_key()? {
        if member(&name, &mut map)? {
            continue;
        }
        map.next_value::<Ignored>()?;
        let new = match &first {
            None => first.replace(name).is_none(),
            Some(first) => *first != name && others.insert(name),
        };
        if !new {
            return Err(A::Error::custom("duplicate member"));
        }
    }
    Ok(())
}

/// Reads the value of the member at hand into `slot`, which must be empty.
pub(crate) fn once<'de, A, T>(slot: &mut Option<T>, map: &mut A) -> Result<(), A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    match slot.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("duplicate member")),
    }
}

/// The name of a member, copied only if it is written with escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Any JSON value, checked for duplicate members and thrown away.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IgnoredVisitor)
    }
}

struct IgnoredVisitor;

impl<'de> Visitor<'de> for IgnoredVisitor {
    type Value = Ignored;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_str<E>(self, _: &str) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_unit<E>(self) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ignored, A::Error> {
        while seq.next_element::<Ignored>()?.is_some() {}
        Ok(Ignored)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ignored, A::Error> {
        object(map, |_, _| Ok(false))?;
        Ok(Ignored)
    }
}

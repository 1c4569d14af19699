//! Tokens that verified before: a browser sends the same one for a quarter of an hour.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::{AccessClaims, Expect, KeySet, Rejected};

/// Tokens that verified before, with what was made of their claims. Met again, a token costs a look-up.
///
/// - The key is the whole token, and only tokens whose signature was verified are in it.
/// - `exp`, and an `iat` that a clock which stepped back has put into the future, are checked at each hit.
/// - It holds for one [`KeySet`] and one [`Expect`]: throw it away with them, and a retired key's tokens are gone too.
/// - Memory is bounded by the number of bytes given; what is used least goes first.
pub struct TokenCache<T>(Option<Cache<Box<str>, Entry<T>, Bytes>>);

struct Entry<T> {
    exp: u64,
    /// The latest of `iat` and `nbf`.
    from: u64,
    /// Bytes that it takes.
    weight: u64,
    value: Arc<T>,
}

impl<T> TokenCache<T> {
    /// A cache of about that many bytes; with 0, every token is verified anew each time.
    pub fn new(bytes: usize) -> Self {
        let tokens = bytes / USUAL;
        Self((tokens > 0).then(|| Cache::with_weighter(tokens, bytes as u64, Bytes)))
    }

    /// What `make` made of the claims of a token that is right by `keys` and `expect` at `now`; see [`KeySet::verify`].
    ///
    /// # Errors
    /// As [`KeySet::verify`], or what `make` says.
    pub fn verify(
        &self,
        keys: &KeySet,
        token: &str,
        expect: &Expect,
        now: u64,
        make: impl FnOnce(AccessClaims) -> Result<T, Rejected>,
    ) -> Result<Arc<T>, Rejected> {
        if let Some(met) = self.0.as_ref().and_then(|cache| cache.get(token)) {
            expect.in_time(met.exp, met.from, now)?;
            return Ok(met.value);
        }
        let (claims, nbf) = crate::verify::verified(keys, token, expect, now)?;
        let (exp, from) = (claims.exp, claims.iat.max(nbf.unwrap_or(0)));
        let names =
            claims.amr.len() + claims.roles.len() + claims.permissions.len() + claims.aud.names().len();
        let weight = (2 * token.len() + OVERHEAD + NAME * names) as u64;
        let value = Arc::new(make(claims)?);
        if let Some(cache) = &self.0 {
            cache.insert(token.into(), Entry { exp, from, weight, value: Arc::clone(&value) });
        }
        Ok(value)
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { exp: self.exp, from: self.from, weight: self.weight, value: Arc::clone(&self.value) }
    }
}

/// Tokens are secrets.
impl<T> fmt::Debug for TokenCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCache({} tokens)", self.len())
    }
}

/// What an entry weighs: the token, its claims, which were text inside it, and the heads of their names.
#[derive(Clone)]
struct Bytes;

impl<T> Weighter<Box<str>, Entry<T>> for Bytes {
    fn weight(&self, _: &Box<str>, entry: &Entry<T>) -> u64 {
        entry.weight
    }
}

/// Bytes of an entry beside texts: the tables of the cache, and the heads of a dozen texts and lists.
const OVERHEAD: usize = 512;

/// Bytes of a name in a list beside its text: its head, a heap block's, and the same again where it is kept twice.
const NAME: usize = 96;

/// Bytes of a usual entry.
const USUAL: usize = 1536;

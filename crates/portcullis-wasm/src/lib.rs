//! Verifies access tokens in JavaScript: [`portcullis_token::KeySet`] behind wasm-bindgen.
//!
//! ```js
//! import { Verifier } from "portcullis-wasm";
//!
//! const verifier = new Verifier(jwks, { issuer: "https://issuer.example", audience: "notes" });
//! const claims = verifier.verify(token); // or throws: error.code is "invalid_token"
//! ```
//!
//! The types stand in `npm/index.d.ts`. What it does not do: sign, fetch keys, read anything but the clock.

use std::fmt::Debug;

use js_sys::{Date, Error, JSON, Reflect};
use portcullis_token::{AccessClaims, Expect, KeySet, PermissionRegistry, Rejected, TokenCache};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// What a verifier expects, as JavaScript says it. A name that is not known is an error: it may be `audience` misspelt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    issuer: String,
    audience: String,
    #[serde(default, deserialize_with = "seconds")]
    clock_skew: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    longest: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    now: Option<u64>,
    #[serde(default = "published")]
    published: bool,
    #[serde(default = "cache_bytes")]
    cache_bytes: usize,
}

fn published() -> bool {
    true
}

/// Bytes of tokens that verified before: some six hundred of them.
fn cache_bytes() -> usize {
    1 << 20
}

/// A time from JavaScript, where it usually has a fraction. JSON writes `NaN` as `null`: that is no time, nor none given.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    whole(f64::deserialize(deserializer)?).map(Some).ok_or_else(|| D::Error::custom("not a time in seconds"))
}

/// Whole seconds: those of a token are, so what is behind the point never decides.
fn whole(seconds: f64) -> Option<u64> {
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64)
}

/// Verifies tokens by keys that are read once.
#[wasm_bindgen]
pub struct Verifier {
    keys: KeySet,
    expect: Expect,
    now: Option<u64>,
    /// What permissions that are packed are numbers in; the issuer publishes it beside its keys.
    registry: Option<PermissionRegistry>,
    /// What was made of the claims of tokens that verified before: JSON, or nothing if their registry is another.
    verified: TokenCache<Option<String>>,
}

#[wasm_bindgen]
impl Verifier {
    /// A verifier of the keys of a JWK Set, as text or object; see `npm/index.d.ts` for the options.
    ///
    /// # Errors
    /// `invalid_options`; `invalid_jwks` if the set, or the registry of permissions in it, cannot be read or holds no key
    /// that verifies.
    #[wasm_bindgen(constructor)]
    pub fn new(jwks: &JsValue, options: &JsValue) -> Result<Verifier, JsValue> {
        let options: Options = serde_json::from_str(&json(options).unwrap_or_default())
            .map_err(|why| error("invalid_options", &why.to_string()))?;
        let text = jwks.as_string().or_else(|| json(jwks)).unwrap_or_default();
        let keys = if options.published { KeySet::from_published(&text) } else { KeySet::from_json(&text) }
            .map_err(|why| error("invalid_jwks", &why.to_string()))?;
        if keys.is_empty() {
            let left_out: Vec<_> = keys.left_out().iter().map(|key| key.why.to_string()).collect();
            return Err(error("invalid_jwks", &format!("no key that verifies: {}", left_out.join("; "))));
        }
        let registry = PermissionRegistry::from_published(&text)
            .map_err(|why| error("invalid_jwks", &why.to_string()))?;
        let mut expect = Expect::new(options.issuer, options.audience);
        if let Some(skew) = options.clock_skew {
            expect = expect.clock_skew(skew);
        }
        if let Some(longest) = options.longest {
            expect = expect.longest(longest);
        }
        let verified = TokenCache::new(options.cache_bytes);
        Ok(Self { keys, expect, now: options.now, registry, verified })
    }

    /// The claims of a token that is right at `now`, in seconds: else that of the options, else the clock's.
    ///
    /// # Errors
    /// `invalid_token`, whatever is wrong; `reason` says what, for the log. `invalid_options` if `now` is no time.
    pub fn verify(&self, token: &JsValue, now: &JsValue) -> Result<JsValue, JsValue> {
        let now = if now.is_undefined() {
            self.now.or_else(|| whole(Date::now() / 1000.0))
        } else {
            now.as_f64().and_then(whole)
        };
        let now = now.ok_or_else(|| error("invalid_options", "`now` is not a time in seconds"))?;
        let token = token.as_string().ok_or_else(|| refused(Rejected::Malformed))?;
        let claims = self
            .verified
            .verify(&self.keys, &token, &self.expect, now, |claims| self.written(claims))
            .map_err(refused)?;
        let claims = claims.as_ref().as_ref().ok_or_else(|| error("invalid_token", "unknown_registry"))?;
        JSON::parse(claims)
    }
}

impl Verifier {
    /// The claims as JSON, with the permissions by their names; nothing if they are numbers in another registry.
    fn written(&self, mut claims: AccessClaims) -> Result<Option<String>, Rejected> {
        let Ok(granted) = claims.granted(self.registry.as_ref()) else { return Ok(None) };
        claims.permissions = granted.names().map(str::to_owned).collect();
        claims.packed = None;
        serde_json::to_string(&claims).map(Some).map_err(|_| Rejected::Claims)
    }
}

/// Verifies one token. Reads the keys each time; a service that verifies many keeps a [`Verifier`].
///
/// # Errors
/// As [`Verifier::new`] and [`Verifier::verify`].
#[wasm_bindgen]
pub fn verify(token: &JsValue, jwks: &JsValue, options: &JsValue) -> Result<JsValue, JsValue> {
    Verifier::new(jwks, options)?.verify(token, &JsValue::UNDEFINED)
}

fn json(value: &JsValue) -> Option<String> {
    JSON::stringify(value).ok()?.as_string()
}

fn refused(why: Rejected) -> JsValue {
    error("invalid_token", &snake_case(why))
}

/// A JavaScript `Error` whose message may be shown to clients, with its reason, which may not.
fn error(code: &str, reason: &str) -> JsValue {
    let error = Error::new(code);
    for (name, value) in [("code", code), ("reason", reason)] {
        // Setting a property of an object that was just made does not fail.
        let _ = Reflect::set(&error, &name.into(), &value.into());
    }
    error.into()
}

/// `NotYetValid` as `not_yet_valid`: a reason that programs may compare.
fn snake_case(variant: impl Debug) -> String {
    let mut name = String::new();
    for char in format!("{variant:?}").chars() {
        if char.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(char.to_lowercase());
    }
    name
}

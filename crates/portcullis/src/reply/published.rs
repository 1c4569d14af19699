//! Documents that an issuer publishes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::{StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Reply;
use crate::Fault;
use crate::headers::Headers;
use crate::http::Call;

impl Reply {
    /// A document for everybody, whoever asks: caches may keep it, and pages of every origin may read it. It says the
    /// same to all and no cookie decides about it, so there is nothing that another site could read with somebody's eyes.
    pub(crate) fn public(call: &Call, kind: &'static str, body: &impl Serialize) -> Result<Self, Fault> {
        let whole = Self::json(StatusCode::OK, kind, body)?;
        let tag = format!("\"{}\"", BASE64URL.encode(&Sha256::digest(&whole.body)[..16]));
        let reply = if is_known(&call.headers, &tag) { Self::empty(StatusCode::NOT_MODIFIED) } else { whole };
        reply
            .header(header::CACHE_CONTROL, FIVE_MINUTES)
            .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
            .header_text(header::ETAG, &tag)
    }
}

/// Whether the client has the document of that tag already (RFC 9110 §13.1.2, compared weakly).
fn is_known(headers: &dyn Headers, tag: &str) -> bool {
    let mut known = false;
    headers.each("if-none-match", &mut |list| {
        // A tag of ours holds no comma.
        known |= list
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag);
    });
    known
}

/// A key is published long before it signs and after it has signed; so long it takes at the most until every cache knows
/// that one is not good any more.
const FIVE_MINUTES: &str = "public, max-age=300, stale-while-revalidate=60";

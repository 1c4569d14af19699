//! Answers. This is the only place where one is built.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use cookie::Cookie;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::{Config, Mode, SameSite, without_prefix};
use crate::http::{Call, Headers};
use crate::secret::Secret;
use crate::{Denied, Fault, Refusal};

/// An answer under way.
pub(crate) struct Reply {
    status: StatusCode,
    body: Bytes,
    headers: HeaderMap,
}

impl Reply {
    /// `{"success": true, "data": …}`.
    pub(crate) fn data(status: StatusCode, data: &impl Serialize) -> Result<Self, Fault> {
        #[derive(Serialize)]
        struct Success<'a, T> {
            success: bool,
            data: &'a T,
        }
        Self::json(status, JSON, &Success { success: true, data })
    }

    /// Nothing to say but "done".
    pub(crate) fn done() -> Result<Self, Fault> {
        #[derive(Serialize)]
        struct Nothing {}
        Self::data(StatusCode::OK, &Nothing {})
    }

    /// A document of a standard, as that has it: not in the envelope of our own answers.
    pub(crate) fn document(body: &impl Serialize) -> Result<Self, Fault> {
        Self::json(StatusCode::OK, JSON, body)
    }

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

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, body: Bytes::new(), headers: HeaderMap::new() }
    }

    fn json(status: StatusCode, kind: &'static str, body: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::new("writing an answer", error))?;
        Ok(Self { body: body.into(), ..Self::empty(status) }.header(header::CONTENT_TYPE, kind))
    }

    /// A problem (RFC 9457) that also reads as our failures do.
    fn problem(status: StatusCode, code: &'static str, text: &str) -> Self {
        #[derive(Serialize)]
        struct Problem<'a> {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            success: bool,
            error: &'a str,
            code: &'static str,
        }
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: text,
            success: false,
            error: text,
            code,
        };
        // A struct of strings and numbers has one JSON form; should it fail, the status still says it.
        Self::json(status, PROBLEM, &problem).unwrap_or_else(|_| Self::empty(status))
    }

    /// A refusal in the words of OAuth (RFC 6749 §5.2), for routes whose clients speak them.
    pub(crate) fn oauth(refusal: Refusal) -> Self {
        #[derive(Serialize)]
        struct OAuthError<'a> {
            error: &'static str,
            error_description: &'a str,
        }
        let (status, error) = match &refusal {
            Refusal::Denied(Denied::InvalidField(..)) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Refusal::Denied(denied @ (Denied::InvalidClient | Denied::UnauthorizedClient)) => {
                (denied.status(), denied.code())
            }
            Refusal::Denied(denied) => (denied.status(), "invalid_request"),
            Refusal::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        let text = refusal.to_string();
        let reply = Self::json(status, JSON, &OAuthError { error, error_description: &text })
            .unwrap_or_else(|_| Self::empty(status));
        match refusal {
            Refusal::Denied(denied) => reply.consequences(denied),
            Refusal::Fault(fault) => {
                tracing::error!(%fault, "answered 500");
                reply
            }
        }
    }

    /// What a client must know of a decision besides its text.
    fn consequences(self, denied: Denied) -> Self {
        match denied {
            // RFC 6750 §3.1: no error code for a request that brought no credential.
            Denied::InvalidToken => self.header(header::WWW_AUTHENTICATE, BEARER_INVALID),
            Denied::InvalidClient => self.header(header::WWW_AUTHENTICATE, BASIC),
            _ if denied.status() == StatusCode::UNAUTHORIZED => self.header(header::WWW_AUTHENTICATE, BEARER),
            Denied::Overloaded => self.header(header::RETRY_AFTER, "1"),
            // What is left of the body must not be read as the next request.
            Denied::BodyTooLarge | Denied::BodyTooSlow => self.header(header::CONNECTION, "close"),
            _ => self,
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    pub(crate) fn header_text(mut self, name: HeaderName, value: &str) -> Result<Self, Fault> {
        let value = HeaderValue::from_str(value).map_err(|error| Fault::new("writing a header", error))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Sets the refresh token's cookie.
    pub(crate) fn refresh_cookie(self, config: &Config, token: &Secret, seconds: u64) -> Result<Self, Fault> {
        self.cookie(config, refresh_cookie_name(config), token.expose(), seconds)
    }

    /// Sets the access token's cookie.
    pub(crate) fn access_cookie(self, config: &Config, token: &str, seconds: u64) -> Result<Self, Fault> {
        self.cookie(config, access_cookie_name(config), token, seconds)
    }

    /// Takes back every cookie and what else the browser keeps of us.
    pub(crate) fn signed_out(self, config: &Config) -> Result<Self, Fault> {
        self.cookie(config, refresh_cookie_name(config), "", 0)?
            .cookie(config, access_cookie_name(config), "", 0)?
            .header_text(CLEAR_SITE_DATA, r#""cookies", "storage""#)
    }

    fn cookie(self, config: &Config, name: &str, value: &str, seconds: u64) -> Result<Self, Fault> {
        let settings = &config.cookies;
        let mut cookie = Cookie::build((name.to_owned(), value.to_owned()))
            .http_only(true)
            .secure(config.mode == Mode::Production)
            .same_site(match settings.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
            })
            .path(settings.path.clone())
            .max_age(cookie::time::Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)));
        if let Some(domain) = &settings.domain {
            cookie = cookie.domain(domain.clone());
        }
        self.header_text(header::SET_COOKIE, &cookie.build().to_string())
    }

    /// Adds what every answer bears unless it says otherwise.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        for (name, value) in ALWAYS {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    }
}

impl From<Denied> for Reply {
    fn from(denied: Denied) -> Self {
        Self::problem(denied.status(), denied.code(), &denied.to_string()).consequences(denied)
    }
}

impl From<Refusal> for Reply {
    /// A failure is logged here, with its cause, and answered without.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => denied.into(),
            Refusal::Fault(fault) => {
                tracing::error!(%fault, "answered 500");
                let refusal = Refusal::Fault(fault);
                Self::problem(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", &refusal.to_string())
            }
        }
    }
}

impl Refusal {
    /// The answer to send. A failure is logged here, once, with its cause.
    pub fn into_response(self) -> Response<Bytes> {
        Reply::from(self).into_response()
    }
}

impl Denied {
    /// The answer to send.
    pub fn into_response(self) -> Response<Bytes> {
        Reply::from(self).into_response()
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

/// The name of the refresh token's cookie in this mode.
pub(crate) fn refresh_cookie_name(config: &Config) -> &str {
    cookie_name(config, &config.cookies.refresh_name)
}

/// The name of the access token's cookie in this mode.
pub(crate) fn access_cookie_name(config: &Config) -> &str {
    cookie_name(config, &config.cookies.access_name)
}

fn cookie_name<'a>(config: &Config, name: &'a str) -> &'a str {
    match config.mode {
        Mode::Production => name,
        Mode::Development => without_prefix(name),
    }
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const BASIC: &str = r#"Basic realm="portcullis""#;
/// A key is published long before it signs and after it has signed; so long it takes at the most until every cache knows
/// that one is not good any more.
const FIVE_MINUTES: &str = "public, max-age=300, stale-while-revalidate=60";
const BEARER: &str = r#"Bearer realm="portcullis""#;
const BEARER_INVALID: &str = r#"Bearer realm="portcullis", error="invalid_token""#;
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Nothing here may be cached, sniffed, framed or tell another site where the reader was.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

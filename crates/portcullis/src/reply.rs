//! Answers. This is the only place where one is built.

#[cfg(feature = "issuer")]
mod published;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

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

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const BASIC: &str = r#"Basic realm="portcullis""#;
const BEARER: &str = r#"Bearer realm="portcullis""#;
const BEARER_INVALID: &str = r#"Bearer realm="portcullis", error="invalid_token""#;

/// Nothing here may be cached, sniffed, framed or tell another site where the reader was.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

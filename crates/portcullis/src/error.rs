//! The two ways of not succeeding: a decision and a failure.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

/// Why the answer is no. The caller did something; status and code are part of the API.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The body is not JSON, not UTF-8, not an object, or names a member twice.
    MalformedJson,
    /// The request is cut short or contradicts itself: two credentials, two cookies of one name.
    InvalidRequest(&'static str),
    /// No credential was sent.
    Unauthenticated,
    /// The access or refresh token is malformed, forged, expired or not meant for here; which one is not
    /// for the caller to learn (RFC 6750 §3.1).
    InvalidToken,
    /// Unknown e-mail address or wrong password; which one is not for the caller to learn.
    InvalidCredentials,
    /// No registered client, or not its secret; which one is not for the caller to learn (RFC 6749 §5.2).
    InvalidClient,
    /// The token was issued to another client (RFC 7009 §2.1).
    UnauthorizedClient,
    /// The session has outlived its idle or absolute limit.
    SessionExpired,
    /// The session was ended.
    SessionRevoked,
    /// A refresh token was used again after its grace: two hold it, and the session is ended for both
    /// (RFC 9700 §4.14.2).
    RefreshReused,
    /// The current password is not the one given.
    WrongPassword,
    /// The user is signed in and may not do this; for the application's own handlers.
    Forbidden,
    /// The request comes from another site, by the header named.
    ForeignOrigin(&'static str),
    /// No such route.
    NotFound,
    /// The user has no live session of that id.
    SessionNotFound,
    /// The route exists and needs a setting, which the text names.
    NotConfigured(&'static str),
    /// The route exists; the method does not.
    MethodNotAllowed,
    /// An account with that e-mail address exists.
    EmailTaken,
    /// Somebody else changed the same thing first.
    Conflict,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The body is larger than `MAX_BODY`.
    BodyTooLarge,
    /// The body is not of the type named.
    UnsupportedMediaType(&'static str),
    /// A field is missing, of the wrong type, too long, or holds a NUL character.
    InvalidField(&'static str, &'static str),
    /// Not an e-mail address that mail could be sent to.
    InvalidEmail,
    /// The password is shorter than the policy asks.
    PasswordTooShort,
    /// The password is longer than the policy allows.
    PasswordTooLong,
    /// The password is among the first that are guessed.
    PasswordTooCommon,
    /// More sign-ins are waiting than the server hashes in reasonable time.
    Overloaded,
}

impl Denied {
    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Denied::MalformedJson | Denied::InvalidRequest(_) | Denied::UnauthorizedClient => {
                StatusCode::BAD_REQUEST
            }
            Denied::Unauthenticated
            | Denied::InvalidToken
            | Denied::InvalidCredentials
            | Denied::InvalidClient
            | Denied::SessionExpired
            | Denied::SessionRevoked
            | Denied::RefreshReused => StatusCode::UNAUTHORIZED,
            Denied::WrongPassword | Denied::Forbidden | Denied::ForeignOrigin(_) => StatusCode::FORBIDDEN,
            Denied::NotFound | Denied::SessionNotFound | Denied::NotConfigured(_) => StatusCode::NOT_FOUND,
            Denied::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Denied::EmailTaken | Denied::Conflict => StatusCode::CONFLICT,
            Denied::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Denied::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Denied::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Denied::InvalidField(..)
            | Denied::InvalidEmail
            | Denied::PasswordTooShort
            | Denied::PasswordTooLong
            | Denied::PasswordTooCommon => StatusCode::UNPROCESSABLE_ENTITY,
            Denied::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Denied::MalformedJson => "malformed_json",
            Denied::InvalidRequest(_) => "invalid_request",
            Denied::Unauthenticated => "unauthenticated",
            Denied::InvalidToken => "invalid_token",
            Denied::InvalidCredentials => "invalid_credentials",
            Denied::InvalidClient => "invalid_client",
            Denied::UnauthorizedClient => "unauthorized_client",
            Denied::SessionExpired => "session_expired",
            Denied::SessionRevoked => "session_revoked",
            Denied::RefreshReused => "refresh_reused",
            Denied::WrongPassword => "wrong_password",
            Denied::Forbidden => "forbidden",
            Denied::ForeignOrigin(_) => "foreign_origin",
            Denied::NotFound => "not_found",
            Denied::SessionNotFound => "session_not_found",
            Denied::NotConfigured(_) => "not_configured",
            Denied::MethodNotAllowed => "method_not_allowed",
            Denied::EmailTaken => "email_taken",
            Denied::Conflict => "conflict",
            Denied::BodyTooSlow => "body_too_slow",
            Denied::BodyTooLarge => "body_too_large",
            Denied::UnsupportedMediaType(_) => "unsupported_media_type",
            Denied::InvalidField(..) => "invalid_field",
            Denied::InvalidEmail => "invalid_email",
            Denied::PasswordTooShort => "password_too_short",
            Denied::PasswordTooLong => "password_too_long",
            Denied::PasswordTooCommon => "password_too_common",
            Denied::Overloaded => "overloaded",
        }
    }
}

impl fmt::Display for Denied {
    /// The text for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denied::MalformedJson => "the body must be one JSON object in UTF-8, each member once",
            Denied::InvalidRequest(why) | Denied::NotConfigured(why) => why,
            Denied::Unauthenticated => "sign in first",
            Denied::InvalidToken => "the token is not valid, or no longer",
            Denied::InvalidCredentials => "e-mail address or password is wrong",
            Denied::InvalidClient => "no such client, or not its secret",
            Denied::UnauthorizedClient => "the token was issued to another client",
            Denied::SessionExpired => "the session has expired; sign in again",
            Denied::SessionRevoked => "the session was ended; sign in again",
            Denied::RefreshReused => {
                "this refresh token was used before, so the session was ended for safety; sign in again"
            }
            Denied::WrongPassword => "the current password is wrong",
            Denied::Forbidden => "you may not do this",
            Denied::ForeignOrigin(header) => {
                return write!(f, "requests from other sites are not allowed here; see {header}");
            }
            Denied::NotFound => "there is nothing here",
            Denied::SessionNotFound => "you have no such session",
            Denied::MethodNotAllowed => "this address does not answer that method",
            Denied::EmailTaken => "an account with this e-mail address exists",
            Denied::Conflict => "somebody else changed this at the same moment; look again",
            Denied::BodyTooSlow => "the body did not arrive in time",
            Denied::BodyTooLarge => "the body is larger than 64 KiB",
            Denied::UnsupportedMediaType(kind) => return write!(f, "send the body as {kind}"),
            Denied::InvalidField(field, problem) => return write!(f, "{field} {problem}"),
            Denied::InvalidEmail => "this is not a usable e-mail address",
            Denied::PasswordTooShort => "the password is too short",
            Denied::PasswordTooLong => "the password is too long",
            Denied::PasswordTooCommon => "this password is among the first that are guessed; choose another",
            Denied::Overloaded => "too many sign-ins at the moment; try again shortly",
        })
    }
}

impl Error for Denied {}

/// Something of ours broke. Its cause goes to the log, never to the caller, who sees a bare 500.
#[derive(Clone)]
pub struct Fault {
    during: &'static str,
    cause: Arc<dyn Error + Send + Sync>,
}

impl Fault {
    /// What was being done, and what went wrong.
    pub fn new(during: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { during, cause: Arc::from(cause.into()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}: {}", self.during, self.cause);
        let mut deeper = self.cause.source();
        while let Some(cause) = deeper {
            let cause_text = cause.to_string();
            // Many libraries tell their source themselves.
            if !text.ends_with(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            deeper = cause.source();
        }
        f.write_str(&text)
    }
}

/// `main` prints its error with `Debug`; a person reads it.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// No, or not now: what the doors of the core answer instead of a result.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Refusal {
    /// A decision: 4xx with a code (503 when overloaded).
    Denied(Denied),
    /// A failure: 500. Neither "signed out" nor "allowed".
    Fault(Fault),
}

impl Refusal {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Denied(denied) => denied.status(),
            Refusal::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Denied(denied) => denied.fmt(f),
            Refusal::Fault(_) => f.write_str("something went wrong on our side; try again later"),
        }
    }
}

impl Error for Refusal {}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Refusal::Denied(denied)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal::Fault(fault)
    }
}

//! Clients: programs that are registered and prove it by a secret, such as a service that asks whether a token is good.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use portcullis_token::Audience;

use crate::http::{Fields, Headers};
use crate::secret::Secret;
use crate::{Auth, Denied};

/// A confidential client (RFC 6749 §2.1). Its secret is not kept, only what it is known by.
#[derive(Clone)]
pub struct Client {
    id: String,
    audiences: Vec<String>,
    known_by: [u8; 32],
    /// Whether the secret was fit to be one, for [`Config::check`](crate::Config::check).
    fit: bool,
}

impl Client {
    /// A client of that id with that secret: at least 32 bytes from a random generator, e.g. from
    /// `openssl rand -hex 32`. Clients differ in whether they encode `+`, `%` and blanks before they send them
    /// (RFC 6749 §2.3.1), so neither id nor secret may hold one, nor `&`.
    pub fn new(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        let (id, secret) = (id.into(), secret.into());
        let fit = secret.expose().len() >= MIN_SECRET && is_plain(secret.expose());
        let known_by = known_by(&id, secret.expose());
        Self { id, audiences: Vec::new(), known_by, fit }
    }

    /// It may ask after tokens for this audience; for none other but those named so. Without one it may ask after every
    /// token of this issuer.
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.audiences.push(name.into());
        self
    }

    /// Its `client_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether a token for these audiences is its business.
    pub(crate) fn may_ask_after(&self, audience: &Audience) -> bool {
        self.audiences.is_empty() || self.audiences.iter().any(|name| audience.contains(name))
    }

    pub(crate) fn check(clients: &[Client], expect: &mut impl FnMut(bool, &str)) {
        for (number, client) in clients.iter().enumerate() {
            let id = &client.id;
            expect(
                (1..=128).contains(&id.len()) && is_plain(id) && !id.contains(':'),
                &format!(
                    "clients: `{id}` is not 1 to 128 ASCII characters without blank, `:`, `+`, `&` and `%`"
                ),
            );
            expect(
                client.fit,
                &format!(
                    "clients: the secret of `{id}` needs at least 32 ASCII characters without blank, `+`, `&` and `%`, \
                     e.g. from `openssl rand -hex 32`"
                ),
            );
            expect(
                clients.iter().take(number).all(|other| other.id != *id),
                &format!("clients: `{id}` stands there twice"),
            );
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

impl Auth {
    /// Which client sent a request: by HTTP Basic or by `client_id` and `client_secret` in the body (RFC 6749 §2.3.1),
    /// not by both.
    ///
    /// # Errors
    /// [`Denied::InvalidClient`], the same and after the same work whether the id is unknown or the secret wrong.
    pub(crate) fn client(&self, headers: &dyn Headers, parameters: &Fields) -> Result<Client, Denied> {
        let id = parameters.optional("client_id", MAX_CREDENTIAL)?;
        let secret = parameters.optional("client_secret", MAX_CREDENTIAL)?;
        let presented = match (authorization(headers)?, id, secret) {
            (Some(_), _, Some(_)) => {
                return Err(Denied::InvalidRequest("send the client's credentials in one way, not in two"));
            }
            (Some(header), id, None) => {
                let (by_header, secret) = basic(&header).ok_or(Denied::InvalidClient)?;
                if id.is_some_and(|id| id != by_header) {
                    return Err(Denied::InvalidRequest("the header and `client_id` name two clients"));
                }
                known_by(&by_header, secret.expose())
            }
            (None, Some(id), Some(secret)) => known_by(id, secret),
            (None, _, _) => return Err(Denied::InvalidClient),
        };
        // Every one is looked at, so that the time tells nothing about any.
        let mut found = None;
        for client in &self.config().clients {
            if bool::from(client.known_by.ct_eq(&presented)) {
                found = Some(client);
            }
        }
        if found.is_none() {
            tracing::warn!(target: "portcullis::client", "a client did not prove who it is");
        }
        found.cloned().ok_or(Denied::InvalidClient)
    }
}

/// The one `Authorization` field.
fn authorization(headers: &dyn Headers) -> Result<Option<String>, Denied> {
    let mut fields = Vec::new();
    headers.each("authorization", &mut |value| fields.push(value.to_owned()));
    match fields.len() {
        0 | 1 => Ok(fields.pop()),
        _ => Err(Denied::InvalidRequest("send one Authorization header")),
    }
}

/// Id and secret of `Authorization: Basic` (RFC 7617), each form-encoded before (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded =
        scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(encoded.trim_matches(' ')))?.ok()?;
    let pair = Secret::from(String::from_utf8(decoded).ok()?);
    let (id, secret) = pair.expose().split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?.into()))
}

fn form_decoded(text: &str) -> Option<String> {
    // As the value of a parameter; what would begin another one was not encoded.
    let pairs = (!text.contains('&')).then(|| Fields::of_form(format!("v={text}").as_bytes()))?.ok()?;
    pairs.optional("v", MAX_CREDENTIAL).ok()?.map(str::to_owned)
}

/// One digest for both, so that an unknown id and a wrong secret are compared alike.
fn known_by(id: &str, secret: &str) -> [u8; 32] {
    let length = (id.len() as u64).to_be_bytes();
    let digest = Sha256::new().chain_update(length).chain_update(id).chain_update(secret);
    digest.finalize().into()
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"+%&".contains(&byte))
}

const MIN_SECRET: usize = 32;

/// Bytes of an id or a secret that are looked at.
const MAX_CREDENTIAL: usize = 1024;

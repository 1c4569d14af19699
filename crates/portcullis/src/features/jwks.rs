//! The public keys, for whoever verifies our tokens (RFC 7517).

use portcullis_token::{Jwk, PermissionRegistry};
use serde::Serialize;

use crate::Auth;
use crate::http::{Answer, Call, Route};
use crate::reply::Reply;

pub(crate) const ROUTES: &[Route] = &[Route::get(PATH, |auth, call| Box::pin(jwks(auth, call))).open()];

/// Keys and permissions stand in one document, so that whoever fetches it has those of one moment. RFC 7517 §5: members
/// that a reader does not know it ignores.
#[derive(Serialize)]
struct Document<'a> {
    keys: &'a [Jwk],
    #[serde(skip_serializing_if = "Option::is_none")]
    portcullis_permissions: Option<&'a PermissionRegistry>,
}

async fn jwks(auth: &Auth, call: &Call) -> Answer {
    let document = Document { keys: &auth.jwks().keys, portcullis_permissions: auth.grants().registry() };
    Ok(Reply::public(call, "application/jwk-set+json", &document)?)
}

pub(crate) const PATH: &str = "/.well-known/jwks.json";

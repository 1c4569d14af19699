//! What this issuer is and where it answers, for whoever verifies our tokens (RFC 8414).

use portcullis_token::PermissionRegistry;
use serde::Serialize;

use super::{introspect, jwks, revoke};
use crate::http::{Answer, Call, Route};
use crate::reply::Reply;
use crate::{Auth, Denied};

pub(crate) const ROUTES: &[Route] = &[Route::get(PATH, |auth, call| Box::pin(metadata(auth, call))).open()];

#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    jwks_uri: String,
    // Demanded by RFC 8414 §2; and what is left out of the second counts as two grants that do not exist here.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
    #[serde(flatten)]
    clients: Option<ForClients>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portcullis_permissions: Option<&'a PermissionRegistry>,
}

/// Where clients are answered, if there are any.
#[derive(Serialize)]
struct ForClients {
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
}

async fn metadata(auth: &Auth, call: &Call) -> Answer {
    let config = auth.config();
    let base = config.public_address().ok_or(Denied::NotConfigured(
        "set the issuer to the public https address of this issuer, and base_url to that of these routes, if it is another",
    ))?;
    let at = |path: &str| format!("{base}{path}");
    let document = Document {
        issuer: &config.issuer,
        jwks_uri: at(jwks::PATH),
        response_types_supported: [],
        grant_types_supported: [],
        clients: (!config.clients.is_empty()).then(|| ForClients {
            introspection_endpoint: at(introspect::PATH),
            introspection_endpoint_auth_methods_supported: AUTH_METHODS,
            revocation_endpoint: at(revoke::PATH),
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        }),
        portcullis_permissions: auth.grants().registry(),
    };
    Ok(Reply::public(call, "application/json", &document)?)
}

impl Auth {
    /// The path on the issuer's host at which its metadata belong: the issuer's own path stands behind the well-known
    /// one and not before it (RFC 8414 §3). `None` if the issuer is no address. Adapters answer it besides the routes;
    /// [`handle`](Auth::handle) knows it.
    pub fn metadata_path(&self) -> Option<String> {
        self.config().issuer_path().map(|path| format!("{PATH}{path}"))
    }
}

pub(crate) const PATH: &str = "/.well-known/oauth-authorization-server";

const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

//! What the routes do: one file a feature, each with its page in `docs/features/`.

mod introspect;
mod jwks;
mod login;
mod logout;
mod me;
pub(crate) mod metadata;
mod password;
pub(crate) mod refresh;
pub(crate) mod register;
mod revoke;
mod sessions;

use crate::http::Route;

/// All routes.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    [
        register::ROUTES,
        login::ROUTES,
        refresh::ROUTES,
        logout::ROUTES,
        me::ROUTES,
        sessions::ROUTES,
        password::ROUTES,
        jwks::ROUTES,
        metadata::ROUTES,
        introspect::ROUTES,
        revoke::ROUTES,
    ]
    .into_iter()
    .flatten()
}

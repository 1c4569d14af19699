//! What the routes do: one file a feature, each with its page in `docs/features/`.

mod login;
mod logout;
mod me;
mod password;
pub(crate) mod refresh;
pub(crate) mod register;
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
    ]
    .into_iter()
    .flatten()
}

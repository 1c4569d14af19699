//! The matrix: which suites run over what. A new store or framework is a file `on_*.rs` of two lines; a new suite is
//! a line in one of the macros below; neither knows of the other.

mod backends;
mod client;
mod faulty;
mod fixtures;
mod frameworks;
mod issuer;
mod issuer_keys;
mod log;
mod microservices;
mod records;
mod server;
mod setup;

mod tidy;

#[cfg(feature = "interop")]
mod interop;
#[cfg(feature = "interop")]
mod peer;

/// Every promise of every store.
macro_rules! store_suites {
    () => {
        #[path = "../suite/store/credentials.rs"]
        mod credentials;
        #[path = "../suite/store/events.rs"]
        mod events;
        #[path = "../suite/store/keys.rs"]
        mod keys;
        #[path = "../suite/store/revocations.rs"]
        mod revocations;
        #[path = "../suite/store/sessions.rs"]
        mod sessions;
        #[path = "../suite/store/users.rs"]
        mod users;
    };
}

/// Every feature, through a socket.
macro_rules! http_suites {
    () => {
        #[path = "../suite/http/bodies.rs"]
        mod bodies;
        #[path = "../suite/http/doors.rs"]
        mod doors;
        #[path = "../suite/http/faults.rs"]
        mod faults;
        #[path = "../suite/http/introspect.rs"]
        mod introspect;
        #[path = "../suite/http/jwks.rs"]
        mod jwks;
        #[path = "../suite/http/keys.rs"]
        mod keys;
        #[path = "../suite/http/login.rs"]
        mod login;
        #[path = "../suite/http/logout.rs"]
        mod logout;
        #[path = "../suite/http/me.rs"]
        mod me;
        #[path = "../suite/http/metadata.rs"]
        mod metadata;
        #[path = "../suite/http/password.rs"]
        mod password;
        #[path = "../suite/http/refresh.rs"]
        mod refresh;
        #[path = "../suite/http/register.rs"]
        mod register;
        #[path = "../suite/http/revoke.rs"]
        mod revoke;
        #[path = "../suite/http/sessions.rs"]
        mod sessions;
        #[path = "../suite/http/verifier.rs"]
        mod verifier;
    };
}

mod on_sqlite;
mod sqlite;

mod on_actix;
mod on_axum;
mod on_rocket;

#[path = "../suite/http/identical.rs"]
mod identical;
#[path = "../suite/http/processes.rs"]
mod processes;
#[path = "../suite/http/quickstart.rs"]
mod quickstart;

//! The frameworks under test: each module's `start` serves its example on a free loopback port.

use std::net::SocketAddr;

use example_notes::Notes;
use portcullis::{Auth, Config, Identity, Verifier};

use crate::server::Server;

/// A server that stops when this is dropped.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// What the services that only verify tokens answer.
fn name(user: Option<Identity>) -> String {
    user.map_or("nobody".to_owned(), |user| user.id().to_string())
}

macro_rules! start {
    () => {
        /// Serves the example with the settings of the tests.
        pub async fn start() -> Server {
            start_with(|_| {}).await
        }

        /// The same with other settings.
        pub async fn start_with(change: impl FnOnce(&mut Config)) -> Server {
            Server::start(|auth, notes| Box::pin(serve(auth, notes)), change).await
        }
    };
}

pub mod axum {
    use ::axum::Router;
    use ::axum::routing::get;
    use portcullis_axum::{CurrentUser, MaybeUser, Verifying, require_user};

    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
        run(example_axum::app(auth, notes)).await
    }

    /// Serves a service that only verifies tokens: `/me`, `/perhaps`, `/optional`, and `/guarded` behind `require_user`.
    pub async fn verify(verifier: Verifier) -> Running {
        let guarded = Router::new()
            .route("/guarded", get(async || "guarded"))
            .route_layer(require_user(&verifier))
            .with_state(());
        let app = Router::new()
            .route("/me", get(async |user: CurrentUser| user.id().to_string()))
            .route("/perhaps", get(async |user: MaybeUser| super::name(user.0)))
            .route("/optional", get(async |user: Option<CurrentUser>| super::name(user.map(|user| user.0))))
            .with_state(Verifying(verifier))
            .merge(guarded);
        run(app).await
    }

    async fn run(app: Router) -> Running {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { ::axum::serve(listener, app).await });
        Running { address, stop: Some(Box::new(move || task.abort())) }
    }
}

pub mod actix {
    use actix_web::dev::Server as Actix;
    use actix_web::web::{self, get};
    use actix_web::{App, HttpServer};
    use portcullis_actix::{CurrentUser, MaybeUser, portcullis, require_user};

    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
        run(move || {
            let server = HttpServer::new(move || example_actix::app(&auth, &notes)).workers(2);
            let server = server.disable_signals().bind("127.0.0.1:0").unwrap();
            (server.addrs()[0], server.run())
        })
        .await
    }

    /// Serves a service that only verifies tokens: `/me`, `/perhaps`, `/optional`, and `/guarded` behind `require_user`.
    pub async fn verify(verifier: Verifier) -> Running {
        run(move || {
            let app = move || {
                let guarded = web::scope("/guarded").wrap(require_user(&verifier));
                App::new()
                    .wrap(portcullis(&verifier))
                    .route("/me", get().to(async |user: CurrentUser| user.id().to_string()))
                    .route("/perhaps", get().to(async |user: MaybeUser| super::name(user.0)))
                    .route(
                        "/optional",
                        get().to(async |user: Option<CurrentUser>| super::name(user.map(|user| user.0))),
                    )
                    .service(guarded.route("", get().to(async || "guarded")))
            };
            let server = HttpServer::new(app).workers(2).disable_signals().bind("127.0.0.1:0").unwrap();
            (server.addrs()[0], server.run())
        })
        .await
    }

    async fn run(server: impl FnOnce() -> (SocketAddr, Actix) + Send + 'static) -> Running {
        let (started, start) = tokio::sync::oneshot::channel();
        std::thread::spawn(|| {
            actix_web::rt::System::new().block_on(async {
                let (address, server) = server();
                started.send((address, server.handle())).ok().unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = start.await.unwrap();
        let stop = move || {
            // The command is sent at the call; the future only waits for its end.
            drop(handle.stop(false));
        };
        Running { address, stop: Some(Box::new(stop)) }
    }
}

pub mod rocket {
    use ::rocket::Config as Settings;
    use ::rocket::config::{Ident, LogLevel};
    use ::rocket::fairing::AdHoc;
    use ::rocket::figment::Figment;
    use ::rocket::shield::Shield;
    use ::rocket::{Build, Rocket, get, routes};
    use portcullis_rocket::{CurrentUser, MaybeUser, Verifying};

    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
        run(|settings| example_rocket::app(settings, &auth, notes)).await
    }

    /// Serves a service that only verifies tokens: `/me`, `/perhaps`, `/optional`. `/guarded` there is, to be alike, for
    /// Rocket guards routes one by one.
    pub async fn verify(verifier: Verifier) -> Running {
        #[get("/me")]
        fn me(user: CurrentUser) -> String {
            user.id().to_string()
        }
        #[get("/perhaps")]
        fn perhaps(user: MaybeUser) -> String {
            super::name(user.0)
        }
        #[get("/optional")]
        fn optional(user: Option<CurrentUser>) -> String {
            super::name(user.map(|user| user.0))
        }
        #[get("/guarded")]
        fn guarded(_user: CurrentUser) -> &'static str {
            "guarded"
        }
        run(|settings| {
            let rocket = ::rocket::custom(settings).attach(Shield::new()).attach(Verifying::new(&verifier));
            rocket.mount("/", routes![me, perhaps, optional, guarded])
        })
        .await
    }

    async fn run(app: impl FnOnce(Figment) -> Rocket<Build>) -> Running {
        let mut settings =
            Settings { port: 0, ident: Ident::none(), log_level: LogLevel::Off, ..Settings::debug_default() };
        settings.shutdown.ctrlc = false;
        settings.shutdown.signals.clear();
        settings.shutdown.grace = 0;
        settings.shutdown.mercy = 0;
        let (started, start) = tokio::sync::oneshot::channel();
        let started = std::sync::Mutex::new(Some(started));
        let liftoff = AdHoc::on_liftoff("Port", move |rocket| {
            Box::pin(async move {
                let started = started.lock().unwrap().take().unwrap();
                started.send(rocket.config().port).unwrap();
            })
        });
        let app = app(Figment::from(settings)).attach(liftoff);
        let app = app.ignite().await.unwrap();
        let shutdown = app.shutdown();
        tokio::spawn(async move { app.launch().await.map(drop) });
        let address = ([127, 0, 0, 1], start.await.unwrap()).into();
        Running { address, stop: Some(Box::new(move || shutdown.notify())) }
    }
}

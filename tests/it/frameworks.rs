//! The frameworks under test: each module's `start` serves its example on a free loopback port.

use std::net::SocketAddr;

use example_notes::Notes;
use portcullis::{Auth, Config};

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
    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = example_axum::app(auth, notes).into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { ::axum::serve(listener, app).await });
        Running { address, stop: Some(Box::new(move || task.abort())) }
    }
}

pub mod actix {
    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
        let (started, start) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = actix_web::HttpServer::new(move || example_actix::app(&auth, &notes))
                    .workers(2)
                    .disable_signals()
                    .bind("127.0.0.1:0")
                    .unwrap();
                let address = server.addrs()[0];
                let server = server.run();
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

    use super::*;

    start!();

    pub async fn serve(auth: Auth, notes: Notes) -> Running {
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
        let app = example_rocket::app(Figment::from(settings), &auth, notes).attach(liftoff);
        let app = app.ignite().await.unwrap();
        let shutdown = app.shutdown();
        tokio::spawn(async move { app.launch().await.map(drop) });
        let address = ([127, 0, 0, 1], start.await.unwrap()).into();
        Running { address, stop: Some(Box::new(move || shutdown.notify())) }
    }
}

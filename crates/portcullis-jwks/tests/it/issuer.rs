//! An issuer that says what the test tells it to, over TLS or without.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use portcullis_token::{AccessClaims, Audience, KeyRing, SigningKey};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) const ISSUER: &str = "https://issuer.example";

pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    /// How many connections there were.
    pub(crate) asked: Arc<AtomicUsize>,
    /// The certificate, in PEM, that vouches for it.
    pub(crate) certificate: String,
}

pub(crate) trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

impl Issuer {
    /// Over plain HTTP.
    pub(crate) fn plain(answer: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> Self {
        Self::start(String::new(), move |mut socket| {
            request(&mut socket);
            answer(&mut socket);
        })
    }

    /// Over TLS, under that name.
    pub(crate) fn tls(name: &str, answer: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let config = Arc::new(config.unwrap());
        Self::start(cert.pem(), move |socket| {
            let mut wire = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            // A client that does not believe the certificate hangs up.
            if request(&mut wire) {
                answer(&mut wire);
                wire.conn.send_close_notify();
                let _ = wire.flush();
            }
        })
    }

    fn start(certificate: String, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for socket in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                thread::spawn(move || serve(socket.unwrap()));
            }
        });
        Self { address, asked, certificate }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Reads a request's head; `false` if none came.
fn request(wire: &mut dyn Wire) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match wire.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Answers with a status line, headers and a body, and closes.
pub(crate) fn answer(
    status: &str,
    headers: &str,
    body: &[u8],
) -> impl Fn(&mut dyn Wire) + Send + Sync + use<> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    let bytes = [head.as_bytes(), body].concat();
    move |wire| {
        let _ = wire.write_all(&bytes);
        let _ = wire.flush();
    }
}

pub(crate) fn ring() -> KeyRing {
    KeyRing::new(SigningKey::ed25519(&[7; 32]).unwrap())
}

/// The published keys of `ring()`.
pub(crate) fn jwks() -> Vec<u8> {
    serde_json::to_vec(&ring().jwks()).unwrap()
}

/// A token of `ring()` for the audience `orders`, good for a minute.
pub(crate) fn token() -> String {
    use portcullis::clock::{Clock, SystemClock};
    let now = SystemClock.now().seconds();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let claims = AccessClaims {
        iss: ISSUER.into(),
        sub: id.into(),
        aud: Audience::from("orders"),
        exp: now + 60,
        iat: now,
        jti: "token-1".into(),
        client_id: "web".into(),
        sid: id.into(),
        auth_time: now,
        amr: vec!["pwd".into()],
        roles: vec![],
        permissions: vec![],
        packed: None,
    };
    ring().sign(&claims).unwrap()
}

//! Fetching from issuers that are as they should be, and from others. Without an executor, since none is needed.

// Everything here is a test; clippy knows only functions marked as such.
#![allow(clippy::unwrap_used)]

mod issuer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use http::HeaderMap;
use issuer::{ISSUER, Issuer, answer, jwks, token};
use portcullis::{Fault, Verifier, VerifierConfig};
use portcullis_jwks::{HttpJwks, HttpJwksConfig};

fn verifier(url: &str, config: HttpJwksConfig) -> Verifier {
    let source = HttpJwks::with(url, config).unwrap();
    Verifier::new(VerifierConfig::new(ISSUER, "orders", source.into())).unwrap()
}

/// The keys of an issuer on plain HTTP, patient for half a second.
fn fetched(issuer: &Issuer) -> Result<(), Fault> {
    let config = HttpJwksConfig { timeout: Duration::from_millis(500), ..HttpJwksConfig::default() };
    block_on(verifier(&format!("http://{}/jwks.json", issuer.address), config).ready())
}

fn over_tls(issuer: &Issuer, authorities: Option<String>) -> Verifier {
    let config = HttpJwksConfig { authorities, ..HttpJwksConfig::default() };
    verifier(&format!("https://localhost:{}/jwks.json", issuer.address.port()), config)
}

#[test]
fn a_token_verifies_with_keys_fetched_over_tls() {
    let issuer = Issuer::tls("localhost", answer("200 OK", "", &jwks()));
    let verifier = over_tls(&issuer, Some(issuer.certificate.clone()));
    block_on(verifier.ready()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", token()).parse().unwrap());
    let identity = block_on(verifier.require("GET", &headers)).unwrap();
    assert_eq!(identity.amr(), ["pwd"]);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn a_server_that_nobody_vouches_for_gives_no_keys() {
    let issuer = Issuer::tls("localhost", answer("200 OK", "", &jwks()));
    let fault = block_on(over_tls(&issuer, None).ready()).unwrap_err();
    assert!(fault.to_string().contains("certificate"), "{fault}");
    let other = Issuer::tls("localhost", answer("200 OK", "", &jwks()));
    assert!(block_on(over_tls(&issuer, Some(other.certificate)).ready()).is_err(), "another's certificate");
}

#[test]
fn a_certificate_for_another_name_gives_no_keys() {
    let issuer = Issuer::tls("elsewhere.example", answer("200 OK", "", &jwks()));
    let fault = block_on(over_tls(&issuer, Some(issuer.certificate.clone())).ready()).unwrap_err();
    assert!(fault.to_string().contains("certificate"), "{fault}");
}

#[test]
fn what_the_program_made_rustls_use_by_default_does_not_matter() {
    let issuer = Issuer::tls("localhost", answer("200 OK", "", &jwks()));
    let authorities = Some(issuer.certificate.clone());
    block_on(over_tls(&issuer, authorities.clone()).ready()).unwrap();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    block_on(over_tls(&issuer, authorities).ready()).unwrap();
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let issuer = Issuer::plain(|_| thread::sleep(Duration::from_secs(60)));
    let began = Instant::now();
    let fault = fetched(&issuer).unwrap_err();
    assert!(fault.to_string().contains("timeout"), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_never_ends_is_given_up() {
    let issuer = Issuer::plain(|wire| {
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        while wire.write_all(b" ").and_then(|()| wire.flush()).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    assert!(fetched(&issuer).is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_set_of_forty_megabytes_is_not_read() {
    for head in ["content-length: 41943040\r\n", "connection: close\r\n"] {
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        let issuer = Issuer::plain(move |wire| {
            let _ = wire.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
            for _ in 0..640 {
                if wire.write_all(&[b' '; 65536]).is_err() {
                    return;
                }
                count.fetch_add(65536, Ordering::SeqCst);
            }
        });
        assert!(fetched(&issuer).is_err());
        let written = written.load(Ordering::SeqCst);
        assert!(written < 16 * 1024 * 1024, "the connection is closed early: {written}");
    }
}

#[test]
fn a_set_of_just_the_largest_size_is_read() {
    let mut padded = jwks();
    padded.resize(portcullis::verifier::MAX_JWKS, b' ');
    assert!(fetched(&Issuer::plain(answer("200 OK", "", &padded))).is_ok());
    padded.push(b' ');
    assert!(fetched(&Issuer::plain(answer("200 OK", "", &padded))).is_err());
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Issuer::plain(answer("200 OK", "", &jwks()));
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"] {
        let location = format!("location: http://{}/jwks.json\r\n", elsewhere.address);
        let issuer = Issuer::plain(answer(status, &location, b""));
        assert!(fetched(&issuer).is_err(), "{status}");
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[test]
fn only_200_is_an_answer() {
    for status in
        ["201 Created", "203 Non-Authoritative Information", "404 Not Found", "500 Internal Server Error"]
    {
        assert!(fetched(&Issuer::plain(answer(status, "", &jwks()))).is_err(), "{status}");
    }
}

#[test]
fn the_content_type_does_not_matter() {
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/jwk-set+json\r\n"] {
        assert!(fetched(&Issuer::plain(answer("200 OK", kind, &jwks()))).is_ok(), "{kind}");
    }
}

#[test]
fn what_is_no_set_of_keys_gives_none() {
    let whole = jwks();
    let private = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    for body in [
        b"<html></html>".as_slice(),
        b"",
        b"{}",
        br#"{"keys":[]}"#,
        &whole[..whole.len() - 2],
        b"\xff",
        private,
    ] {
        let issuer = Issuer::plain(answer("200 OK", "", body));
        assert!(fetched(&issuer).is_err(), "{}", String::from_utf8_lossy(body));
    }
    let cut = Issuer::plain(move |wire| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", whole.len() + 1);
        let _ = wire.write_all(&[head.as_bytes(), &whole].concat());
    });
    assert!(fetched(&cut).is_err(), "the body ends early");
}

#[test]
fn where_nobody_listens_there_are_no_keys() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let verifier = verifier(&format!("http://{nobody}/jwks.json"), HttpJwksConfig::default());
    assert!(block_on(verifier.ready()).is_err());
}

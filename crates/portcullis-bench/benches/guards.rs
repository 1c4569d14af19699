//! What a guard costs in a running server: `cargo bench -p portcullis-bench --bench guards`.
//!
//! For each row a server process on one core has two routes that say hello, one of them guarded; a client on the other
//! core asks for the one and the other in turn, and the server's own processor time is read from the kernel (Linux).

// A benchmark is a program to look at: it prints, and stops where something is not as it was set up.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use portcullis_bench::median;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "guards/actix.rs"]
mod on_actix;
#[path = "guards/axum.rs"]
mod on_axum;
#[path = "guards/rocket.rs"]
mod on_rocket;
#[path = "guards/setup.rs"]
mod setup;

/// Framework, guard, and what the table calls it.
const ROWS: [(&str, &str, &str); 13] = [
    ("axum", "ours", "axum, CurrentUser, EdDSA"),
    ("axum", "ours-uncached", "axum, CurrentUser without its cache, EdDSA"),
    ("axum", "HS256", "axum, hand-written jsonwebtoken extractor, HS256"),
    ("axum", "RS256", "axum, hand-written jsonwebtoken extractor, RS256"),
    ("axum", "ES256", "axum, hand-written jsonwebtoken extractor, ES256"),
    ("axum", "EdDSA", "axum, hand-written jsonwebtoken extractor, EdDSA"),
    ("axum", "axum-login", "axum, axum-login, memory store"),
    ("actix", "ours", "actix-web, CurrentUser, EdDSA"),
    ("actix", "HS256", "actix-web, hand-written jsonwebtoken extractor, HS256"),
    ("actix", "EdDSA", "actix-web, hand-written jsonwebtoken extractor, EdDSA"),
    ("rocket", "ours", "Rocket, CurrentUser, EdDSA"),
    ("rocket", "HS256", "Rocket, hand-written jsonwebtoken guard, HS256"),
    ("rocket", "EdDSA", "Rocket, hand-written jsonwebtoken guard, EdDSA"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [serve, framework, guard] = arguments.as_slice()
        && serve == "serve"
    {
        return match framework.as_str() {
            "axum" => on_axum::serve(guard),
            "actix" => on_actix::serve(guard),
            _ => on_rocket::serve(guard),
        };
    }
    println!("\n| | added CPU a request (us) | requests/s, ratio to no guard | requests/s without a guard |");
    println!("|---|---|---|---|");
    for (framework, guard, name) in ROWS {
        if arguments.is_empty() || arguments.iter().any(|part| name.contains(part.as_str())) {
            let (added, ratio, bare) = measure(framework, guard)?;
            println!("| {name} | {added:.2} | {ratio:.2} | {bare:.0} |");
        }
    }
    Ok(())
}

/// Added microseconds, ratio, and requests/s without a guard.
fn measure(framework: &str, guard: &str) -> Result<(f64, f64, f64), Box<dyn Error>> {
    let (mut server, address, credential) = start(framework, guard)?;
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    pin("1", std::process::id());
    let measured = client.block_on(async {
        let open = Arc::<str>::from(format!("GET /open HTTP/1.1\r\nhost: {address}\r\n{credential}\r\n\r\n"));
        let closed =
            Arc::<str>::from(format!("GET /closed HTTP/1.1\r\nhost: {address}\r\n{credential}\r\n\r\n"));
        let (mut added, mut ratios, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let without = load(address, &open, server.id()).await;
            let with = load(address, &closed, server.id()).await;
            // The first round warms up.
            if round > 0 {
                added.push((with.cpu / with.requests - without.cpu / without.requests) / 1000.0);
                ratios.push(with.requests / without.requests);
                bare.push(without.requests / SLICE.as_secs_f64());
            }
        }
        (median(added), median(ratios), median(bare))
    });
    server.kill()?;
    server.wait()?;
    Ok(measured)
}

fn start(framework: &str, guard: &str) -> Result<(Child, SocketAddr, String), Box<dyn Error>> {
    let mut server = Command::new(env::current_exe()?)
        .args(["serve", framework, guard])
        .env("ROCKET_LOG_LEVEL", "off")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
    // Rocket has a log of its own, on standard output.
    let address = loop {
        let line = lines.next().ok_or("the server did not start")??;
        if let Some(address) = line.strip_prefix("listening on ") {
            break address.parse()?;
        }
    };
    let credential = lines.next().ok_or("the server named no credential")??;
    pin("0", server.id());
    Ok((server, address, credential))
}

/// Keeps a process on one core; without `taskset` it goes where it likes.
fn pin(core: &str, process: u32) {
    let mut taskset = Command::new("taskset");
    let _ = taskset.args(["-a", "-p", "-c", core, &process.to_string()]).stdout(Stdio::null()).status();
}

struct Load {
    requests: f64,
    /// Nanoseconds of the server's processor time.
    cpu: f64,
}

/// Connections that each send the request again as soon as it is answered.
async fn load(address: SocketAddr, request: &Arc<str>, server: u32) -> Load {
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (request, answered) = (request.clone(), answered.clone());
        clients.push(tokio::spawn(async move {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.set_nodelay(true).unwrap();
            let mut room = [0; 4096];
            loop {
                connection.write_all(request.as_bytes()).await.unwrap();
                let mut read = 0;
                while !room[..read].ends_with(b"hello") {
                    let more = connection.read(&mut room[read..]).await.unwrap();
                    assert!(more > 0, "{}", String::from_utf8_lossy(&room[..read]));
                    read += more;
                }
                assert!(room.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&room[..read]));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (before, at_start, started) =
        (processor_time(server), answered.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(SLICE).await;
    let (cpu, count) = (processor_time(server) - before, answered.load(Ordering::Relaxed) - at_start);
    let stretched = started.elapsed().as_secs_f64() / SLICE.as_secs_f64();
    clients.iter().for_each(|client| client.abort());
    Load { requests: count as f64 / stretched, cpu: cpu / stretched }
}

/// Nanoseconds that a process has run.
fn processor_time(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<f64>().ok())
        .sum()
}

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 9;
const SLICE: Duration = Duration::from_millis(500);

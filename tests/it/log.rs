//! What the whole program logs, from the first call of `lines` on.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::EnvFilter;

/// The lines so far that contain `text`. All tests log to one place, so look for what is yours alone.
pub fn lines(text: &str) -> Vec<String> {
    let written = written().lock().unwrap();
    String::from_utf8_lossy(&written).lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

fn written() -> &'static Mutex<Vec<u8>> {
    static WRITTEN: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let filter = EnvFilter::new("info,portcullis=trace");
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Here);
        log.try_init().unwrap();
        Mutex::new(Vec::new())
    })
}

struct Here;

impl Write for Here {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        written().lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

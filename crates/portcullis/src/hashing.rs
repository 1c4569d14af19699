//! Argon2id on threads of its own: the async threads never wait for a hash, memory is bounded by the number
//! of threads and reused, and when more wait than can be served soon, the rest is told so.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use futures_channel::oneshot;
use zeroize::Zeroizing;

use crate::clock::{self, Entropy};
use crate::config::PasswordConfig;
use crate::{Denied, Fault, Refusal};

/// Hashes and checks passwords.
pub(crate) struct Hashing {
    params: Params,
    /// A hash of nobody's password, made with the same parameters: an unknown user costs what a known one does.
    dummy: String,
    queue: Arc<Queue>,
}

/// Evidence that a password was the right one.
#[derive(Debug)]
pub(crate) struct Matched {
    /// The stored hash was made with other parameters than are set now.
    pub(crate) outdated: bool,
}

impl Hashing {
    pub(crate) fn new(config: &PasswordConfig, entropy: &dyn Entropy) -> Result<Self, Fault> {
        let params = Params::new(config.memory_kib, config.iterations, config.lanes, Some(HASH_BYTES))
            .map_err(|error| Fault::new("reading the Argon2 parameters", error))?;
        let salt = clock::random::<SALT_BYTES>(entropy)?;
        let hash = clock::random::<HASH_BYTES>(entropy)?;
        let dummy = phc(&params, &salt, &hash).map_err(|error| Fault::new("making the dummy hash", error))?;
        let queue = Arc::new(Queue::new(config.queue));
        for number in 1..=config.threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("portcullis-hash-{number}"))
                .spawn(move || queue.work())
                .map_err(|error| Fault::new("starting a hashing thread", error))?;
        }
        Ok(Self { params, dummy, queue })
    }

    /// The PHC string of a new password.
    pub(crate) async fn hash(&self, password: &str, entropy: &dyn Entropy) -> Result<String, Refusal> {
        let salt = clock::random::<SALT_BYTES>(entropy)?;
        let params = self.params.clone();
        let password = Zeroizing::new(password.to_owned());
        self.run(move |memory| {
            let hash = derive(&params, password.as_bytes(), &salt, memory)?;
            phc(&params, &salt, hash.as_slice())
        })
        .await
    }

    /// Whether `password` is that of the PHC string; `None` costs the same and never is.
    pub(crate) async fn verify(
        &self,
        password: &str,
        stored: Option<&str>,
    ) -> Result<Option<Matched>, Refusal> {
        let current = self.params.clone();
        let password = Zeroizing::new(password.to_owned());
        let nobody = stored.is_none();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        let matched = self
            .run(move |memory| {
                let stored = PasswordHash::new(&stored)?;
                let params = Params::try_from(&stored)?;
                let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
                    return Err("a stored password hash has no salt or no hash".into());
                };
                let hash = derive(&params, password.as_bytes(), salt, memory)?;
                let outdated = params != current;
                // `Output` compares in constant time.
                Ok((Output::new(hash.as_slice())? == *expected).then_some(Matched { outdated }))
            })
            .await?;
        Ok(matched.filter(|_| !nobody))
    }

    async fn run<T, F>(&self, job: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&mut Vec<Block>) -> Result<T, Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            // The receiver may be gone with its request; the result is then nobody's.
            let _ = done.send(job(memory));
        });
        if !self.queue.push(job) {
            return Err(Denied::Overloaded.into());
        }
        let outcome = result.await.map_err(|error| Fault::new("waiting for a password hash", error))?;
        Ok(outcome.map_err(|error| Fault::new("hashing a password", error))?)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.queue.close();
    }
}

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    most: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), most }
    }

    fn push(&self, job: Job) -> bool {
        let mut waiting = self.lock();
        let room = waiting.jobs.len() < self.most;
        if room {
            waiting.jobs.push_back(job);
            self.wake.notify_one();
        }
        room
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// What each thread does. The memory is kept while there is work and given back in the first lull.
    fn work(&self) {
        let mut memory = Vec::new();
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                drop(waiting);
                // A panic must not take the thread with it; whoever waits is told by the dropped channel.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
                waiting = self.lock();
            } else if waiting.closed {
                return;
            } else if memory.is_empty() {
                waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            } else {
                let (guard, lull) =
                    self.wake.wait_timeout(waiting, LULL).unwrap_or_else(PoisonError::into_inner);
                waiting = guard;
                if lull.timed_out() {
                    memory = Vec::new();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn derive(
    params: &Params,
    password: &[u8],
    salt: &[u8],
    memory: &mut Vec<Block>,
) -> Result<Zeroizing<[u8; HASH_BYTES]>, argon2::Error> {
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::new());
    }
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()).hash_password_into_with_memory(
        password,
        salt,
        hash.as_mut_slice(),
        &mut memory[..params.block_count()],
    )?;
    Ok(hash)
}

fn phc(
    params: &Params,
    salt: &[u8],
    hash: &[u8],
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(hash)?),
    };
    Ok(phc.to_string())
}

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const LULL: Duration = Duration::from_secs(1);

//! Where an issuer's keys come from.

use bytes::Bytes;

use crate::Fault;

/// Fetches the key set that an issuer publishes (RFC 7517 §5). `portcullis-jwks` has one over HTTPS.
///
/// When to fetch is not its concern, and what it brings is checked.
///
/// # What an implementation promises
/// - `fetch` returns at once; the fetching goes on by itself, in a thread or task of its own.
/// - It ends within seconds, whatever the other side does, and says how in [`Delivery::done`].
/// - It fetches from where its owner said and nowhere else: no redirects.
pub trait JwksSource: Send + Sync {
    /// Begins to fetch the set.
    fn fetch(&self, delivery: Delivery);
}

/// Takes what was fetched. Dropped without it, the fetch has failed.
pub struct Delivery(Option<Take>);

type Take = Box<dyn FnOnce(Result<Bytes, Fault>) + Send>;

impl Delivery {
    pub(super) fn new(take: impl FnOnce(Result<Bytes, Fault>) + Send + 'static) -> Self {
        Self(Some(Box::new(take)))
    }

    /// Hands over the document, or says why there is none.
    pub fn done(mut self, document: Result<Bytes, Fault>) {
        self.hand_over(document);
    }

    fn hand_over(&mut self, document: Result<Bytes, Fault>) {
        if let Some(take) = self.0.take() {
            take(document);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.hand_over(Err(Fault::new("fetching the issuer's keys", "given up without an answer")));
    }
}

//! The application secret, those accepted beside it, and the keys that are made from them.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Fault;
use crate::clock::{self, Entropy};

/// A value whose holder is trusted. Printed never, wiped when dropped.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The one way out. Look twice at every call.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::from(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// What the application secrets are good for. The current one mints and seals; the accepted ones only recognise and
/// open what they made.
pub(crate) struct Keychain {
    current: Links,
    accepted: Vec<Links>,
}

/// Names a secret in what it made; says nothing about it.
pub(crate) type SecretId = [u8; 4];

/// What is made from one secret: one key for each purpose (HKDF-SHA256, RFC 5869), so that none says anything about
/// another.
struct Links {
    id: SecretId,
    refresh: Hmac<Sha256>,
    seal: XChaCha20Poly1305,
}

impl Keychain {
    pub(crate) fn new(current: &Secret, accepted: &[Secret]) -> Result<Self, Fault> {
        let accepted = accepted.iter().map(Links::of).collect::<Result<_, _>>()?;
        Ok(Self { current: Links::of(current)?, accepted })
    }

    /// The id of the current secret.
    pub(crate) fn id(&self) -> SecretId {
        self.current.id
    }

    /// The tag by which a refresh token is known to be ours.
    pub(crate) fn refresh_tag(&self, body: &[u8]) -> [u8; 32] {
        self.current.refresh.clone().chain_update(body).finalize().into_bytes().into()
    }

    /// Whether `tag` is the tag of `body` under the secret of that id; takes the same time wherever they differ.
    pub(crate) fn refresh_tag_is(&self, id: SecretId, body: &[u8], tag: &[u8]) -> bool {
        self.links(id).is_some_and(|links| links.refresh.clone().chain_update(body).verify_slice(tag).is_ok())
    }

    /// Encrypts for storage under the current secret, bound to `name`: `secret id | nonce | ciphertext`.
    pub(crate) fn seal(&self, name: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Fault> {
        let nonce = clock::random::<24>(entropy)?;
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        let ciphertext = self
            .current
            .seal
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Fault::new("sealing", "the cipher refused"))?;
        Ok([self.current.id.as_slice(), &nonce, &ciphertext].concat())
    }

    /// Whether the current secret sealed this.
    pub(crate) fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.current.id)
    }

    /// Decrypts what [`Keychain::seal`] made under this name, with the secret that it names.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let foreign = |why: &'static str| Fault::new("opening a sealed key", why);
        let (id, rest) = sealed.split_first_chunk::<4>().ok_or_else(|| foreign("it is cut short"))?;
        let links = self.links(*id).ok_or_else(|| {
            foreign(
                "it was sealed under another secret; start again with the PORTCULLIS_SECRET (or its file) that this database \
                 was used with before, or with that one among PORTCULLIS_ACCEPTED_SECRETS",
            )
        })?;
        let (nonce, ciphertext) = rest.split_first_chunk::<24>().ok_or_else(|| foreign("it is cut short"))?;
        let payload = Payload { msg: ciphertext, aad: name.as_bytes() };
        links
            .seal
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| foreign("it was altered"))
    }

    fn links(&self, id: SecretId) -> Option<&Links> {
        std::iter::once(&self.current).chain(&self.accepted).find(|links| links.id == id)
    }
}

impl Links {
    fn of(secret: &Secret) -> Result<Self, Fault> {
        let root = Hkdf::<Sha256>::new(Some(b"portcullis"), secret.expose().as_bytes());
        let refresh = derive::<32>(&root, "refresh token")?;
        let seal = derive::<32>(&root, "seal")?;
        Ok(Self {
            id: *derive::<4>(&root, "secret id")?,
            refresh: <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(refresh.as_slice())
                .map_err(|error| Fault::new("making the refresh token key", error))?,
            seal: XChaCha20Poly1305::new_from_slice(seal.as_slice())
                .map_err(|error| Fault::new("making the sealing key", error))?,
        })
    }
}

fn derive<const N: usize>(root: &Hkdf<Sha256>, purpose: &str) -> Result<Zeroizing<[u8; N]>, Fault> {
    let mut key = Zeroizing::new([0; N]);
    root.expand(purpose.as_bytes(), key.as_mut_slice())
        .map_err(|_| Fault::new("deriving a key", "the length is out of range"))?;
    Ok(key)
}

//! The refresh token: opaque to clients, recognised without a database.
//!
//! `pcr_` and base64url of `version (1) | secret id (4) | session (16) | generation (4) | HMAC-SHA256 (32)`.
//! The database holds the generation and no token, so a copy of it signs nobody in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use crate::Denied;
use crate::id::SessionId;
use crate::secret::{Keychain, Secret, SecretId};

/// What an authentic refresh token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
}

impl RefreshToken {
    /// The text to hand out: always the same for the same session and generation, as long as the secret is.
    pub(crate) fn mint(self, keychain: &Keychain) -> Secret {
        let body = self.body(keychain.id());
        let tag = keychain.refresh_tag(&body);
        let mut text = String::from(PREFIX);
        BASE64URL.encode_string([body.as_slice(), &tag].concat(), &mut text);
        Secret::from(text)
    }

    /// Reads a token and checks that it was minted here.
    ///
    /// # Errors
    /// [`Denied::InvalidToken`] for anything else.
    pub(crate) fn read(text: &str, keychain: &Keychain) -> Result<Self, Denied> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Denied::InvalidToken)?;
        if encoded.len() != ENCODED {
            return Err(Denied::InvalidToken);
        }
        let bytes = BASE64URL.decode(encoded).map_err(|_| Denied::InvalidToken)?;
        let (body, tag) = bytes.split_first_chunk::<BODY>().ok_or(Denied::InvalidToken)?;
        let id: SecretId = body[1..5].try_into().map_err(|_| Denied::InvalidToken)?;
        if !keychain.refresh_tag_is(id, body, tag) {
            return Err(Denied::InvalidToken);
        }
        let (session, generation) = body[5..].split_first_chunk::<16>().ok_or(Denied::InvalidToken)?;
        let generation = generation.try_into().map_err(|_| Denied::InvalidToken)?;
        let token =
            Self { session: SessionId::from_bytes(*session), generation: u32::from_be_bytes(generation) };
        // The tag already binds the version; this says so where a reader would ask.
        if token.body(id) == *body { Ok(token) } else { Err(Denied::InvalidToken) }
    }

    fn body(self, secret: SecretId) -> [u8; BODY] {
        let mut body = [VERSION; BODY];
        body[1..5].copy_from_slice(&secret);
        body[5..21].copy_from_slice(self.session.bytes());
        body[21..].copy_from_slice(&self.generation.to_be_bytes());
        body
    }
}

const PREFIX: &str = "pcr_";
const VERSION: u8 = 1;
const BODY: usize = 1 + 4 + 16 + 4;
const ENCODED: usize = ((BODY + 32) * 4).div_ceil(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> (RefreshToken, Keychain) {
        let session = SessionId::from_bytes(*b"0123456789abcdef");
        (RefreshToken { session, generation: 7 }, keychain(SECRET, &[]))
    }

    fn keychain(current: &str, accepted: &[&str]) -> Keychain {
        let accepted: Vec<_> = accepted.iter().copied().map(Secret::from).collect();
        Keychain::new(&Secret::from(current), &accepted).unwrap()
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "another secret, also of 32 bytes";

    #[test]
    fn a_token_reads_back_and_its_successor_is_a_function_of_it() {
        let (token, keychain) = token();
        let text = token.mint(&keychain);
        assert_eq!(RefreshToken::read(text.expose(), &keychain), Ok(token));
        assert_eq!(text.expose(), token.mint(&keychain).expose());
        let next = RefreshToken { generation: 8, ..token };
        assert_ne!(text.expose(), next.mint(&keychain).expose());
    }

    #[test]
    fn every_single_byte_change_is_refused() {
        let (token, keychain) = token();
        let text = token.mint(&keychain).expose().to_owned();
        for at in 0..text.len() {
            for byte in (0x20..0x7f_u8).filter(|byte| *byte != text.as_bytes()[at]) {
                let mut forged = text.clone().into_bytes();
                forged[at] = byte;
                let forged = String::from_utf8(forged).unwrap();
                assert!(RefreshToken::read(&forged, &keychain).is_err(), "{forged}");
            }
        }
        for cut in 0..text.len() {
            assert!(RefreshToken::read(&text[..cut], &keychain).is_err());
        }
        assert!(RefreshToken::read(&format!("{text}A"), &keychain).is_err());
    }

    #[test]
    fn another_secret_does_not_read_it() {
        let (token, ours) = token();
        assert!(RefreshToken::read(token.mint(&ours).expose(), &keychain(OTHER, &[])).is_err());
    }

    #[test]
    fn an_accepted_secret_is_read_and_the_current_one_mints() {
        let (token, old) = token();
        let new = keychain(OTHER, &[SECRET]);
        assert_eq!(RefreshToken::read(token.mint(&old).expose(), &new), Ok(token));
        let minted = token.mint(&new);
        assert_eq!(minted.expose(), token.mint(&keychain(OTHER, &[])).expose());
        assert!(RefreshToken::read(minted.expose(), &old).is_err());
        assert_eq!(RefreshToken::read(minted.expose(), &keychain(SECRET, &[OTHER])), Ok(token));
    }

    #[test]
    fn a_token_cannot_be_carried_from_one_accepted_secret_to_the_other() {
        let (token, old) = token();
        let both = keychain(OTHER, &[SECRET]);
        let text = token.mint(&old);
        let mut bytes = BASE64URL.decode(text.expose().strip_prefix(PREFIX).unwrap()).unwrap();
        bytes[1..5].copy_from_slice(&both.id());
        let forged = format!("{PREFIX}{}", BASE64URL.encode(bytes));
        assert!(RefreshToken::read(&forged, &both).is_err());
    }
}

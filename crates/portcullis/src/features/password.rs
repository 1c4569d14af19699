//! Which passwords are allowed, and changing one's own (NIST SP 800-63B-4 §3.1.1, ASVS 5.0 V6.2).

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::email::Email;
use crate::event::action;
use crate::http::{Answer, Call, Fields, Route};
use crate::reply::Reply;
use crate::store::{Ended, Which};
use crate::{Auth, Denied};

pub(crate) const ROUTES: &[Route] =
    &[Route::post("/password/change", |auth, call| Box::pin(change(auth, call)))];

/// Asks for the current password, since a borrowed access token must not become a stolen account; ends all
/// other sessions, since whoever knew the old one may have signed in.
async fn change(auth: &Auth, call: &Call) -> Answer {
    let identity = call.identity()?;
    let fields = call.form()?;
    let current = auth.given_password(&fields, "currentPassword")?;
    let credentials = &auth.stores().credentials;
    let record = credentials.by_user(identity.id()).await?.ok_or(Denied::InvalidToken)?;
    let new = auth.new_password(&fields, "newPassword", &record.user.email)?;
    if auth.hashing().verify(&current, Some(&record.hash)).await?.is_none() {
        auth.record(call.event(action::PASSWORD_CHANGE_FAILED).because("wrong_password")).await?;
        return Err(Denied::WrongPassword.into());
    }
    let hash = auth.hashing().hash(&new, &*auth.config().entropy).await?;
    if !credentials.change(&record, &hash, Some(identity.session())).await? {
        return Err(Denied::Conflict.into());
    }
    let others = Which::Others(identity.session());
    auth.end_sessions(identity.id(), others, Ended::PasswordChanged, call.now).await?;
    auth.record(call.event(action::PASSWORD_CHANGED)).await?;
    Ok(Reply::done()?)
}

impl Auth {
    /// A password to be checked: capped before anything is computed from it, and in the form in which it was hashed.
    pub(crate) fn given_password(
        &self,
        fields: &Fields,
        name: &'static str,
    ) -> Result<Zeroizing<String>, Denied> {
        // Length is for the policy to judge; the body is bounded already.
        let typed = fields.text(name, usize::MAX)?;
        if typed.len() > self.config().password.max_bytes {
            return Err(Denied::PasswordTooLong);
        }
        Ok(normalised(typed))
    }

    /// A password to be set, which must also keep the policy.
    pub(crate) fn new_password(
        &self,
        fields: &Fields,
        name: &'static str,
        email: &Email,
    ) -> Result<Zeroizing<String>, Denied> {
        let password = self.given_password(fields, name)?;
        let policy = &self.config().password;
        if password.chars().count() < policy.min_length {
            return Err(Denied::PasswordTooShort);
        }
        if !policy.danger_common_passwords && is_common(&password, email) {
            return Err(Denied::PasswordTooCommon);
        }
        Ok(password)
    }
}

/// NFKC (NIST SP 800-63B-4 §3.1.1.2): keyboards write one character in several ways.
fn normalised(typed: &str) -> Zeroizing<String> {
    Zeroizing::new(if typed.is_ascii() { typed.to_owned() } else { typed.nfkc().collect() })
}

/// Among the first that are guessed, or the address itself.
fn is_common(password: &str, email: &Email) -> bool {
    static COMMON: LazyLock<HashSet<&str>> =
        LazyLock::new(|| include_str!("../common_passwords.txt").lines().collect());
    let password = Zeroizing::new(password.to_lowercase());
    COMMON.contains(password.as_str()) || *password == email.as_str() || *password == email.local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_has_one_form() {
        assert_eq!(*normalised("e\u{301}\u{fb01}le"), *normalised("\u{e9}file"));
        assert_eq!(*normalised("correct horse battery"), "correct horse battery");
    }

    #[test]
    fn the_common_and_the_own_address_are_refused_in_any_case() {
        let email = Email::parse("ada.lovelace@example.org").unwrap();
        for common in ["password1", "PassWord1", "Ada.Lovelace@example.org", "ada.lovelace"] {
            assert!(is_common(common, &email), "{common}");
        }
        assert!(!is_common("purple-otter-sings", &email));
    }
}

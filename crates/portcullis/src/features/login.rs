//! Signing in with e-mail address and password.

use http::StatusCode;

use super::register::MAX_EMAIL;
use crate::email::Email;
use crate::event::action;
use crate::hashing::Matched;
use crate::http::{Answer, Call, Route};
use crate::proof::Proof;
use crate::sign_in::Transport;
use crate::store::PasswordRecord;
use crate::{Auth, Denied, Refusal};

pub(crate) const ROUTES: &[Route] = &[Route::post("/login", |auth, call| Box::pin(login(auth, call))).open()];

/// Answers alike, and takes as long, whether the address or the password is wrong.
async fn login(auth: &Auth, call: &Call) -> Answer {
    let fields = call.form()?;
    let email = Email::parse(fields.text("email", MAX_EMAIL)?)?;
    let password = auth.given_password(&fields, "password")?;
    let transport = Transport::chosen(&fields)?;
    let record = auth.stores().credentials.by_email(&email).await?;
    let matched =
        auth.hashing().verify(&password, record.as_ref().map(|record| record.hash.as_str())).await?;
    match (record, matched) {
        (Some(record), Some(matched)) => {
            rehash(auth, &record, &matched, &password).await?;
            auth.sign_in(Proof::password(record, &matched), transport, StatusCode::OK, call).await
        }
        (record, _) => {
            let failed = call.event(action::SIGN_IN_FAILED);
            auth.record(match record {
                Some(record) => failed.because("wrong_password").of(record.user.id),
                None => failed.because("unknown_user"),
            })
            .await?;
            Err(Denied::InvalidCredentials.into())
        }
    }
}

/// Brings a hash of older parameters up to date. If the password was changed meanwhile, the change stands.
async fn rehash(
    auth: &Auth,
    record: &PasswordRecord,
    matched: &Matched,
    password: &str,
) -> Result<(), Refusal> {
    if matched.outdated {
        let hash = auth.hashing().hash(password, &*auth.config().entropy).await?;
        auth.stores().credentials.rehash(record, &hash).await?;
    }
    Ok(())
}

//! Signing out: here, or everywhere. When the answer is there, the session is over.

use crate::event::action;
use crate::http::{Answer, Call, Route};
use crate::id::{SessionId, UserId};
use crate::reply::Reply;
use crate::store::{Ended, Which};
use crate::{Auth, Denied, Refusal};

use super::refresh;

pub(crate) const ROUTES: &[Route] = &[
    Route::post("/logout", |auth, call| Box::pin(logout(auth, call))).open(),
    Route::post("/logout-all", |auth, call| Box::pin(logout_all(auth, call))),
];

/// Ends the session that the access token names and the one that the refresh token names, which is usually the
/// same; either is enough. A session that is over already is answered alike.
async fn logout(auth: &Auth, call: &Call) -> Answer {
    for (user, session) in named(auth, call).await? {
        if auth.end_sessions(user, Which::One(session), Ended::Logout, call.now).await? > 0 {
            auth.record(call.event(action::SIGNED_OUT).of(user).within(session)).await?;
        }
    }
    Ok(Reply::done()?.signed_out(auth.config())?)
}

async fn named(auth: &Auth, call: &Call) -> Result<Vec<(UserId, SessionId)>, Refusal> {
    let mut named = Vec::new();
    let refresh_token = refresh::presented(auth, call)?;
    match auth.authenticate("POST", &call.headers).await {
        Ok(Some(identity)) => named.push((identity.id(), identity.session())),
        Ok(None) if refresh_token.is_none() => return Err(Denied::Unauthenticated.into()),
        // An access token that has expired does not keep anybody signed in.
        Err(Refusal::Denied(Denied::InvalidToken)) if refresh_token.is_some() => {}
        Ok(None) => {}
        Err(refusal) => return Err(refusal),
    }
    if let Some((token, _)) = refresh_token
        && let Some(session) = auth.stores().sessions.find(token.session).await?
    {
        named.push((session.user, session.id));
    }
    Ok(named)
}

async fn logout_all(auth: &Auth, call: &Call) -> Answer {
    auth.sign_out_everywhere_as(call.identity()?.id(), Ended::Logout, call.now).await?;
    auth.record(call.event(action::SIGNED_OUT_EVERYWHERE)).await?;
    Ok(Reply::done()?.signed_out(auth.config())?)
}

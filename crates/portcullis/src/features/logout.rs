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

/// Ends every session that a token of the request names, which is usually one; any token is enough, and one that is
/// not valid does not keep the others from it. A session that was ended before is answered alike.
async fn logout(auth: &Auth, call: &Call) -> Answer {
    let named = match named(auth, call).await {
        Ok(named) => named,
        // A cookie that is good for nothing is nothing to keep; no script could take it back.
        Err(Refusal::Denied(Denied::InvalidToken)) if refresh::in_cookie(auth, call).is_err() => {
            return Ok(Reply::from(Denied::InvalidToken).signed_out(auth.config())?);
        }
        Err(refusal) => return Err(refusal),
    };
    for (user, session) in named {
        if auth.end_sessions(user, Which::One(session), Ended::Logout, call.now).await? > 0 {
            auth.record(call.event(action::SIGNED_OUT).of(user).within(session)).await?;
        }
    }
    Ok(Reply::done()?.signed_out(auth.config())?)
}

async fn named(auth: &Auth, call: &Call) -> Result<Vec<(UserId, SessionId)>, Refusal> {
    let (mut named, mut tokens) = (Vec::new(), Vec::new());
    let mut refused = Denied::Unauthenticated;
    match auth.authenticate("POST", &call.headers).await {
        Ok(Some(identity)) => named.push((identity.id(), identity.session())),
        Ok(None) => {}
        Err(Refusal::Denied(denied)) => refused = denied,
        Err(fault) => return Err(fault),
    }
    for token in [refresh::in_body(auth, call), refresh::in_cookie(auth, call)] {
        match token {
            Ok(Some(token)) => tokens.push(token),
            Ok(None) => {}
            Err(denied) => refused = denied,
        }
    }
    if named.is_empty() && tokens.is_empty() {
        return Err(refused.into());
    }
    for token in tokens {
        // An authentic token of a session that is not there any more leaves nothing to end.
        let session = auth.stores().sessions.find(token.session).await?;
        named.extend(session.map(|session| (session.user, session.id)));
    }
    Ok(named)
}

async fn logout_all(auth: &Auth, call: &Call) -> Answer {
    auth.sign_out_everywhere_as(call.identity()?.id(), Ended::Logout, call.now).await?;
    auth.record(call.event(action::SIGNED_OUT_EVERYWHERE)).await?;
    Ok(Reply::done()?.signed_out(auth.config())?)
}

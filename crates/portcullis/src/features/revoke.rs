//! Taking a token back, by the client that it was issued to (RFC 7009).

use http::StatusCode;

use crate::event::action;
use crate::http::{Answer, Call, MAX_BODY, Route};
use crate::id::{SessionId, UserId};
use crate::refresh_token::RefreshToken;
use crate::reply::Reply;
use crate::store::{Ended, Which};
use crate::{Auth, Denied, Refusal};

pub(crate) const ROUTES: &[Route] = &[Route::post(PATH, |auth, call| Box::pin(revoke(auth, call))).client()];

/// Ends the session that the token belongs to: all its tokens are over, whichever was shown (RFC 7009 §2.1 demands it of
/// a refresh token and allows it of an access token).
async fn revoke(auth: &Auth, call: &Call) -> Answer {
    let parameters = call.parameters()?;
    let token = parameters.text("token", MAX_BODY)?;
    let client = call.client()?.id();
    let named = match RefreshToken::read(token, auth.keychain()) {
        Ok(token) => of_refresh_token(auth, token).await?,
        Err(_) => of_access_token(auth, call, token).await?,
    };
    // RFC 7009 §2.2: a token that is not good any more is as revoked as it can be.
    let Some(named) = named else { return Ok(Reply::empty(StatusCode::OK)) };
    if named.client != client {
        tracing::warn!(target: "portcullis::client", client, "tried to revoke a token of another client");
        return Err(Denied::UnauthorizedClient.into());
    }
    if auth.end_sessions(named.user, Which::One(named.session), Ended::Client, call.now).await? > 0 {
        let event = call.event(action::TOKEN_REVOKED).because(client.to_owned());
        auth.record(event.of(named.user).within(named.session)).await?;
    }
    Ok(Reply::empty(StatusCode::OK))
}

struct Named {
    client: String,
    user: UserId,
    session: SessionId,
}

/// Of any generation: one that was replaced still names its session.
async fn of_refresh_token(auth: &Auth, token: RefreshToken) -> Result<Option<Named>, Refusal> {
    let session = auth.stores().sessions.find(token.session).await?;
    let client = auth.config().client_id.clone();
    Ok(session.map(|session| Named { client, user: session.user, session: session.id }))
}

async fn of_access_token(auth: &Auth, call: &Call, token: &str) -> Result<Option<Named>, Refusal> {
    let identity = auth.recognise(token, call.now).await?;
    Ok(identity.map(|identity| Named {
        client: identity.claims().client_id.to_string(),
        user: identity.id(),
        session: identity.session(),
    }))
}

pub(crate) const PATH: &str = "/revoke";

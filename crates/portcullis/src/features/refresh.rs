//! Trading a refresh token for an access token and the next refresh token. The rules are in
//! [`rotation`](crate::rotation); here they meet the store.

use http::StatusCode;

use crate::event::action;
use crate::http::{Answer, Call, Headers, Route};
use crate::refresh_token::RefreshToken;
use crate::reply::refresh_cookie_name;
use crate::rotation::{self, Decision};
use crate::sign_in::{Shown, Transport};
use crate::store::{Advance, Ended, Session, User, Which};
use crate::{Auth, Denied, Fault, Refusal};

pub(crate) const ROUTES: &[Route] =
    &[Route::post("/refresh", |auth, call| Box::pin(refresh(auth, call))).open()];

async fn refresh(auth: &Auth, call: &Call) -> Answer {
    let (token, transport) = presented(auth, call)?.ok_or(Denied::Unauthenticated)?;
    let (session, user) = rotate(auth, call, token).await?;
    auth.hand_out(&session, &user, Shown::TokensOnly, transport, StatusCode::OK, call.now).await
}

/// The refresh token that the request brought: from the body, or else from the cookie.
fn presented(auth: &Auth, call: &Call) -> Result<Option<(RefreshToken, Transport)>, Denied> {
    match in_body(auth, call)? {
        Some(token) => Ok(Some((token, Transport::Body))),
        None => Ok(in_cookie(auth, call)?.map(|token| (token, Transport::Cookie))),
    }
}

/// The refresh token in the body, if there is one.
pub(crate) fn in_body(auth: &Auth, call: &Call) -> Result<Option<RefreshToken>, Denied> {
    let fields = call.form_or_empty()?;
    let text = fields.optional("refreshToken", MAX_TOKEN)?;
    text.map(|text| RefreshToken::read(text, auth.keychain())).transpose()
}

/// The refresh token in the cookie, if there is one.
pub(crate) fn in_cookie(auth: &Auth, call: &Call) -> Result<Option<RefreshToken>, Denied> {
    let headers: &dyn Headers = &call.headers;
    let text = headers.cookie(refresh_cookie_name(auth.config()))?;
    text.map(|text| RefreshToken::read(&text, auth.keychain())).transpose()
}

/// The session after the token has been used, its generation that of the one live token; and its user as of now.
async fn rotate(auth: &Auth, call: &Call, token: RefreshToken) -> Result<(Session, User), Refusal> {
    let sessions = &auth.stores().sessions;
    // Whoever loses the race for the one statement reads again and decides again; the second decision is
    // nearly always the last.
    for _ in 0..ATTEMPTS {
        let mut session = sessions.find(token.session).await?.ok_or(Denied::SessionRevoked)?;
        let user = auth.stores().users.find(session.user).await?.ok_or(Denied::SessionRevoked)?;
        // A change of the password or a logout everywhere counts even if it was cut short before it came here.
        let superseded = session.epoch < user.epoch && !session.rotation.ended;
        session.rotation.ended |= superseded;
        let grace = auth.config().session.grace;
        match rotation::decide(&session.rotation, token.generation, call.now, grace) {
            Decision::Advance => {
                let step = step(auth, call, &session);
                if sessions.advance(&step).await? {
                    return Ok((advanced(session, step), user));
                }
            }
            Decision::Replay => {
                // A tab or a retry comes from where the rotation came from.
                if session.ip != call.ip() || session.user_agent != call.user_agent() {
                    let event = call.event(action::REFRESH_REPLAYED).because("other_client");
                    auth.record(event.of(user.id).within(session.id)).await?;
                }
                return Ok((session, user));
            }
            Decision::Reuse => return Err(end_family(auth, call, &session).await?.into()),
            Decision::Ended => {
                if superseded {
                    auth.end_sessions(user.id, Which::One(session.id), Ended::Superseded, call.now).await?;
                } else {
                    auth.revoke_ended(&session, call.now).await?;
                }
                return Err(Denied::SessionRevoked.into());
            }
            Decision::Expired => return Err(Denied::SessionExpired.into()),
            Decision::FromTheFuture => {
                let event = call.event(action::REFRESH_FROM_THE_FUTURE);
                auth.record(event.of(session.user).within(session.id)).await?;
                return Err(Denied::InvalidToken.into());
            }
        }
    }
    Err(Fault::new("rotating a refresh token", "the session kept changing").into())
}

fn step(auth: &Auth, call: &Call, session: &Session) -> Advance {
    let limit = call.now.plus(auth.config().session.idle);
    Advance {
        id: session.id,
        from: session.rotation.generation,
        at: call.now,
        idle_expires_at: limit.min(session.rotation.absolute_expires_at),
        ip: call.ip(),
        user_agent: call.user_agent(),
    }
}

fn advanced(mut session: Session, step: Advance) -> Session {
    session.rotation.generation = step.from + 1;
    session.rotation.rotated_at = step.at;
    session.rotation.idle_expires_at = step.idle_expires_at;
    session
}

/// RFC 9700 §4.14.2: one of the two who hold the token is a thief, and nobody can tell which.
async fn end_family(auth: &Auth, call: &Call, session: &Session) -> Result<Denied, Fault> {
    auth.end_sessions(session.user, Which::One(session.id), Ended::Reuse, call.now).await?;
    let event = call.event(action::REFRESH_REUSED).because(Ended::Reuse.name());
    auth.record(event.of(session.user).within(session.id)).await?;
    Ok(Denied::RefreshReused)
}

/// Bytes of a refresh token that are looked at.
const MAX_TOKEN: usize = 512;

const ATTEMPTS: usize = 8;

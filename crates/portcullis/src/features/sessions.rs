//! One's devices: which are signed in, and ending one or all others.

use std::net::IpAddr;

use http::StatusCode;
use serde::Serialize;

use crate::clock::Time;
use crate::event::action;
use crate::http::{Answer, Call, Route};
use crate::id::SessionId;
use crate::identity::Identity;
use crate::reply::Reply;
use crate::store::{Ended, Session, Which};
use crate::{Auth, Denied};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/sessions", |auth, call| Box::pin(list(auth, call))),
    Route::delete("/sessions/{id}", |auth, call| Box::pin(revoke(auth, call))),
    Route::post("/sessions/revoke-others", |auth, call| Box::pin(revoke_others(auth, call))),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Device<'a> {
    id: SessionId,
    created_at: Time,
    last_seen_at: Time,
    expires_at: Time,
    ip: Option<IpAddr>,
    user_agent: Option<&'a str>,
    current: bool,
}

async fn list(auth: &Auth, call: &Call) -> Answer {
    #[derive(Serialize)]
    struct List<'a> {
        sessions: Vec<Device<'a>>,
    }
    let identity = call.identity()?;
    let user = auth.user(identity.id()).await?.ok_or(Denied::InvalidToken)?;
    let sessions = auth.stores().sessions.live(user.id, call.now).await?;
    let sessions = sessions
        .iter()
        .filter(|session| session.epoch >= user.epoch)
        .map(|session| device(auth, call, session, identity))
        .collect();
    Ok(Reply::data(StatusCode::OK, &List { sessions })?)
}

fn device<'a>(auth: &Auth, call: &Call, session: &'a Session, current: &Identity) -> Device<'a> {
    let rotation = &session.rotation;
    let mut device = Device {
        id: session.id,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: rotation.idle_expires_at.min(rotation.absolute_expires_at),
        ip: session.ip,
        user_agent: session.user_agent.as_deref(),
        current: session.id == current.session(),
    };
    if device.current {
        // Told by what the caller holds, not by the row: a thief in the session would read off it when the owner has
        // refreshed, and could then keep within the grace.
        let refreshed_at = current.issued_at();
        device.last_seen_at = call.now;
        device.expires_at = refreshed_at.plus(auth.config().session.idle).min(rotation.absolute_expires_at);
    }
    device
}

/// Ending this device's own session is signing out.
async fn revoke(auth: &Auth, call: &Call) -> Answer {
    let identity = call.identity()?;
    let id: SessionId = call.segment.parse().map_err(|_| Denied::SessionNotFound)?;
    if auth.end_sessions(identity.id(), Which::One(id), Ended::Revoked, call.now).await? == 0 {
        return Err(Denied::SessionNotFound.into());
    }
    auth.record(call.event(action::SESSIONS_REVOKED).within(id)).await?;
    let reply = Reply::done()?;
    if id == identity.session() { Ok(reply.signed_out(auth.config())?) } else { Ok(reply) }
}

async fn revoke_others(auth: &Auth, call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Count {
        revoked: u64,
    }
    let identity = call.identity()?;
    let others = Which::Others(identity.session());
    let revoked = auth.end_sessions(identity.id(), others, Ended::Revoked, call.now).await?;
    auth.record(call.event(action::SESSIONS_REVOKED).because("others")).await?;
    Ok(Reply::data(StatusCode::OK, &Count { revoked })?)
}

//! How a session starts and ends, and what its owner is handed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use portcullis_token::{AccessClaims, Audience, SignError};
use serde::Serialize;

use crate::clock::{self, Time};
use crate::config::CLOCK_MARGIN;
use crate::cookies::access_cookie_name;
use crate::event::action;
use crate::features::refresh;
use crate::http::{Answer, Call, Fields};
use crate::id::{SessionId, UserId};
use crate::proof::Proof;
use crate::refresh_token::RefreshToken;
use crate::reply::Reply;
use crate::rotation::State;
use crate::secret::Secret;
use crate::store::{Ended, Session, User, Which};
use crate::{Auth, Config, Denied, Fault, Refusal, permission};

use http::StatusCode;

/// How the refresh token travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In its cookie: for browsers.
    Cookie,
    /// In the body: for programs that keep it themselves.
    Body,
}

impl Transport {
    /// What the caller chose.
    pub(crate) fn chosen(fields: &Fields) -> Result<Self, Denied> {
        match fields.optional("transport", 16)? {
            None | Some("cookie") => Ok(Transport::Cookie),
            Some("body") => Ok(Transport::Body),
            Some(_) => Err(Denied::InvalidField("transport", "must be cookie or body")),
        }
    }
}

/// An account as its owner sees it.
#[derive(Serialize)]
pub(crate) struct Account<'a> {
    id: UserId,
    email: &'a str,
    roles: &'a [String],
}

impl<'a> From<&'a User> for Account<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: user.id, email: user.email.as_str(), roles: &user.roles }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HandedOut<'a> {
    access_token: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Account<'a>>,
}

impl Auth {
    /// The one way a session starts: always a new one, whatever the request brought.
    pub(crate) async fn sign_in(
        &self,
        proof: Proof,
        transport: Transport,
        status: StatusCode,
        call: &Call,
    ) -> Answer {
        let Proof { user, amr } = proof;
        let session = self.new_session(&user, amr, call)?;
        // The password may have been changed since it was checked; then nothing starts.
        if !self.stores().sessions.start(&session).await? {
            return Err(Denied::InvalidCredentials.into());
        }
        if transport == Transport::Cookie {
            self.end_replaced(call).await?;
        }
        self.record(call.event(action::SIGNED_IN).of(user.id).within(session.id)).await?;
        self.hand_out(&session, &user, Shown::Account, transport, status, call.now).await
    }

    fn new_session(&self, user: &User, amr: &str, call: &Call) -> Result<Session, Fault> {
        let limits = &self.config().session;
        Ok(Session {
            id: SessionId::new(call.now, &*self.config().entropy)?,
            user: user.id,
            epoch: user.epoch,
            rotation: State {
                generation: 1,
                rotated_at: call.now,
                idle_expires_at: call.now.plus(limits.idle),
                absolute_expires_at: call.now.plus(limits.absolute),
                ended: false,
            },
            created_at: call.now,
            auth_time: call.now,
            amr: amr.to_owned(),
            last_seen_at: call.now,
            ip: call.ip(),
            user_agent: call.user_agent(),
        })
    }

    /// Ends the session whose cookie the new one overwrites: nobody could end it afterwards, and if it was
    /// planted, it was not the user's.
    async fn end_replaced(&self, call: &Call) -> Result<(), Refusal> {
        let Ok(Some(old)) = refresh::in_cookie(self, call) else { return Ok(()) };
        if let Some(old) = self.stores().sessions.find(old.session).await? {
            self.end_sessions(old.user, Which::One(old.id), Ended::Replaced, call.now).await?;
        }
        Ok(())
    }

    /// Ends sessions with effect at once: no refresh any more, and their access tokens are refused here now and on
    /// every other node within `max_staleness`. Answers how many were not ended before.
    pub(crate) async fn end_sessions(
        &self,
        user: UserId,
        which: Which,
        why: Ended,
        now: Time,
    ) -> Result<u64, Fault> {
        let sessions = &self.stores().sessions;
        let ended = sessions.end(user, which, now, why).await?;
        // Also what was ended before: should a crash or a failure have come between ending and revoking, the next
        // attempt makes up for it.
        let over = match which {
            Which::One(id) if ended > 0 => vec![id],
            Which::One(id) => {
                if let Some(session) = sessions.find(id).await?.filter(|session| session.user == user) {
                    self.revoke_ended(&session, now).await?;
                }
                return Ok(ended);
            }
            Which::Others(_) | Which::All => {
                sessions.ended_since(user, now.minus(self.tokens_live())).await?
            }
        };
        self.revoked().revoke(&over, now.plus(self.tokens_live())).await?;
        Ok(ended)
    }

    /// Refuses the access tokens of a session that was found ended, if any of them can still be alive.
    pub(crate) async fn revoke_ended(&self, session: &Session, now: Time) -> Result<(), Fault> {
        let last_token = session.rotation.rotated_at.plus(self.config().session.grace);
        if now < last_token.plus(self.tokens_live()) {
            self.revoked().revoke(&[session.id], now.plus(self.tokens_live())).await?;
        }
        Ok(())
    }

    /// How long after its end a session's access tokens must be refused.
    fn tokens_live(&self) -> Duration {
        self.config().access.ttl + CLOCK_MARGIN
    }

    /// Answers with an access token and the session's live refresh token.
    pub(crate) async fn hand_out(
        &self,
        session: &Session,
        user: &User,
        shown: Shown,
        transport: Transport,
        status: StatusCode,
        now: Time,
    ) -> Answer {
        // Nothing outlives the session.
        let lives = self.config().access.ttl.min(session.rotation.absolute_expires_at.since(now));
        let expires_in = lives.as_secs();
        let access_token = self.access_token(session, user, now, expires_in).await?;
        let refresh_token = RefreshToken { session: session.id, generation: session.rotation.generation }
            .mint(self.keychain());
        let reply = Reply::data(
            status,
            &HandedOut {
                access_token: access_token.expose(),
                expires_in,
                refresh_token: (transport == Transport::Body).then(|| refresh_token.expose()),
                user: (shown == Shown::Account).then(|| Account::from(user)),
            },
        )?;
        if transport == Transport::Body {
            return Ok(reply);
        }
        let rotation = &session.rotation;
        let lives = rotation.idle_expires_at.min(rotation.absolute_expires_at).since(now).as_secs();
        let reply = reply.refresh_cookie(self.config(), &refresh_token, lives)?;
        match self.config().cookies.access_cookie {
            true => Ok(reply.access_cookie(self.config(), access_token.expose(), expires_in)?),
            false => Ok(reply),
        }
    }

    async fn access_token(
        &self,
        session: &Session,
        user: &User,
        now: Time,
        lives: u64,
    ) -> Result<Secret, Fault> {
        // A node that slept must not sign with a key that was revoked meanwhile.
        let at = self.now();
        if !self.revoked().is_fresh(at) {
            self.freshen(at).await?;
        }
        let claims = AccessClaims {
            auth_time: session.auth_time.seconds(),
            amr: session.amr.split(' ').map(str::to_owned).collect(),
            ..self.claims(user, session.id, now, lives)?
        };
        let token = self.sign(&claims).map_err(|error| {
            if matches!(error, SignError::TooLong(_)) {
                permission::advise(user.id, &error);
            }
            Fault::new("signing an access token", error)
        })?;
        Ok(Secret::from(token))
    }

    /// Signs what is not too long to be sent: in a cookie it shares its 4096 bytes with the name (RFC 6265bis §5.7).
    pub(crate) fn sign(&self, claims: &AccessClaims) -> Result<String, SignError> {
        let token = self.keys().in_use().ring.sign(claims)?;
        let name =
            if self.config().cookies.access_cookie { access_cookie_name(self.config()).len() } else { 0 };
        match token.len() + name {
            length if length > MAX_COOKIE => Err(SignError::TooLong(length)),
            _ => Ok(token),
        }
    }

    /// What a token says of a user who proves who they are now, and does not yet say how.
    pub(crate) fn claims(
        &self,
        user: &User,
        session: SessionId,
        now: Time,
        lives: u64,
    ) -> Result<AccessClaims, Fault> {
        let config = self.config();
        let jti = clock::random::<16>(&*config.entropy)?;
        let (permissions, packed) = self.grants().of(&user.roles);
        Ok(AccessClaims {
            iss: config.issuer.as_str().into(),
            sub: user.id.to_string().into(),
            aud: audience(config),
            exp: now.seconds() + lives,
            iat: now.seconds(),
            jti: BASE64URL.encode(jti).into(),
            client_id: config.client_id.as_str().into(),
            sid: session.to_string().into(),
            auth_time: now.seconds(),
            amr: Vec::new(),
            roles: user.roles.clone(),
            permissions,
            packed,
        })
    }
}

/// Our own name first, then those of the services that verify our tokens.
fn audience(config: &Config) -> Audience {
    std::iter::once(&config.audience).chain(&config.further_audiences).map(String::as_str).collect()
}

/// Bytes of a cookie's name and value that browsers keep.
const MAX_COOKIE: usize = 4096;

/// Whether the account stands in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// After signing in.
    Account,
    /// After a refresh.
    TokensOnly,
}

//! Whether a token is good, for services that do not verify tokens themselves or want to know of a logout at once
//! (RFC 7662).

use portcullis_token::AccessClaims;
use serde::Serialize;

use crate::client::Client;
use crate::http::{Answer, Call, MAX_BODY, Route};
use crate::id::{SessionId, UserId};
use crate::refresh_token::RefreshToken;
use crate::reply::Reply;
use crate::rotation::{self, Decision};
use crate::store::Session;
use crate::{Auth, Fault, Refusal};

pub(crate) const ROUTES: &[Route] =
    &[Route::post(PATH, |auth, call| Box::pin(introspect(auth, call))).client()];

/// What is said of a token; of one that is not good nothing but that (RFC 7662 §2.2).
#[derive(Serialize)]
#[serde(untagged)]
enum Told {
    Access {
        active: bool,
        token_type: &'static str,
        #[serde(flatten)]
        claims: Box<AccessClaims>,
    },
    Refresh {
        active: bool,
        iss: String,
        sub: UserId,
        client_id: String,
        exp: u64,
        iat: u64,
        sid: SessionId,
    },
    Nothing {
        active: bool,
    },
}

const INACTIVE: Told = Told::Nothing { active: false };

async fn introspect(auth: &Auth, call: &Call) -> Answer {
    let parameters = call.parameters()?;
    let token = parameters.text("token", MAX_BODY)?;
    let client = call.client()?;
    // The form of a token says which kind it is; the hint is not needed (RFC 7662 §2.1).
    let told = match RefreshToken::read(token, auth.keychain()) {
        Ok(token) => refresh_token(auth, call, client, token).await?,
        Err(_) => access_token(auth, call, client, token).await?,
    };
    Ok(Reply::document(&told)?)
}

/// Good here is what is good for [`Auth::authenticate`]; and the session is looked up, which that does not.
async fn access_token(auth: &Auth, call: &Call, client: &Client, token: &str) -> Result<Told, Refusal> {
    let Some(identity) = auth.recognise(token, call.now).await? else { return Ok(INACTIVE) };
    let mut claims = identity.claims().clone();
    if !client.may_ask_after(&claims.aud) {
        return Ok(INACTIVE);
    }
    match live(auth, identity.session()).await? {
        Some(session) if session.user == identity.id() => {
            // By name: whoever asks here has no registry.
            claims.permissions = identity.permissions().map(str::to_owned).collect();
            claims.packed = None;
            Ok(Told::Access { active: true, token_type: "Bearer", claims: Box::new(claims) })
        }
        _ => Ok(INACTIVE),
    }
}

/// Told only to the client that holds it: a service to which somebody shows a refresh token must not take it for an
/// access token because it is alive.
async fn refresh_token(
    auth: &Auth,
    call: &Call,
    client: &Client,
    token: RefreshToken,
) -> Result<Told, Refusal> {
    let config = auth.config();
    let session = match live(auth, token.session).await? {
        Some(session) if client.id() == config.client_id => session,
        _ => return Ok(INACTIVE),
    };
    let rotation = &session.rotation;
    match rotation::decide(rotation, token.generation, call.now, config.session.grace) {
        Decision::Advance | Decision::Replay => Ok(Told::Refresh {
            active: true,
            iss: config.issuer.clone(),
            sub: session.user,
            client_id: config.client_id.clone(),
            exp: rotation.idle_expires_at.min(rotation.absolute_expires_at).seconds(),
            iat: rotation.rotated_at.seconds(),
            sid: session.id,
        }),
        // Nobody used it, so nothing follows from its being old.
        _ => Ok(INACTIVE),
    }
}

/// The session, if it was not ended and its user has not left its epoch.
async fn live(auth: &Auth, id: SessionId) -> Result<Option<Session>, Fault> {
    let Some(session) = auth.stores().sessions.find(id).await? else { return Ok(None) };
    let user = auth.user(session.user).await?;
    let current = user.is_some_and(|user| session.epoch >= user.epoch);
    Ok((current && !session.rotation.ended).then_some(session))
}

pub(crate) const PATH: &str = "/introspect";

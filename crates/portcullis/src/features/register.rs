//! Making an account, and signing in to it.

use http::StatusCode;

use crate::email::Email;
use crate::event::action;
use crate::http::{Answer, Call, Route};
use crate::id::UserId;
use crate::proof::Proof;
use crate::sign_in::Transport;
use crate::store::{NewUser, User};
use crate::{Auth, Denied, Refusal};

pub(crate) const ROUTES: &[Route] =
    &[Route::post("/register", |auth, call| Box::pin(register(auth, call))).open()];

async fn register(auth: &Auth, call: &Call) -> Answer {
    let fields = call.form()?;
    let email = Email::parse(fields.text("email", MAX_EMAIL)?)?;
    let password = auth.new_password(&fields, "password", &email)?;
    let transport = Transport::chosen(&fields)?;
    // Hashed before anybody looks whether the address is taken: both answers take as long.
    let hash = auth.hashing().hash(&password, &*auth.config().entropy).await?;
    let created = create(auth, call, email, &hash).await?;
    auth.record(call.event(action::REGISTERED).of(created.0.id)).await?;
    auth.sign_in(Proof::registration(created), transport, StatusCode::CREATED, call).await
}

async fn create(auth: &Auth, call: &Call, email: Email, hash: &str) -> Result<Created, Refusal> {
    let user = User {
        id: UserId::new(call.now, &*auth.config().entropy)?,
        email,
        roles: Vec::new(),
        epoch: 0,
        created_at: call.now,
    };
    if auth.stores().users.create(NewUser { user: &user, password: hash }).await? {
        Ok(Created(user))
    } else {
        Err(Denied::EmailTaken.into())
    }
}

/// Evidence that an account was made just now, by whoever asks.
pub(crate) struct Created(User);

impl Created {
    pub(crate) fn into_user(self) -> User {
        self.0
    }
}

/// RFC 5321 §4.5.3.1.3 allows a path of 256 bytes; the rest is for blanks around it.
pub(crate) const MAX_EMAIL: usize = 320;

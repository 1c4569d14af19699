//! Who am I.

use http::StatusCode;
use serde::Serialize;

use crate::http::{Answer, Call, Route};
use crate::reply::Reply;
use crate::sign_in::Account;
use crate::{Auth, Denied};

pub(crate) const ROUTES: &[Route] = &[Route::get("/me", |auth, call| Box::pin(me(auth, call)))];

async fn me(auth: &Auth, call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Me<'a> {
        user: Account<'a>,
    }
    let user = auth.stores().users.find(call.identity()?.id()).await?.ok_or(Denied::InvalidToken)?;
    Ok(Reply::data(StatusCode::OK, &Me { user: Account::from(&user) })?)
}

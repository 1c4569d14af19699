//! Notes on axum: a public page, `/me`, and everybody's own notes.

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use example_notes::{NewNote, Note, Notes, home};
use portcullis::{Auth, Denied};
use portcullis_axum::{CurrentUser, Refused, auth_router, require_user, well_known};

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    auth: Auth,
    notes: Notes,
}

impl FromRef<Shared> for Auth {
    fn from_ref(shared: &Shared) -> Self {
        shared.auth.clone()
    }
}

impl FromRef<Shared> for Notes {
    fn from_ref(shared: &Shared) -> Self {
        shared.notes.clone()
    }
}

/// The application.
pub fn app(auth: Auth, notes: Notes) -> Router {
    let notes_router = Router::new().route("/notes", get(list).post(add)).route_layer(require_user(&auth));
    Router::new()
        .route("/", get(start))
        .route("/me", get(me))
        .merge(notes_router)
        .nest("/auth", auth_router(&auth))
        .merge(well_known(&auth))
        .fallback(nothing)
        .with_state(Shared { auth, notes })
}

async fn start(user: Option<CurrentUser>) -> Html<String> {
    Html(home(user.map(|user| user.id())))
}

async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

async fn list(user: CurrentUser, State(notes): State<Notes>) -> Result<Json<Vec<Note>>, Refused> {
    Ok(Json(notes.of(user.id()).await?))
}

async fn add(
    user: CurrentUser,
    State(notes): State<Notes>,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), Refused> {
    Ok((StatusCode::CREATED, Json(notes.add(user.id(), note).await?)))
}

async fn nothing() -> Refused {
    Denied::NotFound.into()
}

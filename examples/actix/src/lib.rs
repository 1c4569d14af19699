//! Notes on actix-web: a public page, `/me`, and everybody's own notes.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Html, Json};
use actix_web::{App, CustomizeResponder, Error, Responder, get};
use example_notes::{NewNote, Note, Notes, home};
use portcullis::{Auth, Denied};
use portcullis_actix::{CurrentUser, Refused, require_user};

/// The application.
pub fn app(
    auth: &Auth,
    notes: &Notes,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let notes_resource = web::resource("/notes")
        .wrap(require_user(auth))
        .route(web::get().to(list))
        .route(web::post().to(add));
    portcullis_actix::app(auth, "/auth")
        .app_data(Data::new(notes.clone()))
        .service(start)
        .service(me)
        .service(notes_resource)
        .default_service(web::to(nothing))
}

#[get("/")]
async fn start(user: Option<CurrentUser>) -> Html {
    Html::new(home(user.map(|user| user.id())))
}

#[get("/me")]
async fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

async fn list(user: CurrentUser, notes: Data<Notes>) -> Result<Json<Vec<Note>>, Refused> {
    Ok(Json(notes.of(user.id()).await?))
}

async fn add(
    user: CurrentUser,
    notes: Data<Notes>,
    Json(note): Json<NewNote>,
) -> Result<CustomizeResponder<Json<Note>>, Refused> {
    let note = notes.add(user.id(), note).await?;
    Ok(Json(note).customize().with_status(StatusCode::CREATED))
}

async fn nothing() -> Result<String, Refused> {
    Err(Denied::NotFound.into())
}

//! Notes on Rocket: a public page, `/me`, and everybody's own notes.

use example_notes::{NewNote, Note, Notes, home};
use portcullis::{Auth, Denied};
use portcullis_rocket::{CurrentUser, Portcullis, Refused};
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::response::content::RawHtml;
use rocket::response::status::Custom;
use rocket::serde::json::Json;
use rocket::shield::Shield;
use rocket::{Build, Rocket, State, catch, catchers, get, post, routes};

/// The application.
pub fn app(settings: Figment, auth: &Auth, notes: Notes) -> Rocket<Build> {
    rocket::custom(settings)
        // Portcullis sends headers of its own; these would be Rocket's for every page.
        .attach(Shield::new())
        .attach(Portcullis::new(auth, "/auth"))
        .manage(notes)
        .mount("/", routes![start, me, list, add])
        .register("/", catchers![nothing])
}

#[get("/")]
fn start(user: Option<CurrentUser>) -> RawHtml<String> {
    RawHtml(home(user.map(|user| user.id())))
}

#[get("/me")]
fn me(user: CurrentUser) -> String {
    format!("hello {}", user.id())
}

#[get("/notes")]
async fn list(user: CurrentUser, notes: &State<Notes>) -> Result<Json<Vec<Note>>, Refused> {
    Ok(Json(notes.of(user.id()).await?))
}

#[post("/notes", data = "<note>")]
async fn add(
    user: CurrentUser,
    notes: &State<Notes>,
    note: Json<NewNote>,
) -> Result<Custom<Json<Note>>, Refused> {
    Ok(Custom(Status::Created, Json(notes.add(user.id(), note.into_inner()).await?)))
}

#[catch(404)]
fn nothing() -> Refused {
    Denied::NotFound.into()
}

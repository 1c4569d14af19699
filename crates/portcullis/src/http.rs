//! Requests: the one way in, the table of all routes, and what a handler sees.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;

use bytes::Bytes;
use cookie::Cookie;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{Stream, StreamExt};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::client::Client;
use crate::clock::Time;
use crate::event::Event;
use crate::features::metadata;
use crate::identity::Identity;
use crate::reply::Reply;
use crate::{Auth, Denied, Refusal, features, guard};

/// The largest body that is read, in bytes; a larger one is answered 413.
pub const MAX_BODY: usize = 64 * 1024;

/// How much of a body that is too large is read and thrown away before the answer, in bytes, so that the client
/// sees the answer and not a broken connection.
pub const MAX_DISCARD: usize = 1024 * 1024;

/// Reads a body as far as it takes to answer it: at most a byte more than [`MAX_BODY`]. What is longer is read on
/// and thrown away, up to [`MAX_DISCARD`].
///
/// # Errors
/// [`Denied::InvalidRequest`] if it breaks off.
pub async fn read<P, E>(pieces: impl Stream<Item = Result<P, E>>) -> Result<Bytes, Denied>
where
    P: AsRef<[u8]>,
{
    let mut pieces = pin!(pieces);
    let (mut body, mut discarded) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Denied::InvalidRequest("the body ended early"))?;
        let piece = piece.as_ref();
        let (keep, discard) = piece.split_at(piece.len().min(MAX_BODY + 1 - body.len()));
        body.extend_from_slice(keep);
        discarded += discard.len();
        if discarded > MAX_DISCARD {
            break;
        }
    }
    Ok(body.into())
}

/// A mount path as adapters use it: with a slash before it and none behind; the root is empty.
pub fn mount_path(given: &str) -> String {
    let path = given.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// The request to give to [`Auth::handle`], from the words of a framework with types of its own.
///
/// # Errors
/// [`Denied::NotFound`] for a method or path that is none.
pub fn request<'h>(
    method: &str,
    path: &str,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    body: Bytes,
) -> Result<Request<Bytes>, Denied> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| Denied::NotFound)?;
    *request.uri_mut() = path.parse().map_err(|_| Denied::NotFound)?;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// The fields of a request's head, whatever the framework's type for them.
pub trait Headers {
    /// Shows every value of the field `name` (lower case) that is UTF-8, in order.
    fn each(&self, name: &str, see: &mut dyn FnMut(&str));
}

impl Headers for HeaderMap {
    fn each(&self, name: &str, see: &mut dyn FnMut(&str)) {
        self.get_all(name)
            .iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            .for_each(see);
    }
}

impl dyn Headers + '_ {
    pub(crate) fn first(&self, name: &str) -> Option<String> {
        let mut first = None;
        self.each(name, &mut |value| first = first.take().or_else(|| Some(value.to_owned())));
        first
    }

    /// The one value of that cookie; an empty one counts as none.
    pub(crate) fn cookie(&self, name: &str) -> Result<Option<String>, Denied> {
        let mut found: Option<String> = None;
        let mut ambiguous = false;
        self.each("cookie", &mut |header| {
            for cookie in Cookie::split_parse(header).flatten().filter(|cookie| cookie.name() == name) {
                match &found {
                    Some(one) if one != cookie.value() => ambiguous = true,
                    Some(_) => {}
                    None => found = Some(cookie.value().to_owned()),
                }
            }
        });
        // A page on a neighbouring host may have planted the second one.
        if ambiguous {
            return Err(Denied::InvalidRequest(
                "two cookies of one name were sent; clear the site's cookies",
            ));
        }
        Ok(found.filter(|value| !value.is_empty()))
    }
}

impl Auth {
    /// Answers one request. The path is relative to where the routes are mounted; the body holds at most a
    /// byte more than [`MAX_BODY`].
    ///
    /// Everything about HTTP that is not our concern stays outside; everything that is, is decided here, so
    /// that it is the same in every framework.
    pub fn handle(&self, request: Request<Bytes>, peer: Option<IpAddr>) -> BoxFuture<'_, Response<Bytes>> {
        async move { self.answer(request, peer).await.unwrap_or_else(Reply::from).into_response() }.boxed()
    }

    async fn answer(&self, request: Request<Bytes>, peer: Option<IpAddr>) -> Answer {
        let (head, body) = request.into_parts();
        let path = match self.metadata_path() {
            Some(path) if path == head.uri.path() => metadata::PATH,
            _ => head.uri.path(),
        };
        let here: Vec<_> =
            features::routes().filter_map(|route| Some((route, route.matches(path)?))).collect();
        let wanted = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let Some((route, segment)) = here.iter().find(|(route, _)| route.method == wanted) else {
            return not_answered(&head.method, &here);
        };
        let (route, segment) = (*route, (*segment).to_owned());
        let safe = guard::is_safe(head.method.as_str());
        let reply =
            self.pass(route, segment, head, body, peer).await.unwrap_or_else(|refusal| match route.body {
                Body::Json => Reply::from(refusal),
                Body::Form => Reply::oauth(refusal),
            });
        // What decided about a state-changing request (OWASP: Fetch metadata).
        Ok(if safe { reply } else { reply.header(header::VARY, "sec-fetch-site, origin") })
    }

    /// Past the guards of a route to its handler.
    async fn pass(
        &self,
        route: &Route,
        segment: String,
        head: Parts,
        body: Bytes,
        peer: Option<IpAddr>,
    ) -> Answer {
        if body.len() > MAX_BODY {
            return Err(Denied::BodyTooLarge.into());
        }
        guard::own_origin(self.config(), head.method.as_str(), &head.headers)?;
        let kind = route.body.media_type();
        if !guard::is_safe(head.method.as_str()) && !body.is_empty() && !is(kind, &head.headers) {
            return Err(Denied::UnsupportedMediaType(kind).into());
        }
        let (identity, client) = match route.demand {
            Demand::Session => (Some(self.require(head.method.as_str(), &head.headers).await?), None),
            Demand::Client => (None, Some(self.client(&head.headers, &Fields::of_form(&body)?)?)),
            Demand::Nothing => (None, None),
        };
        let call = Call { now: self.now(), headers: head.headers, body, segment, peer, identity, client };
        (route.handler)(self, &call).await
    }
}

/// What a handler answers.
pub(crate) type Answer = Result<Reply, Refusal>;

type Handler = for<'a> fn(&'a Auth, &'a Call) -> BoxFuture<'a, Answer>;

/// A route: closed until it says otherwise. As it starts it demands a session, and of a state-changing request
/// that it comes from our own pages.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    demand: Demand,
    body: Body,
    handler: Handler,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    Session,
    Client,
    Nothing,
}

/// In which form a route takes its body, and with it the words in which it refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Json,
    /// As OAuth has it (RFC 6749 appendix B, §5.2).
    Form,
}

impl Body {
    const fn media_type(self) -> &'static str {
        match self {
            Body::Json => "application/json",
            Body::Form => "application/x-www-form-urlencoded",
        }
    }
}

impl Route {
    pub(crate) const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new(Method::GET, path, handler)
    }

    pub(crate) const fn post(path: &'static str, handler: Handler) -> Self {
        Self::new(Method::POST, path, handler)
    }

    pub(crate) const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new(Method::DELETE, path, handler)
    }

    const fn new(method: Method, path: &'static str, handler: Handler) -> Self {
        Self { method, path, demand: Demand::Session, body: Body::Json, handler }
    }

    /// For programs that are registered as clients, in OAuth's form: a form in, OAuth's errors out.
    pub(crate) const fn client(mut self) -> Self {
        self.demand = Demand::Client;
        self.body = Body::Form;
        self
    }

    /// For those who have not signed in.
    pub(crate) const fn open(mut self) -> Self {
        self.demand = Demand::Nothing;
        self
    }

    /// What stands for `{id}` in the path (nothing, if there is no `{id}`), if the path is this one.
    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.split_once("{id}") {
            None => (path == self.path).then_some(""),
            Some((before, after)) => path
                .strip_prefix(before)?
                .strip_suffix(after)
                .filter(|segment| !segment.is_empty() && !segment.contains('/')),
        }
    }
}

fn not_answered(method: &Method, here: &[(&Route, &str)]) -> Answer {
    if here.is_empty() {
        return Err(Denied::NotFound.into());
    }
    let mut allowed: Vec<_> = here.iter().map(|(route, _)| route.method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    // OPTIONS is never authenticated: a browser asks without credentials.
    let reply = match *method {
        Method::OPTIONS => Reply::empty(StatusCode::NO_CONTENT),
        _ => Denied::MethodNotAllowed.into(),
    };
    Ok(reply.header_text(header::ALLOW, &allowed.join(", "))?)
}

/// Whether the body is of that type, and in UTF-8.
fn is(media_type: &str, headers: &HeaderMap) -> bool {
    let kind = <dyn Headers>::first(headers, "content-type").unwrap_or_default();
    let (essence, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    // RFC 8259 §8.1: JSON is UTF-8.
    let charset = parameters.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    essence.trim().eq_ignore_ascii_case(media_type)
        && charset.is_none_or(|(_, charset)| charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

/// Whether two hexadecimal digits stand behind every `%`; parsers differ about one where they do not.
fn is_percent_encoded(text: &[u8]) -> bool {
    let digits = |rest: &[u8]| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit);
    text.split(|byte| *byte == b'%').skip(1).all(digits)
}

/// A request as its handler sees it.
pub(crate) struct Call {
    /// One moment for the whole request.
    pub(crate) now: Time,
    pub(crate) headers: HeaderMap,
    /// What stood for `{id}`.
    pub(crate) segment: String,
    body: Bytes,
    peer: Option<IpAddr>,
    identity: Option<Identity>,
    client: Option<Client>,
}

impl Call {
    /// Who calls. Every route has one that is neither `.open()` nor for a `.client()`.
    pub(crate) fn identity(&self) -> Result<&Identity, Denied> {
        self.identity.as_ref().ok_or(Denied::Unauthenticated)
    }

    /// Which client calls. Every route for a `.client()` has one.
    pub(crate) fn client(&self) -> Result<&Client, Denied> {
        self.client.as_ref().ok_or(Denied::InvalidClient)
    }

    /// From where.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.to_canonical())
    }

    /// By which program, as it says of itself; at most 256 characters.
    pub(crate) fn user_agent(&self) -> Option<String> {
        let said = <dyn Headers>::first(&self.headers, "user-agent")?;
        Some(said.chars().filter(|char| !char.is_control()).take(256).collect())
    }

    /// An event of this request.
    pub(crate) fn event(&self, action: &'static str) -> Event {
        let (ip, user_agent) = (self.ip(), self.user_agent());
        let event = Event { ip, user_agent, ..Event::new(self.now, action) };
        match &self.identity {
            Some(identity) => event.of(identity.id()).within(identity.session()),
            None => event,
        }
    }

    /// The fields of the body, which must be there.
    pub(crate) fn form(&self) -> Result<Fields, Denied> {
        serde_json::from_slice(&self.body).map_err(|_| Denied::MalformedJson)
    }

    /// The parameters of a body in OAuth's form.
    pub(crate) fn parameters(&self) -> Result<Fields, Denied> {
        Fields::of_form(&self.body)
    }

    /// The fields of the body; an empty body has none.
    pub(crate) fn form_or_empty(&self) -> Result<Fields, Denied> {
        if self.body.is_empty() { Ok(Fields(BTreeMap::new())) } else { self.form() }
    }
}

/// The members of a JSON object or the parameters of a form, each once.
pub(crate) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The parameters of an `application/x-www-form-urlencoded` body; one without a value counts as left out
    /// (RFC 6749 §3.1).
    pub(crate) fn of_form(body: &[u8]) -> Result<Self, Denied> {
        let malformed = Denied::InvalidRequest("the body must be a form in UTF-8, each parameter once");
        if !is_percent_encoded(body) {
            return Err(malformed);
        }
        let mut fields = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(body) {
            // What stands for bytes that were not UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') || !seen.insert(name.clone()) {
                return Err(malformed);
            }
            if !value.is_empty() {
                fields.insert(name.into_owned(), Value::String(value.into_owned()));
            }
        }
        Ok(Self(fields))
    }

    /// A text of at most `max` bytes.
    pub(crate) fn text(&self, name: &'static str, max: usize) -> Result<&str, Denied> {
        self.optional(name, max)?.ok_or(Denied::InvalidField(name, "is missing"))
    }

    /// The same, or nothing if it is left out or `null`.
    pub(crate) fn optional(&self, name: &'static str, max: usize) -> Result<Option<&str>, Denied> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > max => Err(Denied::InvalidField(name, "is too long")),
            Some(Value::String(text)) if text.contains('\0') => {
                Err(Denied::InvalidField(name, "holds a NUL character"))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Denied::InvalidField(name, "must be a text")),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    match fields.entry(name) {
                        Entry::Vacant(free) => free.insert(value),
                        Entry::Occupied(_) => return Err(A::Error::custom("a member stands twice")),
                    };
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

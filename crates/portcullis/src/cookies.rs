//! Cookies: how they are set, taken back and read.

use cookie::Cookie;
use http::header::{self, HeaderName};

use crate::config::{Config, Mode, SameSite, without_prefix};
use crate::headers::Headers;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::{Denied, Fault};

impl Reply {
    /// Sets the refresh token's cookie.
    pub(crate) fn refresh_cookie(self, config: &Config, token: &Secret, seconds: u64) -> Result<Self, Fault> {
        self.cookie(config, refresh_cookie_name(config), token.expose(), seconds)
    }

    /// Sets the access token's cookie.
    pub(crate) fn access_cookie(self, config: &Config, token: &str, seconds: u64) -> Result<Self, Fault> {
        self.cookie(config, access_cookie_name(config), token, seconds)
    }

    /// Takes back every cookie and what else the browser keeps of us.
    pub(crate) fn signed_out(self, config: &Config) -> Result<Self, Fault> {
        self.cookie(config, refresh_cookie_name(config), "", 0)?
            .cookie(config, access_cookie_name(config), "", 0)?
            .header_text(CLEAR_SITE_DATA, r#""cookies", "storage""#)
    }

    fn cookie(self, config: &Config, name: &str, value: &str, seconds: u64) -> Result<Self, Fault> {
        let settings = &config.cookies;
        let mut cookie = Cookie::build((name.to_owned(), value.to_owned()))
            .http_only(true)
            .secure(config.mode == Mode::Production)
            .same_site(match settings.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
            })
            .path(settings.path.clone())
            .max_age(cookie::time::Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)));
        if let Some(domain) = &settings.domain {
            cookie = cookie.domain(domain.clone());
        }
        self.header_text(header::SET_COOKIE, &cookie.build().to_string())
    }
}

impl dyn Headers + '_ {
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

/// The name of the refresh token's cookie in this mode.
pub(crate) fn refresh_cookie_name(config: &Config) -> &str {
    cookie_name(config, &config.cookies.refresh_name)
}

/// The name of the access token's cookie in this mode.
pub(crate) fn access_cookie_name(config: &Config) -> &str {
    cookie_name(config, &config.cookies.access_name)
}

fn cookie_name<'a>(config: &Config, name: &'a str) -> &'a str {
    match config.mode {
        Mode::Production => name,
        Mode::Development => without_prefix(name),
    }
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

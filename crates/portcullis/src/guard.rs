//! What stands between a request and a handler. A route starts closed; see [`Route`](crate::http::Route).

use http::Uri;

use crate::Denied;
use crate::config::{Config, Mode};
use crate::headers::Headers;

/// Refuses a state-changing request that a browser sent for another site (OWASP: cross-site request forgery).
///
/// Browsers say where a request comes from: `Sec-Fetch-Site`, and where that is missing, `Origin`. A program
/// that is not a browser sends neither, and nobody's cookies with it.
pub(crate) fn own_origin(config: &Config, method: &str, headers: &dyn Headers) -> Result<(), Denied> {
    if is_safe(method) {
        return Ok(());
    }
    let origin = headers.first("origin");
    if origin.is_some_and(|origin| config.allowed_origins.iter().any(|allowed| allowed == origin)) {
        return Ok(());
    }
    match (headers.first("sec-fetch-site"), origin) {
        // `none`: typed or bookmarked by the user.
        (Some("same-origin" | "none"), _) => Ok(()),
        (Some(_), _) => Err(Denied::ForeignOrigin("Sec-Fetch-Site")),
        (None, Some(origin)) if !is_own(config, origin, headers) => Err(Denied::ForeignOrigin("Origin")),
        (None, _) => Ok(()),
    }
}

/// RFC 9110 §9.2.1.
pub(crate) fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// Whether `origin` is that of the host which was asked. Over plain HTTP only the loopback host is believed, and
/// in development any: whoever can alter plain HTTP on the way could write any page of it.
fn is_own(config: &Config, origin: &str, headers: &dyn Headers) -> bool {
    let Some(host) = headers.first("host") else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let trusted = match scheme {
        "https" => true,
        "http" => config.mode == Mode::Development || is_loopback(origin),
        _ => false,
    };
    trusted && authority.eq_ignore_ascii_case(host)
}

fn is_loopback(origin: &str) -> bool {
    let uri: Option<Uri> = origin.parse().ok();
    matches!(uri.as_ref().and_then(Uri::host), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn verdict(mode: Mode, method: &str, headers: &[(&'static str, &str)]) -> Result<(), Denied> {
        let mut config = Config::new("0123456789abcdef0123456789abcdef");
        config.mode = mode;
        config.allowed_origins = vec!["https://app.example.org".into()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        own_origin(&config, method, &map)
    }

    #[test]
    fn only_our_own_pages_and_listed_origins_change_anything() {
        let host = ("host", "api.example.org");
        for (headers, allowed) in [
            (vec![host], true),
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "none")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site"), ("origin", "https://api.example.org")], false),
            (vec![host, ("sec-fetch-site", "cross-site"), ("origin", "https://app.example.org")], true),
            (vec![host, ("sec-fetch-site", "SAME-ORIGIN")], false),
            (vec![host, ("origin", "https://api.example.org")], true),
            (vec![host, ("origin", "https://app.example.org")], true),
            (vec![host, ("origin", "http://api.example.org")], false),
            (vec![host, ("origin", "https://api.example.org:8443")], false),
            (vec![host, ("origin", "https://api.example.org.evil.test")], false),
            (vec![host, ("origin", "https://evil.test@api.example.org")], false),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "")], false),
            (vec![("origin", "https://api.example.org")], false),
        ] {
            let made = verdict(Mode::Production, "POST", &headers);
            assert_eq!(made.is_ok(), allowed, "{headers:?}");
        }
    }

    #[test]
    fn plain_http_is_its_own_origin_on_loopback_alone() {
        for (mode, host, allowed) in [
            (Mode::Production, "127.0.0.1:3000", true),
            (Mode::Production, "localhost:3000", true),
            (Mode::Production, "[::1]:3000", true),
            (Mode::Production, "192.168.0.9:3000", false),
            (Mode::Development, "192.168.0.9:3000", true),
        ] {
            let origin = format!("http://{host}");
            let made = verdict(mode, "POST", &[("host", host), ("origin", &origin)]);
            assert_eq!(made.is_ok(), allowed, "{host}");
        }
    }

    #[test]
    fn reading_is_not_guarded() {
        let foreign = [("host", "a.example"), ("sec-fetch-site", "cross-site")];
        assert!(verdict(Mode::Production, "GET", &foreign).is_ok());
    }
}

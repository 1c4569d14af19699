//! The fields of a request's head, whatever the framework's type for them, and the credential among them.

use http::HeaderMap;

use crate::Denied;

/// The fields of a request's head.
pub trait Headers {
    /// Shows every value of the field `name` (lower case) that is UTF-8, in order.
    fn each<'h>(&'h self, name: &str, see: &mut dyn FnMut(&'h str));
}

impl Headers for HeaderMap {
    fn each<'h>(&'h self, name: &str, see: &mut dyn FnMut(&'h str)) {
        self.get_all(name)
            .iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            .for_each(see);
    }
}

impl dyn Headers + '_ {
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let mut first = None;
        self.each(name, &mut |value| first = first.or(Some(value)));
        first
    }

    /// The token of `Authorization: Bearer` (RFC 6750 §2.1). Another scheme is somebody else's business.
    pub(crate) fn bearer(&self) -> Result<Option<&str>, Denied> {
        let mut sent = 0;
        let mut found = Ok(None);
        self.each("authorization", &mut |value| {
            sent += 1;
            let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let token = token.trim_matches(' ');
                let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
                found = if fits { Ok(Some(token)) } else { Err(Denied::InvalidToken) };
            }
        });
        if sent > 1 {
            return Err(Denied::InvalidRequest("send one Authorization header"));
        }
        found
    }
}

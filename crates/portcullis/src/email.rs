//! E-mail addresses, in the one form in which they are stored and compared.

use std::fmt;

use crate::Denied;

/// A normalised address: ASCII, lower case, a dot-atom before the `@` and a host name behind it.
///
/// Quoted local parts, comments, address literals and non-ASCII are refused: hardly anybody has such an
/// address, and every one of them is a way to write one mailbox twice or to smuggle a second recipient.
/// An internationalised domain is written in its `xn--` form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Normalises what a person typed; blanks around it do not count.
    ///
    /// # Errors
    /// [`Denied::InvalidEmail`].
    pub fn parse(typed: &str) -> Result<Self, Denied> {
        let typed = typed.trim_matches([' ', '\t']);
        let (local, domain) = typed.split_once('@').ok_or(Denied::InvalidEmail)?;
        if is_local(local) && is_domain(domain) {
            Ok(Self(typed.to_ascii_lowercase()))
        } else {
            Err(Denied::InvalidEmail)
        }
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 5321 §4.1.2 `Dot-string`, at most 64 bytes (§4.5.3.1.1).
fn is_local(local: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// RFC 1035 §2.3.1: at least two labels of letters, digits and inner hyphens; not an address of numbers.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && !top.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (typed, normal) in [
            ("ada@example.org", "ada@example.org"),
            (" Ada.Lovelace+notes@EXAMPLE.org\t", "ada.lovelace+notes@example.org"),
            ("o'hara@xn--bcher-kva.example", "o'hara@xn--bcher-kva.example"),
        ] {
            assert_eq!(Email::parse(typed).unwrap().as_str(), normal);
        }
    }

    #[test]
    fn what_mail_could_not_reach_or_reaches_twice_is_refused() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long_domain = format!("a@{}.org", "b.".repeat(130));
        for typed in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.org",
            "ada@localhost",
            "a@b@c.org",
            "ada @example.org",
            "ada@example.org,eve@evil.org",
            "ada@example.org\r\nBcc: eve@evil.org",
            "ada\0@example.org",
            "\"ada\"@example.org",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada..b@example.org",
            ".ada@example.org",
            "ada.@example.org",
            "ada@-example.org",
            "ada@example-.org",
            "ada@.org",
            "ada@example..org",
            "ada@example.org.",
            "ädä@example.org",
            "ada@exämple.org",
            "ada@ex\u{212a}.org",
            "<ada@example.org>",
            "Ada <ada@example.org>",
            "ada@example.org;",
            &long_local,
            &long_domain,
        ] {
            assert_eq!(Email::parse(typed), Err(Denied::InvalidEmail), "{typed:?}");
        }
    }
}

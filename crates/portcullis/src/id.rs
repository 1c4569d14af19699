//! Names of users and sessions: UUIDs of version 7 (RFC 9562), which sort by the time they were made.
//! They are names, not secrets; knowing one gives nothing.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::clock::{self, Entropy, Time};
use crate::{Denied, Fault, Refusal};

/// A text that is not the id of anything. As an answer it is a 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an id")]
pub struct InvalidId;

impl From<InvalidId> for Denied {
    fn from(_: InvalidId) -> Self {
        Denied::NotFound
    }
}

impl From<InvalidId> for Refusal {
    fn from(invalid: InvalidId) -> Self {
        Denied::from(invalid).into()
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub(crate) fn new(now: Time, entropy: &dyn Entropy) -> Result<Self, Fault> {
                let random = clock::random::<10>(entropy)?;
                let millis = u64::try_from(now.millis()).unwrap_or(0);
                Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the one form in which ids are written: hyphenated, lower case.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)?;
                if id.to_string() == text { Ok(id) } else { Err(InvalidId) }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

id! {
    /// Names a user: the `sub` of their tokens.
    UserId
}

id! {
    /// Names a session, which is also a refresh token family: the `sid` of its tokens.
    SessionId
}

impl SessionId {
    pub(crate) const fn bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

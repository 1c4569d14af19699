//! Which role may do what, and how that travels in a token.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_token::{PackedPermissions, PermissionRegistry, SignError};

use crate::config::AccessConfig;
use crate::config_error::ConfigError;
use crate::id::{SessionId, UserId};
use crate::store::User;
use crate::{Auth, Denied, Fault, Refusal};

/// What the roles grant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants {
    /// Every permission there is, if they were registered.
    registry: Option<PermissionRegistry>,
    of_role: BTreeMap<String, Vec<String>>,
}

impl Grants {
    /// What is set.
    ///
    /// # Errors
    /// Names that make no registry, or grants of what is not in it.
    pub(crate) fn new(config: &AccessConfig) -> Result<Self, ConfigError> {
        let grants = Self { registry: None, of_role: config.grants.clone() };
        if config.permissions.is_empty() {
            return Ok(grants);
        }
        let registry = PermissionRegistry::new(config.permissions.iter().map(String::as_str))
            .map_err(|error| ConfigError(vec![format!("access.permissions: {error}")]))?;
        let unknown: Vec<_> = grants.strangers(&registry).collect();
        if unknown.is_empty() {
            Ok(Self { registry: Some(registry), ..grants })
        } else {
            Err(ConfigError(unknown))
        }
    }

    fn strangers(&self, registry: &PermissionRegistry) -> impl Iterator<Item = String> {
        let granted =
            self.of_role.iter().flat_map(|(role, names)| names.iter().map(move |name| (role, name)));
        granted
            .filter(|(_, name)| !registry.contains(name))
            .map(|(role, name)| format!("access.grants: `{name}` of `{role}` is not in access.permissions"))
    }

    /// Every permission there is, to publish.
    pub(crate) fn registry(&self) -> Option<&PermissionRegistry> {
        self.registry.as_ref()
    }

    /// What these roles may do: by name, or as a set of the registry.
    pub(crate) fn of(&self, roles: &[String]) -> (Vec<String>, Option<PackedPermissions>) {
        let granted: BTreeSet<_> =
            roles.iter().filter_map(|role| self.of_role.get(role)).flatten().map(String::as_str).collect();
        match &self.registry {
            _ if granted.is_empty() => (Vec::new(), None),
            Some(registry) => (Vec::new(), Some(registry.pack(granted))),
            None => (granted.into_iter().map(str::to_owned).collect(), None),
        }
    }
}

impl Auth {
    /// Refuses roles with which the user's next token would not fit: nobody could sign in to that account any more.
    pub(crate) fn roles_fit(&self, user: &User, roles: &[String]) -> Result<(), Refusal> {
        let now = self.now();
        let session = SessionId::new(now, &*self.config().entropy)?;
        let mut claims = self.claims(user, session, now, self.config().access.ttl.as_secs())?;
        claims.roles = roles.to_vec();
        (claims.permissions, claims.packed) = self.grants().of(roles);
        match self.sign(&claims) {
            Ok(_) => Ok(()),
            Err(error @ SignError::TooLong(_)) => {
                advise(user.id, &error);
                Err(Denied::InvalidField("roles", "are too many, or grant too much, to fit into a token")
                    .into())
            }
            Err(error) => Err(Fault::new("signing an access token", error).into()),
        }
    }
}

/// Tells the operator what to do about a token that does not fit.
pub(crate) fn advise(user: UserId, error: &SignError) {
    tracing::error!(
        target: "portcullis::token", %user, %error,
        "list all permissions in access.permissions, so that each takes a bit; or give the user fewer roles"
    );
}

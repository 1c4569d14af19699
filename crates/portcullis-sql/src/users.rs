use async_trait::async_trait;
use portcullis::clock::Time;
use portcullis::store::{NewUser, User, Users};
use portcullis::{Email, Fault, UserId};

use crate::SqlStore;
use crate::database::{Row, sql};

#[async_trait]
impl Users for SqlStore {
    async fn create(&self, NewUser { user, password }: NewUser<'_>) -> Result<bool, Fault> {
        let account = sql("INSERT INTO portcullis_users (id, tenant, email, roles, epoch, created_at)
             VALUES (?, ?, ?, ?, ?, ?)")
        .bind(user.id.to_string())
        .bind(TENANT)
        .bind(user.email.as_str())
        .bind(roles_text(&user.roles)?)
        .bind(user.epoch)
        .bind(user.created_at.millis());
        let password = sql("INSERT INTO portcullis_passwords (user_id, hash) VALUES (?, ?)")
            .bind(user.id.to_string())
            .bind(password);
        self.database.change_together(vec![account, password]).await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, Fault> {
        let found = sql("SELECT id, email, roles, epoch, created_at FROM portcullis_users WHERE id = ?");
        self.database.one(found.bind(id.to_string())).await?.as_ref().map(user).transpose()
    }

    async fn set_roles(&self, id: UserId, roles: &[String]) -> Result<bool, Fault> {
        let set = sql("UPDATE portcullis_users SET roles = ? WHERE id = ?");
        Ok(self.database.change(set.bind(roles_text(roles)?).bind(id.to_string())).await? == 1)
    }

    async fn advance_epoch(&self, id: UserId) -> Result<bool, Fault> {
        let advance = sql("UPDATE portcullis_users SET epoch = epoch + 1 WHERE id = ?");
        Ok(self.database.change(advance.bind(id.to_string())).await? == 1)
    }
}

/// Reads the columns `id, email, roles, epoch, created_at`.
pub(crate) fn user(row: &Row) -> Result<User, Fault> {
    Ok(User {
        id: row.parse("id")?,
        email: Email::parse(row.get("email")?).map_err(|error| Fault::new("reading an address", error))?,
        roles: serde_json::from_str(row.get("roles")?).map_err(|error| Fault::new("reading roles", error))?,
        epoch: row.get("epoch")?,
        created_at: Time::from_millis(row.get("created_at")?),
    })
}

fn roles_text(roles: &[String]) -> Result<String, Fault> {
    serde_json::to_string(roles).map_err(|error| Fault::new("writing roles", error))
}

/// The tenant of all accounts, until tenants have an interface.
pub(crate) const TENANT: &str = "";

use async_trait::async_trait;
use portcullis::store::{Credentials, PasswordRecord};
use portcullis::{Email, Fault, UserId};

use crate::SqlStore;
use crate::database::{Row, sql};
use crate::users::{TENANT, user};

#[async_trait]
impl Credentials for SqlStore {
    async fn by_email(&self, email: &Email) -> Result<Option<PasswordRecord>, Fault> {
        let found = sql("SELECT id, email, roles, epoch, created_at, hash
             FROM portcullis_users JOIN portcullis_passwords ON user_id = id
             WHERE tenant = ? AND email = ?");
        self.database.one(found.bind(TENANT).bind(email.as_str())).await?.as_ref().map(record).transpose()
    }

    async fn by_user(&self, id: UserId) -> Result<Option<PasswordRecord>, Fault> {
        let found = sql("SELECT id, email, roles, epoch, created_at, hash
             FROM portcullis_users JOIN portcullis_passwords ON user_id = id
             WHERE id = ?");
        self.database.one(found.bind(id.to_string())).await?.as_ref().map(record).transpose()
    }

    async fn change(&self, old: &PasswordRecord, hash: &str) -> Result<bool, Fault> {
        let epoch = sql("UPDATE portcullis_users SET epoch = epoch + 1 WHERE id = ? AND epoch = ?")
            .bind(old.user.id.to_string())
            .bind(old.user.epoch);
        // The hash itself is a guard too: it was salted, so no other is like it.
        let replace = sql("UPDATE portcullis_passwords SET hash = ? WHERE user_id = ? AND hash = ?")
            .bind(hash)
            .bind(old.user.id.to_string())
            .bind(old.hash.as_str());
        self.database.change_together(vec![epoch, replace]).await
    }

    async fn rehash(&self, old: &PasswordRecord, hash: &str) -> Result<bool, Fault> {
        let replace = sql("UPDATE portcullis_passwords SET hash = ? WHERE hash = ?
                 AND user_id = (SELECT id FROM portcullis_users WHERE id = ? AND epoch = ?)")
        .bind(hash)
        .bind(old.hash.as_str())
        .bind(old.user.id.to_string())
        .bind(old.user.epoch);
        Ok(self.database.change(replace).await? == 1)
    }
}

fn record(row: &Row) -> Result<PasswordRecord, Fault> {
    Ok(PasswordRecord { user: user(row)?, hash: row.get("hash")? })
}

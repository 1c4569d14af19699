use async_trait::async_trait;
use portcullis::store::{Credentials, PasswordRecord};
use portcullis::{Email, Fault, SessionId, UserId};

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

    async fn change(&self, old: &PasswordRecord, hash: &str, keep: Option<SessionId>) -> Result<bool, Fault> {
        let user = old.user.id.to_string();
        let epoch = sql("UPDATE portcullis_users SET epoch = epoch + 1 WHERE id = ? AND epoch = ?")
            .bind(user.clone())
            .bind(old.user.epoch);
        let password = sql("UPDATE portcullis_passwords SET hash = ? WHERE user_id = ? AND hash = ?")
            .bind(hash)
            .bind(user.clone())
            .bind(old.hash.as_str());
        let carry_over = |session: SessionId| {
            sql("UPDATE portcullis_sessions SET epoch = ?
                 WHERE id = ? AND user_id = ? AND epoch = ? AND ended_at IS NULL")
            .bind(old.user.epoch + 1)
            .bind(session.to_string())
            .bind(user)
            .bind(old.user.epoch)
        };
        let mut all = vec![epoch, password];
        all.extend(keep.map(carry_over));
        self.database.change_together(all).await
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

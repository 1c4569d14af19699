use async_trait::async_trait;
use portcullis::Fault;
use portcullis::clock::Time;
use portcullis::store::{Keys, SealedKey};

use crate::SqlStore;
use crate::database::sql;

#[async_trait]
impl Keys for SqlStore {
    async fn offer(&self, key: &SealedKey) -> Result<bool, Fault> {
        let offer =
            sql("INSERT INTO portcullis_keys (serial, kid, sealed, created_at, signs_from, retired_at)
             VALUES (?, ?, ?, ?, ?, ?)")
            .bind(key.serial)
            .bind(key.kid.as_str())
            .bind(key.sealed.clone())
            .bind(key.created_at.millis())
            .bind(key.signs_from.millis())
            .bind(key.retired_at.map(Time::millis));
        Ok(self.database.change(offer).await? == 1)
    }

    async fn all(&self) -> Result<Vec<SealedKey>, Fault> {
        let all = sql("SELECT serial, kid, sealed, created_at, signs_from, retired_at
             FROM portcullis_keys ORDER BY serial");
        let rows = self.database.all(all).await?;
        rows.iter()
            .map(|row| {
                Ok(SealedKey {
                    serial: row.get("serial")?,
                    kid: row.get("kid")?,
                    sealed: row.get("sealed")?,
                    created_at: Time::from_millis(row.get("created_at")?),
                    signs_from: Time::from_millis(row.get("signs_from")?),
                    retired_at: row.get::<Option<i64>>("retired_at")?.map(Time::from_millis),
                })
            })
            .collect()
    }

    async fn bring_forward(&self, kid: &str, signs_from: Time) -> Result<bool, Fault> {
        let bring_forward = sql("UPDATE portcullis_keys SET signs_from = ?
             WHERE kid = ? AND signs_from > ? AND retired_at IS NULL")
        .bind(signs_from.millis())
        .bind(kid)
        .bind(signs_from.millis());
        Ok(self.database.change(bring_forward).await? == 1)
    }

    async fn retire(&self, kid: &str, at: Time) -> Result<bool, Fault> {
        let retire = sql("UPDATE portcullis_keys SET sealed = ?, retired_at = ?
             WHERE kid = ? AND retired_at IS NULL")
        .bind(Vec::new())
        .bind(at.millis())
        .bind(kid);
        Ok(self.database.change(retire).await? == 1)
    }

    async fn reseal(&self, kid: &str, old: &[u8], new: &[u8]) -> Result<bool, Fault> {
        let reseal = sql("UPDATE portcullis_keys SET sealed = ?
             WHERE kid = ? AND sealed = ? AND retired_at IS NULL")
        .bind(new.to_vec())
        .bind(kid)
        .bind(old.to_vec());
        Ok(self.database.change(reseal).await? == 1)
    }
}

use async_trait::async_trait;
use portcullis::Fault;
use portcullis::clock::Time;
use portcullis::store::{Keys, SealedKey};

use crate::SqlStore;
use crate::database::sql;

#[async_trait]
impl Keys for SqlStore {
    async fn offer(&self, key: &SealedKey) -> Result<bool, Fault> {
        let offer = sql("INSERT INTO portcullis_keys (serial, kid, sealed, created_at) VALUES (?, ?, ?, ?)")
            .bind(key.serial)
            .bind(key.kid.as_str())
            .bind(key.sealed.clone())
            .bind(key.created_at.millis());
        Ok(self.database.change(offer).await? == 1)
    }

    async fn all(&self) -> Result<Vec<SealedKey>, Fault> {
        let all = sql("SELECT serial, kid, sealed, created_at FROM portcullis_keys ORDER BY serial");
        let rows = self.database.all(all).await?;
        rows.iter()
            .map(|row| {
                Ok(SealedKey {
                    serial: row.get("serial")?,
                    kid: row.get("kid")?,
                    sealed: row.get("sealed")?,
                    created_at: Time::from_millis(row.get("created_at")?),
                })
            })
            .collect()
    }
}

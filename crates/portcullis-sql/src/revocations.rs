use async_trait::async_trait;
use portcullis::clock::Time;
use portcullis::store::{Revocation, Revocations};
use portcullis::{Fault, SessionId};

use crate::SqlStore;
use crate::database::sql;

#[async_trait]
impl Revocations for SqlStore {
    async fn put(&self, sessions: &[SessionId], until: Time) -> Result<(), Fault> {
        let put = |session: &SessionId| {
            sql("INSERT INTO portcullis_revocations (session_id, until_at) VALUES (?, ?)")
                .bind(session.to_string())
                .bind(until.millis())
        };
        match self.database.change_together(sessions.iter().map(put).collect()).await? {
            true => Ok(()),
            false => Err(Fault::new("storing revocations", "the database took none")),
        }
    }

    async fn after(&self, sequence: i64, now: Time) -> Result<Vec<Revocation>, Fault> {
        let news = sql("SELECT sequence, session_id, until_at FROM portcullis_revocations
             WHERE sequence > ? AND until_at > ? ORDER BY sequence")
        .bind(sequence)
        .bind(now.millis());
        let rows = self.database.all(news).await?;
        rows.iter()
            .map(|row| {
                Ok(Revocation {
                    sequence: row.get("sequence")?,
                    session: row.parse("session_id")?,
                    until: Time::from_millis(row.get("until_at")?),
                })
            })
            .collect()
    }
}

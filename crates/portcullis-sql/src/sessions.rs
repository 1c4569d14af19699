use async_trait::async_trait;
use portcullis::clock::Time;
use portcullis::rotation::State;
use portcullis::store::{Advance, Ended, Session, Sessions, Which};
use portcullis::{Fault, SessionId, UserId};

use crate::SqlStore;
use crate::database::{Row, sql};

#[async_trait]
impl Sessions for SqlStore {
    async fn start(&self, session: &Session) -> Result<bool, Fault> {
        let start = sql("INSERT INTO portcullis_sessions (id, user_id, epoch, generation, rotated_at,
                 idle_expires_at, absolute_expires_at, created_at, auth_time, amr, last_seen_at, ip, user_agent)
             SELECT ?, id, epoch, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM portcullis_users WHERE id = ? AND epoch = ?")
        .bind(session.id.to_string())
        .bind(i64::from(session.rotation.generation))
        .bind(session.rotation.rotated_at.millis())
        .bind(session.rotation.idle_expires_at.millis())
        .bind(session.rotation.absolute_expires_at.millis())
        .bind(session.created_at.millis())
        .bind(session.auth_time.millis())
        .bind(session.amr.as_str())
        .bind(session.last_seen_at.millis())
        .bind(session.ip.map(|ip| ip.to_string()))
        .bind(session.user_agent.clone())
        .bind(session.user.to_string())
        .bind(session.epoch);
        Ok(self.database.change(start).await? == 1)
    }

    async fn find(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        let found = sql("SELECT * FROM portcullis_sessions WHERE id = ?").bind(id.to_string());
        self.database.one(found).await?.as_ref().map(session).transpose()
    }

    async fn advance(&self, step: &Advance) -> Result<bool, Fault> {
        let advance = sql("UPDATE portcullis_sessions SET generation = generation + 1,
                 rotated_at = ?, last_seen_at = ?, idle_expires_at = ?, ip = ?, user_agent = ?
             WHERE id = ? AND generation = ? AND ended_at IS NULL")
        .bind(step.at.millis())
        .bind(step.at.millis())
        .bind(step.idle_expires_at.millis())
        .bind(step.ip.map(|ip| ip.to_string()))
        .bind(step.user_agent.clone())
        .bind(step.id.to_string())
        .bind(i64::from(step.from));
        Ok(self.database.change(advance).await? == 1)
    }

    async fn live(&self, user: UserId, now: Time) -> Result<Vec<Session>, Fault> {
        let live = sql("SELECT * FROM portcullis_sessions
             WHERE user_id = ? AND ended_at IS NULL AND idle_expires_at > ? AND absolute_expires_at > ?
             ORDER BY created_at DESC, id DESC")
        .bind(user.to_string())
        .bind(now.millis())
        .bind(now.millis());
        self.database.all(live).await?.iter().map(session).collect()
    }

    async fn end(&self, user: UserId, which: Which, at: Time, why: Ended) -> Result<u64, Fault> {
        let end = match which {
            Which::One(_) => sql("UPDATE portcullis_sessions SET ended_at = ?, ended_why = ?
                     WHERE ended_at IS NULL AND user_id = ? AND id = ?"),
            Which::Others(_) => sql("UPDATE portcullis_sessions SET ended_at = ?, ended_why = ?
                     WHERE ended_at IS NULL AND user_id = ? AND id <> ?"),
            Which::All => sql("UPDATE portcullis_sessions SET ended_at = ?, ended_why = ?
                     WHERE ended_at IS NULL AND user_id = ?"),
        };
        let end = end.bind(at.millis()).bind(why.name()).bind(user.to_string());
        self.database
            .change(match which {
                Which::One(id) | Which::Others(id) => end.bind(id.to_string()),
                Which::All => end,
            })
            .await
    }

    async fn ended_since(&self, user: UserId, since: Time) -> Result<Vec<SessionId>, Fault> {
        let ended = sql("SELECT id FROM portcullis_sessions WHERE user_id = ? AND ended_at >= ?")
            .bind(user.to_string())
            .bind(since.millis());
        self.database.all(ended).await?.iter().map(|row| row.parse("id")).collect()
    }
}

fn session(row: &Row) -> Result<Session, Fault> {
    let time = |column| Ok::<_, Fault>(Time::from_millis(row.get(column)?));
    let generation: i64 = row.get("generation")?;
    Ok(Session {
        id: row.parse("id")?,
        user: row.parse("user_id")?,
        epoch: row.get("epoch")?,
        rotation: State {
            generation: u32::try_from(generation)
                .map_err(|error| Fault::new("reading a generation", error))?,
            rotated_at: time("rotated_at")?,
            idle_expires_at: time("idle_expires_at")?,
            absolute_expires_at: time("absolute_expires_at")?,
            ended: row.get::<Option<i64>>("ended_at")?.is_some(),
        },
        created_at: time("created_at")?,
        auth_time: time("auth_time")?,
        amr: row.get("amr")?,
        last_seen_at: time("last_seen_at")?,
        ip: row.parse_some("ip")?,
        user_agent: row.get("user_agent")?,
    })
}

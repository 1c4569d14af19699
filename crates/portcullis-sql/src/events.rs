use std::borrow::Cow;

use async_trait::async_trait;
use portcullis::clock::Time;
use portcullis::event::Event;
use portcullis::store::Events;
use portcullis::{Fault, UserId};

use crate::SqlStore;
use crate::database::{Row, sql};

#[async_trait]
impl Events for SqlStore {
    async fn append(&self, event: &Event) -> Result<(), Fault> {
        let append = sql("INSERT INTO portcullis_events
                 (occurred_at, action, cause, user_id, session_id, ip, user_agent)
             VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(event.at.millis())
        .bind(&*event.action)
        .bind(event.cause.as_deref().map(str::to_owned))
        .bind(event.user.map(|id| id.to_string()))
        .bind(event.session.map(|id| id.to_string()))
        .bind(event.ip.map(|ip| ip.to_string()))
        .bind(event.user_agent.clone());
        match self.database.change(append).await? {
            1 => Ok(()),
            _ => Err(Fault::new("storing an event", "the database took none")),
        }
    }

    async fn latest(&self, user: UserId, most: u32) -> Result<Vec<Event>, Fault> {
        let latest = sql("SELECT occurred_at, action, cause, user_id, session_id, ip, user_agent
             FROM portcullis_events WHERE user_id = ? ORDER BY sequence DESC LIMIT ?")
        .bind(user.to_string())
        .bind(i64::from(most));
        self.database.all(latest).await?.iter().map(event).collect()
    }
}

fn event(row: &Row) -> Result<Event, Fault> {
    Ok(Event {
        at: Time::from_millis(row.get("occurred_at")?),
        action: Cow::Owned(row.get("action")?),
        cause: row.get::<Option<String>>("cause")?.map(Cow::Owned),
        user: row.parse_some("user_id")?,
        session: row.parse_some("session_id")?,
        ip: row.parse_some("ip")?,
        user_agent: row.get("user_agent")?,
    })
}

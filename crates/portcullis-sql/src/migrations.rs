//! The tables, version by version. Each version is one script, applied whole or not at all; several nodes that
//! start at once apply it once.

use portcullis::Fault;

use crate::database::{Database, sql};

pub(crate) async fn run(database: &Database) -> Result<(), Fault> {
    database
        .script("CREATE TABLE IF NOT EXISTS portcullis_migrations (version BIGINT NOT NULL PRIMARY KEY);")
        .await?;
    for (version, script) in (1..).zip(VERSIONS) {
        if applied(database).await? < version {
            // The first statement names the winner: a second one of that version breaks the primary key.
            let outcome = database
                .script(&format!("INSERT INTO portcullis_migrations (version) VALUES ({version});\n{script}"))
                .await;
            if applied(database).await? < version {
                outcome?;
            }
        }
    }
    if applied(database).await? > VERSIONS.len() as i64 {
        return Err(Fault::new("migrating the database", "a newer version of Portcullis has migrated it"));
    }
    Ok(())
}

async fn applied(database: &Database) -> Result<i64, Fault> {
    let row = database.one(sql("SELECT COALESCE(MAX(version), 0) AS version FROM portcullis_migrations"));
    row.await?.map_or(Ok(0), |row| row.get("version"))
}

const VERSIONS: [&str; 2] = [
    include_str!("migrations/0001_accounts_and_sessions.sql"),
    include_str!("migrations/0002_key_rotation.sql"),
];

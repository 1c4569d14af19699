-- Times are milliseconds since the epoch; ids are UUIDs as text.

CREATE TABLE portcullis_users (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    -- Accounts of different tenants may share an address; until tenants have an interface, there is one: ''.
    tenant VARCHAR(64) NOT NULL,
    email VARCHAR(320) NOT NULL,
    -- A JSON array of names.
    roles VARCHAR(4096) NOT NULL,
    epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant, email)
);

CREATE TABLE portcullis_passwords (
    user_id VARCHAR(36) NOT NULL PRIMARY KEY,
    -- Argon2id in PHC form.
    hash VARCHAR(255) NOT NULL,
    FOREIGN KEY (user_id) REFERENCES portcullis_users (id) ON DELETE CASCADE
);

CREATE TABLE portcullis_sessions (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    user_id VARCHAR(36) NOT NULL,
    epoch BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_why VARCHAR(32),
    created_at BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    amr VARCHAR(64) NOT NULL,
    last_seen_at BIGINT NOT NULL,
    ip VARCHAR(45),
    user_agent VARCHAR(1024),
    FOREIGN KEY (user_id) REFERENCES portcullis_users (id) ON DELETE CASCADE
);

CREATE INDEX portcullis_sessions_of_user ON portcullis_sessions (user_id, ended_at);

CREATE TABLE portcullis_revocations (
    sequence {sequence},
    session_id VARCHAR(36) NOT NULL,
    until_at BIGINT NOT NULL
);

CREATE TABLE portcullis_keys (
    serial BIGINT NOT NULL PRIMARY KEY,
    kid VARCHAR(128) NOT NULL UNIQUE,
    sealed {bytes} NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE portcullis_events (
    sequence {sequence},
    occurred_at BIGINT NOT NULL,
    action VARCHAR(64) NOT NULL,
    cause VARCHAR(64),
    user_id VARCHAR(36),
    session_id VARCHAR(36),
    ip VARCHAR(45),
    user_agent VARCHAR(1024)
);

CREATE INDEX portcullis_events_of_user ON portcullis_events (user_id, sequence);

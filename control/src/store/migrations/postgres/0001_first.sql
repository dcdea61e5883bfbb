-- The log: one row an entry, in the order of writing (commits of all replicas come one after the other). `hash`
-- chains it; `signature` stands on the last entry of each commit and is its writer's own over (writer, seq, hash).
CREATE TABLE entries (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer    TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    hash      BYTEA  NOT NULL,
    entry     TEXT   NOT NULL,
    session   TEXT,
    exchange  TEXT,
    signature BYTEA,
    UNIQUE (writer, seq)
);
CREATE INDEX entries_session ON entries (session, id);
CREATE INDEX entries_exchange ON entries (exchange);

-- Where each writer's chain stands.
CREATE TABLE heads (
    writer    TEXT   PRIMARY KEY,
    seq       BIGINT NOT NULL,
    hash      BYTEA  NOT NULL,
    signature BYTEA  NOT NULL
);

-- The keys of those who write the log, each vouched for by the key that signs bundles.
CREATE TABLE writers (
    writer    TEXT  PRIMARY KEY,
    key       BYTEA NOT NULL,
    signature BYTEA NOT NULL
);

-- Content-addressed text that records name. Bytes: text of PostgreSQL holds no NUL.
CREATE TABLE blocks (
    rowid  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest BYTEA   NOT NULL UNIQUE,
    list   BOOLEAN NOT NULL,
    text   BYTEA   NOT NULL
);

-- Batches that were written, so that one sent twice is written once.
CREATE TABLE batches (
    key   BYTEA  PRIMARY KEY,
    at_ms BIGINT NOT NULL
);

-- What listings show of each session. The log is the truth; this is a summary of it.
CREATE TABLE sessions (
    session       TEXT    NOT NULL,
    issuer        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    named         BOOLEAN NOT NULL,
    first_ms      BIGINT  NOT NULL,
    last_ms       BIGINT  NOT NULL,
    exchanges     BIGINT  NOT NULL,
    denied        BIGINT  NOT NULL,
    held          BIGINT  NOT NULL,
    findings      BIGINT  NOT NULL,
    input_tokens  BIGINT  NOT NULL,
    output_tokens BIGINT  NOT NULL,
    PRIMARY KEY (session, issuer, subject)
);
CREATE INDEX sessions_last ON sessions (last_ms);

-- What waits for a person, and what was decided.
CREATE TABLE holds (
    rowid          BIGINT GENERATED ALWAYS AS IDENTITY,
    id             TEXT   PRIMARY KEY,
    key            TEXT   NOT NULL,
    thread         TEXT   NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'expired')),
    ask            TEXT   NOT NULL,
    created_ms     BIGINT NOT NULL,
    expires_ms     BIGINT NOT NULL,
    decided_ms     BIGINT,
    decided_by     TEXT,
    decided_issuer TEXT,
    reason         TEXT,
    used_by        TEXT,
    used_ms        BIGINT
);
CREATE INDEX holds_key ON holds (key, created_ms);
CREATE INDEX holds_thread ON holds (thread, decided_ms);
CREATE INDEX holds_state ON holds (state, created_ms);
CREATE UNIQUE INDEX holds_waiting ON holds (key) WHERE state = 'waiting';

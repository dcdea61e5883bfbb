-- The log: one row an entry, in the order of writing. `hash` chains it; `signature` stands on the last entry of
-- each commit and is the service's own over (writer, seq, hash).
CREATE TABLE entries (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    writer    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    hash      BLOB    NOT NULL,
    entry     TEXT    NOT NULL,
    session   TEXT,
    exchange  TEXT,
    signature BLOB,
    UNIQUE (writer, seq)
);
CREATE INDEX entries_session ON entries (session, id);
CREATE INDEX entries_exchange ON entries (exchange);

-- Where each writer's chain stands.
CREATE TABLE heads (
    writer    TEXT    PRIMARY KEY,
    seq       INTEGER NOT NULL,
    hash      BLOB    NOT NULL,
    signature BLOB    NOT NULL
) WITHOUT ROWID;

-- Content-addressed text that records name.
CREATE TABLE blocks (
    digest BLOB    NOT NULL UNIQUE,
    list   INTEGER NOT NULL,
    text   TEXT    NOT NULL
);

-- Batches that were written, so that one sent twice is written once.
CREATE TABLE batches (
    key   BLOB    PRIMARY KEY,
    at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- What listings show of each session. The log is the truth; this is a summary of it.
CREATE TABLE sessions (
    session       TEXT    NOT NULL,
    issuer        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    named         INTEGER NOT NULL,
    first_ms      INTEGER NOT NULL,
    last_ms       INTEGER NOT NULL,
    exchanges     INTEGER NOT NULL,
    denied        INTEGER NOT NULL,
    held          INTEGER NOT NULL,
    findings      INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (session, issuer, subject)
) WITHOUT ROWID;
CREATE INDEX sessions_last ON sessions (last_ms);

-- What waits for a person, and what was decided.
CREATE TABLE holds (
    id             TEXT    PRIMARY KEY,
    key            TEXT    NOT NULL,
    thread         TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'expired')),
    ask            TEXT    NOT NULL,
    created_ms     INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL,
    decided_ms     INTEGER,
    decided_by     TEXT,
    decided_issuer TEXT,
    reason         TEXT,
    used_by        TEXT,
    used_ms        INTEGER
);
CREATE INDEX holds_key ON holds (key, created_ms);
CREATE INDEX holds_thread ON holds (thread, decided_ms);
CREATE INDEX holds_state ON holds (state, created_ms);
CREATE UNIQUE INDEX holds_waiting ON holds (key) WHERE state = 'waiting';

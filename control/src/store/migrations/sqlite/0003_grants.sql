-- Rights with an end, and wishes for them. `detail` is the whole grant; the other columns find it.
CREATE TABLE grants (
    id         TEXT    PRIMARY KEY,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'live', 'denied', 'expired', 'revoked', 'ended')),
    subject    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    ends_ms    INTEGER NOT NULL,
    detail     TEXT    NOT NULL
);
CREATE INDEX grants_state ON grants (state, ends_ms);
CREATE INDEX grants_created ON grants (created_ms);

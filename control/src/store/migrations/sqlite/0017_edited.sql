-- A hold may be approved with more masked: `masked` has the texts, as JSON, and its state is `edited`. No hold with texts
-- is `approved`, so that a release that knows nothing of them can approve none as it is. SQLite changes no constraint of
-- a table that is there: it is made anew.
CREATE TABLE holds_next (
    id             TEXT    PRIMARY KEY,
    key            TEXT    NOT NULL,
    thread         TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'edited', 'denied', 'expired')),
    ask            TEXT    NOT NULL,
    created_ms     INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL,
    decided_ms     INTEGER,
    decided_by     TEXT,
    decided_issuer TEXT,
    reason         TEXT,
    used_by        TEXT,
    used_ms        INTEGER,
    listed_ms      INTEGER,
    voices         TEXT,
    pass           TEXT,
    masked         TEXT,
    CHECK (state <> 'approved' OR masked IS NULL),
    CHECK (state <> 'edited' OR masked IS NOT NULL)
);
INSERT INTO holds_next (rowid, id, key, thread, state, ask, created_ms, expires_ms, decided_ms, decided_by, decided_issuer,
                        reason, used_by, used_ms, listed_ms, voices, pass)
SELECT rowid, id, key, thread, state, ask, created_ms, expires_ms, decided_ms, decided_by, decided_issuer,
       reason, used_by, used_ms, listed_ms, voices, pass
FROM holds;
DROP TABLE holds;
ALTER TABLE holds_next RENAME TO holds;
CREATE INDEX holds_key ON holds (key, created_ms);
CREATE INDEX holds_thread ON holds (thread, decided_ms);
CREATE INDEX holds_state ON holds (state, created_ms);
CREATE UNIQUE INDEX holds_waiting ON holds (key) WHERE state = 'waiting';
CREATE INDEX holds_masked ON holds (thread) WHERE masked IS NOT NULL;

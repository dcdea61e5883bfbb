-- What each said about a hold, as JSON; the pass that it opened, or that approved it.
ALTER TABLE holds ADD COLUMN voices TEXT;
ALTER TABLE holds ADD COLUMN pass TEXT;

-- What people say about a hold without deciding it.
CREATE TABLE comments (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hold    TEXT    NOT NULL,
    detail  TEXT    NOT NULL
);
CREATE INDEX comments_hold ON comments (hold, id);

-- Approvers' rights in the hands of others. `detail` is the whole; the other columns find it.
CREATE TABLE delegations (
    id         TEXT    PRIMARY KEY,
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    ends_ms    INTEGER NOT NULL,
    detail     TEXT    NOT NULL
);
CREATE INDEX delegations_to ON delegations (issuer, subject, ends_ms);

-- Approvals for a time, of whoever asked. `detail` is the whole; the other columns find it.
CREATE TABLE passes (
    id         TEXT    PRIMARY KEY,
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    ends_ms    INTEGER NOT NULL,
    detail     TEXT    NOT NULL
);
CREATE INDEX passes_of ON passes (issuer, subject, rule, ends_ms);

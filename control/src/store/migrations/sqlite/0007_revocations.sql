-- What is shut out before its end: tokens by their ids, subjects with all that was issued before a moment. The columns alone
-- shut out; `detail` says who did it and why.
CREATE TABLE revocations (
    kind      TEXT    NOT NULL CHECK (kind IN ('token', 'subject')),
    issuer    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    before_ms INTEGER NOT NULL,
    holder    TEXT,
    until_ms  INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    detail    TEXT    NOT NULL,
    PRIMARY KEY (kind, issuer, name)
);
CREATE INDEX revocations_until ON revocations (until_ms);
CREATE INDEX revocations_holder ON revocations (holder);

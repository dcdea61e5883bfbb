-- Policy that people have put in force, by number; the highest is. `documents` is JSON: texts by file name.
CREATE TABLE policies (
    number    INTEGER PRIMARY KEY,
    at_ms     INTEGER NOT NULL,
    documents TEXT    NOT NULL,
    signature BLOB    NOT NULL
);

-- Policy that somebody would put in force. `detail` is the whole but for the documents.
CREATE TABLE proposals (
    id         TEXT    PRIMARY KEY,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'accepted', 'rejected', 'withdrawn', 'stale')),
    created_ms INTEGER NOT NULL,
    documents  TEXT    NOT NULL,
    detail     TEXT    NOT NULL
);
CREATE INDEX proposals_state ON proposals (state, created_ms);

-- What sessions can be found by: the groups of their callers, models, tools, rules and kinds of findings in them.
CREATE TABLE session_marks (
    kind    TEXT NOT NULL,
    value   TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (kind, value, session)
) WITHOUT ROWID;
CREATE INDEX sessions_subject ON sessions (subject, last_ms);

-- What happened on each day (days since 1970, UTC), in all and by what it can be told apart: groups, models, rules,
-- kinds of findings, steps of latency. The log is the truth; this is a summary of it.
CREATE TABLE usage_days (
    day            INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    times          INTEGER NOT NULL,
    denied         INTEGER NOT NULL,
    held           INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) WITHOUT ROWID;

-- Sidecars, as they ask for their bundle.
CREATE TABLE sidecars (
    node      TEXT    PRIMARY KEY,
    filter    TEXT    NOT NULL,
    bundle    TEXT    NOT NULL,
    issued_ms INTEGER NOT NULL,
    first_ms  INTEGER NOT NULL,
    seen_ms   INTEGER NOT NULL
) WITHOUT ROWID;

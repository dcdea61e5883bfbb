-- What sessions can be found by: the groups of their callers, models, tools, rules and kinds of findings in them.
CREATE TABLE session_marks (
    kind    TEXT NOT NULL,
    value   TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (kind, value, session)
);
CREATE INDEX sessions_subject ON sessions (subject, last_ms);

-- What happened on each day (days since 1970, UTC), in all and by what it can be told apart: groups, models, rules,
-- kinds of findings, steps of latency. The log is the truth; this is a summary of it.
CREATE TABLE usage_days (
    day            BIGINT NOT NULL,
    kind           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    times          BIGINT NOT NULL,
    denied         BIGINT NOT NULL,
    held           BIGINT NOT NULL,
    input_tokens   BIGINT NOT NULL,
    output_tokens  BIGINT NOT NULL,
    cost_micro_usd BIGINT NOT NULL,
    PRIMARY KEY (day, kind, name)
);

-- Sidecars, as they ask for their bundle.
CREATE TABLE sidecars (
    node      TEXT    PRIMARY KEY,
    filter    TEXT    NOT NULL,
    bundle    TEXT    NOT NULL,
    issued_ms BIGINT NOT NULL,
    first_ms  BIGINT NOT NULL,
    seen_ms   BIGINT NOT NULL
);

-- What each identity has used, added up with the records. The log is the truth; this is a summary of it. `detail` is all
-- of it; the other columns find it.
CREATE TABLE usage (
    issuer   TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    first_ms BIGINT NOT NULL,
    detail   TEXT   NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Entries that were written before there was such a summary: behind `done`, up to `until`. The service adds them up.
CREATE TABLE usage_backlog (
    done  BIGINT NOT NULL,
    until BIGINT NOT NULL
);
INSERT INTO usage_backlog (done, until) SELECT 0, coalesce(max(id), 0) FROM entries;

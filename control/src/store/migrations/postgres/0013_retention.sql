-- The last day, since 1970, on which an entry named a block; absent: not looked at yet.
ALTER TABLE blocks ADD COLUMN used_day BIGINT;
CREATE INDEX blocks_used ON blocks (used_day) WHERE used_day IS NOT NULL;

-- How far retention has come: entries are looked at up to the cursor `marked`; blocks last named before `floor_day`
-- count as gone since `acted_ms`, and go.
CREATE TABLE retention (
    one       BIGINT PRIMARY KEY CHECK (one = 1),
    marked    BIGINT NOT NULL,
    floor_day BIGINT NOT NULL,
    acted_ms  BIGINT NOT NULL
);
INSERT INTO retention (one, marked, floor_day, acted_ms) VALUES (1, 0, -1, 0);

-- The last entry of each day in each chain.
CREATE TABLE chain_days (
    writer TEXT   NOT NULL,
    day    BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (writer, day)
);

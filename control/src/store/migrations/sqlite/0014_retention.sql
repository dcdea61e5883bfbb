-- The last day, since 1970, on which an entry named a block; absent: not looked at yet.
ALTER TABLE blocks ADD COLUMN used_day INTEGER;
CREATE INDEX blocks_used ON blocks (used_day) WHERE used_day IS NOT NULL;

-- How far retention has come: entries are looked at up to the cursor `marked`; blocks last named before `floor_day`
-- count as gone since `acted_ms`, and go.
CREATE TABLE retention (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    marked    INTEGER NOT NULL,
    floor_day INTEGER NOT NULL,
    acted_ms  INTEGER NOT NULL
);
INSERT INTO retention (one, marked, floor_day, acted_ms) VALUES (1, 0, -1, 0);

-- The last entry of each day in each chain.
CREATE TABLE chain_days (
    writer TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (writer, day)
) WITHOUT ROWID;

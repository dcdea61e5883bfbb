-- News, put here by the transaction that they come from, until deliveries are made of them. `entry` is that of the log.
CREATE TABLE outbox (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry TEXT   NOT NULL
);

-- Notices on their way, one row for each channel. `due_ms` is when a delivery is tried next; while it is tried, when that
-- try counts as lost; after its end, when that was.
CREATE TABLE deliveries (
    id         TEXT    PRIMARY KEY,
    channel    TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    notice     TEXT    NOT NULL,
    created_ms BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    due_ms     BIGINT NOT NULL,
    trouble    TEXT
);
CREATE INDEX deliveries_due ON deliveries (state, channel, due_ms);
CREATE INDEX deliveries_created ON deliveries (created_ms);

-- What was said by whom signs what they say, for as long as it could be said again.
CREATE TABLE said (
    key   BYTEA   PRIMARY KEY,
    at_ms BIGINT NOT NULL
);
CREATE INDEX said_at ON said (at_ms);

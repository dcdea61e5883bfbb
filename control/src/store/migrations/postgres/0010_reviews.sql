-- Access reviews. `detail` is all of it; the other columns find it.
CREATE TABLE reviews (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('open', 'closed')),
    started_ms  BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    remind_ms   BIGINT,
    detail      TEXT   NOT NULL
);
CREATE INDEX reviews_name ON reviews (name, started_ms);
CREATE INDEX reviews_state ON reviews (state, deadline_ms);

-- The rights that a review looks at, as they were at its start, and what was decided; empty: nothing.
CREATE TABLE review_items (
    review  TEXT   NOT NULL,
    n       BIGINT NOT NULL,
    decided TEXT   NOT NULL DEFAULT '' CHECK (decided IN ('', 'certified', 'revoked', 'reduced')),
    detail  TEXT   NOT NULL,
    PRIMARY KEY (review, n)
);
CREATE INDEX review_items_decided ON review_items (review, decided, n);

-- What reviews have taken back, for as long as nobody lifts it. Who and what stand in columns of their own as well, so
-- that a row whose `detail` is broken still takes back.
CREATE TABLE withheld (
    id      TEXT   PRIMARY KEY,
    state   TEXT   NOT NULL CHECK (state IN ('live', 'lifted')),
    issuer  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    role    TEXT   NOT NULL,
    at_ms   BIGINT NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE INDEX withheld_state ON withheld (state);

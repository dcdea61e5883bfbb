-- People who are signed in in a browser, by the SHA-256 of the id that the browser has. `detail` is the visit as it began.
CREATE TABLE visits (
    digest  TEXT    PRIMARY KEY,
    seen_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    detail  TEXT    NOT NULL
);
CREATE INDEX visits_ends ON visits (ends_ms);

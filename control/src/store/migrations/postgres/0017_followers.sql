-- Those who follow the log: each is done with the entries up to `done`. Until `until_ms` it is the turn of `holder` alone.
CREATE TABLE followers (
    name     TEXT   PRIMARY KEY,
    done     BIGINT NOT NULL,
    holder   TEXT   NOT NULL,
    until_ms BIGINT NOT NULL
);

-- SAML assertions that were used, by the SHA-256 of issuer and id, until nobody would take them any more.
CREATE TABLE used_assertions (
    hash     TEXT    PRIMARY KEY,
    until_ms INTEGER NOT NULL
);
CREATE INDEX used_assertions_until ON used_assertions (until_ms);

-- Sign-ins that last: each is a family of refresh tokens, of which one is good at a time and the hashes of all are kept.
CREATE TABLE families (
    id      TEXT    PRIMARY KEY,
    state   TEXT    NOT NULL CHECK (state IN ('live', 'ended')),
    ends_ms BIGINT NOT NULL,
    detail  TEXT    NOT NULL
);
CREATE INDEX families_ends ON families (ends_ms);
CREATE TABLE refresh_tokens (
    hash   TEXT    PRIMARY KEY,
    family TEXT    NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    used   BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
-- The tokens that a family comes from, and the family itself: it ends when one of them is revoked.
CREATE TABLE family_origins (
    issuer TEXT NOT NULL,
    token  TEXT NOT NULL,
    family TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, token, family)
);
CREATE INDEX family_origins_family ON family_origins (family);

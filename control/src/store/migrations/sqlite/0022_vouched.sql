-- What issuers said last of people, of that which was shown to control: when they said it; `detail` has the groups, as JSON.
CREATE TABLE vouched (
    issuer  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    said_ms BIGINT NOT NULL,
    detail  TEXT   NOT NULL,
    PRIMARY KEY (issuer, subject)
);

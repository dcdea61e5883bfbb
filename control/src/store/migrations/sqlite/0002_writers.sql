-- The keys of those who write the log, each vouched for by the key that signs bundles.
CREATE TABLE writers (
    writer    TEXT PRIMARY KEY,
    key       BLOB NOT NULL,
    signature BLOB NOT NULL
) WITHOUT ROWID;

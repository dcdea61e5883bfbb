-- Devices that wait for a person to let them in (RFC 8628). `code` is a hash; `detail` is the whole device.
CREATE TABLE devices (
    code       TEXT    PRIMARY KEY,
    user_code  TEXT    NOT NULL UNIQUE,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'denied')),
    expires_ms INTEGER NOT NULL,
    polled_ms  INTEGER NOT NULL,
    pause_ms   INTEGER NOT NULL,
    detail     TEXT    NOT NULL
);
CREATE INDEX devices_expires ON devices (expires_ms);

-- What went wrong last between a sidecar and control, when, and the records that wait there: as it tells with its poll.
ALTER TABLE sidecars ADD COLUMN trouble TEXT NOT NULL DEFAULT '';
ALTER TABLE sidecars ADD COLUMN trouble_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sidecars ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;

-- Up to which hold, in the order of their beginning, previews were removed.
ALTER TABLE retention ADD COLUMN previews_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE retention ADD COLUMN previews_id TEXT NOT NULL DEFAULT '';
CREATE INDEX holds_created ON holds (created_ms, id);

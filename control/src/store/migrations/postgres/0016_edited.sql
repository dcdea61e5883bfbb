-- A hold may be approved with more masked: `masked` has the texts, as JSON, and its state is `edited`. No hold with texts
-- is `approved`, so that a release that knows nothing of them can approve none as it is.
ALTER TABLE holds ADD COLUMN masked TEXT;
ALTER TABLE holds DROP CONSTRAINT holds_state_check;
ALTER TABLE holds ADD CONSTRAINT holds_state_check
    CHECK (state IN ('waiting', 'approved', 'edited', 'denied', 'expired'));
ALTER TABLE holds ADD CONSTRAINT holds_masked_check
    CHECK ((state <> 'approved' OR masked IS NULL) AND (state <> 'edited' OR masked IS NOT NULL));
CREATE INDEX holds_masked ON holds (thread) WHERE masked IS NOT NULL;

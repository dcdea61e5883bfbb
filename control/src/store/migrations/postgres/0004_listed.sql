-- When the definition of a tool that a hold is about was listed last; absent: when the hold was made.
ALTER TABLE holds ADD COLUMN listed_ms BIGINT;

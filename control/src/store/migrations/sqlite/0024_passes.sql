-- Finds what a pass has let through.
CREATE INDEX holds_pass ON holds (pass) WHERE pass IS NOT NULL;

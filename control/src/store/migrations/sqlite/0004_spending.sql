-- What was used of budgets: one row for each counter and Envoy that counts it. Each says what it has counted in all,
-- so that a report that comes twice, or late, changes nothing; what was used is the sum. `rev` grows with every change.
CREATE TABLE spending (
    budget          TEXT    NOT NULL,
    window_s        INTEGER NOT NULL,
    start_ms        INTEGER NOT NULL,
    holder          TEXT    NOT NULL,
    reporter        TEXT    NOT NULL,
    end_ms          INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    input_tokens    INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    cost_micro_usd  INTEGER NOT NULL,
    reserved_input  INTEGER NOT NULL,
    reserved_output INTEGER NOT NULL,
    reserved_cost   INTEGER NOT NULL,
    seen_ms         INTEGER NOT NULL,
    rev             INTEGER NOT NULL,
    PRIMARY KEY (budget, window_s, start_ms, holder, reporter)
) WITHOUT ROWID;
CREATE INDEX spending_rev ON spending (rev);
CREATE INDEX spending_end ON spending (end_ms);

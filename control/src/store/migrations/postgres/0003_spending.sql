-- What was used of budgets: one row for each counter and Envoy that counts it. Each says what it has counted in all,
-- so that a report that comes twice, or late, changes nothing; what was used is the sum. `rev` grows with every change.
CREATE TABLE spending (
    budget          TEXT    NOT NULL,
    window_s        BIGINT  NOT NULL,
    start_ms        BIGINT  NOT NULL,
    holder          TEXT    NOT NULL,
    reporter        TEXT    NOT NULL,
    end_ms          BIGINT  NOT NULL,
    requests        BIGINT  NOT NULL,
    input_tokens    BIGINT  NOT NULL,
    output_tokens   BIGINT  NOT NULL,
    cost_micro_usd  BIGINT  NOT NULL,
    reserved_input  BIGINT  NOT NULL,
    reserved_output BIGINT  NOT NULL,
    reserved_cost   BIGINT  NOT NULL,
    seen_ms         BIGINT  NOT NULL,
    rev             BIGINT  NOT NULL,
    PRIMARY KEY (budget, window_s, start_ms, holder, reporter)
);
CREATE INDEX spending_rev ON spending (rev);
CREATE INDEX spending_end ON spending (end_ms);

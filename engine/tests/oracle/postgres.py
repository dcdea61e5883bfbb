#!/usr/bin/env python3
"""Labels SQL by PostgreSQL's own grammar (PyPI `pglast`), as a second opinion on `command::sql`.

    postgres.py --generate 2000 --seed 7             writes statements of its own making
    postgres.py --files DIR --builtins NAMES         labels the statements of *.sql files below DIR

Writes lines `label<TAB>statement` (backslash, tab and line ends escaped):
    changes   PostgreSQL's parse tree holds something that changes data, structure, rights or the server
    session   only a transaction or a setting of the session
    reads     nothing of these; every function that it calls is built in
    hostile   reads, but written to mislead (the dialects disagree on its comments and strings)
    calls     reads, but calls a function that is not built in
"""

import argparse
import pathlib
import random
import sys

from pglast import ast, parser, parse_sql
from pglast.visitors import Visitor

# Volatile functions of pg_proc (PostgreSQL 16) that act. The others that are volatile only give varying answers.
ACTING = set("""
brin_desummarize_range brin_summarize_new_values brin_summarize_range cursor_to_xml cursor_to_xmlschema
gin_clean_pending_list lo_close lo_creat lo_create lo_export lo_from_bytea lo_import lo_open lo_put lo_truncate
lo_truncate64 lo_unlink loread lowrite nextval pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock
pg_advisory_unlock_all pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_backup_start
pg_backup_stop pg_cancel_backend pg_copy_logical_replication_slot pg_copy_physical_replication_slot
pg_create_logical_replication_slot pg_create_physical_replication_slot pg_create_restore_point
pg_drop_replication_slot pg_export_snapshot pg_extension_config_dump pg_import_system_collations
pg_log_backend_memory_contexts pg_log_standby_snapshot pg_logical_emit_message pg_logical_slot_get_binary_changes
pg_logical_slot_get_changes pg_ls_dir pg_nextoid pg_notify pg_promote pg_read_binary_file pg_read_file
pg_reload_conf pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop
pg_replication_origin_session_reset pg_replication_origin_session_setup pg_replication_origin_xact_reset
pg_replication_origin_xact_setup pg_replication_slot_advance pg_rotate_logfile pg_sleep pg_sleep_for pg_sleep_until
pg_stat_file pg_stat_reset pg_stat_reset_replication_slot pg_stat_reset_shared
pg_stat_reset_single_function_counters pg_stat_reset_single_table_counters pg_stat_reset_slru
pg_stat_reset_subscription_stats pg_switch_wal pg_terminate_backend pg_try_advisory_lock
pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_wal_replay_pause
pg_wal_replay_resume query_to_xml query_to_xml_and_xmlschema query_to_xmlschema set_config setseed setval ts_rewrite
ts_stat
""".split())

SESSION = (
    ast.TransactionStmt, ast.VariableSetStmt, ast.DiscardStmt, ast.DeclareCursorStmt, ast.FetchStmt,
    ast.ClosePortalStmt, ast.ListenStmt, ast.UnlistenStmt, ast.DeallocateStmt, ast.PrepareStmt,
    ast.ConstraintsSetStmt, ast.ExecuteStmt, ast.DoStmt, ast.CallStmt,
)


class Changes(Visitor):
    """Whether a tree changes something, and what it calls."""

    def __init__(self):
        super().__init__()
        self.changes = False
        self.calls = set()

    def __call__(self, node):
        super().__call__(node)
        return self

    def visit_SelectStmt(self, ancestors, node):
        if node.intoClause or node.lockingClause:
            self.changes = True

    def _acts(self, ancestors, node):
        self.changes = True

    visit_InsertStmt = visit_UpdateStmt = visit_DeleteStmt = visit_MergeStmt = visit_CreateTableAsStmt = _acts

    def visit_FuncCall(self, ancestors, node):
        names = [name.sval for name in node.funcname]
        self.calls.add(names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names))
        if names[-1] in ACTING:
            self.changes = True


def label(statement, builtins):
    tree = statement.stmt
    changes = Changes()(tree)
    if isinstance(tree, ast.SelectStmt):
        pass
    elif isinstance(tree, ast.ExplainStmt):
        analyze = any(option.defname == "analyze" for option in tree.options or ())
        if not analyze and not isinstance(tree.query, ast.SelectStmt):
            return "session"
        if isinstance(tree.query, ast.ExecuteStmt):
            return "changes"
    elif isinstance(tree, ast.VariableShowStmt):
        return "reads"
    elif isinstance(tree, ast.CopyStmt):
        if tree.is_from or tree.is_program or tree.filename:
            return "changes"
    elif isinstance(tree, SESSION):
        return "changes" if changes.changes else "session"
    else:
        return "changes"
    if changes.changes:
        return "changes"
    unknown = {name for name in changes.calls if name not in builtins} if builtins else set()
    return "calls" if unknown else "reads"


class Maker:
    """Makes statements at random: queries of many shapes, with things that act put in at random places."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        # Plain statements are what people write; the others are written to mislead a lexer.
        self.plain = False

    def one(self, *choices):
        choice = self.random.choice(choices)
        return choice() if callable(choice) else choice

    def chance(self, share):
        return self.random.random() < share

    def name(self):
        return self.one("users", "orders", "public.users", '"Order Items"', "t", "s", "app.t", "pg_class", "update_log")

    def column(self):
        return self.one("id", "name", "t.id", '"select"', "created_at", "total", "u.email", "is_deleted", "data")

    def literal(self):
        if self.plain:
            return self.one("1", "42", "'x'", "'it''s'", "NULL", "true", "1.5", "$1", "'2024-01-01'::date", "ARRAY[1, 2]")
        return self.one("1", "42", "'x'", "'it''s'", "'; DROP TABLE t; --'", "NULL", "true", "1.5", "$1",
                        "E'a\\'b'", "$q$;$q$", "'2024-01-01'::date", "ARRAY[1, 2]", "interval '1 day'")

    def acting(self):
        name = self.one(*sorted(ACTING))
        spelt = self.one(name, name.upper(), '"%s"' % name, "pg_catalog." + name, name.capitalize(), name + self.space())
        return "%s(%s)" % (spelt, self.one("", "1", "'x'", "'x', 1"))

    def space(self):
        if self.plain:
            return self.one(" ", " ", "\n", " /* c */ ", " -- c\n")
        return self.one(" ", "\n", "\t", " /* c */ ", " -- c\n", "/* /* n */ */", "  ", " /*;*/ ")

    def call(self):
        function = self.one("count", "sum", "lower", "coalesce", "max", "now", "length", "jsonb_build_object",
                            "date_trunc", "to_char", "round", "md5", "random", "string_agg", "pg_catalog.upper")
        if function == "now" or function == "random":
            return function + "()"
        return "%s(%s)" % (function, self.one("id", "name", "'month', created_at", "id, 1", "x::text"))

    def expression(self, depth, act):
        """An expression; `act` is how likely each place is to hold something that acts."""
        if self.chance(act):
            return self.acting()
        if depth <= 0:
            return self.one(self.column, self.literal)
        inner = lambda: self.expression(depth - 1, act)
        return self.one(
            self.column, self.literal, self.call,
            lambda: "%s %s %s" % (inner(), self.one("=", "<>", "+", "||", "<", "->>", "@>", "LIKE", "AND", "OR", "IS DISTINCT FROM"), inner()),
            lambda: "(%s)" % inner(),
            lambda: "CASE WHEN %s THEN %s ELSE %s END" % (inner(), inner(), inner()),
            lambda: "CAST(%s AS %s)" % (inner(), self.one("text", "numeric(10, 2)", "varchar(20)", "int[]")),
            lambda: "%s IN (%s, %s)" % (self.column(), inner(), inner()),
            lambda: "%s IN (%s)" % (self.column(), self.select(depth - 1, act)),
            lambda: "EXISTS (%s)" % self.select(depth - 1, act),
            lambda: "(%s)" % self.select(depth - 1, act),
            lambda: "%s BETWEEN %s AND %s" % (self.column(), self.literal(), self.literal()),
            lambda: "sum(%s) OVER (PARTITION BY %s ORDER BY %s)" % (self.column(), inner(), self.column()),
            lambda: "extract(year FROM %s)" % self.column(),
            lambda: "NOT %s" % self.column(),
            lambda: "%s(%s)" % (self.one("coalesce", "greatest", "concat", "nullif"), ", ".join([inner(), inner()])),
        )

    def source(self, depth, act):
        choices = [
            self.name,
            lambda: self.name() + " AS u",
            lambda: "%s JOIN %s ON %s" % (self.name(), "s AS b", self.expression(depth - 1, act)),
            lambda: "%s LEFT JOIN %s USING (id)" % (self.name(), "s AS b"),
            lambda: "generate_series(1, 10) AS g(n)",
            lambda: "(VALUES (1, 'a'), (2, 'b')) AS v (id, name)",
            lambda: "unnest(ARRAY[1, 2]) WITH ORDINALITY AS x(v, i)",
            lambda: "%s TABLESAMPLE SYSTEM (1)" % self.name(),
        ]
        if depth > 0:
            choices.append(lambda: "(%s) AS q" % self.select(depth - 1, act))
            choices.append(lambda: "t, LATERAL (%s) AS l" % self.select(depth - 1, act))
        return self.one(*choices)

    def changing(self, depth):
        condition = self.one("", " WHERE id = 5", " WHERE %s" % self.expression(1, 0))
        return self.one(
            "DELETE FROM %s%s" % (self.name(), condition),
            "UPDATE %s SET id = %s%s" % (self.name(), self.expression(1, 0), condition),
            "INSERT INTO %s VALUES (%s)" % (self.name(), self.literal()),
            "INSERT INTO %s (id, name) %s ON CONFLICT (id) DO UPDATE SET id = 1" % (self.name(), self.select(depth - 1, 0)),
            "MERGE INTO %s USING s ON true WHEN MATCHED THEN DELETE" % self.name(),
        )

    def select(self, depth, act):
        parts = []
        if depth > 0 and self.chance(0.2):
            queries = []
            for number in range(self.random.randint(1, 3)):
                if self.chance(act):
                    body = self.changing(depth) + " RETURNING *"
                else:
                    body = self.select(depth - 1, act)
                columns = self.one("", "", " (a)", " (a, b)")
                queries.append("c%d%s AS %s(%s)" % (number, columns, self.one("", "", "MATERIALIZED ", "NOT MATERIALIZED "), body))
            parts.append("WITH %s%s" % (self.one("", "", "RECURSIVE "), ", ".join(queries)))
        head = self.one("SELECT", "SELECT", "SELECT", "SELECT DISTINCT", "SELECT DISTINCT ON (id)", "SELECT ALL")
        columns = [self.expression(depth, act) + self.one("", "", " AS x", ' AS "update"') for _ in range(self.random.randint(1, 3))]
        parts.append("%s %s" % (head, self.one("*", ", ".join(columns), ", ".join(columns))))
        if self.chance(act / 2):
            parts.append("INTO %s%s" % (self.one("", "TEMP ", "TABLE "), "x_new"))
        if self.chance(0.9):
            parts.append("FROM " + self.source(depth, act))
        if self.chance(0.5):
            parts.append("WHERE " + self.expression(depth, act))
        if self.chance(0.2):
            parts.append("GROUP BY " + self.one("1", "id", "ROLLUP (id, name)", "GROUPING SETS ((id), ())") + self.one("", " HAVING count(*) > 1"))
        if self.chance(0.2):
            parts.append("%s SELECT %s FROM t" % (self.one("UNION", "UNION ALL", "EXCEPT", "INTERSECT"), self.expression(0, act)))
        if self.chance(0.3):
            parts.append("ORDER BY %s %s" % (self.expression(depth - 1, act), self.one("", "DESC", "NULLS LAST")))
        if self.chance(0.3):
            parts.append(self.one("LIMIT 5", "LIMIT 5 OFFSET 10", "FETCH FIRST 5 ROWS ONLY", "OFFSET 5"))
        if self.chance(act / 2):
            parts.append(self.one("FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE", "FOR UPDATE OF t NOWAIT", "FOR UPDATE SKIP LOCKED"))
        return self.space().join(parts)

    def statement(self):
        act = self.one(0, 0, 0.05, 0.15)
        self.plain = act == 0 and self.chance(0.8)
        query = lambda: self.select(self.random.randint(0, 3), act)
        text = self.one(
            query, query, query, query, query, query,
            lambda: "EXPLAIN " + query(),
            lambda: "EXPLAIN %s %s" % (self.one("ANALYZE", "(ANALYZE)", "(BUFFERS, ANALYZE)", "ANALYZE VERBOSE"), self.one(query, lambda: self.changing(1))),
            lambda: "(%s)" % query(),
            lambda: "COPY (%s) TO %s" % (query(), self.one("STDOUT", "STDOUT", "'/tmp/x'", "PROGRAM 'cat'")),
            lambda: self.changing(2),
            lambda: "CREATE TABLE x AS " + query(),
            lambda: "PREPARE p AS " + query(),
            lambda: "DECLARE c CURSOR FOR " + query(),
        )
        return self.recase(text)

    def recase(self, text):
        return self.one(text, text, text, text.replace("SELECT", "select").replace("FROM", "From"), "  " + text, "-- c\n" + text, text + " ;")


def escape(text):
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text


def generated(count, seed):
    maker = Maker(seed)
    while count:
        text = maker.statement()
        if len(text) > 1500:
            continue
        count -= 1
        yield maker.plain, text


def from_files(directory):
    for path in sorted(pathlib.Path(directory).rglob("*.sql")):
        lines = path.read_text(errors="replace").split("\n")
        text = "\n".join(line for line in lines if not line.startswith("\\"))
        try:
            yield from ((True, text) for text in parser.split(text, with_parser=False))
        except parser.ParseError:
            continue


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--generate", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--files")
    arguments.add_argument("--builtins")
    options = arguments.parse_args()
    builtins = set(pathlib.Path(options.builtins).read_text().split()) if options.builtins else None
    texts = from_files(options.files) if options.files else generated(options.generate, options.seed)
    refused = 0
    for plain, text in texts:
        try:
            statements = parse_sql(text)
        except parser.ParseError:
            refused += 1
            continue
        if len(statements) == 1:
            found = label(statements[0], builtins)
            print("hostile" if found == "reads" and not plain else found, escape(text), sep="\t")
    print(f"{refused} were refused by the grammar", file=sys.stderr)


if __name__ == "__main__":
    main()

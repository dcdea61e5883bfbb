//! What a reading promises, beside the corpora in `tests/corpus`.

use super::*;

#[test]
fn unknown_is_worse_than_anything_a_policy_names() {
    let reading = sql("DROP TABLE t; XYZZY");
    assert_eq!(reading.worst(), Effect::Unknown);
    assert!(reading.effects().contains(Effect::Destroy));
    assert_eq!(Effect::ALL.into_iter().max(), Some(Effect::Unknown));
    assert!(Effect::ALL.is_sorted());
}

#[test]
fn effects_have_the_names_that_policies_and_records_write() {
    for effect in Effect::ALL {
        assert_eq!(serde_json::to_string(&effect).unwrap(), format!("\"{effect}\""));
    }
}

#[test]
fn a_set_of_effects_lists_them_from_the_least_to_the_most_severe() {
    let effects: Effects =
        [Effect::Unknown, Effect::Read, Effect::Destroy, Effect::Read].into_iter().collect();
    assert_eq!(effects.iter().collect::<Vec<_>>(), [Effect::Read, Effect::Destroy, Effect::Unknown]);
    assert!(!effects.contains(Effect::Write) && !effects.is_empty());
    assert!(Effects::default().is_empty());
}

#[test]
fn text_without_a_statement_is_unknown() {
    for text in ["", " ", ";", "-- nothing", "# nothing", "\n\n"] {
        assert_eq!(sql(text).worst(), Effect::Unknown, "{text:?}");
        assert_eq!(shell(text).worst(), Effect::Unknown, "{text:?}");
    }
}

#[test]
fn a_statement_says_where_it_stands_and_what_it_touches() {
    let text = "SELECT a FROM users u JOIN app.orders o ON true; DROP TABLE IF EXISTS \"old data\"";
    let reading = sql(text);
    let [select, drop] = reading.statements.as_slice() else { panic!("{reading:?}") };
    assert_eq!((select.effect, text.get(select.text.clone())), (Effect::Read, text.get(..47)));
    assert_eq!(select.objects, ["users", "app.orders"]);
    assert_eq!((drop.effect, text.get(drop.text.clone())), (Effect::Destroy, text.get(49..)));
    assert_eq!(drop.objects, ["old data"]);

    let text = "ls | head; rm -rf build dist > log";
    let reading = shell(text);
    let rm = reading.statements.iter().find(|statement| statement.effect == Effect::Destroy).unwrap();
    assert_eq!(rm.objects, ["build", "dist"]);
    assert!(text.get(rm.text.clone()).unwrap().starts_with("rm -rf build"));
}

#[test]
fn a_reason_never_repeats_a_literal() {
    for text in [
        "SELECT f('s3cret'), pg_sleep(4711) FROM t",
        "DELETE FROM t WHERE a = 's3cret'",
        "COPY t FROM 's3cret'",
    ] {
        for statement in sql(text).statements {
            assert!(!statement.why.contains("s3cret") && !statement.why.contains("4711"), "{statement:?}");
        }
    }
    for text in [
        "psql -c \"ALTER USER a PASSWORD 's3cret'\"",
        "curl -H 's3cret' -X POST x",
        "PGPASSWORD=s3cret psql -c 'DROP TABLE t'",
    ] {
        for statement in shell(text).statements {
            assert!(
                !statement.why.contains("s3cret") && !statement.objects.iter().any(|o| o.contains("s3cret")),
                "{statement:?}"
            );
        }
    }
}

#[test]
fn one_statement_shows_everything_that_it_does() {
    let effects =
        sql("WITH x AS (DELETE FROM t RETURNING *) SELECT pg_terminate_backend(1) INTO y FROM x FOR UPDATE")
            .effects();
    for effect in [Effect::Write, Effect::Define, Effect::Destroy, Effect::Administer] {
        assert!(effects.contains(effect), "{effect}");
    }
}

#[test]
fn more_statements_than_are_listed_end_in_one_that_is_unknown() {
    let reading = sql(&"SELECT 1;".repeat(MAX_STATEMENTS + 5));
    assert_eq!(reading.statements.len(), MAX_STATEMENTS + 1);
    assert_eq!(reading.worst(), Effect::Unknown);
    assert_eq!(shell(&"ls;".repeat(MAX_STATEMENTS + 5)).worst(), Effect::Unknown);
}

#[test]
fn a_condition_that_clearly_restricts_makes_a_change_of_rows_a_write() {
    let conditions = [
        "id = 5",
        "id IN (1, 2, 3)",
        "id = $1 AND deleted = true",
        "user_id = 5 AND 1 = 1",
        "(id = 5) OR (id = 6)",
        "created_at < now() - interval '30 days'",
        "created_at BETWEEN '2024-01-01' AND '2024-02-01'",
        "name LIKE 'test-%'",
        "deleted_at IS NULL",
        "lower(email) = 'a@example.com'",
        "t_id IN (SELECT id FROM u WHERE name = 'x')",
        "EXISTS (SELECT 1 FROM u WHERE u.id = 5)",
        "id > 100",
        "NOT active AND id = 5",
    ];
    for condition in conditions {
        for statement in
            [format!("DELETE FROM t WHERE {condition}"), format!("UPDATE t SET a = 1 WHERE {condition}")]
        {
            assert_eq!(
                sql(&statement).worst(),
                Effect::Write,
                "{statement}: {:?}",
                sql(&statement).statements
            );
        }
    }
}

#[test]
fn what_is_written_into_is_called_what_it_is() {
    for (text, says) in [
        ("VACUUM INTO 'copy.db'", "writes a copy"),
        ("LOAD DATA INFILE 'f' INTO TABLE t", "adds rows"),
        ("SELECT 1 INTO t", "creates a table"),
    ] {
        let why: Vec<_> = sql(text).statements.into_iter().map(|statement| statement.why).collect();
        assert!(why.iter().any(|why| why.contains(says)), "{text}: {why:?}");
        assert_eq!(
            why.iter().any(|why| why.contains("SELECT INTO")),
            text.starts_with("SELECT"),
            "{text}: {why:?}"
        );
    }
}

#[test]
fn a_name_of_very_many_parts_is_read_without_depth() {
    let text = format!("SELECT * FROM {}a", "\"a\".".repeat(100_000));
    assert!(!sql(&text).statements.is_empty());
}

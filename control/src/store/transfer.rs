//! The whole of a store, from a PostgreSQL into a file of SQLite and back.
//!
//! Both have the same tables, so that a file is a form of the store that needs no server: a backup can be verified where it
//! lies, and restored into either. What is read is one moment of the database, also while replicas write to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ed25519_dalek::SigningKey;
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::postgres::{self, Postgres};
use super::sqlite::{self, Sqlite};
use super::{Store as _, StoreError};
use crate::store::numbers::{numbers, rows_of};

/// Rows that are written in one statement to PostgreSQL.
const ROWS: usize = 64;

/// What a column has, as PostgreSQL calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Switch,
    Text,
    Bytes,
}

/// A column.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    kind: Kind,
    /// Whether the file has text where PostgreSQL has bytes, which unlike its text may hold anything.
    text_in_file: bool,
    /// Whether PostgreSQL numbers its rows by it.
    identity: bool,
}

/// A table that both have.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Whether only PostgreSQL has the column `rowid`; the file keeps the order of its rows without one.
    numbered: bool,
}

/// A value on its way.
enum Value {
    Number(Option<i64>),
    Switch(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// Copies a PostgreSQL, as it is at one moment, into a new file.
///
/// # Errors
/// When either cannot be opened, read or written, and when they are of different versions.
pub async fn to_file(url: &str, file: &Path, key: SigningKey) -> Result<(), StoreError> {
    // Its tables are made as the service makes them.
    Sqlite::open(file, key).await?.close().await;
    let mut source = postgres::connection(url).await?;
    let mut target = sqlite::connection(file).await?;
    let mut reading = source.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut writing = target.begin().await?;
    for table in tables(&mut writing, &mut reading).await? {
        run(&mut writing, &format!("DELETE FROM {}", quoted(&table.name))).await?;
        let names = names(&table);
        let values = numbers(1, table.columns.len());
        let insert = format!("INSERT INTO {} ({names}) VALUES ({values})", quoted(&table.name));
        let select = select(&table, |column| match column.kind {
            Kind::Number => format!("CAST({} AS BIGINT)", quoted(&column.name)),
            _ => quoted(&column.name),
        });
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *reading);
        while let Some(row) = rows.try_next().await? {
            let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
            for (n, column) in table.columns.iter().enumerate() {
                query = match of_postgres(&row, n, column)? {
                    Value::Number(number) => query.bind(number),
                    Value::Switch(switch) => query.bind(switch),
                    Value::Text(text) => query.bind(text),
                    Value::Bytes(bytes) => query.bind(bytes),
                };
            }
            query.execute(&mut *writing).await?;
        }
    }
    writing.commit().await?;
    reading.rollback().await?;
    source.close().await?;
    Ok(target.close().await?)
}

/// Copies a file into a PostgreSQL that has no log yet.
///
/// # Errors
/// When either cannot be opened, read or written, when they are of different versions, and [`StoreError::Occupied`]. Then nothing
/// was written.
pub async fn to_postgres(file: &Path, url: &str, key: SigningKey) -> Result<(), StoreError> {
    Postgres::connect(url, key).await?.close().await;
    let mut source = sqlite::connection(file).await?;
    let mut target = postgres::connection(url).await?;
    let mut reading = source.begin().await?;
    let mut writing = target.begin().await?;
    postgres::take_turn(&mut writing).await?;
    for table in ["entries", "blocks", "policies", "holds"] {
        let sql = format!("SELECT 1 FROM {table} LIMIT 1");
        if sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *writing).await?.is_some() {
            return Err(StoreError::Occupied);
        }
    }
    let tables = tables(&mut reading, &mut writing).await?;
    // Those that refer to others are emptied before them.
    for table in tables.iter().rev() {
        let sql = format!("DELETE FROM {}", quoted(&table.name));
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *writing).await?;
    }
    for table in &tables {
        let select = select(table, |column| quoted(&column.name));
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *reading);
        let mut some = Vec::with_capacity(ROWS);
        loop {
            let row = rows.try_next().await?;
            let ended = row.is_none();
            some.extend(row);
            if some.len() == ROWS || (ended && !some.is_empty()) {
                insert(&mut writing, table, &some).await?;
                some.clear();
            }
            if ended {
                break;
            }
        }
        for column in table.columns.iter().filter(|column| column.identity) {
            let (name, column) = (&table.name, &column.name);
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), greatest(max({column}), 1), max({column}) IS NOT \
                 NULL) FROM {}",
                quoted(name)
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *writing).await?;
        }
    }
    writing.commit().await?;
    reading.rollback().await?;
    source.close().await?;
    Ok(target.close().await?)
}

async fn insert(connection: &mut PgConnection, table: &Table, rows: &[SqliteRow]) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}",
        quoted(&table.name),
        names(table),
        rows_of(rows.len(), table.columns.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(rows.len() == ROWS);
    for row in rows {
        for (n, column) in table.columns.iter().enumerate() {
            query = match of_file(row, n, column)? {
                Value::Number(number) => query.bind(number),
                Value::Switch(switch) => query.bind(switch),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
    }
    query.execute(connection).await?;
    Ok(())
}

fn of_postgres(row: &PgRow, n: usize, column: &Column) -> Result<Value, StoreError> {
    Ok(match column.kind {
        Kind::Number => Value::Number(row.try_get(n)?),
        Kind::Switch => Value::Switch(row.try_get(n)?),
        Kind::Text => Value::Text(row.try_get(n)?),
        Kind::Bytes if column.text_in_file => {
            let bytes: Option<Vec<u8>> = row.try_get(n)?;
            // What is not UTF-8 was tampered with: it becomes something that its digest does not fit.
            Value::Text(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        }
        Kind::Bytes => Value::Bytes(row.try_get(n)?),
    })
}

fn of_file(row: &SqliteRow, n: usize, column: &Column) -> Result<Value, StoreError> {
    Ok(match column.kind {
        Kind::Number => Value::Number(row.try_get(n)?),
        Kind::Switch => Value::Switch(row.try_get(n)?),
        Kind::Text => Value::Text(row.try_get(n)?),
        Kind::Bytes if column.text_in_file => {
            Value::Bytes(row.try_get::<Option<String>, _>(n)?.map(String::into_bytes))
        }
        Kind::Bytes => Value::Bytes(row.try_get(n)?),
    })
}

/// All rows, in the order in which they were written where that counts.
fn select(table: &Table, column: impl Fn(&Column) -> String) -> String {
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let order = if table.numbered { " ORDER BY rowid" } else { "" };
    format!("SELECT {} FROM {}{order}", columns.join(", "), quoted(&table.name))
}

fn names(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

/// A name that a database itself has told.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}

/// The tables that both have; those that others refer to come before them. The index of texts is none of them: each database
/// has its own form of it, and the service makes it anew from the log.
async fn tables(file: &mut SqliteConnection, server: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let different = |what: String| StoreError::Unreadable {
        what: "the database".into(),
        why: format!("{what}: it is of another version; have this version's `sluice serve` open it once"),
    };
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
               AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> '_sqlx_migrations'
               AND name NOT IN ('texts', 'session_texts', 'text_index') ORDER BY name";
    let mut of_file = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(&mut *file).await? {
        let name: String = row.try_get(0)?;
        let sql = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
        let rows = sqlx::query(sql).bind(&name).fetch_all(&mut *file).await?;
        let columns: Vec<(String, String)> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, StoreError>>()?;
        let sql = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)";
        let rows = sqlx::query(sql).bind(&name).fetch_all(&mut *file).await?;
        let parents: BTreeSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        of_file.insert(name, (columns, parents));
    }
    let sql = "SELECT table_name::text, column_name::text, data_type::text, is_identity = 'YES'
               FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'
                 AND table_name NOT IN ('texts', 'session_texts', 'text_index', 'words')";
    let mut of_server: BTreeMap<String, BTreeMap<String, (Kind, bool)>> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(&mut *server).await? {
        let (table, column, kind): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let kind = match kind.as_str() {
            "bigint" | "integer" | "smallint" => Kind::Number,
            "boolean" => Kind::Switch,
            "text" => Kind::Text,
            "bytea" => Kind::Bytes,
            other => return Err(different(format!("{table}.{column} is a {other}"))),
        };
        of_server.entry(table).or_default().insert(column, (kind, row.try_get(3)?));
    }
    if let Some(table) = of_server.keys().find(|name| !of_file.contains_key(*name)) {
        return Err(different(format!("only PostgreSQL has a table {table}")));
    }
    let mut all: Vec<Table> = Vec::new();
    while let Some(name) = of_file
        .iter()
        .find(|(_, (_, parents))| parents.iter().all(|parent| all.iter().any(|done| done.name == *parent)))
        .map(|(name, _)| name.clone())
    {
        let (columns, _) = of_file.remove(&name).unwrap_or_default();
        let mut there =
            of_server.remove(&name).ok_or_else(|| different(format!("PostgreSQL has no table {name}")))?;
        let mut table = Table { name, columns: Vec::new(), numbered: false };
        for (column, declared) in columns {
            let (kind, identity) = there
                .remove(&column)
                .ok_or_else(|| different(format!("PostgreSQL has no column {}.{column}", table.name)))?;
            let text_in_file = declared.eq_ignore_ascii_case("TEXT");
            table.columns.push(Column { name: column, kind, text_in_file, identity });
        }
        table.numbered = there.remove("rowid").is_some();
        if let Some(column) = there.keys().next() {
            return Err(different(format!("only PostgreSQL has a column {}.{column}", table.name)));
        }
        all.push(table);
    }
    match of_file.keys().next() {
        Some(table) => Err(different(format!("{table} refers to a table that is not there"))),
        None => Ok(all),
    }
}

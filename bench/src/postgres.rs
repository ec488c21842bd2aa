//! Writing stored rows to PostgreSQL, in each of the ways there are.

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, Postgres};
use std::sync::Arc;
use wrenchtime_connector::SystemClock;
use wrenchtime_store::{PostgresOptions, PostgresStore};

use crate::place::Place;
use crate::stored::{Batch, Cell, Row, Stored, TABLES};

/// How rows come into a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Way {
    /// One statement for each table, an array for each column, as the store does it.
    Unnest,
    /// The server's bulk load, in its binary format. It can neither compare nor replace.
    Copy,
    /// The bulk load into a temporary table, and from there one statement that replaces what is there.
    Staged,
    /// A statement for each row.
    Rows,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Unnest, Self::Copy, Self::Staged, Self::Rows];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unnest => "unnest",
            Self::Copy => "copy",
            Self::Staged => "staged copy",
            Self::Rows => "row by row",
        }
    }
}

/// What a column holds there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Int,
    Text,
    Bytes,
    Uuid,
    Bool,
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Int => "bigint",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Uuid => "uuid",
            Self::Bool => "boolean",
        }
    }
}

/// The columns of each table, in the order of [`TABLES`]. SQLite has one more, a record's row number.
const COLUMNS: [&[(&str, Kind)]; 3] = [
    &[
        ("connection", Kind::Int),
        ("row", Kind::Int),
        ("entity", Kind::Text),
        ("sort_key", Kind::Text),
        ("key", Kind::Text),
        ("version", Kind::Text),
        ("hash", Kind::Bytes),
        ("mapped_by", Kind::Text),
        ("observation", Kind::Int),
        ("gone", Kind::Bool),
        ("resources", Kind::Text),
        ("changed_at", Kind::Int),
        ("changed_text", Kind::Text),
        ("quarantine_reason", Kind::Text),
        ("tried_by", Kind::Text),
        ("body", Kind::Text),
    ],
    &[
        ("connection", Kind::Int),
        ("resource", Kind::Text),
        ("id", Kind::Uuid),
        ("document", Kind::Int),
        ("remote_id", Kind::Text),
        ("content_hash", Kind::Bytes),
        ("created_at", Kind::Int),
        ("modified_at", Kind::Int),
        ("remote_created_at", Kind::Int),
        ("remote_modified_at", Kind::Int),
        ("deleted", Kind::Bool),
        ("sequence", Kind::Int),
        ("status", Kind::Text),
        ("asset_id", Kind::Uuid),
        ("due_at", Kind::Int),
        ("completed_at", Kind::Int),
        ("order_date", Kind::Text),
        ("delivery_date", Kind::Text),
        ("envelope", Kind::Text),
        ("content", Kind::Text),
    ],
    &[
        ("connection", Kind::Int),
        ("sequence", Kind::Int),
        ("time", Kind::Int),
        ("type", Kind::Text),
        ("resource", Kind::Text),
        ("record", Kind::Uuid),
        ("initial", Kind::Bool),
        ("data", Kind::Text),
    ],
];

/// What makes a row of each table the one that is there.
const KEYS: [&str; 3] = [
    "connection, row",
    "connection, resource, id",
    "connection, sequence",
];

/// A database with the store's tables, written to by one connection.
#[derive(Debug)]
pub(crate) struct Target {
    connection: PgConnection,
    /// Where each column stands among those of SQLite.
    places: [Vec<usize>; 3],
    way: Way,
}

impl Target {
    /// Makes the store's tables and indexes in an empty place.
    pub(crate) async fn open(place: &Place, stored: &Stored, way: Way) -> Result<Self> {
        let url = place.database().context("the place is on no server")?;
        let options = PostgresOptions::new(SecretString::from(url), Arc::new(SystemClock));
        PostgresStore::open(options).await?.close().await;
        let mut places: [Vec<usize>; 3] = Default::default();
        for (table, columns) in COLUMNS.into_iter().enumerate() {
            for (name, _) in columns {
                let mut known = stored.columns[table].iter();
                let at = known.position(|column| column == name);
                places[table].push(at.with_context(|| format!("there is no column {name}"))?);
            }
        }
        let mut connection = place.connect().await?;
        if way == Way::Staged {
            for table in TABLES {
                let stage = format!("CREATE TEMPORARY TABLE new_{table} (LIKE {table})");
                sqlx::raw_sql(AssertSqlSafe(stage))
                    .execute(&mut connection)
                    .await?;
            }
        }
        Ok(Self {
            connection,
            places,
            way,
        })
    }

    /// Writes a page in a transaction.
    pub(crate) async fn insert(&mut self, batch: &Batch) -> Result<()> {
        let Self {
            connection,
            places,
            way,
        } = self;
        let mut transaction = connection.begin().await?;
        for (table, rows) in batch.tables.iter().enumerate() {
            if rows.is_empty() {
                continue;
            }
            let part = Part {
                table,
                rows,
                places: &places[table],
            };
            match way {
                Way::Unnest => part.unnest(&mut transaction).await?,
                Way::Copy => part.copy(&mut transaction, TABLES[table]).await?,
                Way::Staged => part.stage(&mut transaction).await?,
                Way::Rows => part.row_by_row(&mut transaction).await?,
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }
}

/// A page's rows of one table.
struct Part<'p> {
    table: usize,
    rows: &'p [Row],
    places: &'p [usize],
}

impl<'p> Part<'p> {
    fn columns(&self) -> String {
        let names: Vec<&str> = COLUMNS[self.table].iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// What the store says where a row is there already; here none is.
    fn replaces(&self) -> String {
        let columns = COLUMNS[self.table].iter();
        let set: Vec<String> = columns
            .map(|(name, _)| format!("{name} = excluded.{name}"))
            .collect();
        format!(
            "ON CONFLICT ({}) DO UPDATE SET {}",
            KEYS[self.table],
            set.join(", ")
        )
    }

    async fn unnest(&self, connection: &mut PgConnection) -> Result<()> {
        let arrays: Vec<String> = COLUMNS[self.table]
            .iter()
            .enumerate()
            .map(|(at, (_, kind))| format!("${}::{}[]", at + 1, kind.sql()))
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST({}) {}",
            TABLES[self.table],
            self.columns(),
            arrays.join(", "),
            self.replaces(),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (column, (_, kind)) in COLUMNS[self.table].iter().enumerate() {
            query = self.bind_column(query, column, *kind)?;
        }
        query.execute(connection).await?;
        Ok(())
    }

    fn bind_column(
        &self,
        query: Query<'p, Postgres, PgArguments>,
        column: usize,
        kind: Kind,
    ) -> Result<Query<'p, Postgres, PgArguments>> {
        let at = self.places[column];
        let cells = self.rows.iter().map(move |row| &row[at]);
        Ok(match kind {
            Kind::Int => query.bind(cells.map(integer).collect::<Result<Vec<_>>>()?),
            Kind::Text => query.bind(cells.map(text).collect::<Result<Vec<_>>>()?),
            Kind::Bytes => query.bind(cells.map(bytes).collect::<Result<Vec<_>>>()?),
            Kind::Uuid => query.bind(cells.map(uuid).collect::<Result<Vec<_>>>()?),
            Kind::Bool => query.bind(cells.map(boolean).collect::<Result<Vec<_>>>()?),
        })
    }

    async fn row_by_row(&self, connection: &mut PgConnection) -> Result<()> {
        let columns = COLUMNS[self.table];
        let values: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({}) {}",
            TABLES[self.table],
            self.columns(),
            values.join(", "),
            self.replaces(),
        );
        for row in self.rows {
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
            for ((_, kind), at) in columns.iter().zip(self.places) {
                let cell = &row[*at];
                query = match kind {
                    Kind::Int => query.bind(integer(cell)?),
                    Kind::Text => query.bind(text(cell)?),
                    Kind::Bytes => query.bind(bytes(cell)?),
                    Kind::Uuid => query.bind(uuid(cell)?),
                    Kind::Bool => query.bind(boolean(cell)?),
                };
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn stage(&self, connection: &mut PgConnection) -> Result<()> {
        let table = TABLES[self.table];
        self.copy(connection, &format!("new_{table}")).await?;
        let columns = self.columns();
        let replaces = self.replaces();
        let sql =
            format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new_{table} {replaces}");
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await?;
        sqlx::query(AssertSqlSafe(format!("TRUNCATE new_{table}")))
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn copy(&self, connection: &mut PgConnection, into: &str) -> Result<()> {
        let sql = format!(
            "COPY {into} ({}) FROM STDIN (FORMAT binary)",
            self.columns()
        );
        let mut copy = connection.copy_in_raw(&sql).await?;
        copy.send(self.binary()?).await?;
        copy.finish().await?;
        Ok(())
    }

    /// Writes the rows in the server's binary format: a signature, flags and a header's length, then for each row its
    /// number of columns and for each column its length and bytes.
    fn binary(&self) -> Result<Vec<u8>> {
        let mut to = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        let columns = COLUMNS[self.table];
        for row in self.rows {
            to.extend(i16::try_from(columns.len())?.to_be_bytes());
            for ((_, kind), at) in columns.iter().zip(self.places) {
                let cell = &row[*at];
                if matches!(cell, Cell::Null) {
                    to.extend((-1_i32).to_be_bytes());
                    continue;
                }
                match kind {
                    Kind::Int => field(&mut to, &integer(cell)?.unwrap_or_default().to_be_bytes())?,
                    Kind::Text => field(&mut to, text(cell)?.unwrap_or_default().as_bytes())?,
                    Kind::Bytes | Kind::Uuid => field(&mut to, bytes(cell)?.unwrap_or_default())?,
                    Kind::Bool => {
                        field(&mut to, &[u8::from(boolean(cell)?.unwrap_or_default())])?;
                    }
                }
            }
        }
        to.extend((-1_i16).to_be_bytes());
        Ok(to)
    }
}

fn field(to: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    to.extend(i32::try_from(bytes.len())?.to_be_bytes());
    to.extend_from_slice(bytes);
    Ok(())
}

fn integer(cell: &Cell) -> Result<Option<i64>> {
    Ok(match cell {
        Cell::Null => None,
        Cell::Integer(number) => Some(*number),
        other => bail!("{other:?} is no number"),
    })
}

fn text(cell: &Cell) -> Result<Option<&str>> {
    Ok(match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text),
        other => bail!("{other:?} is no text"),
    })
}

fn bytes(cell: &Cell) -> Result<Option<&[u8]>> {
    Ok(match cell {
        Cell::Null => None,
        Cell::Blob(bytes) => Some(bytes),
        other => bail!("{other:?} is no bytes"),
    })
}

fn uuid(cell: &Cell) -> Result<Option<Uuid>> {
    Ok(bytes(cell)?.map(Uuid::from_slice).transpose()?)
}

fn boolean(cell: &Cell) -> Result<Option<bool>> {
    Ok(integer(cell)?.map(|number| number != 0))
}

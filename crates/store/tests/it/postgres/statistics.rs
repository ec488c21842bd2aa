//! What the server knows of the tables when it plans.

use super::PostgresFixture;
use crate::fixture::{Fixture, Lane};

/// Without it each page of a first sync is looked up as if the tables were empty.
#[tokio::test]
async fn the_server_looks_at_the_tables_once_there_are_rows() {
    let fixture = PostgresFixture::new().await;
    let lane = Lane::begin(&fixture).await;
    let documents = (0..501).map(|number| lane.document(&number.to_string(), "a"));
    lane.commit(documents.collect()).await;
    let mut server = fixture.database.connect().await;
    for table in ["documents", "records", "events"] {
        let rows: f32 = sqlx::query_scalar(
            "SELECT reltuples FROM pg_class WHERE oid = ('wrenchtime.' || $1)::regclass",
        )
        .bind(table)
        .fetch_one(&mut server)
        .await
        .unwrap();
        assert!(rows >= 501.0, "{table}: {rows}");
    }
    fixture.close().await;
}

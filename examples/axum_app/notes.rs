//! Notes: JSON outside, SQLite inside.

use std::path::Path;

use axum::extract::{Path as Part, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::App;
use crate::failure::Failure;

/// Opens the database, and makes what is missing.
pub(crate) async fn open(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let db = SqlitePool::connect_with(options).await?;
    for table in [
        "create table if not exists notes (id integer primary key, text text not null)",
        "create table if not exists files (id integer primary key, name text, size integer)",
    ] {
        sqlx::query(table).execute(&db).await?;
    }
    Ok(db)
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(read).delete(remove))
}

async fn list(State(app): State<App>) -> Result<Json<Value>, Failure> {
    let notes: Vec<(i64, String)> = sqlx::query_as("select id, text from notes order by id")
        .fetch_all(&app.db)
        .await?;
    Ok(Json(
        notes.iter().map(|(id, text)| note(*id, text)).collect(),
    ))
}

async fn create(
    State(app): State<App>,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Some(text) = body["text"].as_str() else {
        let why = "a note needs a text".to_owned();
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, why));
    };
    let id = sqlx::query("insert into notes (text) values (?)")
        .bind(text)
        .execute(&app.db)
        .await?
        .last_insert_rowid();
    Ok((StatusCode::CREATED, Json(note(id, text))))
}

async fn read(State(app): State<App>, Part(id): Part<i64>) -> Result<Json<Value>, Failure> {
    let text: Option<String> = sqlx::query_scalar("select text from notes where id = ?")
        .bind(id)
        .fetch_optional(&app.db)
        .await?;
    let text = text.ok_or_else(|| Failure::missing(&format!("note {id}")))?;
    Ok(Json(note(id, &text)))
}

async fn remove(State(app): State<App>, Part(id): Part<i64>) -> Result<StatusCode, Failure> {
    let done = sqlx::query("delete from notes where id = ?")
        .bind(id)
        .execute(&app.db)
        .await?;
    match done.rows_affected() {
        0 => Err(Failure::missing(&format!("note {id}"))),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

fn note(id: i64, text: &str) -> Value {
    json!({ "id": id, "text": text })
}

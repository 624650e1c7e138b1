//! Uploads: streamed to the disk, and back. Names are kept in the database, so that
//! nobody chooses a path.

use axum::body::{Body, Bytes};
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::stream;
use gmp::fs::File;
use serde_json::{Value, json};

use crate::App;
use crate::failure::Failure;

/// Of one upload.
const LIMIT: usize = 64 << 20;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/files", get(list).post(upload))
        .layer(DefaultBodyLimit::max(LIMIT))
        .route("/files/{id}", get(download))
}

async fn list(State(app): State<App>) -> Result<Json<Value>, Failure> {
    let files: Vec<(i64, String, i64)> =
        sqlx::query_as("select id, name, size from files where size is not null order by id")
            .fetch_all(&app.db)
            .await?;
    let files = files.iter().map(|(id, name, size)| file(*id, name, *size));
    Ok(Json(files.collect()))
}

async fn upload(
    State(app): State<App>,
    mut form: Multipart,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let mut files = Vec::new();
    while let Some(mut field) = form.next_field().await? {
        let Some(name) = field.file_name().map(str::to_owned) else {
            continue;
        };
        // Without a size as long as it is not complete.
        let id = sqlx::query("insert into files (name) values (?)")
            .bind(&name)
            .execute(&app.db)
            .await?
            .last_insert_rowid();
        let path = app.uploads.join(id.to_string());
        let size = match store(&mut field, &path).await {
            Ok(size) => size,
            Err(failure) => {
                gmp::fs::remove_file(&path).await?;
                return Err(failure);
            }
        };
        sqlx::query("update files set size = ? where id = ?")
            .bind(size)
            .bind(id)
            .execute(&app.db)
            .await?;
        files.push(file(id, &name, size));
    }
    Ok((StatusCode::CREATED, Json(files.into())))
}

/// A chunk at a time, as fast as the disk takes them.
async fn store(field: &mut Field<'_>, path: &std::path::Path) -> Result<i64, Failure> {
    let mut to = File::create(path).await?;
    let mut size = 0;
    while let Some(chunk) = field.chunk().await? {
        to.write_all(&chunk).await?;
        size += i64::try_from(chunk.len()).expect("no chunk is that long");
    }
    to.close().await?;
    Ok(size)
}

async fn download(
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<impl IntoResponse, Failure> {
    let missing = || Failure::missing(&format!("file {id}"));
    let size: Option<i64> =
        sqlx::query_scalar("select size from files where id = ? and size is not null")
            .bind(id)
            .fetch_optional(&app.db)
            .await?;
    let size = size.ok_or_else(missing)?;
    let from = File::open(app.uploads.join(id.to_string())).await?;
    let chunks = stream::try_unfold(from, async |mut from| {
        let mut chunk = vec![0; 64 * 1024];
        let n = from.read(&mut chunk).await?;
        chunk.truncate(n);
        Ok::<_, std::io::Error>((n > 0).then(|| (Bytes::from(chunk), from)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
    ];
    Ok((headers, Body::from_stream(chunks)))
}

fn file(id: i64, name: &str, size: i64) -> Value {
    json!({ "id": id, "name": name, "size": size })
}

//! What goes wrong, as JSON.

use std::fmt::Display;

use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(crate) struct Failure(pub(crate) StatusCode, pub(crate) String);

impl Failure {
    pub(crate) fn missing(what: &str) -> Failure {
        Failure(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    /// Our fault: the log tells more than the peer needs to know.
    fn internal(error: impl Display) -> Failure {
        eprintln!("error: {error}");
        let text = "something went wrong here".to_owned();
        Failure(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        Failure::internal(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::internal(error)
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Failure {
        Failure(error.status(), error.body_text())
    }
}

//! sqlx with an SQLite database in memory: its pool waits with Tokio's timers, and
//! gives connections back in tasks that its destructors spawn.

use futures::TryStreamExt;
use futures::channel::oneshot;
use gmp::compat::CompatExt;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use crate::on_each;

/// One connection: the database ends with it, and everybody waits for it.
async fn open() -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    sqlx::query("create table notes (id integer primary key, text text not null)")
        .execute(&pool)
        .await
        .unwrap();
    pool
}

async fn insert(pool: SqlitePool, text: String) {
    sqlx::query("insert into notes (text) values (?)")
        .bind(text)
        .execute(&pool)
        .await
        .unwrap();
}

async fn count(pool: &SqlitePool) -> i64 {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[test]
fn many_tasks_share_a_pool() {
    on_each(async || {
        let pool = open().compat().await;
        let tasks: Vec<_> = (0..20)
            .map(|i| gmp::spawn(insert(pool.clone(), format!("note {i}")).compat()))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let read = async {
            let rows = sqlx::query_scalar("select text from notes").fetch(&pool);
            let mut notes: Vec<String> = rows.try_collect().await.unwrap();
            notes.sort();
            assert_eq!(notes.len(), 20);
            assert_eq!(notes[0], "note 0");
            pool.close().await;
        };
        read.compat().await;
    });
}

#[test]
fn an_aborted_transaction_is_rolled_back_and_its_connection_comes_back() {
    on_each(async || {
        let pool = open().compat().await;
        let (tell, begun) = oneshot::channel();
        let user = pool.clone();
        let task = gmp::spawn(
            async move {
                let mut transaction = user.begin().await.unwrap();
                sqlx::query("insert into notes (text) values ('lost')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                tell.send(()).unwrap();
                std::future::pending::<()>().await;
                transaction.commit().await.unwrap();
            }
            .compat(),
        );
        begun.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let after = async {
            assert_eq!(count(&pool).await, 0);
            insert(pool.clone(), "kept".to_owned()).await;
            assert_eq!(count(&pool).await, 1);
            pool.close().await;
        };
        after.compat().await;
    });
}

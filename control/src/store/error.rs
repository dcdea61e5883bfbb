use std::sync::Arc;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database said no. Nothing was written.
    #[error("the database refused: {0}")]
    Database(Arc<sqlx::Error>),
    /// What is stored cannot be read.
    #[error("{what} in the database cannot be read: {why}")]
    Unreadable {
        /// Which row.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is a log already where a whole one was to be written.
    #[error("the database has a log already, and nothing is written over; name an empty one")]
    Occupied,
    /// The service is shutting down.
    #[error("the store is closed: the service is shutting down")]
    Closed,
    /// The database cannot be opened.
    #[error("the database {what} cannot be opened: {why}")]
    Open {
        /// Its file, or where it runs.
        what: String,
        /// Why.
        why: String,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

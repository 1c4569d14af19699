//! The stores under test: each module's `stores()` gives a fresh, empty one, and what must be kept while it is used.

pub mod sqlite {
    use portcullis::Stores;
    use portcullis_sql::SqlStore;
    use tempfile::TempDir;

    pub async fn stores() -> (Stores, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("store.db").display());
        (SqlStore::connect(&url).await.unwrap().into(), folder)
    }
}

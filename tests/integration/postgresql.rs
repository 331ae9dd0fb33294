//! What only PostgreSQL can show; it needs the server of `PUSH_BOUNCER_TEST_DATABASE_URL`.

mod hot_path;

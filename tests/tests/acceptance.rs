//! What muong does, in sentences: black-box, over HTTP, each on SQLite and on PostgreSQL.

mod acceptance {
    mod access;
    mod signing_in;
}

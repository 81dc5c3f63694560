//! What black-box tests of muong stand on: throw-away databases, a real server with a clock that can be set, clients
//! that speak HTTP, builders of submissions, and one small province. Owns no sentence about the product.

#[macro_use]
pub mod app;
pub mod builders;
pub mod client;
pub mod database;
pub mod province;
pub mod replay;
pub mod review;
pub mod said;
pub mod socket;
pub mod standby;

pub use app::TestApp;
pub use builders::{Submission, id};
pub use client::{Answer, Client, Pushed, Reporter};
pub use database::Backend;
pub use replay::rebuilds_the_same_store;
pub use socket::{Socket, eventually};

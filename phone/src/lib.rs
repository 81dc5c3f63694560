//! What a correct phone does, for authors of clients to read and for tests and load to use: an outbox that loses nothing, a
//! local copy of what the server lets it see, and the patience between attempts.
//!
//! It owns no socket, no clock and no chance. Whoever carries it asks [`Phone::next`] what to do, does it, and tells how it
//! went ([`Phone::answered`], [`Phone::failed`]). So every order of lost answers, restarts and resets can be played in a
//! test, and the same code runs under any transport. The whole phone serialises: what was saved is what goes on.
//!
//! ```
//! use muong_phone::{Draft, Moment, Next, Phone};
//! use uuid::Uuid;
//!
//! let mut phone = Phone::new(Uuid::from_u128(1), "example/1.0");
//! let draft = Draft::create("branch_meeting", 1, Uuid::from_u128(3), Uuid::from_u128(4)).to("held", true);
//! phone.say(Uuid::from_u128(2), draft)?;
//! let Next::Ask(request) = phone.next(Moment::at(0)) else { panic!("there is something to push") };
//! assert_eq!(request.path(), "/v1/sync/push");
//! # Ok::<(), muong_phone::TooLarge>(())
//! ```

mod draft;
mod outbox;
mod phone;
mod replica;
mod retry;
pub mod wire;

pub use draft::Draft;
pub use outbox::{Entry, Outbox, State, TooLarge};
pub use phone::{Next, Phone, Request};
pub use replica::{Replica, Thing};
pub use retry::{Backoff, Moment};

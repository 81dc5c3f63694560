//! Who someone is: passwords and tokens. What they may do is the domain's (`access`).

pub mod certificate;
pub mod password;
pub mod recent;
pub mod token;

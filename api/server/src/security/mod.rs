//! Who someone is: passwords, second factors and tokens, and how often one may try. What they may do is the domain's
//! (`access`).

pub mod backoff;
pub mod certificate;
pub mod key_file;
pub mod keyring;
pub mod limiter;
pub mod master_key;
pub mod password;
pub mod recent;
pub mod throttle;
pub mod token;
pub mod totp;

//! The budgets of one process: what an address, a device and an account may try. Owns which of them there are and how
//! big they are; where they are asked for is the use cases' to say.

use super::backoff::Backoff;
use super::limiter::{Limiter, Quota};
use crate::config;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::id::{DeviceId, SessionId, UserId};
use std::net::{IpAddr, Ipv6Addr};

/// How many addresses, and how many devices, are remembered. A budget is 24 bytes with its key; so this is a few MiB.
const REMEMBERED: usize = 50_000;

/// Codes of six digits are few, so that pauses grow longer than those of passwords: about a hundred tries a day.
const SECOND_FACTOR: Backoff = Backoff { free: 5, longest: TimeDelta::minutes(15) };

/// How many devices a user may register at once, and a minute.
const DEVICES: Quota = Quota::new(20, 2);

/// All budgets.
#[derive(Debug)]
pub struct Throttle {
    /// Failed attempts to sign in, by where they come from. In the memory of this process.
    pub addresses: Limiter<Network>,
    /// Failed attempts on one account, or on one known device. Shared through the database.
    pub password: Backoff,
    /// The same for second factors.
    pub second_factor: Backoff,
    /// What a device pushes. In the memory of this process.
    pub push: DeviceBudget,
    /// How often a device pulls. In the memory of this process.
    pub pull: Limiter<DeviceId>,
    /// Sessions that a user opens with the right password.
    pub sign_ins: Limiter<UserId>,
    /// Pairs of tokens that a session is given.
    pub refreshes: Limiter<SessionId>,
    /// Devices that a user registers without a password, from one that is signed in: each has budgets of its own for pushes and pulls.
    pub devices: Limiter<UserId>,
}

impl Throttle {
    /// As configured.
    pub fn new(config: &config::Throttle) -> Self {
        Self {
            addresses: Limiter::new(Quota::new(config.address_burst, config.address_per_minute), REMEMBERED),
            password: Backoff {
                free: config.sign_in_free,
                longest: TimeDelta::seconds(i64::from(config.sign_in_longest_wait_seconds)),
            },
            second_factor: SECOND_FACTOR,
            sign_ins: Limiter::new(Quota::new(config.session_burst, config.session_per_minute), REMEMBERED),
            refreshes: Limiter::new(Quota::new(config.refresh_burst, config.refresh_per_minute), REMEMBERED),
            devices: Limiter::new(DEVICES, REMEMBERED),
            pull: Limiter::new(Quota::new(config.pull_requests_burst, config.pull_requests_per_minute), REMEMBERED),
            push: DeviceBudget::new(
                Quota::new(config.push_requests_burst, config.push_requests_per_minute),
                Quota::new(config.push_submissions_burst, config.push_submissions_per_minute),
            ),
        }
    }
}

/// What devices may ask for: so many requests, and so many things in them. One for each thing that devices do.
#[derive(Debug)]
pub struct DeviceBudget {
    requests: Limiter<DeviceId>,
    items: Limiter<DeviceId>,
}

impl DeviceBudget {
    /// Of these quotas.
    pub fn new(requests: Quota, items: Quota) -> Self {
        Self { requests: Limiter::new(requests, REMEMBERED), items: Limiter::new(items, REMEMBERED) }
    }

    /// One request, or how long to wait for it. To be asked before the body is read.
    pub fn request(&self, device: DeviceId, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.requests.take(device, 1, now)
    }

    /// So many things in it, or how long to wait for them.
    pub fn items(&self, device: DeviceId, count: usize, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.items.take(device, u32::try_from(count).unwrap_or(u32::MAX), now)
    }
}

/// Where a request comes from, as far as one is a place of its own: an address of IPv4, the first half of one of IPv6,
/// because whoever has one such address has the other 2⁶⁴ of that network as well (RFC 6177).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_a_place_however_it_is_written_and_an_ipv6_network_is_one() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}

//! What an author had said on other devices before: a phone that was cloned, or whose device was revoked, registers anew and goes
//! on, and what it builds on stays under the device that said it. Each submission is kept with how far its author had come on
//! each, so that the next one that builds on it need not walk back through all of them.

use super::working_set::WorkingSet;
use muong_domain::id::{DeviceId, UserId};
use muong_domain::record::Predecessor;
use muong_domain::submission::Submission;

/// Of so many devices it is known at most how far they had come: the latest. Whoever has had more and contradicts what the
/// earliest said is asked about it.
const MOST: usize = 16;

/// How far an author had come on other devices, by what a submission builds on; only their own counts.
pub fn before(set: &WorkingSet, submission: &Submission, author: UserId, device: DeviceId) -> Vec<Predecessor> {
    let after = submission.base.as_ref().and_then(|base| base.after);
    let Some(known) = after.and_then(|id| set.known(id)).filter(|known| known.author == author) else {
        return Vec::new();
    };
    let mut before = known.before.clone();
    if let Some((device, n)) = known.said {
        // The latest stands last, also where one has come back to an earlier device.
        let known = before.iter().find(|earlier| earlier.device == device).map_or(n, |earlier| earlier.n.max(n));
        before.retain(|earlier| earlier.device != device);
        before.push(Predecessor { device, n: known });
    }
    before.retain(|earlier| earlier.device != device);
    before.drain(..before.len().saturating_sub(MOST));
    before
}

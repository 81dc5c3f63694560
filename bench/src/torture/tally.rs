//! What happens to phones and their people, counted. A torture in which a kind of it did not happen would show nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The server had answered, and nobody heard it.
    AnswerLost,
    /// The server did not hear it.
    RequestLost,
    /// A page was pulled.
    PagePulled,
    /// A phone was told to begin anew.
    BegunAnew,
    /// A phone went on from an older copy of itself.
    PhoneRestored,
    /// A phone went on twice.
    PhoneCloned,
    /// Somebody signed in.
    SignedIn,
    /// A phone became another device.
    Registered,
    /// A submission was merged, and met others.
    Conflict,
    /// A submission was refused, since its author may not report there.
    Forbidden,
    /// A person was reported.
    PersonSaid,
    /// A person was erased.
    PersonErased,
    /// A grant was given.
    GrantGiven,
    /// A grant was ended.
    GrantEnded,
    /// A branch moved to another commune.
    BranchMoved,
    /// A record went to another branch.
    RecordMoved,
}

impl Event {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::AnswerLost,
        Self::RequestLost,
        Self::PagePulled,
        Self::BegunAnew,
        Self::PhoneRestored,
        Self::PhoneCloned,
        Self::SignedIn,
        Self::Registered,
        Self::Conflict,
        Self::Forbidden,
        Self::PersonSaid,
        Self::PersonErased,
        Self::GrantGiven,
        Self::GrantEnded,
        Self::BranchMoved,
        Self::RecordMoved,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answers lost",
            Self::RequestLost => "requests lost",
            Self::PagePulled => "pages pulled",
            Self::BegunAnew => "begun anew",
            Self::PhoneRestored => "phones restored",
            Self::PhoneCloned => "phones cloned",
            Self::SignedIn => "signed in",
            Self::Registered => "registered anew",
            Self::Conflict => "conflicts",
            Self::Forbidden => "forbidden",
            Self::PersonSaid => "persons said",
            Self::PersonErased => "persons erased",
            Self::GrantGiven => "grants given",
            Self::GrantEnded => "grants ended",
            Self::BranchMoved => "branches moved",
            Self::RecordMoved => "records moved",
        }
    }
}

/// How often each has happened.
#[derive(Debug, Default)]
pub struct Tally([AtomicUsize; Event::ALL.len()]);

impl Tally {
    /// It has happened once more.
    pub fn count(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often.
    pub fn of(&self, event: Event) -> usize {
        self.0[event as usize].load(Ordering::Relaxed)
    }

    /// What has not happened yet.
    pub fn missing(&self) -> Vec<&'static str> {
        Event::ALL.into_iter().filter(|event| self.of(*event) == 0).map(Event::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_event_is_counted_by_itself() {
        let tally = Tally::default();
        for (at, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, at);
            assert_eq!(tally.missing().len(), Event::ALL.len() - at);
            tally.count(event);
        }
        assert!(tally.missing().is_empty());
    }
}

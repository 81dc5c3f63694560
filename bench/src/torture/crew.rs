//! Everybody who takes part: the phones, each carried by a thread, and the offices. They begin together, and come to rest
//! together.

use super::carried::Carried;
use super::chance::Chance;
use super::journal::Journal;
use super::link::Link;
use super::office::{Office, People};
use super::stage::Stage;
use super::tally::{Event, Tally};
use super::{COMMUNES, Plan};
use crate::Fallible;
use muong_phone::Moment;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How much faster the phones' patience runs than the clock: a day without what something builds on is four seconds here.
pub const HURRY: u64 = 20_000;
/// How long one phone may take to say and to learn everything once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// As many phones go on from one that is cloned.
const CLONES: usize = 3;

/// All phones, and the offices.
pub struct Crew {
    threads: Vec<JoinHandle<Fallible<Vec<Journal>>>>,
    resting: Arc<AtomicBool>,
    /// Whether any of them has met what it cannot go on from.
    failed: Arc<AtomicBool>,
    people: Arc<People>,
}

/// What everybody is held to in the end.
pub struct Notes {
    /// The phones.
    pub journals: Vec<Journal>,
    /// People whom the server has erased for good.
    pub erased: BTreeSet<Uuid>,
}

impl Crew {
    /// Signs everybody in and lets them begin.
    pub fn embark(stage: &Arc<Stage>, tally: &Arc<Tally>, plan: Plan) -> Self {
        let (resting, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (said, silent) = (Arc::new(Barrier::new(plan.phones + 1)), Arc::new(Barrier::new(plan.phones + 1)));
        let people = Arc::<People>::default();
        let hand = || Hand {
            link: Link::new(Arc::clone(stage), Arc::clone(tally), Arc::clone(&resting)),
            said: Arc::clone(&said),
            silent: Arc::clone(&silent),
            people: Arc::clone(&people),
            begun: Instant::now(),
        };
        let mut threads = Vec::with_capacity(plan.phones + 1);
        let mut start = |live: Box<dyn FnOnce() -> Fallible<Vec<Journal>> + Send>| {
            let failed = Arc::clone(&failed);
            threads.push(std::thread::spawn(move || {
                let lived = live();
                // The others wait for this one where all is said: they must not for ever.
                failed.fetch_or(lived.is_err(), Ordering::AcqRel);
                lived
            }));
        };
        for number in 0..plan.phones {
            let (hand, mut chance) = (hand(), Chance::new(plan.seed ^ (number as u64 + 1) << 32));
            start(Box::new(move || {
                let mut carried = Carried::new(number % COMMUNES);
                carried.sign_in(&hand, &mut chance).and_then(|()| hand.carry(carried, chance))
            }));
        }
        let (hand, mut chance) = (hand(), Chance::new(!plan.seed));
        start(Box::new(move || {
            let mut office = Office::open();
            office.work(&hand.link, &hand.people, &mut chance)?;
            hand.said.wait();
            office.close(&hand.link)?;
            hand.silent.wait();
            Ok(Vec::new())
        }));
        Self { threads, resting, failed, people }
    }

    /// Whether somebody cannot go on.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Nothing new is said and no link is bad any more: waits until every phone has said all and knows all.
    pub fn come_to_rest(self, patience: Duration) -> Fallible<Notes> {
        self.resting.store(true, Ordering::Release);
        let begun = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && !self.has_failed() {
            if begun.elapsed() > patience {
                return Err("phones do not come to rest".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let has_failed = self.has_failed();
        let mut journals = Vec::new();
        for thread in self.threads {
            // Of several, whoever is done has failed, as long as others still wait.
            if !has_failed || thread.is_finished() {
                journals.extend(thread.join().map_err(|_| "a thread panicked")??);
            }
        }
        if has_failed { Err("a thread failed".into()) } else { Ok(Notes { journals, erased: self.people.erased() }) }
    }
}

/// What carries phones: the network, the time, and whether everything is to come to rest.
pub struct Hand {
    /// The network.
    pub link: Link,
    /// Of whom phones tell.
    pub people: Arc<People>,
    /// Where they meet when all is said.
    said: Arc<Barrier>,
    /// Where they meet when the servers have written all of it.
    silent: Arc<Barrier>,
    begun: Instant,
}

impl Hand {
    /// Now, as phones have it.
    pub fn moment(&self, chance: &mut Chance) -> Moment {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(HURRY);
        Moment { now_ms, chance: chance.part() }
    }

    /// Carries a phone, and any that are cloned from it, until everybody has said all, and then until these know all.
    fn carry(&self, first: Carried, mut chance: Chance) -> Fallible<Vec<Journal>> {
        let mut phones = vec![first];
        while !self.link.rests() {
            for at in 0..phones.len() {
                phones[at].turn(self, &mut chance)?;
                self.befall(&mut phones, at, &mut chance)?;
            }
        }
        self.finish(&mut phones, &mut chance)?;
        self.said.wait();
        self.silent.wait();
        // Only now nothing changes any more.
        self.finish(&mut phones, &mut chance)?;
        let mut journals = Vec::with_capacity(phones.len());
        for carried in phones {
            let mut fresh = vec![carried.anew()];
            self.finish(&mut fresh, &mut chance)?;
            journals.push(carried.ends(&fresh[0]));
        }
        Ok(journals)
    }

    /// Until each has said all that it has to say, in an epoch that it knows, and has pulled all there is.
    fn finish(&self, phones: &mut [Carried], chance: &mut Chance) -> Fallible<()> {
        for carried in phones {
            let begun = Instant::now();
            carried.wake(self.moment(chance));
            while !carried.turn(self, chance)? {
                if begun.elapsed() > PATIENCE {
                    return Err(carried.restless(self.moment(chance)).into());
                }
            }
        }
        Ok(())
    }

    /// What happens to a phone itself.
    fn befall(&self, phones: &mut Vec<Carried>, at: usize, chance: &mut Chance) -> Fallible<()> {
        match chance.below(400) {
            0..=9 => phones[at].keep_copy()?,
            10 if phones[at].go_back()? => self.link.tally.count(Event::PhoneRestored),
            11 if phones.len() < CLONES => {
                let twin = phones[at].twin();
                phones.push(twin);
                self.link.tally.count(Event::PhoneCloned);
            }
            _ => {}
        }
        Ok(())
    }
}

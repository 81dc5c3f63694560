//! The order of the measures, and how much of each: our push and what it is compared with, one after the other in the
//! same run, on both databases.

use crate::Fallible;
use crate::database::Place;
use crate::floor;
use crate::installation::Installation;
use crate::measure::{Counts, Measure, Run};
use crate::phones::{Phone, Seen};
use crate::process::{Server, bare, free_port, memory};
use crate::province::Province;
use crate::pulls::{self, Wired};
use crate::scripts::{BATCH, CONNECTIONS, creates, edits, questions, to_floor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// The names of the measures, by which the report finds them.
pub mod name {
    /// Batches of 50.
    pub const BATCHES: &str = "push, batches of 50";
    /// One submission a request.
    pub const SINGLES: &str = "push, one a request";
    /// Edits in batches of 50.
    pub const EDITS: &str = "push of edits, batches of 50";
    /// Our `/healthz`.
    pub const HEALTH: &str = "our /healthz";
    /// Our cheapest route that needs a token.
    pub const SIGNED_IN: &str = "our /v1/sync/limits, signed in";
    /// The framework alone.
    pub const EMPTY: &str = "floor: empty request";
    /// Read and dropped.
    pub const PARSED: &str = "floor: batch read and dropped";
    /// Inserted as bytes, 50 a request.
    pub const INSERTED_BATCHES: &str = "floor: bytes inserted, batches of 50";
    /// Inserted as bytes, one a request.
    pub const INSERTED_SINGLES: &str = "floor: bytes inserted, one a request";
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How often each load is repeated.
    pub repetitions: usize,
    /// How long one repetition of a push lasts at most.
    pub window: Duration,
    /// How long one repetition of a floor lasts at most.
    pub floor_window: Duration,
    /// Requests that are prepared for a repetition with batches.
    pub batches: usize,
    /// Requests that are prepared for a repetition with single submissions.
    pub singles: usize,
    /// How often a start is repeated.
    pub starts: usize,
    /// How much of the demo's province: 1 is all of it.
    pub demo: f64,
    /// Records in the store when the cost of a push is measured.
    pub growth: &'static [u64],
    /// Submissions of a repetition of that measure.
    pub growth_window: usize,
    /// Phones of the rush, one after the other.
    pub rush: &'static [usize],
    /// How long filling a store may take; the last of `growth` is left out when it takes longer.
    pub seeding: Duration,
}

impl Size {
    /// For figures.
    pub const FULL: Self = Self {
        repetitions: 3,
        window: Duration::from_secs(5),
        floor_window: Duration::from_secs(3),
        batches: 8_000,
        singles: 160_000,
        starts: 5,
        demo: 1.0,
        growth: &[10_000, 100_000, 1_000_000],
        growth_window: 16_000,
        rush: &[25_000, 250_000],
        seeding: Duration::from_secs(120),
    };
    /// Ten million records, for `make bench-large`.
    pub const LARGE: Self =
        Self { growth: &[10_000, 100_000, 1_000_000, 10_000_000], seeding: Duration::from_secs(90 * 60), ..Self::FULL };
    /// To see that it works.
    pub const QUICK: Self = Self {
        repetitions: 1,
        window: Duration::from_millis(100),
        floor_window: Duration::from_millis(100),
        batches: 32,
        singles: 128,
        starts: 1,
        demo: 0.002,
        growth: &[500, 3_000],
        growth_window: 1_600,
        rush: &[640],
        seeding: Duration::from_secs(60),
    };
}

/// Resident memory of the server, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Which database it serves.
    pub database: &'static str,
    /// Once it is ready.
    pub idle: u64,
    /// At most, by the end of all pushes.
    pub peak: u64,
}

/// Where everything is.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The program under test.
    pub program: &'a Path,
    /// A folder on the disk that is measured.
    pub folder: &'a Path,
    /// How much.
    pub size: Size,
}

/// How long the program takes to be ready, over a store that is filled.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    /// Which database.
    pub database: &'static str,
    /// What is in it.
    pub store: String,
    /// From the start of the process to the first good answer of `/readyz`, in ms: the middle one of several.
    pub ready_ms: f64,
    /// Resident memory then, in bytes.
    pub memory: u64,
}

impl Bench<'_> {
    /// Our pushes on one database.
    pub fn pushes(&self, place: Place<'_>, measures: &mut Vec<Measure>) -> Fallible<Memory> {
        let Size { repetitions, window, batches, singles, .. } = self.size;
        let mut province = Province::found(self.program, place, self.folder)?;
        let server = province.installation.serve()?;
        let (idle, _) = memory(server.pid());
        let mut phones = std::mem::take(&mut province.phones);
        let database = Some(province.database());
        for (name, batch, requests) in [(name::BATCHES, BATCH, batches), (name::SINGLES, 1, singles)] {
            let mut measure = Measure::new(name, place.name(), Counts::Submissions);
            measure
                .repeat(repetitions, &server, database, || Ok(creates(&mut phones, batch, requests, Some(window))))?;
            measures.push(measure);
        }
        let requests = (batches / 8).max(CONNECTIONS);
        let mut measure = Measure::new(name::EDITS, place.name(), Counts::Submissions);
        measure.repeat(repetitions, &server, database, || {
            let first: Vec<u64> = phones.iter().map(Phone::created).collect();
            let (_, answered) = Run::of(creates(&mut phones, BATCH, requests, None), &server, database)?;
            Ok(edits(&mut phones, &first, BATCH, requests, seen(&answered.last)?))
        })?;
        measures.push(measure);
        let (_, peak) = memory(server.pid());
        server.stop()?;
        Ok(Memory { database: place.name(), idle, peak })
    }

    /// Requests of ours that change nothing.
    pub fn questions(&self, place: Place<'_>, measures: &mut Vec<Measure>) -> Fallible<()> {
        let Size { repetitions, floor_window, .. } = self.size;
        let province = Province::found(self.program, place, self.folder)?;
        let server = province.installation.serve()?;
        let asked = [(name::HEALTH, None, "/healthz"), (name::SIGNED_IN, Some(&province.phones), "/v1/sync/limits")];
        for (name, phones, path) in asked {
            let mut measure = Measure::new(name, place.name(), Counts::Requests);
            let load = || Ok(questions(phones.map(Vec::as_slice), path, floor_window));
            measure.repeat(repetitions, &server, Some(province.database()), load)?;
            measures.push(measure);
        }
        server.stop()
    }

    /// The demo, filled and started; how long the filling took, in s, and what its pulls take on the wire.
    pub fn demo(&self, place: Place<'_>) -> Fallible<(f64, Start, Vec<Wired>)> {
        let installation = Installation::new(self.program, place, self.folder)?;
        let filled = installation.fill_demo(self.size.demo)?;
        let start = self.start(&installation, place, "the filled demo".to_owned())?;
        Ok((filled.as_secs_f64(), start, pulls::wired(&installation, place)?))
    }

    /// Starts it several times.
    pub fn start(&self, installation: &Installation, place: Place<'_>, store: String) -> Fallible<Start> {
        let mut starts = Vec::new();
        for _ in 0..self.size.starts {
            let server = installation.serve()?;
            starts.push((server.ready_after, memory(server.pid()).0));
            server.stop()?;
        }
        starts.sort_unstable();
        let (ready, memory) = starts[starts.len() / 2];
        let start = Start { database: place.name(), store, ready_ms: ready.as_secs_f64() * 1e3, memory };
        eprintln!("start on {} ({}): ready after {:.0} ms", start.store, start.database, start.ready_ms);
        Ok(start)
    }

    /// What the machine gives without us.
    pub fn floors(&self, place: Place<'_>, measures: &mut Vec<Measure>) -> Fallible<()> {
        let Size { repetitions, floor_window, batches, singles, .. } = self.size;
        let mut province = Province::found(self.program, place, self.folder)?;
        let mut phones = std::mem::take(&mut province.phones);
        let folder = TempDir::with_prefix_in("floor-", self.folder)?;
        let database = place.make()?;
        floor::prepare(database.url())?;
        let address = free_port()?;
        let mut command = bare(&std::env::current_exe()?);
        command.args(["floor", "--listen", &address.to_string(), "--database-url", database.url()]);
        let server = Server::start(&mut command, address, floor::EMPTY, &folder.path().join("floor.log"))?;
        if matches!(place, Place::Sqlite(_)) {
            let mut measure = Measure::new(name::EMPTY, "", Counts::Requests);
            measure.repeat(repetitions, &server, None, || Ok(questions(None, floor::EMPTY, floor_window)))?;
            measures.push(measure);
            let mut measure = Measure::new(name::PARSED, "", Counts::Submissions);
            measure.repeat(repetitions, &server, None, || {
                Ok(to_floor(creates(&mut phones, BATCH, batches / 8, Some(floor_window)), floor::PARSED, true))
            })?;
            measures.push(measure);
        }
        let inserts = [(name::INSERTED_BATCHES, BATCH, batches * 3 / 2), (name::INSERTED_SINGLES, 1, singles)];
        for (name, batch, requests) in inserts {
            let mut measure = Measure::new(name, place.name(), Counts::Submissions);
            measure.repeat(repetitions, &server, Some(&database), || {
                Ok(to_floor(creates(&mut phones, batch, requests, Some(floor_window)), floor::INSERTED, false))
            })?;
            measures.push(measure);
        }
        Ok(())
    }
}

/// What a phone knows after this answer.
pub fn seen(answer: &[u8]) -> Fallible<Seen> {
    #[derive(Deserialize)]
    struct Pushed {
        epoch: Uuid,
        head: i64,
    }
    let Pushed { epoch, head } = serde_json::from_slice(answer)?;
    Ok(Seen { epoch, head })
}

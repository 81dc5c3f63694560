//! What a push costs in a store that grows. It is filled by pushes, like any other: so its rows are what pushes leave
//! behind. By the phones' clocks it grows over years, as a store does.

use crate::Fallible;
use crate::database::Place;
use crate::measure::{Counts, Measure, Run};
use crate::phones::{Pace, Phone};
use crate::process::Server;
use crate::province::Province;
use crate::pulls::{self, Pulled, Waited, Wired};
use crate::scripts::{BATCH, CONNECTIONS, creates};
use crate::suite::{Bench, Start};
use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How many records are filled in at once; that many bodies are in the generator's memory.
const PORTION: u64 = 100_000;
/// Submissions of a batch that fills: as many as one push may carry.
const LARGE_BATCH: usize = 500;
/// What a record takes on the disk at most, with the write-ahead log and room for the last steps: for the look at the
/// free disk before any is written.
const RECORD_BYTES: u64 = 4_500;

/// The cost of a push at one size of the store.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Records when the measure began.
    pub records: u64,
    /// What the database took on the disk then, in bytes.
    pub bytes: u64,
    /// Batches of 50.
    pub measure: Measure,
}

/// A store that grew.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Which database.
    pub database: &'static str,
    /// The sizes, ascending.
    pub points: Vec<Point>,
    /// Pulls at these sizes.
    pub pulls: Vec<Pulled>,
    /// Phones that wait for something new, at the last size.
    pub waited: Option<Waited>,
    /// A report on the wire.
    pub wired: Option<Wired>,
    /// Why a size was left out.
    pub left_out: Option<String>,
    /// A start over what it has become.
    pub start: Start,
}

/// Fills and measures.
pub fn grow(bench: &Bench<'_>, place: Place<'_>) -> Fallible<Growth> {
    let mut province = Province::found(bench.program, place, bench.folder)?;
    let mut phones: Vec<Phone> =
        std::mem::take(&mut province.phones).into_iter().map(|phone| phone.at(Pace::Steady)).collect();
    let server = province.installation.serve_as(|command| {
        command.env("MUONG_HTTP__CONNECTIONS_PER_ADDRESS", "4000");
        // A device stands for many phones that wait.
        command.env("MUONG_HTTP__WAITING_PULLS_PER_DEVICE", "4000");
        // One phone pulls everything: of ten million records that is more pages than a device may ask for at once.
        command.env("MUONG_THROTTLE__PULL_REQUESTS_PER_MINUTE", "0");
    })?;
    let (mut points, mut pulls) = (Vec::new(), Vec::new());
    let mut left_out = None;
    let until = Instant::now() + bench.size.seeding;
    for records in bench.size.growth.iter().copied() {
        left_out = no_room(&place.folder()?, records.saturating_sub(held(&phones)))?;
        if left_out.is_none() {
            left_out = fill(&mut phones, &server, records, until)?;
        }
        if left_out.is_some() {
            break;
        }
        let (records, bytes) = (held(&phones), province.database().bytes()?);
        let mut measure = Measure::new("growth", place.name(), Counts::Submissions);
        eprint!("{records:>10} records, {:>6} MiB: ", bytes >> 20);
        measure.repeat(bench.size.repetitions, &server, Some(province.database()), || {
            Ok(creates(&mut phones, BATCH, bench.size.growth_window / BATCH, None))
        })?;
        points.push(Point { records, bytes, measure });
        pulls.push(pulls::pulled(&province, &mut phones, &server, place.name(), records)?);
    }
    let wired = Some(pulls::report_on_the_wire(&server, &mut phones[0])?);
    let waited = Some(pulls::waited(&server, &phones)?);
    server.stop()?;
    let store = format!("{} records", held(&phones));
    let start = bench.start(&province.installation, place, store)?;
    Ok(Growth { database: place.name(), points, pulls, waited, wired, left_out, start })
}

fn held(phones: &[Phone]) -> u64 {
    phones.iter().map(Phone::created).sum()
}

/// Pushes until there are so many, or until the time is over; says why it stopped before.
fn fill(phones: &mut [Phone], server: &Server, records: u64, until: Instant) -> Fallible<Option<String>> {
    while held(phones) < records {
        if Instant::now() > until {
            return Ok(Some(format!("{records} records: the time was over at {}", held(phones))));
        }
        let missing = usize::try_from((records - held(phones)).min(PORTION))?;
        // Small steps at the end, so that the size is met about.
        let batch = if missing > 3 * CONNECTIONS * LARGE_BATCH { LARGE_BATCH } else { BATCH.min(missing) };
        // Whole rounds of all connections: never much more than is missing.
        let requests = (missing / batch / CONNECTIONS).max(1) * CONNECTIONS;
        Run::of(creates(phones, batch, requests, None), server, None)?;
        // The next round begins with the phones whose turn it is: all report alike, and their clocks go alike.
        phones.rotate_left(requests % phones.len());
    }
    Ok(None)
}

/// A look at the free disk before so many records more are written.
fn no_room(folder: &Path, more: u64) -> Fallible<Option<String>> {
    let said = Command::new("df").args(["-B1", "--output=avail"]).arg(folder).output()?;
    let text = String::from_utf8(said.stdout)?;
    let free: u64 = text.lines().nth(1).unwrap_or_default().trim().parse()?;
    let needed = more * RECORD_BYTES;
    let lacks = (needed > free).then(|| {
        format!("{more} records more: {} GiB of disk may be needed, {} GiB are free", needed >> 30, free >> 30)
    });
    Ok(lacks)
}

/// How much more an item costs at the last size than at the first: by throughput, and by processor time.
pub fn ratio(points: &[Point]) -> Option<(f64, f64)> {
    let (first, last) = (points.first()?.measure.median(), points.last()?.measure.median());
    Some((first.rate / last.rate, last.cost() / first.cost()))
}

//! The tables of BENCHMARKS.md: what was aimed at, what it is, and how far from the floor of the same run. Writes
//! between its own two markers and nowhere else; bad figures stand there like good ones.

use crate::Fallible;
use crate::growth::{Growth, ratio};
use crate::machine::Machine;
use crate::measure::{Counts, Measure};
use crate::pulls::{Waited, Wired};
use crate::rush::Rushed;
use crate::suite::{Memory, Start, name};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// All that one run has found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where and when.
    pub machine: Machine,
    /// The settings of each database.
    pub settings: Vec<(&'static str, String)>,
    /// The loads.
    pub measures: Vec<Measure>,
    /// Memory under them.
    pub memory: Vec<Memory>,
    /// How long the demo took to fill, in s.
    pub demo_filled: Option<f64>,
    /// Starts.
    pub starts: Vec<Start>,
    /// Growth.
    pub growth: Vec<Growth>,
    /// The demo's pulls on the wire.
    pub wired: Vec<Wired>,
    /// Rushes.
    pub rushes: Vec<Rushed>,
}

/// A row of the first table, as it will stand there.
struct Aim {
    what: String,
    aim: String,
    is: String,
    held: bool,
    floor: String,
}

const MIB: f64 = 1_048_576.0;

/// 12345 as 12,345: figures are read by people.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number);
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Results {
    /// Nothing yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            settings: Vec::new(),
            measures: Vec::new(),
            memory: Vec::new(),
            demo_filled: None,
            starts: Vec::new(),
            growth: Vec::new(),
            wired: Vec::new(),
            rushes: Vec::new(),
        }
    }

    fn find(&self, name: &str, database: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name && measure.database == database)
    }

    /// The tables, without the markers.
    pub fn text(&self) -> String {
        let mut out = self.heading();
        out.push_str(&self.aims());
        if !self.measures.is_empty() {
            out.push_str(&self.everything());
        }
        if !self.growth.is_empty() {
            out.push_str(&self.growing());
            out.push_str(&self.pulling());
        }
        if !self.rushes.is_empty() {
            out.push_str(&self.rushing());
        }
        out
    }

    fn heading(&self) -> String {
        let Machine { processor, cores, memory, kernel, commit, at, load_before } = &self.machine;
        let settings: Vec<String> = self.settings.iter().map(|(name, said)| format!("{name} ({said})")).collect();
        format!(
            "{at}, commit {commit}. {processor}, {cores} cores for server, database and generator together, {:.0} GiB, \
             Linux {kernel}; load average before the run {load_before}. {}. 32 connections, kept alive, each sending as \
             soon as it is answered; figures are those of the middle repetition, the range is of all.\n\n",
            *memory as f64 / MIB / 1024.0,
            settings.join("; "),
            at = at.format("%Y-%m-%d %H:%M UTC"),
        )
    }

    fn aims(&self) -> String {
        let mut out = "| aimed at | aim | is | held | of the floor |\n|---|---|---|---|---|\n".to_owned();
        let rows = self.push_aims().into_iter().chain(self.memory_aims()).chain(self.start_aims());
        let rows = rows.chain(self.growth_aims()).chain(self.pull_aims()).chain(self.wire_aims());
        for Aim { what, aim, is, held, floor } in rows {
            let held = if held { "yes" } else { "**no**" };
            let _infallible = writeln!(out, "| {what} | {aim} | {is} | {held} | {floor} |");
        }
        out + "\n"
    }

    fn push_aims(&self) -> Vec<Aim> {
        let aims = [
            (name::BATCHES, "SQLite", 40_000.0, None, name::INSERTED_BATCHES),
            (name::SINGLES, "SQLite", 12_000.0, Some(15.0), name::INSERTED_SINGLES),
            (name::BATCHES, "PostgreSQL", 15_000.0, None, name::INSERTED_BATCHES),
            (name::SINGLES, "PostgreSQL", 5_000.0, None, name::INSERTED_SINGLES),
        ];
        let aim = |(name, database, least, p99, floor): (&str, &str, f64, Option<f64>, &str)| {
            let run = self.find(name, database)?.median();
            let slowest = p99.map_or(String::new(), |p99| format!(", p99 < {p99} ms"));
            let shown = p99.map_or(String::new(), |_| format!(", p99 {:.1} ms", run.p99));
            let floor = self.find(floor, database).map(|floor| run.rate / floor.median().rate * 100.0);
            Some(Aim {
                what: format!("{name}, {database}"),
                aim: format!("≥ {}/s{slowest}", grouped(least)),
                is: format!("{}/s{shown}", grouped(run.rate)),
                held: run.rate >= least && p99.is_none_or(|p99| run.p99 < p99),
                floor: floor.map_or(String::new(), |share| format!("{share:.0} % of bare inserts")),
            })
        };
        aims.into_iter().filter_map(aim).collect()
    }

    fn memory_aims(&self) -> Vec<Aim> {
        let row = |memory: &Memory| {
            let (idle, peak) = (memory.idle as f64 / MIB, memory.peak as f64 / MIB);
            Aim {
                what: format!("resident memory, idle / at most under these pushes, {}", memory.database),
                aim: "≤ 40 MiB / ≤ 200 MiB".to_owned(),
                is: format!("{idle:.0} MiB / {peak:.0} MiB"),
                held: idle <= 40.0 && peak <= 200.0,
                floor: String::new(),
            }
        };
        self.memory.iter().map(row).collect()
    }

    fn start_aims(&self) -> Vec<Aim> {
        let row = |start: &Start| Aim {
            what: format!("start to ready on {}, {}", start.store, start.database),
            aim: "≤ 200 ms".to_owned(),
            is: format!("{:.0} ms ({:.0} MiB resident then)", start.ready_ms, start.memory as f64 / MIB),
            held: start.ready_ms <= 200.0,
            floor: String::new(),
        };
        let demo = self.demo_filled.map(|seconds| Aim {
            what: "filling the demo, SQLite".to_owned(),
            aim: "≤ 60 s".to_owned(),
            is: format!("{seconds:.0} s"),
            held: seconds <= 60.0,
            floor: String::new(),
        });
        self.starts.iter().map(row).chain(demo).collect()
    }

    fn growth_aims(&self) -> Vec<Aim> {
        let row = |growth: &Growth| {
            let (first, last) = (growth.points.first()?, growth.points.last()?);
            let (slower, dearer) = ratio(&growth.points).filter(|_| growth.points.len() > 1)?;
            Some(Aim {
                what: format!(
                    "cost of a push from {} to {} records, {}",
                    grouped(first.records as f64),
                    grouped(last.records as f64),
                    growth.database
                ),
                aim: "≤ 1.3×".to_owned(),
                is: format!("{slower:.2}× the time, {dearer:.2}× the processor time"),
                held: slower <= 1.3,
                floor: String::new(),
            })
        };
        self.growth.iter().filter_map(row).collect()
    }

    fn pull_aims(&self) -> Vec<Aim> {
        let plain = |what: String, aim: &str, is: String, held| Aim {
            what,
            aim: aim.to_owned(),
            is,
            held,
            floor: String::new(),
        };
        let mut aims = Vec::new();
        for growth in &self.growth {
            let (Some(first), Some(last)) = (growth.pulls.first(), growth.pulls.last()) else { continue };
            let (database, ratio) = (growth.database, last.changes.0 / first.changes.0);
            aims.push(plain(
                format!("pull of 100 changes, {database}, at {} records", grouped(first.records as f64)),
                "p50 ≤ 3 ms",
                format!("{:.2} ms", first.changes.0),
                first.changes.0 <= 3.0,
            ));
            aims.push(plain(
                format!("the same at {} records", grouped(last.records as f64)),
                "≤ 1.2× of that",
                format!("{ratio:.2}×"),
                ratio <= 1.2,
            ));
            aims.push(plain(
                format!("pull of nothing new, {database}"),
                "≤ 1 ms",
                format!("{:.2} ms", last.nothing.0),
                last.nothing.0 <= 1.0,
            ));
            aims.push(plain(
                format!("bootstrap of {} messages, {database}", grouped(first.whole.0 as f64)),
                "≤ 150 ms for 10,000",
                format!("{:.0} ms", first.whole.1),
                first.whole.1 / first.whole.0 as f64 * 10_000.0 <= 150.0,
            ));
            let more = last.whole.3.saturating_sub(last.whole.2) as f64 / MIB;
            aims.push(plain(
                format!("bootstrap of {} messages, {database}: more memory than before", grouped(last.whole.0 as f64)),
                "constant",
                format!("{more:.0} MiB, in {:.1} s", last.whole.1 / 1e3),
                more <= 64.0,
            ));
            if let Some(Waited { phones, memory }) = growth.waited {
                let more = memory.1.saturating_sub(memory.0) as f64 / MIB;
                aims.push(plain(
                    format!("{} phones that wait, {database}: more memory", grouped(phones as f64)),
                    "≤ 60 MiB",
                    format!("{more:.0} MiB"),
                    more <= 60.0,
                ));
            }
        }
        aims
    }

    fn wire_aims(&self) -> Vec<Aim> {
        let wired = self.wired.iter().chain(self.growth.first().and_then(|growth| growth.wired.as_ref()));
        let row = |Wired { what, bytes, aim }: &Wired| Aim {
            what: format!("on the wire, both ways, heads included: {what}"),
            aim: format!("≤ {} bytes", grouped(*aim as f64)),
            is: format!("{} bytes", grouped(*bytes as f64)),
            held: bytes <= aim,
            floor: String::new(),
        };
        wired.map(row).collect()
    }

    fn everything(&self) -> String {
        let mut out = "Everything that was measured; processor time is in µs for one submission or request, and the \
            shares are of one core:\n\n\
            | what | database | a second | range | p50 ms | p99 ms | max ms | server µs | database µs | \
            server / database / generator / others |\n|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for measure in &self.measures {
            let (run, (low, high)) = (measure.median(), measure.range());
            let counts = if measure.counts == Counts::Requests { " (requests)" } else { "" };
            let each = |seconds: f64| seconds / run.items as f64 * 1e6;
            let share = |seconds: f64| seconds / run.seconds * 100.0;
            let _infallible = writeln!(
                out,
                "| {}{counts} | {} | {} | {}–{} | {:.2} | {:.2} | {:.0} | {:.1} | {:.1} | {:.0} / {:.0} / {:.0} / {:.0} % |",
                measure.name,
                measure.database,
                grouped(run.rate),
                grouped(low),
                grouped(high),
                run.p50,
                run.p99,
                measure.slowest(),
                each(run.server),
                each(run.database),
                share(run.server),
                share(run.database),
                share(run.generator),
                share(run.others),
            );
        }
        out + "\n"
    }

    fn growing(&self) -> String {
        let mut out = "A growing store, pushed to in batches of 50:\n\n\
            | database | records | on the disk | submissions a second | range | p99 ms | µs of processor each |\n\
            |---|---|---|---|---|---|---|\n"
            .to_owned();
        for growth in &self.growth {
            for point in &growth.points {
                let (run, (low, high)) = (point.measure.median(), point.measure.range());
                let _infallible = writeln!(
                    out,
                    "| {} | {} | {:.0} MiB | {} | {}–{} | {:.0} | {:.0} |",
                    growth.database,
                    grouped(point.records as f64),
                    point.bytes as f64 / MIB,
                    grouped(run.rate),
                    grouped(low),
                    grouped(high),
                    run.p99,
                    run.cost(),
                );
            }
            if let Some(why) = &growth.left_out {
                let _infallible = writeln!(out, "| {} | left out: {why} | | | | | |", growth.database);
            }
        }
        out + "\n"
    }
}

impl Results {
    fn pulling(&self) -> String {
        let mut out = "Pulls from it by the reference phone, p50 in ms (300 each): of a phone that sees a committee \
            (33 scopes), and of one that sees the province (2,113 scopes); in the last columns everything that the latter \
            may see, page by page:\n\n\
            | database | records | 100 changes | nothing new | 100 changes, province | nothing new, province | all: messages | \
            ms | a thousand, ms | more memory at most |\n|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for pulled in self.growth.iter().flat_map(|growth| &growth.pulls) {
            let (messages, took, before, after) = pulled.whole;
            let _infallible = writeln!(
                out,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {:.1} | {:.0} MiB |",
                pulled.database,
                grouped(pulled.records as f64),
                pulled.changes.0,
                pulled.nothing.0,
                pulled.overseer.0,
                pulled.overseer.1,
                grouped(messages as f64),
                grouped(took),
                took / messages.max(1) as f64 * 1e3,
                after.saturating_sub(before) as f64 / MIB,
            );
        }
        out + "\n"
    }

    fn rushing(&self) -> String {
        let mut out =
            "The rush: so many phones come back at the same time, and each sends one report and then pulls, over 32 \
            connections. 512 sessions stand for all of them; each report is a new meeting. The reference phone makes the \
            requests and takes in the answers, which is the generator's time. Some reports are sent again, since the answer \
            was lost, and end as duplicates; some phones' clocks are off, by a day or by years:\n\n\
            | database | phones | seconds | phones a second | push p50 / p99 / max ms | pull p50 / p99 / max ms | \
            messages pulled | sent again / clocks off | server / database / generator, of one core | \
            memory before / at most |\n\
            |---|---|---|---|---|---|---|---|---|---|\n"
                .to_owned();
        for rush in &self.rushes {
            let times = |[p50, p99, max]: [f64; 3]| format!("{p50:.1} / {p99:.1} / {max:.0}");
            let [server, database, generator] = rush.used.map(|used| used / rush.seconds * 100.0);
            let _infallible = writeln!(
                out,
                "| {} | {} | {:.0} | {} | {} | {} | {} | {} / {} | {server:.0} / {database:.0} / {generator:.0} % | \
                 {:.0} / {:.0} MiB |",
                rush.database,
                grouped(rush.phones as f64),
                rush.seconds,
                grouped(rush.phones as f64 / rush.seconds),
                times(rush.pushes),
                times(rush.pulls),
                grouped(rush.messages as f64),
                grouped(rush.sent_again as f64),
                grouped(rush.clocks_off as f64),
                rush.memory.0 as f64 / MIB,
                rush.memory.1 as f64 / MIB,
            );
        }
        out + "\n"
    }
}

/// The lines that show pictures of a folder.
pub fn pictures(folder: &str, drawn: &[(&str, &str)]) -> String {
    drawn.iter().map(|(file, title)| format!("![{title}]({folder}/{file})\n\n")).collect()
}

/// Puts `text` between the markers of that name; all else in the file stays.
pub fn write(path: &Path, marker: &str, text: &str) -> Fallible<()> {
    let file = std::fs::read_to_string(path)?;
    let (begin, end) = (format!("<!-- {marker}:begin -->"), format!("<!-- {marker}:end -->"));
    let parts = file.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{} lacks the marks {begin} and {end}", path.display()))?;
    Ok(std::fs::write(path, format!("{before}{begin}\n\n{text}{end}{after}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped() {
        assert_eq!(
            ["5", "999", "1000", "1234567"].map(|n| grouped(n.parse().unwrap())),
            ["5", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn what_was_written_by_hand_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("B.md");
        std::fs::write(&path, "by hand\n<!-- a:begin -->\nold\n<!-- a:end -->\nbelow\n").unwrap();
        write(&path, "a", "new\n").unwrap();
        write(&path, "a", "newer\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "by hand\n<!-- a:begin -->\n\nnewer\n<!-- a:end -->\nbelow\n");
        assert!(write(&path, "b", "").is_err());
    }
}

//! `muong-bench`: simulated phones against the real program, what the machine gives without it, and the tables of
//! BENCHMARKS.md. Owns the command line.

mod database;
mod floor;
mod growth;
mod installation;
mod line;
mod load;
mod machine;
mod measure;
mod phones;
mod plots;
mod process;
mod profile;
mod province;
mod pulls;
mod report;
mod rush;
mod scripts;
mod suite;
mod torture;
mod wire;

use clap::{Args, Parser, Subcommand};
use database::Place;
use machine::Machine;
use muong_server::clock::Clock;
use muong_server::telemetry::with_causes;
use profile::Recording;
use report::Results;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use suite::{Bench, Size};
use torture::Plan;

/// Whatever goes wrong in a bench ends it, with its text.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(version, about = "Measures muong: simulated phones, floors, memory, growth.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure.
    Run(RunArgs),
    /// Record where the time of a push goes; needs `perf`.
    Profile(ProfileArgs),
    /// Kill it, stop it, move its clock while phones are at work, and look whether anything was lost or doubled.
    Torture(TortureArgs),
    /// Serve what the program is compared with; `run` starts it by itself.
    Floor(FloorArgs),
}

/// Where everything is.
#[derive(Args)]
struct Places {
    /// The program under test.
    #[arg(long, default_value = "target/release/muong")]
    program: PathBuf,
    /// A PostgreSQL server: any database of it, as somebody who may make others. Without it, SQLite alone.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Where databases are made meanwhile: on the disk that is to be measured.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Leave SQLite out.
    #[arg(long, requires = "postgres")]
    no_sqlite: bool,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    places: Places,
    /// Only to see that everything works: the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Let the store grow to ten million records.
    #[arg(long, conflicts_with = "quick")]
    large: bool,
    /// How long filling one store may take for the measure of growth; what it has not come to then is left out.
    #[arg(long, value_name = "MINUTES")]
    fill_minutes: Option<u64>,
    /// Only these parts (default: all).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Put the tables into this file, between the marks `<!-- MARK:begin -->` and `<!-- MARK:end -->`.
    #[arg(long, value_name = "FILE", requires = "mark", conflicts_with = "quick")]
    write: Option<PathBuf>,
    /// See `--write`.
    #[arg(long)]
    mark: Option<String>,
}

#[derive(Args)]
struct ProfileArgs {
    #[command(flatten)]
    places: Places,
    /// One submission a request, instead of batches of 50.
    #[arg(long)]
    singles: bool,
    /// With the functions that called: what is called counts for its callers too.
    #[arg(long)]
    stacks: bool,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Part {
    /// Our requests that change nothing.
    Questions,
    /// Our pushes, and memory under them.
    Pushes,
    /// What the machine gives without us.
    Floors,
    /// A start on the filled demo.
    Start,
    /// A push into a store that grows, pulls from it, and phones that wait.
    Growth,
    /// Very many phones that report and pull in the same hour.
    Rush,
}

#[derive(Args)]
struct TortureArgs {
    /// The program under test.
    #[arg(long, default_value = "target/release/muong")]
    program: PathBuf,
    /// What makes a PostgreSQL primary and its standby (`ops/private-postgres`). Without it, SQLite alone.
    #[arg(long, value_name = "SCRIPT")]
    clusters: Option<PathBuf>,
    /// Leave SQLite out.
    #[arg(long, requires = "clusters")]
    no_sqlite: bool,
    /// Where databases are made meanwhile.
    #[arg(long, default_value = "target/torture")]
    folder: PathBuf,
    /// How long things go wrong on each database.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// How many phones.
    #[arg(long, default_value_t = 16)]
    phones: usize,
    /// What everything random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct FloorArgs {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    database_url: String,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Profile(args) => profile(&args),
        Command::Torture(args) => torture(&args),
        Command::Floor(args) => floor::serve(args.listen, &args.database_url),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muong-bench: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> Fallible<()> {
    let (program, folder) = args.places.found()?;
    let size = match (args.quick, args.large) {
        (true, _) => Size::QUICK,
        (_, true) => Size::LARGE,
        _ => Size::FULL,
    };
    let seeding = args.fill_minutes.map_or(size.seeding, |minutes| Duration::from_secs(60 * minutes));
    let bench = Bench { program: &program, folder: &folder, size: Size { seeding, ..size } };
    let mut results = Results::new(Machine::look(Clock::System.now()));
    // Written after each database: what has been measured for an hour is not lost when the next one fails.
    for place in args.places.databases(&folder) {
        measure(args, &bench, place, &mut results)?;
        keep(args, &folder, &results)?;
    }
    println!("{}", results.text());
    Ok(())
}

/// Writes down what has been measured so far.
fn keep(args: &RunArgs, folder: &Path, results: &Results) -> Fallible<()> {
    let plots = args.write.as_ref().map_or_else(|| folder.join(PLOTS), |file| file.with_file_name("").join(PLOTS));
    let text = results.text() + &report::pictures(PLOTS, &plots::draw(&plots, &results.growth)?);
    std::fs::write(folder.join("results.json"), serde_json::to_string_pretty(results)?)?;
    match (&args.write, &args.mark) {
        (Some(path), Some(mark)) => report::write(path, mark, &text),
        _ => Ok(()),
    }
}

/// Where pictures stand, beside the file that shows them.
const PLOTS: &str = "bench/plots";

fn measure(args: &RunArgs, bench: &Bench<'_>, place: Place<'_>, results: &mut Results) -> Fallible<()> {
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    results.settings.push((place.name(), place.settings()?));
    if wanted(Part::Questions) {
        bench.questions(place, &mut results.measures)?;
    }
    if wanted(Part::Pushes) {
        results.memory.push(bench.pushes(place, &mut results.measures)?);
    }
    if wanted(Part::Floors) {
        bench.floors(place, &mut results.measures)?;
    }
    if wanted(Part::Growth) {
        let growth = growth::grow(bench, place)?;
        results.starts.push(growth.start.clone());
        results.growth.push(growth);
    }
    if wanted(Part::Rush) {
        results.rushes.extend(rush::rush(bench, place)?);
    }
    if wanted(Part::Start) && matches!(place, Place::Sqlite(_)) {
        let (filled, start, wired) = bench.demo(place)?;
        results.demo_filled = Some(filled);
        results.wired = wired;
        results.starts.push(start);
    }
    Ok(())
}

fn profile(args: &ProfileArgs) -> Fallible<()> {
    let (program, folder) = args.places.found()?;
    let wanted = Recording { singles: args.singles, stacks: args.stacks, seconds: args.seconds };
    for place in args.places.databases(&folder) {
        profile::profile(&program, place, &folder, wanted)?;
    }
    Ok(())
}

fn torture(args: &TortureArgs) -> Fallible<()> {
    let (program, folder) = found(&args.program, &args.folder)?;
    let plan = Plan { lasts: Duration::from_secs(args.seconds), phones: args.phones, seed: args.seed };
    if !args.no_sqlite {
        torture::torture(&program, None, &folder, plan)?;
    }
    match &args.clusters {
        Some(script) => torture::torture(&program, Some(script), &folder, plan),
        None => Ok(()),
    }
}

/// The program and the folder, whatever directory somebody works in later.
fn found(program: &Path, folder: &Path) -> Fallible<(PathBuf, PathBuf)> {
    std::fs::create_dir_all(folder)?;
    let found = program.canonicalize().map_err(|error| format!("{}: {error}; build it first", program.display()))?;
    Ok((found, folder.canonicalize()?))
}

impl Places {
    fn found(&self) -> Fallible<(PathBuf, PathBuf)> {
        found(&self.program, &self.folder)
    }

    fn databases<'a>(&'a self, folder: &'a Path) -> Vec<Place<'a>> {
        let sqlite = (!self.no_sqlite).then_some(Place::Sqlite(folder));
        sqlite.into_iter().chain(self.postgres.as_deref().map(Place::Postgres)).collect()
    }
}

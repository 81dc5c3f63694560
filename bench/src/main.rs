//! `muong-bench`: simulated phones against the real program, what the machine gives without it, and the tables of
//! BENCHMARKS.md. Owns the command line.

mod database;
mod floor;
mod load;
mod measure;
mod phones;
mod process;
mod province;
mod scripts;
mod suite;
mod wire;

use clap::{Args, Parser, Subcommand};
use database::Place;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use suite::{Bench, Size};

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
    /// Serve what the program is compared with; `run` starts it by itself.
    Floor(FloorArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The program under test.
    #[arg(long, default_value = "target/release/muong")]
    program: PathBuf,
    /// A PostgreSQL server: the address of any database of it, as somebody who may make others. Without it, SQLite alone.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Where databases are made meanwhile: on the disk that is to be measured.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Only to see that everything works: figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Only these parts (default: all).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Leave SQLite out.
    #[arg(long, requires = "postgres")]
    no_sqlite: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Part {
    /// Our pushes, and memory under them.
    Pushes,
    /// Our requests that change nothing.
    Questions,
    /// What the machine gives without us.
    Floors,
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
        Command::Floor(args) => floor::serve(args.listen, &args.database_url),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muong-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> Fallible<()> {
    std::fs::create_dir_all(&args.folder)?;
    let (program, folder) = (args.program.canonicalize()?, args.folder.canonicalize()?);
    let size = if args.quick { Size::QUICK } else { Size::FULL };
    let bench = Bench { program: &program, folder: &folder, size };
    let mut measures = Vec::new();
    for place in places(args, &folder) {
        eprintln!("{}: {}", place.name(), place.settings()?);
        if wanted(args, Part::Questions) {
            bench.questions(place, &mut measures)?;
        }
        if wanted(args, Part::Pushes) {
            let memory = bench.pushes(place, &mut measures)?;
            eprintln!("memory: idle {} MiB, peak {} MiB", memory.idle >> 20, memory.peak >> 20);
        }
        if wanted(args, Part::Floors) {
            bench.floors(place, &mut measures)?;
        }
    }
    Ok(())
}

fn wanted(args: &RunArgs, part: Part) -> bool {
    args.only.is_empty() || args.only.contains(&part)
}

fn places<'a>(args: &'a RunArgs, folder: &'a Path) -> Vec<Place<'a>> {
    let sqlite = (!args.no_sqlite).then_some(Place::Sqlite(folder));
    sqlite.into_iter().chain(args.postgres.as_deref().map(Place::Postgres)).collect()
}

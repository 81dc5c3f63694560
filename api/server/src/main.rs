//! The binary: reads the command line and the configuration, starts the log, and hands over to one command.

use clap::Parser;
use muong_server::cli::{AuditCommand, Cli, Command};
use muong_server::clock::{Clock, Entropy};
use muong_server::config::Config;
use muong_server::{commands, telemetry};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// A push allocates hundreds of small things on one thread that others drop: the system's allocator took a fifth of the
/// processor time of the server. It asks the kernel for no huge pages (`no_thp`): an idle server touches some 7 MiB in pieces
/// all over, and was given 25. (Where the kernel gives them unasked, `MIMALLOC_ALLOW_THP=0` refuses them.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Perhaps nobody reads it any more, which is no reason to panic.
            let _told = writeln!(std::io::stderr(), "muong: {}", telemetry::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    if matches!(cli.command, Command::Openapi) {
        return Ok(commands::openapi::run(std::io::stdout().lock())?);
    }
    if let Command::Check(args) = &cli.command {
        // Before the configuration is loaded: that it cannot be is one of the things to be said.
        return Ok(commands::check::run(cli.config.as_deref(), args.json, Clock::System, std::io::stdout().lock())?);
    }
    let mut config = Config::load(cli.config.as_deref())?;
    telemetry::start(&config.log)?;
    // The only place that makes a clock and a source of chance; everything else is passed them.
    let (clock, entropy) = (Clock::System, Entropy::System);
    match cli.command {
        Command::Serve(args) => {
            config.listen = args.listen.unwrap_or(config.listen);
            Ok(commands::serve::run(config, clock, entropy)?)
        }
        Command::Migrate(args) => {
            Ok(commands::migrate::run(&config, clock, &entropy, args.dry_run, std::io::stdout().lock())?)
        }
        Command::Unit(command) => {
            Ok(commands::unit::run(&command, &config, clock, &entropy, std::io::stdout().lock())?)
        }
        Command::User(command) => Ok(commands::user::run(command, &config, clock, &entropy, std::io::stdout().lock())?),
        Command::Audit(AuditCommand::Verify) => Ok(commands::audit::verify(&config, std::io::stdout().lock())?),
        Command::Keys(command) => {
            Ok(commands::keys::run(&command, &config, clock, &entropy, std::io::stdout().lock())?)
        }
        Command::Backup(args) => {
            commands::backup::run(&args, &config, clock, std::io::stdout().lock())?;
            Ok(())
        }
        Command::Restore(args) => {
            commands::restore::run(&args, &config, clock, &entropy, std::io::stdout().lock())?;
            Ok(())
        }
        Command::Compact => {
            commands::compact::run(&config, clock, &entropy, std::io::stdout().lock())?;
            Ok(())
        }
        Command::Demo(args) => Ok(commands::demo::run(&args, config, clock, entropy)?),
        Command::Check(_) | Command::Openapi => Ok(()), // done above
    }
}

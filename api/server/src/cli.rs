//! The command line: verbs and their arguments. Parses only; `commands` does the work.
//! Takes no secret as an argument, where every process of the machine could read it.

use clap::{Args, Parser, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Field reporting that works offline: reports of branch meetings and member development, merged into one store.
#[derive(Debug, Parser)]
#[command(name = "muong", version, about, propagate_version = true)]
pub struct Cli {
    /// The configuration file (default: muong.toml, if it is there). Every key can also be set as MUONG_<KEY>.
    #[arg(long, short, global = true, env = "MUONG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API; applies missing migrations first.
    Serve(ServeArgs),
    /// Look for what would keep it from serving, and say what to do about it. Ends with 1 if there is anything.
    Check(CheckArgs),
    /// Bring the database to this version's schema and stop.
    Migrate(MigrateArgs),
    /// Fill a database with a fictional province and serve it.
    Demo(DemoArgs),
    /// Found the units of the organisation.
    #[command(subcommand)]
    Unit(UnitCommand),
    /// Manage the people who sign in.
    #[command(subcommand)]
    User(UserCommand),
    /// Examine the audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Change the keys that sign access tokens, or the one that personal data is sealed under in the end.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Take a backup of the database while servers serve. It is read back before it counts.
    Backup(BackupArgs),
    /// Restore a backup into an empty database. Stop the servers first.
    Restore(RestoreArgs),
    /// Take out of the feed what has told long enough that something is gone; servers do so every hour.
    Compact,
    /// Print the OpenAPI document.
    Openapi,
}

/// `muong backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The folder in which backups are kept, each in a folder of its own. Made if it is not there.
    pub folder: PathBuf,
    /// Remove all but so many of the newest backups there, once this one is finished.
    #[arg(long, value_name = "N")]
    pub keep: Option<NonZeroUsize>,
}

/// `muong restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup: the folder that holds its manifest.json. It is only read.
    pub backup: PathBuf,
    /// Remove everything that the database holds first.
    #[arg(long)]
    pub replace_everything: bool,
    /// The ledger of erasures, instead of the configured one; may be said several times.
    #[arg(long, value_name = "FILE", conflicts_with = "without_ledger")]
    pub ledger: Vec<PathBuf>,
    /// There is no ledger: whoever was erased after the backup comes back.
    #[arg(long)]
    pub without_ledger: bool,
}

/// `muong audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the log and every audit chain, and name the first row of each that was changed, removed or put in.
    Verify,
}

/// `muong keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a new key that signs from now on. Older ones verify until their last token is over: nobody is signed out.
    RotateSigning(RotateSigningArgs),
    /// Make a new master key, and wrap every data key anew. Servers go on meanwhile.
    RotateMaster(RotateMasterArgs),
}

/// `muong keys rotate-master`
#[derive(Debug, Args)]
pub struct RotateMasterArgs {
    /// Make none; drop the older keys from the file, once nothing is wrapped under them.
    #[arg(long)]
    pub retire_old: bool,
}

/// `muong keys rotate-signing`
#[derive(Debug, Args)]
pub struct RotateSigningArgs {
    /// Drop the older keys at once, because somebody else may have them. Phones get new access tokens by themselves.
    #[arg(long)]
    pub retire_old: bool,
}

/// `muong serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen, instead of the configured place.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

/// `muong check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// For programs: one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `muong migrate`
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Only say which migrations are missing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `muong demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What the sample data starts from, 1 unless said: the same seed makes the same province.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The database to fill, instead of the configured one; without a password, which belongs into the environment.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where to listen, instead of the configured place.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// How much of the province: 1, unless said, is all of it, 0.01 a hundredth.
    #[arg(long, value_parser = scale)]
    pub scale: Option<f64>,
    /// Fill and stop, without serving.
    #[arg(long)]
    pub fill_only: bool,
}

/// `muong unit …`
#[derive(Debug, Subcommand)]
pub enum UnitCommand {
    /// Found the province and its communes, in both trees, from the public data that comes with the program. Their codes:
    /// gso:11 and gso_province:11, gso:03127 and gso_commune:03127 …
    Found,
    /// Found units from a table: branches, villages and whatever else is not in the public data.
    Import(UnitImportArgs),
}

/// `muong unit import`
#[derive(Debug, Args)]
pub struct UnitImportArgs {
    /// A CSV file with the columns code, kind, name, parent, and where known founded_on (YYYY-MM-DD) and covers (of a
    /// branch: the codes of its villages, with spaces in between). Codes are written scheme:code, such as gso:03160; a
    /// unit whose code is there already is left as it is.
    pub file: PathBuf,
}

/// `muong user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user. The password is asked for, or read from --password-file or MUONG_PASSWORD.
    Add(UserAddArgs),
    /// Set a new password; ends the user's sessions.
    Passwd(UserPasswdArgs),
    /// Give a user a role over a unit and everything below it.
    Grant(UserGrantArgs),
    /// End a role of a user.
    Revoke(UserRevokeArgs),
    /// Disable a user: their sessions end, and they cannot sign in.
    Disable(UserNamedArgs),
    /// Enable a user again.
    Enable(UserNamedArgs),
    /// Remove the second factor of a user who has lost it.
    RemoveTotp(UserNamedArgs),
}

/// `muong user disable`, `enable`, `remove-totp`
#[derive(Debug, Args)]
pub struct UserNamedArgs {
    /// The name to sign in with.
    pub login: String,
}

/// `muong user add`
#[derive(Debug, Args)]
pub struct UserAddArgs {
    /// The name to sign in with.
    pub login: String,
    /// The name that others see.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show them; the fields have their own")]
    pub password: PasswordArgs,
}

/// `muong user passwd`
#[derive(Debug, Args)]
pub struct UserPasswdArgs {
    /// The name to sign in with.
    pub login: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show them; the fields have their own")]
    pub password: PasswordArgs,
}

/// Where a password comes from, when nobody is there to type it.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `muong user grant`
#[derive(Debug, Args)]
pub struct UserGrantArgs {
    /// The name to sign in with.
    pub login: String,
    /// cadre, liaison, commune_reviewer, provincial_reviewer, admin or auditor.
    pub role: String,
    /// The unit: its id, or a code as scheme:code (such as gso:03160).
    pub unit: String,
    /// The first day, as YYYY-MM-DD (default: today).
    #[arg(long, value_name = "DATE")]
    pub from: Option<chrono::NaiveDate>,
    /// The day from which it is no longer valid, as YYYY-MM-DD (default: open).
    #[arg(long, value_name = "DATE")]
    pub to: Option<chrono::NaiveDate>,
}

/// `muong user revoke`
#[derive(Debug, Args)]
pub struct UserRevokeArgs {
    /// The name to sign in with.
    pub login: String,
    /// The role to end.
    pub role: String,
    /// The unit: its id, or a code as scheme:code.
    pub unit: String,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if scale > 0.0 && scale <= 10.0 { Ok(scale) } else { Err("must be above 0 and at most 10".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn verbs_and_their_arguments_are_understood() {
        let cli = Cli::try_parse_from(["muong", "demo", "--seed", "7", "--scale", "0.1"]).unwrap();
        assert!(matches!(
            cli.command,
            Command::Demo(DemoArgs { seed: Some(7), scale: Some(0.1), fill_only: false, .. })
        ));
        let words = ["muong", "user", "grant", "sung.a.pao", "cadre", "gso:03160", "--to", "2026-12-31"];
        let Command::User(UserCommand::Grant(grant)) = Cli::try_parse_from(words).unwrap().command else {
            panic!("a grant")
        };
        assert_eq!((grant.role.as_str(), grant.from), ("cadre", None));
        let verify = Cli::try_parse_from(["muong", "audit", "verify"]).unwrap().command;
        assert!(matches!(verify, Command::Audit(AuditCommand::Verify)));
        assert!(Cli::try_parse_from(["muong", "demo", "--scale", "0"]).is_err());
        assert!(Cli::try_parse_from(["muong", "user", "grant", "a", "cadre", "u", "--to", "31/12/2026"]).is_err());
    }
}

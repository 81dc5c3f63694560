//! `muong user …`: users and grants, for whoever holds the shell of the server. Goes through the same writer and the
//! same checks as everything else; a running server notices by the log's head.
//! Takes no password as an argument, where every process of the machine could read it.

use crate::cli::{
    PasswordArgs, UserAddArgs, UserCommand, UserGrantArgs, UserNamedArgs, UserPasswdArgs, UserRevokeArgs,
};
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::messages::{self, Args, Lang};
use crate::security::password::{MAX_BYTES, MIN_CHARS, Password, PasswordError, hash_blocking};
use crate::state::{StartError, Storage};
use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::access::{Authority, Role};
use muong_domain::account::{Label, User, Username};
use muong_domain::id::UnitId;
use muong_domain::time::{first_instant, local_date};
use muong_store::grants::{self, GrantRefusal, NewGrant};
use muong_store::users::{self, NewUser};
use muong_store::{Outcome, StoreError, Tx, WriterError, totp, units};
use std::io::{self, BufRead, IsTerminal, Write};
use uuid::Uuid;

/// Why a command did not do what it was told to.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The store could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store failed.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The writer failed.
    #[error("the database: {0}")]
    Writer(#[from] WriterError),
    /// Refused, in words.
    #[error("{0}")]
    Refused(String),
    /// The terminal or a file.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A refusal in the words of the catalogue. The command line speaks English, as its help does.
fn refused(code: &str, args: Args) -> UserError {
    UserError::Refused(messages::localised(Lang::En, code, &args))
}

fn arg(name: &str, value: impl Into<serde_json::Value>) -> Args {
    Args::from([(name.to_owned(), value.into())])
}

/// The right by which everything here is done.
const OPERATOR: Authority = Authority::operator_of_the_server();

/// Does what the command says; tells it on `out`.
pub fn run(
    command: UserCommand,
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    out: impl Write,
) -> Result<(), UserError> {
    // Before the store is opened: a password that is refused or never typed changes nothing.
    let hash = match &command {
        UserCommand::Add(args) => Some(new_password_hash(&args.password, entropy)?),
        UserCommand::Passwd(args) => Some(new_password_hash(&args.password, entropy)?),
        _ => None,
    };
    let storage = Storage::open(config, clock, entropy)?;
    let done = Desk { storage: &storage, now: clock.now(), entropy }.serve(command, hash.unwrap_or_default(), out);
    storage.close();
    done
}

/// What every command needs.
struct Desk<'a> {
    storage: &'a Storage,
    now: DateTime<Utc>,
    entropy: &'a Entropy,
}

impl Desk<'_> {
    fn serve(&self, command: UserCommand, hash: String, out: impl Write) -> Result<(), UserError> {
        match command {
            UserCommand::Add(args) => self.add(args, hash, out),
            UserCommand::Passwd(args) => self.passwd(&args, hash, out),
            UserCommand::Grant(args) => self.grant(&args, out),
            UserCommand::Revoke(args) => self.revoke(&args, out),
            UserCommand::Disable(args) => self.disable(&args, out),
            UserCommand::Enable(args) => self.enable(&args, out),
            UserCommand::RemoveTotp(args) => self.remove_totp(&args, out),
        }
    }

    fn add(&self, args: UserAddArgs, password_hash: String, mut out: impl Write) -> Result<(), UserError> {
        let username = username(&args.login)?;
        let shown = args.name.as_deref().unwrap_or(username.as_str());
        let display_name =
            Label::parse(shown).map_err(|_| refused("user.label_invalid", arg("max", Label::MAX_CHARS)))?;
        let id = self.entropy.uuid(self.now).into();
        let new = NewUser { id, username, display_name, password_hash };
        let user = self.change(move |tx| Ok(users::add(tx, &OPERATOR, &new)?.into()), user_refused)?;
        Ok(writeln!(out, "Added {} ({}).", user.username, user.id)?)
    }

    fn passwd(&self, args: &UserPasswdArgs, hash: String, mut out: impl Write) -> Result<(), UserError> {
        let user = self.user(&args.login)?;
        let id = user.id;
        self.change(move |tx| Ok(users::set_password(tx, &OPERATOR, id, &hash)?.into()), user_refused)?;
        Ok(writeln!(out, "Set a new password for {}; all of their sessions have ended.", user.username)?)
    }

    fn grant(&self, args: &UserGrantArgs, mut out: impl Write) -> Result<(), UserError> {
        let (user, role, unit) = (self.user(&args.login)?, role(&args.role)?, self.unit(&args.unit)?);
        let grant = NewGrant {
            id: self.entropy.uuid(self.now).into(),
            user: user.id,
            role,
            unit,
            // From now on rather than from midnight: what was pushed this morning was not allowed this morning.
            valid_from: args.from.map_or(self.now, first_instant),
            valid_to: args.to.map(first_instant),
        };
        self.change(move |tx| Ok(grants::add(tx, &OPERATOR, &grant)?.into()), grant_refused)?;
        let since = held(args, local_date(self.now));
        Ok(writeln!(out, "{}: {} over {unit} {since} ({}).", user.username, role.as_str(), grant.id)?)
    }

    fn revoke(&self, args: &UserRevokeArgs, mut out: impl Write) -> Result<(), UserError> {
        let (user, role, unit) = (self.user(&args.login)?, role(&args.role)?, self.unit(&args.unit)?);
        let id = user.id;
        self.change(move |tx| Ok(grants::revoke(tx, &OPERATOR, id, role, unit)?.into()), grant_refused)?;
        Ok(writeln!(out, "{} is no longer {} over {unit}.", user.username, role.as_str())?)
    }

    fn disable(&self, args: &UserNamedArgs, mut out: impl Write) -> Result<(), UserError> {
        let user = self.user(&args.login)?;
        let id = user.id;
        self.change(move |tx| Ok(users::disable(tx, &OPERATOR, id)?.into()), user_refused)?;
        Ok(writeln!(out, "{} is disabled; all of their sessions have ended.", user.username)?)
    }

    fn enable(&self, args: &UserNamedArgs, mut out: impl Write) -> Result<(), UserError> {
        let user = self.user(&args.login)?;
        let id = user.id;
        self.change(move |tx| Ok(users::enable(tx, &OPERATOR, id)?.into()), user_refused)?;
        Ok(writeln!(out, "{} is enabled and may sign in.", user.username)?)
    }

    fn remove_totp(&self, args: &UserNamedArgs, mut out: impl Write) -> Result<(), UserError> {
        let user = self.user(&args.login)?;
        let id = user.id;
        let nothing = |()| refused("auth.totp_not_begun", Args::new());
        self.change(
            move |tx| Ok(if totp::remove(tx, &OPERATOR, id)? { Outcome::Commit(()) } else { Outcome::Refuse(()) }),
            nothing,
        )?;
        Ok(writeln!(out, "{} has no second factor any more.", user.username)?)
    }

    fn change<T: Send + 'static, R: Send + 'static>(
        &self,
        change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
        say: impl FnOnce(R) -> UserError,
    ) -> Result<T, UserError> {
        match self.storage.writer.write(1, change)? {
            Outcome::Commit(done) => Ok(done),
            Outcome::Refuse(refusal) => Err(say(refusal)),
        }
    }

    fn user(&self, login: &str) -> Result<User, UserError> {
        let name = username(login)?;
        let found = self.storage.database.read(|snapshot| users::find_by_name(snapshot, &name))?;
        found.ok_or_else(|| refused("user.unknown", Args::new()))
    }

    /// A unit by its id, or by a code that it has today.
    fn unit(&self, text: &str) -> Result<UnitId, UserError> {
        let unknown = || refused("unit.unknown", Args::new());
        if let Ok(id) = text.parse::<Uuid>() {
            return Ok(id.into());
        }
        let (scheme, code) = text.split_once(':').ok_or_else(unknown)?;
        let today = local_date(self.now);
        let found = self.storage.database.read(|snapshot| units::unit_of_code(snapshot, scheme, code, today))?;
        found.ok_or_else(unknown)
    }
}

/// When a grant of these dates holds, seen from today.
fn held(args: &UserGrantArgs, today: NaiveDate) -> String {
    let from = match args.from.filter(|from| *from > today) {
        Some(from) => format!("from {from} on"),
        None => "from now on".to_owned(),
    };
    match args.to {
        Some(to) if to <= today => format!("until {to}, which is past"),
        Some(to) => format!("{from}, until {to}"),
        None => from,
    }
}

fn username(login: &str) -> Result<Username, UserError> {
    Username::parse(login).map_err(|_| refused("user.name_invalid", Args::new()))
}

fn role(text: &str) -> Result<Role, UserError> {
    let roles = || Role::ALL.map(Role::as_str).join(", ");
    Role::parse(text).ok_or_else(|| refused("grant.role_unknown", arg("roles", roles())))
}

fn user_refused(refusal: users::UserRefusal) -> UserError {
    refused(refusal.code(), Args::new())
}

fn grant_refused(refusal: GrantRefusal) -> UserError {
    let args = match refusal {
        GrantRefusal::RoleExcluded(role) => arg("role", role.as_str()),
        _ => Args::new(),
    };
    refused(refusal.code(), args)
}

/// From the file that was named, else MUONG_PASSWORD, else the terminal (asked twice, without echo), else the first
/// line of standard input.
fn new_password_hash(args: &PasswordArgs, entropy: &Entropy) -> Result<String, UserError> {
    let typed = match (&args.password_file, std::env::var("MUONG_PASSWORD")) {
        (Some(path), _) => first_line(io::BufReader::new(std::fs::File::open(path)?))?,
        (None, Ok(password)) => password,
        (None, Err(_)) if io::stdin().is_terminal() => ask_twice()?,
        (None, Err(_)) => first_line(io::stdin().lock())?,
    };
    let password = Password::parse(&typed).map_err(password_refused)?;
    hash_blocking(&password, entropy).map_err(password_refused)
}

fn password_refused(error: PasswordError) -> UserError {
    match error {
        PasswordError::TooShort => refused("auth.password_too_short", arg("min", MIN_CHARS)),
        PasswordError::TooLong => refused("auth.password_too_long", arg("max", MAX_BYTES)),
        other => UserError::Refused(other.to_string()),
    }
}

fn first_line(mut source: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    source.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask_twice() -> Result<String, UserError> {
    let first = rpassword::prompt_password("New password: ")?;
    let second = rpassword::prompt_password("Once more: ")?;
    if first == second { Ok(first) } else { Err(refused("auth.password_mistyped", Args::new())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_told_with_the_dates_that_it_holds() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let told = |from, to| {
            let (login, role, unit) = ("a".to_owned(), "cadre".to_owned(), "gso:1".to_owned());
            let args = UserGrantArgs { login, role, unit, from: day(from), to: day(to) };
            held(&args, day("2026-11-24").unwrap())
        };
        assert_eq!(told("", ""), "from now on");
        assert_eq!(told("2026-11-24", "2026-12-31"), "from now on, until 2026-12-31");
        assert_eq!(told("2030-01-01", ""), "from 2030-01-01 on");
        assert_eq!(told("2030-01-01", "2031-01-01"), "from 2030-01-01 on, until 2031-01-01");
        assert_eq!(told("2020-01-01", "2021-01-01"), "until 2021-01-01, which is past");
    }

    #[test]
    fn a_password_is_the_first_line_and_keeps_its_spaces() {
        assert_eq!(first_line(" two words \r\nmore".as_bytes()).unwrap(), " two words ");
        assert_eq!(first_line("".as_bytes()).unwrap(), "");
    }
}

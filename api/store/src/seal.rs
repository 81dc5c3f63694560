//! Which key seals what, and the rows of the wrapped keys. Every personal value goes through here on its way into a row
//! and out of it; keys are read in sets, and only for as long as a transaction lasts: a destroyed one is gone at once.

use crate::among::among;
use crate::columns::Id;
use crate::connection::Connection;
use crate::dialect::{self, BIND_CHUNK};
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::data_keys;
use crate::transaction::{Reading, Tx};
use crate::vault::{DataKey, Place, StoreKeys, Vault, Wrapped};
use diesel::prelude::*;
use muong_domain::access::{Authority, Grant};
use muong_domain::id::{RecordId, SubmissionId, UserId, derived};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Under whose key something is sealed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    /// The store's own: it is about nobody.
    Store,
    /// A person: the record of one.
    Person(RecordId),
    /// A submission that is about nobody who could be told.
    Submission(SubmissionId),
    /// Somebody who signs in.
    User(UserId),
}

/// The kind of the key that digests values which must be unique among people.
const INDEX: &str = "index";
/// The kind of the keys of submissions.
const SUBMISSION: &str = "submission";

impl Owner {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Person(_) => "person",
            Self::Submission(_) => SUBMISSION,
            Self::User(_) => "user",
        }
    }

    fn id(self) -> Uuid {
        match self {
            Self::Store => Uuid::nil(),
            Self::Person(id) => id.uuid(),
            Self::Submission(id) => id.uuid(),
            Self::User(id) => id.uuid(),
        }
    }

    fn mark(self) -> u8 {
        match self {
            Self::Store => 0,
            Self::Person(_) => 1,
            Self::Submission(_) => 2,
            Self::User(_) => 3,
        }
    }
}

/// The first byte of everything sealed: how it is sealed.
const FORMAT: u8 = 1;

/// Whose key opens a sealed value, told by the value itself; `person` and `submission` are what its row names.
pub(crate) fn owner_of(sealed: &[u8], person: Option<Uuid>, submission: Option<Uuid>) -> Result<Owner, StoreError> {
    let owner = match sealed {
        [FORMAT, 0, ..] => Some(Owner::Store),
        [FORMAT, 1, ..] => person.map(|id| Owner::Person(RecordId::new(id))),
        [FORMAT, 2, ..] => submission.map(|id| Owner::Submission(SubmissionId::new(id))),
        _ => None,
    };
    owner.ok_or(StoreError::Sealed("a sealed value does not say whose it is"))
}

enum Held {
    Key(Arc<DataKey>),
    /// There is none yet.
    Missing,
    Destroyed,
}

/// The keys that one transaction has read, and those that it has made.
pub struct Keyring {
    vault: Option<Arc<Vault>>,
    held: HashMap<Owner, Held>,
    made: Vec<(Owner, Wrapped)>,
    has_destroyed: bool,
}

impl Keyring {
    /// Empty; without a vault nothing can be sealed or opened.
    pub(crate) fn new(vault: Option<Arc<Vault>>) -> Self {
        Self { vault, held: HashMap::new(), made: Vec::new(), has_destroyed: false }
    }

    fn vault(&self) -> Result<&Arc<Vault>, StoreError> {
        self.vault.as_ref().ok_or(StoreError::Sealed("this was opened without a master key"))
    }

    /// The key that digests values which must be unique among people.
    pub(crate) fn index(&self) -> Result<Arc<DataKey>, StoreError> {
        Ok(self.vault()?.own()?.index)
    }

    /// Opens what was sealed; none when its key has been destroyed. The key must have been learnt.
    pub(crate) fn open(&self, owner: Owner, place: Place, sealed: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = sealed.get(2..).ok_or(StoreError::Sealed("a sealed value is too short"))?;
        if owner == Owner::Store {
            return self.vault()?.own()?.content.open(place, bytes).map(Some);
        }
        match self.held.get(&owner) {
            Some(Held::Key(key)) => key.open(place, bytes).map(Some),
            Some(Held::Destroyed) => Ok(None),
            Some(Held::Missing) => Err(StoreError::Sealed("a sealed value has no key")),
            None => Err(StoreError::Sealed("a key was not read before it was needed")),
        }
    }

    /// Whether this transaction destroys any key.
    pub(crate) fn has_destroyed(&self) -> bool {
        self.has_destroyed
    }

    /// Whether the key has been destroyed. It must have been learnt.
    pub fn is_destroyed(&self, owner: Owner) -> bool {
        matches!(self.held.get(&owner), Some(Held::Destroyed))
    }
}

type KeyRow = (Id, String, Option<Vec<u8>>);

/// Reads the keys of these owners, as far as they have not been read yet.
pub fn learn(read: &mut impl Reading, owners: impl IntoIterator<Item = Owner>) -> Result<(), StoreError> {
    let (conn, keyring) = read.parts();
    let mut wanted: BTreeMap<&'static str, BTreeMap<Uuid, Owner>> = BTreeMap::new();
    for owner in owners {
        if owner == Owner::Store {
            learn_own(conn, keyring.vault()?)?;
        } else if !keyring.held.contains_key(&owner) {
            wanted.entry(owner.kind()).or_default().insert(owner.id(), owner);
        }
    }
    for (kind, owners) in wanted {
        let vault = Arc::clone(keyring.vault()?);
        let ids: Vec<Id> = owners.keys().copied().map(Id).collect();
        for chunk in ids.chunks(BIND_CHUNK) {
            for (id, master, wrapped) in rows(conn, kind, chunk)? {
                let Some(owner) = owners.get(&id.0) else { continue };
                let held = match wrapped {
                    Some(bytes) => Held::Key(Arc::new(vault.unwrap(id.0, &Wrapped { master, bytes })?)),
                    None => Held::Destroyed,
                };
                keyring.held.insert(*owner, held);
            }
        }
        for owner in owners.into_values() {
            keyring.held.entry(owner).or_insert(Held::Missing);
        }
    }
    Ok(())
}

/// Whoever only reads has not established the keys of the store; they are there all the same.
fn learn_own(conn: &mut Connection, vault: &Vault) -> Result<(), StoreError> {
    if vault.own().is_ok() {
        return Ok(());
    }
    let mut own = |kind| match rows(conn, kind, &[Id(Uuid::nil())])?.pop() {
        Some((id, master, Some(bytes))) => vault.unwrap(id.0, &Wrapped { master, bytes }).map(Arc::new),
        _ => Err(StoreError::Sealed("the store has no keys of its own yet")),
    };
    let own = StoreKeys { content: own(Owner::Store.kind())?, index: own(INDEX)? };
    vault.remember(own);
    Ok(())
}

fn rows(conn: &mut Connection, kind: &str, owners: &[Id]) -> Result<Vec<KeyRow>, StoreError> {
    Ok(on_backend!(conn, c => data_keys::table
        .filter(data_keys::kind.eq(kind))
        .filter(among(data_keys::owner, owners.iter().copied()))
        .select((data_keys::owner, data_keys::master, data_keys::wrapped))
        .load(c))?)
}

/// Which of these submissions are kept under a key of their own, since nobody could be told whom they are about. Their keys
/// tell, so nothing of them is read.
pub fn alone(read: &mut impl Reading, ids: &BTreeSet<SubmissionId>) -> Result<BTreeSet<SubmissionId>, StoreError> {
    let (conn, keyring) = read.parts();
    let made = keyring.made.iter().filter_map(|(owner, _)| match owner {
        Owner::Submission(id) => Some(*id),
        Owner::Store | Owner::Person(_) | Owner::User(_) => None,
    });
    let mut found: BTreeSet<SubmissionId> = made.filter(|id| ids.contains(id)).collect();
    let ids: Vec<Id> = ids.iter().copied().map(Id::from).collect();
    for chunk in ids.chunks(BIND_CHUNK) {
        let owners: Vec<Id> = on_backend!(&mut *conn, c => data_keys::table
            .filter(data_keys::kind.eq(SUBMISSION))
            .filter(among(data_keys::owner, chunk.iter().copied()))
            .select(data_keys::owner)
            .load(c))?;
        found.extend(owners.into_iter().map(|id| SubmissionId::new(id.0)));
    }
    Ok(found)
}

/// The key to seal with; made when there is none yet. None of somebody whose key has been destroyed.
fn key(tx: &mut Tx<'_>, owner: Owner) -> Result<Option<Arc<DataKey>>, StoreError> {
    if owner == Owner::Store {
        return Ok(Some(tx.parts().1.vault()?.own()?.content));
    }
    learn(tx, [owner])?;
    let (_, keyring) = tx.parts();
    match keyring.held.get(&owner) {
        Some(Held::Key(key)) => Ok(Some(Arc::clone(key))),
        Some(Held::Destroyed) => Ok(None),
        Some(Held::Missing) | None => {
            let (key, wrapped) = keyring.vault()?.make(owner.id())?;
            let key = Arc::new(key);
            keyring.held.insert(owner, Held::Key(Arc::clone(&key)));
            keyring.made.push((owner, wrapped));
            Ok(Some(key))
        }
    }
}

/// Seals a value for its row. What is about somebody who has been erased cannot be written.
pub(crate) fn seal(tx: &mut Tx<'_>, owner: Owner, place: Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    let key = key(tx, owner)?.ok_or(StoreError::Sealed("the key of somebody erased cannot seal"))?;
    let mut sealed = vec![FORMAT, owner.mark()];
    sealed.extend(key.seal(place, plain)?);
    Ok(sealed)
}

/// A digest that only the owner's key can make: what it is of cannot be guessed without it, nor once it is destroyed.
pub fn digest(tx: &mut Tx<'_>, owner: Owner, value: &[u8]) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(key(tx, owner)?.map(|key| key.digest(value)))
}

/// A tag by which the store knows again what it has given out: nobody can make one without a key of the store's own,
/// which all its processes have. A tag for one purpose is none for another.
pub fn tag(read: &mut impl Reading, purpose: &str, value: &[u8]) -> Result<[u8; 32], StoreError> {
    learn(read, [Owner::Store])?;
    let bytes = [purpose.as_bytes(), &[0], value].concat();
    Ok(read.parts().1.index()?.digest(&bytes))
}

/// Writes the keys that the transaction has made.
pub(crate) fn flush(conn: &mut Connection, keyring: &mut Keyring) -> Result<(), StoreError> {
    let made = std::mem::take(&mut keyring.made);
    insert(conn, made.into_iter().map(|(owner, wrapped)| (owner.kind(), owner.id(), wrapped)))
}

fn insert(conn: &mut Connection, made: impl Iterator<Item = (&'static str, Uuid, Wrapped)>) -> Result<(), StoreError> {
    let rows: Vec<_> = made
        .map(|(kind, owner, wrapped)| {
            (
                data_keys::kind.eq(kind),
                data_keys::owner.eq(Id(owner)),
                data_keys::master.eq(wrapped.master),
                data_keys::wrapped.eq(Some(wrapped.bytes)),
            )
        })
        .collect();
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(conn, c => diesel::insert_into(data_keys::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// Destroys the keys of these owners, and with them what was sealed under them: here, and in any copy of the rows whose
/// copy of the key is gone as well. On SQLite what is overwritten leaves no trace in the file, nor, after the commit, in the
/// write-ahead log. PostgreSQL keeps the old row until a VACUUM has been over the table, and in its write-ahead log for
/// as long as that is kept; backups keep it on either.
pub fn destroy(tx: &mut Tx<'_>, _grant: &Grant, owners: impl IntoIterator<Item = Owner>) -> Result<(), StoreError> {
    let (conn, keyring) = tx.parts();
    dialect::overwrite_what_is_deleted(conn)?;
    keyring.has_destroyed = true;
    for owner in owners {
        let master = keyring.vault()?.current();
        let row = (
            data_keys::kind.eq(owner.kind()),
            data_keys::owner.eq(Id(owner.id())),
            data_keys::master.eq(master),
            data_keys::wrapped.eq(None::<Vec<u8>>),
        );
        // Also where there was none: nothing is ever sealed under it.
        on_backend!(&mut *conn, c => diesel::insert_into(data_keys::table)
            .values(row)
            .on_conflict((data_keys::kind, data_keys::owner))
            .do_update()
            .set(data_keys::wrapped.eq(None::<Vec<u8>>))
            .execute(c))?;
        keyring.made.retain(|(made, _)| *made != owner);
        keyring.held.insert(owner, Held::Destroyed);
    }
    Ok(())
}

/// Reads, or at the very first start makes, the keys of the store itself. Fails when the master key is not the one that
/// the store was sealed with: better at the start than at the first reading.
pub fn establish(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let vault = Arc::clone(tx.parts().1.vault()?);
    let own = StoreKeys { content: own_key(tx, &vault, Owner::Store.kind())?, index: own_key(tx, &vault, INDEX)? };
    vault.remember(own);
    Ok(())
}

fn own_key(tx: &mut Tx<'_>, vault: &Vault, kind: &'static str) -> Result<Arc<DataKey>, StoreError> {
    let (conn, _) = tx.parts();
    let found = rows(conn, kind, &[Id(Uuid::nil())])?.pop();
    if let Some((id, master, Some(bytes))) = found {
        return vault.unwrap(id.0, &Wrapped { master, bytes }).map(Arc::new);
    }
    let (key, wrapped) = vault.make(Uuid::nil())?;
    insert(conn, std::iter::once((kind, Uuid::nil(), wrapped)))?;
    Ok(Arc::new(key))
}

/// Wraps up to `limit` data keys under the current master key that are wrapped under another one; answers how many.
pub fn rewrap(tx: &mut Tx<'_>, authority: &Authority, limit: i64) -> Result<usize, StoreError> {
    let (conn, keyring) = tx.parts();
    let vault = Arc::clone(keyring.vault()?);
    let current = vault.current();
    let rows: Vec<(String, Id, String, Option<Vec<u8>>)> = on_backend!(conn, c => data_keys::table
        .filter(data_keys::master.lt(&current).or(data_keys::master.gt(&current)))
        .limit(limit)
        .load(c))?;
    for (kind, owner, master, wrapped) in &rows {
        let rewrapped = match wrapped {
            Some(bytes) => {
                Some(vault.rewrap(owner.0, &Wrapped { master: master.clone(), bytes: bytes.clone() })?.bytes)
            }
            None => None,
        };
        on_backend!(conn, c => diesel::update(data_keys::table.find((kind, *owner)))
            .set((data_keys::master.eq(&current), data_keys::wrapped.eq(&rewrapped)))
            .execute(c))?;
    }
    if !rows.is_empty() {
        let command = json!({"master": &current, "keys": rows.len()});
        let reference = derived("master key", &[current.as_bytes()]);
        tx.append(LogEntry::of_reference("master_key", reference, "rewrapped", &command).by(authority));
    }
    Ok(rows.len())
}

/// The ids of the master keys that data keys are wrapped under.
pub fn masters(read: &mut impl Reading) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    // From one to the next on the index, since there are few of them and many rows of each.
    loop {
        let last: String = found.last().cloned().unwrap_or_default();
        let next: Option<String> = on_backend!(read.conn(), c => data_keys::table
            .filter(data_keys::master.gt(&last))
            .order(data_keys::master)
            .select(data_keys::master)
            .first(c)
            .optional())?;
        match next {
            Some(id) => found.push(id),
            None => return Ok(found),
        }
    }
}

/// One page of wrapped keys after (kind, owner), to be copied into a store that is rebuilt from the log.
#[derive(Clone, Debug)]
pub struct KeyCopy {
    kind: String,
    owner: Uuid,
    master: String,
    wrapped: Option<Vec<u8>>,
}

/// Reads wrapped keys in order.
pub fn copies(read: &mut impl Reading, after: Option<&KeyCopy>, limit: i64) -> Result<Vec<KeyCopy>, StoreError> {
    let (kind, owner) = after.map_or((String::new(), Uuid::nil()), |last| (last.kind.clone(), last.owner));
    let rows: Vec<(String, Id, String, Option<Vec<u8>>)> = on_backend!(read.conn(), c => data_keys::table
        .filter(data_keys::kind.gt(&kind).or(data_keys::kind.eq(&kind).and(data_keys::owner.gt(Id(owner)))))
        .order((data_keys::kind, data_keys::owner))
        .limit(limit)
        .load(c))?;
    let copy =
        |(kind, owner, master, wrapped): (String, Id, String, _)| KeyCopy { kind, owner: owner.0, master, wrapped };
    Ok(rows.into_iter().map(copy).collect())
}

/// Takes over the keys of the store whose log is being replayed, those of the store itself as well: what was digested
/// then is so again.
pub fn take_over(tx: &mut Tx<'_>, keys: &[KeyCopy]) -> Result<(), StoreError> {
    let (conn, _) = tx.parts();
    for key in keys {
        let row = (
            data_keys::kind.eq(&key.kind),
            data_keys::owner.eq(Id(key.owner)),
            data_keys::master.eq(&key.master),
            data_keys::wrapped.eq(&key.wrapped),
        );
        on_backend!(conn, c => diesel::insert_into(data_keys::table)
            .values(row)
            .on_conflict((data_keys::kind, data_keys::owner))
            .do_update()
            .set((data_keys::master.eq(&key.master), data_keys::wrapped.eq(&key.wrapped)))
            .execute(c))?;
    }
    Ok(())
}

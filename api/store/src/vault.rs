//! The keys that personal data is sealed under: data keys, one for each person, and the master keys that wrap them.
//! Knows how to seal, open and digest; which row is whose is `seal.rs`'s business.
//!
//! Sealed is with AES-256-GCM-SIV (RFC 8452): the same text sealed again at the same place gives the same bytes, and a
//! nonce that comes back, as after a restored backup, gives away no more than that. Values that must be found again
//! are kept as HMAC-SHA-256 (RFC 2104), so that without the key no guess can be tested.

use crate::error::StoreError;
use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Fills bytes with chance that is fit for keys.
pub type Chance = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Reads the master keys again from where they are kept, the one that wraps first; none when they cannot be read.
pub type Source = Arc<dyn Fn() -> Option<Vec<MasterKey>> + Send + Sync>;

/// How many bytes a data key has: one half seals, the other digests.
const DATA_KEY: usize = 64;

/// A key that wraps data keys. It is never in the database.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    cipher: Aes256GcmSiv,
}

impl MasterKey {
    /// How many bytes it has.
    pub const BYTES: usize = 32;

    /// Of its bytes.
    pub fn new(bytes: &[u8; Self::BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"muong master key\0").chain_update(bytes).finalize();
        let id = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id, cipher: Aes256GcmSiv::new(bytes.into()) }
    }

    /// What the rows that it wraps name it by; says nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.id).finish()
    }
}

/// One key for the data of one person (or of one submission, or of the store itself).
#[derive(Clone)]
pub struct DataKey {
    seals: Aes256GcmSiv,
    digests: Hmac<Sha256>,
}

/// Where a sealed value stands: it opens nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Table and column.
    pub column: &'static str,
    /// The row.
    pub row: Uuid,
    /// The version of the row.
    pub version: i64,
}

impl Place {
    fn nonce(self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&self.row.as_bytes()[..4]);
        nonce[4..].copy_from_slice(&self.version.to_be_bytes());
        nonce.into()
    }

    fn bound_to(self) -> Vec<u8> {
        [self.column.as_bytes(), &[0], self.row.as_bytes()].concat()
    }
}

impl DataKey {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (seals, digests) = bytes.split_at_checked(DATA_KEY / 2)?;
        Some(Self { seals: Aes256GcmSiv::new_from_slice(seals).ok()?, digests: Hmac::new_from_slice(digests).ok()? })
    }

    /// Seals a value for one place.
    pub(crate) fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let payload = Payload { msg: plain, aad: &place.bound_to() };
        self.seals
            .encrypt(&place.nonce(), payload)
            .map_err(|_too_long| StoreError::Sealed("a value is too long to seal"))
    }

    /// Opens what was sealed for that place under this key.
    pub(crate) fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let payload = Payload { msg: sealed, aad: &place.bound_to() };
        let opened = self.seals.decrypt(&place.nonce(), payload);
        opened.map_err(|_forged| StoreError::Sealed("a sealed value does not open: it was changed or moved"))
    }

    /// A digest that nobody can make, or test a guess against, without the key.
    pub fn digest(&self, value: &[u8]) -> [u8; 32] {
        self.digests.clone().chain_update(value).finalize().into_bytes().into()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// A wrapped data key, as it stands in its row.
#[derive(Clone, Debug)]
pub(crate) struct Wrapped {
    /// The master key that wraps it.
    pub master: String,
    /// The wrapped bytes.
    pub bytes: Vec<u8>,
}

/// The keys of the store itself, which are never destroyed.
#[derive(Clone, Debug)]
pub(crate) struct StoreKeys {
    /// Seals what is about nobody, and digests what is said.
    pub content: Arc<DataKey>,
    /// Digests values that must be unique among people.
    pub index: Arc<DataKey>,
}

/// Wraps and unwraps the data keys of one store.
pub struct Vault {
    masters: RwLock<Arc<[MasterKey]>>,
    source: Source,
    chance: Chance,
    own: RwLock<Option<StoreKeys>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("masters", &self.masters()).finish_non_exhaustive()
    }
}

impl Vault {
    /// With the master keys that `source` gives; none when it gives none.
    pub fn new(source: Source, chance: Chance) -> Option<Self> {
        let masters = source().filter(|keys| !keys.is_empty())?;
        Some(Self { masters: RwLock::new(masters.into()), source, chance, own: RwLock::new(None) })
    }

    fn masters(&self) -> Arc<[MasterKey]> {
        Arc::clone(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the master keys again; keeps what it has when there are none to read.
    pub fn reload(&self) {
        if let Some(keys) = (self.source)().filter(|keys| !keys.is_empty()) {
            *self.masters.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        }
    }

    /// The id of the master key that wraps new data keys.
    pub fn current(&self) -> String {
        self.masters().first().map(|master| master.id.clone()).unwrap_or_default()
    }

    fn master(&self, id: &str) -> Option<MasterKey> {
        self.masters().iter().find(|master| master.id == id).cloned()
    }

    /// A new data key, and how its row is to keep it.
    ///
    /// Reads the master keys again: a new key must not be wrapped by one that has been rotated away meanwhile and will be
    /// dropped. New owners are rare, and the file is short.
    pub(crate) fn make(&self, owner: Uuid) -> Result<(DataKey, Wrapped), StoreError> {
        self.reload();
        let mut bytes = Zeroizing::new([0; DATA_KEY]);
        (self.chance)(&mut *bytes);
        let key = DataKey::of(&*bytes).ok_or(StoreError::Sealed("a data key cannot be made"))?;
        Ok((key, self.wrap(owner, &*bytes)?))
    }

    fn wrap(&self, owner: Uuid, bytes: &[u8]) -> Result<Wrapped, StoreError> {
        let masters = self.masters();
        let master = masters.first().ok_or(StoreError::Sealed("there is no master key"))?;
        let payload = Payload { msg: bytes, aad: owner.as_bytes() };
        let wrapped = master.cipher.encrypt(&wrapping_nonce(owner), payload);
        let bytes = wrapped.map_err(|_too_long| StoreError::Sealed("a data key cannot be wrapped"))?;
        Ok(Wrapped { master: master.id.clone(), bytes })
    }

    fn unwrap_bytes(&self, owner: Uuid, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let master = match self.master(&wrapped.master) {
            Some(master) => master,
            None => {
                // Another process may have changed the master key since this one read it.
                self.reload();
                self.master(&wrapped.master).ok_or_else(|| StoreError::NoMasterKey(wrapped.master.clone()))?
            }
        };
        let payload = Payload { msg: &wrapped.bytes, aad: owner.as_bytes() };
        let bytes = master.cipher.decrypt(&wrapping_nonce(owner), payload);
        bytes
            .map(Zeroizing::new)
            .map_err(|_forged| StoreError::Sealed("a data key does not unwrap: its row was changed"))
    }

    /// An id that nobody can guess, and that is never given out twice.
    pub(crate) fn fresh_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        (self.chance)(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The data key of a row.
    pub(crate) fn unwrap(&self, owner: Uuid, wrapped: &Wrapped) -> Result<DataKey, StoreError> {
        let bytes = self.unwrap_bytes(owner, wrapped)?;
        DataKey::of(&bytes).ok_or(StoreError::Sealed("a data key has the wrong length"))
    }

    /// The same data key under the current master key.
    pub(crate) fn rewrap(&self, owner: Uuid, wrapped: &Wrapped) -> Result<Wrapped, StoreError> {
        self.wrap(owner, &self.unwrap_bytes(owner, wrapped)?)
    }

    /// Remembers the keys of the store itself.
    pub(crate) fn remember(&self, own: StoreKeys) {
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = Some(own);
    }

    /// The keys of the store itself.
    pub(crate) fn own(&self) -> Result<StoreKeys, StoreError> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        own.ok_or(StoreError::Sealed("the keys of the store have not been established"))
    }

    /// A digest under the store's own key: for what has no owner yet.
    pub fn digest(&self, value: &[u8]) -> Result<[u8; 32], StoreError> {
        Ok(self.own()?.content.digest(value))
    }
}

/// What is wrapped is itself random, so the nonce need only differ where the owner does.
fn wrapping_nonce(owner: Uuid) -> Nonce {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&owner.as_bytes()[4..]);
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(masters: &[u8]) -> Vault {
        let keys: Vec<MasterKey> = masters.iter().map(|byte| MasterKey::new(&[*byte; 32])).collect();
        Vault::new(Arc::new(move || Some(keys.clone())), Arc::new(|bytes| bytes.fill(7))).expect("there are keys")
    }

    const PLACE: Place = Place { column: "records/personal", row: Uuid::from_u128(9), version: 3 };

    #[test]
    fn what_was_sealed_opens_at_its_place_and_nowhere_else() {
        let (key, _) = vault(&[1]).make(Uuid::from_u128(5)).unwrap();
        let sealed = key.seal(PLACE, "Vừ A Chá".as_bytes()).unwrap();
        assert_eq!(key.open(PLACE, &sealed).unwrap(), "Vừ A Chá".as_bytes());
        for other in [
            Place { column: "submissions/body", ..PLACE },
            Place { row: Uuid::from_u128(10), ..PLACE },
            Place { version: 4, ..PLACE },
        ] {
            assert!(matches!(key.open(other, &sealed), Err(StoreError::Sealed(_))), "{other:?}");
        }
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open(PLACE, &changed).is_err(), "byte {index}");
        }
    }

    #[test]
    fn the_sealed_bytes_hold_nothing_of_the_text_and_repeat_for_the_same_place_alone() {
        let (key, _) = vault(&[1]).make(Uuid::from_u128(5)).unwrap();
        let seal = |place| key.seal(place, b"Chang A Paoooooooo").unwrap();
        assert_eq!(seal(PLACE), seal(PLACE));
        assert_ne!(seal(PLACE), seal(Place { version: 4, ..PLACE }));
        assert!(!seal(PLACE).windows(4).any(|four| b"Chang A Paoooooooo".windows(4).any(|text| text == four)));
    }

    #[test]
    fn a_new_master_key_wraps_and_the_old_one_still_unwraps() {
        let owner = Uuid::from_u128(5);
        let (key, wrapped) = vault(&[1]).make(owner).unwrap();
        let both = vault(&[2, 1]);
        let rewrapped = both.rewrap(owner, &wrapped).unwrap();
        assert_eq!(rewrapped.master, MasterKey::new(&[2; 32]).id());
        let alone = vault(&[2]);
        assert_eq!(alone.unwrap(owner, &rewrapped).unwrap().digest(b"x"), key.digest(b"x"));
        assert!(matches!(alone.unwrap(owner, &wrapped), Err(StoreError::NoMasterKey(_))));
        assert!(both.unwrap(Uuid::from_u128(6), &rewrapped).is_err(), "the key of another owner");
    }

    #[test]
    fn a_key_that_another_process_brought_is_found_by_reading_again() {
        let owner = Uuid::from_u128(5);
        let (_, wrapped) = vault(&[2]).make(owner).unwrap();
        let asked = std::sync::atomic::AtomicU8::new(0);
        let source = move || {
            let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            let keys: &[u8] = if first { &[1] } else { &[2, 1] };
            Some(keys.iter().map(|byte| MasterKey::new(&[*byte; 32])).collect())
        };
        let vault = Vault::new(Arc::new(source), Arc::new(|bytes| bytes.fill(7))).unwrap();
        assert!(vault.unwrap(owner, &wrapped).is_ok());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let vault = vault(&[1]);
        let (key, _) = vault.make(Uuid::from_u128(5)).unwrap();
        let text = format!("{vault:?} {key:?} {:?}", MasterKey::new(&[1; 32]));
        assert!(!text.contains("7, 7") && !text.contains("1, 1"), "{text}");
    }
}

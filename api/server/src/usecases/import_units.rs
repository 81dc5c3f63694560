//! Units are founded from a list that names them, and each other, by codes: of a file, or of the data that comes with the
//! program. A code that is there already is left as it is, so a list can be imported again, also a longer one.
//! Changes nothing of units that are there: renaming, moving and merging them are events of their own.

use super::found_units::{Founding, FoundingRefusal, found_units};
use crate::reference::ReferenceCache;
use chrono::NaiveDate;
use muong_domain::access::Authority;
use muong_domain::id::UnitId;
use muong_domain::text::single_line;
use muong_domain::unit::{KINDS, Unit, UnitCode, UnitVersion, Units};
use muong_store::units::Coverage;
use muong_store::{Outcome, StoreError, Tx};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// A code in a scheme. Always a text: its leading zeros count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Code {
    scheme: String,
    code: String,
}

impl Code {
    /// A code of a scheme.
    pub fn new(scheme: &str, code: &str) -> Self {
        Self { scheme: scheme.to_owned(), code: code.to_owned() }
    }

    /// Reads `scheme:code`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, code) = text.trim().split_once(':')?;
        (!scheme.is_empty() && !code.is_empty() && !text.contains(char::is_control)).then(|| Self::new(scheme, code))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.code)
    }
}

/// One unit of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The id that it gets if it is founded.
    pub id: UnitId,
    /// The line of the list, for messages.
    pub line: u64,
    /// By which it is known.
    pub code: Code,
    /// One of [`KINDS`].
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The unit above it; none for the top of a tree.
    pub parent: Option<Code>,
    /// The first day of what it is now; unless said, the day of its founding, or else that of the unit above it.
    pub valid_from: Option<NaiveDate>,
    /// When it was founded, where that is known.
    pub founded_on: Option<NaiveDate>,
    /// Of a branch: the villages that it covers.
    pub covers: Vec<Code>,
}

/// What is wrong with a line of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The line.
    pub line: u64,
    /// The stable code of the reason.
    pub code: &'static str,
    /// What it is about: a code of the list, or its kind.
    pub about: String,
}

/// What an import came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Imported {
    /// So many units were founded.
    pub founded: usize,
    /// So many were there already.
    pub known: usize,
}

/// Founds what of the list is not there, all of it or nothing.
pub fn import_units(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    authority: &Authority,
    list: &[Listed],
) -> Result<Outcome<Imported, Vec<Fault>>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let held = cache.get(tx, as_of)?;
    let founding = match plan(&held.units, list) {
        Ok(founding) => founding,
        Err(faults) => return Ok(Outcome::Refuse(faults)),
    };
    let founded = founding.units.len();
    let imported = Imported { founded, known: list.len() - founded };
    if founded == 0 {
        return Ok(Outcome::Commit(imported));
    }
    Ok(match found_units(tx, cache, authority, &founding)? {
        Outcome::Commit(_) => Outcome::Commit(imported),
        Outcome::Refuse(refusal) => Outcome::Refuse(faults_of(list, &refusal)),
    })
}

fn faults_of(list: &[Listed], refusal: &FoundingRefusal) -> Vec<Fault> {
    let at = |id: UnitId, code| {
        let listed = list.iter().find(|listed| listed.id == id);
        Fault {
            line: listed.map_or(0, |listed| listed.line),
            code,
            about: listed.map_or_else(|| id.to_string(), |listed| listed.code.to_string()),
        }
    };
    match refusal {
        FoundingRefusal::Exists(id) => vec![at(*id, "unit.code_twice")],
        FoundingRefusal::Faulty(faults) => faults.iter().map(|(id, code)| at(*id, code)).collect(),
    }
}

/// What is known by a code: the id, the kind and the first day.
type Known<'a> = HashMap<Code, (UnitId, &'a str, NaiveDate)>;

fn known(held: &Units) -> Known<'_> {
    let coded = held.iter().filter_map(|unit| Some((unit, unit.latest()?)));
    coded
        .flat_map(|(unit, latest)| {
            let what = (unit.id, latest.kind.as_str(), latest.valid_from);
            unit.codes.iter().map(move |code| (Code::new(&code.scheme, &code.code), what))
        })
        .collect()
}

/// The units and coverages of the list that are not there yet, or everything that is wrong with it. A parent stands
/// before its children.
fn plan(held: &Units, list: &[Listed]) -> Result<Founding, Vec<Fault>> {
    let mut known = known(held);
    let (mut founding, mut faults, mut lines) = (Founding::default(), Vec::new(), BTreeMap::new());
    let mut new: Vec<&Listed> = Vec::new();
    for listed in list {
        if lines.insert(&listed.code, listed.line).is_some() {
            faults.push(Fault { line: listed.line, code: "unit.code_twice", about: listed.code.to_string() });
        } else if !known.contains_key(&listed.code) {
            match unit(&known, listed) {
                Ok(unit) => {
                    let from = unit.versions[0].valid_from;
                    known.insert(listed.code.clone(), (unit.id, &listed.kind, from));
                    founding.units.push(unit);
                    new.push(listed);
                }
                Err((code, about)) => faults.push(Fault { line: listed.line, code, about }),
            }
        }
    }
    // Villages may stand after the branches that cover them.
    for listed in new {
        match coverage(&known, listed) {
            Ok(covered) => founding.coverage.extend(covered),
            Err((code, about)) => faults.push(Fault { line: listed.line, code, about }),
        }
    }
    if faults.is_empty() { Ok(founding) } else { Err(faults) }
}

type Wrong = (&'static str, String);

fn unit(known: &Known<'_>, listed: &Listed) -> Result<Unit, Wrong> {
    let tree = KINDS.iter().find(|(kind, _)| *kind == listed.kind).map(|(_, tree)| *tree);
    let tree = tree.ok_or_else(|| ("unit.kind_unknown", listed.kind.clone()))?;
    let name = single_line(&listed.name).ok().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ("unit.name_invalid", listed.code.to_string()))?;
    let parent = match &listed.parent {
        Some(code) => Some(*known.get(code).ok_or_else(|| ("unit.parent_unknown", code.to_string()))?),
        None if is_top(&listed.kind) => None,
        None => return Err(("unit.parent_unknown", listed.code.to_string())),
    };
    let from = listed.valid_from.or(listed.founded_on).or(parent.map(|(_, _, from)| from));
    let valid_from = from.ok_or_else(|| ("unit.without_version", listed.code.to_string()))?;
    let Code { scheme, code } = listed.code.clone();
    Ok(Unit {
        id: listed.id,
        tree,
        founded_on: listed.founded_on,
        versions: vec![UnitVersion {
            valid_from,
            valid_to: None,
            kind: listed.kind.clone(),
            name,
            parent: parent.map(|(id, ..)| id),
        }],
        codes: vec![UnitCode { scheme, code, valid_from, valid_to: None }],
    })
}

fn is_top(kind: &str) -> bool {
    matches!(kind, "provincial_committee" | "province")
}

fn coverage(known: &Known<'_>, listed: &Listed) -> Result<Vec<Coverage>, Wrong> {
    let from = known.get(&listed.code).map(|(_, _, from)| *from);
    let covered = listed.covers.iter().map(|code| match known.get(code) {
        Some((village, "village" | "residential_group", began)) if listed.kind == "branch" => {
            // Not before the village is what it is.
            Ok(Coverage { branch: listed.id, village: *village, from: from.unwrap_or(*began).max(*began) })
        }
        _ => Err(("unit.covers_unknown", code.to_string())),
    });
    covered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn listed(number: u64, code: &str, kind: &str, parent: &str) -> Listed {
        Listed {
            id: UnitId::new(Uuid::from_u128(u128::from(number))),
            line: number,
            code: Code::parse(code).unwrap(),
            kind: kind.to_owned(),
            name: format!("Đơn vị {number}"),
            parent: Code::parse(parent),
            valid_from: None,
            founded_on: NaiveDate::from_ymd_opt(2025, 7, 1),
            covers: Vec::new(),
        }
    }

    fn province() -> Vec<Listed> {
        let mut branch = listed(3, "own:01", "branch", "gso:11");
        branch.covers = vec![Code::new("own", "b1")];
        let mut village = listed(5, "own:b1", "village", "gso_province:11");
        (village.founded_on, village.name) = (None, " Bản  Huổi Sang ".to_owned());
        vec![
            listed(1, "gso:11", "provincial_committee", ""),
            listed(2, "gso_province:11", "province", ""),
            branch,
            village,
        ]
    }

    #[test]
    fn a_list_is_founded_once_and_a_longer_one_adds_what_is_new() {
        let planned = plan(&Units::default(), &province()).unwrap();
        assert_eq!((planned.units.len(), planned.coverage.len()), (4, 1));
        assert_eq!(planned.units[3].versions[0].name, "Bản Huổi Sang");
        assert_eq!(planned.units[3].versions[0].valid_from, planned.units[1].versions[0].valid_from);
        let held = Units::new(planned.units);
        assert!(held.faults().is_empty());
        assert_eq!(plan(&held, &province()).unwrap().units, []);
        let longer = [province(), vec![listed(9, "own:02", "branch", "gso:11")]].concat();
        assert_eq!(plan(&held, &longer).unwrap().units.len(), 1);
    }

    #[test]
    fn everything_that_is_wrong_is_told_by_its_line() {
        let mut covering = listed(15, "own:05", "branch", "gso:11");
        covering.covers = vec![Code::new("own", "nowhere"), Code::new("gso", "11")];
        let mut nameless = listed(16, "own:06", "branch", "gso:11");
        nameless.name = " \u{7}".to_owned();
        let wrong = [
            listed(11, "own:01", "branch", "gso:11"),
            listed(12, "own:02", "club", "gso:11"),
            listed(13, "own:03", "branch", "gso:99"),
            listed(14, "own:04", "branch", ""),
            covering,
            nameless,
        ];
        let faults = plan(&Units::default(), &[&province()[..], &wrong].concat()).unwrap_err();
        let told: Vec<(u64, &str)> = faults.iter().map(|fault| (fault.line, fault.code)).collect();
        let expected = [
            (11, "unit.code_twice"),
            (12, "unit.kind_unknown"),
            (13, "unit.parent_unknown"),
            (14, "unit.parent_unknown"),
            (16, "unit.name_invalid"),
            (15, "unit.covers_unknown"),
        ];
        assert_eq!(told, expected);
    }
}

//! Lists records: in order of id, except the people of one branch, who stand in the order of their names.
//!
//! Names are personal values, kept where they can be sealed, and no index holds them: to search or sort by name means
//! to open the records, so it is done for one branch and for no more.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::read_record::{SeenRecord, see};
use super::reader::{MOST_BYTES, Page, Reader, Values, fitting, one_more, read_as};
use super::review::Reason;
use crate::reference::is_about_person;
use crate::state::App;
use chrono::NaiveDate;
use muong_domain::form::{Form, Subject, View};
use muong_domain::id::{RecordId, UnitId};
use muong_domain::text::{collation_key, search_key};
use muong_store::Snapshot;
use muong_store::records::{self, RecordFilter, StoredRecord};
use std::collections::HashMap;

/// The kind of unit within which people are sorted and searched by name.
const BRANCH: &str = "branch";
/// The field that holds the name of a person.
const NAME: &str = "full_name";

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct RecordQuery {
    /// Only this form.
    pub form: Option<String>,
    /// Only below this unit.
    pub unit: Option<UnitId>,
    /// Only about this person.
    pub subject: Option<RecordId>,
    /// Only live ones, or only withdrawn ones.
    pub live: Option<bool>,
    /// Only with open conflicts, or only without.
    pub disputed: Option<bool>,
    /// On or after this day.
    pub from: Option<NaiveDate>,
    /// On or before this day.
    pub to: Option<NaiveDate>,
    /// Only people whose name, or a word of it, begins so.
    pub name: Option<String>,
    /// After this record.
    pub after: Option<RecordId>,
    /// At most so many.
    pub limit: usize,
}

/// Lists them.
pub async fn list_records(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    query: RecordQuery,
) -> Result<Page<SeenRecord, RecordId>, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        reader.require_content()?;
        reader.require_reason_for(query.form.as_deref(), query.subject)?;
        let page = match people_of(reader, &query)? {
            Some((form, branch)) => by_name(snapshot, reader, &query, form, branch)?,
            None => by_id(snapshot, reader, &query)?,
        };
        let next = page.next;
        let values = |stored: StoredRecord| {
            // What was found lies in scope; a form that is about nobody may still hold values that are.
            let values = reader.sees(&stored.record.form, stored.record.unit).unwrap_or(Values::Masked);
            (stored, values)
        };
        let items = see(snapshot, reader, page.items.into_iter().map(values).collect())?;
        Ok(Page { items, next })
    })
    .await
}

/// The form and the branch, when it is the people of one branch that are asked for.
fn people_of<'a>(reader: &'a Reader, query: &RecordQuery) -> Result<Option<(&'a Form, UnitId)>, Failure> {
    let mut forms = reader.reference().forms(true).filter(|form| form.definition().subject == Subject::Itself);
    let form = forms.find(|form| query.form.as_deref().map_or(query.name.is_some(), |code| code == form.code()));
    let kind = |unit: UnitId| {
        let unit = reader.reference().units.get(unit)?;
        unit.on(reader.today()).or_else(|| unit.latest()).map(|version| version.kind.as_str())
    };
    match (form, query.unit.filter(|unit| kind(*unit) == Some(BRANCH))) {
        (Some(form), Some(branch)) => Ok(Some((form, branch))),
        // Told alike for a unit that is no branch, that lies outside the scope and that does not exist.
        _ if query.name.is_some() => Err(Failure::refused("person.name_needs_branch")),
        _ => Ok(None),
    }
}

/// One index walk for each form, since persons may be seen in other units than meetings; then the page at once.
fn by_id(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    query: &RecordQuery,
) -> Result<Page<StoredRecord, RecordId>, Failure> {
    let mut ids = Vec::new();
    for form in reader.forms(query.form.as_deref()) {
        let Some(scope) = reader.may_read_below(is_about_person(form), query.unit) else { continue };
        let filter = RecordFilter {
            scope,
            form: form.code().to_owned(),
            subject: query.subject,
            live: query.live,
            disputed: query.disputed,
            from: query.from,
            to: query.to,
            after: query.after,
        };
        ids.extend(records::list(snapshot, &filter, one_more(query.limit))?);
    }
    ids.sort_unstable();
    ids.truncate(query.limit.saturating_add(1));
    let page = Page::bounded(records::sizes(snapshot, &ids)?, query.limit, |id: &RecordId| *id);
    of_page(snapshot, page)
}

/// Reads what a page holds, in its order.
fn of_page(
    snapshot: &mut Snapshot<'_>,
    page: Page<RecordId, RecordId>,
) -> Result<Page<StoredRecord, RecordId>, Failure> {
    let found = records::by_ids(snapshot, &page.items)?;
    let mut found: HashMap<RecordId, StoredRecord> = found.into_iter().map(|s| (s.record.id, s)).collect();
    let items = page.items.iter().filter_map(|id| found.remove(id)).collect();
    Ok(Page { items, next: page.next })
}

/// The people of one branch. The cursor names the last one, never a name, which would end in logs of URLs.
fn by_name(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    query: &RecordQuery,
    form: &Form,
    branch: UnitId,
) -> Result<Page<StoredRecord, RecordId>, Failure> {
    if reader.may_read_below(true, Some(branch)).is_none_or(|scope| !scope.tops.contains(&branch)) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let sizes = records::below(snapshot, form.code(), branch)?;
    let people = called(snapshot, query, form, &sizes)?;
    let place_of = |id: RecordId| people.iter().find(|(place, _)| place.id == id).map(|(place, _)| place.clone());
    let after = (query.after)
        .map(|last| place_of(last).ok_or_else(|| Failure::refused("request.cursor_invalid")))
        .transpose()?;
    let mut places: Vec<Place> = (people.into_iter())
        .filter(|(place, kept)| *kept && after.as_ref().is_none_or(|after| place > after))
        .map(|(place, _)| place)
        .collect();
    places.sort();
    let sizes: HashMap<RecordId, usize> = sizes.into_iter().collect();
    let sized = |place: &Place| (place.id, sizes.get(&place.id).copied().unwrap_or_default());
    of_page(snapshot, Page::bounded(places.iter().map(sized).collect(), query.limit, |id: &RecordId| *id))
}

/// Where people stand, and whether each is asked for. All have to be opened for that: some at a time, so that not all of what
/// is said of them is in memory at once.
fn called(
    snapshot: &mut Snapshot<'_>,
    query: &RecordQuery,
    form: &Form,
    sizes: &[(RecordId, usize)],
) -> Result<Vec<(Place, bool)>, Failure> {
    let wanted = query.name.as_deref().map(search_key);
    let (mut people, mut rest) = (Vec::with_capacity(sizes.len()), sizes);
    while !rest.is_empty() {
        let (some, later) = rest.split_at(fitting(rest.iter().map(|(_, bytes)| *bytes), MOST_BYTES));
        let ids: Vec<RecordId> = some.iter().map(|(id, _)| *id).collect();
        for stored in records::by_ids(snapshot, &ids)? {
            let name = name_of(form, &stored);
            let is_wanted = wanted.as_ref().is_none_or(|wanted| is_called(&name, wanted)) && query.keeps(&stored);
            people.push((Place::of(&name, stored.record.id), is_wanted));
        }
        rest = later;
    }
    Ok(people)
}

impl RecordQuery {
    fn keeps(&self, stored: &StoredRecord) -> bool {
        let disputed = || !stored.record.open_conflicts().is_empty();
        self.subject.is_none_or(|subject| stored.subject == Some(subject))
            && self.live.is_none_or(|live| stored.live == live)
            && self.disputed.is_none_or(|wanted| disputed() == wanted)
            && self.from.is_none_or(|from| stored.occurred_on.is_some_and(|on| on >= from))
            && self.to.is_none_or(|to| stored.occurred_on.is_some_and(|on| on <= to))
    }
}

fn name_of(form: &Form, stored: &StoredRecord) -> String {
    View::from_paths(form, stored.record.shown()).text(NAME).unwrap_or_default().to_owned()
}

/// Whether a name, or the rest of it from one of its words on, begins so, whatever its marks.
fn is_called(name: &str, wanted: &str) -> bool {
    let key = search_key(name);
    let starts = key.match_indices(' ').map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).any(|at| key[at..].starts_with(wanted))
}

/// Where somebody stands in a list of people: by given name, which in Vietnamese is the last word; then by the whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    given: Vec<u8>,
    whole: Vec<u8>,
    id: RecordId,
}

impl Place {
    fn of(name: &str, id: RecordId) -> Self {
        let given = name.rsplit(' ').next().unwrap_or_default();
        Self { given: collation_key(given), whole: collation_key(name), id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn people_stand_by_given_name_then_by_the_whole_name_as_vietnamese_sorts() {
        let mut names =
            ["Vừ A Chá", "Lò Văn Ánh", "Điêu Thị Ánh", "Giàng A Páo", "Giàng A Pao", "Cà Thị Đào", "Lò Dung"];
        names.sort_by_key(|name| Place::of(name, RecordId::new(Uuid::nil())));
        let expected =
            ["Điêu Thị Ánh", "Lò Văn Ánh", "Vừ A Chá", "Lò Dung", "Cà Thị Đào", "Giàng A Pao", "Giàng A Páo"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_name_is_found_by_the_beginning_of_any_of_its_words_with_or_without_marks() {
        for wanted in ["vừ", "Vu A", "chá", "CHA", "a c"] {
            assert!(is_called("Vừ A Chá", &search_key(wanted)), "{wanted}");
        }
        for wanted in ["há", "u", "Chá Vừ"] {
            assert!(!is_called("Vừ A Chá", &search_key(wanted)), "{wanted}");
        }
    }
}

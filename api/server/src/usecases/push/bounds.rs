//! How much one submission may bring along: findings in its answer, corrections, items. Whatever is not bounded here is
//! bounded by the size of a submission, or by its form.

use muong_domain::form::Form;
use muong_domain::record::{Cell, Path, Record};
use muong_domain::refusal::Finding;

/// The most errors, and the most warnings, that one answer names: somebody mends them and sends again. Each is many times
/// larger than the few bytes of nonsense that can cause it.
pub const MAX_FINDINGS: usize = 50;

/// The most submissions that one may replace: each is looked up while everybody else waits.
pub const MAX_REPLACES: usize = 100;

/// How many times the items that a list may have it may have had, removed ones among them. Those are kept for ever: without
/// them an edit of somebody who has not heard of the removal could not be told from a new item.
const ITEMS_EVER: usize = 10;

/// How often the values of one path may have been said that still stand, and a record have been withdrawn, while nobody decides:
/// each is looked at whenever the record changes.
pub const MAX_CLAIMS: usize = 100;

/// How many steps a person may have had, withdrawn ones among them: all are read, and held against one another, whenever
/// something is said of the person.
pub const MAX_STEPS: usize = 200;

/// The code of how many findings are left out.
const MORE: &str = "submission.more_findings";

/// The first [`MAX_FINDINGS`], and how many more there were.
pub fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    let (told, mut findings): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.code.as_str() == MORE);
    let left_out_before = told.iter().filter_map(|finding| finding.args.get("count")?.as_u64()).sum::<u64>();
    let left_out = left_out_before + findings.len().saturating_sub(MAX_FINDINGS) as u64;
    findings.truncate(MAX_FINDINGS);
    if left_out > 0 {
        findings.push(Finding::new(MORE, "").with("count", left_out));
    }
    findings
}

/// The lists that a change lets grow beyond what a record may ever have held.
pub fn too_many_items_ever(form: &Form, before: Option<&Record>, after: &Record) -> Vec<Finding> {
    let grows = |list: &str| after.items_ever(list) > before.map_or(0, |before| before.items_ever(list));
    let lists = form.definition().items.iter().map(|list| (list.name.as_str(), list.max * ITEMS_EVER));
    let beyond = lists.filter(|(list, max)| after.items_ever(list) > *max && grows(list));
    beyond
        .map(|(list, max)| Finding::new("form.too_many_items_ever", format!("/items/{list}")).with("max", max))
        .collect()
}

/// What stands against each other beyond what can be looked at, if a change adds to it.
pub fn too_many_claims(before: Option<&Record>, after: &Record) -> Option<Finding> {
    let said = |cell: &Cell| cell.claims.iter().map(|claim| claim.by.len()).sum::<usize>();
    let said_before = |path: &Path| before.and_then(|before| before.cells.get(path)).map_or(0, said);
    let crowded = |(path, cell): (&Path, &Cell)| said(cell) > MAX_CLAIMS && said(cell) > said_before(path);
    let withdrawn_before = before.map_or(0, |before| before.deletions.len());
    let is_beyond = after.cells.iter().any(crowded)
        || (after.deletions.len() > MAX_CLAIMS && after.deletions.len() > withdrawn_before);
    is_beyond.then(|| Finding::new("merge.too_many_candidates", "/set").with("max", MAX_CLAIMS))
}

/// A person of whom more is said than can be held against one another; `others` are the steps beside the one that is said.
pub fn too_many_steps(others: usize) -> Option<Finding> {
    (others >= MAX_STEPS).then(|| Finding::new("person.too_many_steps", "/set/person").with("max", MAX_STEPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(count: usize) -> Vec<Finding> {
        (0..count).map(|at| Finding::new("form.unknown_field", format!("/set/a{at}"))).collect()
    }

    #[test]
    fn what_is_left_out_is_counted_however_often_it_is_bounded() {
        assert_eq!(bounded(findings(50)), findings(50));
        let once = bounded(findings(12_000));
        assert_eq!((once.len(), &once[50].args["count"]), (51, &11_950.into()));
        assert_eq!(bounded(once.clone()), once);
        let with_more = bounded(once.into_iter().chain(findings(2)).collect());
        assert_eq!((with_more.len(), &with_more[50].args["count"]), (51, &11_952.into()));
    }
}

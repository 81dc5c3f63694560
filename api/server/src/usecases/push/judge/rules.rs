//! The merged record is asked the rules of its form again: who answers for one that fails, and when it becomes a question.

use super::change::Merging;
use super::{Trial, add};
use crate::usecases::push::working_set::WorkingSet;
use muong_domain::form::View;
use muong_domain::merge;
use muong_domain::record::{Path, Record};
use muong_domain::refusal::{Finding, Level};
use muong_domain::validate::{Broken, Context, check_agreed, check_merged};
use std::collections::BTreeSet;

impl Merging<'_> {
    /// Whether it says something of what a rule reads.
    fn reads_changed(&self, rule: &Broken) -> bool {
        rule.reads.iter().any(|path| self.changes.iter().any(|change| change.path == *path))
    }

    /// Whether it alone makes the row exist that a rule is asked of.
    fn makes_row(&self, rule: &Broken) -> bool {
        let changes = |path: &Path| self.changes.iter().any(|change| change.path == *path && change.from != change.to);
        rule.is_row_made_by(changes)
    }
}

impl Trial<'_> {
    /// The merged record is validated again. What its author is to blame for refuses the submission; what two authors
    /// broke together becomes a question. Only a rule that the submission touches opens one: what was broken before, such
    /// as by a version of the form that asks for more, is not this author's business.
    ///
    /// Why the order of concurrent submissions does not matter, each valid in its author's own view. (a) None is refused: who
    /// is responsible looks at the same values, and at the same row, as the rule; so the rule would fail in that view. (b)
    /// Questions are asked of what is agreed upon, which follows from the claims, and those do not depend on the order.
    /// Take a rule that is broken at the end. The last of those who changed what it reads found it broken, if its row was there;
    /// otherwise whoever made the row exist did, by changes that were all that it had. Both touch it, so one has asked.
    pub(super) fn check_rules(
        &self,
        set: &WorkingSet,
        merging: &Merging<'_>,
        merged: &mut Record,
        view: &View,
        warnings: &mut Vec<Finding>,
    ) -> Vec<Finding> {
        // A new record has been checked already, alone.
        let (Some(_), Some(context)) = (merging.before, &self.assessed.context) else { return Vec::new() };
        let shown = check_merged(merging.form, view, context);
        let agreed = merged.is_disputed().then(|| check_agreed(merging.form, merged, context));
        let touched = |rule: &&Broken| merging.reads_changed(rule) || merging.makes_row(rule);
        let failing = agreed.as_ref().unwrap_or(&shown).iter().filter(|rule| rule.level == Level::Error);
        let mut failing: BTreeSet<String> = failing.filter(touched).map(|rule| rule.code.as_str().to_owned()).collect();
        let mut errors = Vec::new();
        for rule in shown.iter().filter(touched) {
            match rule.level {
                Level::Warning => add(warnings, rule.finding.clone()),
                Level::Error if is_own_fault(merged, merging, rule) => add(&mut errors, rule.finding.clone()),
                Level::Error => {}
            }
        }
        failing.extend(still_broken(set, merged, context));
        let asked = questions_of_rules(merged);
        for code in asked.union(&failing) {
            merge::flag_rule(merged, code, self.v, failing.contains(code));
        }
        errors
    }
}

/// The rules that are in question.
fn questions_of_rules(record: &Record) -> BTreeSet<String> {
    let rule = |path: &Path| path.as_rule().map(str::to_owned);
    record.questions.keys().filter_map(rule).collect()
}

/// Those in question that are broken still, by the newest version of the form: an older one may know nothing of them.
fn still_broken(set: &WorkingSet, record: &Record, context: &Context) -> BTreeSet<String> {
    let asked = questions_of_rules(record);
    let Some(newest) = set.reference.catalog.newest(&record.form).filter(|_| !asked.is_empty()) else { return asked };
    let broken = check_agreed(newest, record, context).into_iter();
    let errors = broken.filter(|rule| rule.level == Level::Error).map(|rule| rule.code.as_str().to_owned());
    errors.filter(|code| asked.contains(code)).collect()
}

/// Who makes a row exist that lacks something answers for that if it is certain that they had seen it so; whoever may not
/// have, meets the work of another.
fn is_own_fault(merged: &Record, merging: &Merging<'_>, rule: &Broken) -> bool {
    (merging.reads_changed(rule) || !merging.author.seen.is_open())
        && merge::is_responsible(merged, &merging.author, merging.changes, rule)
}

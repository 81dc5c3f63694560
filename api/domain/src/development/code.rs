//! The stable codes of what development steps can be told. Texts stand in the catalogue, levels with the checks.
//!
//! Wherever a finding is about *another* step, its args are `step` (that step's kind), `on` (its date) and `record`.

/// Error. A date lies after today (local date of the receipt). Args: `field`, `today`.
pub const IN_FUTURE: &str = "step.in_future";
/// Error. A date lies before the person's birth. Args: `field`; on an edit of the birth date also the step.
pub const BEFORE_BIRTH: &str = "step.before_birth";
/// Error. Not yet 18 when the branch resolves (or at a later act of admission). Args: `min_age`.
pub const UNDER_AGE: &str = "step.under_age";
/// Error. Over 60 years 0 months when the branch resolves, without an exception reference. Args: `max_age`.
pub const OVER_AGE: &str = "step.over_age";
/// Error. The awareness certificate is older than 5 years at the branch resolution. Args: `max_years` and the step.
pub const CERTIFICATE_TOO_OLD: &str = "step.certificate_too_old";
/// Error. Against certificate ≤ resolution ≤ decision ≤ ceremony < recognition.
/// Args: the step, and `relation`: `before` when this date must not be before that step's, `after` when not after it.
pub const OUT_OF_ORDER: &str = "step.out_of_order";
/// Error. An entry with a status names a date that differs from that of the step itself; warning: a branch resolution names
/// a certificate of which no class is held. Args: the step, `field`.
pub const DATES_DISAGREE: &str = "step.dates_disagree";
/// Error. Recognition before the probation's 12 months from the ceremony are over. Args: the step, `months`, `earliest`.
pub const PROBATION_TOO_SHORT: &str = "step.probation_too_short";
/// Error. The official date that was sent is not the day on which the probation ends. Args: the step, `months`, `expected`.
pub const OFFICIAL_DATE_DIFFERS: &str = "step.official_date_differs";
/// Error. Expulsion or dismissal from a post of somebody who was probationary on that day. Args: the step, `discipline`.
pub const PROBATIONARY_DISCIPLINE: &str = "step.probationary_discipline";
/// The party card of somebody who is not official: error where the step in the args shows that they cannot be yet, warning
/// where the recognition is only not reported. Args: the step.
pub const CARD_OF_PROBATIONARY: &str = "step.card_of_probationary";
/// Error. A step of members is dated before the person became one. Args: the step.
pub const NOT_A_MEMBER: &str = "step.not_a_member";
/// Error. The status of an entry cannot be true beside the step. Args: the step, `status`.
pub const STATUS_CONTRADICTED: &str = "step.status_contradicted";
/// Error. A step that happens once in an episode is held already. Args: the step.
pub const ALREADY_HELD: &str = "step.already_held";
/// Error. A step lies after the end of its episode, without a readmission between. Args: the step.
pub const AFTER_END: &str = "step.after_end";
/// Error. The step cannot be withdrawn: the one in the args would contradict the rest without it. Args: the step.
pub const STILL_NEEDED: &str = "step.still_needed";
/// Error. `until` lies before the step's own date. Args: none.
pub const UNTIL_BEFORE_START: &str = "step.until_before_start";
/// Error. More votes than eligible voters. Args: `eligible`.
pub const VOTES_EXCEED: &str = "step.votes_exceed";
/// Error. An opening entry must say the status. Args: none.
pub const OPENING_STATUS_MISSING: &str = "step.opening_status_missing";
/// An entry as a member lacks its decision or ceremony date: error for a probationary member (the probation could not
/// be reckoned), warning for an official one. Args: `field`, `status`.
pub const OPENING_DATE_MISSING: &str = "step.opening_date_missing";

/// Warning. A step that comes before this one is not held. Args: `missing` (its kind).
pub const MISSING_EARLIER: &str = "step.missing_earlier";
/// Warning. Possible but unusual order of two steps. Args: the step, `relation` as for [`OUT_OF_ORDER`].
pub const UNUSUAL_ORDER: &str = "step.unusual_order";
/// Warning. A step that may be repeated is held already, and nothing between the two says why again. Args: the step.
pub const REPEATED: &str = "step.repeated";
/// Warning. An application is withdrawn by somebody who is a member already. Args: the step that made them one.
pub const WITHDRAWN_AS_MEMBER: &str = "step.withdrawn_as_member";
/// Warning. Decision later than 60 working days after the branch resolution. Args: the step, `limit`, `days`, `calendar_known`.
pub const DECISION_LATE: &str = "step.decision_late";
/// Warning. Ceremony later than 30 working days after the decision. Args: the step, `limit`, `days`, `calendar_known`.
pub const CEREMONY_LATE: &str = "step.ceremony_late";
/// Warning. A step of admission about somebody without a recorded application or consent. Args: none.
pub const CONSENT_MISSING: &str = "step.consent_missing";

/// Every code of this family, so that a test can hold the catalogue against it.
pub const ALL: &[&str] = &[
    IN_FUTURE,
    BEFORE_BIRTH,
    UNDER_AGE,
    OVER_AGE,
    CERTIFICATE_TOO_OLD,
    OUT_OF_ORDER,
    DATES_DISAGREE,
    PROBATION_TOO_SHORT,
    OFFICIAL_DATE_DIFFERS,
    PROBATIONARY_DISCIPLINE,
    CARD_OF_PROBATIONARY,
    NOT_A_MEMBER,
    STATUS_CONTRADICTED,
    ALREADY_HELD,
    AFTER_END,
    STILL_NEEDED,
    UNTIL_BEFORE_START,
    VOTES_EXCEED,
    OPENING_STATUS_MISSING,
    OPENING_DATE_MISSING,
    MISSING_EARLIER,
    UNUSUAL_ORDER,
    REPEATED,
    WITHDRAWN_AS_MEMBER,
    DECISION_LATE,
    CEREMONY_LATE,
    CONSENT_MISSING,
];

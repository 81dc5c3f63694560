# Every text that muong says in English. The id is the stable code with "-" for "."; .title is the title of a
# problem document. Each text says what happened and what to do next. Keep vi.ftl in step: a test compares them.

## Whole requests

request-malformed = The body is not the JSON that the server expects. Correct the place named in “errors” and send it again.
    .title = Unreadable body
request-not_json = At line { $line }, column { $column }, the body stops being JSON, or ends too early. Correct it there and send it again.
request-not_ijson = The body is JSON that not every program reads alike: a name stands twice in one object, or there is a null or broken character, too large a number or too deep a nesting. Correct that and send it again.
request-not_object = The body is not one whole JSON object: it is empty, cut off, or something else. Send the submission again as one object.
request-member_missing = The part “{ $member }” is missing. Add it as the documentation at /docs says and send the request again.
request-member_unknown = The server knows no part “{ $member }” here. Leave it out, or correct its name by the documentation at /docs, and send the request again.
request-wrong_value = This value is not of the type that belongs here, or none of those that are possible. Compare with the documentation at /docs, correct it and send the request again.
request-client_invalid = The name of the client is longer than { $max } bytes or has a null character. Shorten it and send the batch again.
request-sent_at_implausible = The time of sending lies outside the years { $first } to { $last }. Set the phone's clock and send the batch again.
request-too_large = The body is larger than allowed ({ $limit }). Split it into smaller batches and send them again; nothing has been recorded.
    .title = Body too large
request-inflated_too_large = After decompression the body is larger than allowed ({ $limit }). Split it into smaller batches and send them again; nothing has been recorded.
    .title = Body too large after decompression
request-too_many_submissions = The batch holds { $found } submissions, more than the { $limit } that are allowed. Split it and send the parts; nothing has been recorded.
    .title = Too many submissions in one batch
request-unsupported_media = What is sent here must be { $media }. Send it so, with “Content-Type: { $media }”.
    .title = Unsupported media type
request-unsupported_encoding = The server takes bodies that are uncompressed or compressed with gzip or zstd. Use one of these and send it again.
    .title = Unsupported content encoding
request-truncated = The data arrived incomplete or damaged, perhaps because of the connection. Send the whole batch again; nothing has been recorded and sending again duplicates nothing.
    .title = Incomplete or damaged data
request-timeout = The data came so slowly that the server stopped waiting. Send it again with a better signal, or in smaller batches.
    .title = Timed out waiting for data
request-not_found = There is no such address on this server. Check the path; all of them are listed at /docs.
    .title = No such address
request-method_not_allowed = This address does not take that method; allowed: { $allowed }. Send the request with one of these.
    .title = Method not allowed
request-query_invalid = A query parameter is missing, unknown or of the wrong type. Compare with the documentation at /docs and send it again.
    .title = Invalid query
request-parameter_invalid = The parameter “{ $parameter }” is not well-formed; expected: { $expected }. Correct it and send the request again.
request-parameter_unknown = This address has no parameter “{ $parameter }”. Leave it out, or compare its name with the documentation at /docs, and send the request again.
request-parameter_missing = The parameter “{ $parameter }” is missing. Add it and send the request again.
request-parameter_repeated = The parameter “{ $parameter }” stands more than once. Keep one and send the request again.
request-reason_invalid = The reason in the header “x-reason” is empty, too long or unreadable. State it briefly in percent-encoded UTF-8 and send the request again.
    .title = Invalid reason
request-path_invalid = A part of the path is not well-formed; an identifier, for one, must be a UUID. Correct the path and send it again.
    .title = Invalid path
request-throttled = This device sends more than is allowed. Wait { $seconds } seconds and send the same again; your data is still on your device, and nothing is recorded twice.
    .title = Too many requests
request-protocol_unsupported = The server does not speak protocol version { $found }; it speaks { $supported }. Update the app and sync again; unsent data stays on the device.
    .title = Unsupported protocol version

## The server itself

server-busy = The server has too much to do and has not handled this request. Send it again in a few seconds; your data is still on your device.
    .title = Server busy
server-internal = The server met an unexpected error, which has been logged. Try again in a few minutes. If it persists, tell the administrator the request id of this answer.
    .title = Server error
server-unavailable = The server cannot work at the moment, for instance because it has lost its database. Try again in a few minutes; your data is still on your device.
    .title = Server unavailable
server-unaudited = What you asked for must be written down in the audit trail before it is answered, and that is not possible at the moment. Nothing was shown. Try again in a few minutes; if it persists, tell the administrator the request id of this answer.
    .title = Audit trail unavailable
server-unledgered = The erasure cannot be confirmed. Either it cannot be written down at the moment in the ledger outside the database, as it must be before it is answered; or the database has just been replaced by a copy that lacks it. Try again in a few minutes; if it persists, tell the administrator the request id of this answer.
    .title = Erasure not confirmed
server-shutting_down = The server is stopping for maintenance and takes no more requests. Try again in a few minutes.
    .title = Server stopping

## Signing in

auth-required = This request needs a sign-in. Sign in and send it again with the access token.
    .title = Not signed in
auth-invalid_token = The access token is not valid or no longer valid. Get a new one with the refresh token; if that fails, sign in again.
    .title = Invalid access token
auth-expired_token = The access token has expired. Get a new one with the refresh token and send the request again.
    .title = Access token expired
auth-bad_credentials = The user name or the password is wrong. Check both (capitals, Vietnamese keyboard); if the password is forgotten, ask the administrator to set a new one.
    .title = Sign-in failed
auth-refresh_reused = This refresh token has been used before and may have been stolen, so the session has been closed. Sign in again; if it was not you, tell the administrator and change the password.
    .title = Session closed
auth-refresh_invalid = The refresh token is not valid or has expired. Sign in again; unsent reports stay on the device.
    .title = Invalid refresh token
auth-device_revoked = This device may no longer be used. Ask the administrator; unsent reports stay on the device.
    .title = Device revoked
auth-user_disabled = This account is disabled. Ask the administrator to enable it again.
    .title = Account disabled
auth-password_too_short = A password has at least { $min } characters. Choose a long phrase that is easy for you to remember and hard for others to guess.
    .title = Password too short
auth-password_too_long = The password is longer than allowed ({ $max } bytes). Choose a shorter one.
    .title = Password too long
auth-password_mistyped = The two passwords differ. Run the command again and type it anew.
    .title = Passwords differ
auth-session_ended = This session has ended. Sign in again; unsent reports stay on the device.
    .title = Session ended
auth-throttled = There have been too many attempts. Wait { $seconds } seconds and try again; if you have signed in on a device before, sign in on that one.
    .title = Too many attempts
auth-totp_required = This account uses a second factor. Send the request again with the 6-digit code of your authenticator app, or with a recovery code.
    .title = Code needed
auth-totp_invalid = The code is wrong or was used before. Wait for the next one, check the clock of your phone and try again, or use a recovery code; if you have lost both, ask the administrator.
    .title = Wrong code
auth-totp_enrolment_required = Your role requires a second factor. Enrol one with POST /v1/me/totp and confirm it with a code; until then nothing else is possible.
    .title = Second factor to be enrolled
auth-totp_enrolled = This account has a second factor already. To move it to another app, remove it with a code, then enrol again.
    .title = Second factor enrolled already
auth-totp_not_begun = This account has no second factor to confirm or remove. Begin with POST /v1/me/totp.
    .title = No second factor
auth-password_wrong = The present password is wrong. Check it (capitals, Vietnamese keyboard) and send it again; if it is forgotten, ask the administrator to set a new one.
    .title = Wrong present password
auth-password_unchanged = The new password is the present one. Choose another phrase.
    .title = Password unchanged
device-fork = This device has used the number of this submission for another one; the app's data may have been copied to a second phone. Register the device anew, renumber and send again, with the submission ids unchanged.
    .title = Two phones share one registration
device-unknown = The server does not know this device, or it does not belong to your session. Sign in again on the device that you are using and send it again.
    .title = Device not registered
device-not_registered = This device id is not registered to your account. Sign in again without a device id; the server will register the device anew.
    .title = Device not registered to this account
device-name_invalid = The name of the device is empty, longer than { $max } characters, or has strange characters. Choose a short name on one line and send it again.
    .title = Name of the device not valid

## What one may do

access-forbidden = Your role does not allow this here. If it is needed, ask your superior to do it or the administrator for the role.
    .title = Not allowed
access-not_found = Nothing of this kind is within your scope. Check the id, or ask your superior if you think that you should see it.
    .title = Not found
access-reason_required = This concerns personal data, so a reason must be given, and it is logged. Send the request again with the reason, in percent-encoded UTF-8, in the header “x-reason”.
    .title = Reason required
access-allowed = You may do this in that unit, by the grant that is named. There is nothing else to do.
access-outside = There is no such unit within your scope at that time. Check the unit's id; if you need to work there, ask the administrator for one of the roles that are named.
scope-outside = This unit is outside your scope. The report is kept as it is for a superior to look at; check the unit, or ask your superior for the role.
    .title = Outside your scope
scope-unknown_unit = The server does not know this unit. Sync the list of units and choose again; the report is kept as it is.
unit-dissolved_before = This unit was dissolved on { $dissolved_on }, and what is reported is of { $on }. Correct the date, or report for the unit that took its place.
    .title = No such unit
scope-no_grant = You hold no role in any unit at present. The report is kept as it is; ask the administrator for a role.
    .title = No role

## A submission as such

submission-id_reused = This submission id has been used for another content. The submission is kept for review; make a new one with a new id.
submission-malformed = This part of the submission does not have the right shape; needed: { $expected }. It is kept as it is; update the app and make a submission that replaces it.
submission-member_missing = The submission lacks the required part “{ $member }”. It is kept as it is; update the app and make a submission that replaces it and has that part.
submission-member_unknown = The submission has a part “{ $member }” that the server does not know. It is kept as it is; update the app and make a submission that replaces it without that part.
submission-not_ijson = A part of the submission is not valid JSON: a broken character, a repeated name or too large a number. It is kept as it is; update the app and make a submission that replaces it.
submission-too_large = The submission is larger than allowed ({ $limit }). Shorten it or split the report, and send a replacement.
submission-too_deep = The submission is nested too deeply. Update the app and make a submission that replaces it.
submission-nul_character = The submission holds a null character (U+0000), which cannot be stored. Delete it (it usually comes from pasted text) and send a replacement.
submission-author_mismatch = Another account wrote this submission. Let its author sign in and send it, or write a report of your own.
submission-form_unknown = There is no form “{ $form }”. Sync the list of forms and write the report again.
submission-form_version_unknown = Form “{ $form }” has no version { $version }. Sync the list of forms and send a replacement.
submission-form_not_in_force = Version { $version } of form “{ $form }” is not in force on { $on }. Use the version that is, and send a replacement.
submission-unknown_record = There is no such record in the unit that was named. Sync and choose the record again, or create it if there is none.
submission-unknown_predecessor = The earlier submission that this one builds on has not arrived. Wait until its phone has sent it, then release this one; or discard it with a reason.
submission-depends_on_quarantined = This submission builds on one that waits for review, so it waits with it. Correct the earlier one and send a replacement, or wait for the decision.
submission-more_findings = There are { $count } more findings. Mend those that are listed and send a replacement to see the rest.
submission-too_many_replaces = One submission replaces at most { $limit } others. Split it into several replacements.
submission-record_taken = The id of this record is that of a record of another kind in the unit. Create the record under a new id and send a replacement.
submission-after_itself = This submission says that it builds on itself. Update the app and send a replacement.
submission-not_processed = The server met a fault of its own with this submission. It is kept whole, and a reviewer can release it once the fault is mended; nothing has to be sent again.

## What a form asks for

form-unknown = The server has no such form. Choose one of the forms that /v1/forms lists.
form-unknown_field = The form has no field “{ $field }”. Sync the form, leave the field out and send a replacement.
form-required = The field “{ $field }” is required. Fill it in and send it again.
form-type = The value of “{ $field }” is of the wrong type; this field takes { $expected }. Correct it and send a replacement.
form-range = The value of “{ $field }” is out of range (least: { $min }, greatest: { $max }). Check the figure and send a replacement.
form-not_in_list = The list of “{ $field }” has no “{ $code }”. Choose one of its values.
form-code_not_in_force = At “{ $field }”, “{ $code }” is not in force on the day of the report. Choose a value that is.
form-group_incomplete = The fields of this group are sent together; missing: { $missing }. Send the whole group.
form-derived_sent_differs = The server computes “{ $field }”, and the result is { $expected }, not what was sent. Check the figures that it is computed from and send it again.
form-length = The text of “{ $field }” has { $found } characters; { $min } to { $max } are allowed. Change its length and send it again.
form-pattern = The text of “{ $field }” does not have the shape that this field asks for. See the field's hint and write it again.
form-unit_kind = This form is not for a { $unit_kind }. Choose the right unit or the right form and send a replacement.
form-reference_kind = The unit that was chosen at “{ $field }” is not of the kind that this field asks for. Choose again, such as a village for the residence or a branch for the fostering, and send a replacement.
form-reference_unknown = There is no unit of the id that was chosen at “{ $field }”. Sync the list of units, choose again and send a replacement.
form-too_many_items = This list has more rows than the { $max } that are allowed. Merge or remove rows and send it again.
form-too_many_items_ever = This list has had more than { $max } rows, removed ones included. Edit rows that are there instead of removing and adding.
form-empty = The edit changes nothing. Give the new value of the field to be changed and send it again.
form-delete_carries_values = A delete carries no values. Send the delete alone, and changes, if any, as an edit.
form-unknown_list = The form has no list “{ $list }”. Sync the form, leave the list out and send a replacement.
form-item_key = The key of this row does not have the shape that the list asks for. Update the app and send a replacement.
form-unsaid_item = This row says nothing. Fill it in or remove it, and send it again.
form-rule_unevaluable = The rule “{ $rule }” could not be checked with the values that were sent, usually because a number is too large or a field is missing. Check the fields concerned and send a replacement.
text-control_character = The text holds a control character that cannot be shown ({ $code_point }). Delete and retype that place, usually pasted text.
form-definition_invalid = The definition of the form is wrong at { $place }: { $reason }. Correct it and publish it again; the version in use is unchanged.
    .title = Wrong form definition

## Merging

merge-conflict = Somebody else changed the same field before you had seen it. Both values are kept; a reviewer will decide. Sync to see the other one.
merge-key_taken = There is another record with the same key in this unit: the same meeting, or the same step of the same person on the same day. Both are kept for a reviewer to decide; check what identifies it.
merge-too_many_candidates = More than { $max } reports or withdrawals already stand against each other here, and nobody has decided. This one is kept; ask a reviewer to decide, then send it again.
merge-merged_invalid = Each of the changes is valid, but together the figures do not agree. All are kept; a reviewer will decide which are right.
merge-edit_delete = One person edited the record and another deleted it. It is kept and flagged for a reviewer to decide.

## Deciding

conflict-already_closed = This conflict has been decided. Reload it to see the outcome.
    .title = Already decided
conflict-choice_unknown = The value that was chosen is not one of those in dispute. Reload the conflict and choose one of them.
    .title = No such choice
conflict-unseen_candidates = None of the values that would give way was named as seen. Reload the conflict, look at all values and name those that you have seen.
    .title = Unseen values
conflict-reason_required = A decision needs a reason. Give a short one and send it again.
    .title = Reason required
quarantine-already_closed = This submission has been dealt with. Reload it to see the outcome.
    .title = Already dealt with
quarantine-not_releasable = This submission cannot be released, because it cannot be read or still breaks a rule. Discard it with a reason and ask its author for a replacement.
    .title = Cannot be released
quarantine-released = A reviewer has let your submission in. It counts now; nothing is left to do.
    .title = Released
quarantine-discarded = A reviewer has discarded your submission with a reason. It does not count; send a new one if something is missing.
    .title = Discarded
quarantine-replaced = Your correction has taken the place of this submission. Nothing is left to do.
    .title = Replaced
quarantine-erased = The person whom this submission was about has been erased, and with them what was said. Delete it from your device.
    .title = Erased
conflict-decided = A reviewer has decided between differing reports of this record. Look at what stands now.
    .title = Decided
sync-behind = This server has not yet received what you ask for. Ask again in a second.
    .title = Not there yet
quarantine-reason_required = A decision needs a reason. Give a short one and send it again.
    .title = Reason required

## Moving a record

record-moved = What you report on has gone to another unit, so your report waits for a reviewer. Nothing of it is lost; sync, and report for the unit where it is now if that is yours.
record-moved_beyond_review = What it reports on has gone to a unit that you do not review, or for which you may not report what is your own. Ask somebody who reviews both units.
record-reason_required = A move needs a reason. Give a short one and send it again.
    .title = Reason required
record-goes_with_its_person = What has happened to a person goes with that person. Move the person's own record.
    .title = Goes with its person
record-already_there = The record is in this unit already. There is nothing more to do.
    .title = There already
record-unfit_there = The record would break a rule in that unit. Correct what is named, or choose another unit.
    .title = Does not fit there
record-taken_there = That unit has this already: a record of the same meeting, or another one under the same id. Look at both; withdraw one of them if they are the same.
    .title = Already in that unit

## People

person-name_needs_branch = Searching by name needs one branch: people are looked up by name within a branch only. Give the id of a branch as “unit”, and the form of persons.
    .title = Search by name needs a branch
person-unknown = The server has no such person within your scope. Send that person's record first, or sync and choose again.
person-card_taken = This party card number belongs to another member. Check the number; if it is right, tell your superior.
person-fostering_is_residence = The fostering branch must not be that of the place of residence. Choose another branch, or clear the field if the village has one.
person-already_erased = This person has been erased already. There is nothing more to do.
    .title = Erased already
person-not_one = This record is not that of a person, so nobody can be erased by it. Use the id of the person's own record.
    .title = Not a person
person-reason_required = An erasure needs a reason. Give a short one, without the person's name, and send it again.
    .title = Reason required
person-erased = This person's data has been erased as the law demands, so nothing can be added. Do not send it again; if this is a mistake, tell your superior.
person-too_many_steps = More than { $max } steps have been entered for this person, withdrawn ones included. Edit the steps that are there instead of withdrawing and adding.

## The tree of units

unit-without_version = This unit has no version. Give at least one with a name, a kind and a first day.
unit-versions_overlap = The versions of this unit overlap, or one ends before it begins. Correct their first and last days.
unit-kind_of_other_tree = This kind of unit belongs to the other tree (party or administration). Choose a kind of the right tree.
unit-parent_unknown = The parent of this unit is not known. Add the parent first.
unit-parent_of_other_tree = The parent belongs to the other tree (party or administration). Choose a parent of the same tree.
unit-circle = This unit lies below itself, or the tree is too deep. Choose another parent.
unit-kind_unknown = There is no such kind of unit. Use provincial_committee, commune_committee, border_post, branch or party_group; province, commune, village or residential_group.
unit-name_invalid = The name of this unit is empty or has strange characters. Give it on one line.
unit-code_invalid = This is no code: codes are written scheme:code, such as gso:03160. Correct it.
unit-code_twice = Two units of the list have this code. Give each its own.
unit-covers_unknown = Only branches cover villages, and no village or residential group has this code. Correct it, or add the village to the list.

## Steps of member development

step-in_future = This date lies after today ({ $today }). Only what has happened is recorded; correct the date and send a replacement.
step-before_birth = This date lies before the person's birth. Check it and the date of birth.
step-under_age = The person was not yet { $min_age } when the branch resolved. Check the dates of birth and of the resolution; if they are right, wait until that age and resolve again.
step-over_age = The person was over { $max_age } when the branch resolved. Give the reference of the exception, or correct the date.
step-certificate_too_old = The certificate of the awareness class ({ $on }) was older than { $max_years } years when the branch resolved. The class must be taken again; if the date is wrong, correct it and send a replacement.
step-out_of_order = This date must be { $relation } that of “{ $step }” ({ $on }). Compare both with the documents and correct the wrong one.
step-dates_disagree = This date differs from that of the recorded “{ $step }” ({ $on }). Compare with the document and correct the wrong one.
step-probation_too_short = The { $months } months of probation since the ceremony ({ $on }) are not over; the earliest day is { $earliest }. Check the date and send a replacement.
step-official_date_differs = The official date must be { $expected }, { $months } months after the ceremony ({ $on }). Leave it out to have it computed, or correct it.
step-probationary_discipline = A probationary member cannot receive “{ $discipline }”. Check the discipline and the date of the recognition.
step-card_of_probationary = A party card is an official member's, and by “{ $step }” on { $on } this person has not been recognised. Leave the number out, or report the recognition or correct that step first.
step-not_a_member = On this day the person was not yet a member (“{ $step }” on { $on }). Check the dates of both steps.
step-status_contradicted = The status “{ $status }” cannot be true beside “{ $step }” on { $on }. Check the status or that step.
step-already_held = “{ $step }” is recorded already, on { $on }, and happens only once. If that one is wrong, edit it instead of adding another.
step-after_end = This date lies after the end of this person's record (“{ $step }” on { $on }). If the person has been readmitted, record the readmission first.
step-still_needed = This step cannot be withdrawn, because “{ $step }” on { $on } rests on it. Withdraw or correct that one first.
step-until_before_start = The end lies before the start. Correct one of the two dates and send a replacement.
step-votes_exceed = There are more votes than official members entitled to vote ({ $eligible }). Compare with the minutes and correct them.
step-opening_status_missing = An opening entry must say whether the person is probationary or official. Choose the status and send it again.
step-opening_date_missing = “{ $field }” of the { $status } member is missing. Add it from the file, so that probation and party age can be reckoned.
step-missing_earlier = The step before this one is not recorded: “{ $missing }”. If it has taken place, add it.
step-unusual_order = An unusual order: this date is normally { $relation } that of “{ $step }” ({ $on }). Check it; if it is right, there is nothing to do.
step-withdrawn_as_member = This person is a member already (“{ $step }” on { $on }), so there is no application to withdraw. If the person has left the Party, record that instead.
step-repeated = “{ $step }” is recorded on { $on } already. If it is the same event, withdraw one of the two; if it took place twice there is nothing to do.
step-decision_late = The decision came { $days } working days after the branch resolution ({ $on }), beyond the limit of { $limit }. Check the date; if it is right, be ready to explain it.
step-ceremony_late = The ceremony was held { $days } working days after the decision ({ $on }), beyond the limit of { $limit }. Check the date; if it is right, be ready to explain it.
step-consent_missing = No application or consent of this person is recorded. Add its date and reference to the person's record.

## Users and grants

user-name_invalid = A user name has 2 to 64 characters, only letters without marks, digits, dots, underscores and hyphens, and begins and ends with a letter or a digit. Choose another one, such as vu.a.cha.
user-label_invalid = The name to show is empty, longer than { $max } characters, or has strange characters. Give the full name on one line.
user-name_taken = Somebody signs in with this name already. Choose another one.
user-unknown = There is no user of this name. Check the name, or add the user with "muong user add".
unit-unknown = There is no such unit. Give its id (a UUID), or a code as scheme:code, such as gso:03160.
grant-role_unknown = There is no such role. Choose one of: { $roles }.
grant-period_empty = The grant would end before it begins. Correct its first or its last day.
grant-role_excluded = In that time this user is { $role }; an administrator may hold no other role. End that role first, or use another account.
grant-already_held = In that time this user holds this role over this unit already. There is no need to give it again; to change its dates, end the old grant and give a new one.
grant-not_held = This user does not hold this role over this unit, and is not going to. Check the role and the unit.
access-own_account = Nobody administers their own account or grants. Ask another administrator; your password and second factor are under /v1/me.
    .title = Your own account
access-role_above = This role is given and ended by an administrator of the whole tree. Ask one, or choose a role of those below.
    .title = Not yours to give
unit-dissolved = This unit has been dissolved, or its end has been set. Nothing happens to it any more; found another one if it is needed.
    .title = Unit dissolved
unit-too_early = What the unit is now began on { $began }, and what was before is never rewritten. Give a later day.
    .title = Day too early
unit-date_in_future = A move counts for everybody's access at once, so it cannot be said ahead of time. Send it on its day or later.
    .title = Day in the future
unit-has_units_below = Units stand below this one on that day. Dissolve or move them first.
    .title = Units stand below it
unit-unchanged = It is so already, so there is nothing to do. Reload the unit to see it as it is.
    .title = Nothing to change
unit-code_taken = Another unit has this code from that day on or later, or it is given twice. Check the code, and end it there first.
    .title = Code taken
unit-code_unfit = A scheme and a code have 1 to 40 letters without marks, digits, hyphens, underscores and dots. Correct it and send it again.
    .title = Code not valid
unit-founded_later = A unit cannot be founded after its first day. Correct one of the two days.
    .title = Founded too late
unit-not_a_village = This unit is no village and no residential group on that day. Choose one of those.
    .title = Not a village
unit-not_a_branch = This unit is no branch on that day, and only branches cover villages. Choose a branch.
    .title = Not a branch
user-grant_required = Whoever administers a part of a tree gives a new user a role there, or could not see them afterwards. Add a grant.
    .title = A grant is needed
grant-begins_in_past = A grant cannot begin in the past: what was done then was not allowed then. Leave the first instant out, or give a later one.
    .title = Begins in the past
import-faulty = Nothing was imported, because some lines are wrong. See “errors” for each by line and column, correct them, and send the table again.
    .title = The table has faults
import-empty = The table has no lines below the names of its columns. Add the users and send it again.
    .title = Empty table
import-too_many_rows = The table has more than { $max } lines, and each costs a password. Split it and send the parts one after the other.
    .title = Too many lines
import-unreadable = Line { $line } cannot be read as UTF-8 text. Save the table as “CSV UTF-8” and send it again.
import-column_unknown = There is no column “{ $column }”, or it is named twice. Use username, display_name, role, unit, valid_from and valid_to.
import-column_missing = The column “{ $column }” is missing. Add it to the first line and fill it in.
import-wrong_number_of_cells = Line { $line } does not have { $columns } cells, as the first line has. Look for missing or unquoted separators.
import-username_repeated = This user name stands in an earlier line (now line { $line }). Keep one of them; give further grants afterwards.
import-formula = A name does not begin with =, +, - or @: a spreadsheet would run it as a formula. Correct the name.
import-date = This is no day as YYYY-MM-DD. Correct it, or leave the cell empty.

## Codes that stand inside other texts, as words

word-text = a line of text
word-name = a name, or its beginning
word-date-time = an instant as YYYY-MM-DDTHH:MM:SSZ
word-top_level = the top level
word-multiline = a text
word-integer = a whole number
word-decimal = a number
word-boolean = yes or no
word-date = a date as YYYY-MM-DD
word-time = a time as HH:MM
word-period = a month as YYYY-MM
word-code = a value of its list
word-codes = values of its list
word-reference = an identifier (UUID)
word-list_of_references = a list of identifiers (UUIDs)
word-number_from_one = a whole number from 1
word-kind_of_submission = “create”, “edit” or “delete”
word-captured_at = an instant with its zone, within the years 1900 to 2199 (such as 2026-03-05T21:20:00+07:00)
word-changes = the value before and after, as a JSON object with “from” and “to”
word-object = a JSON object
word-before = no earlier than
word-after = later than
word-opening_entry = opening entry
word-awareness_class_completed = awareness class completed
word-dossier_complete = dossier complete
word-branch_resolved = branch resolution
word-superior_endorsed = superior's endorsement
word-admission_decided = admission decision
word-ceremony_held = admission ceremony
word-new_member_class_completed = new members' class completed
word-recognised_official = recognition as official
word-withdrawn = withdrawal
word-transferred_out = transfer out
word-transferred_in = transfer in
word-temporary_out = temporary transfer out
word-temporary_in = temporary transfer in
word-exempted = exemption
word-disciplined = discipline
word-removed_from_roll = removal from the roll
word-left = leaving the party
word-deceased = death
word-readmitted = readmission
word-reprimand = reprimand
word-warning = warning
word-dismissal_from_post = dismissal from post
word-expulsion = expulsion
word-probationary = probationary
word-official = official
word-branch = branch
word-border_post = border post
word-commune_committee = commune committee
word-provincial_committee = provincial committee
word-province = province
word-commune = commune
word-village = village
word-residential_group = residential group
word-party_group = party group

## A code without an entry of its own

unknown-code = The request was not carried out (code { $code }). Tell the administrator this code.
    .title = Request not carried out
submission-nothing_to_replace = The submission that this one replaces does not wait in your quarantine. This one counts all the same; check the id if you meant another one.
person-has_steps = Steps of this person are on record, so the person cannot be withdrawn. Withdraw the steps first, or report a step that ends the membership.
conflict-choice_unfit = This choice does not fit the question. Reload the conflict and choose a candidate, other values, or whether the record stays, as it asks.
conflict-decision_invalid = The record would break rules with this decision. See the errors, and choose other values.
form-version_published = This version has been published already and never changes. Publish the change under the next version number.
form-version_incompatible = This version cannot stand beside the published ones: { $reason }. Give what has changed a new name.
request-cursor_invalid = This cursor does not belong to this list. Start again without a cursor.
server-not_ready = The service is not ready: the database cannot be reached, is not up to date or has just been changed over. Try again shortly; if it goes on, run “muong migrate”.

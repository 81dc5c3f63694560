use super::*;
use crate::outbox::State;
use crate::replica::REMEMBERED;
use sha2::{Digest, Sha256};

const DEVICE: Uuid = Uuid::from_u128(1);
const UNIT: Uuid = Uuid::from_u128(2);
const EPOCH: Uuid = Uuid::from_u128(10);
const NOW: Moment = Moment { now_ms: 0, chance: 1.0 };

fn id(number: u128) -> Uuid {
    Uuid::from_u128(1_000 + number)
}

fn meeting(record: u128) -> Draft {
    Draft::create("branch_meeting", 1, id(record), UNIT).to("held", true)
}

/// A phone that has said so many things, each of a record of its own.
fn said(count: u128) -> Phone {
    let mut phone = Phone::new(DEVICE, "test/1");
    for number in 0..count {
        phone.say(id(100 + number), meeting(number)).unwrap();
    }
    phone
}

#[track_caller]
fn asks(phone: &Phone) -> Request {
    match phone.next(NOW) {
        Next::Ask(request) => request,
        other => panic!("it does not ask: {other:?}"),
    }
}

/// Answers the next push, every submission alike.
#[track_caller]
fn push(phone: &mut Phone, epoch: Uuid, status: &str, v: i64) -> Vec<Uuid> {
    push_at(NOW, phone, epoch, status, v)
}

#[track_caller]
fn push_at(now: Moment, phone: &mut Phone, epoch: Uuid, status: &str, v: i64) -> Vec<Uuid> {
    let request = asks(phone);
    let Request::Push { ids, .. } = &request else { panic!("no push: {request:?}") };
    let results: Vec<Value> = ids.iter().map(|id| json!({"id": id, "status": status, "v": v})).collect();
    phone.answered(&request, 200, None, json!({"epoch": epoch, "results": results}).to_string().as_bytes(), now);
    ids.clone()
}

#[track_caller]
fn pull(phone: &mut Phone, answer: Value) -> Value {
    let request = asks(phone);
    assert_eq!(request.path(), "/v1/sync/pull");
    phone.answered(&request, 200, None, answer.to_string().as_bytes(), NOW);
    request.body().clone()
}

fn page(epoch: Uuid, more: bool, durable_before: i64, messages: Value) -> Value {
    json!({"epoch": epoch, "head": 9, "cursor": "c", "more": more, "durable_before": durable_before, "messages": messages})
}

fn put(record: u128, v: i64) -> Value {
    json!({"t": "put", "kind": "branch_meeting", "id": id(record), "v": v, "unit": UNIT, "data": {"held": true}})
}

fn states(phone: &Phone) -> Vec<&State> {
    phone.outbox().entries().map(|entry| &entry.state).collect()
}

#[test]
fn it_pushes_what_was_said_in_order_and_then_pulls_and_rests() {
    let mut phone = said(2);
    let first = asks(&phone);
    assert_eq!(first.body()["submissions"][0]["n"], 1);
    assert_eq!(first.body()["submissions"][1]["n"], 2);
    assert_eq!(push(&mut phone, EPOCH, "accepted", 5), [id(100), id(101)]);
    pull(&mut phone, page(EPOCH, true, 0, json!([put(0, 5)])));
    let second = pull(&mut phone, page(EPOCH, false, 0, json!([put(1, 5)])));
    assert_eq!(second["cursor"], "c");
    assert_eq!(phone.next(NOW), Next::Rest);
    assert_eq!(phone.replica().things().count(), 2);
}

#[test]
fn without_an_answer_the_same_is_sent_again_after_a_while() {
    let mut phone = said(1);
    let sent = asks(&phone);
    phone.failed(NOW);
    assert_eq!(phone.next(NOW), Next::Wait(1_000));
    assert_eq!(phone.next(Moment::at(1_000)), Next::Ask(sent.clone()));
    phone.answered(&sent, 503, Some(5), b"", Moment { now_ms: 1_000, chance: 0.0 });
    assert_eq!(phone.next(Moment::at(1_000)), Next::Wait(5_000));
    // Half an answer is none.
    phone.answered(&sent, 200, None, b"{\"epoch\":", Moment { now_ms: 6_000, chance: 0.5 });
    assert_eq!(phone.next(Moment::at(6_000)), Next::Wait(2_000));
    assert_eq!(states(&phone), [&State::Waiting]);
}

#[test]
fn what_was_acknowledged_is_kept_until_a_backup_has_it_and_said_again_in_another_epoch() {
    let mut phone = said(2);
    push(&mut phone, EPOCH, "accepted", 5);
    pull(&mut phone, page(EPOCH, false, 5, json!([])));
    assert_eq!(phone.outbox().entries().count(), 2, "5 is not below 5");
    // The server was restored to a moment before.
    phone.wake(NOW);
    let restored = Uuid::from_u128(11);
    pull(&mut phone, json!({"reset": {"reason": "epoch"}}));
    pull(&mut phone, page(restored, false, 3, json!([])));
    assert_eq!(push(&mut phone, restored, "accepted", 4), [id(100), id(101)]);
    pull(&mut phone, page(restored, false, 5, json!([])));
    assert_eq!(phone.outbox().entries().count(), 0);
}

#[test]
fn a_new_epoch_that_a_push_tells_of_leaves_what_it_answered_settled() {
    let mut phone = said(1);
    push(&mut phone, EPOCH, "accepted", 5);
    phone.say(id(102), meeting(9)).unwrap();
    let restored = Uuid::from_u128(11);
    assert_eq!(push(&mut phone, restored, "accepted", 3), [id(102)]);
    assert_eq!(push(&mut phone, restored, "accepted", 4), [id(100)]);
    assert!(phone.outbox().is_settled());
}

#[test]
fn what_is_deferred_is_sent_in_the_next_round_and_after_a_day_with_the_word_that_its_base_is_lost() {
    let mut phone = said(1);
    push(&mut phone, EPOCH, "deferred", 0);
    pull(&mut phone, page(EPOCH, false, 0, json!([])));
    assert_eq!(phone.next(NOW), Next::Rest);
    assert!(!phone.outbox().is_settled());
    phone.wake(NOW);
    assert_eq!(asks(&phone).body()["submissions"][0]["after_lost"], Value::Null);
    push(&mut phone, EPOCH, "deferred", 0);
    phone.wake(Moment::at(24 * 3600 * 1_000));
    assert_eq!(asks(&phone).body()["submissions"][0]["after_lost"], true);
}

/// How the one thing that was said would be sent now: whether with the word that its base is lost.
#[track_caller]
fn has_given_up(phone: &Phone) -> bool {
    asks(phone).body()["submissions"][0]["after_lost"] == true
}

#[test]
fn what_was_deferred_once_and_recorded_waits_anew_for_its_base_after_a_restore() {
    const NEW: Uuid = Uuid::from_u128(11);
    let at = |hours: u64| Moment::at(hours * 3_600_000);
    let mut phone = said(1);
    push_at(at(0), &mut phone, EPOCH, "deferred", 0);
    pull(&mut phone, page(EPOCH, false, 0, json!([])));
    phone.wake(at(1));
    push_at(at(1), &mut phone, EPOCH, "merged", 900);
    pull(&mut phone, page(EPOCH, false, 0, json!([])));
    // A week later an older backup is restored, and what it builds on is on another phone, which has yet to be heard.
    phone.wake(at(168));
    pull(&mut phone, json!({"reset": {"reason": "epoch"}}));
    pull(&mut phone, page(NEW, false, 0, json!([])));
    push_at(at(168), &mut phone, NEW, "deferred", 0);
    pull(&mut phone, page(NEW, false, 0, json!([])));
    phone.wake(at(169));
    assert!(!has_given_up(&phone), "an hour is not too long");
    push_at(at(169), &mut phone, NEW, "deferred", 0);
    pull(&mut phone, page(NEW, false, 0, json!([])));
    phone.wake(at(192));
    assert!(has_given_up(&phone), "a day is");
    // It was taken in for lost. Where that is gone again, what it builds on may come after all.
    push_at(at(192), &mut phone, NEW, "conflict", 20);
    pull(&mut phone, page(Uuid::from_u128(12), false, 0, json!([])));
    assert!(!has_given_up(&phone));
}

#[test]
fn a_new_epoch_gives_time_again_to_what_waits() {
    const NEW: Uuid = Uuid::from_u128(11);
    let at = |hours: u64| Moment::at(hours * 3_600_000);
    for (hours, given_up) in [(23, false), (24, true)] {
        let mut phone = said(1);
        push_at(at(0), &mut phone, EPOCH, "deferred", 0);
        pull(&mut phone, page(EPOCH, false, 0, json!([])));
        phone.wake(at(hours));
        assert_eq!(has_given_up(&phone), given_up);
        for (waited, given_up) in [(0, false), (23, false), (24, true)] {
            phone.wake(at(hours + waited));
            assert_eq!(waited > 0 && has_given_up(&phone), given_up, "{waited} hours after the restore");
            push_at(at(hours + waited), &mut phone, NEW, "deferred", 0);
            pull(&mut phone, page(NEW, false, 0, json!([])));
        }
    }
}

#[test]
fn a_fork_makes_it_another_device_with_the_same_ids() {
    let mut phone = said(2);
    let request = asks(&phone);
    phone.answered(&request, 409, None, b"{\"code\":\"device.fork\"}", NOW);
    assert_eq!(phone.next(NOW), Next::Register);
    phone.registered(Uuid::from_u128(7));
    let again = asks(&phone);
    assert_eq!(again.body()["device"], json!(Uuid::from_u128(7)));
    let Request::Push { ids, .. } = again else { panic!() };
    assert_eq!(ids, [id(100), id(101)]);
}

#[test]
fn a_batch_that_is_too_large_is_halved_and_one_that_is_not_understood_is_told_and_kept() {
    let mut phone = said(4);
    let request = asks(&phone);
    phone.answered(&request, 413, None, b"{\"code\":\"request.too_large\"}", NOW);
    let Request::Push { ids, .. } = asks(&phone) else { panic!() };
    assert_eq!(ids.len(), 2);
    phone.answered(&request, 400, None, b"{\"code\":\"request.protocol\"}", NOW);
    assert_eq!(phone.next(NOW), Next::Stuck("request.protocol".to_owned()));
    phone.wake(NOW);
    assert_eq!(states(&phone).len(), 4);
    assert_eq!(asks(&phone).path(), "/v1/sync/push");
}

#[test]
fn a_token_that_is_not_believed_asks_for_another_and_loses_nothing() {
    let mut phone = said(1);
    let request = asks(&phone);
    phone.answered(&request, 401, None, b"{}", NOW);
    assert_eq!(phone.next(NOW), Next::SignIn);
    phone.signed_in();
    assert_eq!(asks(&phone), request);
}

#[test]
fn after_a_reset_it_shows_what_it_had_until_all_is_told_and_then_drops_what_was_not() {
    let mut phone = Phone::new(DEVICE, "test/1");
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 1), put(1, 2)])));
    phone.wake(NOW);
    pull(&mut phone, json!({"reset": {"reason": "compacted"}}));
    let begun = pull(&mut phone, page(EPOCH, true, 0, json!([put(1, 2)])));
    assert_eq!(begun["cursor"], Value::Null);
    assert_eq!(phone.replica().things().count(), 2);
    pull(&mut phone, page(EPOCH, false, 0, json!([put(2, 3)])));
    let left: Vec<Uuid> = phone.replica().things().map(|(id, _)| *id).collect();
    assert_eq!(left, [id(1), id(2)]);
}

#[test]
fn what_is_purged_goes_from_here_and_what_was_said_of_it_stays() {
    let mut phone = said(1);
    push(&mut phone, EPOCH, "accepted", 5);
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 5), put(3, 4)])));
    phone.say(id(110), Draft::edit("branch_meeting", 1, id(0), UNIT).change("held", true, false)).unwrap();
    let edit = asks(&phone);
    assert_eq!(edit.body()["submissions"][0]["base"], json!({"epoch": EPOCH, "v": 5}));
    push(&mut phone, EPOCH, "forbidden", 6);
    pull(&mut phone, page(EPOCH, false, 0, json!([{"t": "purge_scope", "unit": UNIT}, {"t": "newer", "x": 1}])));
    assert_eq!(phone.replica().things().count(), 0);
    assert_eq!(phone.outbox().entries().count(), 2);
}

#[test]
fn an_alias_leads_to_the_record_and_an_edit_names_what_it_builds_on() {
    let mut phone = said(1);
    phone.say(id(111), Draft::edit("branch_meeting", 1, id(0), UNIT).change("held", true, false)).unwrap();
    assert_eq!(asks(&phone).body()["submissions"][1]["base"], json!({"v": null, "after": id(100)}));
    push(&mut phone, EPOCH, "accepted", 5);
    let alias = json!({"t": "alias", "id": id(0), "record": id(50), "unit": UNIT});
    let notice = json!({"t": "notice", "about": id(100), "code": "quarantine.released", "v": 6});
    pull(&mut phone, page(EPOCH, false, 0, json!([alias, put(50, 5), notice])));
    assert_eq!(phone.replica().thing(id(0)), phone.replica().thing(id(50)));
    assert_eq!(phone.replica_mut().take_notices()[0].code, "quarantine.released");
    assert!(phone.replica_mut().take_notices().is_empty());
}

#[test]
fn what_is_too_large_for_one_submission_is_told_at_once() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let draft = meeting(0).to("place", "x".repeat(300_000));
    assert!(phone.say(id(100), draft).unwrap_err().bytes > 300_000);
    assert_eq!(asks(&phone).path(), "/v1/sync/pull");
}

#[test]
fn what_was_saved_goes_on_as_it_was() {
    let mut phone = said(3);
    push(&mut phone, EPOCH, "accepted", 5);
    phone.say(id(103), meeting(9)).unwrap();
    let saved = serde_json::to_vec(&phone).unwrap();
    let restored: Phone = serde_json::from_slice(&saved).unwrap();
    assert_eq!(restored, phone);
    assert_eq!(restored.next(NOW), phone.next(NOW));
}

#[test]
fn what_was_seen_before_a_restore_is_told_with_the_history_in_which_it_was_seen() {
    const NEW: Uuid = Uuid::from_u128(11);
    let mut phone = said(1);
    push(&mut phone, EPOCH, "accepted", 900);
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 900), put(1, 800)])));
    // It hears of the new history by a push, before its copy is renewed.
    phone.say(id(110), meeting(7)).unwrap();
    push(&mut phone, NEW, "accepted", 10);
    phone.say(id(111), Draft::delete(id(1), UNIT)).unwrap();
    let Request::Push { body, .. } = asks(&phone) else { panic!("it says all again") };
    let said = body["submissions"].as_array().unwrap();
    let base = |of: Uuid| said.iter().find(|one| one["id"] == json!(of)).map(|one| one["base"].clone());
    assert_eq!(base(id(111)), Some(json!({"epoch": EPOCH, "v": 800})));
}

#[test]
fn an_id_is_a_record_in_one_unit_and_another_name_in_another() {
    const OTHER: Uuid = Uuid::from_u128(3);
    let mut phone = Phone::new(DEVICE, "test/1");
    let elsewhere = json!({"t": "alias", "id": id(0), "record": id(50), "unit": OTHER});
    let mut there = put(50, 6);
    there["unit"] = json!(OTHER);
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 5), elsewhere, there])));
    let v = |phone: &Phone, unit| phone.replica().thing_in(unit, id(0)).map(|thing| thing.v);
    assert_eq!((v(&phone, UNIT), v(&phone, OTHER)), (Some(5), Some(6)));
    // After a restore the two names have changed places.
    phone.wake(NOW);
    pull(&mut phone, json!({"reset": {"reason": "epoch"}}));
    let mut here = put(0, 7);
    here["unit"] = json!(OTHER);
    let back = json!({"t": "alias", "id": id(50), "record": id(0), "unit": OTHER});
    pull(&mut phone, page(EPOCH, false, 0, json!([back, here])));
    let canonical = |number| phone.replica().canonical(OTHER, id(number));
    assert_eq!((canonical(0), canonical(50)), (id(0), id(0)));
    assert_eq!(v(&phone, OTHER), Some(7));
    // And what names an unit that is not seen any more is nobody's name.
    phone.wake(NOW);
    pull(&mut phone, page(EPOCH, false, 0, json!([{"t": "purge_scope", "unit": OTHER}])));
    assert_eq!(phone.replica().canonical(OTHER, id(50)), id(50));
}

#[test]
fn a_grant_stays_when_its_unit_is_purged() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let grant = json!({"t": "put", "kind": "grant", "id": id(9), "v": 3, "unit": UNIT, "data": {"role": "liaison"}});
    pull(&mut phone, page(EPOCH, false, 0, json!([grant, put(0, 5)])));
    phone.wake(NOW);
    pull(&mut phone, page(EPOCH, false, 0, json!([{"t": "purge_scope", "unit": UNIT}])));
    let left: Vec<Uuid> = phone.replica().things().map(|(id, _)| *id).collect();
    assert_eq!(left, [id(9)]);
}

#[test]
fn a_cursor_that_is_nobodys_is_given_up_and_what_was_told_once_is_not_told_again() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let notice = json!({"t": "notice", "about": id(100), "code": "quarantine.released", "v": 6});
    pull(&mut phone, page(EPOCH, false, 0, json!([notice])));
    assert_eq!(phone.replica_mut().take_notices().len(), 1);
    phone.wake(NOW);
    let request = asks(&phone);
    phone.answered(&request, 400, None, b"{\"code\":\"request.cursor_invalid\"}", NOW);
    let later = json!({"t": "notice", "about": id(100), "code": "quarantine.discarded", "v": 8});
    let begun = pull(&mut phone, page(EPOCH, false, 0, json!([notice, later])));
    assert_eq!(begun["cursor"], Value::Null);
    let told: Vec<i64> = phone.replica_mut().take_notices().iter().map(|notice| notice.v).collect();
    assert_eq!(told, [8]);
    // Without one there is nothing to give up.
    let mut new = Phone::new(DEVICE, "test/1");
    let request = asks(&new);
    new.answered(&request, 400, None, b"{\"code\":\"request.cursor_invalid\"}", NOW);
    assert_eq!(new.next(NOW), Next::Stuck("request.cursor_invalid".to_owned()));
}

#[test]
fn after_a_batch_that_was_too_large_it_grows_slowly() {
    let mut phone = said(100);
    let request = asks(&phone);
    phone.answered(&request, 413, None, b"{\"code\":\"request.too_large\"}", NOW);
    phone.answered(&asks(&phone), 413, None, b"{\"code\":\"request.too_large\"}", NOW);
    let sizes: Vec<usize> = (0..3).map(|n| push(&mut phone, EPOCH, "accepted", 5 + n).len()).collect();
    assert_eq!(sizes, [25, 29, 33]);
}

#[test]
fn a_copy_that_is_spoiled_is_found_out_and_downloaded_anew() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let alias = json!({"t": "alias", "id": id(0), "record": id(1), "unit": UNIT});
    let gone = json!({"t": "alias", "id": id(7), "record": id(8), "unit": UNIT});
    let told = json!([put(1, 2), put(2, 3), alias, gone]);
    pull(&mut phone, page(EPOCH, false, 0, told.clone()));
    let lines = [1, 2].map(|n: u128| format!("branch_meeting {} {}", id(n), n + 1));
    let lines = lines.into_iter().chain([format!("alias {} {UNIT} {}", id(0), id(1))]);
    let sum = lines.fold([0_u8; 32], |sum, line| {
        let digest: [u8; 32] = Sha256::digest(line).into();
        std::array::from_fn(|n| sum[n] ^ digest[n])
    });
    let hash: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let checked = |phone: &mut Phone, all: &str| {
        phone.check();
        let mut answer = page(EPOCH, false, 0, json!([]));
        answer["hash"] = json!({"all": all, "things": 3, "units": {}});
        assert_eq!(pull(phone, answer)["hash"], json!(true));
    };
    checked(&mut phone, &hash);
    assert_eq!(phone.next(NOW), Next::Rest);
    checked(&mut phone, &"0".repeat(64));
    let anew = pull(&mut phone, page(EPOCH, false, 0, told));
    assert_eq!((&anew["cursor"], &anew["hash"]), (&Value::Null, &Value::Null));
    assert_eq!(phone.next(NOW), Next::Rest);
}

#[test]
fn a_decision_made_again_after_a_restore_is_told_although_its_number_is_lower() {
    const NEW: Uuid = Uuid::from_u128(11);
    let mut phone = Phone::new(DEVICE, "test/1");
    let notice = |code: &str, v: i64| json!([{"t": "notice", "about": id(100), "code": code, "v": v}]);
    pull(&mut phone, page(EPOCH, false, 0, notice("quarantine.released", 900)));
    phone.wake(NOW);
    pull(&mut phone, json!({"reset": {"reason": "epoch"}}));
    pull(&mut phone, page(NEW, false, 0, notice("quarantine.discarded", 850)));
    let told: Vec<String> = phone.replica_mut().take_notices().into_iter().map(|notice| notice.code).collect();
    assert_eq!(told, ["quarantine.released", "quarantine.discarded"]);
}

/// Downloads all there is in two pages, rests, and is then answered this instead of a page; what it waits for afterwards.
#[track_caller]
fn is_sent_back(phone: &mut Phone, now: Moment, status: u16, answer: &Value) -> Next {
    for more in [true, false] {
        let Next::Ask(request) = phone.next(now) else { panic!("it does not ask") };
        phone.answered(&request, 200, None, page(EPOCH, more, 0, json!([])).to_string().as_bytes(), now);
    }
    phone.wake(now);
    let Next::Ask(request) = phone.next(now) else { panic!("it does not ask") };
    assert_eq!(request.body()["cursor"], "c");
    phone.answered(&request, status, None, answer.to_string().as_bytes(), now);
    phone.next(now)
}

#[test]
fn where_no_cursor_is_believed_it_begins_anew_at_once_and_then_ever_later_and_pushes_all_the_same() {
    let refusals = [(400, json!({"code": "request.cursor_invalid"})), (200, json!({"reset": {"reason": "epoch"}}))];
    for (status, answer) in refusals {
        let mut phone = Phone::new(DEVICE, "test/1");
        let mut now = NOW;
        let begins = is_sent_back(&mut phone, now, status, &answer);
        assert!(matches!(begins, Next::Ask(request) if request.body()["cursor"].is_null()), "at once");
        for wait in [1_000, 2_000, 4_000] {
            assert_eq!(is_sent_back(&mut phone, now, status, &answer), Next::Wait(wait));
            let saved = serde_json::to_vec(&phone).unwrap();
            assert_eq!(serde_json::from_slice::<Phone>(&saved).unwrap().next(now), Next::Wait(wait));
            now = Moment { now_ms: now.now_ms + wait, ..now };
        }
        assert_eq!(is_sent_back(&mut phone, now, status, &answer), Next::Wait(8_000));
        phone.say(id(100), meeting(0)).unwrap();
        let Next::Ask(request) = phone.next(now) else { panic!("it does not push") };
        let pushed = json!({"epoch": EPOCH, "results": [{"id": id(100), "status": "accepted", "v": 5}]});
        phone.answered(&request, 200, None, pushed.to_string().as_bytes(), now);
        assert_eq!(phone.next(now), Next::Wait(8_000), "that a push is taken in says nothing of cursors");
    }
}

#[test]
fn once_a_cursor_is_believed_again_the_next_that_is_not_counts_as_the_first() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let invalid = json!({"code": "request.cursor_invalid"});
    is_sent_back(&mut phone, NOW, 400, &invalid);
    pull(&mut phone, page(EPOCH, false, 0, json!([])));
    phone.wake(NOW);
    let begins = is_sent_back(&mut phone, NOW, 400, &invalid);
    assert!(matches!(begins, Next::Ask(request) if request.body()["cursor"].is_null()), "at once");
}

#[test]
fn of_notices_that_were_told_it_remembers_a_bounded_number_and_tells_none_twice() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let count = 2 * i64::try_from(REMEMBERED).unwrap();
    let notice =
        |v: i64| json!({"t": "notice", "about": id(v.unsigned_abs().into()), "code": "quarantine.released", "v": v});
    let all: Vec<Value> = (1..=count).map(notice).collect();
    pull(&mut phone, page(EPOCH, false, 0, json!(all)));
    assert_eq!(phone.replica_mut().take_notices().len(), all.len());
    let saved = serde_json::to_value(&phone).unwrap();
    assert_eq!(saved["replica"]["noticed"].as_object().map(serde_json::Map::len), Some(REMEMBERED));
    phone.wake(NOW);
    pull(&mut phone, json!({"reset": {"reason": "compacted"}}));
    let next = json!({"t": "notice", "about": id(1), "code": "quarantine.discarded", "v": count + 1});
    pull(&mut phone, page(EPOCH, true, 0, json!(all)));
    pull(&mut phone, page(EPOCH, false, 0, json!([next])));
    let told: Vec<i64> = phone.replica_mut().take_notices().iter().map(|notice| notice.v).collect();
    assert_eq!(told, [count + 1]);
}

#[test]
fn all_notices_of_one_entry_are_told_however_many_they_are() {
    let mut phone = Phone::new(DEVICE, "test/1");
    let count = 2 * REMEMBERED as u128;
    let about = |number: u128| json!({"t": "notice", "about": id(number), "code": "quarantine.erased", "v": 7});
    let (one, other): (Vec<Value>, Vec<Value>) =
        ((0..count / 2).map(about).collect(), (count / 2..count).map(about).collect());
    pull(&mut phone, page(EPOCH, true, 0, json!(one)));
    pull(&mut phone, page(EPOCH, false, 0, json!(other)));
    assert_eq!(phone.replica_mut().take_notices().len(), 2 * REMEMBERED);
}

#[test]
fn an_answer_that_is_neither_a_page_nor_a_reset_is_asked_for_again() {
    for answer in [json!({"epoch": EPOCH, "cursor": "c", "messages": []}), json!({"more": false}), json!({})] {
        let mut phone = Phone::new(DEVICE, "test/1");
        pull(&mut phone, answer);
        assert_eq!(phone.next(NOW), Next::Wait(1_000));
    }
    // What it does not know is passed over, and what is null is not there.
    let mut phone = Phone::new(DEVICE, "test/1");
    let mut answer = page(EPOCH, false, 0, json!([put(0, 5)]));
    (answer["reset"], answer["newer"]) = (Value::Null, json!({"x": 1}));
    pull(&mut phone, answer);
    assert_eq!((phone.next(NOW), phone.replica().things().count()), (Next::Rest, 1));
}

#[test]
fn it_lets_go_of_what_it_holds_once_all_is_recorded_and_goes_on_from_where_it_stood() {
    let mut phone = said(1);
    assert!(!phone.let_go());
    assert_eq!(states(&phone), [&State::Waiting]);
    push(&mut phone, EPOCH, "accepted", 5);
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 5)])));
    assert!(phone.let_go());
    assert_eq!((phone.outbox().entries().count(), phone.replica().things().count()), (0, 0));
    assert_eq!(phone.next(NOW), Next::Rest);
    phone.say(id(101), meeting(1)).unwrap();
    assert_eq!(asks(&phone).body()["submissions"][0]["n"], 2);
    push(&mut phone, EPOCH, "accepted", 6);
    assert_eq!(asks(&phone).body()["cursor"], "c");
}

#[test]
fn on_a_device_that_has_numbered_before_it_goes_on_after_that() {
    let mut phone = Phone::new(DEVICE, "test/1").numbered_up_to(41);
    phone.say(id(100), meeting(0)).unwrap();
    assert_eq!(asks(&phone).body()["submissions"][0]["n"], 42);
}

#[test]
fn pages_are_as_long_as_is_said_and_a_pull_may_wait_for_something_new() {
    let phone = Phone::new(DEVICE, "test/1");
    assert_eq!(asks(&phone).body(), &json!({"cursor": null, "limit": 500}));
    let phone = phone.with_pages_of(50);
    assert_eq!(asks(&phone).waiting(25).body(), &json!({"cursor": null, "limit": 50, "wait_s": 25}));
    let request = asks(&said(1));
    assert_eq!(request.clone().waiting(25), request);
}

#[test]
fn what_was_saved_before_there_were_pages_of_another_length_goes_on_with_the_usual_ones() {
    let mut saved = serde_json::to_value(Phone::new(DEVICE, "test/1")).unwrap();
    saved.as_object_mut().unwrap().remove("page");
    assert_eq!(serde_json::from_value::<Phone>(saved).unwrap(), Phone::new(DEVICE, "test/1"));
}

#[test]
fn what_was_recorded_and_not_pulled_yet_is_named_by_what_builds_on_it() {
    let mut phone = said(1);
    push(&mut phone, EPOCH, "accepted", 5);
    let edit = |phone: &mut Phone, number: u128| {
        phone.say(id(number), Draft::edit("branch_meeting", 1, id(0), UNIT).to("held", false)).unwrap();
        let base = asks(phone).body()["submissions"][0]["base"].clone();
        push(phone, EPOCH, "merged", i64::try_from(number).unwrap());
        base
    };
    // The page that tells of it has not come: what it knows is what it has said.
    assert_eq!(edit(&mut phone, 200)["after"], json!(id(100)));
    pull(&mut phone, page(EPOCH, false, 0, json!([put(0, 200)])));
    assert_eq!(edit(&mut phone, 201), json!({"epoch": EPOCH, "v": 200}));
    assert_eq!(edit(&mut phone, 202), json!({"epoch": EPOCH, "v": 200, "after": id(201)}));
    // What was refused says nothing that could be built on.
    phone.say(id(203), Draft::edit("branch_meeting", 1, id(0), UNIT).to("held", true)).unwrap();
    push(&mut phone, EPOCH, "rejected", 203);
    assert_eq!(edit(&mut phone, 204)["after"], json!(id(202)));
}

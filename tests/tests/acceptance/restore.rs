//! A backup is taken while the server serves, and restored into another database: what was in it is there again, what phones
//! sent since they send again, and whoever was erased stays erased.

use muong_server::commands::restore::RestoreError;
use muong_store::{DatabaseUrl, backup, migrate};
use muong_tests::builders::{MEETING, PERSON, meeting, object, person, roll, step};
use muong_tests::client::{number, text, uuid};
use muong_tests::database::{TestDatabase, number as count, texts};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, OFFICER, PHIENG_SANG, SECRETARY};
use muong_tests::review::{open_conflicts, quarantined, resolve};
use muong_tests::said::{assert_same, what_was_said};
use muong_tests::{Backend, Reporter, Submission, TestApp, on_both, rebuilds_the_same_store};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

on_both!(
    what_a_backup_holds_is_there_again_in_a_new_epoch_and_everybody_signs_in_anew,
    what_phones_send_again_makes_the_store_that_would_have_been,
    a_backup_goes_from_one_kind_of_database_to_the_other,
    a_backup_that_is_damaged_or_cut_off_is_not_restored,
    nothing_is_restored_over_something_nor_without_the_ledger,
    a_database_whose_log_is_broken_gives_no_backup,
    the_head_tells_how_far_the_last_backup_reaches,
    a_backup_that_is_taken_while_others_push_is_whole,
    who_was_erased_after_the_backup_is_erased_in_what_is_restored,
    who_came_and_was_erased_after_the_backup_does_not_come_back_with_the_phones,
    what_waited_unread_in_the_backup_goes_with_whom_it_turned_out_to_be_about,
    a_base_of_an_epoch_that_was_lost_proves_nothing_was_seen,
    a_phone_that_had_not_seen_more_than_the_backup_goes_on_pulling,
    who_asks_for_an_entry_that_was_lost_learns_that_it_was,
);

const NAME: &str = "Vừ A Chá Quá Dài";

fn folder() -> TempDir {
    TempDir::with_prefix("muong-backups-").expect("a folder")
}

fn said(app: &TestApp) -> std::collections::BTreeMap<String, Value> {
    what_was_said(&app.app().database, app.backend())
}

fn seq(app: &TestApp) -> i64 {
    app.app().database.read(|read| Ok(read.head()?.seq.0)).expect("a head")
}

#[track_caller]
fn survives_a_replay(app: &TestApp) {
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "what was restored"));
}

/// Somebody's phone, with everything that it ever sent: a phone keeps what no backup holds.
struct Phone {
    login: &'static str,
    who: Reporter,
    outbox: Vec<Submission>,
}

impl Phone {
    fn new(app: &TestApp, login: &'static str) -> Self {
        Self { login, who: app.sign_in(login), outbox: Vec::new() }
    }

    fn reports(&mut self, status: &str, draft: Submission) -> Value {
        let said = self.who.says(draft);
        let pushed = self.who.push(&[&said]);
        assert_eq!(pushed.statuses(), [status], "{}", pushed.0);
        self.outbox.push(said);
        let mut result = pushed.only();
        result["epoch"] = pushed.0["epoch"].clone();
        result["head"] = pushed.0["head"].clone();
        result
    }

    /// After a restore: signs in, on a new device and with new numbers if the server does not know its own any more, and
    /// pushes all of it again.
    fn sends_again(&self, app: &TestApp) -> Vec<Value> {
        let who = app.sign_in_again(self.login, self.who.device);
        let is_new = who.device != self.who.device;
        let again: Vec<Submission> = (self.outbox.iter().zip(1..))
            .map(|(said, n)| if is_new { said.clone().with("n", n) } else { said.clone() })
            .collect();
        who.push(&again.iter().collect::<Vec<_>>()).results().to_vec()
    }
}

fn what_a_backup_holds_is_there_again_in_a_new_epoch_and_everybody_signs_in_anew(app: &TestApp) {
    let folder = folder();
    let secretary = app.sign_in(SECRETARY);
    let first = secretary.reports_as("accepted", meeting(HUOI_SANG));
    secretary.reports_as("forbidden", meeting(PHIENG_SANG));
    secretary.reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
    let before = said(app);
    let backup = app.back_up(folder.path());
    let stays = std::fs::read(backup.join("rows.zst")).expect("rows");
    secretary.reports_as("accepted", person(HUOI_SANG, "Lò Văn Sau", "1981-04-12"));
    let restored = app.restored(&backup);
    assert_same(&said(&restored), &before);
    assert_eq!(std::fs::read(backup.join("rows.zst")).expect("rows"), stays, "the backup is only read");
    let head = |app: &TestApp| app.app().database.read(|read| read.head()).expect("a head");
    let (old, new) = (head(app), head(&restored));
    assert_ne!(old.epoch, new.epoch);
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(backup.join("manifest.json")).expect("a manifest")).expect("JSON");
    assert_eq!(new.epoch_began.0, number(&manifest["contents"]["head"]["seq"]), "where the backup ends");
    assert_eq!(new.durable, new.epoch_began);
    secretary.at(restored.address()).get("/v1/me").problem(401, "auth.session_ended");
    let refresh = json!({"refresh_token": secretary.refresh_token(), "device": secretary.device});
    restored.anonymous().post("/v1/auth/refresh", &refresh).problem(401, "auth.refresh_invalid");
    let again = restored.sign_in_again(SECRETARY, secretary.device);
    assert_eq!(again.device, secretary.device, "the device is known");
    assert_eq!(again.read(&format!("/v1/records/{}", text(&first["record"])))["data"]["period"], "2026-03");
    let next = person(HUOI_SANG, "Giàng A Páo", "1982-04-12").with("n", 99);
    assert_eq!(again.push(&[&next]).statuses(), ["accepted"]);
    survives_a_replay(&restored);
}

/// Meetings, a conflict, a withdrawal, an alias, something rejected and corrected, something forbidden, a person with
/// steps: a half before the backup and a half after it, each building on what came before.
fn a_life(app: &TestApp, folder: &Path) -> (Vec<Phone>, std::path::PathBuf) {
    let (mut secretary, mut officer) = (Phone::new(app, SECRETARY), Phone::new(app, OFFICER));
    let first = secretary.reports("accepted", meeting(HUOI_SANG));
    let record = uuid(&first["record"]);
    let other = secretary.reports(
        "accepted",
        meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05").to("scheduled_on", Value::Null),
    );
    let entered = secretary.reports("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
    secretary
        .reports("rejected", meeting(HUOI_SANG).to("period", "2026-01").to("held_on", "2026-01-05").to("present", 3));
    let backup = app.back_up(folder);
    // A phone that is new to the server that is restored.
    let mut second = Phone::new(app, SECRETARY);
    let edit = |present: i64, base: &Value| {
        Submission::edit(MEETING, record, HUOI_SANG)
            .changes_group(&roll(), &json!({"present": present, "excused": 12 - present}))
            .seen(base, number(&base["head"]))
    };
    secretary.reports("merged", edit(10, &first));
    officer.reports("conflict", edit(9, &first));
    let place = |from: Value, to: &str| Submission::edit(MEETING, record, HUOI_SANG).changes("place", from, to);
    let placed = officer.reports("merged", place(Value::Null, "Nhà văn hóa").seen(&first, number(&first["head"])));
    // Its base lies above what the backup holds.
    secretary.reports("merged", place(json!("Nhà văn hóa"), "Trường học").seen(&placed, number(&placed["head"])));
    officer.reports("conflict", meeting(HUOI_SANG)); // the same meeting under another id
    secretary.reports(
        "accepted",
        Submission::delete(uuid(&other["record"]), HUOI_SANG).seen(&placed, number(&placed["head"])),
    );
    let wrong = meeting(HUOI_SANG).to("period", "2025-12").to("held_on", "2025-12-05").to("present", 3);
    let wrong_id = wrong.id();
    secretary.reports("rejected", wrong);
    let corrected = meeting(HUOI_SANG).to("period", "2025-12").to("held_on", "2025-12-05");
    secretary.reports("accepted", corrected.with("replaces", json!([wrong_id])));
    officer.reports("forbidden", meeting(PHIENG_SANG));
    let person_id = uuid(&entered["record"]);
    secretary.reports("accepted", step(HUOI_SANG, person_id, "temporary_out", "2026-01-02").to("until", "2026-06-01"));
    let someone = second.reports("accepted", person(HUOI_SANG, "Sùng Thị Mới", "1990-01-01"));
    second.reports(
        "accepted",
        step(HUOI_SANG, uuid(&someone["record"]), "temporary_out", "2026-01-03").to("until", "2026-06-01"),
    );
    let seen = json!({"full_name": "Sùng Thị Mới", "birth_date": "1990-01-01", "gender": null});
    let renamed = Submission::edit(PERSON, uuid(&someone["record"]), HUOI_SANG)
        .changes_group(&object(seen), &json!({"full_name": "Sùng Thị Mơ"}))
        .after(uuid(&someone["id"]));
    second.reports("merged", renamed);
    (vec![secretary, officer, second], backup)
}

fn what_phones_send_again_makes_the_store_that_would_have_been(app: &TestApp) {
    let folder = folder();
    let (phones, backup) = a_life(app, folder.path());
    let before = said(app);
    let restored = app.restored(&backup);
    for (phone, known) in phones.iter().zip([true, false, false]) {
        let results = phone.sends_again(&restored);
        assert_eq!(results[0]["status"] == "duplicate", known, "{results:?}");
        let waits = results.iter().filter(|result| result["status"] == "deferred").count();
        assert_eq!(
            waits,
            usize::from(phone.login == SECRETARY && known),
            "what changes another's lost words waits for them"
        );
    }
    // The other phone has sent them by now.
    let results = phones[0].sends_again(&restored);
    assert!(results.iter().all(|result| result["status"] != "deferred"), "{results:?}");
    assert_same(&said(&restored), &before);
    // And once more: nothing is counted twice.
    let head = seq(&restored);
    for phone in &phones {
        let who = restored.sign_in(phone.login);
        let again: Vec<Submission> = phone.outbox.iter().zip(1..).map(|(said, n)| said.clone().with("n", n)).collect();
        let statuses = who.push(&again.iter().collect::<Vec<_>>());
        assert!(statuses.statuses().iter().all(|status| *status == "duplicate"), "{}", statuses.0);
    }
    assert_same(&said(&restored), &before);
    assert!(seq(&restored) < head + 20, "only who signed in");
    survives_a_replay(&restored);
}

fn a_backup_goes_from_one_kind_of_database_to_the_other(app: &TestApp) {
    let folder = folder();
    let (phones, _) = a_life(app, folder.path());
    let commune = app.sign_in(COMMUNE);
    let [conflict] = <[String; 1]>::try_from(open_conflicts(&commune)).expect("one conflict");
    let seen: Vec<Uuid> = phones.iter().flat_map(|phone| &phone.outbox).map(Submission::id).collect();
    resolve(&commune, &conflict, &json!({"values": roll()}), &seen, "theo biên bản").expect(200);
    let before = said(app);
    let backup = app.back_up(folder.path());
    let other = match app.backend() {
        Backend::Sqlite => Backend::Postgres,
        Backend::Postgres => Backend::Sqlite,
    };
    let moved = app.restored_on(other, &backup);
    assert_same(&said(&moved), &before);
    survives_a_replay(&moved);
    let back = moved.restored_on(app.backend(), &moved.back_up(folder.path()));
    assert_same(&said(&back), &before);
    survives_a_replay(&back);
}

fn a_backup_that_is_damaged_or_cut_off_is_not_restored(app: &TestApp) {
    let folder = folder();
    app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG));
    let backup = app.back_up(folder.path());
    let rows = backup.join("rows.zst");
    let whole = std::fs::read(&rows).expect("rows");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for wrong in [&changed, &whole[..whole.len() / 2].to_vec(), &Vec::new()] {
        std::fs::write(&rows, wrong).expect("it is damaged");
        let empty = TestDatabase::empty(app.backend());
        let refused = app.restore(&backup, &empty, true).expect_err("damaged");
        assert!(refused.to_string().contains("damaged"), "{refused}");
        assert_eq!(
            texts(&mut empty.connect(), tables(app.backend())),
            Vec::<String>::new(),
            "not even a table is made"
        );
    }
    // Also by somebody who writes a fitting hash: the log tells.
    let text = zstd::decode_all(whole.as_slice()).expect("zstd");
    let text = String::from_utf8(text).expect("text").replace("\"submission\"", "\"submissiom\"");
    let forged = zstd::encode_all(text.as_bytes(), 1).expect("zstd");
    std::fs::write(&rows, &forged).expect("it is forged");
    let manifest = backup.join("manifest.json");
    let mut said: Value = serde_json::from_slice(&std::fs::read(&manifest).expect("a manifest")).expect("JSON");
    let sha256: String = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&forged))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    said["sha256"] = json!(sha256);
    said["bytes"] = json!(forged.len());
    std::fs::write(&manifest, said.to_string()).expect("it is forged");
    let refused = app.restore(&backup, &TestDatabase::empty(app.backend()), true).expect_err("forged");
    assert!(refused.to_string().contains("of its log"), "{refused}");
}

fn tables(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'"
        }
        Backend::Postgres => {
            "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_%'"
        }
    }
}

fn nothing_is_restored_over_something_nor_without_the_ledger(app: &TestApp) {
    let folder = folder();
    app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG));
    let backup = app.back_up(folder.path());
    let full = TestDatabase::fresh(app.backend(), muong_tests::province::found);
    let before = count(&mut full.connect(), "SELECT count(*) AS n FROM log");
    assert!(matches!(app.restore(&backup, &full, true), Err(RestoreError::NotEmpty)));
    assert_eq!(count(&mut full.connect(), "SELECT count(*) AS n FROM log"), before);
    let empty = TestDatabase::empty(app.backend());
    let ledger = app.app().ledger.path().to_owned();
    std::fs::remove_file(&ledger).expect("there is a ledger from the first start on");
    assert!(matches!(app.restore(&backup, &empty, true), Err(RestoreError::NoLedger(_))));
    app.restore(&backup, &empty, false).expect("whoever says so does without");
    // One that was written by another store is none.
    std::fs::write(&ledger, format!("{{}} {}\n", "0".repeat(64))).expect("a file");
    let again = TestDatabase::empty(app.backend());
    let refused = app.restore(&backup, &again, true).expect_err("not its ledger");
    assert!(refused.to_string().contains("line 1"), "{refused}");
    assert_eq!(count(&mut again.connect(), "SELECT count(*) AS n FROM log"), 0, "all or nothing");
}

fn a_database_whose_log_is_broken_gives_no_backup(app: &TestApp) {
    use muong_server::cli::BackupArgs;
    use muong_server::clock::Clock;
    app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG));
    muong_tests::database::execute(&mut app.database().connect(), "UPDATE log SET outcome = 'nothing' WHERE seq = 3");
    let folder = folder();
    let args = BackupArgs { folder: folder.path().to_owned(), keep: None };
    let taken = muong_server::commands::backup::run(&args, &app.app().config, Clock::Fixed(app.now()), std::io::sink());
    let refused = taken.expect_err("it is not whole");
    assert!(refused.to_string().contains("entry 3 of its log"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left that looks like one");
    assert_eq!(app.app().database.read(|read| read.head()).expect("a head").durable.0, 0);
}

fn the_head_tells_how_far_the_last_backup_reaches(app: &TestApp) {
    use muong_server::cli::BackupArgs;
    use muong_server::clock::Clock;
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let durable = || app.app().database.read(|read| read.head()).expect("a head").durable.0;
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    assert_eq!(durable(), 0);
    let reached = seq(app);
    let first = app.back_up(folder.path());
    assert_eq!(durable(), reached);
    assert_eq!(seq(app), reached + 1, "the log says that there is one");
    for (file, mode) in [(first.clone(), 0o700), (first.join("rows.zst"), 0o600), (first.join("manifest.json"), 0o600)]
    {
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, mode, "{}", file.display());
    }
    secretary.reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
    let reached = seq(app);
    app.pass(chrono::TimeDelta::hours(1));
    let args = BackupArgs { folder: folder.path().to_owned(), keep: std::num::NonZeroUsize::new(1) };
    muong_server::commands::backup::run(&args, &app.app().config, Clock::Fixed(app.now()), std::io::sink())
        .expect("another");
    assert_eq!(durable(), reached);
    assert!(!first.exists(), "the older one is pruned");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let earlier = Clock::Fixed(app.now() - chrono::TimeDelta::hours(3));
    let last =
        muong_server::commands::backup::run(&args, &app.app().config, earlier, std::io::sink()).expect("a third");
    assert!(last.path.exists(), "phones have been told that it is there, whatever the clock says");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    survives_a_replay(app);
    let bytes: Vec<u8> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flat_map(|backup| {
            zstd::decode_all(std::fs::read(backup.expect("one").path().join("rows.zst")).expect("rows").as_slice())
        })
        .flatten()
        .collect();
    let text = String::from_utf8(bytes).expect("text");
    assert!(!text.contains("Quá Dài") && text.contains("data_keys"), "what is sealed stays sealed");
}

fn a_backup_that_is_taken_while_others_push_is_whole(app: &TestApp) {
    let folder = folder();
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let backups = std::thread::scope(|scope| {
        let taking = scope.spawn(|| [0, 1, 2].map(|at| app.back_up(&folder.path().join(at.to_string()))));
        let mut pushed = 0;
        while !taking.is_finished() || pushed < 10 {
            secretary.reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
            pushed += 1;
        }
        taking.join().expect("backups")
    });
    for backup in backups {
        let restored = app.restored(&backup);
        survives_a_replay(&restored);
        let (before, after) = (said(app), said(&restored));
        assert!(after.iter().all(|(key, value)| before.get(key) == Some(value)), "nothing half done is in it");
    }
}

// --- erasure ------------------------------------------------------------------------------------------------

#[track_caller]
fn erase(app: &TestApp, person: Uuid) {
    let reason = json!({"reason": "Đơn rút lại sự đồng ý ngày 01/3/2026"});
    app.sign_in(DEPARTMENT).post(&format!("/v1/records/{person}/erasure"), &reason).expect(200);
}

/// Neither somebody with the file nor somebody with the file and the keys finds a name.
#[track_caller]
fn holds_no_name(app: &TestApp, name: &str) {
    let stolen = app.database().stolen();
    assert!(!stolen.windows(name.len()).any(|window| window == name.as_bytes()), "in the files");
    let opened = format!("{:?}", said(app));
    assert!(!opened.contains(name), "opened with the keys");
}

fn who_was_erased_after_the_backup_is_erased_in_what_is_restored(app: &TestApp) {
    let folder = folder();
    let mut phone = Phone::new(app, SECRETARY);
    let entered = phone.reports("accepted", person(HUOI_SANG, NAME, "1980-04-12").to("party_card", "29000001"));
    let id = uuid(&entered["record"]);
    phone.reports("rejected", step(HUOI_SANG, id, "exempted", "2999-01-01").to("until", "2020-01-01"));
    let backup = app.back_up(folder.path());
    phone.reports("accepted", step(HUOI_SANG, id, "temporary_out", "2026-01-02").to("until", "2026-06-01"));
    assert!(format!("{:?}", said(app)).contains(NAME), "it looks in the right place");
    erase(app, id);
    let before = said(app);
    let restored = app.restored(&backup);
    holds_no_name(&restored, NAME);
    let results = phone.sends_again(&restored);
    assert!(results.iter().all(|result| result["status"] == "duplicate" && result["erased"] == true), "{results:?}");
    holds_no_name(&restored, NAME);
    let seen = restored.sign_in(DEPARTMENT).read_because("kiểm tra", &format!("/v1/records/{id}")).expect(200);
    assert_eq!(seen["erased"], true, "{seen}");
    // What had been said after the backup is not there; what was in it is as it was.
    let (after, added) = (said(&restored), format!("submission {}", phone.outbox[2].id()));
    assert!(before.contains_key(&added) && !after.contains_key(&added));
    survives_a_replay(&restored);
    // The ledger is not used up: a second restore of the same backup erases again, and one of a newer backup does not.
    holds_no_name(&restored.restored(&backup), NAME);
    let newer = restored.back_up(folder.path());
    let empty = TestDatabase::empty(app.backend());
    assert_eq!(restored.restore(&newer, &empty, true).expect("restored").erased, 0, "it knows by itself");
}

fn who_came_and_was_erased_after_the_backup_does_not_come_back_with_the_phones(app: &TestApp) {
    let folder = folder();
    let mut phone = Phone::new(app, SECRETARY);
    phone.reports("accepted", meeting(HUOI_SANG));
    let backup = app.back_up(folder.path());
    let entered = phone.reports("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
    let id = uuid(&entered["record"]);
    phone.reports("accepted", step(HUOI_SANG, id, "temporary_out", "2026-01-02").to("until", "2026-06-01"));
    erase(app, id);
    let restored = app.restored(&backup);
    let results = phone.sends_again(&restored);
    let statuses: Vec<(&str, bool)> =
        results.iter().map(|result| (text(&result["status"]), result["erased"] == true)).collect();
    assert_eq!(statuses, [("duplicate", false), ("duplicate", true), ("duplicate", true)]);
    holds_no_name(&restored, NAME);
    // Nor is anything new taken in about them, as it would not have been before.
    let secretary = restored.sign_in(SECRETARY);
    for draft in [
        step(HUOI_SANG, id, "exempted", "2026-02-09").to("until", "2026-06-01"),
        person(HUOI_SANG, "Ai đó khác", "1980-04-12").with("record", json!(id)),
    ] {
        let result = secretary.reports_as("rejected", draft);
        assert_eq!(result["errors"][0]["code"], "person.erased", "{result}");
    }
    // Elsewhere nobody learns that there was somebody.
    let stranger = step(PHIENG_SANG, id, "exempted", "2026-01-02").to("until", "2026-06-01");
    restored.sign_in(muong_tests::province::STRANGER).reports_as("deferred", stranger);
    survives_a_replay(&restored);
    // A backup of what was restored knows it too.
    let again = restored.restored(&restored.back_up(folder.path()));
    assert!(phone.sends_again(&again).iter().skip(1).all(|result| result["erased"] == true));
    holds_no_name(&again, NAME);
    survives_a_replay(&again);
}

fn what_waited_unread_in_the_backup_goes_with_whom_it_turned_out_to_be_about(app: &TestApp) {
    let folder = folder();
    let mut phone = Phone::new(app, SECRETARY);
    let broken = person(HUOI_SANG, NAME, "1980-04-12").with("form_version", json!(99));
    let broken_id = broken.id();
    let waiting = phone.reports("rejected", broken);
    let backup = app.back_up(folder.path());
    let corrected = person(HUOI_SANG, NAME, "1980-04-12").with("replaces", json!([broken_id]));
    let id = uuid(&phone.reports("accepted", corrected)["record"]);
    erase(app, id);
    let restored = app.restored(&backup);
    holds_no_name(&restored, NAME);
    let seen = quarantined(&restored.sign_in(SECRETARY), &waiting["quarantine"]);
    assert_eq!(seen["closing"], "erased", "{seen}");
    let results = phone.sends_again(&restored);
    assert!(results.iter().all(|result| result["status"] == "duplicate" && result["erased"] == true), "{results:?}");
    holds_no_name(&restored, NAME);
    survives_a_replay(&restored);
}

// --- epochs -------------------------------------------------------------------------------------------------

fn a_base_of_an_epoch_that_was_lost_proves_nothing_was_seen(app: &TestApp) {
    let folder = folder();
    let mut phone = Phone::new(app, SECRETARY);
    let first = phone.reports("accepted", meeting(HUOI_SANG));
    let record = uuid(&first["record"]);
    let backup = app.back_up(folder.path());
    let kept = seq(app) - 1;
    let place = |from: Value, to: &str| Submission::edit(MEETING, record, HUOI_SANG).changes("place", from, to);
    let lost = phone.reports("merged", place(Value::Null, "Nhà văn hóa").seen(&first, number(&first["head"])));
    let restored = app.restored(&backup);
    let officer = restored.sign_in(OFFICER);
    // Other things get the numbers that the lost ones had.
    let other = place(Value::Null, "Trường học").seen(&first, number(&first["head"]));
    officer.reports_as("merged", other);
    let secretary = restored.sign_in(SECRETARY);
    let path = |result: &Value| result["fields"]["place"].clone();
    // It had seen its own edit, which this store has never heard of, and not the other's.
    let blind = place(json!("Nhà văn hóa"), "Sân vận động").seen(&lost, number(&lost["head"]));
    // Perhaps it is still to come; when it is not, what it was changed from decides.
    secretary.reports_as("deferred", blind.clone());
    let result = secretary.reports_as("conflict", blind.with("after_lost", true));
    assert_eq!(path(&result), "conflict", "{result}");
    // What both histories share counts as seen.
    let shared = Submission::edit(MEETING, record, HUOI_SANG)
        .changes_group(&roll(), &json!({"present": 10, "excused": 2}))
        .with("base", json!({"epoch": first["epoch"], "v": kept}));
    secretary.reports_as("merged", shared);
    // An epoch of which nobody here has heard.
    let unheard = Submission::edit(MEETING, record, HUOI_SANG)
        .changes_group(&roll(), &json!({"present": 8, "excused": 4}))
        .with("base", json!({"epoch": Uuid::from_u128(7), "v": 1}));
    secretary.reports_as("conflict", unheard);
    survives_a_replay(&restored);
}

// --- what is in it ------------------------------------------------------------------------------------------

fn a_phone_that_had_not_seen_more_than_the_backup_goes_on_pulling(app: &TestApp) {
    let folder = folder();
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let [mut early, mut half, mut late] = [(); 3].map(|()| muong_tests::Phone::default());
    early.pulls(&secretary);
    half.pulls_a_page(&secretary, 2);
    let backup = app.back_up(folder.path());
    secretary.reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"));
    late.pulls(&secretary);
    let again = app.restored(&backup);
    let secretary = again.sign_in(SECRETARY);
    assert_eq!(late.asks(&secretary, &json!({}))["reset"]["reason"], "epoch", "it knows what is lost");
    let meanwhile = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Lò Văn Sau", "1980-04-12"))["record"]);
    let mut new = muong_tests::Phone::default();
    new.pulls(&secretary);
    let before = early.clone();
    let told = early.pulls(&secretary);
    let is_told = |id: Uuid| told.iter().any(|message| message["id"] == json!(id));
    assert!(is_told(meanwhile) && !before.records().is_empty(), "{told:?}");
    assert!(before.of_kind(MEETING).into_keys().all(|id| !is_told(id)), "only what is new: {told:?}");
    half.pulls_by(&secretary, 2);
    assert_eq!((&early.things(), &half.things()), (&new.things(), &new.things()));
    let epoch = again.app().database.read(|read| read.head()).expect("a head").epoch;
    assert_eq!(early.asks(&secretary, &json!({}))["epoch"], json!(epoch));
}

fn who_asks_for_an_entry_that_was_lost_learns_that_it_was(app: &TestApp) {
    let folder = folder();
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let mut phone = muong_tests::Phone::default();
    phone.pulls(&secretary);
    let backup = app.back_up(folder.path());
    let lost = secretary.push(&[&secretary.says(person(HUOI_SANG, NAME, "1980-04-12"))]);
    // As if much more had been: here nothing comes so far while the test runs.
    let at_least = number(&lost["head"]) + 1_000;
    let again = app.restored(&backup);
    let secretary = again.sign_in(SECRETARY);
    // Its cursor goes on, and is of the history that was lost: so is the number.
    let page = phone.asks(&secretary, &json!({"at_least": at_least}));
    assert!(page["epoch"] != lost["epoch"] && number(&page["head"]) < at_least, "{page}");
    phone.takes(&page);
    let asks = |cursor: Option<String>| {
        let answer = secretary.post("/v1/sync/pull", &json!({"cursor": cursor, "at_least": at_least}));
        answer.problem(409, "sync.behind")
    };
    // Whose cursor is of this history waits for what is to come; who has none learns which history it is.
    for problem in [asks(phone.cursor()), asks(None)] {
        assert_eq!(problem["epoch"], page["epoch"], "{problem}");
        assert!(number(&problem["head"]) < at_least, "{problem}");
    }
}

#[test]
fn every_table_is_carried_over_or_left_out_on_purpose() {
    [Backend::Sqlite, Backend::Postgres].into_iter().for_each(carries_every_table);
}

fn carries_every_table(backend: Backend) {
    let database = TestDatabase::empty(backend);
    let mut conn = DatabaseUrl::parse(database.url()).expect("an address").open().expect("it opens");
    migrate(&mut conn).expect("migrations");
    let all = texts(&mut conn, tables(backend));
    let mut known: Vec<String> = backup::carried().map(|(table, _)| table.to_owned()).collect();
    known.extend(backup::LEFT_OUT.map(str::to_owned));
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(known), sorted(all));
    for (table, columns) in backup::carried() {
        let select = match backend {
            Backend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
            Backend::Postgres => format!(
                "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = '{table}' \
                 AND table_schema = 'public'"
            ),
        };
        let named = |column: &&str| if *column == "reference" { "ref".to_owned() } else { (*column).to_owned() };
        assert_eq!(sorted(columns.iter().map(named).collect()), sorted(texts(&mut conn, &select)), "{table}");
    }
}

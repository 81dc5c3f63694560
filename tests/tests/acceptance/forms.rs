//! Forms are data: listed with an ETag, kept in every version, published by the administrator without a release.

use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{codes, text};
use muong_tests::province::{ADMIN, BAN_HUOI_SANG, COMMUNE, HUOI_SANG, NA_LONG, NOWHERE, OFFICER, SECRETARY};
use muong_tests::{Submission, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    the_forms_are_those_of_the_program,
    a_list_of_forms_is_filtered_and_goes_on_where_its_page_ends,
    a_list_that_has_not_changed_is_answered_304,
    a_form_is_read_by_its_code_and_in_any_version,
    a_new_version_counts_from_its_first_day_and_old_drafts_stay_valid,
    only_an_administrator_publishes,
    a_wrong_definition_is_refused_with_its_place_and_reason,
    one_version_of_a_form_is_in_force_at_a_time,
    a_form_has_the_same_tag_however_it_is_compressed_and_the_tag_says_so,
    what_was_published_never_changes,
    a_version_that_knows_records_by_another_key_is_refused,
    a_key_that_no_index_could_hold_is_not_published,
    a_new_form_can_be_filled_in_at_once,
    a_form_with_personal_fields_says_whose_they_are,
    a_row_names_a_unit_that_is_there_and_of_the_right_kind,
    a_version_that_is_not_in_force_is_refused_with_the_day,
);

fn built_in(code: &str) -> Value {
    let files = [
        (MEETING, include_str!("../../../forms/branch_meeting.json")),
        ("person", include_str!("../../../forms/person.json")),
        ("development_step", include_str!("../../../forms/development_step.json")),
    ];
    let (_, text) = files.into_iter().find(|(name, _)| *name == code).expect("a built-in form");
    serde_json::from_str(text).expect("JSON")
}

fn version_two() -> Value {
    let mut form = built_in(MEETING);
    form["version"] = json!(2);
    form["valid_from"] = json!("2026-03-10");
    let fields = form["fields"].as_array_mut().expect("fields");
    fields.push(json!({"name": "by_radio", "type": "boolean", "label": {"vi": "Họp qua bộ đàm", "en": "By radio"}}));
    form
}

fn the_forms_are_those_of_the_program(app: &TestApp) {
    let list = app.sign_in(SECRETARY).read("/v1/forms");
    let listed: Vec<&str> = list["items"].as_array().expect("a list").iter().map(|form| text(&form["code"])).collect();
    assert_eq!(listed, ["branch_meeting", "development_step", "person", "supervision_assignment"]);
}

fn a_list_of_forms_is_filtered_and_goes_on_where_its_page_ends(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post("/v1/forms", &version_two()).expect(201);
    let of = |path: &str| {
        let list = secretary.read(path);
        let versions = list["items"].as_array().expect("a list").iter();
        let named: Vec<String> = versions.map(|form| format!("{} {}", text(&form["code"]), form["version"])).collect();
        (named, list["next"].as_str().map(str::to_owned))
    };
    let (all, end) = of("/v1/forms");
    assert_eq!(
        all,
        ["branch_meeting 1", "branch_meeting 2", "development_step 1", "person 1", "supervision_assignment 1"]
    );
    assert_eq!(end, None);
    assert_eq!(of("/v1/forms?code=branch_meeting").0, ["branch_meeting 1", "branch_meeting 2"]);
    assert_eq!(of("/v1/forms?in_force=false").0, ["branch_meeting 2"]);
    let mut all = of("/v1/forms").0;
    all.reverse();
    assert_eq!(of("/v1/forms?sort=code_descending").0, all);
    let (first, next) = of("/v1/forms?sort=code_descending&limit=1");
    let rest = of(&format!("/v1/forms?sort=code_descending&limit=100&cursor={}", next.expect("more"))).0;
    assert_eq!([first, rest].concat(), all);
    assert_eq!(of("/v1/forms?in_force=true&code=branch_meeting").0, ["branch_meeting 1"]);
    assert_eq!(of("/v1/forms?code=no_such_form").0, Vec::<String>::new());
    let (first, next) = of("/v1/forms?limit=3");
    assert_eq!(first, ["branch_meeting 1", "branch_meeting 2", "development_step 1"]);
    let (last, end) = of(&format!("/v1/forms?limit=3&cursor={}", next.expect("there are two more")));
    assert_eq!((last, end), (vec!["person 1".to_owned(), "supervision_assignment 1".to_owned()], None));
    secretary.get("/v1/forms?limit=3&cursor=nonsense").problem(400, "request.cursor_invalid");
}

fn a_list_that_has_not_changed_is_answered_304(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let first = secretary.get("/v1/forms");
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 10, "{first:?}");
    let known = secretary.client().with_header("if-none-match", &tag);
    let unchanged = known.get("/v1/forms");
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, &tag[..]));
    admin.post("/v1/forms", &version_two()).expect(201);
    let changed = known.get("/v1/forms");
    changed.expect(200);
    assert_ne!(changed.header("etag"), tag);
}

fn a_form_is_read_by_its_code_and_in_any_version(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post("/v1/forms", &version_two()).expect(201);
    let version = |path: &str| secretary.read(path)["version"].clone();
    assert_eq!(version("/v1/forms/branch_meeting"), 1, "the second is not in force before tomorrow");
    assert_eq!(version("/v1/forms/branch_meeting/versions/2"), 2);
    for path in ["/v1/forms/no_such_form", "/v1/forms/branch_meeting/versions/3"] {
        secretary.get(path).problem(404, "access.not_found");
    }
}

fn a_new_version_counts_from_its_first_day_and_old_drafts_stay_valid(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post("/v1/forms", &version_two()).expect(201);
    let new = |month: &str| {
        let report = meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"));
        report.with("form_version", 2).with("captured_at", "2026-03-09T08:00:00+07:00").to("by_radio", true)
    };
    let early = secretary.reports(new("2026-02"));
    assert_eq!((&early["status"], codes(&early["errors"])), (&json!("rejected"), vec!["submission.form_not_in_force"]));
    app.set_clock("2026-03-11T02:00:00Z");
    secretary.renew();
    secretary.reports_as("accepted", new("2026-02").with("captured_at", "2026-03-11T08:00:00+07:00"));
    let old_draft = meeting(HUOI_SANG);
    let kept = secretary.reports_as("accepted", old_draft);
    let record = secretary.read(&format!("/v1/records/{}", text(&kept["record"])));
    assert_eq!(record["data"]["present"], 11);
}

fn only_an_administrator_publishes(app: &TestApp) {
    for login in [SECRETARY, COMMUNE] {
        let who = app.sign_in(login);
        who.post("/v1/forms", &version_two()).problem(403, "access.forbidden");
        // Nor is anything that they send looked at.
        who.post("/v1/forms", &json!({"code": "zz"})).problem(403, "access.forbidden");
        let json = [("content-type", "application/json")];
        who.client().post_bytes("/v1/forms", b"{".to_vec(), &json).problem(403, "access.forbidden");
    }
    app.anonymous().post("/v1/forms", &version_two()).problem(401, "auth.required");
}

fn a_wrong_definition_is_refused_with_its_place_and_reason(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let broken = |pointer: &str, value: Value| {
        let mut form = version_two();
        *form.pointer_mut(pointer).expect("a place") = value;
        form
    };
    let cases = [
        (broken("/fields/0/type", json!("colour")), "/fields/0/type"),
        (broken("/fields/1/group", json!("nobody")), "/fields/1"),
        (broken("/rules/0/expr", json!("present +")), "/rules/0/expr"),
        (broken("/rules/0/expr", json!("no_such_field == 1")), "/rules/0/expr"),
        (broken("/natural_key/0/fields", json!(["no_such_field"])), "/natural_key/0"),
    ];
    for (form, place) in cases {
        let problem = admin.post("/v1/forms", &form).problem(422, "form.definition_invalid");
        let told = text(&problem["errors"][0]["pointer"]);
        assert!(told.starts_with(place), "{told} is not {place}: {problem}");
    }
    let english = admin.client().with_header("accept-language", "en");
    for whole in [json!([1]), json!({"code": "zz"})] {
        let problem = english.post("/v1/forms", &whole).problem(422, "form.definition_invalid");
        assert_eq!(problem["errors"][0]["pointer"], "", "{problem}");
        assert!(text(&problem["detail"]).contains("wrong at the top level: "), "{problem}");
        // A line of ours would not be one of theirs.
        assert!(!text(&problem["detail"]).contains("column"), "{problem}");
    }
    let mut listed = version_two();
    listed["fields"][0] = json!(["period", "period", {"vi": "Kỳ", "en": "Period"}]);
    let problem = admin.post("/v1/forms", &listed).problem(422, "form.definition_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/fields/0", "{problem}");
}

fn one_version_of_a_form_is_in_force_at_a_time(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let mut second = version_two();
    second["valid_from"] = json!("2026-03-09");
    admin.post("/v1/forms", &second).expect(201);
    let listed = secretary.read("/v1/forms");
    let in_force = |form: &Value| form["code"] == MEETING && form["in_force"] == true;
    let versions: Vec<&Value> = listed["items"].as_array().expect("a list").iter().filter(|f| in_force(f)).collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!(versions[0]["version"], 2);
    for (version, expected) in [(1, false), (2, true)] {
        let form = secretary.read(&format!("/v1/forms/branch_meeting/versions/{version}"));
        assert_eq!(form["in_force"], expected, "{version}");
    }
    assert_eq!(secretary.read("/v1/forms/branch_meeting")["in_force"], true);
}

/// A strong tag would promise the same bytes (RFC 9110 §8.8.1); those differ with the coding.
fn a_form_has_the_same_tag_however_it_is_compressed_and_the_tag_says_so(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let tag = |coding: &str| {
        secretary.client().with_header("accept-encoding", coding).get("/v1/forms").header("etag").to_owned()
    };
    let plain = tag("identity");
    assert!(plain.starts_with("W/\""), "{plain}");
    assert_eq!([tag("gzip"), tag("zstd")], [&plain[..], &plain[..]]);
    let known = secretary.client().with_header("if-none-match", &plain).with_header("accept-encoding", "gzip");
    assert_eq!(known.get("/v1/forms").status, 304);
}

fn what_was_published_never_changes(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let mut again = built_in(MEETING);
    again["label"]["vi"] = json!("Tên khác");
    admin.post("/v1/forms", &again).problem(409, "form.version_published");
    let form = admin.read("/v1/forms/branch_meeting");
    assert!(!form.to_string().contains("Tên khác"), "{form}");
}

fn a_new_form_can_be_filled_in_at_once(app: &TestApp) {
    let (admin, secretary, officer) = (app.sign_in(ADMIN), app.sign_in(SECRETARY), app.sign_in(OFFICER));
    admin.post("/v1/forms", &visit(false)).expect(201);
    let report = || Submission::create("visit", id(), HUOI_SANG).to("purpose", "Thăm hộ nghèo");
    let result = secretary.reports_as("accepted", report());
    officer.reports_as("accepted", report());
    let record = officer.read(&format!("/v1/records/{}", text(&result["record"])));
    assert_eq!(record["data"], json!({"purpose": "Thăm hộ nghèo"}));
}

fn a_form_with_personal_fields_says_whose_they_are(app: &TestApp) {
    let problem = app.sign_in(ADMIN).post("/v1/forms", &visit(true)).problem(422, "form.definition_invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/subject", "{problem}");
}

/// A form of one field.
fn visit(personal: bool) -> Value {
    let purpose = json!({"name": "purpose", "type": "text", "label": {"vi": "Mục đích", "en": "Purpose"},
        "max_length": 60, "personal": personal});
    json!({"code": "visit", "version": 1, "valid_from": "2026-01-01", "label": {"vi": "Thăm hỏi", "en": "Visit"},
        "source": {"vi": "Thử nghiệm", "en": "A test"}, "unit_kinds": ["branch"], "fields": [purpose]})
}

fn a_row_names_a_unit_that_is_there_and_of_the_right_kind(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let mut form = built_in(MEETING);
    form["version"] = json!(2);
    form["valid_from"] = json!("2026-03-01");
    let village = json!({"name": "village", "type": "reference", "reference": "unit", "unit_kinds": ["village"],
        "label": {"vi": "Bản có vướng mắc", "en": "Village concerned"}});
    let lists = form["items"].as_array_mut().expect("lists");
    let issues = lists.iter_mut().find(|list| list["name"] == "issues").expect("issues");
    issues["fields"].as_array_mut().expect("fields").push(village);
    admin.post("/v1/forms", &form).expect(201);
    let report = |unit: uuid::Uuid| {
        let key = id().to_string();
        let fields = [("number", json!(1)), ("category", json!("road")), ("status", json!("open"))];
        let draft = meeting(HUOI_SANG).with("form_version", 2).item("issues", &key, "village", json!(unit));
        let draft = fields.into_iter().fold(draft, |draft, (field, to)| draft.item("issues", &key, field, to));
        (secretary.reports(draft), format!("/items/issues/{key}/village"))
    };
    for (unit, code) in [(NOWHERE, "form.reference_unknown"), (NA_LONG, "form.reference_kind")] {
        let (result, pointer) = report(unit);
        assert_eq!((&result["status"], codes(&result["errors"])), (&json!("rejected"), vec![code]), "{result}");
        assert_eq!(result["errors"][0]["pointer"], pointer, "{result}");
        assert!(text(&result["errors"][0]["message"]["vi"]).contains("“Bản có vướng mắc”"), "{result}");
    }
    assert_eq!(report(BAN_HUOI_SANG).0["status"], "accepted");
}

fn a_version_that_is_not_in_force_is_refused_with_the_day(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post("/v1/forms", &version_two()).expect(201);
    let early =
        secretary.reports(meeting(HUOI_SANG).with("form_version", 2).with("captured_at", "2026-03-05T21:20:00+07:00"));
    assert_eq!(codes(&early["errors"]), ["submission.form_not_in_force"], "{early}");
    assert!(text(&early["errors"][0]["message"]["vi"]).contains("ngày 05/03/2026"), "{early}");
}

fn a_version_that_knows_records_by_another_key_is_refused(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let mut form = version_two();
    form["natural_key"] = json!([{"fields": ["period", "type", "sitting"]}]);
    let problem = admin.post("/v1/forms", &form).problem(422, "form.version_incompatible");
    assert!(problem.to_string().contains("natural_key"), "{problem}");
    admin.post("/v1/forms", &version_two()).expect(201);
}

fn a_key_that_no_index_could_hold_is_not_published(app: &TestApp) {
    let (admin, secretary) = (app.sign_in(ADMIN), app.sign_in(SECRETARY));
    let label = |vi: &str, en: &str| json!({"vi": vi, "en": en});
    let form = |max: usize| {
        json!({"code": "letter", "version": 1, "valid_from": "2025-01-01", "label": label("Thư", "Letter"),
            "source": label("Tự đặt", "Own"), "unit_kinds": ["branch"], "natural_key": [{"fields": ["about"]}],
            "fields": [{"name": "about", "type": "text", "label": label("Về việc", "About"), "max_length": max}]})
    };
    let problem = admin.post("/v1/forms", &form(600)).problem(422, "form.definition_invalid");
    assert!(text(&problem["errors"][0]["pointer"]).starts_with("/natural_key/0"), "{problem}");
    admin.post("/v1/forms", &form(590)).expect(201);
    // The longest there can be, of characters that take the most room and do not compress.
    let longest: String = (0..590_u32).filter_map(|n| char::from_u32(0x2_0000 + n * 37)).collect();
    let letter = |about: &str| Submission::create("letter", id(), HUOI_SANG).to("about", about);
    secretary.reports_as("accepted", letter(&longest));
    secretary.reports_as("merged", letter(&longest));
}

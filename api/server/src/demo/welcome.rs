//! What the demo prints when it serves: where, who can sign in, and three lines to try. Vietnamese, then English.
//! Knows the shape of the requests that it shows; whether they are answered is the server's business.

use super::Province;
use super::chance::Chance;
use super::paper::{envelope, fields};
use super::people::roll;
use super::schedule::{date, local};
use chrono::{DateTime, Datelike, Utc};
use muong_domain::access::Role;
use muong_domain::id::RecordId;
use muong_domain::submission::{Kind, Submission};
use muong_domain::time::{Period, local_date};
use serde_json::json;

/// The facts that the text rests on.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// The province that is served.
    pub province: &'a Province,
    /// Where, such as `http://127.0.0.1:8080`, without a slash at the end.
    pub base_url: &'a str,
    /// The password of all accounts that sign in.
    pub password: &'a str,
    /// Now: the meeting to try is this month's.
    pub now: DateTime<Utc>,
}

const fn role_name(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Cadre => ("cán bộ chi bộ", "reports for one branch"),
        Role::Liaison => ("cán bộ biên phòng", "reports meetings of assigned branches"),
        Role::CommuneReviewer => ("đảng ủy xã", "reviews and reports for a commune"),
        Role::ProvincialReviewer => ("ban tổ chức tỉnh ủy", "reviews for the province"),
        Role::Admin => ("quản trị", "users, units, forms"),
        Role::Auditor => ("kiểm tra", "reads the audit trail"),
    }
}

/// A text between single quotes, as a shell takes it literally.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl Welcome<'_> {
    /// The whole text.
    pub fn text(&self) -> String {
        let url = self.base_url;
        let [sign_in, list, push] = self.lines();
        let name = &self.province.layout.branches[self.branch()].name;
        format!(
            "\n\
             muong · dữ liệu mẫu, mọi người và mọi thôn bản đều hư cấu / sample data, all people and villages are fictional\n\
             \n\
             Địa chỉ / address   {url}\n\
             Tài liệu / docs     {url}/docs\n\
             Mật khẩu / password {password}   (mọi tài khoản dưới đây / of every login below)\n\
             \n\
             {logins}\
             \n\
             Thử / try ({name}):\n\
             \n\
             # 1. đăng nhập, lấy mã truy cập 15 phút / sign in, for 15 minutes\n{sign_in}\n\
             \n\
             # 2. xem báo cáo của chi bộ / read the branch's reports\n{list}\n\
             \n\
             # 3. gửi một báo cáo sinh hoạt; gửi lại sẽ là “duplicate” / report a meeting; again, it is a duplicate\n{push}\n",
            password = self.password,
            logins = self.logins(),
        )
    }

    fn logins(&self) -> String {
        let staff = &self.province.staff;
        let row = |(role, at): &(Role, usize)| {
            let (vi, en) = role_name(*role);
            format!("  {:<10}  {:<20}  {vi} / {en}\n", staff.accounts[*at].username.as_str(), role.as_str())
        };
        staff.logins.iter().map(row).collect()
    }

    /// The place of the branch whose cadre tries.
    fn branch(&self) -> usize {
        self.province.layout.showcase().branches.start
    }

    /// The three lines for a shell: sign in, list, push.
    pub fn lines(&self) -> [String; 3] {
        let url = self.base_url;
        let staff = &self.province.staff;
        let spare = staff.spare;
        let username =
            staff.accounts.iter().find(|account| account.id == spare.user).map(|account| account.username.as_str());
        let sign_in = json!({ "username": username, "password": self.password, "device": { "id": spare.device, "name": "curl" } });
        let unit = self.province.layout.branches[self.branch()].id;
        let bearer = "-H \"Authorization: Bearer $TOKEN\"";
        let content = "-H 'Content-Type: application/json'";
        let token = r#"sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p'"#;
        [
            format!("TOKEN=$(curl -s {content} -d {} {url}/v1/auth/sign-in | {token})", quoted(&sign_in.to_string())),
            format!("curl -s {bearer} '{url}/v1/records?unit={unit}&form=branch_meeting&limit=3'"),
            format!("curl -s {bearer} {content} -d {} {url}/v1/sync/push", self.push_body()),
        ]
    }

    /// The body of the push, quoted for a shell. Number and time of sending come from the shell's clock: a number must
    /// not come twice from one device, whatever else was tried before.
    fn push_body(&self) -> String {
        let spare = self.province.staff.spare;
        let body = json!({
            "protocol": 1,
            "device": spare.device,
            "client": "curl",
            "sent_at": "$SENT_AT",
            "submissions": [self.meeting()],
        });
        let body = quoted(&body.to_string());
        let body = body.replace("\"n\":0", "\"n\":'$(date +%s)'");
        body.replace("$SENT_AT", "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'")
    }

    /// This month's regular meeting of the branch, held on the first. Its number is left open. All of it follows from the
    /// month: sent again, today or another day, it is the same submission; next month's is another meeting.
    pub fn meeting(&self) -> Submission {
        let province = self.province;
        let at = self.branch();
        let today = local_date(self.now);
        let held_on = date(today.year(), today.month(), 1);
        let which = [u64::from(held_on.year().unsigned_abs()), u64::from(held_on.month())];
        let mut chance = Chance::of(province.seed, "welcome", &which);
        let record = RecordId::new(chance.id(local(held_on, 0).timestamp_millis()));
        let about = ("branch_meeting", record, province.layout.branches[at].id);
        let mut submission = envelope(province.seed, Kind::Create, about, local(held_on, 9 * 60 + 30), 0);
        let roll = roll(&province.people[at], held_on);
        let expected = roll.official + roll.probationary - roll.exempt - roll.out;
        submission.set = fields([
            ("period", Period::of(held_on).map(|period| period.to_string()).into()),
            ("type", "regular".into()),
            ("held", true.into()),
            ("held_on", held_on.to_string().into()),
            ("started", "07:30".into()),
            ("ended", "09:15".into()),
            ("on_roll", (roll.official + roll.probationary).into()),
            ("official", roll.official.into()),
            ("probationary", roll.probationary.into()),
            ("exempt", roll.exempt.into()),
            ("temporarily_out", roll.out.into()),
            ("present", expected.saturating_sub(1).into()),
            ("excused", expected.min(1).into()),
            ("unexcused", 0.into()),
        ]);
        submission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muong_domain::form::Form;
    use muong_domain::validate::{Context, normalise_and_check};

    fn now() -> DateTime<Utc> {
        local(date(2026, 11, 23), 9 * 60).to_utc()
    }

    #[test]
    fn every_role_and_three_lines_are_told() {
        let province = Province::new(1, 0.01, now());
        let welcome = Welcome { province: &province, base_url: "http://127.0.0.1:8080", password: "a'b", now: now() };
        let text = welcome.text();
        for role in Role::ALL {
            assert!(text.contains(role.as_str()), "{}", role.as_str());
        }
        assert!(welcome.lines().iter().all(|line| text.contains(line) && !line.contains('\n')));
        assert!(text.contains(r#""password":"a'\''b""#));
    }

    #[test]
    fn the_meeting_to_try_is_right_and_its_body_is_json_once_the_shell_has_read_it() {
        let province = Province::new(1, 0.01, now());
        let welcome = Welcome { province: &province, base_url: "http://127.0.0.1:8080", password: "p", now: now() };
        let form = Form::parse("built in", include_str!("../../../../forms/branch_meeting.json")).unwrap();
        let context = Context { today: local_date(now()), unit_founded_on: None, unit_kind: "branch".to_owned() };
        let checked = normalise_and_check(&form, &welcome.meeting(), &context);
        assert!(checked.errors.is_empty() && checked.warnings.is_empty(), "{checked:?}");
        let read = welcome.push_body().replace("'$(date +%s)'", "7").replace("'$(date -u +%Y-%m-%dT%H:%M:%SZ)'", "now");
        let body: serde_json::Value = serde_json::from_str(read.trim_matches('\'')).unwrap();
        assert_eq!((body["submissions"][0]["n"].as_i64(), body["sent_at"].as_str()), (Some(7), Some("now")));
    }
    #[test]
    fn the_meeting_to_try_is_the_same_all_month_and_another_one_next_month() {
        let province = Province::new(1, 0.01, now());
        let meeting = |on| {
            let now = local(on, 17 * 60 + 23).to_utc();
            Welcome { province: &province, base_url: "http://127.0.0.1:8080", password: "p", now }.meeting()
        };
        assert_eq!(meeting(date(2026, 11, 1)), meeting(date(2026, 11, 23)));
        assert_eq!(meeting(date(2026, 11, 23)), meeting(date(2026, 11, 30)));
        let (this, next) = (meeting(date(2026, 11, 30)), meeting(date(2026, 12, 1)));
        assert!(this.id != next.id && this.record != next.record && this.set["period"] != next.set["period"]);
    }
}

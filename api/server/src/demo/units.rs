//! The two trees of the sample province: the real communes, and invented branches, villages and border posts in them.
//! Knows nothing of people or reports.

use super::chance::Chance;
use super::names::{POSTS, People};
use super::schedule::date;
use chrono::NaiveDate;
use muong_domain::id::{UnitId, derived};
use muong_domain::unit::{Tree, Unit, UnitCode, UnitVersion};
use std::ops::Range;

/// The commune whose branches report with phones of their own: the one of the acceptance scenarios.
pub const SHOWCASE: &str = "03160";
/// The scheme of the statistics office's codes, on the party committee of a commune.
pub const COMMITTEE_SCHEME: &str = "gso";
/// The scheme of the same codes on the commune itself: a code names one unit of a scheme.
pub const COMMUNE_SCHEME: &str = "gso_commune";

const COMMUNES: &str = include_str!("../../../../data/dien-bien/communes.csv");
const BRANCHES: f64 = 2_500.0;
const MEMBERS: f64 = 39_622.0;
/// Communes that the sample takes for border communes, where officers of a border post attend meetings.
const BORDER: [&str; 14] = [
    "03158", "03160", "03162", "03164", "03169", "03176", "03199", "03202", "03328", "03349", "03356", "03358",
    "03368", "03385",
];
/// Communes around a former district town, with more agencies and more people.
const TOWNS: [&str; 8] = ["03166", "03217", "03253", "03256", "03203", "03169", "03172", "03160"];

/// A commune with what stands in it.
#[derive(Clone, Debug)]
pub struct Commune {
    /// The statistics office's code.
    pub code: String,
    /// The name, without the word for commune.
    pub name: String,
    /// Its party committee.
    pub committee: UnitId,
    /// The commune itself.
    pub area: UnitId,
    /// Whether border officers attend meetings there.
    pub is_border: bool,
    /// Its branches, as places in [`Layout::branches`].
    pub branches: Range<usize>,
    /// Its villages or residential groups that no branch covers.
    pub uncovered: Vec<UnitId>,
}

/// What sort of branch it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Of one or several villages or residential groups.
    Village,
    /// Of an agency, a school, a health station …
    Agency,
}

/// A branch and what the people in it have in common.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Its unit.
    pub id: UnitId,
    /// Its place in [`Layout::communes`].
    pub commune: usize,
    /// Its name.
    pub name: String,
    /// Of a village or of an agency.
    pub sort: Sort,
    /// Whose names most of its members bear.
    pub people: People,
    /// The day of its founding.
    pub founded_on: NaiveDate,
    /// The villages that it covers.
    pub villages: Vec<UnitId>,
    /// Its members at the end of the year.
    pub size: u32,
}

/// All units of the province.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Every unit with its versions and codes, parents before children.
    pub units: Vec<Unit>,
    /// Branch, village that it covers, from when on.
    pub coverage: Vec<(UnitId, UnitId, NaiveDate)>,
    /// The top of the party tree.
    pub province: UnitId,
    /// The communes, by code.
    pub communes: Vec<Commune>,
    /// The branches, commune by commune.
    pub branches: Vec<Branch>,
}

/// The day on which the communes of today began.
pub fn reform() -> NaiveDate {
    date(2025, 7, 1)
}

/// The day on which the province of today began.
fn province_began() -> NaiveDate {
    date(2004, 1, 1)
}

impl Layout {
    /// Lays the province out. At scale 1 it has about 2,500 branches with 39,622 members.
    pub fn new(seed: u64, scale: f64) -> Self {
        let mut drawing = Drawing::new(seed);
        let province = drawing.roots();
        let rows: Vec<[&str; 4]> = COMMUNES.lines().skip(1).filter_map(row).collect();
        let weights: Vec<u64> = rows.iter().map(|[code, _, kind, _]| weight(code, kind)).collect();
        let mut shares = apportion(scaled(BRANCHES, scale).max(8), &weights);
        for (share, [code, ..]) in shares.iter_mut().zip(&rows) {
            if *code == SHOWCASE {
                *share = (*share).max(8);
            }
        }
        for (row, share) in rows.iter().zip(shares) {
            drawing.commune(*row, province, usize::try_from(share).unwrap_or(usize::MAX));
        }
        drawing.posts(province.0);
        drawing.sizes(scaled(MEMBERS, scale));
        drawing.layout
    }

    /// The commune whose branches report for themselves.
    pub fn showcase(&self) -> &Commune {
        self.communes.iter().find(|commune| commune.code == SHOWCASE).expect("the list of communes has it")
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scales are small and positive")]
fn scaled(whole: f64, scale: f64) -> u64 {
    (whole * scale.max(0.0)).round() as u64
}

/// Code, name, kind and full name of a line of the list. No field of it is quoted.
fn row(line: &str) -> Option<[&str; 4]> {
    let mut fields = line.trim_end().split(',');
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

fn weight(code: &str, kind: &str) -> u64 {
    match kind {
        "phuong" => 10,
        _ if TOWNS.contains(&code) => 6,
        _ => 4,
    }
}

/// Shares of a whole by weight that add up to it (largest remainder).
fn apportion(whole: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u64 = weights.iter().sum::<u64>().max(1);
    let mut shares: Vec<u64> = weights.iter().map(|weight| whole * weight / sum).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|at| (std::cmp::Reverse(whole * weights[*at] % sum), *at));
    let left = whole - shares.iter().sum::<u64>();
    for at in by_remainder.into_iter().zip(0..left).map(|(at, _)| at) {
        shares[at] += 1;
    }
    shares
}

/// The layout while it is being drawn.
struct Drawing {
    seed: u64,
    layout: Layout,
    weights: Vec<u64>,
}

impl Drawing {
    fn new(seed: u64) -> Self {
        let province = unit_id(seed, "provincial_committee", 0);
        let layout =
            Layout { units: Vec::new(), coverage: Vec::new(), province, communes: Vec::new(), branches: Vec::new() };
        Self { seed, layout, weights: Vec::new() }
    }

    fn add(&mut self, id: UnitId, kind: &str, name: &str, parent: Option<UnitId>, from: NaiveDate) -> &mut Unit {
        let tree = match kind {
            "province" | "commune" | "village" | "residential_group" => Tree::Administrative,
            _ => Tree::Party,
        };
        let version =
            UnitVersion { valid_from: from, valid_to: None, kind: kind.to_owned(), name: name.to_owned(), parent };
        self.layout.units.push(Unit { id, tree, founded_on: None, versions: vec![version], codes: Vec::new() });
        self.layout.units.last_mut().expect("just added")
    }

    /// The provincial committee and the province.
    fn roots(&mut self) -> (UnitId, UnitId) {
        let (committee, area) = (self.layout.province, unit_id(self.seed, "province", 0));
        self.add(committee, "provincial_committee", "Tỉnh ủy Điện Biên", None, province_began());
        self.add(area, "province", "Tỉnh Điện Biên", None, province_began());
        (committee, area)
    }

    fn commune(&mut self, [code, name, kind, full_name]: [&str; 4], province: (UnitId, UnitId), branches: usize) {
        let at = self.layout.communes.len();
        let committee = unit_id(self.seed, "commune_committee", at as u64);
        let area = unit_id(self.seed, "commune", at as u64);
        let committee_name = format!("Đảng ủy {}", lower_first(full_name));
        let coded = |scheme: &str| UnitCode {
            scheme: scheme.to_owned(),
            code: code.to_owned(),
            valid_from: reform(),
            valid_to: None,
        };
        self.add(committee, "commune_committee", &committee_name, Some(province.0), reform())
            .codes
            .push(coded(COMMITTEE_SCHEME));
        self.add(area, "commune", full_name, Some(province.1), reform()).codes.push(coded(COMMUNE_SCHEME));
        let first = self.layout.branches.len();
        self.layout.communes.push(Commune {
            code: code.to_owned(),
            name: name.to_owned(),
            committee,
            area,
            is_border: BORDER.contains(&code),
            branches: first..first,
            uncovered: Vec::new(),
        });
        self.villages_and_branches(at, kind == "phuong", branches);
        self.layout.communes[at].branches = first..self.layout.branches.len();
    }

    /// Villages first, most with a branch of their own, some with a shared one, some with none; then the agencies.
    fn villages_and_branches(&mut self, commune: usize, is_ward: bool, branches: usize) {
        let mut chance = Chance::of(self.seed, "villages", &[commune as u64]);
        let first = self.layout.branches.len();
        let mut names: Vec<String> = Vec::new();
        for at in 0..branches * 29 / 50 {
            let people = People::of_village(&mut chance, &self.layout.communes[commune].name);
            let name = self.village_name(&mut chance, people, is_ward, at, &names);
            let village = unit_id(self.seed, "village", (commune * 1_000 + at) as u64);
            let kind = if is_ward { "residential_group" } else { "village" };
            let parent = self.layout.communes[commune].area;
            self.add(village, kind, &name, Some(parent), reform());
            let last = self.layout.branches.len();
            if at > 0 && chance.permille(40) {
                self.layout.communes[commune].uncovered.push(village);
            } else if last > first && self.layout.branches[last - 1].villages.len() < 3 && chance.permille(70) {
                self.cover(last - 1, village);
            } else {
                self.branch(&mut chance, commune, &lower_first(&name), Sort::Village, people);
                self.cover(last, village);
            }
            names.push(name);
        }
        for at in 0..(first + branches).saturating_sub(self.layout.branches.len()) {
            let people = if chance.permille(550) { People::Kinh } else { People::Thai };
            let name = agency(at, is_ward);
            self.branch(&mut chance, commune, &name, Sort::Agency, people);
        }
    }

    fn village_name(&self, chance: &mut Chance, people: People, is_ward: bool, at: usize, taken: &[String]) -> String {
        if is_ward {
            return format!("Tổ dân phố {}", at + 1);
        }
        if at == 0 && self.layout.communes.last().is_some_and(|commune| commune.code == SHOWCASE) {
            return "Bản Huổi Sang".to_owned();
        }
        let drawn = std::iter::repeat_with(|| format!("Bản {}", people.village(chance))).take(20);
        let mut free = drawn.filter(|name| !taken.contains(name));
        free.next().unwrap_or_else(|| format!("Bản {}", at + 1))
    }

    fn cover(&mut self, branch: usize, village: UnitId) {
        let branch = &mut self.layout.branches[branch];
        branch.villages.push(village);
        self.layout.coverage.push((branch.id, village, reform()));
    }

    /// Before the communes of today a branch stood under units that the sample leaves out: it hangs from the province.
    fn branch(&mut self, chance: &mut Chance, commune: usize, of: &str, sort: Sort, people: People) {
        let at = self.layout.branches.len();
        let id = unit_id(self.seed, "branch", at as u64);
        let founded_on = date(
            i32::try_from(chance.between(1975, 2024)).unwrap_or(1975),
            chance.between(1, 12),
            chance.between(1, 28),
        );
        let name = format!("Chi bộ {of}");
        let (province, committee) = (self.layout.province, self.layout.communes[commune].committee);
        let unit = self.add(id, "branch", &name, Some(province), founded_on.max(province_began()));
        unit.founded_on = Some(founded_on);
        let mut now = unit.versions[0].clone();
        unit.versions[0].valid_to = Some(reform());
        (now.valid_from, now.parent) = (reform(), Some(committee));
        unit.versions.push(now);
        self.weights.push(match sort {
            Sort::Village => u64::from(chance.between(3, 15)),
            Sort::Agency => u64::from(chance.between(4, 22)),
        });
        self.layout.branches.push(Branch {
            id,
            commune,
            name,
            sort,
            people,
            founded_on,
            villages: Vec::new(),
            size: 0,
        });
    }

    fn posts(&mut self, committee: UnitId) {
        for (at, name) in POSTS.iter().enumerate() {
            let id = unit_id(self.seed, "border_post", at as u64);
            self.add(id, "border_post", &format!("Đồn Biên phòng {name}"), Some(committee), province_began());
        }
    }

    /// Five members each, and the rest of all members by weight.
    fn sizes(&mut self, members: u64) {
        const LEAST: u64 = 5;
        let rest = members.saturating_sub(LEAST * self.weights.len() as u64);
        let extra = apportion(rest, &self.weights);
        for (branch, extra) in self.layout.branches.iter_mut().zip(extra) {
            branch.size = u32::try_from(LEAST + extra).unwrap_or(u32::MAX);
        }
    }
}

fn unit_id(seed: u64, kind: &str, at: u64) -> UnitId {
    UnitId::new(derived("demo.unit", &[&seed.to_be_bytes(), kind.as_bytes(), &at.to_be_bytes()]))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn agency(at: usize, is_ward: bool) -> String {
    const OF_COMMUNE: [&str; 16] = [
        "cơ quan Đảng",
        "cơ quan chính quyền",
        "Mặt trận và các đoàn thể",
        "Công an",
        "Quân sự",
        "Trạm Y tế",
        "Trường Mầm non",
        "Trường Tiểu học",
        "Trường Trung học cơ sở",
        "Trường Phổ thông dân tộc bán trú",
        "Trung tâm Phục vụ hành chính công",
        "Hợp tác xã nông nghiệp",
        "Ban quản lý rừng",
        "Tổ khuyến nông",
        "Trung tâm Dịch vụ tổng hợp",
        "Trường Trung học phổ thông",
    ];
    const OF_WARD: [&str; 6] =
        ["hưu trí", "doanh nghiệp tư nhân", "Trung tâm Y tế", "Ban quản lý chợ", "Công ty cấp nước", "Trường Cao đẳng"];
    let names: Vec<&str> =
        if is_ward { OF_COMMUNE.iter().chain(&OF_WARD).copied().collect() } else { OF_COMMUNE.to_vec() };
    match at / names.len() {
        0 => names[at % names.len()].to_owned(),
        round => format!("{} số {}", names[at % names.len()], round + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muong_domain::unit::Units;
    use std::collections::BTreeSet;

    #[test]
    fn the_whole_province_has_its_size_and_stands() {
        let layout = Layout::new(1, 1.0);
        assert_eq!(layout.communes.len(), 45);
        assert_eq!(layout.branches.len(), 2_500);
        assert_eq!(layout.branches.iter().map(|branch| branch.size).sum::<u32>(), 39_622);
        let villages = layout
            .units
            .iter()
            .filter(|unit| matches!(unit.versions[0].kind.as_str(), "village" | "residential_group"));
        assert!((1_400..1_500).contains(&villages.count()));
        assert!(layout.coverage.len() > 1_300 && layout.branches.iter().any(|branch| branch.villages.len() > 1));
        assert!(layout.communes.iter().map(|commune| commune.uncovered.len()).sum::<usize>() > 20);
        let ids: BTreeSet<_> = layout.units.iter().map(|unit| unit.id).collect();
        assert_eq!(ids.len(), layout.units.len());
        assert_eq!(Units::new(layout.units.clone()).faults().len(), 0);
    }

    #[test]
    fn codes_keep_their_zero_and_are_unique_in_their_scheme() {
        let layout = Layout::new(1, 0.01);
        let codes: Vec<_> = layout.units.iter().flat_map(|unit| &unit.codes).collect();
        let distinct: BTreeSet<_> = codes.iter().map(|code| (&code.scheme, &code.code)).collect();
        assert_eq!((codes.len(), distinct.len()), (90, 90));
        assert!(codes.iter().all(|code| code.code.starts_with("03")));
        assert_eq!(layout.branches[layout.showcase().branches.start].name, "Chi bộ bản Huổi Sang");
    }

    #[test]
    fn shares_add_up() {
        assert_eq!(apportion(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(apportion(0, &[1, 2]), [0, 0]);
        assert_eq!(apportion(7, &[]), Vec::<u64>::new());
    }
}

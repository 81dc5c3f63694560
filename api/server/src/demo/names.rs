//! Names of the peoples of the region, in Vietnamese order, and of places that do not exist. Pure word lists.
//!
//! Surnames and middle words are typical; every person is invented. Names of villages are put together from common
//! words of the Tai and Mông languages for water, field, hill and so on, and claim no real village.

use super::chance::Chance;

/// Whose names they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum People {
    /// Thái.
    Thai,
    /// Mông.
    Hmong,
    /// Khơ Mú.
    Khmu,
    /// Hà Nhì.
    HaNhi,
    /// Dao.
    Dao,
    /// Kinh.
    Kinh,
}

/// Surnames, and middle words and given names of men and of women.
struct Words {
    surnames: &'static [&'static str],
    men: (&'static [&'static str], &'static [&'static str]),
    women: (&'static [&'static str], &'static [&'static str]),
}

const THAI: Words = Words {
    surnames: &[
        "Lò", "Lường", "Quàng", "Cà", "Tòng", "Vì", "Cầm", "Bạc", "Điêu", "Lèo", "Mào", "Hoàng", "Tao", "Khoàng", "Lù",
        "Ngần",
    ],
    men: (
        &["Văn"],
        &[
            "Ánh", "Bình", "Chựa", "Cương", "Dũng", "Dương", "Hặc", "Hải", "Hòa", "Hương", "Inh", "Khụt", "Lả", "Muôn",
            "Nọi", "Ón", "Panh", "Phong", "Pọm", "Quân", "Sơn", "Thanh", "Thoan", "Tiến", "Tưởng", "Un", "Xôm", "Xuân",
            "Yên",
        ],
    ),
    women: (
        &["Thị", "Thị Thu", "Thị Minh"],
        &[
            "Ánh",
            "Bua",
            "Chiêm",
            "Dung",
            "Đôi",
            "Hiêng",
            "Hoa",
            "Hương",
            "Inh",
            "Lan",
            "Lả",
            "Mai",
            "Nga",
            "Ngoan",
            "Ón",
            "Phượng",
            "Phóng",
            "Pâng",
            "Thảo",
            "Thơm",
            "Tươi",
            "Vân",
            "Xiên",
            "Xoan",
            "Yêu",
        ],
    ),
};

const HMONG: Words = Words {
    surnames: &[
        "Giàng", "Vừ", "Sùng", "Thào", "Hạng", "Mùa", "Lầu", "Vàng", "Ly", "Tráng", "Chá", "Cứ", "Hờ", "Ma", "Lý",
    ],
    men: (
        &["A", "Nỏ", "Seo", "Nhè", "Pá", "Chờ"],
        &[
            "Páo", "Chá", "Dơ", "Sùng", "Của", "Dế", "Lử", "Nếnh", "Sình", "Tủa", "Vảng", "Chứ", "Giống", "Hồng",
            "Khua", "Lềnh", "Phử", "Súa", "Thào", "Tồng", "Trư", "Vàng", "Và", "Xà", "Chống", "Dũng", "Nhìa", "Lầu",
        ],
    ),
    women: (
        &["Thị"],
        &[
            "Mỷ", "Dợ", "Sua", "Mảy", "Chứ", "Pàng", "Dê", "Cở", "Ganh", "Ka", "Máy", "Mo", "Nhia", "Pà", "Sáy",
            "Sông", "Vá", "Xua", "Dua", "Chía", "Bầu", "Lan", "Hoa",
        ],
    ),
};

const KHMU: Words = Words {
    surnames: &["Lường", "Quàng", "Lò", "Lù", "Tòng", "Cà", "Hoàng"],
    men: (
        &["Văn"],
        &["Cương", "Hặc", "Kẻo", "Khiêm", "Lôm", "Mí", "Nhót", "Phím", "Quyết", "Sôm", "Thưởng", "Xiêng", "Ướng"],
    ),
    women: (&["Thị"], &["Chanh", "Đôi", "Hom", "Khăm", "Lún", "Mơ", "Nhọt", "Phiêng", "Tiên", "Xuân", "Yên"]),
};

const HA_NHI: Words = Words {
    surnames: &["Pờ", "Lỳ", "Sừng", "Khoàng", "Chu", "Toán", "Mạ", "Sìn", "Giàng"],
    men: (
        &["Pó", "Gò", "Xuyến", "Sừng", "Hừ", "Chu", "Xè", "Lòng", "Phì"],
        &["Chừ", "Tư", "Phù", "Khai", "Lòng", "Sinh", "Xá", "Cà", "Hừ", "Giá", "Nu", "Tùng", "Lù"],
    ),
    women: (&["Mỳ", "Thó", "Gó", "Khừ"], &["Xó", "Lế", "Nu", "De", "Hà", "Pớ", "Lòng", "Xừ", "Mé", "Chu"]),
};

const DAO: Words = Words {
    surnames: &["Phàn", "Tẩn", "Chẻo", "Lý", "Tẩn", "Vàng"],
    men: (&["A", "Văn", "Phù", "Láo"], &["Chấn", "Sếnh", "Tả", "Lụa", "Quẩy", "Chìn", "Khé", "San", "Hiền", "Xoang"]),
    women: (&["Mùi", "Thị", "Mẩy"], &["Pham", "Khé", "Nái", "Chấn", "San", "Lai", "Phẩy", "Ghển"]),
};

const KINH: Words = Words {
    surnames: &["Nguyễn", "Trần", "Phạm", "Lê", "Vũ", "Hoàng", "Đỗ", "Bùi", "Đặng", "Ngô", "Đoàn", "Trịnh", "Phan"],
    men: (
        &["Văn", "Đức", "Hữu", "Quang", "Mạnh", "Tiến", "Xuân", "Ngọc"],
        &[
            "An", "Bình", "Cường", "Dũng", "Đạt", "Giang", "Hải", "Hiếu", "Hùng", "Khánh", "Long", "Minh", "Nam",
            "Phúc", "Quân", "Sơn", "Thắng", "Toàn", "Trung", "Tuấn", "Vinh",
        ],
    ),
    women: (
        &["Thị", "Thị Thu", "Thị Thanh", "Thị Kim", "Thị Ngọc", "Thùy"],
        &[
            "Anh", "Bích", "Chi", "Dung", "Giang", "Hà", "Hạnh", "Hằng", "Huệ", "Hương", "Lan", "Linh", "Mai", "Nga",
            "Oanh", "Phương", "Quyên", "Thảo", "Thúy", "Trang", "Yến",
        ],
    ),
};

impl People {
    const fn words(self) -> &'static Words {
        match self {
            Self::Thai => &THAI,
            Self::Hmong => &HMONG,
            Self::Khmu => &KHMU,
            Self::HaNhi => &HA_NHI,
            Self::Dao => &DAO,
            Self::Kinh => &KINH,
        }
    }

    /// A people by the shares in the province, roughly; one commune or another has its own majority.
    pub fn of_village(chance: &mut Chance, commune: &str) -> Self {
        let shares: [u64; 6] = match commune {
            "Sín Thầu" => [4, 18, 0, 70, 2, 6],
            "Mường Nhé" | "Nậm Kè" | "Quảng Lâm" | "Nà Bủng" => [16, 64, 2, 6, 6, 6],
            "Tủa Chùa" | "Sính Phình" | "Sín Chải" | "Tủa Thàng" | "Sáng Nhè" => [14, 74, 2, 0, 6, 4],
            "Điện Biên Phủ" | "Mường Thanh" | "Thanh Yên" | "Thanh An" => [42, 3, 2, 0, 0, 53],
            _ => [50, 34, 7, 0, 1, 8],
        };
        let all = [Self::Thai, Self::Hmong, Self::Khmu, Self::HaNhi, Self::Dao, Self::Kinh];
        let mut drawn = chance.below(shares.iter().sum());
        for (people, share) in all.into_iter().zip(shares) {
            match drawn.checked_sub(share) {
                None => return people,
                Some(rest) => drawn = rest,
            }
        }
        Self::Thai
    }

    /// A full name.
    pub fn person(self, chance: &mut Chance, is_woman: bool) -> String {
        let words = self.words();
        let (middles, given) = if is_woman { words.women } else { words.men };
        let (surname, middle, given) = (chance.pick(words.surnames), chance.pick(middles), chance.pick(given));
        format!("{surname} {middle} {given}")
    }

    /// The name of a village, without the word for village.
    pub fn village(self, chance: &mut Chance) -> String {
        let (first, second): (&[&str], &[&str]) = match self {
            Self::Hmong | Self::Dao => (&HIGH, &HIGH_SECOND),
            Self::HaNhi => (
                &["A Pa", "Tá Sú", "Pờ Nhù", "Lò San", "Mo Phí", "Tả Khò", "Phí Chi", "Khò Ma"],
                &["Hồ", "Chải", "Khà", "Ló", "Ché"],
            ),
            _ => (&VALLEY, &VALLEY_SECOND),
        };
        format!("{} {}", chance.pick(first), chance.pick(second))
    }
}

const VALLEY: [&str; 22] = [
    "Nà", "Huổi", "Nậm", "Co", "Phiêng", "Púng", "Pá", "Hua", "Ta", "Mường", "Noong", "Bó", "Pom", "Lọng", "Xôm",
    "Chiềng", "Pác", "Tông", "Nong", "Cang", "Hin", "Sam",
];
const VALLEY_SECOND: [&str; 26] = [
    "Sang", "Lướm", "Khoai", "Pheo", "Mạt", "Lếch", "Sáy", "Phúng", "Lưa", "Vạng", "Khằm", "Hịa", "Tạ", "Xên", "Luông",
    "Phát", "Chổm", "Cáy", "Lụm", "Hằm", "Ngoạng", "Sựt", "Dửn", "Bôn", "Quén", "Tứm",
];
const HIGH: [&str; 16] = [
    "Háng", "Tà", "Pú", "Ma", "Chế", "Hồng", "Dề", "Phiêng", "Trống", "Cáng", "Sông", "Hấu", "Tỉnh", "Lồng", "Páo",
    "Đề",
];
const HIGH_SECOND: [&str; 22] = [
    "Dơ",
    "Sua",
    "Lỳ",
    "Chua Lá",
    "Tở Mông",
    "Giống",
    "Khua",
    "Pàng Sủ",
    "Dê Tầu",
    "Trở",
    "Súng Giàng",
    "Lềnh Phình",
    "Sử Pha",
    "Cha Nhè",
    "Mù Chải",
    "Cò Lia",
    "Páo Sinh",
    "Tú Chư",
    "Phàng Vảng",
    "Nênh Dế",
    "Thông Tủa",
    "Sênh Củ",
];

/// Fictional names of border posts.
pub const POSTS: [&str; 17] = [
    "Pú Lướm",
    "Nậm Sựt",
    "Háng Sua Lỳ",
    "Huổi Dửn",
    "Tà Chua Lá",
    "Phiêng Khằm",
    "A Pa Ché",
    "Nà Mạt",
    "Co Tứm",
    "Pá Quén",
    "Hua Lếch",
    "Púng Hịa",
    "Noong Bôn",
    "Chế Lềnh",
    "Dề Trở",
    "Lọng Vạng",
    "Tá Sú Khà",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_and_in_composed_form() {
        use unicode_normalization::is_nfc;
        let mut chance = Chance::of(1, "names", &[]);
        for people in [People::Thai, People::Hmong, People::Khmu, People::HaNhi, People::Dao, People::Kinh] {
            for is_woman in [false, true] {
                let name = people.person(&mut chance, is_woman);
                assert!(name.split(' ').count() >= 3 && is_nfc(&name), "{name}");
            }
            assert!(is_nfc(&people.village(&mut chance)));
        }
    }
}

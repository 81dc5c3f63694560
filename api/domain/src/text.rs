//! What people type: one stored spelling of it, a key to search by and a key to sort by.
//! Knows characters only; which fields are texts, and how long they may be, is the form's business.

use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Error code. A text holds a control character. Args: `code_point`, as `U+0000`.
pub const CONTROL_CHARACTER: &str = "text.control_character";

/// A text that cannot be stored: it holds a control character (PostgreSQL refuses U+0000, and none is ever typed).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub struct ControlCharacter(pub char);

impl ControlCharacter {
    /// The code point in the usual writing, for the message.
    pub fn code_point(self) -> String {
        format!("U+{:04X}", u32::from(self.0))
    }
    /// The finding about the text at `pointer`.
    pub fn finding(self, pointer: impl Into<String>) -> crate::refusal::Finding {
        crate::refusal::Finding::new(CONTROL_CHARACTER, pointer).with("code_point", self.code_point())
    }
}

impl fmt::Display for ControlCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "control character {}", self.code_point())
    }
}

/// The stored spelling of a one-line text: a name, a place, a reference.
///
/// - NFC; Ð ð (eth) and Ɖ ɖ (African d) become Đ đ, which no Unicode normal form does.
/// - Every apostrophe becomes U+0027, the one that keyboards and the neighbouring systems have (H'Mông).
/// - Every space, tab and line break becomes a space; runs are collapsed, the ends trimmed.
/// - Invisible format characters (zero width, soft hyphen, byte order mark, bidi marks and overrides) are dropped, not
///   refused: nobody sees them, they come with pasted text, and to drop them takes away whatever they could hide.
/// - Any other control character is an error: it is damage, and nobody can say what stood there.
pub fn single_line(text: &str) -> Result<String, ControlCharacter> {
    let spelled = spell(text)?;
    let mut line = String::with_capacity(spelled.len());
    for word in spelled.split([' ', '\n']).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    Ok(line)
}

/// The stored spelling of a text of several lines: as [`single_line`], but line breaks stay, as `\n`, and so do runs of
/// spaces inside a line. The ends of lines, and of the whole, are trimmed.
pub fn multi_line(text: &str) -> Result<String, ControlCharacter> {
    let spelled = spell(text)?;
    let lines: Vec<&str> = spelled.split('\n').map(|line| line.trim_end_matches(' ')).collect();
    Ok(lines.join("\n").trim_matches(['\n', ' ']).to_owned())
}

/// Characters one by one, before anything about lines. Composed at both ends: the first time because some code points
/// are canonically an apostrophe, the second because a dropped one may have stood between a letter and its mark.
fn spell(text: &str) -> Result<String, ControlCharacter> {
    let unbroken = text.replace("\r\n", "\n");
    let mut spelled = String::with_capacity(text.len());
    for c in unbroken.nfc() {
        match c {
            '\u{00D0}' | '\u{0189}' => spelled.push('Đ'),
            '\u{00F0}' | '\u{0256}' => spelled.push('đ'),
            '`' | '\u{00B4}' | '\u{02B9}' | '\u{02BB}' | '\u{02BC}' | '\u{2018}' | '\u{2019}' | '\u{201B}'
            | '\u{2032}' | '\u{FF07}' => spelled.push('\''),
            '\n' | '\r' | '\u{0085}' | '\u{2028}' | '\u{2029}' => spelled.push('\n'),
            '\t' => spelled.push(' '),
            c if c.is_control() => return Err(ControlCharacter(c)),
            c if is_invisible(c) => {}
            c if c.is_whitespace() => spelled.push(' '),
            c => spelled.push(c),
        }
    }
    Ok(spelled.nfc().collect())
}

/// Format characters that no Vietnamese text needs. (Unicode general category Cf, and the grapheme joiner.)
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A key under which different writings of a name meet: without case, marks, đ, apostrophes; one space between words.
///
/// Unaccented, so that `Hoà` and `Hòa` (old and new tone placement) and a name typed without marks are found. It is for
/// searches and for suggestions to a reviewer, **never for identity**: two people who differ by one mark may be twins.
pub fn search_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    let letters = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    for c in letters {
        match c {
            'đ' | 'ð' | 'ɖ' => key.push('d'),
            c if c.is_alphanumeric() => key.push(c),
            // An apostrophe joins (`H'Mông`, `HMông`), and so does what cannot be seen; anything else parts words.
            '\'' | '`' | '´' | 'ʹ' | 'ʻ' | 'ʼ' | '‘' | '’' | '‛' | '′' => {}
            c if is_invisible(c) => {}
            _ => {
                if !key.is_empty() && !key.ends_with(' ') {
                    key.push(' ');
                }
            }
        }
    }
    // Compatibility decomposition can leave case or marks behind a lower-cased capital (İ): take them away as well.
    key.retain(|c| !is_combining_mark(c));
    key.truncate(key.trim_end().len());
    key
}

/// The Vietnamese alphabet, with f, j, w and z at their Latin places.
const ALPHABET: &str = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz";
/// Between the levels of a key; below every weight.
const LEVEL_END: u8 = 0;

/// A key whose byte order is the Vietnamese order of texts.
///
/// Letters decide first (`a ă â b c d đ …`), then tones from the first syllable on (level, huyền, hỏi, ngã, sắc, nặng),
/// then case (small before capital): the order of the Unicode collation for `vi`. Words stay where they stand: to sort
/// people by given name is the list's business, not the key's.
pub fn collation_key(text: &str) -> Vec<u8> {
    let (mut letters, mut tones, mut cases) = (Vec::new(), Vec::new(), Vec::new());
    let decomposed: Vec<char> = text.nfd().collect();
    let mut at = 0;
    while at < decomposed.len() {
        let base = decomposed[at];
        let marks = decomposed[at + 1..].iter().take_while(|c| is_combining_mark(**c)).count();
        let (letter, tone) = read_marks(lower(base), &decomposed[at + 1..at + 1 + marks]);
        at += 1 + marks;
        push_weight(&mut letters, letter);
        tones.push(tone);
        cases.push(if base.is_uppercase() { 2 } else { 1 });
    }
    letters.push(LEVEL_END);
    letters.append(&mut tones);
    letters.push(LEVEL_END);
    letters.append(&mut cases);
    letters
}

fn lower(c: char) -> char {
    match c {
        'Đ' | 'Ð' | 'ð' | 'Ɖ' | 'ɖ' => 'đ',
        c => c.to_lowercase().next().unwrap_or(c),
    }
}

/// The letter that the marks make of `base`, and the weight of the tone among them.
fn read_marks(base: char, marks: &[char]) -> (char, u8) {
    let (mut letter, mut tone) = (base, 1);
    for mark in marks {
        match (letter, *mark) {
            ('a', '\u{0306}') => letter = 'ă',
            ('a', '\u{0302}') => letter = 'â',
            ('e', '\u{0302}') => letter = 'ê',
            ('o', '\u{0302}') => letter = 'ô',
            ('o', '\u{031B}') => letter = 'ơ',
            ('u', '\u{031B}') => letter = 'ư',
            (_, '\u{0300}') => tone = 2,
            (_, '\u{0309}') => tone = 3,
            (_, '\u{0303}') => tone = 4,
            (_, '\u{0301}') => tone = 5,
            (_, '\u{0323}') => tone = 6,
            _ => tone = 7,
        }
    }
    (letter, tone)
}

/// Spaces, then signs, digits, letters, and last what stands outside of the alphabet. No weight begins with 0, and none
/// is the beginning of another, so the bytes compare as the letters do.
fn push_weight(weights: &mut Vec<u8>, letter: char) {
    let place = ALPHABET.chars().zip(0x20u8..).find(|(known, _)| *known == letter);
    match letter {
        _ if let Some((_, weight)) = place => weights.push(weight),
        c if c.is_whitespace() => weights.push(1),
        '0'..='9' => weights.push(0x10 + (u32::from(letter) - u32::from('0')) as u8),
        c => {
            weights.push(if c.is_alphanumeric() { 0xF0 } else { 2 });
            weights.extend_from_slice(&u32::from(c).to_be_bytes()[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> String {
        single_line(text).expect("no control characters")
    }

    #[test]
    fn a_name_is_stored_composed_whatever_the_keyboard_sent() {
        let decomposed: String = "Vừ A Chá".nfd().collect();
        assert_eq!(line(&decomposed), "Vừ A Chá");
        // Tone before the letter's own mark, as some old input methods have it.
        assert_eq!(line("Vie\u{0323}\u{0302}t"), "Việt");
    }

    #[test]
    fn eth_and_african_d_are_stored_as_the_vietnamese_letter() {
        assert_eq!(line("Ðiêu Thị Ánh"), "Điêu Thị Ánh");
        assert_eq!(line("\u{0189}iện \u{00D0}ông, bản \u{00F0}oàn \u{0256}ề"), "Điện Đông, bản đoàn đề");
    }

    #[test]
    fn apostrophes_and_spaces_have_one_spelling() {
        for apostrophe in ["'", "’", "‘", "ʼ", "`", "´", "′", "＇", "\u{1FEF}", "\u{1FFD}"] {
            assert_eq!(line(&format!("H{apostrophe}Mông")), "H'Mông");
        }
        assert_eq!(line("\u{FEFF} Lò\u{00A0}\u{2003}Văn \tPáo\r\n"), "Lò Văn Páo");
    }

    #[test]
    fn what_cannot_be_seen_is_dropped_and_hides_nothing() {
        assert_eq!(line("Giàng\u{202E} A\u{200B} Pa\u{200D}\u{0301}o\u{2069}"), "Giàng A Páo");
    }

    #[test]
    fn control_characters_are_refused_by_name() {
        assert_eq!(single_line("Lò\u{0}"), Err(ControlCharacter('\u{0}')));
        assert_eq!(multi_line("a\u{7f}b"), Err(ControlCharacter('\u{7f}')));
        assert_eq!(single_line("a\u{9b}b").expect_err("C1").code_point(), "U+009B");
        assert_eq!(ControlCharacter('\u{0}').finding("/set/x/to").args["code_point"], "U+0000");
    }

    #[test]
    fn several_lines_keep_their_breaks() {
        assert_eq!(multi_line("\n một  hai \r\n\r\nba\u{2028}bốn \n").as_deref(), Ok("một  hai\n\nba\nbốn"));
    }

    #[test]
    fn writings_of_one_name_share_a_search_key() {
        let decomposed: String = "Vừ A Chá".nfd().collect();
        assert_eq!(search_key("Vừ A Chá"), "vu a cha");
        assert_eq!(search_key(&decomposed), "vu a cha");
        assert_eq!(search_key("Lường Văn Hoà"), search_key("Lường Văn Hòa"));
        assert_eq!(search_key("Ðiêu Thị Ánh"), search_key("ĐIÊU  THỊ ÁNH "));
        assert_eq!(search_key("H’Mông"), search_key("HMông"));
        // Twins meet here, which is why this is never identity.
        assert_eq!(search_key("Giàng A Páo"), search_key("Giàng A Pao"));
    }

    fn sorted(mut texts: Vec<&str>) -> Vec<&str> {
        texts.sort_by_key(|text| collation_key(text));
        texts
    }

    #[test]
    fn lists_are_sorted_as_vietnamese_sorts_them() {
        let alphabet: Vec<String> = ALPHABET.chars().map(String::from).collect();
        let in_order: Vec<&str> = alphabet.iter().map(String::as_str).collect();
        assert_eq!(sorted(in_order.iter().rev().copied().collect()), in_order);
        assert_eq!(sorted(vec!["mạ", "má", "mã", "mả", "mà", "ma"]), ["ma", "mà", "mả", "mã", "má", "mạ"]);
        assert_eq!(sorted(vec!["Đông", "Dung", "Ðào", "Dương", "em"]), ["Dung", "Dương", "Ðào", "Đông", "em"]);
        assert_eq!(sorted(vec!["ân", "an", "ăn", "áo", "Án", "án"]), ["an", "án", "Án", "áo", "ăn", "ân"]);
        assert_eq!(
            sorted(vec!["Lò Văn B", "Lo", "Lò", "Lò Thị A", "Lo Văn A"]),
            ["Lo", "Lò", "Lò Thị A", "Lo Văn A", "Lò Văn B"]
        );
        assert_eq!(
            sorted(vec!["bản", "bản 2", "bản 1", "bản A", "Ωmega"]),
            ["bản", "bản 1", "bản 2", "bản A", "Ωmega"]
        );
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(text in "\\PC{0,24}") {
            if let Ok(once) = single_line(&text) {
                prop_assert_eq!(single_line(&once), Ok(once.clone()));
            }
            if let Ok(once) = multi_line(&text) {
                prop_assert_eq!(multi_line(&once), Ok(once.clone()));
            }
        }

        #[test]
        fn keys_do_not_depend_on_the_normal_form(text in "[a-zA-ZàáảãạăằêếôơưửĐđÐ' ]{0,24}") {
            let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
            prop_assert_eq!(search_key(&composed), search_key(&decomposed));
            prop_assert_eq!(collation_key(&composed), collation_key(&decomposed));
        }
    }
}

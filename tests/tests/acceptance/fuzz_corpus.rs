//! What is fuzzed (`make fuzz`) keeps its promises for the checked-in corpus, in every run of the tests.

#[path = "../../../fuzz/src/lib.rs"]
mod fuzzed;

use std::path::Path;

/// Each file of one target's corpus; how many there are.
fn each_of(target: &str, promise: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus").map(|entry| entry.expect("an entry").path());
    files.map(|file| promise(&std::fs::read(file).expect("a file of the corpus"))).count()
}

#[test]
fn bodies_of_pushes_keep_their_promises() {
    assert!(each_of("push_body", fuzzed::push_body) > 5);
}

#[test]
fn queries_and_cursors_keep_their_promises() {
    assert!(each_of("cursor", fuzzed::cursor) > 5);
}

#[test]
fn definitions_of_forms_keep_their_promises() {
    assert!(each_of("form_definition", fuzzed::form_definition) > 2);
}

#[test]
fn expressions_keep_their_promises() {
    assert!(each_of("cel", fuzzed::cel) > 10);
}

//! Signing in.

use muong_tests::province::SECRETARY;
use muong_tests::{TestApp, on_both};

on_both!(somebody_of_the_province_signs_in);

fn somebody_of_the_province_signs_in(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let me = secretary.read("/v1/me");
    assert_eq!(me["user"]["username"], SECRETARY);
}

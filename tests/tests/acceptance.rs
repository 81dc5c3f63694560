//! What muong does, in sentences: black-box, over HTTP, each on SQLite and on PostgreSQL.

mod acceptance {
    mod access;
    mod attack_bombs;
    mod attack_crowd;
    mod attack_enumeration;
    mod attack_refresh;
    mod attack_requests;
    mod attack_texts;
    mod attack_tokens;
    mod audit;
    mod audit_verify;
    mod bad_input;
    mod browsers;
    mod checks;
    mod forms;
    mod founding;
    mod fuzz_corpus;
    mod hard_cases;
    mod metrics;
    mod migrations;
    mod openapi;
    mod operations;
    mod overload;
    mod properties;
    mod push_protocol;
    mod reading;
    mod review;
    mod s1_a_clean_report;
    mod s2_two_reporters;
    mod s3_sums_and_clocks;
    mod s5_one_name_four_ways;
    mod s6_dates_that_cannot_be;
    mod s7_nothing_leaks;
    mod second_factor;
    mod sessions;
    mod signing_in;
    mod signing_keys;
    mod simple_clients;
    mod slow_clients;
    mod throttling;
    mod tls;
}

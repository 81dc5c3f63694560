//! What muong does, in sentences: black-box, over HTTP, each on SQLite and on PostgreSQL.

mod acceptance {
    mod access;
    mod audit;
    mod audit_verify;
    mod bad_input;
    mod bounds;
    mod browsers;
    mod cards_and_places;
    mod checks;
    mod decided_people;
    mod erasure;
    mod forms;
    mod founding;
    mod hard_cases;
    mod ids_in_use;
    mod metrics;
    mod migrations;
    mod openapi;
    mod operations;
    mod overload;
    mod properties;
    mod push_protocol;
    mod reading;
    mod review;
    mod rules_of_meetings;
    mod s1_a_clean_report;
    mod s2_two_reporters;
    mod s3_sums_and_clocks;
    mod s5_one_name_four_ways;
    mod s6_dates_that_cannot_be;
    mod s7_nothing_leaks;
    mod schedules;
    mod sealed;
    mod second_factor;
    mod sessions;
    mod signing_in;
    mod signing_keys;
    mod simple_clients;
    mod slow_clients;
    mod throttling;
    mod tls;
    mod way_to_admission;
}

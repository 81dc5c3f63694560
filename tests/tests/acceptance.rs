//! What muong does, in sentences: black-box, over HTTP, each on SQLite and on PostgreSQL.

mod acceptance {
    mod access;
    mod bad_input;
    mod bounds;
    mod cards_and_places;
    mod decided_people;
    mod forms;
    mod hard_cases;
    mod ids_in_use;
    mod migrations;
    mod openapi;
    mod operations;
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
    mod signing_in;
    mod simple_clients;
    mod way_to_admission;
}

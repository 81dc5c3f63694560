//! What the process tells about itself in numbers: made once at the start, so that counting is an addition and nothing
//! else. Off unless somebody may ask for them. Every label is one of a few known words: never a path as it was asked
//! for, never a name, an address or an id of a person.

mod process;
mod requests;

pub use requests::Requests;

use crate::state::App;
use crate::usecases::failure::{Failure, read};
use crate::usecases::push::outcome::{ItemResult, Pushed};
use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use muong_store::{Stock, WriterMetrics, stock};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const METADATA: Metadata<'static> = Metadata::new("muong", Level::INFO, None);
/// From a tenth of a millisecond, which an empty request takes, to the longest that a phone waits.
const SECONDS: [f64; 14] = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Changes that share a transaction: at most 128, the writer's own bound.
const CHANGES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// How long the counts of what waits for reviewers are good for: they are asked of the database.
const STOCK_IS_GOOD_FOR: Duration = Duration::from_secs(10);

/// Makes the numbers; without a recorder they count nothing and cost nothing.
pub(crate) struct Registry(Option<PrometheusRecorder>);

impl Registry {
    fn new(on: bool) -> Self {
        let recorder = || {
            let builder = PrometheusBuilder::new().set_buckets(&SECONDS);
            let changes = Matcher::Full("muong_writer_group_changes".to_owned());
            builder.and_then(|builder| builder.set_buckets_for_metric(changes, &CHANGES))
        };
        // Only empty lists of buckets are refused.
        Self(on.then(recorder).and_then(Result::ok).map(PrometheusBuilder::build_recorder))
    }

    /// Whether anything is counted.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A number that only grows.
    pub(crate) fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        let Some(recorder) = &self.0 else { return Counter::noop() };
        recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// A number that is distributed.
    pub(crate) fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        let Some(recorder) = &self.0 else { return Histogram::noop() };
        recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// Says what a number is now.
    pub(crate) fn set(&self, name: &'static str, labels: &[(&'static str, &str)], value: f64) {
        if let Some(recorder) = &self.0 {
            recorder.register_gauge(&key(name, labels), &METADATA).set(value);
        }
    }

    /// The same of one that only grows and is counted elsewhere.
    pub(crate) fn total(&self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.counter(name, labels).absolute(value);
    }

    fn describe(&self) {
        let Some(recorder) = &self.0 else { return };
        for (name, text) in HELP {
            recorder.describe_counter(KeyName::from_const_str(name), None, text.into());
        }
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
    Key::from_parts(KeyName::from_const_str(name), labels)
}

const HELP: [(&str, &str); 30] = [
    ("muong_http_requests_total", "Requests by route, method and class of status."),
    ("muong_http_request_duration_seconds", "From the end of a request's head to the beginning of its answer."),
    ("muong_http_connections_open", "Open connections, but those of trusted proxies."),
    ("muong_http_requests_open", "Requests that are being answered, to the last byte."),
    ("muong_refused_total", "What was refused because there was no room, by what there was no room for."),
    ("muong_body_bytes", "Bytes of request bodies in memory."),
    ("muong_push_results_total", "Submissions by how they were answered."),
    ("muong_sign_ins_total", "Attempts to sign in by how they ended."),
    ("muong_password_checks", "Passwords that are being hashed or checked, or wait for it."),
    ("muong_writer_queue", "Changes and pushes that wait for the writer."),
    ("muong_pull_reads_total", "Looks at the store for pulls, by where."),
    ("muong_pulls_waiting", "Pulls that wait for something new."),
    ("muong_writer_group_changes", "Changes that shared a transaction."),
    ("muong_writer_lock_wait_seconds", "From asking for the head of the log to having it."),
    ("muong_writer_group_seconds", "A whole group, from asking for the head to the end of its commit."),
    ("muong_writer_commit_seconds", "Writing what a group collected, and its commit."),
    ("muong_read_pool_connections", "Connections for reading, in use and idle."),
    ("muong_read_pool_wait_seconds", "What a read waited for its connection."),
    ("muong_reads_waiting", "Reads that wait for their turn."),
    ("muong_work_waiting", "Bodies and pushes that wait for a processor."),
    ("muong_conflicts_open", "Conflicts that wait for a reviewer; 100000 means that many or more."),
    ("muong_quarantine_open", "Quarantined submissions that wait for a reviewer, as far as 100000 entries tell."),
    ("muong_token_cache_entries", "Access tokens whose signature is remembered."),
    ("muong_token_cache_lookups_total", "Access tokens by whether their signature was remembered."),
    ("muong_log_seq", "The last entry of the log."),
    ("muong_backup_seq", "The entry up to which the last finished backup reaches."),
    ("muong_backup_age_seconds", "How long ago the last backup was finished; absent as long as there is none."),
    ("muong_epoch_info", "Which history of the store this is."),
    ("muong_build_info", "Which program this is."),
    ("muong_metrics_errors_total", "Scrapes that could not ask the database."),
];

/// How often the store was looked at for a pull.
pub struct PulledFrom {
    /// The database that is written to.
    pub primary: Counter,
    /// Its standby.
    pub standby: Counter,
}

/// How often there was no room, by what there was no room for.
pub struct Refused {
    /// Too many connections of one address.
    pub connections: Counter,
    /// Too many requests at once.
    pub requests: Counter,
    /// Too many bytes of bodies.
    pub bodies: Counter,
    /// Too many reads that wait.
    pub reads: Counter,
    /// Too many pushes and bodies that wait for a processor.
    pub work: Counter,
    /// Too many changes that wait.
    pub writer: Counter,
}

/// The numbers of a process.
pub struct Metrics {
    registry: Registry,
    /// HTTP requests.
    pub requests: Requests,
    /// What was refused.
    pub refused: Refused,
    /// For the store's writer.
    pub writer: WriterMetrics,
    /// Where pulls are read.
    pub pulled_from: PulledFrom,
    /// What a read waited for its connection.
    pub read_wait: Histogram,
    pushed: [(&'static str, Counter); 7],
    stock: Mutex<Option<(Instant, Stock)>>,
    failed: Counter,
    address: OnceLock<SocketAddr>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("on", &self.registry.is_on()).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Counts only if somebody may ask.
    pub fn new(on: bool) -> Self {
        let registry = Registry::new(on);
        registry.describe();
        let refused = |what| registry.counter("muong_refused_total", &[("for_want_of", what)]);
        let statuses = ["accepted", "merged", "conflict", "rejected", "forbidden", "duplicate", "deferred"];
        Self {
            requests: Requests::new(&registry),
            refused: Refused {
                connections: refused("connections_per_address"),
                requests: refused("requests"),
                bodies: refused("body_bytes"),
                reads: refused("reads"),
                work: refused("work"),
                writer: refused("writer"),
            },
            writer: WriterMetrics {
                group_changes: registry.histogram("muong_writer_group_changes", &[]),
                lock_wait: registry.histogram("muong_writer_lock_wait_seconds", &[]),
                group: registry.histogram("muong_writer_group_seconds", &[]),
                commit: registry.histogram("muong_writer_commit_seconds", &[]),
            },
            pulled_from: PulledFrom {
                primary: registry.counter("muong_pull_reads_total", &[("from", "primary")]),
                standby: registry.counter("muong_pull_reads_total", &[("from", "standby")]),
            },
            read_wait: registry.histogram("muong_read_pool_wait_seconds", &[]),
            pushed: statuses.map(|s| (s, registry.counter("muong_push_results_total", &[("status", s)]))),
            failed: registry.counter("muong_metrics_errors_total", &[]),
            stock: Mutex::new(None),
            address: OnceLock::new(),
            registry,
        }
    }

    /// Counts how a batch was answered.
    pub fn pushed(&self, pushed: &Pushed) {
        for result in &pushed.results {
            let status = match result {
                ItemResult::Recorded(recorded) => recorded.status.as_str(),
                ItemResult::Duplicate(..) | ItemResult::Erased(_) => "duplicate",
                ItemResult::Deferred { .. } => "deferred",
            };
            if let Some((_, counter)) = self.pushed.iter().find(|(known, _)| *known == status) {
                counter.increment(1);
            }
        }
    }

    /// Counts how an attempt to sign in ended: by its code, which never tells of whom.
    pub fn signed_in<T>(&self, ended: &Result<T, Failure>) {
        let outcome = match ended {
            Ok(_) => "ok",
            Err(Failure::Refused { code, .. } | Failure::Throttled { code, .. }) => code,
            Err(Failure::Busy) => "busy",
            Err(_) => "failed",
        };
        self.registry.counter("muong_sign_ins_total", &[("outcome", outcome)]).increment(1);
    }

    /// Puts what was sampled into its buckets; to be called every few seconds, since it waits in memory until then.
    pub fn keep_up(&self) {
        if let Some(recorder) = &self.registry.0 {
            recorder.handle().run_upkeep();
        }
    }

    /// Where they are served, once they are.
    pub fn served_at(&self, address: SocketAddr) {
        // Only one listener is ever made; a second would serve the same numbers.
        let _first = self.address.set(address);
    }

    /// Where they are served; waits until they are.
    pub fn address(&self) -> SocketAddr {
        *self.address.wait()
    }

    /// Everything, in Prometheus' text format (version 0.0.4).
    pub async fn text(&self, app: &App) -> String {
        self.look(app);
        self.count_stock(app).await;
        self.registry.0.as_ref().map(|recorder| recorder.handle().render()).unwrap_or_default()
    }

    /// What is looked up rather than counted.
    fn look(&self, app: &App) {
        let set = |name, value: usize| self.registry.set(name, &[], value as f64);
        set("muong_http_connections_open", app.capacity.connections.taken());
        set("muong_http_requests_open", app.capacity.requests.taken());
        set("muong_body_bytes", app.capacity.bodies.taken());
        set("muong_reads_waiting", app.capacity.reads.waiting());
        set("muong_work_waiting", app.capacity.work.waiting());
        set("muong_password_checks", app.passwords.inside());
        set("muong_writer_queue", app.writer.waiting() + app.waiting_pushes.len());
        set("muong_pulls_waiting", app.head.waiting().count());
        let pool = app.database.pool();
        self.registry.set("muong_read_pool_connections", &[("state", "in_use")], f64::from(pool.in_use));
        self.registry.set("muong_read_pool_connections", &[("state", "idle")], f64::from(pool.idle));
        let tokens = app.tokens.usage();
        set("muong_token_cache_entries", tokens.entries);
        self.registry.total("muong_token_cache_lookups_total", &[("result", "hit")], tokens.hits);
        self.registry.total("muong_token_cache_lookups_total", &[("result", "miss")], tokens.misses);
        self.registry.set("muong_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        process::look(&self.registry);
    }

    /// What waits for reviewers, and the head of the log: asked of the database, at most every ten seconds, and never
    /// counted without an end.
    async fn count_stock(&self, app: &App) {
        let known = *self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|(at, _)| at.elapsed() < STOCK_IS_GOOD_FOR) {
            return;
        }
        let Ok(stock) = read(app, |_, snapshot| stock::count(snapshot)).await else {
            return self.failed.increment(1);
        };
        self.registry.set("muong_conflicts_open", &[], stock.open_conflicts as f64);
        self.registry.set("muong_quarantine_open", &[], stock.open_quarantine as f64);
        self.registry.set("muong_log_seq", &[], stock.seq.0 as f64);
        self.registry.set("muong_backup_seq", &[], stock.durable.0 as f64);
        if let Some(at) = stock.durable_at {
            let age = app.clock.now() - at;
            self.registry.set("muong_backup_age_seconds", &[], age.num_seconds() as f64);
        }
        if let Some((_, before)) = known.filter(|(_, before)| before.epoch != stock.epoch) {
            self.registry.set("muong_epoch_info", &[("epoch", &before.epoch.to_string())], 0.0);
        }
        self.registry.set("muong_epoch_info", &[("epoch", &stock.epoch.to_string())], 1.0);
        *self.stock.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), stock));
    }
}

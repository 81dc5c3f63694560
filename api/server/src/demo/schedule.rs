//! When things happen and when they reach the centre: the months of the sample year, and the days on which reports
//! arrive. Reads no clock: the day on which the sample ends is given.

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, Utc};
use muong_domain::time::{Period, local_date};

/// A date that is known to exist.
pub(super) fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date that is written right")
}

/// A day so many days later.
pub(super) fn later(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(days.into())).expect("dates of the sample are far from the end of the calendar")
}

/// A day so many days earlier.
pub(super) fn earlier(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_sub_days(Days::new(days.into())).expect("dates of the sample are far from the start of the calendar")
}

/// An instant, by the clock on a wall in the province (UTC+7, without summer time).
pub(super) fn local(day: NaiveDate, minute: u32) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(7 * 3600).expect("seven hours are an offset");
    let time = NaiveTime::from_num_seconds_from_midnight_opt((minute % 1440) * 60, 0).expect("a minute of the day");
    day.and_time(time).and_local_timezone(zone).single().expect("a fixed offset has every time once")
}

/// The sample year.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The day on which the system starts: what was before is entered as it stands.
    pub opening: NaiveDate,
    /// The months whose meetings are reported, oldest first.
    pub periods: Vec<Period>,
    /// The days on which reports arrive, the opening first.
    pub waves: Vec<NaiveDate>,
}

impl Schedule {
    /// The twelve whole months before that of `as_of`, as far as the communes of today existed.
    pub fn new(as_of: DateTime<Utc>) -> Self {
        let today = local_date(as_of);
        let this_month = date(today.year(), today.month(), 1);
        let months = (1..=12).rev().filter_map(|back| this_month.checked_sub_months(Months::new(back)));
        let months: Vec<NaiveDate> = months.filter(|month| *month >= super::units::reform()).collect();
        let opening = months.first().copied().unwrap_or(this_month);
        let arrivals = months.iter().flat_map(|month| [later(*month, 11), later(*month, 27)]);
        let waves = std::iter::once(opening).chain(arrivals).collect();
        Self { opening, periods: months.into_iter().filter_map(Period::of).collect(), waves }
    }

    /// The arrival with which something of that day comes in: the next one, and the last one for what is later.
    pub fn wave_after(&self, day: NaiveDate) -> usize {
        self.waves.partition_point(|arrival| *arrival <= day).min(self.waves.len() - 1)
    }

    /// The arrival with which a person or a step of that day comes in; what was up to the opening comes with it.
    pub fn wave_of_entry(&self, day: NaiveDate) -> usize {
        if day <= self.opening { 0 } else { self.wave_after(day) }
    }

    /// The last day of which reports can arrive.
    pub fn last_day(&self) -> NaiveDate {
        earlier(self.waves[self.waves.len() - 1], 1)
    }

    /// How many days there are from the opening to the last day.
    pub fn days(&self) -> u32 {
        u32::try_from((self.last_day() - self.opening).num_days()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_ends_with_the_month_before() {
        let schedule = Schedule::new(local(date(2026, 11, 23), 600).to_utc());
        assert_eq!((schedule.opening, schedule.periods.len()), (date(2025, 11, 1), 12));
        assert_eq!((schedule.waves.len(), schedule.last_day()), (25, date(2026, 10, 27)));
        assert_eq!(schedule.wave_after(date(2025, 10, 31)), 0);
        assert_eq!(schedule.wave_after(date(2025, 11, 1)), 1);
        assert_eq!(schedule.wave_after(date(2025, 11, 12)), 2);
        assert_eq!(schedule.wave_after(date(2027, 1, 1)), 24);
    }

    #[test]
    fn nothing_is_reported_of_months_before_the_communes() {
        let schedule = Schedule::new(local(date(2025, 9, 30), 600).to_utc());
        assert_eq!((schedule.opening, schedule.periods.len()), (date(2025, 7, 1), 2));
        assert_eq!(Schedule::new(local(date(2025, 7, 2), 600).to_utc()).waves, [date(2025, 7, 1)]);
    }
}

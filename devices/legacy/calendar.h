// Calendar: between seconds since 1970 and civil (proleptic Gregorian) time, without the host's time zone.
#pragma once

#include "base/types.h"

namespace ringshift {

struct CivilTime {
  unsigned year = 1970;
  unsigned month = 1;  // 1-12
  unsigned day = 1;    // 1-31
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned weekday = 0;  // 0: Sunday
};

// Days before the given date since 1970-01-01; years from 1 on. Counts years from March, so that the leap day
// is the last.
constexpr i64 days_since_1970(unsigned year, unsigned month, unsigned day) {
  const i64 y = static_cast<i64>(year) - (month <= 2 ? 1 : 0);
  const i64 march_month = (month + 9) % 12;
  const i64 day_of_year = (153 * march_month + 2) / 5 + day - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719'468;
}

constexpr i64 seconds_since_1970(const CivilTime& time) {
  return ((days_since_1970(time.year, time.month, time.day) * 24 + time.hour) * 60 + time.minute) * 60 +
         time.second;
}

constexpr CivilTime civil_time(i64 seconds) {
  if (seconds < 0) seconds = 0;
  const i64 days = seconds / 86'400;
  const auto rest = static_cast<unsigned>(seconds % 86'400);
  CivilTime time;
  time.weekday = static_cast<unsigned>((days + 4) % 7);  // 1970-01-01 was a Thursday.
  time.hour = rest / 3600;
  time.minute = rest / 60 % 60;
  time.second = rest % 60;
  auto year = static_cast<unsigned>(1970 + days / 366);
  while (days_since_1970(year + 1, 1, 1) <= days) ++year;
  time.year = year;
  unsigned month = 1;
  while (month < 12 && days_since_1970(year, month + 1, 1) <= days) ++month;
  time.month = month;
  time.day = static_cast<unsigned>(days - days_since_1970(year, month, 1)) + 1;
  return time;
}

static_assert(days_since_1970(1970, 1, 1) == 0);
static_assert(days_since_1970(2000, 3, 1) == 11'017);
static_assert(civil_time(951'782'400).month == 2 && civil_time(951'782'400).day == 29);  // 2000-02-29

}  // namespace ringshift

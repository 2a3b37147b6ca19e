/* calendar: what the clock's seconds are called: the Gregorian calendar, always UTC. libc's gmtime_r would open /etc/localtime,
 * which a caged process may not. */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include "base/buf.h"

struct calendar {
    uint32_t year, month, day;     /* month 1 to 12, day 1 to 31 */
    uint32_t hour, minute, second; /* as POSIX counts: no leap seconds */
    uint32_t weekday;              /* 0 is Sunday */
};

/* Of seconds since 1970-01-01T00:00:00Z. What lies behind 9999-12-31T23:59:59Z is that second: no date format has room for more. */
struct calendar calendar_of(uint64_t unix_seconds);
/* "15:30:00" */
void calendar_put_time(struct buf *b, const struct calendar *c);
/* "2026-11-25T15:30:00", RFC 3339 without fraction and zone */
void calendar_put(struct buf *b, const struct calendar *c);
/* "2026-11-25T15:30:00Z" */
void calendar_put_utc(struct buf *b, uint64_t unix_seconds);
/* The seconds of what a text begins with: "2026-11-25", midnight then, or "2026-11-25T15:30:00". False: that is no day of 1970 to
 * 9999, or no time of day. *n: octets that were read. */
MUST_USE bool calendar_read(struct span text, uint64_t *unix_seconds, size_t *n);

#endif

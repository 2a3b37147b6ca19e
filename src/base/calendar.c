#include "base/calendar.h"

#define LAST_SECOND 253402300799u /* 9999-12-31T23:59:59Z */

/* Days are counted in eras of 400 years that begin in March, so the leap day is the last of its year. */
struct calendar calendar_of(uint64_t unix_seconds)
{
    uint64_t t = unix_seconds > LAST_SECOND ? LAST_SECOND : unix_seconds;
    uint32_t days = (uint32_t)(t / 86400), rest = (uint32_t)(t % 86400);
    uint32_t from_era_0 = days + 719468;
    uint32_t era = from_era_0 / 146097, of_era = from_era_0 % 146097;
    uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t from_march = (5 * of_year + 2) / 153;
    uint32_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct calendar){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = of_year - (153 * from_march + 2) / 5 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .weekday = (days + 4) % 7,
    };
}

void calendar_put_time(struct buf *b, const struct calendar *c)
{
    buf_u64_pad(b, c->hour, 2);
    buf_byte(b, ':');
    buf_u64_pad(b, c->minute, 2);
    buf_byte(b, ':');
    buf_u64_pad(b, c->second, 2);
}

void calendar_put(struct buf *b, const struct calendar *c)
{
    buf_u64_pad(b, c->year, 4);
    buf_byte(b, '-');
    buf_u64_pad(b, c->month, 2);
    buf_byte(b, '-');
    buf_u64_pad(b, c->day, 2);
    buf_byte(b, 'T');
    calendar_put_time(b, c);
}

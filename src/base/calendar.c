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

void calendar_put_utc(struct buf *b, uint64_t unix_seconds)
{
    const struct calendar c = calendar_of(unix_seconds);
    calendar_put(b, &c);
    buf_byte(b, 'Z');
}

/* Digits are d in the form, everything else is itself. */
static bool read_form(struct span text, const char *form, uint32_t *numbers)
{
    size_t n = strlen(form);
    if (text.n < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (form[i] == 'd' ? !octet_is_digit(text.p[i]) : text.p[i] != (uint8_t)form[i]) return false;
        if (form[i] == 'd')
            *numbers = *numbers * 10 + (uint32_t)(text.p[i] - '0');
        else
            numbers++;
    }
    return true;
}

/* Days before a month of a year that begins in March, and before that year, counted as calendar_of does. */
static uint64_t days_of(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t y = month <= 2 ? year - 1 : year, from_march = month > 2 ? month - 3 : month + 9;
    return (uint64_t)365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

bool calendar_read(struct span text, uint64_t *unix_seconds, size_t *n)
{
    uint32_t d[3] = {0}, t[3] = {0}; /* year month day, hour minute second */
    if (!read_form(text, "dddd-dd-dd", d) || d[0] < 1970 || d[1] < 1 || d[1] > 12 || d[2] < 1) return false;
    uint64_t day = days_of(d[0], d[1], d[2]);
    struct calendar back = calendar_of(day * 86400);
    if (back.month != d[1] || back.day != d[2]) return false; /* the 30th of February */
    *n = 10;
    if (text.n > 10 && text.p[10] == 'T') {
        if (!read_form(span_skip(text, 11), "dd:dd:dd", t) || t[0] > 23 || t[1] > 59 || t[2] > 59)
            return false;
        *n = 19;
    }
    *unix_seconds = day * 86400 + t[0] * 3600 + t[1] * 60 + t[2];
    return true;
}

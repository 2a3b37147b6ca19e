/* log_lines: what the program has logged, read again: files or standard input, line by line, each one JSON object (system/log.h). A
 * log holds what strangers said: nothing in it is believed to be of any form before it was looked at, and memory is bounded
 * whatever it holds. What syslog or journalctl writes before a line of sallyportd is passed
 * over; lines of other making (systemd's, a line cut in two) are counted and passed over. */
#ifndef CMD_LOG_LINES_H
#define CMD_LOG_LINES_H

#include "base/span.h"

struct json_t;
struct log_lines;

struct log_line {          /* valid until the next one is read */
    struct json_t *object; /* of jansson; UTF-8, no NUL in any string; borrowed */
    struct span event;     /* never empty */
    uint64_t ms;           /* unix time of "ts" */
};

struct log_lines_count {
    uint64_t lines;   /* whole lines that were read, of any time */
    uint64_t foreign; /* of those: not one of ours: no object, no event, no time, or too long */
};

/* names: files, "-" is standard input; none: standard input. Lines before since_ms are passed over (0: none is). Null: no memory. */
struct log_lines *log_lines_open(char *const *names, size_t n, uint64_t since_ms);
/* The next line, of the next file when one has ended. False: there is no more, or a file cannot be read, which was complained of then. */
MUST_USE bool log_lines_next(struct log_lines *l, struct log_line *ret);
bool log_lines_failed(const struct log_lines *l); /* a file could not be read to its end */
struct log_lines_count log_lines_count(const struct log_lines *l);
void log_lines_close(struct log_lines **l); /* accepts null */

/* A member that is a string; empty: there is none of that name, or it is none. */
struct span log_line_text(const struct log_line *l, const char *member);
/* A member that is a whole number from 0 on; 0: there is none. */
uint64_t log_line_number(const struct log_line *l, const char *member);

/* --since: "30m", "4h", "7d" before now, or a day or time of UTC, "2026-11-25", "2026-11-25T15:30:00Z". False: none of these. */
MUST_USE bool log_lines_since(struct span text, uint64_t now_ms, uint64_t *ret);

#endif

/* log: JSON lines on standard error, batched, one object a line, no blanks around colons:
 * {"ts":"2026-11-25T15:30:00.123Z","level":"info","process":"edge-0","event":"queued","session":"…","id":"…",…}
 * Hostile text is escaped (I11), secrets are never passed here (I10). No printf: lines are built into a fixed buffer;
 * whole lines are written at log_flush (once a loop turn) or when the buffer is full. When nobody reads the log, lines are
 * dropped and counted, and the count is logged when reading goes on. */
#ifndef SYSTEM_LOG_H
#define SYSTEM_LOG_H

#include "base/buf.h"
#include "base/limits.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_SECURITY };

void log_open(int fd, const char *process_name, enum log_level least);
void log_clock(uint64_t unix_ms); /* set once a loop turn; 0: ask the clock */

/* log_begin ... fields ... log_end. event: constant, lower case with '-'. */
void log_begin(enum log_level level, const char *event);
void log_span(const char *key, struct span value); /* string, escaped, at most 256 octets of it */
void log_str(const char *key, const char *value);
void log_u64(const char *key, uint64_t value);
void log_hex(const char *key, uint64_t value); /* 16 digits, as string */
void log_id(uint64_t session);                 /* "session":"…" */
void log_end(void);
void log_flush(void);

/* One line with a text: for rare events. errno_value 0: none. */
void log_note(enum log_level level, const char *event, const char *text, int errno_value);

#endif

/* explain_steps: what `explain` found, step by step, and how it is printed. */
#ifndef CMD_EXPLAIN_STEPS_H
#define CMD_EXPLAIN_STEPS_H

#include "config/config.h"

enum {
    EXPLAIN_STEPS = 160,
    EXPLAIN_TEXT_OCTETS = 1024,
    EXPLAIN_FIELD_OCTETS = 320,
    EXPLAIN_FIELDS_OCTETS = 2 * 6 * EXPLAIN_FIELD_OCTETS + 128
};

struct explain_step {
    const char *name, *rule; /* constant */
    struct buf text;
    uint8_t memory[EXPLAIN_TEXT_OCTETS];
    struct buf fields; /* members of its object: ,"key":value */
    uint8_t fields_memory[EXPLAIN_FIELDS_OCTETS];
};

struct explain { /* zeroed at first */
    struct explain_step steps[EXPLAIN_STEPS];
    unsigned n;
    unsigned code; /* of the reply; 0: none yet */
    const char *enhanced, *text;
};

/* A step: its text is written into the buffer, then the rule that decided is named. A step too many is dropped. */
struct buf *explain_begin(struct explain *e, const char *name);
void explain_end(struct explain *e, const char *rule);
/* More of the step that was begun, for machines (--json). */
void explain_field(struct explain *e, const char *key, struct span value);
void explain_names(struct explain *e, const char *key, struct span names); /* blanks between them: an array */
void explain_flag(struct explain *e, const char *key, bool value);
void explain_number(struct explain *e, const char *key, uint64_t value);
void explain_place(struct explain *e, const struct config_place *place); /* file and line */
bool explain_full(const struct explain *e);
void explain_reply(struct explain *e, unsigned code, const char *enhanced, const char *text);
void explain_print(const struct explain *e, bool accepted, bool json);

/* ", COUNT WHAT per TIME" */
void explain_put_rate(struct buf *b, const struct config_rate *rate, const char *what);

#endif

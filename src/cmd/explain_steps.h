/* explain_steps: what `explain` found, step by step, and how it is printed. */
#ifndef CMD_EXPLAIN_STEPS_H
#define CMD_EXPLAIN_STEPS_H

#include "base/buf.h"

enum { EXPLAIN_STEPS = 32, EXPLAIN_TEXT_OCTETS = 1024 };

struct explain_step {
    const char *name, *rule; /* constant */
    struct buf text;
    uint8_t memory[EXPLAIN_TEXT_OCTETS];
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
bool explain_full(const struct explain *e);
void explain_reply(struct explain *e, unsigned code, const char *enhanced, const char *text);
void explain_print(const struct explain *e, bool accepted, bool json);

#endif

/* spooler_fixture: the spooler process with the test around it: it plays the skeleton, edges and whoever else has a channel. */
#ifndef SPOOLER_FIXTURE_H
#define SPOOLER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/spooler_private.h"

#define GENERATION 9

struct spooler_fixture {
    struct child child;
    struct timer tick;
    char folder[64];
    uint64_t arrival_ms; /* said in envelopes; 0: none */
    unsigned lost;
    char reason[64]; /* of the last loss */
};
extern struct spooler_fixture t;

int set_up(void **state);
int tear_down(void **state);
void turns(unsigned n);

struct edge {
    unsigned index;
    int channel;
    struct pool pool;
    uint64_t id;
    uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    size_t n;
};

extern const struct pool_geometry cut;
struct edge *begin(unsigned index, struct pool_geometry real, struct pool_geometry said);
void end(struct edge *e);
void say(struct edge *e, uint16_t type, const struct buf *payload);
void flush(struct edge *e);
uint64_t next_id(struct edge *e);
/* Block 0 holds an envelope, whose length is returned; block 1 the text. */
uint32_t fill(struct edge *e, const char *text);
uint32_t fill_for(struct edge *e, const char *text, const struct envelope_recipient *to, unsigned n);
void chunk(struct edge *e, uint64_t id, uint32_t length);
void commit(struct edge *e, uint64_t id, uint32_t envelope, uint32_t length, uint64_t content);
bool heard(struct edge *e, struct submit_result *r); /* the next answer for that edge; false: none */
const struct message *stored(uint64_t id);

#endif

/* visitor: a simulated SMTP client: some letters a session, by DATA or BDAT, pipelined or not, with detours. It knows which
 * reply each of its commands may get, and that there is one for each, in order. */
#ifndef VISITOR_H
#define VISITOR_H

#include "scene.h"

#define VISITOR_EXPECTED 128

struct expected_reply {
    uint8_t kind;
    bool good; /* RCPT: it exists */
    uint32_t letter;
};

struct visitor {
    struct scene *scene;
    struct link *link;
    uint8_t phase;
    bool pipelines;
    uint32_t letters_left, letter; /* letter: the one it is sending */
    size_t sent, recipient;        /* of it */
    struct expected_reply expected[VISITOR_EXPECTED];
    unsigned first, n;
    /* what the replies said so far of the transaction they are about */
    bool mail_ok, chunk_failed, go;
    unsigned rcpt_ok;
    bool dismissed; /* 421 or 221 was read: nothing but the end may follow */
    bool done;
};

void visitor_begin(struct visitor *c, struct scene *scene, struct link *link);
/* Reads what is there, then perhaps says something. */
void visitor_act(struct visitor *c);
/* Gives up, wherever it is. */
void visitor_vanish(struct visitor *c);

#endif

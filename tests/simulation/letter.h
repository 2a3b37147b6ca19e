/* letter: one message that a simulated client means to send, and all that is known of its fate. The client's side of the story
 * (what it sent, what it read) and the server's side are kept apart. */
#ifndef LETTER_H
#define LETTER_H

#include "base/buf.h"
#include "net.h"

#define LETTERS             600
#define LETTER_RECIPIENTS   6
#define LETTER_MAX_OCTETS   30000 /* larger ones are refused */
#define LETTER_MAX_RECEIVED 20

enum fate {
    FATE_NONE,    /* never committed: may not exist */
    FATE_WAITING, /* committed, no answer yet */
    FATE_STORED,  /* durable, said the store */
    FATE_REFUSED, /* may not exist */
    FATE_MAYBE    /* committed, and the one who would have been answered died: whole or not at all */
};

struct letter {
    uint32_t serial, session;
    uint8_t *octets; /* as it must be stored, without our Received field */
    size_t n,
        unsent;     /* unsent: octets at the end that the client leaves out and the engine completes (BDAT) */
    bool bdat, bad; /* bad: may not be accepted */
    uint8_t n_recipients, good; /* good: a bit for each one that exists */
    /* the client's side */
    uint64_t end_at; /* where in the client's stream its last octet stands; 0: not sent */
    bool complete;   /* the server has read that octet */
    bool read_250, read_refusal;
    uint64_t read_id;
    /* the server's side */
    uint8_t fate;
    uint64_t id;
    uint8_t now[LETTER_RECIPIENTS], durable[LETTER_RECIPIENTS]; /* states of the good ones, in order */
    bool deferred[LETTER_RECIPIENTS]; /* since the last flush, perhaps with another result behind it */
    bool gone, gone_durably;
    unsigned copies; /* counted by a check */
};

void letter_write(struct letter *l, struct sim_disk *dice, uint32_t serial);
void letter_free(struct letter *l);
void letter_put_sender(struct buf *b, const struct letter *l);
/* Serial out of such a path. */
MUST_USE bool letter_serial(struct span path, uint64_t *serial);
void letter_put_recipient(struct buf *b, const struct letter *l, unsigned i);
unsigned letter_good(const struct letter *l);
/* Path of the i-th good one. */
void letter_put_good(struct buf *b, const struct letter *l, unsigned i);
/* What is sent after 354. */
void letter_send(const struct letter *l, struct pipe *to);

#endif

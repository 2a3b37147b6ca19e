#include "process/directory_bans.h"

#include <stdlib.h>

#include "process/messages.h"

enum {
    PACKETS_LEFT = 32, /* in a channel, for answers to logins */
};

struct bans {
    struct child *child;
    const struct guess *guess;
    uint64_t list;    /* number of the list; 0: none was made yet */
    uint64_t version; /* of guess that it is of */
    uint64_t made_ms;
    uint32_t n;
    struct barred_entry entries[GUESS_BARRED_MAX];
};

struct bans *bans_create(struct child *c, const struct guess *g)
{
    struct bans *b = calloc(1, sizeof *b);
    if (b) {
        b->child = c;
        b->guess = g;
    }
    return b;
}

void bans_free(struct bans **b)
{
    free(*b);
    *b = NULL;
}

void bans_look(struct bans *b)
{
    uint64_t now = loop_now_ms(b->child->loop);
    if (b->list && (b->version == guess_version(b->guess) || now < b->made_ms + LIMIT_BARRED_SECONDS * 1000))
        return; /* the next look at the store is a turn, too */
    b->version = guess_version(b->guess);
    b->made_ms = now;
    b->n = guess_barred(b->guess, true, loop_unix_ms(b->child->loop), b->entries);
    qsort(b->entries, b->n, sizeof *b->entries, barred_order);
    b->list++;
}

bool bans_tell(const struct bans *b, struct bans_reader *r, struct ipc *edge)
{
    static uint8_t memory[BARRED_PART_OCTETS];
    bool begins = r->list != b->list;
    if (begins) *r = (struct bans_reader){.list = b->list};
    while ((begins || r->sent < b->n) && ipc_can_queue(edge, PACKETS_LEFT)) {
        struct buf part = buf_on(memory, sizeof memory);
        uint32_t left = b->n - r->sent, n = left < LIMIT_BARRED_PART ? left : LIMIT_BARRED_PART;
        barred_part_put(&part, &b->entries[r->sent], n, r->sent == 0, n == left);
        if (!ipc_send(edge, MSG_BANS, buf_span(&part))) return false;
        r->sent += n;
        begins = false;
    }
    if (begins) r->list = 0; /* nothing was sent yet */
    return true;
}

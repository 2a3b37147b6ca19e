#include "service/inbound_private.h"

#include "spool/message_id.h"

static uint32_t slot_of(const struct inbound *in, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & in->by_id_mask;
}

struct transaction *inbound_transaction_find(struct inbound *in, uint64_t id)
{
    for (struct transaction *t = in->by_id[slot_of(in, id)]; t; t = t->next)
        if (t->id == id) return t;
    return NULL;
}

static void table_remove(struct inbound *in, struct transaction *t)
{
    for (struct transaction **p = &in->by_id[slot_of(in, t->id)]; *p; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            return;
        }
}

uint32_t inbound_block_take(struct inbound *in, struct transaction *t, bool large)
{
    struct pool *p = in->setup.pool;
    uint32_t octets = large ? LIMIT_BLOCK_LARGE_OCTETS : LIMIT_BLOCK_SMALL_OCTETS;
    uint32_t all = large ? p->geometry.large : p->geometry.small;
    uint32_t reserve = all / 8 < INBOUND_RESERVED_BLOCKS ? all / 8 : INBOUND_RESERVED_BLOCKS;
    if ((large ? p->free_large_n : p->free_small_n) <= reserve ||
        !inbound_share_permits(in, t->share, octets))
        return POOL_NONE;
    uint32_t block = pool_take(p, large);
    if (block != POOL_NONE) t->share->octets += pool_block_octets(p, block);
    return block;
}

void inbound_block_give(struct inbound *in, struct transaction *t, uint32_t block)
{
    t->share->octets -= pool_block_octets(in->setup.pool, block);
    pool_give(in->setup.pool, block);
}

/* A block for the envelope: the first is small, what follows is large (a thousand recipients need few of them). */
static bool envelope_grow(struct inbound *in, struct transaction *t)
{
    if (t->n_envelope == INBOUND_ENVELOPE_BLOCKS) return false;
    uint32_t block = inbound_block_take(in, t, t->n_envelope > 0);
    if (block == POOL_NONE) return false;
    t->envelope[t->n_envelope++] = (struct block_ref){block, 0};
    return true;
}

struct buf inbound_block(const struct inbound *in, const struct block_ref *r)
{
    size_t offset = 0;
    uint32_t octets = 0;
    (void)pool_offset(in->setup.pool->geometry, r->block, &offset, &octets);
    struct buf b = buf_on(in->setup.pool->memory + offset, octets);
    b.n = r->length;
    return b;
}

static struct buf envelope_tail(const struct inbound *in, const struct transaction *t)
{
    return inbound_block(in, &t->envelope[t->n_envelope - 1]);
}

static uint32_t envelope_flags(const struct session *s, const struct mail_params *m)
{
    uint32_t f = 0;
    if (m->body == BODY_8BITMIME) f |= ENVELOPE_8BITMIME;
    if (m->body == BODY_BINARYMIME) f |= ENVELOPE_BINARYMIME;
    if (m->smtputf8) f |= ENVELOPE_SMTPUTF8;
    if (m->ret == DSN_RET_FULL) f |= ENVELOPE_RET_FULL;
    if (m->ret == DSN_RET_HDRS) f |= ENVELOPE_RET_HDRS;
    if (s->tls) f |= ENVELOPE_TLS;
    return f;
}

bool inbound_transaction_begin(struct session *s, const struct server_detail *d)
{
    struct inbound *in = s->in;
    struct transaction *t = in->free_transactions;
    if (!t) return false;
    in->free_transactions = t->next;
    uint64_t unix_ms = loop_unix_ms(in->setup.loop);
    /* the block lists behind it are valid by their counts */
    memset(t, 0, offsetof(struct transaction, envelope));
    t->session = s;
    t->share = inbound_share_open(in, &s->client);
    t->began_ms = unix_ms;
    in->last_message_id = message_id_next(in->last_message_id, in->setup.edge, unix_ms);
    t->id = in->last_message_id;
    t->next = in->by_id[slot_of(in, t->id)];
    in->by_id[slot_of(in, t->id)] = t;
    s->transaction = t;
    uint8_t path[LIMIT_PATH_OCTETS + 2], address[64];
    struct buf from = buf_on(path, sizeof path), client = buf_on(address, sizeof address);
    path_put(&d->path, &from);
    address_put(&client, &s->client);
    struct envelope_head h = {
        .flags = envelope_flags(s, &d->mail),
        .arrival_ms = unix_ms,
        .session = s->id,
        .server = in->setup.config->servers[s->server].name,
        .client_address = buf_span(&client),
        .helo = server_helo(&s->engine),
        .reverse_path = buf_span(&from),
        .envid = d->mail.envid,
    };
    if (from.over || client.over || !envelope_grow(in, t)) {
        inbound_transaction_drop(s);
        return false;
    }
    struct buf b = envelope_tail(in, t);
    envelope_put_head(&b, &h);
    t->envelope[0].length = (uint32_t)b.n;
    t->utf8_path = d->path.utf8;
    if (b.over)
        inbound_transaction_drop(s);
    else
        t->counted_ms = loop_now_ms(in->setup.loop);
    return !b.over;
}

bool inbound_transaction_recipient(struct session *s, const struct envelope_recipient *r)
{
    struct transaction *t = s->transaction;
    struct buf b = envelope_tail(s->in, t);
    envelope_put_recipient(&b, r);
    if (b.over) { /* the encoding of a recipient is never split: on to the next block */
        if (!envelope_grow(s->in, t)) return false;
        b = envelope_tail(s->in, t);
        envelope_put_recipient(&b, r);
        if (b.over) return false;
    }
    t->envelope[t->n_envelope - 1].length = (uint32_t)b.n;
    t->recipients++;
    return true;
}

bool inbound_transaction_first_recipient(const struct transaction *t, const struct inbound *in,
                                         struct span *path)
{
    struct buf b = inbound_block(in, &t->envelope[0]);
    struct wire w = wire_on(buf_span(&b));
    struct envelope_head h;
    struct envelope_recipient r;
    if (!envelope_read_head(&w, &h) || !envelope_read_recipient(&w, &r)) return false;
    *path = r.path;
    return true;
}

static void give_blocks(struct inbound *in, struct transaction *t)
{
    for (unsigned i = 0; i < t->n_envelope; i++)
        inbound_block_give(in, t, t->envelope[i].block);
    for (unsigned i = 0; i < t->n_content; i++)
        inbound_block_give(in, t, t->content[i].block);
    for (unsigned i = 0; i < t->n_sent; i++)
        inbound_block_give(in, t, t->sent[i]);
    t->n_envelope = t->n_content = t->n_sent = 0;
}

void inbound_transaction_free(struct inbound *in, struct transaction *t)
{
    table_remove(in, t);
    give_blocks(in, t);
    inbound_share_close(in, t->share);
    t->share = NULL;
    if (t->session) t->session->transaction = NULL;
    t->session = NULL;
    t->committed = false;
    t->next = in->free_transactions;
    in->free_transactions = t;
}

static bool send_abort(struct inbound *in, const struct transaction *t)
{
    uint8_t payload[16];
    struct buf b = buf_on(payload, sizeof payload);
    submit_abort_put(&b, &(struct submit_abort){t->id});
    return in->setup.submit(in->setup.context, INBOUND_ABORT, buf_span(&b));
}

void inbound_transaction_aborts(struct inbound *in, bool lost)
{
    for (uint32_t i = 0; in->n_aborting && i < in->max_transactions; i++) {
        struct transaction *t = &in->transactions[i];
        if (!t->aborting) continue;
        if (!lost && !send_abort(in, t)) return;
        t->aborting = false;
        in->n_aborting--;
        inbound_transaction_free(in, t);
    }
}

void inbound_transaction_drop(struct session *s)
{
    struct transaction *t = s->transaction;
    struct inbound *in = s->in;
    if (!t) return;
    if (t->committed) {
        /* The spooler may not have read its blocks yet: if they were used again now, it would store somebody else's
         * content under this id. The transaction goes on without its session until the result is there. */
        t->session = NULL;
        s->transaction = NULL;
        return;
    }
    if (t->counted_ms) inbound_rate_no_message(s, t->counted_ms);
    if (t->opened && !send_abort(in, t)) {
        /* It has content in the spool, which would be kept as long as this edge lives: the spooler is told later. */
        give_blocks(in, t);
        t->aborting = true;
        in->n_aborting++;
        t->session = NULL;
        s->transaction = NULL;
        return;
    }
    inbound_transaction_free(in, t);
}

/* The envelope says what the content needs, not what was announced: many announce BODY=8BITMIME or SMTPUTF8 for whatever they send,
 * some nothing for anything. A next hop without these takes what does not need them, and nothing else. */
static void tell_needs(const struct session *s, const struct transaction *t)
{
    struct buf head = inbound_block(s->in, &t->envelope[0]);
    bool eight_bit = server_body_8bit(&s->engine);
    uint32_t spare = eight_bit ? 0 : ENVELOPE_8BITMIME;
    if (s->engine.body == BODY_BINARYMIME) return; /* nobody has looked */
    if (!eight_bit && !t->utf8_path) spare |= ENVELOPE_SMTPUTF8;
    envelope_change_flags(head.p, head.n, spare, eight_bit ? ENVELOPE_8BITMIME : 0);
}

bool inbound_transaction_commit(struct session *s)
{
    struct transaction *t = s->transaction;
    if (t->failed || t->n_envelope + t->n_content > LIMIT_SUBMIT_BLOCKS) return false;
    tell_needs(s, t);
    struct submit_commit c = {.id = t->id, .content_octets = t->octets, .envelope_count = t->n_envelope};
    for (unsigned i = 0; i < t->n_envelope; i++)
        c.blocks[c.count++] = t->envelope[i];
    for (unsigned i = 0; i < t->n_content; i++)
        c.blocks[c.count++] = t->content[i];
    uint8_t payload[LIMIT_SUBMIT_BLOCKS * 8 + 64];
    struct buf b = buf_on(payload, sizeof payload);
    submit_commit_put(&b, &c);
    if (b.over || !s->in->setup.submit(s->in->setup.context, INBOUND_COMMIT, buf_span(&b))) return false;
    t->committed = true;
    t->commit_ms = loop_now_ms(s->in->setup.loop);
    return true;
}

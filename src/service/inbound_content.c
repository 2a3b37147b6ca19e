#include "mail/received.h"
#include "service/inbound_private.h"
#include "spool/message_id.h"

/* The last block; without any room when there is none (all were sent on as chunks). */
static struct buf tail(const struct inbound *in, const struct transaction *t)
{
    if (t->n_content == 0) return buf_on(NULL, 0);
    return inbound_block(in, &t->content[t->n_content - 1]);
}

/* Sends full blocks on as a chunk: content streams to the spooler while it arrives, memory per message stays a few blocks. */
static bool send_chunk(struct session *s)
{
    struct transaction *t = s->transaction;
    inbound_from_read(s, false);
    struct submit_chunk c = {.id = t->id, .count = t->n_content};
    for (unsigned i = 0; i < t->n_content; i++)
        c.blocks[i] = t->content[i];
    uint8_t payload[INBOUND_CONTENT_BLOCKS * 8 + 64];
    struct buf b = buf_on(payload, sizeof payload);
    submit_chunk_put(&b, &c);
    if (b.over || !s->in->setup.submit(s->in->setup.context, INBOUND_CHUNK, buf_span(&b))) return false;
    for (unsigned i = 0; i < t->n_content; i++)
        t->sent[t->n_sent++] = t->content[i].block;
    t->n_content = 0;
    t->opened = true;
    return true;
}

/* A new block at the end of the content. False: s->wait says what it waits for. */
static bool grow(struct session *s)
{
    struct inbound *in = s->in;
    struct transaction *t = s->transaction;
    bool large = t->content_blocks >= INBOUND_SMALL_FIRST;
    if (t->n_content && t->content_blocks > INBOUND_SMALL_FIRST) {
        if (t->n_sent + t->n_content > INBOUND_SENT_BLOCKS || !send_chunk(s)) {
            s->wait |= WAIT_WINDOW;
            return false;
        }
    }
    uint32_t block = inbound_block_take(in, t, large);
    if (block == POOL_NONE) {
        s->wait |= WAIT_BLOCK;
        return false;
    }
    t->content[t->n_content++] = (struct block_ref){block, 0};
    t->content_blocks++;
    return true;
}

size_t inbound_content_room(struct session *s)
{
    struct transaction *t = s->transaction;
    if (!t) return SIZE_MAX; /* content of a refused transaction: consumed, not stored */
    if (t->failed) return SIZE_MAX;
    struct buf b = tail(s->in, t);
    if (buf_room(&b) <= INBOUND_SLACK_OCTETS) {
        if (!grow(s)) return 0;
        b = tail(s->in, t);
    }
    /* The engine may hand over more than it was given: normalising inserts an octet for each bare LF, and the last chunk gets
     * the line end that it lacks. A block that is wanted then, in the middle of it, could not be waited for. */
    size_t room = buf_room(&b) - INBOUND_SLACK_OCTETS;
    return s->engine.conf->normalize_bare_lf && room > 1 ? room / 2 : room;
}

/* Where the next octets of content may be read to, so that they need not be copied: behind those of a large block. */
struct buf inbound_content_area(struct session *s)
{
    const struct transaction *t = s->transaction;
    if (!t || t->failed || t->content_blocks <= INBOUND_SMALL_FIRST || s->engine.conf->normalize_bare_lf ||
        !server_in_content(&s->engine))
        return buf_on(NULL, 0);
    struct buf b = tail(s->in, t);
    if (buf_room(&b) < INBOUND_AREA_OCTETS) {
        if (!grow(s)) return buf_on(NULL, 0);
        b = tail(s->in, t);
    }
    return buf_on(b.p + b.n, buf_room(&b) - INBOUND_SLACK_OCTETS);
}

bool inbound_content_in_place(const struct session *s, struct span content)
{
    if (!s->transaction) return false;
    struct buf b = tail(s->in, s->transaction);
    uintptr_t from = (uintptr_t)b.p + b.n, to = (uintptr_t)b.p + b.max, at = (uintptr_t)content.p;
    return at >= from && at < to;
}

bool inbound_content_put(struct session *s, struct span content)
{
    struct transaction *t = s->transaction;
    if (!t || t->failed) return true;
    while (content.n) {
        struct buf b = tail(s->in, t);
        if (buf_room(&b) == 0) {
            if (!grow(s)) return false;
            b = tail(s->in, t);
        }
        struct span part = span_head(content, buf_room(&b));
        if (part.p != b.p + b.n) memmove(b.p + b.n, part.p, part.n); /* it may lie in this very block */
        t->content[t->n_content - 1].length = (uint32_t)(b.n + part.n);
        t->octets += part.n;
        content = span_skip(content, part.n);
    }
    return true;
}

/* RFC 5321 4.4: the one field we add, in front of everything. */
bool inbound_content_begin(struct session *s)
{
    struct transaction *t = s->transaction;
    struct inbound *in = s->in;
    if (!grow(s)) {
        s->wait &= (uint8_t) ~(WAIT_BLOCK | WAIT_WINDOW);
        return false;
    }
    uint8_t literal[72], id[MESSAGE_ID_TEXT];
    struct buf address = buf_on(literal, sizeof literal), idtext = buf_on(id, sizeof id), b = tail(in, t);
    address_put_literal(&address, &s->client);
    message_id_put(&idtext, t->id);
    struct span recipient = {0};
    if (t->recipients == 1 && !inbound_transaction_first_recipient(t, in, &recipient)) return false;
    struct received r = {
        .helo = server_helo(&s->engine),
        .address = buf_span(&address),
        .client_name = inbound_name_of(s),
        .by = s->engine.conf->hostname,
        .esmtp = s->engine.esmtp,
        .tls = s->tls != NULL,
        .auth = s->principal != NULL,
        .utf8 = s->engine.utf8,
        .id = buf_span(&idtext),
        .recipient = recipient,
        .unix_seconds = loop_unix_ms(in->setup.loop) / 1000,
    };
    if (s->tls) {
        r.tls_version = span_str(tls_version(s->tls));
        r.tls_cipher = span_str(tls_cipher(s->tls));
    }
    received_put(&b, &r);
    t->content[t->n_content - 1].length = (uint32_t)b.n;
    t->octets = b.n;
    t->own_n = (uint16_t)b.n;
    return !b.over;
}

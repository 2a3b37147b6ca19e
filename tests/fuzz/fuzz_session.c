/* A whole session. The first octet sets the server up, the next four seed how the rest is cut into reads. The same octets are
 * played whole, cut at random and one by one: replies, events and stored messages must be the same. tests/tools/peer.c watches
 * the order of events and aborts; peer_reply looks at every reply line. */
#include <stdio.h>
#include <stdlib.h>

#include "../tools/peer.h"

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "broken: %s\n", #condition);                                                     \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { /* the first octet */
       NORMALIZE = 1,
       STARTTLS = 2,
       SMALL = 4,
       REFUSE_BEGIN = 8,
       REFUSE_END = 16,
       FAIL_CONTENT = 32,
       HURRY = 64, /* the clock leaps between reads */
       REQUIRE = 128,
};

enum cutting { WHOLE, RANDOM, OCTETS };

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void set_up(struct peer *p, uint8_t flags, enum cutting cutting)
{
    *p = (struct peer){.now_ms = 5000, .slow_answers = cutting == OCTETS};
    peer_conf(&p->conf);
    p->out_octets = cutting == RANDOM ? SERVER_REPLY_ROOM : 0;
    p->conf.normalize_bare_lf = flags & NORMALIZE;
    if (!(flags & STARTTLS)) p->conf.extensions &= ~(uint32_t)EXT_STARTTLS;
    if (flags & SMALL) {
        p->conf.max_message_octets = 60;
        p->conf.max_session_octets = 100;
        p->conf.max_line_octets = 30;
        p->conf.max_errors = 3;
        p->conf.max_junk = 5;
        p->conf.max_recipients = 2;
        p->conf.max_messages = 3;
        p->conf.max_received = 1;
    }
    if (flags & REFUSE_BEGIN) p->refuse_begin = 452;
    if (flags & REFUSE_END) p->refuse_end = 451;
    if (flags & FAIL_CONTENT) p->fail_after = 2;
    p->conf.require_auth = flags & REQUIRE;
}

static void play(struct peer *p, uint8_t flags, enum cutting cutting, uint32_t seed, struct span octets)
{
    set_up(p, flags, cutting);
    peer_connect(p, false);
    while (octets.n && !p->closed) {
        size_t n = cutting == WHOLE ? octets.n : 1;
        if (cutting == RANDOM) n = 1 + next_random(&seed) % (next_random(&seed) % 4 ? 12 : 3000);
        struct span piece = span_head(octets, n);
        octets = span_skip(octets, piece.n);
        peer_feed(p, piece);
        if (p->handshake) peer_tls(p);
        if (flags & HURRY) peer_wait(p, next_random(&seed) % 200000);
    }
}

static size_t count_replies(const struct peer *p)
{
    struct span said = octets_span(&p->replies);
    size_t n = 0;
    for (struct span one; (one = peer_reply(said)).n > 0; n++)
        said = span_skip(said, one.n);
    MUST(said.n == 0);
    return n;
}

static bool holds(struct span all, struct span part)
{
    for (; all.n >= part.n; all = span_skip(all, 1))
        if (span_starts_nocase(all, part)) return true;
    return false;
}

/* RFC 5321 4.2: each command gets exactly one reply. */
static void check_replies(const struct peer *p, struct span octets)
{
    size_t replies = count_replies(p), lines = 0;
    for (size_t i = 0; i + 1 < octets.n; i++)
        lines += octets.p[i] == '\r' && octets.p[i + 1] == '\n';
    MUST(replies <= lines + 2);
    bool content = holds(octets, SPAN("BDAT")) || holds(octets_span(&p->replies), SPAN("354 "));
    if (!content && !p->closed) MUST(replies == lines + 1);
}

static bool same(const struct octets *a, const struct octets *b)
{
    return span_eq(octets_span(a), octets_span(b));
}

static void compare(const struct peer *a, const struct peer *b)
{
    MUST(same(&a->replies, &b->replies));
    MUST(same(&a->events, &b->events));
    MUST(a->n_messages == b->n_messages);
    for (size_t i = 0; i < a->n_messages; i++) {
        MUST(same(&a->messages[i].content, &b->messages[i].content));
        MUST(same(&a->messages[i].recipients, &b->messages[i].recipients));
        MUST(same(&a->messages[i].from, &b->messages[i].from));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer whole, cut;
    uint32_t seed = 0;
    if (size < 5) return 0;
    uint8_t flags = data[0];
    memcpy(&seed, data + 1, 4);
    seed |= 1;
    struct span octets = span_of(data + 5, size - 5);
    play(&whole, flags, WHOLE, seed, octets);
    if (!(flags & (STARTTLS | HURRY))) check_replies(&whole, octets);
    /* what a handshake throws away, when the store fails and when the time is over depends on the cuts: rules only */
    bool comparable = !(flags & (STARTTLS | FAIL_CONTENT | HURRY));
    for (enum cutting c = RANDOM; c <= OCTETS; c++) {
        play(&cut, flags, c, seed, octets);
        count_replies(&cut);
        if (comparable) compare(&whole, &cut);
        peer_free(&cut);
    }
    peer_free(&whole);
    return 0;
}

/* A whole client session with a hostile server. The first octet says what the client is told, the second how it is sent, the next four
 * seed how the rest, the server's octets, is cut into reads. tests/tools/caller.c watches the rules: each recipient has exactly one
 * result, nothing is delivered without a word of the server, everything is printable, the session ends. */
#include <stdlib.h>

#include "../tools/caller.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { /* the first octet */
       LMTP = 1,
       TLS_MAY = 2,
       TLS_MUST = 4,
       TLS_ACTIVE = 8,
       AUTH = 16,
       HOLD = 32,
       FAIL = 64,
       LARGE = 128,
};
enum { /* the second octet, besides the number of recipients in its low bits */
       RECIPIENTS = 7,
       EIGHT = 8,
       BINARY = 16,
       HURRY = 32, /* the clock leaps in the end, instead of a lost connection */
       DSN = 64,
       UTF8 = 128,
};

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void set_up(struct caller *p, uint8_t what, uint8_t how, struct client_transaction *todo)
{
    static const char *const responses[] = {"AGEAYg==", "eA=="};
    static struct client_recipient r[RECIPIENTS + 1];
    for (unsigned i = 0; i <= RECIPIENTS; i++)
        r[i] = (struct client_recipient){
            i, SPAN("user@dest.example"), how & DSN ? (uint8_t)(i * 2) : 0, {NULL, 0}};
    for (unsigned i = 0; i < CALLER_TRANSACTIONS; i++)
        todo[i] = (struct client_transaction){.reverse_path = SPAN("a@b.example"),
                                              .body_8bit = how & EIGHT,
                                              .body_binary = how & BINARY,
                                              .utf8 = how & UTF8,
                                              .content_octets = what & LARGE ? 100000 : 10,
                                              .recipients = r,
                                              .n = 1 + (how & RECIPIENTS)};
    struct client_conf conf = {.helo = SPAN("a.example"),
                               .lmtp = what & LMTP,
                               .tls = what & TLS_MUST  ? CLIENT_TLS_MUST
                                      : what & TLS_MAY ? CLIENT_TLS_MAY
                                                       : CLIENT_TLS_NEVER,
                               .tls_active = what & TLS_ACTIVE,
                               .authenticate = what & AUTH};
    *p = (struct caller){.now_ms = 5000,
                         .todo = todo,
                         .n_todo = CALLER_TRANSACTIONS,
                         .content = SPAN("Hi\r\n.dot\r\n"),
                         .hold_content = what & HOLD,
                         .fail_content = what & FAIL,
                         .mechanism = "PLAIN",
                         .responses = responses,
                         .n_responses = 2};
    caller_begin(p, &conf);
}

static void play(uint8_t what, uint8_t how, uint32_t seed, struct span octets, size_t piece)
{
    struct client_transaction todo[CALLER_TRANSACTIONS];
    struct caller p;
    set_up(&p, what, how, todo);
    while (octets.n && !p.closed) {
        struct span one = span_head(octets, piece ? piece : 1 + next_random(&seed) % 100);
        octets = span_skip(octets, one.n);
        caller_hear(&p, one);
        if (p.handshake) caller_tls(&p);
        if (p.content_open && next_random(&seed) % 2) caller_content(&p);
    }
    if (how & HURRY)
        caller_wait(&p);
    else
        caller_lost(&p);
    caller_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t seed = 0;
    if (size < 6) return 0;
    memcpy(&seed, data + 2, 4);
    seed |= 1;
    struct span octets = span_of(data + 6, size - 6);
    play(data[0], data[1], seed, octets, SIZE_MAX);
    play(data[0], data[1], seed, octets, 1);
    play(data[0], data[1], seed, octets, 0);
    return 0;
}

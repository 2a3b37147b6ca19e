/* The name of a client, where a connections line has one and no network holds its address: asked for before the greeting, so that nothing
 * was read of it yet. Servers without such lines never come here, nor have memory for it. Whatever goes wrong (DNS, time, too many that
 * wait) means that it has no name. */
#include <stdlib.h>

#include "service/inbound_private.h"

enum { POINTERS = 0, WHICH_BITS = 3 };
_Static_assert(LIMIT_CLIENT_NAMES < 1 << WHICH_BITS, "which question an answer is of");

bool inbound_name_memory(struct inbound *in)
{
    bool any = config_asks_names(in->setup.config);
    if (any) in->namings = calloc(in->max_sessions + 1u, sizeof *in->namings);
    return !any || in->namings;
}

struct span inbound_name_of(const struct session *s)
{
    struct span names[LIMIT_CLIENT_NAMES];
    return s->naming && client_name_confirmed(&s->naming->search, names) ? names[0] : SPAN("");
}

/* --- places */

static struct naming *take(struct session *s)
{
    struct inbound *in = s->in;
    struct naming *n = in->free_namings;
    if (!in->namings || !in->setup.resolve || in->names_waiting >= LIMIT_CLIENT_NAMES_WAITING) return NULL;
    if (n)
        in->free_namings = n->next;
    else if (in->used_namings < in->max_sessions)
        n = &in->namings[in->used_namings++];
    else
        return NULL;
    n->session = s;
    n->uses++;
    client_name_begin(&n->search, &s->client);
    return n;
}

static void stop_waiting(struct session *s)
{
    if (!(s->wait & WAIT_NAME)) return;
    s->wait &= (uint8_t)~WAIT_NAME;
    s->in->names_waiting--;
    loop_timer_stop(s->in->setup.loop, &s->timer);
}

void inbound_name_forget(struct session *s)
{
    struct naming *n = s->naming;
    stop_waiting(s);
    if (!n) return;
    s->naming = NULL;
    n->session = NULL;
    n->next = s->in->free_namings;
    s->in->free_namings = n;
}

/* --- questions */

/* which: POINTERS, or a name's number and one. */
static bool ask(const struct naming *n, unsigned which)
{
    struct inbound *in = n->session->in;
    uint8_t memory[80];
    struct buf reverse = buf_on(memory, sizeof memory);
    struct dns_question q = {
        .tag = (uint64_t)n->uses << 32 | (uint64_t)(n - in->namings) << WHICH_BITS | which, .type = DNS_PTR};
    if (which == POINTERS) {
        client_name_reverse(&n->search.client, &reverse);
        q.name = buf_span(&reverse);
    } else {
        q.type = address_is_v4(&n->search.client) ? DNS_A : DNS_AAAA;
        q.name = client_name_at(&n->search, which - 1);
    }
    return in->setup.resolve(in->setup.context, &q);
}

/* --- what it means */

static void decide(struct session *s)
{
    struct inbound *in = s->in;
    const struct admission *a = &in->setup.config->servers[s->server].admission;
    const struct admission_name *rule;
    struct span names[LIMIT_CLIENT_NAMES];
    unsigned n = s->naming ? client_name_confirmed(&s->naming->search, names) : 0;
    stop_waiting(s);
    in->counters.names_found += n > 0;
    if (!admission_permits_names(a, names, n, &rule)) {
        inbound_log_denied(s, NULL, rule);
        inbound_turn_away(s, 554, "5.7.1",
                          rule ? SPAN("Your host may not connect to this server")
                               : SPAN("Your address may not connect to this server"));
        return;
    }
    if (n == 0) inbound_name_forget(s);
    inbound_begin_stream(s);
    if (s->open && s->readable) inbound_ready(s); /* what came meanwhile announces itself no more */
}

void inbound_welcome(struct session *s)
{
    struct inbound *in = s->in;
    if (!s->asks_name) {
        inbound_begin_stream(s);
        return;
    }
    in->counters.names_asked++;
    s->naming = take(s);
    if (!s->naming || !ask(s->naming, POINTERS)) {
        inbound_name_forget(s);
        decide(s);
        return;
    }
    s->wait |= WAIT_NAME;
    in->names_waiting++;
    loop_timer_set(in->setup.loop, &s->timer, loop_now_ms(in->setup.loop) + LIMIT_CLIENT_NAME_SECONDS * 1000,
                   inbound_on_timer);
}

void inbound_name_late(struct session *s)
{
    decide(s); /* by what was confirmed so far */
}

/* --- answers */

static void pointed(struct naming *n, const struct dns_answer *a)
{
    struct wire w = wire_on(a->records);
    struct dns_record r;
    for (unsigned i = 0; a->status == DNS_OK && i < a->count && dns_record_read(&w, &r); i++)
        if (dns_name_valid(r.data)) client_name_found(&n->search, r.data);
    unsigned names = client_name_pointed(&n->search);
    for (unsigned i = 0; i < names; i++)
        if (!ask(n, i + 1)) client_name_answered(&n->search, i, false);
}

static bool has_address(const struct address *client, const struct dns_answer *a)
{
    size_t octets = address_is_v4(client) ? 4 : 16;
    struct span wanted = span_of(client->octets + 16 - octets, octets);
    struct wire w = wire_on(a->records);
    struct dns_record r;
    bool found = false;
    for (unsigned i = 0; a->status == DNS_OK && i < a->count && dns_record_read(&w, &r); i++)
        found |= span_eq(r.data, wanted);
    return found;
}

void inbound_resolved(struct inbound *in, const struct dns_answer *a)
{
    uint32_t at = (uint32_t)a->tag >> WHICH_BITS;
    unsigned which = a->tag & ((1 << WHICH_BITS) - 1);
    struct naming *n = in->namings && at < in->used_namings ? &in->namings[at] : NULL;
    if (!n || !n->session || n->uses != a->tag >> 32 || !(n->session->wait & WAIT_NAME)) return;
    if (which == POINTERS && !n->search.pointed)
        pointed(n, a);
    else if (which > 0)
        client_name_answered(&n->search, which - 1, has_address(&n->search.client, a));
    if (client_name_done(&n->search)) decide(n->session);
}

void inbound_resolver_lost(struct inbound *in)
{
    for (uint32_t i = 0; in->names_waiting && i < in->used_namings; i++) {
        struct session *s = in->namings[i].session;
        if (s && (s->wait & WAIT_NAME)) decide(s);
    }
}

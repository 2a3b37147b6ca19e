/* What is open with the resolver: a table, so that an answer that comes late, twice or out of nothing meets nobody. */
#include <stdlib.h>

#include "service/connect_private.h"

enum { LOOKUPS_MAX = 4 * LIMIT_CONNECT_QUESTIONS, NO_LOOKUP = UINT32_MAX, AGAIN_MAX = 2 };

static uint64_t tag_of(const struct connect *c, uint32_t i)
{
    return (uint64_t)c->lookups[i].uses << 32 | i;
}

static bool ask(struct connect *c, uint32_t i)
{
    static const uint16_t types[] = {DNS_MX, DNS_A, DNS_AAAA, DNS_TLSA, DNS_TLSA};
    const struct lookup *l = &c->lookups[i];
    struct dns_question q = {
        .tag = tag_of(c, i), .type = types[l->kind], .name = span_of(l->name, l->name_octets)};
    return c->hooks.ask(c->context, &q);
}

static bool grow(struct connect *c)
{
    uint32_t n = c->n_lookups ? c->n_lookups * 2 : 256;
    struct lookup *grown = n <= LOOKUPS_MAX ? realloc(c->lookups, n * sizeof *grown) : NULL;
    if (!grown) return false;
    memset(grown + c->n_lookups, 0, (n - c->n_lookups) * sizeof *grown);
    for (uint32_t i = c->n_lookups; i < n; i++)
        grown[i].next_free = i + 1 < n ? i + 1 : NO_LOOKUP;
    c->lookups = grown;
    c->free_lookup = c->n_lookups;
    c->n_lookups = n;
    return true;
}

bool lookup_ask(struct attempt *a, enum lookup_kind kind, uint16_t host, struct span name)
{
    struct connect *c = a->connect;
    if (!dns_name_valid(name)) return false;
    if ((c->n_lookups == 0 || c->free_lookup == NO_LOOKUP) && !grow(c)) return false;
    uint32_t i = c->free_lookup;
    struct lookup *l = &c->lookups[i];
    c->free_lookup = l->next_free;
    l->attempt = a;
    l->uses++;
    l->host = host;
    l->kind = (uint8_t)kind;
    l->again = 0;
    l->name_octets = (uint8_t)name.n;
    memcpy(l->name, name.p, name.n);
    c->open_lookups++;
    a->open_lookups++;
    ask(c, i); /* when it cannot be asked now, connect_dns_again does */
    return true;
}

static void release(struct connect *c, uint32_t i)
{
    c->lookups[i].attempt->open_lookups--;
    c->lookups[i].attempt = NULL;
    c->lookups[i].next_free = c->free_lookup;
    c->free_lookup = i;
    c->open_lookups--;
}

void lookup_forget(struct attempt *a)
{
    struct connect *c = a->connect;
    for (uint32_t i = 0; i < c->n_lookups && a->open_lookups > 0; i++)
        if (c->lookups[i].attempt == a) release(c, i);
}

bool lookup_take(struct connect *c, uint64_t tag, struct lookup *ret)
{
    uint32_t i = (uint32_t)tag;
    if (i >= c->n_lookups || !c->lookups[i].attempt || c->lookups[i].uses != tag >> 32) return false;
    *ret = c->lookups[i];
    release(c, i);
    return true;
}

/* One of the questions may be what ended the resolver: none is asked for ever. */
void connect_dns_again(struct connect *c)
{
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        struct lookup *l = &c->lookups[i];
        if (!l->attempt) continue;
        if (l->again++ < AGAIN_MAX) {
            ask(c, i);
            continue;
        }
        struct dns_answer a = {
            .tag = tag_of(c, i), .status = DNS_FAILED, .why = SPAN("the resolver ended while it was asked")};
        connect_dns_answer(c, &a); /* the table may move */
    }
}

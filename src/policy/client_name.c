#include "policy/client_name.h"

void client_name_begin(struct client_name *c, const struct address *client)
{
    c->client = *client;
    c->n = c->open = c->confirmed = 0;
    c->pointed = false;
}

void client_name_reverse(const struct address *client, struct buf *b)
{
    static const char hex[] = "0123456789abcdef";
    if (address_is_v4(client)) {
        for (unsigned i = 16; i-- > 12;) {
            buf_u64(b, client->octets[i]);
            buf_byte(b, '.');
        }
        buf_str(b, "in-addr.arpa");
        return;
    }
    for (unsigned i = 16; i-- > 0;) {
        buf_byte(b, (uint8_t)hex[client->octets[i] & 15]);
        buf_byte(b, '.');
        buf_byte(b, (uint8_t)hex[client->octets[i] >> 4]);
        buf_byte(b, '.');
    }
    buf_str(b, "ip6.arpa");
}

struct span client_name_at(const struct client_name *c, unsigned i)
{
    return span_of(c->names[i], c->octets[i]);
}

static int compare(struct span a, struct span b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

void client_name_found(struct client_name *c, struct span name)
{
    unsigned at = 0;
    if (c->pointed || name.n == 0 || name.n > LIMIT_DOMAIN_OCTETS) return;
    for (; at < c->n; at++) {
        int order = compare(name, client_name_at(c, at));
        if (order == 0) return;
        if (order < 0) break;
    }
    if (at == LIMIT_CLIENT_NAMES) return;
    if (c->n < LIMIT_CLIENT_NAMES) c->n++;
    for (unsigned i = c->n - 1u; i > at; i--) {
        memcpy(c->names[i], c->names[i - 1], c->octets[i - 1]);
        c->octets[i] = c->octets[i - 1];
    }
    memcpy(c->names[at], name.p, name.n);
    c->octets[at] = (uint8_t)name.n;
}

unsigned client_name_pointed(struct client_name *c)
{
    c->pointed = true;
    c->open = (uint8_t)((1u << c->n) - 1);
    return c->n;
}

void client_name_answered(struct client_name *c, unsigned i, bool has_address)
{
    if (i >= c->n || !(c->open & 1u << i)) return;
    c->open &= (uint8_t) ~(1u << i);
    if (has_address) c->confirmed |= (uint8_t)(1u << i);
}

bool client_name_done(const struct client_name *c)
{
    return c->pointed && c->open == 0;
}

unsigned client_name_confirmed(const struct client_name *c, struct span ret[LIMIT_CLIENT_NAMES])
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++)
        if (c->confirmed & 1u << i) ret[n++] = client_name_at(c, i);
    return n;
}

/* names: sorted arrays of structs that begin with a name, and looking up in them. */
#include "config/config.h"
#include "config/reader_private.h"

static struct span key_at(const uint8_t *base, size_t each, size_t i)
{
    struct span s;

    memcpy(&s, base + i * each, sizeof s);
    return s;
}

static void merge(const uint8_t *from, uint8_t *to, size_t each, size_t begin, size_t middle, size_t end)
{
    size_t a = begin, b = middle;

    for (size_t out = begin; out < end; out++) {
        bool left =
            a < middle && (b >= end || span_compare(key_at(from, each, a), key_at(from, each, b)) <= 0);
        memcpy(to + out * each, from + (left ? a++ : b++) * each, each);
    }
}

/* Merge sort from the bottom up: stable, and without recursion. */
bool names_sort(struct arena *arena, void *base, size_t n, size_t each)
{
    if (n < 2) return true;
    uint8_t *from = base, *to = arena_take_array(arena, n, each);

    if (!to) return false;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t middle = i + width < n ? i + width : n, end = i + 2 * width < n ? i + 2 * width : n;
            merge(from, to, each, i, middle, end);
        }
        uint8_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != base) memcpy(base, from, n * each);
    return true;
}

const void *names_find(const void *base, size_t n, size_t each, struct span name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = span_compare(name, key_at(base, each, middle));
        if (c == 0) return (const uint8_t *)base + middle * each;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* domain as a peer wrote it: what is no domain finds nothing. */
static const void *find_folded(const void *base, size_t n, size_t each, struct span domain)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS];
    struct buf ascii = buf_on(memory, sizeof memory);

    if (!idn_put_ascii(&ascii, domain) || ascii.over) return NULL;
    return names_find(base, n, each, buf_span(&ascii));
}

const struct config_deliver *config_deliver_find(const struct config *c, struct span domain)
{
    const struct config_deliver *d = find_folded(c->deliver, c->n_deliver, sizeof *d, domain);

    return d ? d : names_find(c->deliver, c->n_deliver, sizeof *d, SPAN("*"));
}

const struct config_domain *config_domain_find(const struct config_server *s, struct span domain)
{
    return find_folded(s->domains, s->n_domains, sizeof *s->domains, domain);
}

bool config_domain_served(const struct config_server *s, struct span domain)
{
    return config_domain_find(s, domain) != NULL;
}

uint32_t config_sessions_per_source(const struct config_limits *l, const struct address *client)
{
    return address_is_loopback(client) ? l->sessions_per_loopback_source : l->sessions_per_source;
}

bool config_asks_names(const struct config *c)
{
    bool any = false;

    for (uint32_t i = 0; i < c->n_servers; i++)
        any |= c->servers[i].admission.n_names > 0;
    return any;
}

#include "service/inbound_private.h"

static uint32_t bucket_of(const struct inbound *in, const uint8_t key[16])
{
    uint64_t a, b;
    memcpy(&a, key, sizeof a);
    memcpy(&b, key + 8, sizeof b);
    return (uint32_t)(((a ^ b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu) >> 32) & in->by_id_mask;
}

struct share *inbound_share_open(struct inbound *in, const struct address *client)
{
    uint8_t key[16];
    address_source_key(client, key);
    struct share **bucket = &in->by_source[bucket_of(in, key)], *s = *bucket;
    while (s && memcmp(s->key, key, sizeof key) != 0)
        s = s->next;
    if (!s) { /* there are as many as transactions */
        s = in->free_shares;
        in->free_shares = s->next;
        *s = (struct share){.unlimited = address_is_loopback(client), .next = *bucket};
        memcpy(s->key, key, sizeof key);
        *bucket = s;
    }
    s->transactions++;
    return s;
}

void inbound_share_close(struct inbound *in, struct share *s)
{
    if (!s || --s->transactions > 0) return;
    struct share **link = &in->by_source[bucket_of(in, s->key)];
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    s->next = in->free_shares;
    in->free_shares = s;
}

bool inbound_share_permits(const struct inbound *in, const struct share *s, uint32_t octets)
{
    const struct pool *p = in->setup.pool;
    uint64_t all = (uint64_t)p->geometry.small * LIMIT_BLOCK_SMALL_OCTETS +
                   (uint64_t)p->geometry.large * LIMIT_BLOCK_LARGE_OCTETS;
    uint64_t free = (uint64_t)p->free_small_n * LIMIT_BLOCK_SMALL_OCTETS +
                    (uint64_t)p->free_large_n * LIMIT_BLOCK_LARGE_OCTETS;
    return s->unlimited || free >= all / 2 || s->octets + octets <= all / INBOUND_SHARE_PART;
}

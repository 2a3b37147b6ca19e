/* A next hop from a process that may be captured: what is taken is valid, has one encoding, and nothing in it can break a line. */
#include <stdlib.h>

#include "policy/next_hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[NEXT_HOP_KEY_OCTETS], text[LIMIT_NEXT_HOP_OCTETS + 32];
    struct span s = span_of(data, size), host;
    struct wire w = wire_on(s);
    struct buf key = buf_on(octets, sizeof octets), t = buf_on(text, sizeof text);
    struct next_hop h;
    uint16_t port;

    if (!next_hop_read(&w, &h)) {
        if (!w.bad) abort();
        while (next_hop_take_host(&s, &host, &port)) /* the input as a list of hosts */
            if (!host.n || !port) abort();
        return 0;
    }
    if (!next_hop_valid(&h)) abort();
    next_hop_put(&key, &h);
    if (key.over || !span_eq(buf_span(&key), span_head(s, s.n - w.rest.n))) abort();
    next_hop_put_text(&t, &h);
    if (t.over) abort();
    for (size_t i = 0; i < t.n; i++)
        if (text[i] < 32 || text[i] == 127) abort();
    if (h.kind != NEXT_HOP_HOST) return 0;
    unsigned hosts = 0;
    for (struct span names = h.name; names.n; hosts++)
        if (!next_hop_take_host(&names, &host, &port) || !host.n || !port) abort();
    return hosts ? 0 : 1;
}

/* The list of who is turned away at the door, as an edge takes it from the directory: parts, each with its length in front (two octets). What
 * was taken is in order and found; what is refused leaves the list that counts as it was. */
#include <stdlib.h>

#include "base/wire.h"
#include "policy/barred.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

/* Every entry of a part: is it found, if it was taken? */
static void look(struct barred *b, struct span part, bool whole)
{
    for (part = span_skip(part, 2); part.n >= 26; part = span_skip(part, 26)) {
        struct address a;
        uint64_t until;
        memcpy(a.octets, part.p, sizeof a.octets);
        memcpy(&until, part.p + 18, sizeof until);
        const struct barred_entry *e = barred_find(b, &a, true, 0);
        if (whole && until > 0) must(e && (e->by_hand || e->until == until));
        if (e) must(e->until > 0 && (!e->by_hand || network_holds(&e->network, &a)));
        must(!barred_find(b, &a, true, UINT64_MAX));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *memory;
    if (!memory) memory = calloc(1, barred_octets());
    must(memory != NULL);
    struct barred *b = barred_on(memory);
    must(barred_take(b, SPAN("\3\0"))); /* empty, whatever was before */
    struct wire w = wire_on(span_of(data, size));
    for (struct span part = wire_span(&w, UINT16_MAX); !w.bad; part = wire_span(&w, UINT16_MAX)) {
        uint32_t before = barred_count(b);
        bool taken = barred_take(b, part);
        if (!taken) must(barred_count(b) == before);
        look(b, part.n > 2 ? part : SPAN("\0\0"), taken && part.p[0] == 3);
    }
    return 0;
}

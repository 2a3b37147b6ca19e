/* The envelope of a message and its id: what is read is what would be written; nothing in it can break a line. */
#include <stdlib.h>

#include "spool/envelope.h"
#include "spool/message_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 32 || s.p[i] == 127) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[65536];
    struct span s = span_of(data, size);
    struct wire w = wire_on(s);
    struct buf b = buf_on(octets, sizeof octets);
    struct envelope_head h;
    struct envelope_recipient r;
    uint32_t count = 0, n = 0;
    uint64_t id;
    if (message_id_parse(s, &id)) {
        message_id_put(&b, id);
        if (!span_eq_nocase(buf_span(&b), s)) abort();
        b.n = 0;
    }
    bool valid = envelope_valid(s, 1000, &count);
    if (!envelope_read_head(&w, &h)) {
        if (valid) abort();
        return 0;
    }
    printable(h.reverse_path);
    printable(h.helo);
    envelope_put_head(&b, &h);
    while (envelope_read_recipient(&w, &r)) {
        n++;
        printable(r.path);
        printable(r.orcpt);
        if (r.path.n == 0 || r.path.n > LIMIT_PATH_OCTETS) abort();
        envelope_put_recipient(&b, &r);
    }
    if (valid != (wire_done(&w) && n > 0 && n <= 1000) || (valid && n != count)) abort();
    if (valid && !b.over && !span_eq(buf_span(&b), s)) abort();
    return 0;
}

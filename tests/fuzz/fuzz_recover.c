/* Recovery from hostile segments: the input is a list of records, written with valid heads and CRCs into log segments, so that
 * everything behind the CRC is reached. Whatever stands in them: the spool opens, can be listed, verified and written. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "sim_disk.h"
#include "spool/record.h"
#include "spool_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT 65536

static size_t put_record(uint8_t *p, size_t at, struct record r, struct span payload)
{
    uint64_t next = at + record_octets(payload.n);
    if (next > SEGMENT) return SEGMENT;
    r.length = (uint32_t)payload.n;
    r.payload_crc = crc32c(0, payload.p, payload.n);
    record_head_put(p + at, &r, 0);
    if (payload.n) memcpy(p + at + RECORD_HEAD_OCTETS, payload.p, payload.n);
    next = record_next(at, &r);
    return next > SEGMENT ? SEGMENT : (size_t)next;
}

/* Octets: type, flags, id, batch, length (2), payload ... ; type 0 begins the next segment. */
static void write_segments(struct disk *d, struct wire *w)
{
    static uint8_t p[SEGMENT];
    char name[] = "log-00000001";
    for (uint32_t number = 1; number <= 3 && w->rest.n; number++, name[11]++) {
        uint8_t head[13] = {0};
        memset(p, 0, sizeof p);
        size_t at = put_record(p, 0, (struct record){.type = RECORD_SEGMENT, .epoch = number, .batch = 1},
                               span_of(head, sizeof head));
        while (w->rest.n && at < SEGMENT) {
            struct record r = {.epoch = number, .type = wire_u8(w), .flags = wire_u8(w)};
            r.id = wire_u8(w);
            r.batch = wire_u8(w);
            uint16_t length = wire_u16(w);
            if (w->bad || r.type == 0) break;
            struct span payload = wire_raw(w, length < w->rest.n ? length : w->rest.n);
            at = put_record(p, at, r, payload);
        }
        int file = d->ops->open(d->context, name, DISK_CREATE);
        if (file < 0 || disk_write(d, file, p, sizeof p, 0) != 0) abort();
        d->ops->close(d->context, file);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_disk *sim = sim_disk_create(1);
    struct disk d = sim_disk_ops(sim);
    struct wire w = wire_on(span_of(data, size));
    write_segments(&d, &w);
    spool_use(&d, SEGMENT, false);
    sim_disk_destroy(&sim);
    return 0;
}

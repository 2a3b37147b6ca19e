/* A hostile checkpoint: the input is a list of blocks, written with valid heads and CRCs, beside a log of one segment. Whatever stands in
 * them: the spool opens, can be listed, verified and written. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "sim_disk.h"
#include "spool/record.h"
#include "spool_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT 65536
#define BLOCKS  16

static uint8_t p[SEGMENT * (BLOCKS + 1)];

static size_t put(uint8_t *to, struct record r, struct span payload)
{
    r.length = (uint32_t)payload.n;
    r.payload_crc = crc32c(0, payload.p, payload.n);
    r.flags = RECORD_END;
    record_head_put(to, &r, 0);
    if (payload.n) memcpy(to + RECORD_HEAD_OCTETS, payload.p, payload.n);
    return record_align(record_octets(payload.n), RECORD_BATCH_ALIGN);
}

static void write_file(struct disk *d, const char *name, size_t n)
{
    int file = d->ops->open(d->context, name, DISK_CREATE);
    if (file < 0 || (n && disk_write(d, file, p, n, 0) != 0)) abort();
    d->ops->close(d->context, file);
}

/* Octets: length (2), payload ... for each block. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_disk *sim = sim_disk_create(1);
    struct disk d = sim_disk_ops(sim);
    struct wire w = wire_on(span_of(data, size));
    uint8_t head[13] = {0};
    memset(p, 0, sizeof p);
    (void)put(p, (struct record){.type = RECORD_SEGMENT, .epoch = 1, .batch = 1}, span_of(head, sizeof head));
    (void)put(p + RECORD_BATCH_ALIGN, (struct record){.type = RECORD_VOID, .epoch = 1, .batch = 2},
              span_of(head, sizeof head));
    write_file(&d, "log-00000001", SEGMENT);
    memset(p, 0, sizeof p);
    size_t at = 0;
    for (uint64_t block = 1; block <= BLOCKS && w.rest.n; block++) {
        uint16_t length = wire_u16(&w);
        if (w.bad || length > SEGMENT - 64) break;
        struct span payload = wire_raw(&w, length < w.rest.n ? length : w.rest.n);
        at += put(p + at, (struct record){.type = RECORD_CHECKPOINT, .id = block}, payload);
    }
    write_file(&d, "checkpoint", at);
    spool_use(&d, SEGMENT, true);
    sim_disk_destroy(&sim);
    return 0;
}

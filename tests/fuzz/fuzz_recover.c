/* Recovery from hostile segments: the input is a list of records, written with valid heads and CRCs into log segments, so that
 * everything behind the CRC is reached. Whatever stands in them: the spool opens, can be listed, verified and written. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "sim_disk.h"
#include "spool/listing.h"
#include "spool/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT 65536

static void committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                      enum store_status status)
{
    (void)context, (void)token, (void)m, (void)id, (void)status;
}

static enum store_place place(void *context, const struct message *m, const struct recipient *r)
{
    (void)context, (void)m;
    return r->flags & RECIPIENT_LOCAL ? PLACE_DELIVER : PLACE_WAIT;
}

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

static void use(struct store *s)
{
    static uint8_t text[LISTING_TEXT_OCTETS];
    static const uint8_t kinds[] = {QUESTION_LIST, QUESTION_VERIFY,  QUESTION_COUNTS,
                                    QUESTION_SHOW, QUESTION_SUMMARY, QUESTION_CHANGE};
    struct listing_verified v = {0};
    for (size_t i = 0; i < sizeof kinds; i++) {
        struct question q = {
            .kind = kinds[i], .what = GROUP_REASON, .page = 10, .filter = QUESTION_FILTER_ANY};
        struct listing l = {.store = s, .unix_ms = 1, .verified = &v};
        if (kinds[i] == QUESTION_SHOW) q.filter.id = 1;
        if (kinds[i] == QUESTION_CHANGE) q.what = CHANGE_REQUEUE;
        bool last = false;
        for (int page = 0; page < 50 && !last; page++) {
            struct buf b = buf_on(text, sizeof text);
            (void)listing_answer(&l, &q, &b, &q.cursor, &last);
            if (b.over) abort();
        }
    }
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    struct attempt a = {.state = RECIPIENT_DELIVERED, .text = SPAN("fine")};
    for (int i = 0; i < 20 && store_due(s, UINT64_MAX / 2, &id, &recipient, &why); i++)
        if (!store_attempt(s, id, recipient, &a, UINT64_MAX / 2)) abort();
    if (!store_flush(s, 1)) abort();
    for (int i = 0; i < 8; i++)
        store_maintain(s, 20000 * (uint64_t)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_disk *sim = sim_disk_create(1);
    struct disk d = sim_disk_ops(sim);
    struct wire w = wire_on(span_of(data, size));
    struct store_options o = {.disk = d,
                              .segment_octets = SEGMENT,
                              .retry_first_seconds = 1,
                              .retry_max_seconds = 2,
                              .queue_seconds = 3,
                              .delay_seconds = 1,
                              .committed = committed,
                              .place = place};
    const char *error;
    write_segments(&d, &w);
    for (int twice = 0; twice < 2; twice++) {
        struct store *s = store_open(&o, 1000, &error);
        if (!s) abort();
        use(s);
        store_close(&s);
    }
    sim_disk_destroy(&sim);
    return 0;
}

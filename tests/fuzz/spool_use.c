#include "spool_use.h"

#include <stdlib.h>

#include "spool/listing.h"

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
    for (int i = 0; i < 20 && store_due(s, STORE_ANY, UINT64_MAX / 2, &id, &recipient, &why); i++)
        if (!store_attempt(s, id, recipient, &a, UINT64_MAX / 2)) abort();
    if (!store_flush(s, 1)) abort();
    for (int i = 0; i < 8; i++)
        store_maintain(s, 20000 * (uint64_t)i);
}

void spool_use(const struct disk *d, uint32_t segment_octets, bool checkpoint)
{
    struct store_options o = {.disk = *d,
                              .segment_octets = segment_octets,
                              .checkpoint = checkpoint,
                              .checkpoint_messages = 1,
                              .checkpoint_octets = 1,
                              .retry_first_seconds = 1,
                              .retry_max_seconds = 2,
                              .queue_seconds = 3,
                              .delay_seconds = 1,
                              .committed = committed,
                              .place = place};
    const char *error;
    for (int twice = 0; twice < 2; twice++) {
        struct store *s = store_open(&o, 1000, &error);
        if (!s) abort();
        use(s);
        store_close(&s);
    }
}

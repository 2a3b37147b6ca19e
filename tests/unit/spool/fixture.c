#include "fixture.h"

#include <stdlib.h>

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    struct fixture *f = context;
    (void)id;
    f->answers++;
    f->durable += status == STORE_DURABLE;
    f->failed += status == STORE_FAILED;
    f->last_token = token;
    if ((m != NULL) != (status == STORE_DURABLE)) abort();
}

static enum store_place on_place(void *context, const struct message *m, const struct recipient *r)
{
    const struct fixture *f = context;
    (void)m, (void)r;
    return f->hold ? PLACE_HOLD : f->no_route ? PLACE_WAIT : PLACE_DELIVER;
}

static void on_left(void *context, uint32_t ticket)
{
    struct fixture *f = context;
    f->left = ticket;
    f->n_left++;
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    struct fixture *f = context;
    (void)segment, (void)offset, (void)error, (void)text;
    f->alarms[what]++;
    if (id) f->damaged_id = id;
}

struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) abort();
    f->disk = sim_disk_create(1);
    f->now_ms = FIXTURE_NOW;
    f->delay_seconds = UINT32_MAX;
    if (!fixture_open(f)) abort();
    return f;
}

void fixture_free(struct fixture **fp)
{
    store_close(&(*fp)->store);
    sim_disk_destroy(&(*fp)->disk);
    free(*fp);
    *fp = NULL;
}

bool fixture_open(struct fixture *f)
{
    const char *error;
    struct store_options o = {.disk = sim_disk_ops(f->disk),
                              .seed = 1,
                              .salt = 0x123456789abcdef,
                              .segment_octets = FIXTURE_SEGMENT,
                              .retry_first_seconds = 300,
                              .retry_max_seconds = 4200,
                              .queue_seconds = 432000,
                              .delay_seconds = f->delay_seconds,
                              .checkpoint = f->checkpoint,
                              .checkpoint_messages = 1,
                              .checkpoint_octets = 1,
                              .context = f,
                              .committed = on_committed,
                              .place = on_place,
                              .left = on_left,
                              .alarm = on_alarm};
    f->store = store_open(&o, f->now_ms, &error);
    return f->store != NULL;
}

void fixture_reopen(struct fixture *f)
{
    store_close(&f->store);
    if (!fixture_open(f)) abort();
}

void fixture_crash(struct fixture *f)
{
    store_close(&f->store);
    sim_disk_crash(f->disk);
    if (!fixture_open(f)) abort();
}

void fixture_content(uint64_t id, uint8_t *to, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        to[i] = (uint8_t)(id * 31 + i * 7 + i / 251);
}

enum store_status fixture_commit(struct fixture *f, uint64_t id, size_t octets, uint32_t recipients)
{
    static uint8_t memory[65536];
    uint8_t *content = malloc(octets + 1), path[32];
    struct buf b = buf_on(memory, sizeof memory);
    if (!content) abort();
    fixture_content(id, content, octets);
    envelope_put_head(&b, &(struct envelope_head){.arrival_ms = f->now_ms,
                                                  .server = SPAN("mx"),
                                                  .client_address = SPAN("192.0.2.1"),
                                                  .helo = SPAN("client.example"),
                                                  .reverse_path = SPAN("sender@example.net")});
    for (uint32_t i = 0; i < recipients; i++) {
        struct buf to = buf_on(path, sizeof path);
        buf_byte(&to, 'r');
        buf_u64(&to, i);
        buf_str(&to, "@example.org");
        envelope_put_recipient(&b, &(struct envelope_recipient){.local = 1, .path = buf_span(&to)});
    }
    struct span parts[2] = {buf_span(&b), span_of(content, octets)};
    enum store_status status = store_commit(f->store, id, 1, id + 1000, parts, 1, 2, octets, f->now_ms);
    free(content);
    return status;
}

bool fixture_whole(struct fixture *f, uint64_t id, size_t octets)
{
    const struct message *m = store_find(f->store, id);
    if (!m || m->content_octets != octets) return false;
    uint8_t *want = malloc(octets + 1), *got = malloc(octets + 1);
    if (!want || !got) abort();
    fixture_content(id, want, octets);
    bool same =
        store_read_content(f->store, m, got, octets) == (int64_t)octets && memcmp(want, got, octets) == 0;
    free(want);
    free(got);
    return same;
}

bool fixture_finish(struct fixture *f, uint64_t id)
{
    const struct message *m;
    struct attempt a = {.state = RECIPIENT_DELIVERED, .enhanced = SPAN("2.0.0"), .text = SPAN("delivered")};
    for (uint32_t i = 0; (m = store_find(f->store, id)) && i < m->n_recipients; i++)
        if (!store_attempt(f->store, id, i, &a, f->now_ms)) return false;
    return true;
}

bool fixture_flush(struct fixture *f)
{
    return store_flush(f->store, f->now_ms);
}

void fixture_maintain(struct fixture *f, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        f->now_ms += 1000;
        store_maintain(f->store, f->now_ms);
    }
}

/* The scan of a segment: raw octets, as the last, a sealed and an open segment; and the payloads of records. */
#include <stdlib.h>

#include "spool/payload.h"
#include "spool/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t at, n;
};

static void payloads(struct span s)
{
    struct commit_payload c;
    struct state_payload state;
    struct hold_payload hold;
    struct tombstone t;
    struct wire w = wire_on(s);
    if (commit_payload_read(s, &c) && c.count > LIMIT_MESSAGE_EXTENTS) abort();
    if (state_payload_read(s, &state)) {
        uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + LIMIT_STATE_EVENT_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        state_payload_history(
            &b, state.history,
            &(struct state_event){
                .time_ms = 1, .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.0.0"), .text = SPAN("later")});
        if (b.over || (b.n > LIMIT_STATE_HISTORY_OCTETS && state.history.n <= LIMIT_STATE_HISTORY_OCTETS / 2))
            abort();
        struct wire d = wire_on(state.derived);
        struct derived one;
        uint32_t n = 0;
        while (derived_read(&d, &one))
            n++;
        if (state.state == RECIPIENT_EXPANDED && n != state.count) abort();
    }
    if (hold_payload_read(s, &hold) &&
        (hold.count == 0 || hold.count > LIMIT_HOLD_EVENTS || s.n != HOLD_PAYLOAD_OCTETS(hold.count)))
        abort();
    while (tombstone_read(&w, &t)) {
    }
}

static void on_record(void *context, size_t offset, const struct record *r, struct span payload)
{
    struct seen *v = context;
    if (offset < v->at || payload.n != r->length || offset + RECORD_HEAD_OCTETS + payload.n > v->n) abort();
    v->at = offset + RECORD_HEAD_OCTETS + payload.n;
    payloads(payload);
}

static void on_damage(void *context, size_t from, size_t to, uint64_t id, const char *text)
{
    struct seen *v = context;
    (void)id, (void)text;
    if (from < v->at || to <= from || to > v->n) abort();
    v->at = to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    payloads(span_of(data, size));
    for (int how = SCAN_EXACT; how <= SCAN_LAST; how++) {
        struct seen v = {0, size};
        struct scan s = {.p = data,
                         .n = size,
                         .epoch = 1,
                         .how = (enum scan_end)how,
                         .context = &v,
                         .record = on_record,
                         .damage = on_damage};
        scan_segment(&s);
        if (s.end > size) abort();
    }
    (void)scan_proves_use(data, size, 0, 1, 0);
    return 0;
}

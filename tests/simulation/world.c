#include "world_private.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t mix(uint64_t v)
{
    v += 0x9e3779b97f4a7c15U;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebU;
    return v ^ (v >> 31);
}

uint64_t world_dice(struct world *w, uint64_t sides)
{
    return mix(w->random++) % sides;
}

static uint64_t dice(struct world *w, uint64_t sides)
{
    return world_dice(w, sides);
}

void world_wrong(struct world *w, const char *format, ...)
{
    if (w->error[0]) return;
    va_list a;
    va_start(a, format);
    vsnprintf(w->error, sizeof w->error, format, a);
    va_end(a);
}

void world_fill(uint8_t *p, uint64_t seed, uint64_t from, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        p[i] = (uint8_t)mix(seed + (from + i) / 8) ^ (uint8_t)((from + i) & 7);
}

struct model *world_model(struct world *w, uint64_t id)
{
    for (unsigned i = w->n; i-- > 0;)
        if (w->models[i].id == id) return &w->models[i];
    return NULL;
}

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    struct world *w = context;
    struct model *e = world_model(w, id);
    if (!e || e->answer != WAITING || token != (id ^ 0x5a5a)) {
        world_wrong(w, "answer %d for %llx, which did not wait", (int)status, (unsigned long long)id);
        return;
    }
    if ((m != NULL) != (status == STORE_DURABLE)) world_wrong(w, "answer and message disagree");
    e->answer = status == STORE_DURABLE ? QUEUED : REFUSED;
    if (status == STORE_DURABLE)
        w->numbers.committed++;
    else
        w->numbers.answered_failed++;
}

static enum store_place on_place(void *context, const struct message *m, const struct recipient *r)
{
    struct world *w = context;
    (void)m;
    if (w->hold_all) return PLACE_HOLD;
    return r->flags & RECIPIENT_LOCAL ? PLACE_DELIVER : PLACE_WAIT;
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    struct world *w = context;
    if (w->o.talk)
        printf("  alarm %d segment %u offset %llu id %llx error %d: %s\n", (int)what, segment,
               (unsigned long long)offset, (unsigned long long)id, error, text);
    if (what == ALARM_SPACE && w->o.small) w->numbers.recycled++;
    if (what == ALARM_DAMAGED && !sim_disk_stopped(w->disk))
        world_wrong(w, "damage reported on a disk without damage: segment %u offset %llu: %s", segment,
                    (unsigned long long)offset, text);
}

struct world *world_create(const struct world_options *o)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->o = *o;
    w->disk = sim_disk_create(mix(o->seed));
    w->random = mix(o->seed ^ 77) | 1;
    w->now_ms = UINT64_C(1795620000000);
    w->models = calloc(MESSAGES, sizeof *w->models);
    if (!w->models) abort();
    world_mend(w);
    return w;
}

void world_destroy(struct world **wp)
{
    struct world *w = *wp;
    store_close(&w->store);
    sim_disk_destroy(&w->disk);
    free(w->models);
    free(w);
    *wp = NULL;
}

struct sim_disk *world_disk(struct world *w)
{
    return w->disk;
}

struct store *world_store(struct world *w)
{
    return w->store;
}

const char *world_error(const struct world *w)
{
    return w->error[0] ? w->error : NULL;
}

struct world_numbers world_numbers(const struct world *w)
{
    return w->numbers;
}

bool world_open(struct world *w)
{
    struct store_options o = {.disk = sim_disk_ops(w->disk),
                              .seed = w->o.seed,
                              .salt = mix(w->o.seed ^ 4711),
                              .segment_octets = SEGMENT,
                              .checkpoint = true,
                              .checkpoint_messages = 3,
                              .checkpoint_octets = 40000,
                              .retry_first_seconds = 300,
                              .retry_max_seconds = 4200,
                              .queue_seconds = 432000,
                              .delay_seconds = 14400,
                              .context = w,
                              .left = world_left,
                              .committed = on_committed,
                              .place = on_place,
                              .alarm = on_alarm};
    const char *error;
    w->store = store_open(&o, w->now_ms, &error);
    if (!w->store && !sim_disk_stopped(w->disk)) world_wrong(w, "the spool does not open: %s", error);
    if (w->store && store_counters(w->store).from_checkpoint) w->numbers.from_checkpoint++;
    return w->store != NULL;
}

/* What waited for an answer may be there or not. */
static void forget_volatile(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct model *e = &w->models[i];
        if (e->answer == WAITING) e->answer = MAYBE;
        if (e->answer == OPEN) e->answer = REFUSED; /* never completely submitted */
    }
    w->n_leases = w->n_ready = 0;
}

void world_crash(struct world *w)
{
    w->numbers.crashes++;
    w->unsure = false;
    store_close(&w->store);
    sim_disk_crash(w->disk);
    forget_volatile(w);
}

void world_mend(struct world *w)
{
    sim_disk_capacity(w->disk, w->o.small ? SEGMENT * 3 / 2 : UINT64_MAX);
    sim_disk_read_only(w->disk, false);
}

void world_flush(struct world *w)
{
    bool durable = store_flush(w->store, w->now_ms);
    if (w->o.talk) printf("  flush: %d\n", durable);
    if (durable && !sim_disk_is_read_only(w->disk)) w->unsure = false;
    durable &= !w->unsure;
    for (unsigned i = 0; durable && i < w->n; i++) {
        struct model *e = &w->models[i];
        if (e->answer == WAITING) world_wrong(w, "%llx still waits after a flush", (unsigned long long)e->id);
        e->gone_durably = e->gone;
        e->held_durably = e->held;
        e->held_changed = false;
        e->n_durable = e->n;
        for (uint32_t k = 0; k < e->n; k++) {
            e->r[k].durable = e->r[k].now;
            e->r[k].durable_attempts = e->r[k].attempts;
            e->r[k].told_durably = e->r[k].told;
            e->r[k].requeued = false;
        }
    }
}

bool world_stop(struct world *w)
{
    if (!sim_disk_stopped(w->disk)) world_flush(w);
    bool clean = store_stop(&w->store, w->now_ms);
    if (w->o.talk) printf("  stopped: %d\n", clean);
    if (clean) w->numbers.stopped++;
    forget_volatile(w);
    return clean;
}

void world_put_path(struct buf *b, uint64_t id, uint32_t i)
{
    buf_str(b, i % 5 == 4 ? "far" : "near");
    buf_u64(b, i);
    buf_str(b, "-");
    message_id_put(b, id);
    buf_str(b, "@example.org");
}

static size_t make_envelope(struct world *w, const struct model *e)
{
    struct buf b = buf_on(w->envelope, sizeof w->envelope);
    uint8_t memory[128];
    struct envelope_head head = {.arrival_ms = w->now_ms,
                                 .server = SPAN("mx"),
                                 .client_address = SPAN("192.0.2.7"),
                                 .helo = SPAN("client.example"),
                                 .reverse_path = SPAN("sender@example.net")};
    envelope_put_head(&b, &head);
    for (uint32_t i = 0; i < e->first; i++) {
        struct buf path = buf_on(memory, sizeof memory);
        world_put_path(&path, e->id, i);
        struct envelope_recipient r = {.local = i % 5 != 4, .path = buf_span(&path)};
        envelope_put_recipient(&b, &r);
    }
    return b.n;
}

static struct model *new_model(struct world *w, uint64_t octets)
{
    if (w->n == MESSAGES) return NULL;
    struct model *e = &w->models[w->n++];
    w->last_id = message_id_next(w->last_id, (unsigned)dice(w, 3), w->now_ms);
    *e = (struct model){.id = w->last_id, .content_seed = mix(w->random++), .octets = octets, .answer = OPEN};
    e->first = e->n = e->n_durable = 1 + (uint32_t)(dice(w, 3) ? 0 : dice(w, 5));
    for (uint32_t i = 0; i < e->n; i++)
        e->r[i] = (struct expected){.now = RECIPIENT_QUEUED, .durable = RECIPIENT_QUEUED};
    return e;
}

static void send_chunk(struct world *w, struct model *e)
{
    uint64_t n = 1 + dice(w, e->octets - e->sent);
    struct span parts[2];
    world_fill(w->content, e->content_seed, e->sent, n);
    uint64_t half = dice(w, n + 1);
    parts[0] = span_of(w->content, half);
    parts[1] = span_of(w->content + half, n - half);
    (void)store_chunk(w->store, e->id, 1, parts, 2); /* what went wrong shows at the commit */
    e->sent += n;
}

static void commit(struct world *w, struct model *e)
{
    uint64_t rest = e->octets - e->sent;
    size_t n = make_envelope(w, e), half = dice(w, n + 1);
    world_fill(w->content, e->content_seed, e->sent, rest);
    struct span parts[4] = {span_of(w->envelope, half), span_of(w->envelope + half, n - half),
                            span_of(w->content, rest / 2), span_of(w->content + rest / 2, rest - rest / 2)};
    e->answer = WAITING;
    enum store_status status =
        store_commit(w->store, e->id, 1, e->id ^ 0x5a5a, parts, 2, 4, e->octets, w->now_ms);
    if (w->o.talk)
        printf("  commit %llx %llu octets: %d\n", (unsigned long long)e->id, (unsigned long long)e->octets,
               (int)status);
    if (status != STORE_PENDING) {
        if (e->answer != WAITING) world_wrong(w, "answered twice");
        e->answer = REFUSED;
        w->numbers.answered_failed++;
        if (!w->o.faults && !w->o.small && !sim_disk_stopped(w->disk))
            world_wrong(w, "a commit was refused: %d", (int)status);
    }
}

static struct model *pick(struct world *w, enum answer answer)
{
    if (w->n == 0) return NULL;
    unsigned at = (unsigned)dice(w, w->n);
    for (unsigned i = 0; i < w->n; i++) {
        struct model *e = &w->models[(at + i) % w->n];
        if (e->answer == answer && !e->gone) return e;
    }
    return NULL;
}

static void submit(struct world *w)
{
    uint64_t kind = dice(w, 12);
    struct model *e = pick(w, OPEN);
    if (kind < 7) {
        if ((e = new_model(w, 1 + dice(w, kind < 6 ? 3000 : 20000)))) commit(w, e);
    } else if (kind == 7 && (e = new_model(w, 1 + dice(w, CONTENT - 1)))) {
        send_chunk(w, e);
    } else if (kind < 10 && e && e->sent < e->octets) {
        send_chunk(w, e);
    } else if (kind == 10 && e) {
        commit(w, e);
    } else if (kind == 11 && e) {
        store_abort(w->store, e->id, 1);
        e->answer = REFUSED;
    }
}

static void submit_nonsense(struct world *w)
{
    struct model *e = pick(w, QUEUED);
    struct span parts[2] = {SPAN("this is no envelope"), SPAN("content")};
    uint64_t fresh = message_id_next(w->last_id, 2, w->now_ms);
    w->last_id = fresh;
    if (store_commit(w->store, fresh, 1, 0, parts, 1, 2, 7, w->now_ms) == STORE_PENDING)
        world_wrong(w, "nonsense was taken");
    if (!e) return;
    size_t n = make_envelope(w, e);
    parts[0] = span_of(w->envelope, n);
    if (store_commit(w->store, e->id, 1, 0, parts, 1, 2, 7, w->now_ms) == STORE_PENDING)
        world_wrong(w, "an id was taken twice");
    if (store_commit(w->store, fresh + 1, 1, 0, parts, 1, 2, 8, w->now_ms) == STORE_PENDING)
        world_wrong(w, "a wrong size was taken");
    if ((e = pick(w, OPEN)) &&
        store_commit(w->store, e->id, 2, 0, parts, 1, 2, e->octets, w->now_ms) == STORE_PENDING)
        world_wrong(w, "another's message was committed");
}

static void hold(struct world *w, struct model *e)
{
    if (!e) return;
    bool held = !e->held;
    if (store_hold(w->store, e->id, held, (uint32_t)e->id, w->now_ms)) {
        e->held = held;
        if (held && world_ready(w, e->id))
            world_wrong(w, "%llx is held and ready", (unsigned long long)e->id);
        if (w->o.talk) printf("  %llx held %d\n", (unsigned long long)e->id, held);
        e->held_changed = true;
    }
}

static void lease(struct world *w)
{
    if (w->n_leases == 8 || (w->n_leases && dice(w, 2))) {
        store_lease_return(w->store, w->leases[--w->n_leases]);
        return;
    }
    struct model *e = pick(w, QUEUED);
    const struct message *m = e ? store_find(w->store, e->id) : NULL;
    if (!m || m->n_extents == 0) return;
    uint32_t segment = message_extents(m)[0].segment;
    if (store_lease(w->store, segment) >= 0) w->leases[w->n_leases++] = segment;
}

static void fault(struct world *w)
{
    switch (dice(w, 6)) {
    case 0: sim_disk_fail_sync(w->disk, (unsigned)dice(w, 4)); break;
    case 1: sim_disk_fail_write(w->disk, (unsigned)dice(w, 4)); break;
    case 2: sim_disk_capacity(w->disk, sim_disk_used(w->disk) + dice(w, 2 * SEGMENT)); break;
    case 3: sim_disk_read_only(w->disk, dice(w, 3) == 0); break;
    default: world_mend(w); break;
    }
}

/* Whatever there is ends: the segments are wholly dead. */
static void empty(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct model *e = &w->models[i];
        if (e->answer == OPEN) {
            store_abort(w->store, e->id, 1);
            e->answer = REFUSED;
        }
        if (e->held && !e->gone) hold(w, e);
    }
    while (w->n_leases)
        store_lease_return(w->store, w->leases[--w->n_leases]);
    w->hold_all = false;
    store_place_again(w->store, w->now_ms);
    w->now_ms += 6 * UINT64_C(86400000); /* longer than the queue keeps anything */
    for (int i = 0; i < 60 && !sim_disk_stopped(w->disk) && !w->error[0]; i++) {
        store_maintain(w->store, w->now_ms);
        world_deliver(w);
    }
    world_flush(w);
    for (int i = 0; i < 3; i++) {
        w->now_ms += 1000;
        store_maintain(w->store, w->now_ms);
    }
}

static void restart(struct world *w)
{
    w->unsure = !world_stop(w) && sim_disk_is_read_only(w->disk);
    sim_disk_fail_sync(w->disk, UINT_MAX); /* a start whose sync fails is no start: never, here */
    if (!world_error(w) && world_open(w) && !sim_disk_stopped(w->disk)) (void)world_check(w);
}

void world_act(struct world *w)
{
    uint64_t kind = dice(w, 100);
    w->now_ms += dice(w, 50);
    if (kind < 40)
        submit(w);
    else if (kind < 58)
        world_flush(w);
    else if (kind < 78)
        world_deliver(w);
    else if (kind < 81)
        hold(w, pick(w, QUEUED));
    else if (kind < 82)
        world_operate(w, pick(w, QUEUED));
    else if (kind < 88)
        for (uint64_t k = dice(w, 3); k < 3; k++)
            store_maintain(w->store, w->now_ms);
    else if (kind < 91)
        lease(w);
    else if (kind < 93)
        submit_nonsense(w);
    else if (kind < 96)
        w->now_ms += dice(w, 8) ? dice(w, 600000) : dice(w, 86400000);
    else if (kind < 97)
        dice(w, 2) ? restart(w) : (void)(w->now_ms -= dice(w, 60000));
    else if (kind < 98) {
        w->hold_all = dice(w, 3) == 0;
        store_place_again(w->store, w->now_ms);
    } else if (w->o.small && dice(w, 2))
        empty(w);
    else if (w->o.faults)
        fault(w);
}

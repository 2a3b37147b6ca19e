#include "outbound_private.h"

#include "process/spooler_private.h"
#include "spool/envelope.h"
#include "spool/message_id.h"

#include <stdlib.h>

static struct spooler *spooler(struct outbound_world *w)
{
    return w->spooler.state;
}

static bool broken(struct outbound_world *w)
{
    if (machine.wrong) scene_wrong(&w->scene, "%s", machine.wrong);
    return w->scene.error[0] != 0;
}

/* --- letters --- */

static size_t put_envelope(struct outbound_world *w, const struct post_letter *l, uint8_t *memory, size_t max)
{
    uint8_t text[2][128];
    struct buf b = buf_on(memory, max), from = buf_on(text[0], sizeof text[0]);
    if (!l->from_nobody) post_put_sender(&from, l);
    struct envelope_head head = {.flags = l->flags,
                                 .arrival_ms = machine.unix_ms,
                                 .server = SPAN("mx"),
                                 .client_address = SPAN("192.0.2.7"),
                                 .helo = SPAN("client.example"),
                                 .reverse_path = buf_span(&from)};
    envelope_put_head(&b, &head);
    for (uint32_t i = 0; i < l->n_to; i++) {
        struct buf path = buf_on(text[1], sizeof text[1]);
        post_put_recipient(&path, l, i);
        envelope_put_recipient(&b,
                               &(struct envelope_recipient){.notify = l->notify, .path = buf_span(&path)});
    }
    if (b.over) scene_wrong(&w->scene, "an envelope is too small");
    return b.n;
}

static void submit(struct outbound_world *w, struct post_letter *l)
{
    uint8_t envelope[2048];
    struct store *s = spooler(w)->store;
    if (!l) return;
    w->last_id = message_id_next(w->last_id, 1, machine.unix_ms);
    l->id = w->last_id;
    size_t n = put_envelope(w, l, envelope, sizeof envelope), at = 0;
    bool open = true;
    while (open && l->n - at > 30000 && roll(w->disk, 4)) {
        struct span part = span_of(l->octets + at, 1 + (size_t)roll(w->disk, 40000));
        part = span_head(part, l->n - at);
        open = store_chunk(s, l->id, 1, &part, 1) == STORE_PENDING;
        at += part.n;
    }
    struct span parts[2] = {span_of(envelope, n), span_of(l->octets + at, l->n - at)};
    enum store_status status =
        open ? store_commit(s, l->id, 1, 0, parts, 1, 2, l->n, machine.unix_ms) : STORE_FAILED;
    scene_note(&w->scene, "submit", l->id, status);
    if (status == STORE_PENDING) return;
    store_abort(s, l->id, 1);
    l->answer = POST_REFUSED;
}

/* --- what happens --- */

static void pass(struct outbound_world *w, uint64_t ms)
{
    machine.mono_ms += ms;
    machine.unix_ms += ms;
    w->scene.mono_ms = machine.mono_ms;
}

static void jump(struct outbound_world *w)
{
    w->post.numbers.jumps++;
    switch (roll(w->disk, 6)) {
    case 0: machine.unix_ms += roll(w->disk, 86400000); break;
    case 1: machine.unix_ms -= roll(w->disk, 3600000); break;
    case 2: pass(w, roll(w->disk, 8000000)); break;
    case 3: pass(w, roll(w->disk, 400000)); break;
    default: pass(w, roll(w->disk, 30000)); break;
    }
    scene_note(&w->scene, "clock", machine.unix_ms, machine.mono_ms);
}

static void disk_fault(struct outbound_world *w)
{
    switch (roll(w->disk, 6)) {
    case 0: sim_disk_fail_sync(w->disk, (unsigned)roll(w->disk, 4)); break;
    case 1: sim_disk_fail_write(w->disk, (unsigned)roll(w->disk, 4)); break;
    case 2: sim_disk_capacity(w->disk, sim_disk_used(w->disk) + roll(w->disk, 200000)); break;
    case 3: sim_disk_read_only(w->disk, roll(w->disk, 3) == 0); break;
    default:
        sim_disk_capacity(w->disk, UINT64_MAX);
        sim_disk_read_only(w->disk, false);
        break;
    }
}

static void disk_has_room(struct outbound_world *w)
{
    sim_disk_capacity(w->disk, UINT64_MAX);
    sim_disk_read_only(w->disk, false);
}

static void restart_spooler(struct outbound_world *w)
{
    disk_has_room(w);
    cast_spooler_end(w, roll(w->disk, 2) ? CAST_DIES : CAST_STOPS);
    cast_spooler_start(w);
}

static struct connection *some_connection(struct outbound_world *w)
{
    unsigned first = (unsigned)roll(w->disk, HOP_CONNECTIONS);
    for (unsigned i = 0; i < HOP_CONNECTIONS; i++) {
        struct connection *c = &w->hops.connections[(first + i) % HOP_CONNECTIONS];
        if (c->used) return c;
    }
    return &w->hops.connections[0];
}

static void act_rare(struct outbound_world *w)
{
    uint64_t kind = roll(w->disk, 100);
    if (kind < 40)
        hops_break(&w->hops, some_connection(w));
    else if (kind < 75)
        jump(w);
    else if (kind < 80)
        cast_relay_dies(w);
    else if (kind < 84)
        cast_connector_dies(w);
    else if (kind < 88)
        restart_spooler(w);
    else if (kind < 94)
        cast_configure(w, (unsigned)roll(w->disk, OUTBOUND_CONFIGS));
    else if (w->o.faults)
        disk_fault(w);
}

static void act_often(struct outbound_world *w)
{
    uint64_t kind = roll(w->disk, 100);
    pass(w, roll(w->disk, 20));
    if (kind < 26)
        cast_relay_turn();
    else if (kind < 49)
        cast_spooler_turn(w);
    else if (kind < 57)
        cast_connector_turn(w);
    else if (kind < 76)
        hops_act(&w->hops, some_connection(w));
    else if (kind < 98)
        (void)hops_act_all(&w->hops);
    else
        submit(w, post_write(&w->post, HOP_COUNT - 1));
}

static void act(struct outbound_world *w)
{
    if (roll(w->disk, 50))
        act_often(w);
    else
        act_rare(w);
}

static void round_of(struct outbound_world *w)
{
    uint64_t acts = 200 + roll(w->disk, 1500);
    sim_disk_stop_at(w->disk, roll(w->disk, 4) ? 1 + roll(w->disk, 300) : 0);
    for (uint64_t i = 0; i < acts && !broken(w) && !sim_disk_stopped(w->disk); i++)
        act(w);
    if (broken(w)) return;
    disk_has_room(w);
    cast_spooler_end(w, CAST_POWER);
    if (roll(w->disk, 3) == 0)
        sim_disk_stop_at(w->disk, 1 + roll(w->disk, 12)); /* and again while it recovers */
    cast_spooler_start(w);
}

/* --- the end --- */

/* Everybody has a turn; where nobody has anything to do, time goes on, faster and faster. */
static void go_on(struct outbound_world *w, uint64_t *still, uint64_t most_ms)
{
    uint64_t before = machine.moved;
    cast_relay_turn();
    cast_connector_turn(w);
    cast_spooler_turn(w);
    (void)hops_act_all(&w->hops);
    *still = machine.moved == before ? *still * 3 : 10;
    if (*still > most_ms) *still = most_ms;
    pass(w, *still);
}

/* A dead hop never starves a live one: whatever else waits, and for whom, a letter to the live one is there in bounded time. */
static void live(struct outbound_world *w)
{
    uint64_t still = 5, until = machine.mono_ms + 5400000;
    struct post_letter *l = post_write(&w->post, 1);
    if (!l) return;
    l->dirty ? (void)(l->answer = POST_REFUSED) : submit(w, l);
    if (l->answer == POST_REFUSED) return;
    while (!broken(w) && machine.mono_ms < until) {
        bool there = true;
        for (uint32_t i = 0; i < l->n_to; i++)
            there = there && l->to[i].durable == RECIPIENT_DELIVERED;
        if (there) return;
        go_on(w, &still, 20000);
    }
    if (!broken(w))
        scene_wrong(&w->scene, "letter %u to a hop that is well waits behind dead ones", l->serial);
}

static void check_destinations(struct outbound_world *w)
{
    struct destination_counters n = destinations_counters(spooler(w)->destinations);
    uint32_t active = 0;
    for (unsigned i = 0; i < DESTINATION_STANDING_COUNT; i++)
        active += n.active[i];
    if (n.queued || active || spooler(w)->n_jobs || spooler(w)->n_deliveries || cast_relay_busy())
        scene_wrong(&w->scene,
                    "at the end %u wait for next hops, %u transactions, %u jobs and %u results are open",
                    n.queued, active, spooler(w)->n_jobs, spooler(w)->n_deliveries);
}

static void finale(struct outbound_world *w)
{
    uint64_t still = 5;
    disk_has_room(w);
    sim_disk_stop_at(w->disk, 0);
    if (sim_disk_stopped(w->disk)) {
        cast_spooler_end(w, CAST_POWER);
        cast_spooler_start(w);
    }
    if (!broken(w)) live(w);
    for (unsigned i = 0; i < 300 && !broken(w);
         i++) /* one more death, behind which no new start heals anything */
        act_often(w);
    cast_relay_dies(w);
    w->hops.calm = true;
    for (unsigned i = 0; i < 300000 && !broken(w); i++) {
        go_on(w, &still, 600000);
        if (!store_after(spooler(w)->store, 0) && !cast_relay_busy()) break;
    }
    for (unsigned i = 0; i < 20 && !broken(w); i++)
        go_on(w, &still, 1000);
    if (broken(w)) return;
    post_end(&w->post, spooler(w)->store);
    check_destinations(w);
}

void outbound_world_run(const struct outbound_options *o, struct outbound_result *result)
{
    struct outbound_world *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->o = *o;
    w->disk = sim_disk_create(o->seed * 0x9e3779b97f4a7c15U + 4711);
    machine_begin(w->disk);
    w->scene = (struct scene){.dice = w->disk, .mono_ms = machine.mono_ms, .talk = o->talk};
    w->post.scene = &w->scene;
    seam_begin(w);
    hops_begin(&w->hops, &w->scene, &w->post);
    cast_begin(w);
    for (unsigned i = 0; i < 3 && !broken(w); i++)
        round_of(w);
    if (!broken(w)) finale(w);
    cast_end(w);
    hops_end(&w->hops);
    machine_end();
    (void)broken(w);
    memcpy(result->error, w->scene.error, sizeof result->error);
    result->hash = w->scene.hash;
    result->numbers = w->post.numbers;
    seam_end();
    post_free(&w->post);
    sim_disk_destroy(&w->disk);
    free(w);
}

#include "session_world.h"

#include "edge.h"
#include "session_check.h"
#include "visitor.h"

#include <stdlib.h>

#define SEGMENT 65536

struct pair {
    struct link link;
    struct visitor client;
    bool used;
};

struct session_world {
    struct scene scene;
    struct edge edge;
    struct sim_disk *disk;
    struct session_world_options o;
    struct pair pairs[EDGE_SESSIONS];
    uint32_t sessions;
    bool quiet; /* no new sessions and faults: the end */
};

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    struct session_world *w = context;
    if ((m != NULL) != (status == STORE_DURABLE)) scene_wrong(&w->scene, "answer and message disagree");
    edge_committed(&w->edge, token, id, status);
}

static enum store_place on_place(void *context, const struct message *m, const struct recipient *r)
{
    (void)context, (void)m, (void)r;
    return PLACE_DELIVER;
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    struct session_world *w = context;
    (void)id, (void)error;
    scene_note(&w->scene, text, what, segment);
    if (what == ALARM_DAMAGED && !sim_disk_stopped(w->disk))
        scene_wrong(&w->scene, "damage reported on a disk without damage: segment %u offset %llu: %s",
                    segment, (unsigned long long)offset, text);
}

static bool broken(const struct session_world *w)
{
    return w->scene.error[0] != 0;
}

static void power_cut(struct session_world *w)
{
    scene_note(&w->scene, "power cut", sim_disk_steps(w->disk), 0);
    w->scene.numbers.crashes++;
    edge_die(&w->edge, false);
    store_close(&w->scene.store);
    sim_disk_crash(w->disk);
    check_forget_volatile(&w->scene);
}

static void disk_has_room(struct session_world *w)
{
    sim_disk_capacity(w->disk, UINT64_MAX);
    sim_disk_read_only(w->disk, false);
}

/* Opens the spool, however often the power goes meanwhile, and compares everything. */
static void open_spool(struct session_world *w)
{
    struct store_options o = {.disk = sim_disk_ops(w->disk),
                              .seed = w->o.seed,
                              .salt = w->o.seed * 4711 + 1,
                              .segment_octets = SEGMENT,
                              .checkpoint = true,
                              .checkpoint_messages = 2,
                              .checkpoint_octets = 20000,
                              .retry_first_seconds = 300,
                              .retry_max_seconds = 4200,
                              .queue_seconds = 432000,
                              .delay_seconds = 14400,
                              .context = w,
                              .committed = on_committed,
                              .place = on_place,
                              .alarm = on_alarm};
    const char *error = NULL;
    if (w->o.faults && roll(w->disk, 3) == 0) sim_disk_fail_sync(w->disk, (unsigned)roll(w->disk, 4));
    for (unsigned tries = 0;; tries++) {
        w->scene.store = store_open(&o, w->scene.unix_ms, &error);
        if (sim_disk_stopped(w->disk)) {
            power_cut(w);
            continue;
        }
        if (w->scene.store) break;
        scene_note(&w->scene, error, tries, 0);
        if (w->o.faults && tries < 4) continue; /* the supervisor starts it again */
        scene_wrong(&w->scene, "the spool does not open: %s", error);
        return;
    }
    check_all(&w->scene);
}

/* The spooler's process ends, in order or not, and comes back; the edges stay. */
static void restart_spooler(struct session_world *w)
{
    disk_has_room(w);
    if (roll(w->disk, 2)) check_flush(&w->scene);
    if (broken(w) || sim_disk_stopped(w->disk)) return; /* the power went off: the caller sees to it */
    scene_note(&w->scene, "spooler restarts", 0, 0);
    w->scene.numbers.restarts++;
    edge_spooler_lost(&w->edge);
    store_close(&w->scene.store);
    check_forget_volatile(&w->scene);
    open_spool(w);
}

static void disk_fault(struct session_world *w)
{
    switch (roll(w->disk, 6)) {
    case 0: sim_disk_fail_sync(w->disk, (unsigned)roll(w->disk, 4)); break;
    case 1: sim_disk_fail_write(w->disk, (unsigned)roll(w->disk, 4)); break;
    case 2: sim_disk_capacity(w->disk, sim_disk_used(w->disk) + roll(w->disk, 2 * SEGMENT)); break;
    case 3: sim_disk_read_only(w->disk, roll(w->disk, 3) == 0); break;
    default:
        sim_disk_capacity(w->disk, UINT64_MAX);
        sim_disk_read_only(w->disk, false);
        break;
    }
}

static void net_fault(struct session_world *w, struct pair *p)
{
    uint64_t kind = roll(w->disk, 10);
    if (kind < 5) {
        scene_note(&w->scene, "reset", p->link.session, p->link.up.arrived);
        w->scene.numbers.resets++;
        link_reset(&p->link, w->disk);
    } else if (kind < 7) {
        scene_note(&w->scene, "replies are lost", p->link.session, p->link.down.sent);
        p->link.down.deaf = true;
    } else if (kind < 8) {
        scene_note(&w->scene, "the client is lost", p->link.session, p->link.up.sent);
        p->link.up.deaf = true;
    } else {
        scene_note(&w->scene, "the client leaves", p->link.session, p->link.up.sent);
        visitor_vanish(&p->client);
    }
}

static void connect_client(struct session_world *w, struct pair *p)
{
    *p = (struct pair){.used = true, .link = {.session = ++w->sessions}};
    visitor_begin(&p->client, &w->scene, &p->link);
    if (!edge_connect(&w->edge, &p->link)) scene_wrong(&w->scene, "a session was not given back");
    w->scene.numbers.sessions++;
    scene_note(&w->scene, "session", w->sessions, p->client.pipelines);
}

static void pair_act(struct session_world *w, struct pair *p)
{
    if (!p->used) {
        if (!w->quiet && roll(w->disk, 6) == 0) connect_client(w, p);
        return;
    }
    if (p->client.done && !edge_has(&w->edge, &p->link)) {
        link_free(&p->link);
        p->used = false;
        return;
    }
    (void)pipe_move(&p->link.up, w->disk);
    switch (roll(w->disk, 4)) {
    case 0: break;
    case 1: visitor_act(&p->client); break;
    case 2: edge_serve(&w->edge, &p->link); break;
    default:
        (void)pipe_move(&p->link.down, w->disk);
        visitor_act(&p->client);
        (void)pipe_move(&p->link.up, w->disk);
        edge_serve(&w->edge, &p->link);
        break;
    }
    if (roll(w->disk, 2)) (void)pipe_move(&p->link.down, w->disk);
    if (!w->quiet && roll(w->disk, 150) == 0) net_fault(w, p);
}

static void pass_time(struct session_world *w, uint64_t ms)
{
    w->scene.mono_ms += ms;
    w->scene.unix_ms += ms;
    edge_tick(&w->edge);
}

static void jump(struct session_world *w)
{
    switch (roll(w->disk, 5)) {
    case 0: w->scene.unix_ms += roll(w->disk, 86400000); break;
    case 1: w->scene.unix_ms -= roll(w->disk, 60000); break;
    case 2: pass_time(w, roll(w->disk, 400000)); break;
    default: pass_time(w, roll(w->disk, 30000)); break;
    }
    scene_note(&w->scene, "clock", w->scene.unix_ms, w->scene.mono_ms);
}

static void world_act_once(struct session_world *w)
{
    uint64_t kind = roll(w->disk, 1000);
    pass_time(w, roll(w->disk, 20));
    if (kind < 780)
        pair_act(w, &w->pairs[roll(w->disk, EDGE_SESSIONS)]);
    else if (kind < 880)
        check_flush(&w->scene);
    else if (kind < 940)
        check_deliver(&w->scene);
    else if (kind < 980)
        store_maintain(w->scene.store, w->scene.unix_ms);
    else if (kind < 988)
        jump(w);
    else if (kind < 990 && !w->quiet)
        restart_spooler(w);
    else if (kind < 991 && !w->quiet) {
        scene_note(&w->scene, "edge dies", 0, 0);
        edge_die(&w->edge, true);
    } else if (w->o.faults && !w->quiet)
        disk_fault(w);
}

static void round_of(struct session_world *w)
{
    uint64_t acts = 200 + roll(w->disk, 1200);
    sim_disk_stop_at(w->disk, roll(w->disk, 4) ? 1 + roll(w->disk, 250) : 0);
    for (uint64_t i = 0; i < acts && !broken(w); i++) {
        world_act_once(w);
        if (sim_disk_stopped(w->disk)) break;
    }
    if (broken(w)) return;
    disk_has_room(w);
    power_cut(w);
    if (roll(w->disk, 3) == 0)
        sim_disk_stop_at(w->disk, 1 + roll(w->disk, 12)); /* and again while it recovers */
    open_spool(w);
}

/* No more faults: whoever still speaks comes to an end, and every message that was taken goes out. */
static void finale(struct session_world *w)
{
    disk_has_room(w);
    sim_disk_stop_at(w->disk, 0);
    if (sim_disk_stopped(w->disk)) {
        power_cut(w);
        open_spool(w);
    }
    w->quiet = true;
    for (unsigned i = 0; i < 600 && !broken(w); i++)
        world_act_once(w);
    for (unsigned i = 0; i < 400 && !broken(w) && store_after(w->scene.store, 0); i++) {
        pass_time(w, 3600000);
        check_deliver(&w->scene);
        check_flush(&w->scene);
        store_maintain(w->scene.store, w->scene.unix_ms);
    }
    if (!broken(w)) check_flush(&w->scene);
    if (!broken(w)) check_end(&w->scene);
}

void session_world_run(const struct session_world_options *o, struct session_world_result *result)
{
    struct session_world *w = calloc(1, sizeof *w);
    struct letter *letters = calloc(LETTERS, sizeof *letters);
    if (!w || !letters) abort();
    w->o = *o;
    w->disk = sim_disk_create(o->seed * 0x9e3779b97f4a7c15U + 29);
    w->scene = (struct scene){.dice = w->disk,
                              .letters = letters,
                              .mono_ms = 1000000,
                              .unix_ms = UINT64_C(1795620000000),
                              .sabotage = o->sabotage,
                              .talk = o->talk};
    edge_begin(&w->edge, &w->scene);
    open_spool(w);
    for (unsigned i = 0; i < 3 && !broken(w); i++)
        round_of(w);
    if (!broken(w)) finale(w);
    memcpy(result->error, w->scene.error, sizeof result->error);
    result->hash = w->scene.hash;
    result->numbers = w->scene.numbers;
    for (unsigned i = 0; i < EDGE_SESSIONS; i++)
        link_free(&w->pairs[i].link);
    for (uint32_t i = 0; i < w->scene.n_letters; i++)
        letter_free(&letters[i]);
    store_close(&w->scene.store);
    sim_disk_destroy(&w->disk);
    free(letters);
    free(w);
}

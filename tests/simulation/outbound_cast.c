/* The processes: the spooler and the relay, which are real, and a connector that knows every address. */
#include "outbound_private.h"

#include "process/spooler_private.h"
#include "service/connect_message.h"
#include "system/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define GENERATION 1

static const struct config *configs[OUTBOUND_CONFIGS];

static const char *const config_texts[OUTBOUND_CONFIGS] = {
    "hostname mx.test.example\n"
    "relay h3.example via lmtp h3.example:24 tls none\n"
    "relay h4.example via smarthost h4.example:25 tls none\n"
    "relay h6.example via lmtp unix:/run/h6 tls none\n"
    "relay * via mx tls none\n",
    "hostname mx.test.example\n"
    "relay h1.example via smarthost h2.example:2525 tls none\n"
    "relay h2.example via lmtp h3.example:24 tls none\n"
    "relay h3.example via lmtp h3.example:24 tls none\n"
    "relay h4.example via mx tls none\n"
    "relay h6.example via lmtp unix:/run/h6 tls none\n"
    "relay * via mx tls none\n"
    "destination * { sessions 1 3 recipients 2 messages 5 per 10s }\n",
    "hostname mx.test.example\n"
    "relay h1.example h2.example h4.example via smarthost h4.example:25 tls none\n"
    "relay h3.example via lmtp h3.example:24 tls none\n"
    "relay h6.example via lmtp unix:/run/h6 tls none\n"
    "relay * via mx tls none\n"
    "queue { retry-first 10m retry-max 1h }\n",
};

/* --- what a process needs of the skeleton --- */

void child_exit(struct child *c, int status)
{
    (void)c, (void)status;
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)index;
    if (outbound_current) scene_note(&outbound_current->scene, reason, role, 0);
}

static const struct config *read_config(const char *text)
{
    struct config_source source = {.name = SPAN("/sim.conf"), .text = span_str(text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const struct config *c = config_parse(arena_create(64 << 20), &source, 1, &problems, &missing);
    if (!c) abort();
    return c;
}

static void read_configs(void)
{
    if (configs[0]) return;
    log_open(open("/dev/null", O_WRONLY), "simulation", LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < OUTBOUND_CONFIGS; i++)
        configs[i] = read_config(config_texts[i]);
}

/* --- conversations --- */

/* Relay and spooler have a new conversation, which ends the old one on both sides: at the relay's all that it had in hand. */
static void introduce(struct outbound_world *w)
{
    int ends[2];
    machine_channel(ends);
    cast_relay_peer(PROC_SPOOLER, ends[0]);
    if (roll(w->disk, 2) && ((struct spooler *)w->spooler.state)->started) cast_spooler_turn(w);
    spooler_hooks.peer(&w->spooler, PROC_RELAY, 0, GENERATION, ends[1]);
    post_relay_died(&w->post);
}

void cast_relay_dies(struct outbound_world *w)
{
    scene_note(&w->scene, "relay dies", 0, 0);
    w->post.numbers.deaths++;
    if (roll(w->disk, 2)) post_relay_died(&w->post);
    introduce(w);
}

/* --- the connector --- */

static const struct ipc_allowed questions_only[] = {{MSG_CONNECT_QUESTION, 1, UINT16_MAX, 0}};

static unsigned hop_of(const struct next_hop *h)
{
    if (h->kind == NEXT_HOP_UNIX) return HOP_LMTP_LIAR;
    if (h->name.n && h->name.p[0] == 'c') return HOP_CLIENT;
    return h->name.n > 1 && h->name.p[0] == 'h' ? (unsigned)(h->name.p[1] - '0') % HOP_COUNT : HOP_CLIENT;
}

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    static struct connect_question q;
    struct outbound_world *w = context;
    (void)type, (void)fds, (void)n_fds;
    if (!connect_question_read(payload, &q)) {
        scene_wrong(&w->scene, "a question to the connector is malformed");
        return;
    }
    for (unsigned i = 0; i < OUTBOUND_QUESTIONS; i++) {
        if (w->questions[i].used) continue;
        unsigned hop = hop_of(&q.hop);
        uint64_t wait = hop == HOP_DEAD ? 30000 : roll(w->disk, 8) ? 50 : 5000;
        w->questions[i].used = true;
        w->questions[i].tag = q.tag;
        w->questions[i].hop = hop;
        w->questions[i].tried = q.n_tried;
        w->questions[i].due_ms = machine.mono_ms + roll(w->disk, wait);
        return;
    }
    scene_wrong(&w->scene, "too many questions");
}

static void on_relay_gone(void *context, const char *reason)
{
    (void)context, (void)reason;
}

static void send_answer(struct outbound_world *w, const struct connect_answer *a, int fd)
{
    uint8_t memory[2048];
    struct buf b = buf_on(memory, sizeof memory);
    connect_answer_put(&b, a);
    bool sent = fd >= 0 ? ipc_send_fd(w->connector, MSG_CONNECT_OPEN, buf_span(&b), fd)
                        : ipc_send(w->connector, MSG_CONNECT_ANSWER, buf_span(&b));
    if (!sent && fd >= 0) close(fd);
}

static void answer(struct outbound_world *w, unsigned i)
{
    unsigned hop = w->questions[i].hop, tried = w->questions[i].tried, candidates = hop == HOP_RICH ? 3 : 1;
    bool fine = w->hops.calm || hop == HOP_LIVE || hop == HOP_NEVER, dead = hop == HOP_DEAD;
    struct connect_answer a = {.tag = w->questions[i].tag,
                               .status = CONNECT_DEFER,
                               .enhanced = "4.4.1",
                               .text = SPAN("nobody answers"),
                               .port = 25,
                               .connect_ms = 1};
    static const uint8_t v4[] = {0xff, 0xff, 192, 0, 2};
    memcpy(a.address.octets + 10, v4, sizeof v4);
    a.address.octets[15] = (uint8_t)(hop << 4 | tried);
    w->questions[i].used = false;
    int fd = -1;
    if (!fine && roll(w->disk, 40) == 0) {
        a.status = CONNECT_FAIL;
        memcpy(a.enhanced, "5.1.10", 7);
    } else if (tried < candidates && (dead ? roll(w->disk, 2) : fine || roll(w->disk, 8))) {
        fd = hops_connect(&w->hops, hop);
    }
    if (fd >= 0) {
        a.status = CONNECT_OPEN;
        memset(a.enhanced, 0, sizeof a.enhanced);
        a.text = (struct span){NULL, 0};
        a.host = SPAN("mx.hop.example");
    }
    send_answer(w, &a, fd);
}

static void connector_begin(struct outbound_world *w)
{
    int ends[2];
    machine_channel(ends);
    for (unsigned i = 0; i < OUTBOUND_QUESTIONS; i++)
        w->questions[i].used = false;
    w->connector =
        ipc_open(w->connector_loop, ends[1], questions_only, 1, 256, on_question, on_relay_gone, w);
    cast_relay_peer(PROC_CONNECTOR, ends[0]);
}

void cast_connector_dies(struct outbound_world *w)
{
    scene_note(&w->scene, "connector dies", 0, 0);
    ipc_close(&w->connector);
    if (roll(w->disk, 2)) cast_relay_turn();
    connector_begin(w);
}

static void connector_after(void *context)
{
    struct outbound_world *w = context;
    for (unsigned i = 0; i < OUTBOUND_QUESTIONS; i++)
        if (w->questions[i].used && w->questions[i].due_ms <= machine.mono_ms && ipc_can_send(w->connector))
            answer(w, i);
    ipc_flush(w->connector);
}

void cast_connector_turn(struct outbound_world *w)
{
    machine_turn(w->connector_loop, connector_after, w);
}

/* --- the spooler --- */

static void spooler_after(void *context)
{
    spooler_hooks.after_turn(context);
}

void cast_spooler_turn(struct outbound_world *w)
{
    machine_turn(w->spooler.loop, spooler_after, &w->spooler);
    log_flush();
}

static void spooler_free(struct outbound_world *w)
{
    struct spooler *s = w->spooler.state;
    loop_timer_stop(w->spooler.loop, &s->timer);
    for (unsigned i = 0; i < SPOOLER_RELAYS; i++)
        ipc_close(&s->relays[i].holder.ipc);
    destinations_destroy(&s->destinations);
    free(s->jobs);
    free(s->deliveries);
    free(s);
    w->spooler.state = NULL;
}

/* It talks to nobody, and has let go of all it had. */
static void relay_alone(void)
{
    int ends[2];
    machine_channel(ends);
    cast_relay_peer(PROC_SPOOLER, ends[0]);
    struct ipc *nobody = ipc_open(NULL, ends[1], NULL, 0, 1, NULL, NULL, NULL);
    ipc_close(&nobody);
}

void cast_spooler_end(struct outbound_world *w, enum cast_death how)
{
    struct spooler *s = w->spooler.state;
    scene_note(&w->scene, "spooler ends", how, sim_disk_steps(w->disk));
    w->post.numbers.crashes++;
    if (how == CAST_STOPS && s->store && !sim_disk_stopped(w->disk) && store_flush(s->store, machine.unix_ms))
        (void)store_stop(&s->store, machine.unix_ms);
    store_close(&s->store);
    spooler_free(w);
    post_crashed(&w->post);
    if (how != CAST_POWER) return;
    relay_alone();
    post_relay_died(&w->post);
    for (unsigned i = 0; i < HOP_CONNECTIONS; i++)
        if (w->hops.connections[i].used) link_reset(&w->hops.connections[i].link, w->disk);
    sim_disk_crash(w->disk);
}

void cast_spooler_start(struct outbound_world *w)
{
    const char *error = NULL;
    for (unsigned tries = 0;; tries++) {
        spooler_hooks.grant(&w->spooler, GRANT_SPOOL, 0, 0, 0);
        struct spooler *s = w->spooler.state;
        s->seed = sim_random(w->disk);
        s->salt = s->seed ^ 4711;
        if (spooler_hooks.start(&w->spooler, &error) && !sim_disk_stopped(w->disk)) break;
        bool power = sim_disk_stopped(w->disk);
        cast_spooler_end(w, power ? CAST_POWER : CAST_DIES);
        if (power || (w->o.faults && tries < 4)) continue; /* the supervisor starts it again */
        scene_wrong(&w->scene, "the spool does not open: %s", error);
        return;
    }
    struct spooler *s = w->spooler.state;
    destinations_slots(s->destinations, 4 + (uint32_t)roll(w->disk, 12));
    post_recovered(&w->post, s->store);
    introduce(w);
}

void cast_configure(struct outbound_world *w, unsigned config)
{
    scene_note(&w->scene, "routes", config, 0);
    spooler_hooks.config(&w->spooler, configs[config]);
    w->spooler.config = configs[config];
}

/* --- all of them --- */

void cast_begin(struct outbound_world *w)
{
    read_configs();
    cast_relay_begin(configs[0]);
    w->spooler = (struct child){.role = PROC_SPOOLER,
                                .name = "spooler",
                                .generation = GENERATION,
                                .loop = loop_create(1),
                                .config = configs[0]};
    w->connector_loop = loop_create(1);
    connector_begin(w);
    cast_spooler_start(w);
}

void cast_end(struct outbound_world *w)
{
    struct spooler *s = w->spooler.state;
    if (s) {
        store_close(&s->store);
        spooler_free(w);
    }
    ipc_close(&w->connector);
    relay_alone();
    cast_relay_rest();
    loop_destroy(&w->spooler.loop);
    loop_destroy(&w->connector_loop);
}

/* simulate: three worlds from one seed. spool: the spool and its schedule under a simulated disk and clock: random submissions,
 * chunks, aborts, deliveries, deferrals, expansions, holds, leases, faults, time jumps and crashes. session: SMTP clients, a
 * network, engines and a delivery around such a spool (session_world.h). outbound: the spooler and the relay themselves, and next
 * hops that misbehave (outbound_world.h). A failing seed is told by simulate --from SEED --seeds 1 --talk. */
#include "outbound_world.h"
#include "session_world.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static void opened(struct world *w)
{
    while (!world_open(w)) {
        if (world_error(w)) return;
        world_crash(w);
    }
}

static bool run_spool(uint64_t seed, bool talk, struct world_numbers *total)
{
    struct world_options o = {.seed = seed, .faults = seed % 3 != 0, .small = seed % 5 == 0, .talk = talk};
    struct world *w = world_create(&o);
    struct sim_disk *d = world_disk(w);
    opened(w);
    for (int round = 0; round < 4 && !world_error(w); round++) {
        uint64_t acts = 40 + sim_random(d) % 160;
        sim_disk_stop_at(d, sim_random(d) % 8 ? 1 + sim_random(d) % 150 : 0);
        for (uint64_t i = 0; i < acts && !sim_disk_stopped(d) && !world_error(w); i++)
            world_act(w);
        if (world_error(w)) break;
        if (talk) printf("round %d ends after %llu steps\n", round, (unsigned long long)sim_disk_steps(d));
        world_mend(w);
        world_crash(w);
        if (sim_random(d) % 3 == 0)
            sim_disk_stop_at(d, 1 + sim_random(d) % 12); /* and again while it recovers */
        opened(w);
        if (!world_error(w) && !sim_disk_stopped(d)) (void)world_check(w);
    }
    struct world_numbers n = world_numbers(w);
    total->committed += n.committed;
    total->answered_failed += n.answered_failed;
    total->finished += n.finished;
    total->recovered += n.recovered;
    total->crashes += n.crashes;
    total->expanded += n.expanded;
    total->stopped += n.stopped;
    total->recycled += n.recycled;
    bool fine = !world_error(w);
    if (!fine) printf("seed %llu, spool: %s\n", (unsigned long long)seed, world_error(w));
    world_destroy(&w);
    return fine;
}

static void add(struct scene_numbers *total, const struct scene_numbers *n)
{
    total->sessions += n->sessions;
    total->replies += n->replies;
    total->sent += n->sent;
    total->accepted += n->accepted;
    total->refused += n->refused;
    total->lost_250 += n->lost_250;
    total->appeared += n->appeared;
    total->late += n->late;
    total->delivered += n->delivered;
    total->bounced += n->bounced;
    total->chunks += n->chunks;
    total->crashes += n->crashes;
    total->restarts += n->restarts;
    total->resets += n->resets;
}

struct request {
    uint64_t seeds, from;
    bool talk, spool, session, outbound;
    enum sabotage sabotage;
    enum outbound_sabotage outbound_sabotage;
};

static bool run_session(uint64_t seed, const struct request *q, struct scene_numbers *total)
{
    struct session_world_options o = {
        .seed = seed, .faults = seed % 3 != 0, .talk = q->talk, .sabotage = q->sabotage};
    struct session_world_result r = {.hash = 0}, again = {.hash = 0};
    session_world_run(&o, &r);
    add(total, &r.numbers);
    if (q->talk) printf("trace %016llx\n", (unsigned long long)r.hash);
    if (r.error[0]) printf("seed %llu, session: %s\n", (unsigned long long)seed, r.error);
    if (r.error[0] || seed % 8 != 0) return !r.error[0];
    o.talk = false;
    session_world_run(&o, &again);
    if (again.hash != r.hash)
        printf("seed %llu, session: another run of it went another way\n", (unsigned long long)seed);
    return again.hash == r.hash;
}

static void add_outbound(struct post_numbers *total, const struct post_numbers *n)
{
    uint64_t *to = &total->accepted;
    const uint64_t *from = &n->accepted;
    for (size_t i = 0; i < sizeof *n / sizeof *from; i++)
        to[i] += from[i];
}

static bool run_outbound(uint64_t seed, const struct request *q, struct post_numbers *total)
{
    struct outbound_options o = {
        .seed = seed, .faults = seed % 3 != 0, .talk = q->talk, .sabotage = q->outbound_sabotage};
    struct outbound_result r = {.hash = 0}, again = {.hash = 0};
    outbound_world_run(&o, &r);
    add_outbound(total, &r.numbers);
    if (q->talk) printf("trace %016llx\n", (unsigned long long)r.hash);
    if (r.error[0]) printf("seed %llu, outbound: %s\n", (unsigned long long)seed, r.error);
    if (r.error[0] || seed % 16 != 0) return !r.error[0];
    o.talk = false;
    outbound_world_run(&o, &again);
    if (again.hash != r.hash)
        printf("seed %llu, outbound: another run of it went another way\n", (unsigned long long)seed);
    return again.hash == r.hash;
}

static bool read_sabotage(struct request *q, const char *word)
{
    static const char *const of_session[] = {"none", "early", "chunk", "reset", "twice"},
                             *const of_outbound[] = {"none",  "unsure", "lost",  "dots",
                                                     "short", "scope",  "forget"};
    for (unsigned i = 0; i < SABOTAGE_COUNT; i++)
        if (strcmp(word, of_session[i]) == 0) {
            q->sabotage = (enum sabotage)i;
            return true;
        }
    for (unsigned i = 0; i < OUTBOUND_SABOTAGE_COUNT; i++)
        if (strcmp(word, of_outbound[i]) == 0) {
            q->outbound_sabotage = (enum outbound_sabotage)i;
            return true;
        }
    return false;
}

static bool read_word(struct request *q, const char *option, const char *word)
{
    if (strcmp(option, "--seeds") == 0) return span_u64(span_str(word), &q->seeds);
    if (strcmp(option, "--from") == 0) return span_u64(span_str(word), &q->from);
    if (strcmp(option, "--world") == 0) {
        q->spool = strcmp(word, "spool") == 0;
        q->session = strcmp(word, "session") == 0;
        q->outbound = strcmp(word, "outbound") == 0;
        return q->spool || q->session || q->outbound;
    }
    return strcmp(option, "--sabotage") == 0 && read_sabotage(q, word);
}

static bool read_request(struct request *q, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--talk") == 0)
            q->talk = true;
        else if (i + 1 == argc || !read_word(q, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

#define LLU(value) (unsigned long long)(value)

/* True when too little happened for the result to mean anything. few: how much is too little, at least. */
static bool tell_spool(const struct world_numbers *n, uint64_t few)
{
    printf("spool: %llu committed, %llu refused, %llu finished, %llu expanded, %llu crashes, %llu clean "
           "stops, %llu checks\n",
           LLU(n->committed), LLU(n->answered_failed), LLU(n->finished), LLU(n->expanded), LLU(n->crashes),
           LLU(n->stopped), LLU(n->recovered));
    return n->committed < few || n->finished < few || n->crashes < few || n->stopped < few;
}

static bool tell_session(const struct scene_numbers *s, uint64_t few)
{
    printf("session: %llu sessions, %llu replies, %llu letters sent, %llu accepted, %llu refused, %llu "
           "stored but their 250 lost (%llu found after a crash), %llu stored after a 451 for lack of an "
           "answer, "
           "%llu chunks, %llu delivered, %llu bounced, %llu resets, %llu crashes, %llu restarts\n",
           LLU(s->sessions), LLU(s->replies), LLU(s->sent), LLU(s->accepted), LLU(s->refused),
           LLU(s->lost_250), LLU(s->appeared), LLU(s->late), LLU(s->chunks), LLU(s->delivered),
           LLU(s->bounced), LLU(s->resets), LLU(s->crashes), LLU(s->restarts));
    return s->accepted < 5 * few || s->refused < few || s->lost_250 < few / 10 || s->appeared < few / 100 ||
           s->chunks < few || s->resets < few / 2 || s->restarts < few / 10;
}

static bool tell_outbound(const struct post_numbers *n, uint64_t few)
{
    printf(
        "outbound: %llu accepted, %llu refused; recipients: %llu taken by hops (%llu of them once more; %llu "
        "times "
        "a connection broke before the reply, %llu times a crash came before it was durable), %llu "
        "delivered, "
        "%llu on the word of a liar, %llu bounced, %llu expired, %llu deferred, %llu put back; %llu "
        "notifications "
        "taken; %llu connections, %llu breaks, %llu deaths of the relay, %llu of the spooler, %llu jumps\n",
        LLU(n->accepted), LLU(n->refused), LLU(n->taken), LLU(n->duplicates), LLU(n->excused_by_connection),
        LLU(n->excused_by_crash), LLU(n->delivered), LLU(n->believed), LLU(n->failed), LLU(n->expired),
        LLU(n->deferred), LLU(n->put_back), LLU(n->notified), LLU(n->connections), LLU(n->resets),
        LLU(n->deaths), LLU(n->crashes), LLU(n->jumps));
    return n->accepted < 5 * few || n->taken < 5 * few || n->duplicates < few / 10 ||
           n->excused_by_connection < few / 4 || n->excused_by_crash < few / 10 || n->failed < few ||
           n->expired < few / 4 || n->notified < few || n->deaths < few / 4 || n->resets < few / 2;
}

int main(int argc, char **argv)
{
    struct request q = {.seeds = 200, .from = 1, .spool = true, .session = true, .outbound = true};
    if (!read_request(&q, argc, argv)) {
        fprintf(stderr, "usage: simulate [--seeds N] [--from K] [--world spool|session|outbound] [--talk]\n"
                        "                [--sabotage early|chunk|reset|twice (session)|\n"
                        "                            unsure|lost|dots|short|scope|forget (outbound)]  (then "
                        "seeds must fail)\n");
        return 2;
    }
    struct world_numbers spool = {0};
    struct scene_numbers session = {0};
    struct post_numbers outbound = {0};
    uint64_t failed = 0, few = q.seeds >= 100 ? q.seeds : 0;
    for (uint64_t s = q.from; s < q.from + q.seeds; s++) {
        bool fine = !q.spool || run_spool(s, q.talk, &spool);
        if (q.session && !run_session(s, &q, &session)) fine = false;
        if (q.outbound && !run_outbound(s, &q, &outbound)) fine = false;
        if (!fine) failed++;
    }
    bool hollow = q.spool && tell_spool(&spool, few);
    if (q.session && tell_session(&session, few)) hollow = true;
    if (q.outbound && tell_outbound(&outbound, few)) hollow = true;
    if (hollow) printf("hollow: too little happened\n");
    printf("%llu passed, %llu failed\n", LLU(q.seeds - failed), LLU(failed + hollow));
    return failed || hollow ? 1 : 0;
}

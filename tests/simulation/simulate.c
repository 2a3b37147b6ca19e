/* simulate: the spool and its schedule under a simulated disk and clock, from one seed: random submissions, chunks, aborts,
 * deliveries, deferrals, expansions, holds, leases, faults, time jumps and crashes. simulate --seeds N [--from K] [--talk] */
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

static bool run(uint64_t seed, bool talk, struct world_numbers *total)
{
    struct world_options o = {.seed = seed, .faults = seed % 3 != 0, .talk = talk};
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
        sim_disk_capacity(d, UINT64_MAX);
        sim_disk_read_only(d, false);
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
    bool fine = !world_error(w);
    if (!fine) printf("seed %llu: %s\n", (unsigned long long)seed, world_error(w));
    world_destroy(&w);
    return fine;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 200, from = 1, failed = 0;
    bool talk = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--talk") == 0)
            talk = true;
        else if (!more || (strcmp(argv[i], "--seeds") != 0 && strcmp(argv[i], "--from") != 0) ||
                 !span_u64(span_str(argv[i + 1]), argv[i][2] == 's' ? &seeds : &from)) {
            fprintf(stderr, "usage: simulate [--seeds N] [--from K] [--talk]\n");
            return 2;
        } else
            i++;
    }
    struct world_numbers total = {0};
    for (uint64_t s = from; s < from + seeds; s++)
        failed += run(s, talk, &total) ? 0 : 1;
    printf("%llu seeds, %llu failed: %llu committed, %llu refused, %llu finished, %llu expanded, %llu "
           "crashes, %llu checks\n",
           (unsigned long long)seeds, (unsigned long long)failed, (unsigned long long)total.committed,
           (unsigned long long)total.answered_failed, (unsigned long long)total.finished,
           (unsigned long long)total.expanded, (unsigned long long)total.crashes,
           (unsigned long long)total.recovered);
    bool hollow =
        seeds >= 100 && (total.committed < seeds || total.finished < seeds || total.crashes < seeds);
    if (hollow) printf("hollow: too little happened\n");
    return failed || hollow ? 1 : 0;
}

/* crash: the same run of a spool again and again, each time with the power cut one operation later: at every write, every sync,
 * every creation, renaming and removal of a file, also while it recovers from an earlier cut. After each cut the model decides:
 * every acknowledged message is there once with exactly its octets, none is there partly or without having been completely
 * submitted, no finished one is back (STATES.md, "Crash points"). crash [--runs N] [--acts N] */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

struct cut {
    uint64_t seed, step;
    bool faults, recovering; /* recovering: the second cut comes while the first is recovered from */
    bool small;              /* a disk with room for one log segment */
    bool stopping;           /* the cut comes at a clean stop, or at the start after it */
    uint64_t acts;
};

static void act(struct world *w, uint64_t acts)
{
    for (uint64_t i = 0; i < acts && !sim_disk_stopped(world_disk(w)) && !world_error(w); i++)
        world_act(w);
}

static bool reopen(struct world *w)
{
    for (int i = 0; i < 100 && !world_error(w); i++) {
        world_crash(w);
        if (world_open(w)) return true;
    }
    return false;
}

struct counts {
    uint64_t stopped, loaded, over; /* clean stops; starts from a checkpoint; segments that started over */
};

/* One run with one cut. *more: the cut came before the run was over. */
static bool run(const struct cut *c, bool *more, struct counts *counts)
{
    struct world_options o = {.seed = c->seed, .faults = c->faults, .small = c->small};
    struct world *w = world_create(&o);
    struct sim_disk *d = world_disk(w);
    *more = false;
    if (!c->recovering && !c->stopping) sim_disk_stop_at(d, c->step);
    if (world_open(w)) act(w, c->stopping ? c->acts / 2 : c->acts);
    if (c->stopping && !world_error(w)) {
        sim_disk_stop_at(d, sim_disk_steps(d) + c->step);
        counts->stopped += world_stop(w) ? 1 : 0;
        if (!sim_disk_stopped(d) && world_open(w) && !sim_disk_stopped(d) && world_check(w)) act(w, 12);
    }
    *more = sim_disk_stopped(d);
    world_mend(w);
    if (c->recovering) {
        world_crash(w);
        sim_disk_stop_at(d, c->step);
        if (world_open(w) && !sim_disk_stopped(d) && world_check(w)) act(w, 1);
        *more = sim_disk_stopped(d);
    }
    if (reopen(w) && world_check(w)) {
        act(w, 40); /* and it goes on from there */
        if (!world_error(w)) world_flush(w);
        world_mend(w);
        if (!world_error(w) && reopen(w)) (void)world_check(w);
    }
    bool fine = !world_error(w);
    counts->loaded += world_numbers(w).from_checkpoint;
    counts->over += world_numbers(w).recycled;
    if (!fine)
        printf("seed %llu, cut at step %llu%s%s: %s\n", (unsigned long long)c->seed,
               (unsigned long long)c->step, c->faults ? ", faults" : "",
               c->small        ? ", small"
               : c->recovering ? ", recovering"
               : c->stopping   ? ", stopping"
                               : "",
               world_error(w));
    world_destroy(&w);
    return fine;
}

int main(int argc, char **argv)
{
    uint64_t runs = 10, acts = 160, cuts = 0, failed = 0;
    struct counts counts = {0};
    for (int i = 1; i + 1 < argc; i += 2)
        if (!span_u64(span_str(argv[i + 1]), strcmp(argv[i], "--runs") == 0 ? &runs : &acts)) return 2;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        for (int kind = 0; kind < 8; kind++) {
            struct cut c = {.seed = seed * 8 + (uint64_t)kind,
                            .faults = kind & 1,
                            .recovering = kind >> 1 == 1,
                            .stopping = kind >> 1 == 2,
                            .small = kind >> 1 == 3,
                            .acts = acts};
            bool more = true;
            for (c.step = 1; more && failed < 5; c.step++, cuts++)
                failed += run(&c, &more, &counts) ? 0 : 1;
        }
    }
    printf("%llu cuts, %llu behind a clean stop, %llu starts from a checkpoint, %llu segments that started "
           "over, %llu failed\n",
           (unsigned long long)cuts, (unsigned long long)counts.stopped, (unsigned long long)counts.loaded,
           (unsigned long long)counts.over, (unsigned long long)failed);
    bool hollow =
        cuts < runs * 100 || counts.stopped < runs || counts.loaded < cuts / 4 || counts.over < cuts / 20;
    return failed || hollow ? 1 : 0;
}

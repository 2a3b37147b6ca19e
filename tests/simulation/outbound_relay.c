/* The relay's process, which is real. One for all seeds, as there is one in a process; its death is a new conversation with a spooler: it
 * forgets all that it had in hand. */
#include "outbound_private.h"

#include "machine_private.h"
#include "process/relay_private.h"
#include "service/outbound_private.h"
#include "system/log.h"

#include <stdlib.h>

static struct child relay;

/* As if nothing had been before: what is free stands in the order of the first day, so that a seed goes the same way alone and behind
 * others. */
static void tidy(void)
{
    struct relay *r = relay.state;
    struct outbound *o = r->outbound;
    r->free_links = NULL;
    r->free_jobs = NULL;
    o->free = NULL;
    for (unsigned i = RELAY_LINKS; i-- > 0;) {
        if (r->links[i].state != RELAY_LINK_FREE || o->slots[i].state != OUTBOUND_FREE)
            machine_wrong("the relay has not let go of all it had");
        r->links[i].next = r->free_links;
        r->free_links = &r->links[i];
        o->slots[i].next = o->free;
        o->free = &o->slots[i];
    }
    for (unsigned i = RELAY_JOBS; i-- > 0;) {
        if (r->jobs[i].used) machine_wrong("the relay has not let go of all its jobs");
        r->jobs[i].next = r->free_jobs;
        r->free_jobs = &r->jobs[i];
    }
    loop_timer_stop(relay.loop, &o->again);
    loop_timer_stop(relay.loop, &r->look_timer);
    *relay.loop = (struct loop){.now_ms = machine.mono_ms, .unix_ms = machine.unix_ms};
    loop_timer_set(relay.loop, &r->look_timer, machine.mono_ms + RELAY_LOOK_MS, r->look_timer.fn);
    r->tags = 0;
}

void cast_relay_begin(const struct config *config)
{
    const char *error = NULL;
    if (relay.loop) {
        tidy();
        return;
    }
    relay = (struct child){.role = PROC_RELAY, .name = "relay", .config = config, .loop = loop_create(1)};
    relay_hooks.peer(&relay, PROC_SPOOLER, 0, 0, -1);
    struct relay *r = relay.state;
    struct outbound_setup setup = {.loop = relay.loop,
                                   .hostname = config->hostname,
                                   .hooks = &relay_outbound_hooks,
                                   .context = r,
                                   .sessions = RELAY_LINKS};
    r->outbound = outbound_create(&setup); /* relay_prepare without TLS: nobody here has any */
    if (!r->outbound || !relay_jobs_create(r) || !relay_links_create(r)) abort();
    if (!relay_hooks.start(&relay, &error)) abort();
}

void cast_relay_peer(enum role role, int fd)
{
    relay_hooks.peer(&relay, role, 0, 0, fd);
}

static void after(void *context)
{
    relay_hooks.after_turn(context);
}

void cast_relay_turn(void)
{
    machine_turn(relay.loop, after, &relay);
    log_flush();
}

bool cast_relay_busy(void)
{
    const struct relay *r = relay.state;
    return r->n_jobs > 0;
}

void cast_relay_rest(void)
{
    cast_relay_turn();
    while (machine_busy(relay.loop))
        cast_relay_turn();
    cast_relay_turn(); /* slots of sessions that were closed */
}

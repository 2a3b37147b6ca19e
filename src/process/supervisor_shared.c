#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "policy/rates.h"
#include "process/supervisor_private.h"

enum { SLOTS_MIN = 1 << 14, SLOTS_MAX = 1 << 22 };

/* At least four slots for each session (policy/sources.h). */
static uint32_t slots(const struct config *c)
{
    uint64_t sessions = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        sessions += c->servers[i].limits.sessions;
    uint32_t n = SLOTS_MIN;
    while (n < SLOTS_MAX && n < 4 * sessions)
        n *= 2;
    return n;
}

/* Memory for the edges to share, of a size that nobody can change. Null: there is none. */
static void *make_table(const char *name, size_t octets, int *ret_fd, uint64_t *seed)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)octets) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        memory = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || getrandom(seed, sizeof *seed, 0) != sizeof *seed) {
        if (memory != MAP_FAILED) munmap(memory, octets);
        if (fd >= 0) close(fd);
        return NULL;
    }
    *ret_fd = fd;
    return memory;
}

/* One for as long as the service runs: counts go on over reloads. */
bool supervisor_make_rates(struct supervisor *s)
{
    uint64_t seed;
    size_t octets = rates_octets(LIMIT_RATE_SLOTS);
    if (s->rates >= 0) return true;
    void *memory = make_table("sallyport-rates", octets, &s->rates, &seed);
    if (!memory) return false;
    rates_init(memory, LIMIT_RATE_SLOTS, seed);
    return munmap(memory, octets) == 0;
}

bool supervisor_make_sources(struct supervisor *s, const struct config *c)
{
    uint32_t n = slots(c);
    size_t octets = sources_octets(n);
    if (s->sources >= 0 && s->sources_view.slots >= n) return true; /* large enough: counts go on */
    uint64_t seed;
    int fd;
    void *memory = make_table("sallyport-sources", octets, &fd, &seed);
    if (!memory) return false;
    sources_init(memory, n, seed);
    if (s->sources >= 0) {
        munmap(s->sources_view.memory, sources_octets(s->sources_view.slots));
        close(s->sources);
    }
    s->sources = fd;
    return sources_open(&s->sources_view, memory, octets);
}

static void on_ticket_hour(struct timer *t)
{
    struct supervisor *s =
        (struct supervisor *)(void *)((char *)t - offsetof(struct supervisor, ticket_timer));
    if (!supervisor_rotate_tickets(s))
        log_note(LOG_LEVEL_ERROR, "ticket-keys", "not renewed; the former stay", 0);
}

bool supervisor_rotate_tickets(struct supervisor *s)
{
    loop_timer_set(s->loop, &s->ticket_timer, loop_now_ms(s->loop) + TLS_TICKET_SECONDS * 1000,
                   on_ticket_hour);
    if (!tls_ticket_rotate(&s->tickets)) return false;
    int fd = tls_ticket_memfd(&s->tickets);
    if (fd < 0) return false;
    if (s->tickets_fd >= 0) close(s->tickets_fd);
    s->tickets_fd = fd;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (p->role == PROC_EDGE && supervisor_process_alive(p) &&
            !supervisor_grant(p, GRANT_TICKET_KEYS, 0, 0, fd))
            log_note(LOG_LEVEL_WARNING, "ticket-keys", p->name, 0);
    }
    return true;
}

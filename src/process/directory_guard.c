#include "process/directory_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "identity/ban.h"
#include "system/log.h"
#include "system/workers.h"

enum { BATCH = 64 };

struct guard {
    struct worker_task task; /* first: there is one */
    struct timer timer;
    struct child *child;
    struct guess *guess;
    struct bans *told;      /* to the edges */
    struct identity *store; /* the thread's; null: nothing is kept */
    struct workers *workers;
    bool running; /* the thread has what follows */
    /* to the store */
    struct guess_ban bans[BATCH];
    unsigned n_bans;
    struct ban_known known[BATCH];
    unsigned n_known;
    uint64_t unix_seconds;
    /* from it */
    bool written, unread;     /* unread: somebody changed it, and it cannot be read */
    int64_t version;          /* of what was read */
    struct guess_ban *listed; /* LIMIT_GUESS_BANS_KEPT */
    int n_listed;             /* -1: nothing new */
    /* beside it */
    struct ban_known fresh[BATCH]; /* for the next time; what does not fit waits for its next login */
    unsigned n_fresh;
    bool again; /* more came meanwhile */
    bool trouble;
    uint64_t banned; /* logins that were refused for it */
};

/* --- the store, in the thread */

static bool put_all(struct guard *g)
{
    if (g->n_bans + g->n_known == 0) return true;
    bool good = change_begin(g->store);
    for (unsigned i = 0; good && i < g->n_bans; i++)
        good = ban_put(g->store, &g->bans[i]);
    for (unsigned i = 0; good && i < g->n_known; i++)
        good = ban_know(g->store, &g->known[i]);
    if (good) return ban_commit(g->store, g->unix_seconds);
    change_undo(g->store);
    return false;
}

static void work(struct worker_task *task, void *state)
{
    struct guard *g = (struct guard *)(void *)task;
    (void)state;
    g->n_listed = -1;
    g->written = put_all(g);
    int64_t version = g->version;
    bool changed = g->written && ban_changed(g->store, &version);
    if (changed) g->n_listed = ban_list(g->store, g->listed, LIMIT_GUESS_BANS_KEPT);
    g->unread = changed && g->n_listed < 0;
    if (!g->unread) g->version = version; /* else it is tried again */
}

/* --- beside it */

static uint64_t unix_ms(const struct guard *g)
{
    return loop_unix_ms(g->child->loop);
}

static void look(struct guard *g)
{
    g->again = g->running;
    if (g->running || !g->workers) return;
    while (g->n_bans < BATCH && guess_take(g->guess, &g->bans[g->n_bans]))
        g->n_bans++;
    memcpy(g->known + g->n_known, g->fresh, sizeof *g->fresh * g->n_fresh);
    g->n_known += g->n_fresh;
    g->n_fresh = 0;
    g->again = g->n_bans == BATCH;
    g->unix_seconds = unix_ms(g) / 1000;
    g->running = true;
    workers_submit(g->workers, &g->task);
}

static void looks(struct timer *t)
{
    look((struct guard *)(void *)((char *)t - offsetof(struct guard, timer)));
}

static void done(void *context, struct worker_task *task)
{
    struct guard *g = context;
    (void)task;
    g->running = false;
    const char *wrong = !g->written ? "login-bans-not-kept" : g->unread ? "login-bans-unreadable" : NULL;
    if (wrong && !g->trouble) log_note(LOG_LEVEL_ERROR, wrong, change_why(g->store), 0);
    g->trouble = wrong != NULL;
    for (unsigned i = 0; !g->written && i < g->n_bans; i++)
        guess_give_back(g->guess, &g->bans[i]);
    g->n_bans = g->n_known = 0;
    if (g->n_listed >= 0) guess_load(g->guess, g->listed, (size_t)g->n_listed, unix_ms(g));
    if (g->again && g->written)
        look(g);
    else
        loop_timer_set(g->child->loop, &g->timer,
                       loop_now_ms(g->child->loop) + LIMIT_GUESS_SYNC_SECONDS * 1000, looks);
}

static void knows(void *context, const struct ban_known *k)
{
    struct guard *g = context;
    guess_know(g->guess, k->principal, &k->source, k->unix_seconds);
}

/* --- questions */

static bool exempt(const struct guard *g, const struct address *a)
{
    return network_any_holds(g->child->config->never_ban, g->child->config->n_never_ban, a);
}

static struct address address_of(const uint8_t client[16])
{
    struct address a;
    memcpy(a.octets, client, sizeof a.octets);
    return a;
}

enum guess_answer guard_begin(struct guard *g, const uint8_t client[16], uint64_t *wait_ms)
{
    struct address a = address_of(client);
    *wait_ms = 0;
    if (exempt(g, &a)) return GUESS_LET;
    enum guess_answer answer = guess_begin(g->guess, &a, unix_ms(g), wait_ms);
    g->banned += answer == GUESS_BANNED;
    return answer;
}

bool guard_bans(struct guard *g, const uint8_t client[16])
{
    struct address a = address_of(client);
    bool banned = !exempt(g, &a) && guess_banned(g->guess, &a, unix_ms(g));
    g->banned += banned;
    return banned;
}

/* --- what became of it */

static void log_network(const struct network *n)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    network_put(&b, n);
    log_span("network", buf_span(&b));
}

static void log_ban(const struct guess_ban *ban)
{
    log_begin(LOG_LEVEL_SECURITY, "login-banned");
    log_network(&ban->network);
    log_u64("seconds", ban->until - ban->since);
    log_str("reason", ban_reasons[ban->reason]);
    log_u64("times", ban->strikes);
    log_u64("failures", ban->failures);
    log_u64("accounts", ban->accounts);
    log_str("tried", ban->text);
    log_end();
}

static void log_news(const struct guess_news *news, const struct login_report *r)
{
    for (unsigned i = 0; i < news->n_bans; i++)
        log_ban(&news->bans[i]);
    if (news->spray) {
        log_begin(LOG_LEVEL_SECURITY, "login-spray");
        log_network(&news->spray_network);
        log_u64("accounts", news->spray_accounts);
        log_end();
    }
    if (!news->distributed) return;
    log_begin(LOG_LEVEL_SECURITY, "login-distributed");
    log_span("claimed", span_of(r->claimed, r->claimed_n));
    log_u64("networks", news->distributed_networks);
    log_end();
}

static uint64_t succeeded(struct guard *g, const struct address *a, uint32_t principal)
{
    uint64_t wait;
    bool news = guess_succeeded(g->guess, a, principal, unix_ms(g), &wait);
    if (news && !(principal & IDENTITY_OUTSIDE) &&
        g->n_fresh < BATCH) /* an outsider has no row to keep it with */
        g->fresh[g->n_fresh++] = (struct ban_known){principal, guess_network(a, false), unix_ms(g) / 1000};
    return wait;
}

uint64_t guard_ended(struct guard *g, const struct login *l, const struct login_answer *a)
{
    const struct login_report *r = login_report_of(l);
    struct address from = address_of(login_begin_of(l)->client);
    const enum guess_failure failure = login_reason_table[r->reason].guess;
    if (exempt(g, &from)) return 0;
    if (a->kind == LOGIN_SUCCESS) return succeeded(g, &from, a->number);
    if (failure == GUESS_NONE)
        return r->principal ? guess_wait_ms(g->guess, &from, r->principal, unix_ms(g)) : 0;
    const struct guess_account who = {r->principal, span_of(r->claimed, r->claimed_n)};
    struct guess_news news;
    guess_failed(g->guess, &from, failure, &who, unix_ms(g), &news);
    log_news(&news, r);
    if (news.n_bans) look(g);
    return news.wait_ms;
}

void guard_look(struct guard *g)
{
    bans_look(g->told);
}

bool guard_tell(const struct guard *g, struct bans_reader *r, struct ipc *edge)
{
    return bans_tell(g->told, r, edge);
}

void guard_status(const struct guard *g, struct buf *json)
{
    buf_str(json, ",\"login_bans\":");
    buf_u64(json, guess_count(g->guess, unix_ms(g)));
    buf_str(json, ",\"logins_banned\":");
    buf_u64(json, g->banned);
}

/* --- life */

bool guard_has_store(int identity)
{
    return identity >= 0 && faccessat(identity, IDENTITY_FILE, F_OK, 0) == 0;
}

void guard_upgrade(int identity)
{
    const char *why;
    if (!guard_has_store(identity)) return;
    struct identity *i = identity_open(identity, true, &why); /* who only reads says what is wrong */
    identity_close(&i);
}

static void open_store(struct guard *g, int identity)
{
    const char *why;
    void *no_state = NULL;
    g->store = identity_open(identity, true, &why);
    if (!g->store) {
        log_note(LOG_LEVEL_ERROR, "login-bans-not-kept", why, 0);
        return;
    }
    int n = ban_list(g->store, g->listed, LIMIT_GUESS_BANS_KEPT);
    if (n >= 0) guess_load(g->guess, g->listed, (size_t)n, unix_ms(g));
    if (n < 0 || !ban_each_known(g->store, knows, g))
        log_note(LOG_LEVEL_ERROR, "login-bans-unreadable", change_why(g->store), 0);
    g->workers = workers_create(g->child->loop, 1, &no_state, work, done, g);
    if (!g->workers) log_note(LOG_LEVEL_ERROR, "login-bans-not-kept", "no memory for its thread", errno);
}

struct guard *guard_create(struct child *c, int identity)
{
    uint64_t seed;
    struct guard *g = calloc(1, sizeof *g);
    void *memory = calloc(1, guess_octets());
    struct guess_ban *listed = calloc(LIMIT_GUESS_BANS_KEPT, sizeof *listed);
    struct bans *bans = bans_create(c, memory);
    if (!g || !memory || !listed || !bans || getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        log_note(LOG_LEVEL_ERROR, "identity-unusable", "no memory for what failed logins mean", errno);
        free(g);
        free(memory);
        free(listed);
        bans_free(&bans);
        return NULL;
    }
    *g = (struct guard){.child = c, .guess = guess_on(memory, seed), .listed = listed, .told = bans};
    open_store(g, identity);
    return g;
}

bool guard_start(struct guard *g)
{
    if (!g->workers) return true;
    if (!workers_start(g->workers)) return false;
    look(g);
    return true;
}

void guard_free(struct guard **guard)
{
    struct guard *g = *guard;
    if (!g) return;
    *guard = NULL;
    loop_timer_stop(g->child->loop, &g->timer);
    workers_free(&g->workers);
    identity_close(&g->store);
    bans_free(&g->told);
    free(g->guess);
    free(g->listed);
    free(g);
}

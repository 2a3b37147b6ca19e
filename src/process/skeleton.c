#include "process/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#ifdef SALLYPORT_TEST_HOOKS
#include "process/hook.h"
#endif
#include "process/supervise.h"
#include "system/log.h"
#include "system/sandbox.h"

enum {
    CHANNEL_QUEUE = 64,
    EVENTS_PER_TURN = 512,
    CONFIGS_KEPT = 2, /* the one in use and the one before: a role may point into it for a while */
    FOLDERS_MAX = 256 + LIMIT_CREDENTIAL_FILES,
    HEAP_RESERVE_OCTETS =
        64 << 20, /* for roles that get no memory later: sessions, conversations that begin anew */
};

/* One process, one child. */
static struct {
    struct child child;
    const struct role_row *row;
    struct ipc *supervisor;
    struct supervise_hello hello;
    bool greeted, started, failed;
    bool serving;     /* the role's start returned true */
    bool introducing; /* inside the peer hook: what is lost now is being replaced */
    uint8_t caged;    /* enum sandbox_result */
    uint32_t serials[PROC_ROLE_COUNT][LIMIT_EDGES_MAX]; /* of the newest conversation with each peer */
    int status;
    char name[24];
    struct arena *configs[CONFIGS_KEPT]; /* newest first */
    struct {
        struct supervise_grant grant;
        int fd;
    } folders[FOLDERS_MAX]; /* copies of directory grants: looked at before the cage, for Landlock, closed */
    unsigned n_folders;
    uint8_t problem[LIMIT_CONFIG_PATH_OCTETS + 256];
    void (*answer)(struct child *c, uint32_t question, struct span text);
} me;

/* ---- to the supervisor */

static bool tell(uint16_t type, struct span payload)
{
    return me.supervisor && ipc_send(me.supervisor, type, payload);
}

static void give_up(const char *why)
{
    if (!tell(SUPERVISE_FAILED, span_head(span_str(why), SUPERVISE_REASON_OCTETS)))
        log_note(LOG_LEVEL_ERROR, "start-failed", why, 0);
    me.failed = true;
    child_exit(&me.child, 1);
}

bool child_publish_map(struct child *c, int memfd)
{
    (void)c;
    return me.supervisor && ipc_send_fd(me.supervisor, SUPERVISE_MAP, (struct span){NULL, 0}, memfd);
}

void child_exit(struct child *c, int status)
{
    me.status = status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c;
    bool ended = strcmp(reason, "end of file") == 0 || strcmp(reason, "replaced") == 0;
    /* the supervisor says which process ended, and whether it should have */
    log_begin(ended ? LOG_LEVEL_DEBUG : LOG_LEVEL_SECURITY, "peer-lost");
    log_str("peer", role_table[role].name);
    log_u64("index", index);
    log_str("reason", reason);
    log_end();
    if (index >= LIMIT_EDGES_MAX || me.introducing) return;
    uint8_t memory[SUPERVISE_PEER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    supervise_peer_put(&b, &(struct supervise_peer){(uint8_t)role, index, 0, me.serials[role][index]});
    if (!tell(SUPERVISE_LOST, buf_span(&b)))
        log_note(LOG_LEVEL_ERROR, "supervisor-unreachable", "peer-lost", 0);
}

bool child_ask(struct child *c, uint32_t question, struct span argument,
               void (*answer)(struct child *c, uint32_t question, struct span text))
{
    (void)c;
    if (me.answer || argument.n > 0 || question >= CHILD_ASK_COUNT) return false;
    if (!tell(SUPERVISE_QUESTION, span_of(&question, sizeof question))) return false;
    me.answer = answer;
    return true;
}

/* ---- the beginning */

/* The bundle's descriptor is consumed. Null: *error. */
static const struct config *read_config(int fd, const char **error)
{
    struct stat st;
    struct arena *arena = arena_create(LIMIT_CONFIG_MEMORY_OCTETS);
    struct config_source *sources = NULL;
    struct config_problem *problems = NULL;
    struct span missing;
    size_t n = 0;
    const struct config *config = NULL;
    *error = "the config bundle cannot be read";
    if (arena && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= SUPERVISE_BUNDLE_OCTETS) {
        size_t octets = (size_t)st.st_size;
        void *text = arena_take(arena, octets);
        if (text && pread(fd, text, octets, 0) == (ssize_t)octets &&
            config_bundle_read(arena, span_of(text, octets), &sources, &n)) {
            *error = "the config bundle is not what the supervisor checked";
            config = config_parse(arena, sources, n, &problems, &missing);
        }
    }
    close(fd);
    if (!config) {
        arena_destroy(&arena);
        return NULL;
    }
    arena_destroy(&me.configs[CONFIGS_KEPT - 1]);
    for (unsigned i = CONFIGS_KEPT - 1; i > 0; i--)
        me.configs[i] = me.configs[i - 1];
    me.configs[0] = arena;
    return config;
}

static void set_name(void)
{
    struct buf b = buf_on(me.name, sizeof me.name - 1);
    role_put_name(&b, me.row->role, me.hello.index);
    me.child.name = me.name;
    prctl(PR_SET_NAME, me.name); /* cut to 15 octets; for ps and top only */
}

static void on_hello(struct span payload, int fd)
{
    const char *error;
    if (me.greeted || !supervise_hello_read(payload, &me.hello) || !role_table[me.hello.role].hooks) {
        close(fd);
        give_up("the supervisor's greeting is not understood");
        return;
    }
    me.greeted = true;
    me.row = &role_table[me.hello.role];
    set_name();
    me.child.role = me.row->role;
    me.child.index = me.hello.index;
    me.child.generation = me.hello.generation;
    me.child.n_edges = me.hello.n_edges;
    me.child.pool = me.hello.pool;
    me.child.column = me.hello.column;
    me.child.listeners_shared = me.hello.listeners_shared;
    me.child.insecure_no_sandbox = me.hello.insecure_no_sandbox;
    if (!(me.row->abilities & SANDBOX_MEMORY)) { /* one heap that grows by brk, now, and never shrinks */
        mallopt(M_MMAP_MAX, 0);
        mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    }
    me.child.config = read_config(fd, &error);
    if (!me.child.config) {
        give_up(error);
        return;
    }
    log_open(STDERR_FILENO, me.name, me.child.config->log_level);
    if (!sandbox_drop_user(me.row->name, me.hello.uid, me.hello.gid, me.hello.group, &error)) give_up(error);
}

static struct span folder_name(const struct supervise_grant *g)
{
    const struct config *c = me.child.config;
    if (g->kind == GRANT_SPOOL) return c->spool_folder;
    if (g->kind == GRANT_USERS) return c->users_folder;
    if (g->kind == GRANT_TOKEN_FOLDER) return SPAN("of a token-file");
    return g->a < c->n_deliver ? c->deliver[g->a].target : SPAN("of mail");
}

/* Modes were looked at before anything was started (service/config_files); here the kernel has the last word. */
static bool folders_usable(const char **error)
{
    for (unsigned i = 0; i < me.n_folders; i++) {
        bool read_only = me.folders[i].grant.kind == GRANT_TOKEN_FOLDER;
        if (faccessat(me.folders[i].fd, ".", read_only ? X_OK : R_OK | W_OK | X_OK, AT_EACCESS) == 0)
            continue;
        if (errno != EACCES && errno != EPERM)
            continue; /* a disk's trouble may pass: the role copes with it */
        struct span name = folder_name(&me.folders[i].grant);
        struct buf b = buf_on(me.problem, sizeof me.problem - 1);
        buf_str(&b, "the folder ");
        buf_escaped(&b, name, SUPERVISE_REASON_OCTETS / 2);
        buf_str(&b, read_only ? " cannot be entered by user id " : " cannot be read and written by user id ");
        buf_u64(&b, geteuid());
        buf_str(&b, ", which this process has");
        if (!read_only) {
            buf_str(&b, ": chown -R ");
            buf_u64(&b, geteuid());
            buf_byte(&b, ' ');
            buf_escaped(&b, name, SUPERVISE_REASON_OCTETS / 2);
        }
        me.problem[b.n] = '\0';
        *error = (const char *)me.problem;
        return false;
    }
    return true;
}

static bool close_cage(const char **error)
{
    int directories[FOLDERS_MAX], read_only[FOLDERS_MAX];
    unsigned n = 0, n_read_only = 0;
    for (unsigned i = 0; i < me.n_folders; i++) {
        bool reads = me.folders[i].grant.kind == GRANT_TOKEN_FOLDER;
        *(reads ? &read_only[n_read_only++] : &directories[n++]) = me.folders[i].fd;
    }
    struct sandbox s = {.process = me.name,
                        .abilities = me.row->abilities,
                        .directories = directories,
                        .n_directories = n,
                        .read_only = read_only,
                        .n_read_only = n_read_only,
                        .max_fds = me.row->max_fds,
                        .debug = me.hello.debug_sandbox};
    uint8_t result = SANDBOX_FAILED;
    if (!(me.row->abilities & SANDBOX_MEMORY)) {
        void *volatile reserve =
            malloc(HEAP_RESERVE_OCTETS); /* volatile: the compiler would leave both calls out */
        free(reserve);
    }
    log_flush();
    if (!me.hello.insecure_no_sandbox) {
        result = (uint8_t)sandbox_enter(&s, error);
        if (result == SANDBOX_FAILED) return false;
    }
    for (unsigned i = 0; i < me.n_folders; i++)
        close(me.folders[i].fd);
    me.n_folders = 0;
    me.caged = result;
    return true;
}

static void on_start(void)
{
    const char *error = "no reason given";
    const struct child_hooks *h = me.row->hooks;
    if (me.started) {
        give_up("started twice");
        return;
    }
    me.started = true;
    if (!folders_usable(&error) || (h->prepare && !h->prepare(&me.child, &error)) || !close_cage(&error) ||
        (h->start && !h->start(&me.child, &error))) {
        give_up(error);
        return;
    }
    me.serving = true;
    if (!tell(SUPERVISE_READY, span_of(&me.caged, 1))) child_exit(&me.child, 1);
}

/* ---- what comes later */

static void on_grant(struct span payload, int fd)
{
    struct supervise_grant g;
    if (!supervise_grant_read(payload, &g) || !me.row->hooks->grant) {
        close(fd);
        return;
    }
    if (g.kind == GRANT_LOCK) return; /* it is held until this process ends */
    bool folder = g.kind == GRANT_SPOOL || g.kind == GRANT_MAIL || g.kind == GRANT_USERS ||
                  g.kind == GRANT_TOKEN_FOLDER;
    if (!me.started && folder && me.n_folders < FOLDERS_MAX) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy >= 0) {
            me.folders[me.n_folders].grant = g;
            me.folders[me.n_folders++].fd = copy;
        }
    }
    me.row->hooks->grant(&me.child, (enum grant)g.kind, g.a, g.b, fd);
}

static void on_peer(struct span payload, int fd)
{
    struct supervise_peer p;
    if (!supervise_peer_read(payload, &p) || !me.row->hooks->peer) {
        close(fd);
        return;
    }
    me.serials[p.role][p.index] = p.serial;
    me.introducing = true;
    me.row->hooks->peer(&me.child, (enum role)p.role, p.index, p.generation, fd);
    me.introducing = false;
}

static void on_config(struct span payload, int fd)
{
    const char *error;
    const struct config *fresh = read_config(fd, &error);
    struct wire w = wire_on(payload);
    if (!fresh) {
        log_note(LOG_LEVEL_ERROR, "reload", error, 0);
        return;
    }
    me.child.generation = wire_u32(&w);
    if (me.row->hooks->config) me.row->hooks->config(&me.child, fresh);
    me.child.config = fresh;
}

static void on_report(struct span tag)
{
    uint8_t memory[4 + SUPERVISE_STATUS_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, tag);
    if (me.serving && me.row->hooks->status) me.row->hooks->status(&me.child, &b);
    if (b.over) {
        b = buf_on(memory, sizeof memory);
        buf_put(&b, tag);
        log_note(LOG_LEVEL_ERROR, "status", "too long", 0);
    }
    if (!tell(SUPERVISE_STATUS, buf_span(&b))) log_note(LOG_LEVEL_WARNING, "status", "could not be sent", 0);
}

static void on_answer(struct span payload)
{
    struct wire w = wire_on(payload);
    uint32_t question = wire_u32(&w);
    void (*answer)(struct child *, uint32_t, struct span) = me.answer;
    me.answer = NULL;
    if (answer) answer(&me.child, question, w.rest);
}

static void on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    (void)context;
    if (!me.greeted && type != SUPERVISE_HELLO) give_up("the supervisor did not greet first");
    if (me.failed) {
        if (n_fds) close(fds[0]);
        return;
    }
    switch (type) {
    case SUPERVISE_HELLO: on_hello(payload, fds[0]); break;
    case SUPERVISE_GRANT: on_grant(payload, fds[0]); break;
    case SUPERVISE_PEER: on_peer(payload, fds[0]); break;
    case SUPERVISE_START: on_start(); break;
    case SUPERVISE_CONFIG: on_config(payload, fds[0]); break;
    case SUPERVISE_DRAIN:
        if (me.serving && me.row->hooks->drain)
            me.row->hooks->drain(&me.child, payload.p[0] != 0);
        else
            child_exit(&me.child, 0);
        if (!tell(SUPERVISE_DRAINING, (struct span){NULL, 0}))
            log_note(LOG_LEVEL_WARNING, "supervisor-unreachable", "drain", 0);
        break;
    case SUPERVISE_PING:
        if (!tell(SUPERVISE_PONG, payload)) log_note(LOG_LEVEL_WARNING, "supervisor-unreachable", "ping", 0);
        break;
    case SUPERVISE_REPORT: on_report(payload); break;
    default: on_answer(payload); break;
    }
}

static void on_closed(void *context, const char *reason)
{
    (void)context;
    log_note(LOG_LEVEL_ERROR, "supervisor-gone", reason, 0);
    ipc_close(&me.supervisor);
    child_exit(&me.child, 1);
}

static void after_turn(void *context)
{
    (void)context;
    if (me.serving && me.row->hooks->after_turn) me.row->hooks->after_turn(&me.child);
    if (me.supervisor) ipc_flush(me.supervisor);
    log_flush();
}

int skeleton_main(int fd)
{
    signal(SIGPIPE, SIG_IGN);
#ifdef SALLYPORT_TEST_HOOKS
    hook_install();
#endif
    me.child.loop = loop_create(EVENTS_PER_TURN);
    if (!me.child.loop) return 1;
    me.supervisor = ipc_open(me.child.loop, fd, supervise_to_child, supervise_to_child_n, CHANNEL_QUEUE,
                             on_message, on_closed, NULL);
    if (!me.supervisor) return 1;
    loop_run(me.child.loop, after_turn, NULL);
    log_flush();
    return me.status;
}

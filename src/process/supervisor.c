#include "process/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "process/supervisor_private.h"
#include "system/notify.h"

enum { EVENTS_PER_TURN = 64, STAGES = 3 };

/* ---- the end */

void supervisor_exit(struct supervisor *s, int status)
{
    s->status = status;
    loop_stop(s->loop);
}

void supervisor_release_shell(struct supervisor *s, uint8_t status)
{
    if (s->detached < 0) return;
    if (write(s->detached, &status, 1) != 1) log_note(LOG_LEVEL_WARNING, "detach", "nobody waits", errno);
    close(s->detached);
    s->detached = -1;
}

/* Who ends in which stage: first those that take mail in and out, then the spool, then the rest. */
static unsigned stage_of(enum role role)
{
    return role == PROC_EDGE || role == PROC_RELAY ? 0 : role == PROC_SPOOLER ? 1 : 2;
}

static uint64_t stage_ms(const struct supervisor *s, unsigned stage)
{
    uint64_t seconds = STOP_GRACE_SECONDS;
    if (stage == 0)
        seconds += s->serving ? s->serving->load.config->drain_seconds : LIMIT_DRAIN_SECONDS_DEFAULT;
    if (stage == 1) seconds += STOP_SPOOLER_SECONDS;
    return seconds * 1000;
}

static bool stage_over(const struct supervisor *s, unsigned stage)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].state != PROCESS_FREE && stage_of(s->processes[i].role) == stage) return false;
    return true;
}

static void begin_stage(struct supervisor *s)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].state != PROCESS_FREE && stage_of(s->processes[i].role) == s->stop_stage)
            supervisor_process_drain(&s->processes[i], true, stage_ms(s, s->stop_stage));
}

void supervisor_stop_next(struct supervisor *s)
{
    while (s->stop_stage < STAGES && stage_over(s, s->stop_stage)) {
        s->stop_stage++;
        if (s->stop_stage < STAGES) begin_stage(s);
    }
    if (s->stop_stage == STAGES) supervisor_exit(s, 0);
}

static void kill_all(struct supervisor *s)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].state != PROCESS_FREE) supervisor_process_kill(&s->processes[i]);
}

void supervisor_stop(struct supervisor *s)
{
    if (s->stopping) {
        log_note(LOG_LEVEL_WARNING, "stopping", "asked again: at once", 0);
        kill_all(s);
        return;
    }
    s->stopping = true;
    if (s->retiring) supervisor_retire_end(s); /* that reload is done, as far as anybody cares now */
    log_note(LOG_LEVEL_INFO, "stopping", "sessions inside a transaction may end", 0);
    notify_send(SPAN("STOPPING=1\nSTATUS=draining"));
    supervisor_reload_refuse(s, "it is being stopped");
    supervisor_close_listeners(s); /* what is queued is reset; clients try the next exchanger, or later */
    struct generation *g = supervisor_starting(s);
    if (g) loop_timer_stop(s->loop, &g->timer);
    begin_stage(s);
    supervisor_stop_next(s);
}

/* ---- signals */

static void on_signal(struct watch *w, uint32_t events)
{
    struct supervisor *s = (struct supervisor *)(void *)((char *)w - offsetof(struct supervisor, signals));
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info)
        switch (info.ssi_signo) {
        case SIGCHLD: supervisor_reap(s); break;
        case SIGHUP: supervisor_reload(s, NULL); break;
        default: supervisor_stop(s); break;
        }
}

static bool watch_signals(struct supervisor *s)
{
    sigset_t set;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &standard,
              NULL); /* ignored, as some starters leave it, children would vanish unseen */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return false;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 && loop_watch(s->loop, &s->signals, fd, LOOP_READ, on_signal);
}

static void after_turn(void *context)
{
    struct supervisor *s = context;
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].channel) ipc_flush(s->processes[i].channel);
    log_flush();
}

/* ---- the beginning */

/* Returns in the process that goes on; the one that was called waits until it serves and leaves with its word. */
static bool detach(struct supervisor *s)
{
    int pipe_fds[2];
    uint8_t status = SUPERVISOR_EXIT_START;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) return false;
    pid_t pid = fork();
    if (pid < 0) return false;
    if (pid > 0) {
        close(pipe_fds[1]);
        ssize_t n = read(pipe_fds[0], &status, 1);
        _exit(n == 1 ? status : SUPERVISOR_EXIT_START);
    }
    close(pipe_fds[0]);
    s->detached = pipe_fds[1];
    return setsid() >= 0;
}

/* As many descriptors as the system lets us have: children inherit the hard limit and take what their role needs. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    struct rlimit wish = {LIMIT_EDGE_FDS, LIMIT_EDGE_FDS};
    if (limit.rlim_max < LIMIT_EDGE_FDS && setrlimit(RLIMIT_NOFILE, &wish) == 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_note(LOG_LEVEL_WARNING, "descriptors", "limit not raised", errno);
}

/* 0 to 2 exist, so that no socket ever becomes "standard error". */
static bool standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
    if (fd >= 0) close(fd);
    return fd > STDERR_FILENO;
}

static bool prepare(struct supervisor *s)
{
    s->loop = loop_create(EVENTS_PER_TURN);
    if (!s->loop || !watch_signals(s) || prctl(PR_SET_DUMPABLE, 0) != 0) {
        log_note(LOG_LEVEL_ERROR, "start-failed", "loop or signals", errno);
        return false;
    }
    raise_descriptors();
    if (!notify_open()) log_note(LOG_LEVEL_WARNING, "notify", "NOTIFY_SOCKET cannot be used", errno);
    supervisor_adopt_sockets(s);
    if (!supervisor_rotate_tickets(s)) {
        log_note(LOG_LEVEL_ERROR, "start-failed", "no random octets for ticket keys", errno);
        return false;
    }
    return true;
}

static int begin(struct supervisor *s)
{
    struct buf nobody = buf_on(NULL, 0); /* asked: the log has it all */
    return supervisor_generation_begin(s, &nobody) ? 0 : s->status;
}

int supervisor_main(const struct supervisor_options *options)
{
    static struct supervisor supervisor; /* large, and there is one */
    struct supervisor *s = &supervisor;
    *s = (struct supervisor){.options = *options,
                             .control = -1,
                             .sources = -1,
                             .rates = -1,
                             .tickets_fd = -1,
                             .detached = -1,
                             .lock = -1};
    if (!standard_descriptors() || (!options->foreground && !detach(s))) return SUPERVISOR_EXIT_START;
    log_open(STDERR_FILENO, "supervisor", LOG_LEVEL_INFO);
    if (options->insecure_no_sandbox)
        log_note(LOG_LEVEL_SECURITY, "no-sandbox", "started with --insecure-no-sandbox: no process is caged",
                 0);
    int status = prepare(s) ? begin(s) : SUPERVISOR_EXIT_START;
    if (status == 0) {
        supervisor_watch_begin(s);
        loop_run(s->loop, after_turn, s);
        status = s->status;
    }
    supervisor_release_shell(s, (uint8_t)status);
    supervisor_close_listeners(s);
    kill_all(s); /* after a failed start; else there is none */
    log_begin(status ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "stopped");
    log_u64("status", (uint64_t)status);
    log_end();
    log_flush();
    return status;
}

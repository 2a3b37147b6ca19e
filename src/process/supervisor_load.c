#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/user_file.h"
#include "process/supervisor_private.h"
#include "service/config_files.h"
#include "service/token_file.h"

/* Where there is not room for all, errors come first. */
static void tell_problems(struct buf *text, const struct config_report *r)
{
    for (const struct config_problem *p = r->first; p; p = p->next)
        if (p->severity == CONFIG_ERROR) supervisor_tell(text, p);
    for (const struct config_problem *p = r->first; p; p = p->next)
        if (p->severity != CONFIG_ERROR) supervisor_tell(text, p);
}

static int make_bundle(const struct config_load *l)
{
    size_t n = config_bundle_octets(l->sources, l->n_sources);
    void *memory = n <= SUPERVISE_BUNDLE_OCTETS ? arena_take(l->arena, n) : NULL;
    int fd = memory ? memfd_create("sallyport-config", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
    if (fd < 0) return -1;
    struct buf b = buf_on(memory, n);
    config_bundle_put(&b, l->sources, l->n_sources);
    if (!b.over && pwrite(fd, memory, b.n, 0) == (ssize_t)b.n &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Opens one thing that the configuration names; absent_ok: then nothing is granted. */
static bool open_named(struct generation *g, enum grant kind, unsigned a, unsigned b, struct span path,
                       const struct config_place *place, bool absent_ok, struct config_report *report)
{
    bool by_path = kind == GRANT_USERS || kind == GRANT_TOKEN_FOLDER;
    bool folder = by_path || kind == GRANT_SPOOL || kind == GRANT_MAIL;
    /* paths of a configuration have a NUL behind them; a FIFO without a writer must not hang us; users and tokens are for the
     * directory process alone to look at */
    int fd = open((const char *)path.p,
                  O_CLOEXEC | (by_path ? O_PATH : O_RDONLY | O_NONBLOCK) | (folder ? O_DIRECTORY : 0));
    if (fd >= 0) {
        g->opened[g->n_opened++] = (struct opened){kind, a, b, fd};
        return true;
    }
    if (errno == ENOENT && absent_ok) return true;
    char memory[LIMIT_CONFIG_PATH_OCTETS + 128];
    struct buf what = buf_on(memory, sizeof memory - 1);
    const char *why = strerrordesc_np(errno);
    buf_str(&what, folder ? "cannot open the folder " : "cannot read ");
    buf_escaped(&what, path, LIMIT_CONFIG_PATH_OCTETS);
    buf_str(&what, ": ");
    buf_str(&what, why);
    memory[what.n] = '\0';
    config_report_add(report, CONFIG_ERROR, *place, memory, NULL);
    return false;
}

/* The folder alone: the file in it is opened by whoever needs it, again and again. */
static bool open_token_folder(struct generation *g, unsigned number, const struct config_user_file *f,
                              struct config_report *report)
{
    char memory[LIMIT_CONFIG_PATH_OCTETS + 1];
    struct buf folder = buf_on(memory, sizeof memory - 1);
    struct span before;
    const char *name;
    token_file_split(f->path, &before, &name);
    buf_put(&folder, before);
    memory[folder.n] = '\0';
    return open_named(g, GRANT_TOKEN_FOLDER, number, 0, buf_span(&folder), f->place, false, report);
}

/* Not more than can be held: that was looked at. */
static bool open_user_files(struct generation *g, struct config_report *report)
{
    static struct config_user_file files[LIMIT_CREDENTIAL_FILES];
    uint32_t n = config_user_files(g->load.config, files);
    bool ok = true;
    for (uint32_t i = 0; i < n && i < LIMIT_CREDENTIAL_FILES; i++)
        ok &= files[i].secret.token
                  ? open_token_folder(g, i, &files[i], report)
                  : open_named(g, GRANT_CREDENTIALS, i, 0, files[i].path, files[i].place, false, report);
    return ok;
}

static bool open_all(struct generation *g, struct config_report *report)
{
    const struct config *c = g->load.config;
    size_t n = 11 + c->n_deliver + LIMIT_CREDENTIAL_FILES;
    for (uint32_t i = 0; i < c->n_servers; i++)
        n += 2 * (size_t)c->servers[i].n_certificates;
    g->opened = arena_take_array(g->load.arena, n, sizeof *g->opened);
    if (!g->opened) return false;
    struct config_place whole = {.file = g->load.sources[0].name};
    bool ok = open_named(g, GRANT_SPOOL, 0, 0, c->spool_folder, &whole, false, report);
    if (c->users_folder.n)
        ok &= open_named(g, GRANT_USERS, 0, 0, c->users_folder, &whole, !c->users_given, report);
    if (c->aliases_file.n)
        ok &= open_named(g, GRANT_ALIASES, 0, 0, c->aliases_file, &whole, !c->aliases_given, report);
    if (c->n_resolvers == 0 && !c->recursion)
        ok &= open_named(g, GRANT_RESOLV_CONF, 0, 0, SPAN("/etc/resolv.conf"), &whole, true, report);
    ok &= open_named(g, GRANT_TRUST_ANCHOR, 0, 0, c->trust_anchor, &whole, !c->trust_anchor_given, report);
    ok &= open_named(g, GRANT_AUTHORITIES, 0, 0, c->authorities, &whole, !c->authorities_given, report);
    if (c->tokens.given) {
        const struct config_place tokens = config_said(c, "tokens");
        ok &= open_named(g, GRANT_TOKEN_KEYS, 0, 0, c->tokens.keys_file, &tokens, false, report);
    }
    if (c->client_authorities.n) {
        const struct config_place vouch = config_said(c, "client-authorities");
        ok &= open_named(g, GRANT_CLIENT_AUTHORITIES, 0, 0, c->client_authorities, &vouch, false, report);
    }
    if (c->client_authorities.n && c->client_revocations.n) {
        const struct config_place lists = config_said(c, "client-revocations");
        ok &= open_named(g, GRANT_CLIENT_REVOCATIONS, 0, 0, c->client_revocations, &lists, false, report);
    }
    if (c->kerberos.given) {
        const struct config_place kerberos = config_said(c, "kerberos");
        ok &= open_named(g, GRANT_KEYTAB, 0, 0, c->kerberos.keytab_file, &kerberos, false, report);
    }
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_MAILDIR)
            ok &= open_named(g, GRANT_MAIL, i, 0, c->deliver[i].target, &c->deliver[i].place, false, report);
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_certificates; k++) {
            const struct config_certificate *cert = &c->servers[i].certificates[k];
            ok &= open_named(g, GRANT_CHAIN, i, k, cert->chain_file, &cert->place, false, report);
            ok &= open_named(g, GRANT_KEY, i, k, cert->key_file, &cert->place, false, report);
        }
    if (config_names_authorities(c)) {
        const struct config_place vouch = config_said(c, "client-authorities");
        ok &= open_named(g, GRANT_AUTHORITY_NAMES, 0, 0, c->client_authorities, &vouch, false, report);
    }
    ok &= open_user_files(g, report);
    return ok;
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LIMIT_EDGES_MAX ? LIMIT_EDGES_MAX : (unsigned)n;
}

/* What `sallyport check` says, by the same functions. */
static bool look(struct generation *g, struct buf *text)
{
    const struct config *c = g->load.config;
    struct config_files_who who = {.starts = true};
    struct config_report report;
    role_account(PROC_SPOOLER, &who.spooler);
    role_account(PROC_MAILBOX, &who.mailbox);
    role_account(PROC_DIRECTORY, &who.directory);
    config_report_begin(&report, g->load.arena);
    config_report_take(&report, g->load.problems);
    if (c) config_files_check(c, &who, &report);
    bool ok = c && report.errors == 0 && config_files_make(c, &who, &report) && open_all(g, &report);
    tell_problems(text, &report);
    if (!ok && !report.first)
        supervisor_tell_reason(text,
                               SPAN("the configuration cannot be used, and no memory is left to say why"));
    return ok;
}

bool supervisor_load(struct supervisor *s, struct generation *g, struct buf *text)
{
    g->bundle = g->map = -1;
    g->n_opened = 0;
    if (!config_load(&g->load, s->options.config_file)) {
        supervisor_tell_reason(text, SPAN("no memory for the configuration"));
        return false;
    }
    if (!look(g, text)) {
        supervisor_unload(g);
        return false;
    }
    g->bundle = make_bundle(&g->load);
    if (g->bundle < 0) {
        supervisor_tell_reason(text, SPAN("the configuration and its includes are too large together"));
        supervisor_unload(g);
        return false;
    }
    g->n_edges = g->load.config->edges ? g->load.config->edges : cores();
    if (g->n_edges > LIMIT_EDGES_MAX) g->n_edges = LIMIT_EDGES_MAX;
    return true;
}

void supervisor_unload(struct generation *g)
{
    for (size_t i = 0; i < g->n_opened; i++)
        close(g->opened[i].fd);
    g->n_opened = 0;
    if (g->bundle >= 0) close(g->bundle);
    if (g->map >= 0) close(g->map);
    g->bundle = g->map = -1;
    config_load_free(&g->load);
}

int supervisor_open_again(int fd)
{
    struct stat st;
    char path[32];
    if (fstat(fd, &st) != 0) return -1;
    bool offset = (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && !(fcntl(fd, F_GETFL) & O_PATH);
    if (!offset) return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
}

enum role supervisor_role_of_grant(enum grant kind)
{
    switch (kind) {
    case GRANT_CHAIN:
    case GRANT_AUTHORITY_NAMES: return PROC_EDGE;
    case GRANT_KEY: return PROC_KEYRING;
    case GRANT_USERS:
    case GRANT_CREDENTIALS:
    case GRANT_TOKEN_FOLDER:
    case GRANT_TOKEN_KEYS:
    case GRANT_CLIENT_AUTHORITIES:
    case GRANT_CLIENT_REVOCATIONS:
    case GRANT_KEYTAB:
    case GRANT_ALIASES: return PROC_DIRECTORY;
    case GRANT_AUTHORITIES: return PROC_RELAY;
    case GRANT_SPOOL: return PROC_SPOOLER;
    case GRANT_MAIL: return PROC_MAILBOX;
    case GRANT_RESOLV_CONF:
    case GRANT_TRUST_ANCHOR: return PROC_RESOLVER;
    default: return PROC_SUPERVISOR;
    }
}

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

const char *supervisor_unchangeable(const struct supervisor *s, const struct generation *g)
{
    const struct generation *now = s->serving;
    /* the spool folder is the first that open_all opens */
    if (!same_file(now->opened[0].fd, g->opened[0].fd)) return "another spool folder needs a restart";
    if (!span_eq(now->load.config->control_socket, g->load.config->control_socket))
        return "another control socket needs a restart";
    return NULL;
}

bool supervisor_new_folders(const struct generation *before, const struct generation *g)
{
    for (size_t i = 0; i < g->n_opened; i++) {
        bool known = g->opened[i].kind != GRANT_MAIL;
        for (size_t k = 0; !known && k < before->n_opened; k++)
            known = before->opened[k].kind == GRANT_MAIL && same_file(before->opened[k].fd, g->opened[i].fd);
        if (!known) return true;
    }
    return false;
}

#include "cmd/user.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/control_client.h"
#include "cmd/queue_filter.h"
#include "cmd/user_store.h"
#include "service/config_load.h"

enum option {
    NO_PASSWORD,
    NO_MAILBOX,
    HOST,
    GRANT,
    NT,
    CRAM,
    SCRAM_SHA_1,
    GROUP,
    FROM,
    EXPIRES,
    LABEL,
    DOMAIN_OF,
    DRY_RUN,
    NO_RELOAD,
    OPTIONS
};
#define TAKES(o) (1u << (o))

enum {
    SECRETS = TAKES(NT) | TAKES(CRAM) | TAKES(SCRAM_SHA_1),
    MANY = 1000,
    CHANGED = 100 /* an exit code between processes: done, and recipients changed */
};

static const struct sub {
    const char *first, *second; /* second null: there is none */
    user_run_fn *run;
    int least, most; /* words behind it */
    unsigned options;
    bool reads; /* else it writes */
    bool makes; /* a database that there is not yet */
    const char *usage;
} subs[] = {
    {"add", NULL, user_add, 1, 1,
     SECRETS | TAKES(NO_PASSWORD) | TAKES(NO_MAILBOX) | TAKES(HOST) | TAKES(GRANT) | TAKES(NO_RELOAD), false,
     true,
     "add NAME@DOMAIN [--grant RIGHT,...] [--no-password] [--no-mailbox] [--nt] [--cram] [--scram-sha-1], or "
     "add --host NAME"},
    {"passwd", NULL, user_passwd, 1, 1, SECRETS | TAKES(NO_PASSWORD), false, false,
     "passwd NAME@DOMAIN [--no-password] [--nt] [--cram] [--scram-sha-1]"},
    {"remove", NULL, user_remove, 1, 1, TAKES(HOST) | TAKES(NO_RELOAD), false, false, "remove NAME@DOMAIN"},
    {"lock", NULL, user_lock, 1, 1, TAKES(HOST), false, false, "lock NAME@DOMAIN"},
    {"unlock", NULL, user_unlock, 1, 1, TAKES(HOST), false, false, "unlock NAME@DOMAIN"},
    {"list", NULL, user_list, 0, 0, 0, true, false, "list"},
    {"show", NULL, user_show, 1, 1, TAKES(HOST), true, false, "show NAME@DOMAIN"},
    {"grant", NULL, user_grant, 2, MANY, TAKES(HOST) | TAKES(GROUP), false, false,
     "grant NAME@DOMAIN RIGHT ..., or grant --group GROUP RIGHT ..."},
    {"revoke", NULL, user_revoke, 2, MANY, TAKES(HOST) | TAKES(GROUP), false, false,
     "revoke NAME@DOMAIN RIGHT ..., or revoke --group GROUP RIGHT ..."},
    {"group", "add", user_group_add, 1, MANY, TAKES(HOST), false, true, "group add GROUP [NAME@DOMAIN ...]"},
    {"group", "remove", user_group_remove, 1, MANY, TAKES(HOST), false, false,
     "group remove GROUP [NAME@DOMAIN ...]"},
    {"group", "list", user_group_list, 0, 1, 0, true, false, "group list [GROUP]"},
    {"sender", "add", user_sender_add, 2, MANY, TAKES(HOST), false, false,
     "sender add NAME@DOMAIN ADDRESS|@DOMAIN|* ..."},
    {"sender", "remove", user_sender_remove, 2, MANY, TAKES(HOST), false, false,
     "sender remove NAME@DOMAIN ADDRESS|@DOMAIN|* ..."},
    {"sender", "list", user_sender_list, 0, 1, TAKES(HOST), true, false, "sender list [NAME@DOMAIN]"},
    {"app", "add", user_app_add, 2, 2, SECRETS | TAKES(FROM) | TAKES(EXPIRES), false, false,
     "app add NAME@DOMAIN LABEL [--from NETWORK,...] [--expires TIME] [--nt] [--cram] [--scram-sha-1]"},
    {"app", "remove", user_app_remove, 2, 2, 0, false, false, "app remove NAME@DOMAIN LABEL"},
    {"app", "list", user_app_list, 0, 1, 0, true, false, "app list [NAME@DOMAIN]"},
    {"certificate", "add", user_certificate_add, 2, 2, TAKES(HOST) | TAKES(LABEL), false, false,
     "certificate add NAME@DOMAIN FILE [--label LABEL]"},
    {"certificate", "remove", user_certificate_remove, 2, 2, TAKES(HOST), false, false,
     "certificate remove NAME@DOMAIN FILE|KEY"},
    {"certificate", "list", user_certificate_list, 0, 1, TAKES(HOST), true, false,
     "certificate list [NAME@DOMAIN]"},
    {"import", NULL, user_import, 1, 1,
     TAKES(DOMAIN_OF) | TAKES(GRANT) | TAKES(NO_MAILBOX) | TAKES(DRY_RUN) | TAKES(NO_RELOAD), false, true,
     "import FILE [--domain DOMAIN] [--grant RIGHT,...] [--no-mailbox] [--dry-run]"},
    {"audit", NULL, user_audit, 0, 0, 0, true, false, "audit"},
};

/* --- what sub-commands share */

bool user_name(struct user_call *u, struct span *ret)
{
    struct buf b = buf_on(u->name_memory, sizeof u->name_memory);
    struct span written = span_str(u->words[0]);
    bool at = span_find(written, '@') != SPAN_NPOS;

    if (at == (u->host != NULL) || !identity_name(written, SPAN(""), &b)) {
        command_usage(u->v,
                      u->host ? "this is no name of a host" : "this is no name of a user (write name@domain)",
                      u->words[0]);
        return false;
    }
    *ret = buf_span(&b);
    return true;
}

bool user_number(struct user_call *u, struct span name, uint32_t *ret)
{
    enum identity_found found = change_find(u->identity, name, ret);
    if (found == IDENTITY_UNREADABLE)
        complain(EXIT_NO, "the users cannot be read: %s", change_why(u->identity));
    if (found == IDENTITY_UNKNOWN)
        complain(EXIT_NO, "there is no %s %.*s", u->host ? "host" : "user", SPAN_ARG(name));
    return found == IDENTITY_FOUND;
}

bool user_is_label(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!octet_is_alnum((uint8_t)text[i]) && !strchr("-._", text[i])) return false;
    return n > 0 && n <= LIMIT_IDENTITY_LABEL_OCTETS;
}

bool user_period(const struct command_call *v, const char *text, uint64_t *seconds)
{
    uint64_t number, ms = 0;

    if (span_u64(span_str(text), &number)) {
        char memory[USER_SHOWN_OCTETS];
        snprintf(memory, sizeof memory,
                 "a number alone does not say of what: write %" PRIu64 "d for days, %" PRIu64 "h for hours",
                 number, number);
        command_usage(v, memory, text);
        return false;
    }
    if (!queue_filter_age(span_str(text), &ms) || ms < 1000) {
        command_usage(v, "write for how long: 30m, 12h, 90d", text);
        return false;
    }
    *seconds = ms / 1000;
    return true;
}

bool user_begin(struct user_call *u)
{
    if (change_begin(u->identity)) return true;
    complain(EXIT_NO, "the users cannot be changed: %s", change_why(u->identity));
    return false;
}

int user_failed(struct user_call *u)
{
    change_undo(u->identity);
    return complain(EXIT_NO, "nothing was changed: %s", change_why(u->identity));
}

static void say_done(const struct user_call *u, struct span text)
{
    char memory[USER_TEXT_OCTETS * 6];
    struct buf b = buf_on(memory, sizeof memory);
    if (u->v->json) {
        buf_json(&b, text, USER_TEXT_OCTETS);
        printf("{\"done\":\"%.*s\"}\n", SPAN_ARG(buf_span(&b)));
    } else {
        buf_escaped(&b, text, USER_TEXT_OCTETS);
        printf("%.*s.\n", SPAN_ARG(buf_span(&b)));
    }
}

int user_end(struct user_call *u, enum change change, const char *none, const char *format, ...)
{
    char text[USER_TEXT_OCTETS];
    va_list values;

    if (change == CHANGE_FAILED) return user_failed(u);
    if (change == CHANGE_NONE) {
        change_undo(u->identity);
        return complain(EXIT_NO, "%s", none);
    }
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (!change_commit(u->identity, &u->who, span_str(text))) return user_failed(u);
    say_done(u, span_str(text));
    return EXIT_YES;
}

/* --- the running server */

static void no_line(void *context, struct span line)
{
    (void)context, (void)line;
}

/* Recipients are in a map that a reload makes anew; everything else is asked of the database each time. */
static void tell_server(const struct user_call *u)
{
    const struct control_request reload = {.verb = CONTROL_RELOAD};
    enum control_status status;
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1];

    if (u->no_reload) {
        if (!u->v->json) printf("The running server knows it after: sallyport reload\n");
        return;
    }
    enum control_client_outcome outcome =
        control_client_ask((const char *)u->config->control_socket.p, &reload, no_line, NULL, &status, text);
    if (outcome == CONTROL_CLIENT_ABSENT) return; /* it reads the users when it starts */
    if (outcome == CONTROL_CLIENT_BROKEN || status != CONTROL_OK)
        complain(EXIT_YES, "the running server does not know it yet: sallyport reload says why");
    else if (!u->v->json)
        printf("The running server knows it.\n");
}

/* --- */

static const struct sub *find_sub(const struct command_call *v, int words, int *used)
{
    for (size_t i = 0; words > 0 && i < sizeof subs / sizeof subs[0]; i++) {
        const struct sub *s = &subs[i];
        if (strcmp(v->argv[1], s->first) != 0) continue;
        if (s->second && (words < 2 || strcmp(v->argv[2], s->second) != 0)) continue;
        *used = s->second ? 2 : 1;
        return s;
    }
    return NULL;
}

static bool options_fit(const struct user_call *u, const struct sub *s, const struct command_option *options)
{
    for (unsigned k = 0; k < OPTIONS; k++) {
        if (!*options[k].value || (s->options & TAKES(k))) continue;
        char memory[USER_TEXT_OCTETS];
        snprintf(memory, sizeof memory, "%s is not for %s", options[k].name, s->usage);
        command_usage(u->v, memory, NULL);
        return false;
    }
    return true;
}

/* Who logged in, as the kernel remembers it through su and sudo; empty: nobody did, or the one who calls. */
static void logged_in(char *name, size_t room)
{
    char memory[16];
    uint64_t uid = UINT32_MAX;
    name[0] = '\0';
    int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, memory, sizeof memory) : 0;
    if (fd >= 0) close(fd);
    if (n <= 0 || !span_u64(span_of(memory, (size_t)n), &uid) || uid >= UINT32_MAX || uid == getuid()) return;
    const struct passwd *account = getpwuid((uid_t)uid);
    if (account)
        snprintf(name, room, "%s", account->pw_name);
    else
        snprintf(name, room, "%u", (unsigned)uid);
}

/* Who changes something: the account, and who became it to do so. */
void user_caller(struct user_call *u)
{
    char before[64];
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    logged_in(before, sizeof before);
    if (!before[0] && sudo) snprintf(before, sizeof before, "%s", sudo);
    const struct passwd *account = getpwuid(getuid());
    snprintf(u->caller, sizeof u->caller, "%s%s%s%s", account ? account->pw_name : "", before[0] ? " (" : "",
             before, before[0] ? ")" : "");
    u->now = (uint64_t)time(NULL);
    u->who = (struct change_caller){getuid(), span_str(u->caller), u->now};
}

static int run_sub(struct user_call *u, void *context)
{
    const struct sub *const *s = context;
    int code = (*s)->run(u);
    return code == EXIT_YES && u->recipients_changed ? CHANGED : code;
}

/* "-" is standard input; of a pipe all is waited for. */
static const char *load(struct arena *arena, const char *path, size_t most, struct span *ret)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return strerrordesc_np(errno);
    const char *why = config_load_descriptor(arena, fd, most, ret);
    close(fd);
    return why;
}

/* What the caller may read, the owner of the database perhaps may not. Null: no memory. */
static struct arena *read_file(struct user_call *u, const struct sub *s)
{
    bool import = s->run == user_import;
    bool certificate = s->run == user_certificate_add || s->run == user_certificate_remove;
    size_t most = import ? LIMIT_DIRECTORY_FILE_OCTETS : LIMIT_CHAIN_OCTETS;
    struct arena *arena = arena_create(most + 4096);
    if (arena && (import || certificate)) u->file_why = load(arena, u->words[import ? 0 : 1], most, &u->file);
    return arena;
}

static int run(struct user_call *u, const struct sub *s)
{
    struct arena *file = read_file(u, s);
    if (!file) return complain(EXIT_NO, "no memory");
    int code = user_with_store(u, !s->reads, s->makes, run_sub, &s);
    arena_wipe(file); /* there may be passwords in it */
    arena_destroy(&file);
    if (code == CHANGED) {
        tell_server(u);
        code = EXIT_YES;
    }
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

int command_user(struct command_call *v)
{
    struct user_call u = {.v = v};
    const struct command_option options[OPTIONS] = {
        [NO_PASSWORD] = {"--no-password", &u.no_password, true, false},
        [NO_MAILBOX] = {"--no-mailbox", &u.no_mailbox, true, false},
        [HOST] = {"--host", &u.host, true, false},
        [GRANT] = {"--grant", &u.grant, false, false},
        [NT] = {"--nt", &u.nt, true, false},
        [CRAM] = {"--cram", &u.cram, true, false},
        [SCRAM_SHA_1] = {"--scram-sha-1", &u.scram_sha_1, true, false},
        [GROUP] = {"--group", &u.group, true, false},
        [FROM] = {"--from", &u.from, false, false},
        [EXPIRES] = {"--expires", &u.expires, false, false},
        [LABEL] = {"--label", &u.label, false, false},
        [DOMAIN_OF] = {"--domain", &u.domain, false, false},
        [DRY_RUN] = {"--dry-run", &u.dry_run, true, false},
        [NO_RELOAD] = {"--no-reload", &u.no_reload, true, false},
    };
    struct config_load load;
    int words, used = 0;

    if (!command_options(v, options, OPTIONS, &words)) return EXIT_USAGE;
    const struct sub *s = find_sub(v, words, &used);
    if (!s)
        return command_usage(v, words ? "there is no such subcommand" : "which subcommand?",
                             words ? v->argv[1] : NULL);
    if (words - used < s->least || words - used > s->most) return command_usage(v, s->usage, NULL);
    if (!options_fit(&u, s, options)) return EXIT_USAGE;
    u.words = v->argv + 1 + used;
    u.n_words = words - used;
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config))
        return complain(EXIT_NO, "reading the configuration: %s", strerrordesc_np(errno));
    u.config = load.config;
    user_caller(&u);
    int code =
        u.config ? run(&u, s) : complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config);
    config_load_free(&load);
    return code;
}

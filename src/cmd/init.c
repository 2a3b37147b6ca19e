/* init: a complete folder for a new server: configuration, certificate, users, one mailbox, an empty spool. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/buf.h"
#include "cmd/command.h"
#include "cmd/complain.h"
#include "cmd/init_folder.h"
#include "cmd/user_private.h"
#include "directory/mailbox_name.h"
#include "smtp/domain.h"
#include "smtp/path.h"
#include "system/tls_selfsigned.h"

enum { PEM_OCTETS = 4096, CONFIG_OCTETS = 8192, NAME_OCTETS = 512 };

struct init {
    const char *dir, *domain_given, *user_given;
    char domain[NAME_OCTETS], user[NAME_OCTETS]; /* lower case */
    uint16_t smtp, submission, submissions;      /* 0: none */
    uint32_t sessions;
    bool fewer_sessions; /* than we wanted: the system has no more descriptors */
    bool v6;
};

/* --- what was asked for */

static bool read_port(struct command_call *v, const char *text, const char *option, uint16_t *ret)
{
    uint64_t port;

    if (!text) return true;
    if (!span_u64(span_str(text), &port) || port < 1 || port > 65535) {
        command_usage(v, "a port is a number from 1 to 65535", option);
        return false;
    }
    *ret = (uint16_t)port;
    return true;
}

static bool lower(const char *from, char to[NAME_OCTETS])
{
    size_t n = strlen(from);

    if (n >= NAME_OCTETS) return false;
    for (size_t i = 0; i <= n; i++)
        to[i] = (char)octet_lower((uint8_t)from[i]);
    return true;
}

static const char *default_user(void)
{
    const struct passwd *me = geteuid() == 0 ? NULL : getpwuid(geteuid());

    return me ? me->pw_name : "postmaster";
}

/* What SMTP takes as a local part without quotes, and the mailbox process as the name of a folder. */
static bool user_valid(const struct init *i)
{
    uint8_t memory[NAME_OCTETS * 2 + 4];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest, local = span_str(i->user);

    buf_byte(&b, '<');
    buf_str(&b, i->user);
    buf_byte(&b, '@');
    buf_str(&b, i->domain);
    buf_byte(&b, '>');
    return !b.over && mailbox_name_local(local) && span_find(local, '+') == SPAN_NPOS &&
           path_parse(buf_span(&b), 0, &path, &rest) == PATH_OK && !rest.n && span_eq(path.local, local);
}

static bool read_request(struct command_call *v, struct init *i)
{
    const char *smtp = NULL, *submission = NULL, *submissions = NULL;
    const struct command_option options[] = {
        {"--dir", &i->dir, false, true},
        {"--domain", &i->domain_given, false, true},
        {"--smtp-port", &smtp, false, true},
        {"--submission-port", &submission, false, false},
        {"--submissions-port", &submissions, false, false},
        {"--user", &i->user_given, false, false},
    };
    int words;

    if (!command_options(v, options, sizeof options / sizeof options[0], &words)) return false;
    if (words) {
        command_usage(v, "unknown argument", v->argv[1]);
        return false;
    }
    if (!read_port(v, smtp, "--smtp-port", &i->smtp) ||
        !read_port(v, submission, "--submission-port", &i->submission) ||
        !read_port(v, submissions, "--submissions-port", &i->submissions))
        return false;
    if (i->smtp == i->submission || i->smtp == i->submissions ||
        (i->submission && i->submission == i->submissions)) {
        command_usage(v, "each listener needs a port of its own", NULL);
        return false;
    }
    if (!lower(i->domain_given, i->domain) || !domain_valid(span_str(i->domain), false, false)) {
        command_usage(v, "this is no domain name", i->domain_given);
        return false;
    }
    const char *user = i->user_given ? i->user_given : default_user();
    if (!lower(user, i->user) || !user_valid(i)) {
        command_usage(v, "this is no name of a mailbox (write the part before the @)", user);
        return false;
    }
    return true;
}

/* --- what the machine allows */

static void look_at_machine(struct init *i)
{
    struct rlimit limit;
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    i->sessions = LIMIT_INIT_SESSIONS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < LIMIT_INIT_SESSIONS + LIMIT_SPARE_FDS) {
        i->sessions = limit.rlim_max > 2 * LIMIT_SPARE_FDS ? (uint32_t)(limit.rlim_max - LIMIT_SPARE_FDS)
                                                           : LIMIT_SPARE_FDS;
        i->fewer_sessions = true;
    }
    i->v6 = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0) close(fd);
}

/* --- the files */

static void put_listen(struct buf *b, const struct init *i, uint16_t port, const char *behind)
{
    buf_str(b, "    listen 127.0.0.1:");
    buf_u64(b, port);
    if (i->v6) {
        buf_str(b, " [::1]:");
        buf_u64(b, port);
    }
    buf_str(b, behind);
    buf_str(b, "\n");
}

static void put_config(struct buf *b, const struct init *i)
{
    buf_str(b, "# Made by sallyport init. All directives: sallyport help config. After a change: sallyport "
               "check, then reload.\n"
               "hostname ");
    buf_str(b, i->domain);
    buf_str(b, "\n\nserver mx {\n");
    put_listen(b, i, i->smtp, "            # for the Internet: listen 0.0.0.0:25 [::]:25");
    buf_str(b, "    tls starttls certificate tls/chain.pem key tls/key.pem   # self-signed: get a better "
               "one\n    recipients ");
    buf_str(b, i->domain);
    buf_str(b, "\n}\n");
    if (i->submission || i->submissions) {
        buf_str(b, "\nserver submission {\n    access authenticated\n");
        if (i->submission) put_listen(b, i, i->submission, " tls starttls");
        if (i->submissions) put_listen(b, i, i->submissions, " tls implicit");
        buf_str(b, "}\n");
    }
    buf_str(b, "\nlimits { sessions ");
    buf_u64(b, i->sessions);
    buf_str(b, "  sessions-per-loopback-source ");
    buf_u64(b, i->sessions);
    buf_str(b, i->fewer_sessions ? " }   # more is not allowed here: ulimit -Hn\n" : " }\n");
    buf_str(b, "\ndeliver ");
    buf_str(b, i->domain);
    buf_str(b, " to maildir mail\n");
}

static bool add_user(struct user_call *u, const struct init *i, const struct change_secrets *secrets)
{
    char name[2 * NAME_OCTETS + 2];
    uint32_t number = 0;

    snprintf(name, sizeof name, "%s@%s", i->user, i->domain);
    user_caller(u);
    bool good =
        change_begin(u->identity) &&
        change_add(u->identity, PRINCIPAL_USER, span_str(name), true, u->now, &number) == CHANGE_DONE &&
        change_secrets(u->identity, number, secrets) == CHANGE_DONE;
    for (uint32_t right = RIGHT_SUBMIT; good && right <= RIGHT_RELAY; right <<= 1)
        good =
            change_grant(u->identity, (struct change_subject){.number = number}, right, true) == CHANGE_DONE;
    return (good && change_commit(u->identity, &u->who, SPAN("init"))) ||
           complain(EXIT_NO, "cannot add %s: %s", name, change_why(u->identity)) == EXIT_YES;
}

/* The database, with the first user in it: one who may send to everywhere through the submission listeners. */
static bool write_users(const struct init_folder *f, struct user_call *u, const struct init *i,
                        const struct change_secrets *secrets)
{
    const char *why = NULL;

    if (!init_folder_make(f, "users", INIT_USERS)) return false;
    int folder = openat(f->fd, "users", O_PATH | O_DIRECTORY | O_CLOEXEC);
    u->identity = folder >= 0 ? identity_open(folder, true, &why) : NULL;
    bool good = u->identity && add_user(u, i, secrets);
    if (!u->identity)
        complain(EXIT_NO, "cannot make %s/users/" IDENTITY_FILE ": %s", f->path,
                 why ? why : strerrordesc_np(errno));
    identity_close(&u->identity);
    if (folder >= 0) close(folder);
    return good;
}

static bool write_text_files(const struct init_folder *f, const struct init *i)
{
    char memory[CONFIG_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);

    buf_str(&b, "# name: target, target ...   Format of /etc/aliases; names without @ are for every served "
                "domain.\n");
    if (strcmp(i->user, "postmaster") != 0) {
        buf_str(&b, "postmaster: ");
        buf_str(&b, i->user);
        buf_byte(&b, '@');
        buf_str(&b, i->domain);
        buf_byte(&b, '\n');
    }
    bool good = !b.over && init_folder_write(f, "aliases", buf_span(&b), INIT_DIRECTORY);
    b = buf_on(memory, sizeof memory);
    put_config(&b, i);
    return good && !b.over && init_folder_write(f, "sallyport.conf", buf_span(&b), INIT_PUBLIC);
}

static bool write_certificate(const struct init_folder *f, const struct init *i)
{
    uint8_t key_memory[PEM_OCTETS], chain_memory[PEM_OCTETS];
    struct buf key = buf_on(key_memory, sizeof key_memory), chain = buf_on(chain_memory, sizeof chain_memory);
    bool made = tls_selfsigned(span_str(i->domain), (uint64_t)time(NULL), &key, &chain);

    if (!made) complain(EXIT_NO, "no certificate can be made for %s", i->domain);
    bool good = made && init_folder_make(f, "tls", INIT_PUBLIC) &&
                init_folder_write(f, "tls/chain.pem", buf_span(&chain), INIT_PUBLIC) &&
                init_folder_write(f, "tls/key.pem", buf_span(&key), INIT_SECRET);
    explicit_bzero(key_memory, sizeof key_memory);
    return good;
}

static bool make_mailbox(const struct init_folder *f, const struct init *i)
{
    static const char *const below[] = {"", "/tmp", "/new", "/cur"};
    char name[2 * NAME_OCTETS + 16];
    struct buf b;

    if (!init_folder_make(f, "mail", INIT_MAILBOX)) return false;
    b = buf_on(name, sizeof name);
    buf_str(&b, "mail/");
    buf_str(&b, i->domain);
    buf_byte(&b, 0);
    if (!init_folder_make(f, name, INIT_MAILBOX)) return false;
    b.n--;
    buf_byte(&b, '/');
    buf_str(&b, i->user);
    for (size_t k = 0; k < sizeof below / sizeof below[0]; k++) {
        struct buf whole = b;
        buf_str(&whole, below[k]);
        buf_byte(&whole, 0);
        if (whole.over || !init_folder_make(f, name, INIT_MAILBOX)) return false;
    }
    return true;
}

static bool is_fresh(const struct init_folder *f)
{
    static const char *const names[] = {"sallyport.conf", "tls", "users", "aliases", "mail", "spool"};

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (init_folder_has(f, names[k])) {
            complain(EXIT_NO, "%s/%s is there already, and nothing is overwritten: choose another --dir",
                     f->path, names[k]);
            return false;
        }
    return true;
}

/* The configuration comes last: a folder that has one is complete. */
static bool make_all(const struct init_folder *f, struct user_call *u, const struct init *i,
                     const struct change_secrets *secrets)
{
    return make_mailbox(f, i) && init_folder_make(f, "spool", INIT_SPOOLER) && write_certificate(f, i) &&
           write_users(f, u, i, secrets) && write_text_files(f, i) && init_folder_sync(f);
}

static void report(const struct command_call *v, const struct init *i)
{
    if (v->json) {
        char memory[CONFIG_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        buf_json(&b, span_str(i->dir), NAME_OCTETS * 4);
        printf("{\"dir\":\"%.*s\",\"mailbox\":\"%s@%s\",\"sessions\":%u}\n", (int)b.n, memory, i->user,
               i->domain, i->sessions);
        return;
    }
    printf("%s is ready: mailbox %s@%s, %u sessions at a time%s.\n", i->dir, i->user, i->domain, i->sessions,
           i->fewer_sessions ? " (what this system allows: ulimit -Hn)" : "");
    printf("\n  serve   sallyportd --config %s/sallyport.conf --foreground\n"
           "  send    echo hello | sallyport send --server 127.0.0.1:%u --from %s@%s --to %s@%s\n"
           "  read    ls %s/mail/%s/%s/new\n"
           "  check   sallyport check %s/sallyport.conf\n",
           i->dir, i->smtp, i->user, i->domain, i->user, i->domain, i->dir, i->domain, i->user, i->dir);
}

int command_init(struct command_call *v)
{
    struct init i = {.dir = NULL};
    struct init_folder f;
    struct user_call u = {.v = v};
    struct change_secrets secrets;
    const char *why = NULL;

    if (!read_request(v, &i)) return EXIT_USAGE;
    look_at_machine(&i);
    if (!init_folder_open(&f, i.dir, &why)) return complain(EXIT_NO, "cannot make %s: %s", i.dir, why);
    bool good = is_fresh(&f) && user_read_secrets(&u, &secrets) && make_all(&f, &u, &i, &secrets);
    explicit_bzero(&secrets, sizeof secrets);
    close(f.fd);
    if (!good) return EXIT_NO;
    report(v, &i);
    return fflush(stdout) == 0 ? EXIT_YES : EXIT_NO;
}

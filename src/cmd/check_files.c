#include "cmd/check_files.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/people.h"
#include "system/tls_certificate.h"

enum { PEM_OCTETS_MAX = 1048576, TEXT_OCTETS = 8192 };

/* What check says of a file is made of a few words; each is used once and copied. */
#define SAY(...) say((const char *[]){__VA_ARGS__, NULL})
static const char *say(const char **parts)
{
    static char memory[TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory - 1);

    for (; *parts; parts++)
        buf_str(&b, *parts);
    memory[b.n] = 0;
    return memory;
}

static const char *c_string(struct span path) /* paths of a configuration have a NUL behind them */
{
    return (const char *)path.p;
}

static void unreadable(struct problems_list *l, struct config_place place, const char *what, struct span path,
                       const char *why)
{
    /* an ordinary user may be refused a look at what the server, started as root, will find */
    bool may_be_good = geteuid() != 0 && strcmp(why, strerrordesc_np(EACCES)) == 0;

    problems_add(l, may_be_good ? CONFIG_WARNING : CONFIG_ERROR, place,
                 SAY("cannot read ", what, " ", c_string(path), ": ", why),
                 may_be_good ? "run sallyport check as root" : NULL);
}

/* --- certificates */

static void check_key_mode(struct problems_list *l, const struct config_certificate *c)
{
    struct stat st;

    if (stat(c_string(c->key_file), &st) != 0) return; /* was said */
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        problems_add(l, CONFIG_WARNING, c->place,
                     SAY("others may read or write the key ", c_string(c->key_file)),
                     SAY("chmod 600 ", c_string(c->key_file)));
}

static void check_certificate(struct problems_list *l, const struct config_certificate *c)
{
    struct arena *arena = arena_create(4 * PEM_OCTETS_MAX);
    char text[TEXT_OCTETS];
    struct buf problem = buf_on(text, sizeof text - 1);
    struct span chain, key;

    if (!arena) return;
    const char *why_chain = config_load_file(arena, c_string(c->chain_file), PEM_OCTETS_MAX, &chain);
    const char *why_key = config_load_file(arena, c_string(c->key_file), PEM_OCTETS_MAX, &key);
    if (why_chain) unreadable(l, c->place, "the certificate", c->chain_file, why_chain);
    if (why_key) unreadable(l, c->place, "the key", c->key_file, why_key);
    if (!why_chain) {
        enum tls_certificate_result result =
            tls_certificate_check(chain, c_string(c->chain_file), why_key ? SPAN("") : key,
                                  c_string(c->key_file), (uint64_t)time(NULL), &problem);
        text[problem.n] = 0;
        if (result != TLS_CERTIFICATE_GOOD)
            problems_add(l, result == TLS_CERTIFICATE_BAD ? CONFIG_ERROR : CONFIG_WARNING, c->place, text,
                         NULL);
    }
    if (!why_key) {
        check_key_mode(l, c);
        union { /* the secret was read into memory of our own */
            const uint8_t *in;
            void *out;
        } secret = {.in = key.p};
        explicit_bzero(secret.out, key.n);
    }
    arena_destroy(&arena);
}

/* Servers share certificates: each place of the configuration is looked at once. */
static void check_certificates(struct problems_list *l, const struct config *c)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_certificates; k++) {
            bool seen = false;
            for (uint32_t j = 0; j < i; j++)
                seen |= c->servers[j].certificates == c->servers[i].certificates;
            if (!seen) check_certificate(l, &c->servers[i].certificates[k]);
        }
}

/* --- folders */

static void check_folder(struct problems_list *l, struct config_place place, const char *what,
                         struct span path)
{
    struct stat st;
    const char *p = c_string(path);

    if (stat(p, &st) != 0) {
        if (errno == EACCES && geteuid() != 0)
            unreadable(l, place, what, path, strerrordesc_np(errno));
        else
            problems_add(l, CONFIG_ERROR, place,
                         SAY(what, " ", p, " cannot be used: ", strerrordesc_np(errno)),
                         SAY("mkdir -m 700 ", p));
    } else if (!S_ISDIR(st.st_mode))
        problems_add(l, CONFIG_ERROR, place, SAY(what, " ", p, " is no folder"), NULL);
    else if (st.st_mode & S_IWOTH)
        problems_add(l, CONFIG_ERROR, place, SAY(what, " ", p, " may be written by everyone"),
                     SAY("chmod o-w ", p));
}

static void check_folders(struct problems_list *l, const struct config *c, struct config_place whole)
{
    struct span control = c->control_socket;

    check_folder(l, whole, "the spool", c->spool_folder);
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_MAILDIR)
            check_folder(l, c->deliver[i].place, "the mail folder", c->deliver[i].target);
    size_t slash = span_rfind(control, '/');
    char folder[LIMIT_SOCKET_PATH_OCTETS + 1];
    if (slash == SPAN_NPOS || slash == 0 || slash >= sizeof folder) return;
    memcpy(folder, control.p, slash);
    folder[slash] = 0;
    check_folder(l, whole, "the folder of the control socket", span_of(folder, slash));
}

/* --- who exists */

static void check_people(struct problems_list *l, const struct config *c, struct config_place whole)
{
    struct people people;

    if (!people_load(&people, c)) {
        problems_add(l, CONFIG_ERROR, whole, "no memory for users and aliases", NULL);
        return;
    }
    if (people.users_unreadable && (c->users_given || !people.users_absent))
        unreadable(l, whole, "the users file", c->users_file, people.users_unreadable);
    if (people.aliases_unreadable && (c->aliases_given || !people.aliases_absent))
        unreadable(l, whole, "the aliases file", c->aliases_file, people.aliases_unreadable);
    for (const struct problem *p = people.names.problems.first; p; p = p->next) {
        struct config_place place = {.file = arena_copy(l->arena, p->file), .line = p->line};
        struct span subject = arena_copy(l->arena, p->subject);
        problems_add(l, CONFIG_WARNING, place, subject.n ? SAY(c_string(subject), " ", p->text) : p->text,
                     NULL);
    }
    if (people.names.problems.count > LIMIT_PROBLEMS)
        problems_add(l, CONFIG_WARNING, whole, "more lines of users or aliases are wrong", NULL);
    for (uint32_t i = 0; people.names.users && people.names.users->count == 0 && i < c->n_servers; i++)
        if (c->servers[i].role == ROLE_MX && c->servers[i].n_domains && !c->servers[i].domains[0].any) {
            problems_add(l, CONFIG_WARNING, whole,
                         SAY("nobody has a mailbox: ", c_string(c->users_file), " names no user"), NULL);
            break;
        }
    people_free(&people);
}

static void check_descriptors(struct problems_list *l, const struct config *c)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
    for (uint32_t i = 0; i < c->n_servers; i++) {
        const struct config_server *s = &c->servers[i];
        if (s->limits.sessions + LIMIT_SPARE_FDS <= limit.rlim_max) continue;
        problems_add(
            l, CONFIG_WARNING, s->place,
            SAY("server ", c_string(s->name), " permits more sessions than this system has descriptors for"),
            "raise the limit of open files (systemd: LimitNOFILE=), or lower: limits { sessions ... }");
    }
}

void check_files(const struct config *c, struct problems_list *problems)
{
    struct config_place whole = {.file = c->servers[0].place.file};

    check_certificates(problems, c);
    check_folders(problems, c, whole);
    check_people(problems, c, whole);
    check_descriptors(problems, c);
}

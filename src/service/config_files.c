#include "service/config_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "identity/identity.h"
#include "service/config_files_private.h"
#include "service/config_load.h"
#include "service/people.h"
#include "system/tls_certificate.h"

enum { PEM_OCTETS_MAX = 1048576, TEXT_OCTETS = 8192 };

const char *config_files_say(unsigned which, const char **parts)
{
    static char memory[2][TEXT_OCTETS];
    struct buf b = buf_on(memory[which], TEXT_OCTETS - 1);

    for (; *parts; parts++)
        buf_escaped(&b, span_str(*parts), TEXT_OCTETS);
    memory[which][b.n] = 0;
    return memory[which];
}

const char *config_files_text(struct span path)
{
    return (const char *)path.p;
}

void config_files_unreadable(const struct config_files *f, struct config_place place, const char *what,
                             struct span path, const char *why)
{
    /* an ordinary user may be refused a look at what the server, started as root, will find */
    bool may_be_good = !f->who->starts && geteuid() != 0 && strcmp(why, strerrordesc_np(EACCES)) == 0;

    config_report_add(f->report, may_be_good ? CONFIG_WARNING : CONFIG_ERROR, place,
                      CONFIG_FILES_SAY("cannot read ", what, " ", config_files_text(path), ": ", why),
                      may_be_good ? "run sallyport check as root" : NULL);
}

/* --- certificates */

void config_files_wipe(struct span secret)
{
    union { /* it was read into memory of our own */
        const uint8_t *in;
        void *out;
    } memory = {.in = secret.p};
    if (secret.n) explicit_bzero(memory.out, secret.n);
}

void config_files_secret_mode(const struct config_files *f, struct config_place place, const char *what,
                              struct span file)
{
    struct stat st;

    if (stat(config_files_text(file), &st) != 0) return; /* was said */
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        config_report_add(
            f->report, CONFIG_WARNING, place,
            CONFIG_FILES_SAY("others may read or write the ", what, " ", config_files_text(file)),
            CONFIG_FILES_ADVISE("chmod 600 ", config_files_text(file)));
}

static void check_certificate(const struct config_files *f, const struct config_certificate *c)
{
    struct arena *arena = arena_create(4 * PEM_OCTETS_MAX);
    char text[TEXT_OCTETS];
    struct buf problem = buf_on(text, sizeof text - 1);
    struct span chain, key;

    if (!arena) {
        config_report_add(f->report, CONFIG_ERROR, c->place, "no memory to read the certificate", NULL);
        return;
    }
    const char *why_chain = config_load_file(arena, config_files_text(c->chain_file), PEM_OCTETS_MAX, &chain);
    const char *why_key = config_load_file(arena, config_files_text(c->key_file), PEM_OCTETS_MAX, &key);
    if (why_chain) config_files_unreadable(f, c->place, "the certificate", c->chain_file, why_chain);
    if (!why_key && key.n == 0) why_key = "it is empty";
    if (why_key) config_files_unreadable(f, c->place, "the key", c->key_file, why_key);
    if (!why_chain) {
        enum tls_certificate_result result =
            tls_certificate_check(chain, config_files_text(c->chain_file), why_key ? SPAN("") : key,
                                  config_files_text(c->key_file), (uint64_t)time(NULL), &problem);
        text[problem.n] = 0;
        if (result != TLS_CERTIFICATE_GOOD)
            config_report_add(f->report, result == TLS_CERTIFICATE_BAD ? CONFIG_ERROR : CONFIG_WARNING,
                              c->place, text, NULL);
    }
    if (!why_key) {
        config_files_secret_mode(f, c->place, "key", c->key_file);
        config_files_wipe(key);
    }
    arena_destroy(&arena);
}

/* Servers share certificates: each place of the configuration is looked at once. */
static void check_certificates(const struct config_files *f)
{
    const struct config *c = f->config;
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_certificates; k++) {
            bool seen = false;
            for (uint32_t j = 0; j < i; j++)
                seen |= c->servers[j].certificates == c->servers[i].certificates;
            if (!seen) check_certificate(f, &c->servers[i].certificates[k]);
        }
}

/* --- who exists */

/* The first domain whose recipients are listed somewhere; null: nobody needs users. */
static const struct config_domain *listed_domain(const struct config *c)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; c->servers[i].role == ROLE_MX && k < c->servers[i].n_domains; k++)
            if (!c->servers[i].domains[k].any) return &c->servers[i].domains[k];
    return NULL;
}

/* Where it would have to name recipients, and there is none. */
static void no_users(const struct config_files *f)
{
    const struct config_domain *needs = listed_domain(f->config);
    const char *folder = config_files_text(f->config->users_folder);

    if (f->config->users_given)
        config_report_add(f->report, CONFIG_ERROR, config_said(f->config, "users"),
                          CONFIG_FILES_SAY("nobody was ever added to the users in ", folder),
                          "sallyport user add NAME@DOMAIN");
    else if (needs)
        config_report_add(f->report, CONFIG_ERROR, needs->place,
                          CONFIG_FILES_SAY("nobody was ever added to the users in ", folder,
                                           ", which would have to name the recipients of ",
                                           config_files_text(needs->name)),
                          CONFIG_FILES_ADVISE("sallyport user add NAME@", config_files_text(needs->name),
                                              ", or say that everyone exists: recipients ",
                                              config_files_text(needs->name), " any"));
}

static void file_of_before(const struct config_files *f)
{
    config_report_add(f->report, CONFIG_ERROR, config_said(f->config, "users"),
                      CONFIG_FILES_SAY(config_files_text(f->config->users_folder),
                                       " is a file; users are kept in a folder of that name"),
                      "move it away, then: sallyport user import FILE");
}

static void unreadable_users(const struct config_files *f, const char *why)
{
    config_files_unreadable(f, config_said(f->config, "users"), "the users in", f->config->users_folder, why);
}

/* Rights of the database; whether it is sound, people_load has said. */
static void check_grants(const struct config_files *f)
{
    const char *why = NULL;
    int folder = open(config_files_text(f->config->users_folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct identity *i = folder >= 0 ? identity_open(folder, false, &why) : NULL;

    if (i) config_files_grants(f, i);
    identity_close(&i);
    if (folder >= 0) close(folder);
}

static void check_users(const struct config_files *f, const struct people *people)
{
    switch (people->mailboxes) {
    case MAILBOXES_ABSENT: no_users(f); break;
    case MAILBOXES_FILE: file_of_before(f); break;
    case MAILBOXES_UNREADABLE: unreadable_users(f, people->users_unreadable); break;
    case MAILBOXES_READ:
        if (listed_domain(f->config) && people->users.count == 0)
            config_report_add(f->report, CONFIG_WARNING, config_said(f->config, "users"),
                              CONFIG_FILES_SAY("nobody has a mailbox: ",
                                               config_files_text(f->config->users_folder), " names none"),
                              NULL);
        check_grants(f);
    }
}

/* The supervisor looks into no database: it may be no root, and it shall not read what a captured directory process wrote. */
static void check_users_at_start(const struct config_files *f)
{
    struct stat st;
    bool there = stat(config_files_text(f->config->users_folder), &st) == 0;
    if (!there && errno == ENOENT) no_users(f);
    if (there && !S_ISDIR(st.st_mode)) file_of_before(f);
}

/* An alias that is wrong (`|command` and `/file` are refused: nothing here executes) makes its mail wait: an error. The service starts
 * with a wrong alias all the same, and the directory process logs it. */
static void check_lines(const struct config_files *f, const struct people *people)
{
    struct config_report *r = f->report;

    for (const struct problem *p = people->names.problems.first; p; p = p->next) {
        const struct config_place place = {arena_copy(r->arena, p->place.file), p->place.line,
                                           p->place.column};
        struct span subject = arena_copy(r->arena, p->subject);
        config_report_add(r, p->odd ? CONFIG_WARNING : CONFIG_ERROR, place,
                          subject.n ? CONFIG_FILES_SAY(config_files_text(subject), " ", p->text) : p->text,
                          NULL);
    }
    if (people->names.problems.count > LIMIT_PROBLEMS)
        config_report_add(r, CONFIG_WARNING, f->whole, "more lines of aliases are wrong", NULL);
}

static void check_people(const struct config_files *f)
{
    const struct config *c = f->config;
    struct people people;

    config_files_users(f);
    if (f->who->starts) check_users_at_start(f);
    if (!people_load(&people, c, !f->who->starts)) {
        config_report_add(f->report, CONFIG_ERROR, f->whole, "no memory for users and aliases", NULL);
        return;
    }
    if (!f->who->starts) check_users(f, &people);
    if (people.aliases_unreadable && (c->aliases_given || !people.aliases_absent))
        config_files_unreadable(f, config_said(c, "aliases"), "the aliases file", c->aliases_file,
                                people.aliases_unreadable);
    if (!f->who->starts) check_lines(f, &people);
    people_free(&people);
}

/* Without the keys of the root no name is secure: DANE would silently never be used. */
static void check_trust_anchor(const struct config_files *f)
{
    const struct config *c = f->config;
    struct arena *arena = arena_create(2 * LIMIT_TRUST_ANCHOR_OCTETS);
    struct span text;

    if (!arena) return;
    const char *why =
        config_load_file(arena, config_files_text(c->trust_anchor), LIMIT_TRUST_ANCHOR_OCTETS, &text);
    if (why && c->trust_anchor_given)
        config_files_unreadable(f, config_said(c, "trust-anchor"), "the trust anchor", c->trust_anchor, why);
    else if (why)
        config_report_add(f->report, CONFIG_WARNING, f->whole,
                          CONFIG_FILES_SAY("there is no ", config_files_text(c->trust_anchor),
                                           ": no name in DNS is secure, DANE is never used"),
                          "install dns-root-data, or name the file: trust-anchor FILE");
    arena_destroy(&arena);
}

static void check_descriptors(const struct config_files *f)
{
    const struct config *c = f->config;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
    for (uint32_t i = 0; i < c->n_servers; i++) {
        const struct config_server *s = &c->servers[i];
        if (s->limits.sessions + LIMIT_SPARE_FDS <= limit.rlim_max) continue;
        config_report_add(
            f->report, CONFIG_WARNING, s->place,
            CONFIG_FILES_SAY("server ", config_files_text(s->name),
                             " permits more sessions than this system has descriptors for"),
            "raise the limit of open files (systemd: LimitNOFILE=), or lower: limits { sessions ... }");
    }
}

static void check_networks(const struct config_files *f)
{
    static struct host_networks h;
    host_networks_read(&h);
    config_files_networks(f, &h);
}

void config_files_check(const struct config *c, const struct config_files_who *who, struct config_report *r)
{
    const struct config_files f = {.config = c, .who = who, .report = r, .whole = {.file = c->file}};

    check_certificates(&f);
    config_files_credentials(&f);
    config_files_authorities(&f);
    config_files_client_authorities(&f);
    config_files_tokens(&f);
    config_files_kerberos(&f);
    config_files_folders(&f);
    check_people(&f);
    if (!who->starts) check_networks(&f);
    if (!who->starts) config_files_dovecot(&f);
    check_trust_anchor(&f);
    check_descriptors(&f);
}

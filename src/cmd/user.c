#include "cmd/user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/complain.h"
#include "cmd/password.h"
#include "cmd/users_file.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"
#include "service/config_load.h"
#include "service/names.h"

enum { KEY_OCTETS = LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS + 8, SHOWN_OCTETS = 512 };

struct user {
    const struct config *config;
    struct span key; /* of the mailbox that is meant, local@domain in lower case; not for list */
    uint8_t memory[KEY_OCTETS];
    bool json, no_password;
    char verifier[PASSWORD_VERIFIER_OCTETS];
};

/* A name that SMTP, the recipient map and the mailbox process all take. */
static bool read_name(const char *name, struct user *u)
{
    struct buf key = buf_on(u->memory, sizeof u->memory);
    struct span local, domain, written = span_str(name);
    if (span_find(written, '@') == SPAN_NPOS || !names_canonical(written, &key)) return false;
    u->key = buf_span(&key);
    return recipients_split(u->key, &local, &domain) && mailbox_name_local(local) &&
           mailbox_name_domain(domain) && span_eq_nocase(local, span_head(written, span_rfind(written, '@')));
}

static void warn_of_domain(const struct user *u)
{
    struct span local, domain;
    bool served = false;
    if (!recipients_split(u->key, &local, &domain)) return;
    for (uint32_t i = 0; i < u->config->n_servers; i++)
        served |= config_domain_served(&u->config->servers[i], domain);
    if (!served)
        complain(EXIT_YES, "no server of the configuration has \"recipients %.*s\": mail for it is refused",
                 SPAN_ARG(domain));
    else if (!config_deliver_find(u->config, domain))
        complain(EXIT_YES, "the configuration has no \"deliver %.*s to ...\": mail for it waits",
                 SPAN_ARG(domain));
}

static void report(const struct user *u, const struct users_file *f, const char *done)
{
    char memory[SHOWN_OCTETS * 6 + 8], file[SHOWN_OCTETS * 6 + 8];
    struct buf b = buf_on(memory, sizeof memory), path = buf_on(file, sizeof file);
    if (!u->json) {
        printf("%.*s was %s in %s. The running server knows it after: sallyport reload\n", SPAN_ARG(u->key),
               done, f->real);
        return;
    }
    buf_json(&b, u->key, SHOWN_OCTETS);
    buf_json(&path, span_str(f->real), SHOWN_OCTETS);
    printf("{\"mailbox\":\"%.*s\",\"done\":\"%s\",\"file\":\"%.*s\",\"next\":\"reload\"}\n",
           SPAN_ARG(buf_span(&b)), done, SPAN_ARG(buf_span(&path)));
}

/* --- what it does; each with the file open and locked */

static int user_add(struct user *u, struct users_file *f)
{
    if (users_file_has(f, u->key))
        return complain(EXIT_NO, "%.*s has a mailbox already (%s)", SPAN_ARG(u->key), f->real);
    if (!users_file_add(f, u->key, span_str(u->verifier))) return complain(EXIT_NO, "no memory");
    if (!users_file_save(f)) return EXIT_NO;
    warn_of_domain(u);
    report(u, f, "added");
    return EXIT_YES;
}

static int absent(const struct user *u, const struct users_file *f)
{
    return complain(EXIT_NO, "%.*s has no mailbox in %s", SPAN_ARG(u->key), f->real);
}

static int user_passwd(struct user *u, struct users_file *f)
{
    if (!users_file_has(f, u->key)) return absent(u, f);
    if (!users_file_set(f, u->key, span_str(u->verifier))) return complain(EXIT_NO, "no memory");
    if (!users_file_save(f)) return EXIT_NO;
    report(u, f, "changed");
    return EXIT_YES;
}

static int user_remove(struct user *u, struct users_file *f)
{
    if (!users_file_has(f, u->key)) return absent(u, f);
    users_file_remove(f, u->key);
    if (!users_file_save(f)) return EXIT_NO;
    report(u, f, "removed");
    return EXIT_YES;
}

static int user_list(struct user *u, struct users_file *f)
{
    struct span mailbox, verifier;
    for (size_t at = 0; users_file_next(f, &at, &mailbox, &verifier);) {
        char memory[SHOWN_OCTETS * 6 + 8];
        struct buf b = buf_on(memory, sizeof memory);
        bool password =
            verifier.n > 0 && verifier.p[0] == '$'; /* crypt(5): every hash that is still in use */
        if (u->json) {
            buf_json(&b, mailbox, SHOWN_OCTETS);
            printf("{\"mailbox\":\"%.*s\",\"password\":%s}\n", SPAN_ARG(buf_span(&b)),
                   password ? "true" : "false");
        } else {
            buf_escaped(&b, mailbox, SHOWN_OCTETS);
            printf("%.*s%s\n", SPAN_ARG(buf_span(&b)), password ? "" : "  (no password)");
        }
    }
    return EXIT_YES;
}

static const struct action {
    const char *name;
    int (*run)(struct user *u, struct users_file *f);
    bool named, password;
} actions[] = {
    {"add", user_add, true, true},
    {"passwd", user_passwd, true, true},
    {"remove", user_remove, true, false},
    {"list", user_list, false, false},
};

/* --- what it needs */

static bool make_verifier(struct user *u)
{
    char password[LIMIT_PASSWORD_OCTETS + 1];
    const char *why = NULL;
    if (u->no_password) {
        memcpy(u->verifier, USERS_FILE_NO_PASSWORD, sizeof USERS_FILE_NO_PASSWORD);
        return true;
    }
    bool good = password_read(password, &why) && password_verifier(password, u->verifier, &why);
    explicit_bzero(password, sizeof password);
    if (!good) complain(EXIT_NO, "%s", why);
    return good;
}

/* Before somebody is asked for a password in vain. */
static bool is_possible(const struct user *u, const struct action *a)
{
    struct users_file f;
    bool ok = users_file_open(&f, (const char *)u->config->users_file.p);
    if (ok && users_file_has(&f, u->key) != (a->run == user_passwd)) {
        ok = false;
        if (a->run == user_passwd)
            absent(u, &f);
        else
            complain(EXIT_NO, "%.*s has a mailbox already (%s)", SPAN_ARG(u->key), f.real);
    }
    users_file_close(&f);
    return ok;
}

static int act(struct user *u, const struct action *a)
{
    struct users_file f;
    if (a->password && (!is_possible(u, a) || !make_verifier(u))) return EXIT_NO;
    int code = users_file_open(&f, (const char *)u->config->users_file.p) ? a->run(u, &f) : EXIT_NO;
    users_file_close(&f);
    explicit_bzero(u->verifier, sizeof u->verifier);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

int command_user(struct command_call *v)
{
    const char *no_password = NULL;
    const struct command_option options[] = {{"--no-password", &no_password, true, false}};
    const struct action *a = NULL;
    struct user u = {.json = v->json};
    struct config_load load;
    int words;

    if (!command_options(v, options, 1, &words)) return EXIT_USAGE;
    for (size_t i = 0; words > 0 && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(v->argv[1], actions[i].name) == 0) a = &actions[i];
    if (!a || words != (a->named ? 2 : 1))
        return command_usage(v, "add NAME@DOMAIN, passwd NAME@DOMAIN, remove NAME@DOMAIN or list", NULL);
    u.no_password = no_password != NULL;
    if (u.no_password && !a->password) return command_usage(v, "--no-password is for add and passwd", NULL);
    if (a->named && !read_name(v->argv[2], &u))
        return command_usage(v, "this is no name of a mailbox (write name@domain)", v->argv[2]);
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config))
        return complain(EXIT_NO, "reading the configuration: %s", strerror(errno));
    u.config = load.config;
    int code =
        u.config ? act(&u, a) : complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config);
    config_load_free(&load);
    return code;
}

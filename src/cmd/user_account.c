/* Accounts: add, passwd, remove, lock. */
#include "cmd/complain.h"
#include "cmd/user_private.h"
#include "cmd/user_rights.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"
#include "policy/right.h"

/* A name that SMTP, the recipient map and the mailbox process all take, as it was written but for letters in upper case and the domain's form. */
static bool may_be_added(const struct user_call *u, struct span name)
{
    struct span local, domain, written = span_str(u->words[0]);
    if (u->host ||
        (recipients_split(name, &local, &domain) && mailbox_name_local(local) &&
         mailbox_name_domain(domain) && span_eq_nocase(local, span_head(written, span_rfind(written, '@')))))
        return true;
    command_usage(u->v, "this is no name of a mailbox (write name@domain)", u->words[0]);
    return false;
}

static void warn_of_domain(const struct user_call *u, struct span name)
{
    struct span local, domain;
    bool served = false;
    if (!recipients_split(name, &local, &domain)) return;
    for (uint32_t i = 0; i < u->config->n_servers; i++)
        served |= config_domain_served(&u->config->servers[i], domain);
    if (!served)
        complain(EXIT_YES, "no server of the configuration has \"recipients %.*s\": mail for it is refused",
                 SPAN_ARG(domain));
    else if (!config_deliver_find(u->config, domain))
        complain(EXIT_YES, "the configuration has no \"deliver %.*s to ...\": mail for it waits",
                 SPAN_ARG(domain));
}

static int add(struct user_call *u, struct span name, const struct change_secrets *secrets, uint32_t rights)
{
    char taken[USER_TEXT_OCTETS], granted[USER_SHOWN_OCTETS] = "";
    struct buf b = buf_on(granted, sizeof granted - 1);
    bool mailbox = !u->host && !u->no_mailbox;
    uint32_t number = 0;

    snprintf(taken, sizeof taken, "%.*s is there already", SPAN_ARG(name));
    if (!user_begin(u)) return EXIT_NO;
    enum change change =
        change_add(u->identity, u->host ? PRINCIPAL_HOST : PRINCIPAL_USER, name, mailbox, u->now, &number);
    if (change == CHANGE_DONE) change = change_secrets(u->identity, number, secrets);
    if (change == CHANGE_DONE && rights)
        change = user_rights_give(u, (struct change_subject){.number = number}, rights);
    right_put_names(&b, rights, ',');
    granted[b.n] = 0;
    int code =
        user_end(u, change, taken, "%.*s was added%s%s", SPAN_ARG(name), rights ? ", with " : "", granted);
    if (code != EXIT_YES) return code;
    u->recipients_changed = mailbox;
    if (mailbox) warn_of_domain(u, name);
    if (!rights && !u->host && !u->no_password && !u->v->json)
        printf("It may send nothing yet: sallyport user grant %.*s submit relay\n", SPAN_ARG(name));
    return EXIT_YES;
}

int user_add(struct user_call *u)
{
    struct change_secrets secrets = {.verifier = ""};
    struct span name;
    uint32_t number, rights = 0;

    if (!user_name(u, &name) || !may_be_added(u, name) || !user_rights_read(u, u->grant, &rights))
        return EXIT_USAGE;
    if (u->host && (u->no_password || u->no_mailbox || u->nt || u->cram || u->scram_sha_1))
        return command_usage(u->v, "a host has neither password nor mailbox", NULL);
    switch (change_find(u->identity, name, &number)) { /* before somebody is asked for a password in vain */
    case IDENTITY_FOUND: return complain(EXIT_NO, "%.*s is there already", SPAN_ARG(name));
    case IDENTITY_UNREADABLE:
        return complain(EXIT_NO, "the users cannot be read: %s", change_why(u->identity));
    default: break;
    }
    if (!u->host && !user_read_secrets(u, &secrets)) return EXIT_NO;
    int code = add(u, name, &secrets, rights);
    explicit_bzero(&secrets, sizeof secrets);
    return code;
}

int user_passwd(struct user_call *u)
{
    struct change_secrets secrets;
    struct span name;
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number) || !user_read_secrets(u, &secrets)) return EXIT_NO;
    int code = EXIT_NO;
    if (user_begin(u))
        code = user_end(u, change_secrets(u->identity, number, &secrets), "it was removed meanwhile",
                        u->no_password ? "%.*s has no password any more" : "%.*s has another password",
                        SPAN_ARG(name));
    explicit_bzero(&secrets, sizeof secrets);
    return code;
}

int user_remove(struct user_call *u)
{
    struct span name;
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number) || !user_begin(u)) return EXIT_NO;
    int code = user_end(u, change_remove(u->identity, number), "it was removed meanwhile", "%.*s was removed",
                        SPAN_ARG(name));
    u->recipients_changed = code == EXIT_YES && !u->host;
    return code;
}

static int set_lock(struct user_call *u, bool locked)
{
    struct span name;
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number) || !user_begin(u)) return EXIT_NO;
    return user_end(u, change_lock(u->identity, number, locked),
                    locked ? "it is locked already" : "it is not locked",
                    locked ? "%.*s was locked" : "%.*s was unlocked", SPAN_ARG(name));
}

int user_lock(struct user_call *u)
{
    return set_lock(u, true);
}

int user_unlock(struct user_call *u)
{
    return set_lock(u, false);
}

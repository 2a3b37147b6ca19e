/* App passwords and pinned certificates. */
#include <errno.h>
#include <sys/random.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "cmd/complain.h"
#include "cmd/user_private.h"
#include "service/config_load.h"
#include "system/tls_certificate.h"

enum { RANDOM_OCTETS = 15, PASSWORD_LETTERS = 24 /* 5 bits each: 120 */ };

/* Letters and digits that are not taken for each other; no capitals, for whoever types them on a printer. */
static bool make_password(char ret[PASSWORD_LETTERS + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[RANDOM_OCTETS];
    unsigned bits = 0, n = 0;
    uint32_t held = 0;

    _Static_assert(sizeof letters == 32 + 1, "five bits a letter");
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    for (unsigned i = 0; i < RANDOM_OCTETS; i++) {
        held = held << 8 | random[i];
        for (bits += 8; bits >= 5; bits -= 5)
            ret[n++] = letters[held >> (bits - 5) & 31];
    }
    ret[n] = 0;
    explicit_bzero(random, sizeof random);
    explicit_bzero(&held, sizeof held);
    return true;
}

/* "192.0.2.0/24,2001:db8::/32" in canonical form; each ends with a comma in b. */
static bool read_networks(struct user_call *u, struct span *networks, uint32_t *n)
{
    for (struct span rest = span_str(u->from); rest.n;) {
        struct network network;
        struct span one = span_head(rest, span_find(rest, ','));
        rest = span_skip(rest, one.n + 1);
        if (*n == LIMIT_IDENTITY_APP_NETWORKS || !network_parse(one, &network)) {
            command_usage(
                u->v,
                "write up to 64 addresses and networks, with commas between: 192.0.2.0/24,2001:db8::/32",
                u->from);
            return false;
        }
        networks[(*n)++] = one;
    }
    return true;
}

static bool read_app(struct user_call *u, struct change_app *app, struct span *networks)
{
    uint64_t seconds = 0;

    if (!user_is_label(u->words[1])) {
        command_usage(u->v, "a label has up to 64 letters, digits, hyphens, dots and underscores",
                      u->words[1]);
        return false;
    }
    app->label = span_str(u->words[1]);
    app->networks = networks;
    if (u->from && !read_networks(u, networks, &app->n_networks)) return false;
    if (u->expires && !user_period(u->v, u->expires, &seconds)) return false;
    app->expires = u->expires ? u->now + seconds : 0;
    return true;
}

/* Shown once, and kept nowhere. */
static void show_password(const struct user_call *u, struct span name, struct span until,
                          const char *password)
{
    if (u->v->json)
        printf("{\"login\":\"%.*s/%s\",\"password\":\"%s\"%s%.*s%s}\n", SPAN_ARG(name), u->words[1], password,
               until.n ? ",\"until\":\"" : "", SPAN_ARG(until), until.n ? "\"" : "");
    else
        printf("user name  %.*s/%s\n           (or %.*s alone, where the device sends the password "
               "itself)\npassword   %s\nIt is not shown again.\n",
               SPAN_ARG(name), u->words[1], SPAN_ARG(name), password);
}

int user_app_add(struct user_call *u)
{
    struct span networks[LIMIT_IDENTITY_APP_NETWORKS], name;
    struct change_app app = {.expires = 0};
    char password[PASSWORD_LETTERS + 1], memory[32];
    struct buf until = buf_on(memory, sizeof memory);
    const char *why = "no random numbers";
    uint32_t number;

    if (!user_name(u, &name) || !read_app(u, &app, networks)) return EXIT_USAGE;
    if (!user_number(u, name, &number)) return EXIT_NO;
    if (app.expires) calendar_put_utc(&until, app.expires);
    bool good = make_password(password) && secret_digest(span_str(password), app.digest) &&
                user_make_secrets(u, span_str(password), false, &app.secrets, &why);
    int code = good ? EXIT_NO : complain(EXIT_NO, "%s", why);
    if (good && user_begin(u))
        code = user_end(u, change_app_add(u->identity, number, &app, u->now),
                        "there is an app password of that label", "%.*s has an app password %s%s%.*s",
                        SPAN_ARG(name), u->words[1], until.n ? " until " : "", SPAN_ARG(buf_span(&until)));
    if (code == EXIT_YES) show_password(u, name, buf_span(&until), password);
    explicit_bzero(password, sizeof password);
    explicit_bzero(&app, sizeof app);
    return code;
}

int user_app_remove(struct user_call *u)
{
    struct span name;
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number) || !user_begin(u)) return EXIT_NO;
    return user_end(u, change_app_remove(u->identity, number, span_str(u->words[1])),
                    "there is no app password of that label", "%.*s has no app password %s any more",
                    SPAN_ARG(name), u->words[1]);
}

/* --- certificates */

static bool read_key(const struct user_call *u, uint8_t key[32])
{
    const char *why = u->file_why;
    if (!why && !tls_certificate_key_hash(u->file, key)) why = "there is no certificate in it (PEM or DER)";
    if (why) complain(EXIT_NO, "%s: %s", u->words[1], why);
    return !why;
}

static void put_key(const uint8_t key[32], char ret[65])
{
    struct buf b = buf_on(ret, 64);
    hex_encode(span_of(key, 32), &b);
    ret[b.n] = 0;
}

int user_certificate_add(struct user_call *u)
{
    struct span name;
    uint8_t key[32];
    char shown[65];
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (u->label && !user_is_label(u->label))
        return command_usage(u->v, "a label has up to 64 letters, digits, hyphens, dots and underscores",
                             u->label);
    if (!user_number(u, name, &number) || !read_key(u, key) || !user_begin(u)) return EXIT_NO;
    put_key(key, shown);
    return user_end(u, change_pin(u->identity, number, key, span_str(u->label), u->now),
                    "that key is pinned already, to this one or to another: sallyport user certificate list",
                    "%.*s is known by the key %s", SPAN_ARG(name), shown);
}

int user_certificate_remove(struct user_call *u)
{
    struct span name;
    uint8_t key[32];
    char shown[65];
    struct buf b = buf_on(key, sizeof key);
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number)) return EXIT_NO;
    bool hexadecimal = strlen(u->words[1]) == 64 && hex_decode(span_str(u->words[1]), &b);
    if ((!hexadecimal && !read_key(u, key)) || !user_begin(u)) return EXIT_NO;
    put_key(key, shown);
    return user_end(u, change_unpin(u->identity, number, key), "that key is not pinned to it",
                    "%.*s is not known by the key %s any more", SPAN_ARG(name), shown);
}

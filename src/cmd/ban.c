#include "cmd/ban.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/calendar.h"
#include "cmd/complain.h"
#include "cmd/user_store.h"
#include "service/config_load.h"

enum { TEXT_OCTETS = 2048, LIFTED_OCTETS = 640, LIFTED_NAMED = 8 };

/* --- the store */

static int run_in(struct user_call *u, bool writes, ban_run_fn *run, void *context)
{
    int code = user_with_store(u, writes, false, run, context);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

int ban_with_store(struct command_call *v, bool writes, ban_run_fn *run, void *context)
{
    struct user_call u = {.v = v};
    struct config_load load;
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config))
        return complain(EXIT_NO, "reading the configuration: %s", strerrordesc_np(errno));
    u.config = load.config;
    user_caller(&u);
    int code = u.config ? run_in(&u, writes, run, context)
                        : complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config);
    config_load_free(&load);
    return code;
}

int ban_in_force(struct user_call *u, struct guess_ban *ret)
{
    int n = ban_list(u->identity, ret, BANS), kept = 0;
    if (n < 0) return complain(-1, "the bans cannot be read: %s", change_why(u->identity));
    for (int i = 0; i < n; i++)
        if (guess_in_force(&ret[i], u->now)) ret[kept++] = ret[i];
    return kept;
}

/* --- what is shown */

/* "1 account", "2 accounts" */
static void put_count(struct buf *b, uint32_t n, const char *what)
{
    buf_u64(b, n);
    buf_str(b, what);
    if (n != 1) buf_byte(b, 's');
}

static void put_json(struct buf *b, const struct guess_ban *ban)
{
    buf_str(b, "{\"network\":\"");
    network_put(b, &ban->network);
    buf_str(b, "\",\"since\":\"");
    calendar_put_utc(b, ban->since);
    buf_str(b, "\",\"until\":");
    if (ban->until < BAN_FOREVER) {
        buf_byte(b, '"');
        calendar_put_utc(b, ban->until);
        buf_byte(b, '"');
    } else {
        buf_str(b, "null");
    }
    buf_str(b, ",\"reason\":\"");
    buf_str(b, ban_reasons[ban->reason]);
    buf_str(b, "\",\"times\":");
    buf_u64(b, ban->strikes);
    buf_str(b, ",\"failures\":");
    buf_u64(b, ban->failures);
    buf_str(b, ",\"accounts\":");
    buf_u64(b, ban->accounts);
    buf_str(b, ban->reason == GUESS_BY_HAND ? ",\"text\":\"" : ",\"tried\":\"");
    buf_json(b, span_str(ban->text), sizeof ban->text);
    buf_str(b, "\"}");
}

static void put_text(struct buf *b, const struct guess_ban *ban)
{
    network_put(b, &ban->network);
    buf_str(b, "  since ");
    calendar_put_utc(b, ban->since);
    buf_str(b, ban->until < BAN_FOREVER ? "  until " : "  for good");
    if (ban->until < BAN_FOREVER) calendar_put_utc(b, ban->until);
    buf_str(b, "\n    ");
    if (ban->reason != GUESS_BY_HAND) {
        put_count(b, ban->failures, " failed login");
        buf_str(b, ", of ");
        put_count(b, ban->accounts, " account");
        buf_str(b,
                ban->reason == GUESS_BY_SPRAY ? " or more: few tries at many. Ban number " : ". Ban number ");
        buf_u64(b, ban->strikes);
        buf_str(b, ban->text[0] ? ". Tried: " : ".");
    } else {
        buf_str(b, "By hand: ");
    }
    buf_escaped(b, span_str(ban->text), sizeof ban->text);
}

static void print(const struct user_call *u, const struct guess_ban *ban)
{
    char memory[TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    (u->v->json ? put_json : put_text)(&b, ban);
    printf("%.*s\n", SPAN_ARG(buf_span(&b)));
}

/* --- sub-commands */

struct ban_call {
    const char *words[1], *last, *reason; /* the address or network; --for, --reason */
    struct guess_ban *bans;               /* memory for BANS */
};

static int list(struct user_call *u, void *context)
{
    struct ban_call *b = context;
    int n = ban_in_force(u, b->bans);
    for (int i = 0; i < n; i++)
        print(u, &b->bans[i]);
    if (n == 0 && !u->v->json) printf("Nobody is banned.\n");
    return n < 0 ? EXIT_NO : EXIT_YES;
}

static int show(struct user_call *u, void *context)
{
    struct ban_call *b = context;
    struct address a;
    int shown = 0;
    if (!address_parse(span_str(b->words[0]), &a))
        return command_usage(u->v, "this is no address", b->words[0]);
    int n = ban_in_force(u, b->bans);
    for (int i = 0; i < n; i++) {
        if (!network_holds(&b->bans[i].network, &a)) continue;
        print(u, &b->bans[i]);
        shown++;
    }
    if (n < 0) return EXIT_NO;
    if (network_any_holds(u->config->never_ban, u->config->n_never_ban, &a))
        return complain(EXIT_NO, "%s may connect and log in: never-ban names it", b->words[0]);
    return shown ? EXIT_YES : complain(EXIT_NO, "%s is not banned", b->words[0]);
}

/* What was lifted, by its name: it may be more than what was asked for. */
static void note_lifted(struct buf *b, const struct guess_ban *ban)
{
    if (b->n) buf_str(b, ", ");
    network_put(b, &ban->network);
    if (ban->reason == GUESS_BY_HAND) buf_str(b, " (by hand)");
}

/* Of an address every ban that it is in, of a network that one. */
static int lift(struct user_call *u, void *context)
{
    struct ban_call *b = context;
    struct address a;
    struct network network;
    bool lone = address_parse(span_str(b->words[0]), &a);
    bool wider = false;
    unsigned lifted = 0;
    char memory[LIFTED_OCTETS];
    struct buf names = buf_on(memory, sizeof memory);
    if (!lone && !network_parse(span_str(b->words[0]), &network))
        return command_usage(u->v, "this is no address and no network", b->words[0]);
    if (!user_begin(u)) return EXIT_NO;
    int n =
        ban_list(u->identity, b->bans, BANS); /* those that are over, too: they make the next one longer */
    if (n < 0) return user_failed(u);
    for (int i = 0; i < n; i++) {
        const struct network *one = &b->bans[i].network;
        bool same = !lone && one->bits == network.bits &&
                    memcmp(one->base.octets, network.base.octets, sizeof network.base.octets) == 0;
        if (!same && !(lone && network_holds(one, &a))) continue;
        if (ban_remove(u->identity, one) == CHANGE_FAILED) return user_failed(u);
        if (b->bans[i].until <= u->now) continue;
        if (lifted++ < LIFTED_NAMED) note_lifted(&names, &b->bans[i]);
        wider |= lone && one->bits < 128;
    }
    return user_end(u, lifted ? CHANGE_DONE : CHANGE_NONE, "it is not banned", "%.*s%s banned no more%s%s",
                    SPAN_ARG(buf_span(&names)),
                    lifted > LIFTED_NAMED ? " and others are"
                    : lifted > 1          ? " are"
                                          : " is",
                    wider ? ": all of it, not only " : "", wider ? b->words[0] : "");
}

/* Is all of it exempt, so that a ban would say nothing? */
static bool exempt(const struct config *c, const struct network *n)
{
    for (uint32_t i = 0; i < c->n_never_ban; i++)
        if (network_encloses(&c->never_ban[i], n)) return true;
    return false;
}

/* False: complained. */
static bool read_network(const struct user_call *u, const char *word, struct network *ret)
{
    char memory[128];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct network exact;
    if (!network_parse_around(span_str(word), ret)) {
        command_usage(u->v, "this is no address and no network", word);
        return false;
    }
    if (network_union_too_wide(ret, 1)) {
        command_usage(u->v, "this is nearly everybody: at most an IPv4 /8 or an IPv6 /32", word);
        return false;
    }
    if (network_parse(span_str(word), &exact)) return true;
    buf_str(&b, "host bits are set: write ");
    network_put(&b, ret);
    buf_str(&b, " for the network, or the address without a slash");
    memory[b.n] = 0;
    command_usage(u->v, memory, word);
    return false;
}

static int add(struct user_call *u, void *context)
{
    struct ban_call *b = context;
    struct guess_ban ban = {.since = u->now, .until = BAN_FOREVER, .strikes = 1, .reason = GUESS_BY_HAND};
    struct span reason = span_str(b->reason);
    uint64_t seconds = 0;
    char memory[64], last[64];
    struct buf shown = buf_on(memory, sizeof memory), until = buf_on(last, sizeof last);

    if (!read_network(u, b->words[0], &ban.network)) return EXIT_USAGE;
    if (!reason.n) return command_usage(u->v, "say why: --reason TEXT", NULL);
    if (reason.n >= sizeof ban.text || !span_no_controls(reason))
        return command_usage(u->v, "the reason is too long, or not one line", NULL);
    if (b->last && !user_period(u->v, b->last, &seconds)) return EXIT_USAGE;
    if (exempt(u->config, &ban.network))
        return complain(EXIT_NO, "nothing was changed: never-ban names %s", b->words[0]);
    memcpy(ban.text, reason.p, reason.n);
    if (b->last) {
        ban.until = u->now + seconds;
        buf_str(&until, " until ");
        calendar_put_utc(&until, ban.until);
    }
    if (!user_begin(u)) return EXIT_NO;
    if (!ban_put(u->identity, &ban)) return user_failed(u);
    network_put(&shown, &ban.network);
    return user_end(u, CHANGE_DONE, "", "%.*s may not connect to any server%.*s: %s",
                    SPAN_ARG(buf_span(&shown)), SPAN_ARG(buf_span(&until)), b->reason);
}

int command_ban(struct command_call *v)
{
    static const struct {
        const char *name;
        int words;
        bool adds, writes;
        ban_run_fn *run;
    } subs[] = {{"list", 0, false, false, list},
                {"show", 1, false, false, show},
                {"lift", 1, false, true, lift},
                {"add", 1, true, true, add}};
    struct ban_call b = {.last = NULL};
    const struct command_option options[] = {{"--for", &b.last, false, false},
                                             {"--reason", &b.reason, false, false}};
    int words;

    if (!command_options(v, options, 2, &words)) return EXIT_USAGE;
    for (size_t i = 0; words > 0 && i < sizeof subs / sizeof subs[0]; i++) {
        if (strcmp(v->argv[1], subs[i].name) != 0) continue;
        if (words != 1 + subs[i].words || (!subs[i].adds && (b.last || b.reason))) break;
        b.words[0] = words > 1 ? v->argv[2] : NULL;
        b.bans = calloc(BANS, sizeof *b.bans);
        int code =
            b.bans ? ban_with_store(v, subs[i].writes, subs[i].run, &b) : complain(EXIT_NO, "no memory");
        free(b.bans);
        return code;
    }
    return command_usage(v, "list, show, lift or add, and what it takes", NULL);
}

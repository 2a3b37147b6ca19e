/* Is the client banned? By the arithmetic of the directory process, over what the identity database keeps of bans and of who logged in lately. */
#include <stdlib.h>

#include "base/calendar.h"
#include "cmd/explain_private.h"
#include "identity/ban.h"

static void knows(void *context, const struct ban_known *k)
{
    guess_know(context, k->principal, &k->source, k->unix_seconds);
}

/* False: there is none, or it cannot be known. */
static bool find(const struct explain_call *x, uint64_t unix_seconds, struct guess_ban *ret)
{
    void *memory = calloc(1, guess_octets());
    struct guess_ban *bans = calloc(LIMIT_GUESS_BANS_KEPT, sizeof *bans);
    bool found = false;
    if (memory && bans) {
        struct guess *g = guess_on(memory, 0);
        int n = ban_list(x->identity, bans, LIMIT_GUESS_BANS_KEPT);
        if (n > 0) guess_load(g, bans, (size_t)n, unix_seconds * 1000);
        found = n > 0 && ban_each_known(x->identity, knows, g) &&
                guess_ban_of(g, &x->q->address, unix_seconds * 1000, ret);
    }
    free(bans);
    free(memory);
    return found;
}

static void put_ban(struct buf *b, const struct guess_ban *ban)
{
    network_put(b, &ban->network);
    buf_str(b, " is banned");
    if (ban->until < BAN_FOREVER) {
        buf_str(b, " until ");
        calendar_put_utc(b, ban->until);
    }
    buf_str(b, ban->reason == GUESS_BY_HAND ? ", by hand: " : ", after failed logins: ");
    buf_put(b, span_str(ban->text));
}

bool explain_ban(struct explain_call *x, uint64_t unix_seconds)
{
    const struct config *c = x->config;
    struct guess_ban ban;
    uint8_t memory[64];
    struct buf network = buf_on(memory, sizeof memory);
    if (!x->identity || !find(x, unix_seconds, &ban)) return true;
    bool never = network_any_holds(c->never_ban, c->n_never_ban, &x->q->address);
    bool by_hand = ban.reason == GUESS_BY_HAND;
    bool door = !never && guess_bars(&ban, x->server->mechanisms != 0);
    struct buf *b = explain_begin(x->e, "ban");
    put_ban(b, &ban);
    buf_str(b, never   ? "; but never-ban names the client"
               : !door ? "; that holds for logins, not for connections here"
                       : "");
    network_put(&network, &ban.network);
    explain_field(x->e, "network", buf_span(&network));
    explain_end(x->e, never ? "never-ban" : by_hand ? "banned.by-hand" : door ? "banned" : "banned.login");
    x->banned = !never;
    if (!door) return true;
    explain_reply(x->e, 554, "5.7.1",
                  by_hand
                      ? "Your address is banned here, ask the postmaster"
                      : "Too many failed logins from your address, it is banned for now: try again later");
    return false;
}

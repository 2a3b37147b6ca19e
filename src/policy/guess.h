/* guess: the arithmetic of failed logins: who is let, who waits, which network is banned, and what is an attack. Only a source network is
 * ever banned, never an account: failures against an account alone demand more of networks that it is not known from. What a network
 * did by which somebody logged in lately is judged by itself, so that nobody is locked out by what others do elsewhere, not even next door.
 * Constant memory: tables in which the oldest are forgotten first. Times are unix time; a clock that goes back does no harm. */
#ifndef POLICY_GUESS_H
#define POLICY_GUESS_H

#include "base/limits.h"
#include "policy/barred.h"

enum guess_answer {
    GUESS_LET,
    GUESS_WAIT,  /* *wait_ms, then ask guess_banned again */
    GUESS_LATER, /* too many of that source wait already */
    GUESS_BANNED
};

enum guess_failure {
    GUESS_NONE,         /* no guess: it does not count */
    GUESS_WRONG_SECRET, /* of somebody who exists */
    GUESS_UNKNOWN_USER,
    GUESS_MALFORMED /* no name came of it */
};

enum guess_reason { GUESS_BY_FAILURES, GUESS_BY_SPRAY, GUESS_BY_HAND, GUESS_REASONS };

struct guess_account {
    uint32_t number;  /* of the principal; 0: there is none */
    struct span name; /* as it was said, hostile */
};

struct guess_ban {
    struct network network;
    uint64_t since, until; /* unix seconds */
    uint32_t strikes;      /* which ban of that network it is, lately */
    uint32_t failures;     /* that led to it */
    uint32_t accounts;     /* different ones among them, as far as they are counted */
    uint8_t reason;        /* enum guess_reason */
    char text
        [LIMIT_GUESS_TEXT_OCTETS]; /* names that were tried, commas between, printable; BY_HAND: why. NUL behind it */
};

struct guess_news { /* what a failure made of it; each event once a period */
    struct guess_ban bans[2];
    unsigned n_bans;
    bool spray; /* one source, many accounts */
    struct network spray_network;
    uint32_t spray_accounts;
    bool distributed; /* one account, many source networks */
    uint32_t distributed_networks;
    uint64_t wait_ms; /* before the client is told */
};

struct guess;
size_t guess_octets(void);
/* memory: zeroed, guess_octets() of it, aligned as malloc does. seed: random. */
struct guess *guess_on(void *memory, uint64_t seed);

/* The network that a single source is: an IPv4 address, an IPv6 /64; wide: the /24 or /48 around it. */
struct network guess_network(const struct address *a, bool wide);

/* A login begins: asked before anything that costs. */
enum guess_answer guess_begin(struct guess *g, const struct address *a, uint64_t unix_ms, uint64_t *wait_ms);
bool guess_banned(const struct guess *g, const struct address *a, uint64_t unix_ms);
/* *ret: the ban that counts for that address. False: there is none. */
bool guess_ban_of(const struct guess *g, const struct address *a, uint64_t unix_ms, struct guess_ban *ret);

void guess_failed(struct guess *g, const struct address *a, enum guess_failure kind,
                  const struct guess_account *who, uint64_t unix_ms, struct guess_news *ret);
/* True: that it is known from there is worth keeping (guess_know after a restart). *wait_ms: before the client is told. */
bool guess_succeeded(struct guess *g, const struct address *a, uint32_t account, uint64_t unix_ms,
                     uint64_t *wait_ms);
/* Before the client is told what became of a login of that account, when it is neither of these: a proof that fits and permits nothing
 * is told as late as one that does not fit. */
uint64_t guess_wait_ms(const struct guess *g, const struct address *a, uint32_t account, uint64_t unix_ms);
/* account logged in from that source (guess_network) then. */
void guess_know(struct guess *g, uint32_t account, const struct network *source, uint64_t unix_seconds);

/* What is kept of bans: each that is new or changed, once. False: no more. */
bool guess_take(struct guess *g, struct guess_ban *ret);
/* It was not kept after all. */
void guess_give_back(struct guess *g, const struct guess_ban *ban);
/* What the store has, all of it: others added or lifted some. A ban that the store does not have and that was taken is lifted. Of those
 * by hand only the first LIMIT_GUESS_BANS_BY_HAND count. */
void guess_load(struct guess *g, const struct guess_ban *bans, size_t n, uint64_t unix_ms);
/* Does that one count then? Not one for failed logins that would go on for longer than any is made: the clock has gone back since. */
bool guess_in_force(const struct guess_ban *ban, uint64_t unix_seconds);
/* Another number when another list for the edges would come of it. */
uint64_t guess_version(const struct guess *g);
/* Does that one turn away at the door of a server? logins: one may log in there. Never when it is of a network around single sources. */
bool guess_bars(const struct guess_ban *ban, bool logins);
/* The list of those, in any order: at most GUESS_BARRED_MAX. Returns how many. */
uint32_t guess_barred(const struct guess *g, bool logins, uint64_t unix_ms, struct barred_entry *ret);
#define GUESS_BARRED_MAX (LIMIT_GUESS_SOURCES + LIMIT_GUESS_BANS_BY_HAND)
/* Bans in force. */
uint32_t guess_count(const struct guess *g, uint64_t unix_ms);

#endif

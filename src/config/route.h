/* route: where the mail of a recipient goes next, as deliver, relay, hold and discard say it, and what is permitted towards a
 * destination. A route says where, never who exists or who may send.
 *
 * A pattern is "user@example.org", "example.org", ".example.org" (every domain below it) or "*". The nearest one counts: an address before
 * its domain, that before the domains it lies in (the longest first), those before "*". Of two lines for the same pattern the later counts.
 * Of several directives, in this order:
 *   1. hold, then discard
 *   2. relay for the address, the domain, a domain around it; a deliver for the domain counts like a relay for it (the later of the two)
 *   3. for recipients that exist here: deliver *, relay *, and else none: our own domains are never looked up in DNS unasked
 *   4. for others: relay from SENDER, then relay *, then by MX */
#ifndef CONFIG_ROUTE_H
#define CONFIG_ROUTE_H

#include "policy/next_hop.h"

struct config;

struct config_place { /* where something was said, for messages */
    struct span file;
    uint32_t line, column;
};

struct config_pattern { /* the beginning of every row of a table that is looked up by patterns */
    struct span pattern;
    struct config_place place;
};

enum config_delivery { DELIVER_MAILDIR, DELIVER_LMTP };
struct config_deliver {
    struct span domain; /* A-labels, lower case, or "*" */
    struct config_place place;
    enum config_delivery how;
    struct span target;  /* absolute folder, or the LMTP servers as they are shown */
    struct next_hop hop; /* LMTP */
    bool tls_given;
    uint32_t order; /* among deliver and relay lines */
};

struct config_secret {      /* how hop.user, a file, is used; the same for all lines that name it */
    bool token;             /* a token-file; else a user-file, which has the name, too */
    struct span user;       /* token: the name that goes with it */
    struct span mechanisms; /* the only ones that may be used, blank-separated, upper case; empty: any */
};

struct config_route {
    struct span pattern; /* of the recipient; of relay from: of the sender, "<>" for the null reverse-path */
    struct config_place place;
    struct next_hop hop;         /* MX: without a name, for that is the domain of the recipient */
    bool tls_given;              /* hop.tls is what the line says, or what its user-file needs */
    struct config_secret secret; /* where hop.user is set */
    uint32_t order;
};

struct config_rate { /* so many in so many seconds */
    bool limited;
    uint32_t count, seconds;
};

/* What is permitted towards one next hop (destination), or towards all next hops that share mail exchangers (mx-group). */
struct config_destination {
    struct span name; /* of the group; of a destination its first pattern */
    struct config_place place;
    bool group;                            /* mx-group */
    uint32_t sessions_first, sessions_max; /* at a time: at the start, and at most */
    uint32_t recipients;                   /* of one transaction */
    struct config_rate messages, connections;
    bool tls_given;
    uint8_t tls; /* enum tls_policy */
};

struct config_match { /* which destination a name belongs to */
    struct span pattern;
    struct config_place place;
    uint32_t destination; /* index */
};

enum config_way_kind {
    WAY_MAILBOX,  /* a Maildir of ours */
    WAY_NEXT_HOP, /* way.hop */
    WAY_HOLD,     /* it waits until an operator releases it */
    WAY_DISCARD,  /* it is thrown away, and nobody is told */
    WAY_NONE, /* no line says where (a domain of ours), or the address has no domain that could be looked up */
};

struct config_way {
    enum config_way_kind kind;
    struct next_hop hop;
    const char *
        rule; /* which directive decided: "deliver", "relay", "relay from", "hold", "discard", "default", "none" */
    const struct config_place *place;    /* of the line that decided; null: none did */
    struct span pattern;                 /* of that line */
    bool tls_given;                      /* the line says hop.tls, or its user-file needs it */
    uint8_t domain[LIMIT_DOMAIN_OCTETS]; /* what hop.name may point to: the struct is not to be copied */
};

/* Where mail from reverse_path (without brackets, empty for <>) for recipient (a path without brackets, or a domain alone) goes. local: the
 * recipient exists here (the directory said so). O(labels * log(lines)), no memory is taken; hop points into the configuration or
 * into *ret and is valid (next_hop_valid). Returns ret->kind. */
enum config_way_kind config_next_hop(const struct config *c, struct span reverse_path, struct span recipient,
                                     bool local, struct config_way *ret);

/* The same for a recipient that an operator has released: no hold line is asked. */
enum config_way_kind config_next_hop_released(const struct config *c, struct span reverse_path,
                                              struct span recipient, bool local, struct config_way *ret);

/* Who says hop.tls of a next hop: "destination", "line" (relay or deliver), "destination *" or "default". */
const char *config_tls_rule(const struct config *c, const struct config_way *way);

/* What is permitted towards a next hop; never null. An MX is looked up by its domain, a host (the first one) by "host:port" and by its name,
 * a socket by "unix:/path". Every next hop has the limits for itself. */
const struct config_destination *config_destination_of(const struct config *c, const struct next_hop *hop);
/* The group of a mail exchanger (its name, any case), or null. Its limits hold for all next hops together that lead to its exchangers. */
const struct config_destination *config_mx_group_of(const struct config *c, struct span host);

/* Lines by name: null when there is none. A domain's own line, else that of "*". */
const struct config_deliver *config_deliver_find(const struct config *c, struct span domain);
const struct config_route *config_route_find(const struct config *c, struct span recipient);
/* recipient: a path or a domain. */
const struct config_pattern *config_held(const struct config *c, struct span recipient);

#endif

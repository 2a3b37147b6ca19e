/* config: a parsed and checked configuration. Immutable. Everything points into the arena of the struct; a process parses
 * the same sealed text that the supervisor checked, so all processes of a generation agree. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/span.h"
#include "config/route.h"
#include "policy/admission.h"
#include "policy/decide.h"
#include "policy/network.h"
#include "policy/pin.h"

enum config_role { ROLE_MX, ROLE_SUBMISSION, ROLE_ORGANISATION, ROLE_GATE };
enum config_login { CONFIG_LOGIN_DATABASE, CONFIG_LOGIN_DOVECOT };
enum config_tls { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };
enum config_profile { PROFILE_STANDARD, PROFILE_LEGACY_DEVICE };
/* What somebody may do on a server with profile legacy-device, whatever else was granted. */
#define LEGACY_RIGHTS ((uint32_t)(RIGHT_SUBMIT | RIGHT_RELAY))
enum { TLS_MINIMUM_1_0 = 1, TLS_MINIMUM_1_1, TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };

struct config_certificate {
    struct span chain_file, key_file; /* absolute */
    struct config_place place;
};

struct config_listener {
    struct address address;
    uint16_t port;
    enum config_tls tls;
    bool tls_given;             /* said at the listener, not taken from its server */
    struct network *proxy_from; /* trusted PROXY sources */
    uint32_t n_proxy_from;
    struct config_place place;
};

enum config_yes { CONFIG_UNSAID, CONFIG_NO, CONFIG_YES };

struct config_limits {
    uint64_t message_octets, session_octets;
    uint32_t recipients, messages_per_session, errors, junk_commands, received_fields, line_octets;
    uint32_t sessions, sessions_per_source,
        sessions_per_loopback_source; /* source: key of policy/network.h */
    uint32_t sessions_per_principal;
    uint32_t
        rates_on_loopback; /* enum config_yes: whether the rates count sessions of this host's loopback */
    struct config_rate connections_rate, messages_per_source, recipients_per_source, messages_per_principal,
        recipients_per_principal;
    uint32_t command_seconds, data_block_seconds, session_seconds, message_seconds, minimum_rate;
};

enum config_grant_to { GRANT_TO_USER, GRANT_TO_GROUP, GRANT_TO_DOMAIN, GRANT_TO_HOST };
struct config_grant { /* right RIGHT to group NAME | user NAME | domain DOMAIN | host NAME */
    uint32_t right;   /* enum right */
    uint8_t to;       /* enum config_grant_to */
    struct span name; /* a user: canonical local@domain; a domain, a host: A-labels, lower case */
    struct config_place place;
};

struct config_domain {
    struct span name; /* A-labels, lower case */
    bool any;         /* every local part exists */
    struct config_place place;
};

struct config_server {
    struct span name, hostname; /* hostname: its own or the global one */
    enum config_role role;
    enum config_profile profile;
    uint8_t tls_minimum; /* TLS_MINIMUM_1_0 ... */
    struct pin *pins;    /* of legacy-device: who may send without logging in, and as whom */
    uint32_t n_pins;
    struct config_place *pin_places; /* of each: its sender line */
    struct config_listener *listeners;
    uint32_t n_listeners;
    struct config_certificate *certificates; /* the first is the default; others by SNI */
    uint32_t n_certificates;
    enum access access;
    bool
        from_lock; /* From and Sender of who has logged in, and of old devices, are checked like the reverse-path */
    bool name_authorities; /* clients are told the names of client_authorities */
    bool require_tls, normalize_bare_lf;
    bool early_talker_refuse; /* octets before the greeting: 554 and close (default on for mx) */
    struct config_domain
        *domains; /* served, sorted, without doubles. mx: its own and those of the top level; submission and
                                    * organisation: those of all servers, for mail among our own users is no relaying */
    uint32_t n_domains;
    struct admission admission; /* connections */
    struct span banner;         /* behind the host name in the greeting; empty: the engine's own */
    struct network *relay_networks;
    uint32_t n_relay_networks;
    uint32_t mechanisms;   /* MECHANISM_BIT: offered to those who may use them; none: AUTH is not offered */
    uint8_t login;         /* enum config_login: who checks what clients prove */
    uint8_t ntlm_bindings; /* enum ntlm_bindings */
    struct network *clear_auth; /* clients that may log in without TLS */
    uint32_t n_clear_auth;
    struct config_grant *grants;
    uint32_t n_grants;
    struct config_limits limits;
    struct span backend; /* gate: address:port, later */
    struct config_place place;
    const struct config_place *said; /* for config_server_said */
};

struct config_tokens { /* tokens { }: whose word names an account (service/token.h) */
    bool given;        /* else nothing of it is to be used */
    struct span issuer, audience;
    struct span keys_file;     /* absolute: a JWK set */
    struct span account;       /* the claim with the address; empty: email, else sub */
    struct span scope;         /* that a token must have */
    struct span configuration; /* URL, told to clients whose token is not good; may be empty */
};

struct config_dovecot { /* dovecot { } */
    struct span socket; /* absolute; empty: there is none */
    struct span domain; /* of names without one; empty: that of our users */
};

struct config_winbind { /* winbind: a domain of Active Directory whose users log in with NTLM */
    struct span *
        names; /* its NetBIOS name and DNS names, as clients say them; the first is told for those who say none */
    uint32_t n_names;
    struct span domain; /* they are user@domain here */
    bool fallback;      /* who says no domain is one of its users */
    struct config_place place;
};

struct config_realm {   /* realm REALM domain DOMAIN */
    struct span name;   /* to the letter */
    struct span domain; /* A-labels, lower case */
    struct config_place place;
};

enum kerberos_bindings {                            /* what is asked of a binding to the TLS session */
                         KERBEROS_BINDINGS_ALLOWED, /* none passes; one that is there must be ours */
                         KERBEROS_BINDINGS_IGNORED,
                         KERBEROS_BINDINGS_REQUIRED
};

struct config_kerberos {     /* kerberos { }: whose tickets stand for an account */
    bool given;              /* else nothing of it is to be used */
    struct span keytab_file; /* absolute */
    struct config_realm *realms;
    uint32_t n_realms;
    struct span *services; /* first components of our principals */
    uint32_t n_services;
    uint8_t bindings; /* enum kerberos_bindings */
};

struct config_resolver { /* a recursive DNS server */
    struct address address;
    uint16_t port;
};

struct config {
    struct arena *arena;
    struct span file;                /* the main one */
    const struct config_place *said; /* for config_said */
    struct span hostname;
    struct span spool_folder, users_folder, aliases_file,
        control_socket;              /* absolute; users and aliases may be empty */
    bool users_given, aliases_given; /* named in the file: then they must exist */
    struct config_resolver *resolvers;
    uint32_t n_resolvers;      /* 0: those of /etc/resolv.conf */
    struct network *never_ban; /* clients whose failed logins never lead to a ban */
    uint32_t n_never_ban;
    bool recursion;           /* none at all: names are resolved from the root of DNS downward */
    struct span trust_anchor; /* file with the keys of the root of DNS */
    bool trust_anchor_given;
    struct span authorities; /* file with the certificates that next hops are verified by */
    bool authorities_given;
    struct span client_authorities; /* file with those that vouch for names of clients; empty: none do */
    struct span client_revocations; /* file with their lists of revoked certificates; empty: nobody looks */
    struct config_tokens tokens;
    struct config_dovecot dovecot;
    struct config_winbind *winbinds;
    uint32_t n_winbinds;
    struct config_kerberos kerberos;
    struct config_server *servers;
    uint32_t n_servers;
    struct config_deliver *deliver; /* sorted; one for a domain */
    uint32_t n_deliver;
    struct config_route *routes; /* relay. Sorted; one for a pattern: the last one said */
    uint32_t n_routes;
    struct config_route *sender_routes; /* relay from: the same by sender, no "*" */
    uint32_t n_sender_routes;
    struct config_pattern *hold; /* sorted; may have "*" */
    uint32_t n_hold;
    struct config_pattern *discard; /* sorted; no "*" */
    uint32_t n_discard;
    struct config_destination *destinations; /* of destination and mx-group, in the order of the file */
    uint32_t n_destinations;
    struct config_match *matches, *mx_matches; /* sorted; no "*" */
    uint32_t n_matches, n_mx_matches;
    struct config_destination destination_default; /* of every next hop that no destination names */
    uint32_t longest_suffix;                       /* octets of the longest pattern ".example.org"; 0: none */
    uint32_t relays;                               /* processes */
    uint32_t edges;                                /* 0: one per core */
    uint32_t pool_small_blocks, pool_large_blocks; /* of each edge */
    uint32_t queue_seconds, retry_first_seconds, retry_max_seconds, drain_seconds;
    uint32_t delay_warning_seconds; /* senders are told of mail that waits longer */
    bool delay_warning_never;
    uint8_t log_level; /* enum log_level of system/log.h */
};

enum config_severity { CONFIG_ERROR, CONFIG_WARNING };
struct config_problem {
    enum config_severity severity;
    struct config_place place;
    struct span text;       /* what is wrong */
    struct span suggestion; /* what to write instead; may be empty */
    struct config_problem *next;
};

/* One file of the configuration, by content: the parser opens nothing. */
struct config_source {
    struct span name; /* absolute path, for messages and for relative names */
    struct span text;
    const char *unreadable; /* null, or why the caller could not read it: an error where it is included */
};

/* Parses sources[0] and whatever it includes from the other sources. Reports all errors at once, in order. Returns null when
 * there was an error; warnings alone do not fail. An include that is not among the sources is listed in *missing (its absolute
 * name, "" when none): the caller reads it, adds it and parses again, and gets null until nothing is missing. problems live in
 * arena. Null without a problem and nothing missing: the arena is full. The text of sources may go afterwards. */
struct config *config_parse(struct arena *arena, const struct config_source *sources, size_t n_sources,
                            struct config_problem **problems, struct span *missing);

/* The bundle: all sources in one span (wire encoding), as the supervisor hands it to its children. */
struct buf;
size_t config_bundle_octets(const struct config_source *sources, size_t n);
void config_bundle_put(struct buf *b, const struct config_source *sources, size_t n);
/* A number that tells two bundles apart, names and texts: whether a file is what the running service has read. */
uint32_t config_bundle_digest(const struct config_source *sources, size_t n);
/* Sources into arena memory, pointing into the bundle. False when it is malformed. */
bool config_bundle_read(struct arena *arena, struct span bundle, struct config_source **sources, size_t *n);

/* Where a directive of the top level stands, by its name; the main file as a whole (line 0) when it was not said. */
struct config_place config_said(const struct config *c, const char *directive);
/* Where a directive of a server (of its limits { }: limit) was said first: in its own block, else at the top level for every server that
 * does not say otherwise. *own: in its block. Line 0: nowhere, or it has no effect: it is the default. */
struct config_place config_server_said(const struct config *c, const struct config_server *s,
                                       const char *directive, bool limit, bool *own);

/* The modes of its listeners: bit 1 << enum config_tls each. */
uint32_t config_tls_modes(const struct config_server *s);
/* Some server tells its clients the names of client_authorities, and there are some. */
bool config_names_authorities(const struct config *c);
/* MECHANISM_BIT: those of its mechanisms that a session could be offered: under TLS where a listener has it, in clear where
 * allow-cleartext-auth names somebody. None: nobody can log in there. */
uint32_t config_logins(const struct config_server *s);
/* To whom a domain belongs that a client says, in any case; empty: it says none. Null: no domain controller is asked. */
const struct config_winbind *config_winbind_of(const struct config *c, struct span name);
/* Any case. */
bool config_domain_served(const struct config_server *s, struct span domain);
const struct config_domain *config_domain_find(const struct config_server *s,
                                               struct span domain); /* null: not served */
/* May a client that has not logged in send from there? sender: of path_key, empty: the null reverse-path. Always but for old devices. */
bool config_sender_listed(const struct config_server *s, const struct address *client, struct span sender);
/* Is there a connections line with a name of a client? */
bool config_asks_names(const struct config *c);
/* Sessions that one source may hold: an address of the loopback has a limit of its own. */
uint32_t config_sessions_per_source(const struct config_limits *l, const struct address *client);

#endif

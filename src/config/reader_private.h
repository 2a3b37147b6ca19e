/* reader: the state of one config_parse. Shared by the files that read directives and check what was read. */
#ifndef CONFIG_READER_PRIVATE_H
#define CONFIG_READER_PRIVATE_H

#include "base/idn.h"
#include "config/config.h"
#include "config/grammar.h"
#include "config/schema.h"
#include "smtp/path.h"

enum { READER_BLOCK_DEPTH = 4, READER_ROWS_MAX = 112 };
enum {
    CONFIG_PLACE_DEFAULT = 1
}; /* column of a place without a line: what the top level says has no effect on that server */

struct legacy_client { /* a network that may connect */
    struct network network;
    struct config_place place;
};
/* A server under construction, and what was said rather than assumed. The top level has one too: what stands there is for
 * every server. */
struct draft {
    struct config_server server;
    enum config_tls tls_mode; /* of listeners that do not name one */
    bool tls_given, role_given, access_given, mechanisms_given;
    bool implied; /* the server of an empty configuration */
    bool damaged; /* an error stands inside it: what it lacks may be what was not understood */
    struct config_place tokens_place,
        kerberos_place;                  /* of the first mechanism that needs tokens { }, kerberos { } */
    struct config_place relay_place;     /* of the first relay-networks */
    struct config_place admission_place; /* of the first connections */
    struct config_place profile_place, tls_minimum_place, cram_place;
    struct config_place clear_auth_place; /* of the first allow-cleartext-auth */
    struct config_place sender_place;     /* of the first sender */
    struct legacy_client *clients;        /* of connections allow, and of sender */
    uint32_t n_clients;
    bool admission_clashes; /* admission_clash is allowed and denied */
    struct admission_clash admission_clash;
    uint8_t from_free; /* 1: from-lock no */
    uint8_t normalize, require_tls, name_authorities,
        early; /* choices of the schema: 1 is yes, or refuse; early 2: not said */
    struct config_place
        said[READER_ROWS_MAX]; /* of the block and of its limits { }, the first of each schema row */
};

struct frame { /* a file that is being read */
    size_t source;
    struct grammar grammar;
    unsigned blocks;     /* open when it began: a file closes what it opens, and nothing else */
    struct token resume; /* what comes in the including file */
};

struct open_block {
    unsigned kind;     /* SCHEMA_TOP ... */
    void *target;      /* the struct that plain values go to */
    struct token name; /* the directive that opened it */
    struct span file;
    struct config_place said[READER_ROWS_MAX]; /* by schema row, for "said already" */
};

struct reader {
    struct arena *arena;
    struct config *config;
    const struct config_source *sources;
    size_t n_sources;
    struct frame frames[LIMIT_CONFIG_DEPTH];
    unsigned n_frames;
    struct open_block blocks[READER_BLOCK_DEPTH];
    unsigned n_blocks;
    struct token token; /* the next one */
    struct draft top;
    struct draft *drafts;
    uint32_t n_drafts;
    struct config_server every; /* its domains: all that are served anywhere */
    struct config_problem *first, *last;
    uint32_t n_problems;
    uint32_t n_said; /* deliver and relay lines, for their order */
    bool failed, no_memory;
    bool broken; /* this statement: its rest is skipped without more complaints */
    struct span missing;
};

/* --- problems (problem.c). Parts are joined, hostile octets escaped. */
#define PROBLEM_TEXT(r, ...)                                                                                 \
    config_problem_text(r, (const struct span[]){__VA_ARGS__},                                               \
                        sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))
struct span config_problem_text(struct reader *r, const struct span *parts, size_t n);
struct span config_problem_number(struct reader *r, uint64_t v);
struct span config_problem_place(struct reader *r, const struct config_place *p); /* file:line:column */
void config_problem_add(struct reader *r, enum config_severity s, struct config_place p, struct span text,
                        struct span suggestion);
void config_problem_sort(struct reader *r); /* by place: file in order of reading, line, column */
/* An error at a token: the rest of the statement is skipped. */
void config_problem_at(struct reader *r, const struct token *t, struct span text, struct span suggestion);

/* --- the statement that is being read (read.c) */
struct config_place reader_place(const struct reader *r, const struct token *t);
unsigned reader_block(const struct reader *r); /* kind of the innermost block */
void *reader_target(const struct reader *r);
struct draft *reader_draft(struct reader *r); /* of the innermost server block, or the top level's */
void reader_advance(struct reader *r);
struct token reader_peek(const struct reader *r, unsigned ahead); /* 1: the one behind r->token */
/* An argument that must be there; what: its name for the message. */
bool reader_argument(struct reader *r, const struct token *directive, const char *what, struct token *ret);
/* One more argument of a list: ends before the next keyword of the block. */
bool reader_more(struct reader *r, struct token *ret);
/* The next token is this (unquoted) word: it is taken. */
bool reader_word(struct reader *r, const char *word);
bool reader_at_word(const struct reader *r, const char *word);
/* The block of the directive that was read so far; plain values in it go to target. */
void reader_open_block(struct reader *r, const struct token *name, unsigned kind, void *target);
/* Grows an array in the arena by one zeroed element; null: no memory (remembered). n counts up. */
void *reader_push(struct reader *r, void *array, uint32_t *n, size_t each, uint32_t max);

/* --- values (value.c): false after a problem was reported */
bool value_plain(struct reader *r, const struct schema_row *row, const struct token *t, uint64_t *ret);
bool value_path(struct reader *r, const struct token *t, struct span *ret);
bool value_domain(struct reader *r, const struct token *t, bool star,
                  struct span *ret); /* A-labels, lower case; star: "*" too */
enum { PATTERN_STAR = 1, PATTERN_ADDRESS = 2, PATTERN_NULL = 4 };
/* example.org, .example.org (or *.example.org); where the flags say so: "*", user@example.org, "<>" */
bool value_pattern(struct reader *r, const struct token *t, unsigned flags, struct span *ret);
bool value_name(struct reader *r, const struct token *t, struct span *ret); /* letters, digits, - _ . */
bool value_endpoint(struct reader *r, const struct token *t, struct address *address, uint16_t *port);
bool value_host_port(struct reader *r, const struct token *t, struct span *host, uint16_t *port);
/* host:port in one spelling, addresses in theirs; true when it lies on the loopback. */
bool value_put_host(struct buf *b, struct span host, uint16_t port);
bool value_network(struct reader *r, const struct token *t, struct network *ret);
bool value_choice(struct reader *r, const struct token *t, const char *words, uint64_t *ret);
/* A warning when passwords would be readable in a whole range of private addresses. */
void value_warn_clear_network(struct reader *r, const struct token *t, const struct network *n);
void value_warn_hosts_together(struct reader *r, const struct config_place *place, const struct network *n,
                               uint32_t count);
void value_not_yet(struct reader *r, const struct token *t, const char *what, const char *consequence);

/* --- directives with a reader of their own */
typedef void read_fn(struct reader *r, const struct schema_row *row, const struct token *name);
read_fn read_server, read_listen, read_tls, read_access, read_right, read_clear_auth, read_relay_networks,
    read_recipients, read_role, read_backend, read_verbs, read_deliver, read_relay, read_hold, read_discard,
    read_destination, read_mx_group, read_sessions, read_messages_rate, read_connections_rate,
    read_destination_tls, read_delay_warning, read_edges, read_include, read_tokens_text, read_dovecot_socket,
    read_kerberos_realm, read_kerberos_service;

read_fn read_profile, read_tls_minimum, read_sender;
/* One more network that may connect. False: no memory. */
bool legacy_client(struct reader *r, struct draft *d, const struct token *t, const struct network *n);
read_fn read_never_ban, read_resolver, read_winbind, read_limit_rate, read_connections, read_banner;

/* COUNT per TIME; *ret stays as it was after a problem. */
void read_rate(struct reader *r, const struct schema_row *row, const struct token *name,
               struct config_rate *ret);

/* The next hop of a line with its TLS policy (read_hop.c); false after a problem. */
enum read_hop_form { READ_HOP_MX, READ_HOP_SMARTHOST, READ_HOP_LMTP };
bool read_hop(struct reader *r, const struct token *name, enum read_hop_form form, struct config_route *ret);
/* user-file FILE, token-file FILE, user NAME, mechanisms NAME ... of such a line, in any order (read_credential.c). */
struct credential_words {
    bool file_said, user_said, mechanisms_said;
    struct token file, user, mechanisms; /* where */
};
bool credential_at_word(const struct reader *r);
bool read_credential(struct reader *r, const struct token *name, struct credential_words *w,
                     struct config_route *ret);
bool check_credential(struct reader *r, const struct credential_words *w, const struct config_route *route);

/* --- afterwards: defaults and inheritance, then the rules that concern the whole (check.c) */
bool finish_config(struct reader *r);
void finish_routes(struct reader *r);
void finish_tokens(struct reader *r);
void finish_legacy(struct reader *r, struct draft *d);
void finish_kerberos(struct reader *r);
void check_config(struct reader *r);
void check_routes(struct reader *r);
void check_tokens(struct reader *r);
void check_dovecot(struct reader *r);
void check_access(struct reader *r, const struct draft *d);
void check_legacy(struct reader *r, const struct draft *d);
void check_winbind(struct reader *r);
void check_secrets(struct reader *r);
void check_kerberos(struct reader *r);
/* A server names one of these mechanisms (MECHANISM_TOKENS or MECHANISM_KERBEROS), whose block is missing. */
void check_mechanisms_given(struct reader *r, uint32_t mechanisms, struct span text, struct span example);

/* The destination that names a next hop, not the one for all; null: none does. */
const struct config_match *config_match_of(const struct config *c, const struct next_hop *hop);
/* The TLS policy of a finished next hop: given: its route says one. */
uint8_t config_tls_of(const struct config *c, const struct next_hop *hop, bool given);

/* Sorts n elements by the span each begins with; equal ones keep their order. False: no memory. */
bool names_sort(struct arena *arena, void *base, size_t n, size_t each);
/* The row of that name, or null. */
const void *names_find(const void *base, size_t n, size_t each, struct span name);

#endif

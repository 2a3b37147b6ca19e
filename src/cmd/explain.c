/* explain: replays "client, HELO, from, to" against a configuration, with the same functions that the server asks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/complain.h"
#include "cmd/explain_steps.h"
#include "cmd/load_people.h"
#include "cmd/path_word.h"
#include "service/config_load.h"

enum { KEY_OCTETS = LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8 };

struct question {
    const char *client, *helo, *server, *tls, *from, *to;
    struct address address;
    struct path sender, recipient;
    char from_text[PATH_WORD_OCTETS], to_text[PATH_WORD_OCTETS];
};

static bool read_question(struct command_call *v, struct question *q)
{
    const struct command_option options[] = {
        {"--client", &q->client, false, true},  {"--helo", &q->helo, false, false},
        {"--server", &q->server, false, false}, {"--tls", &q->tls, true, false},
        {"--from", &q->from, false, true},      {"--to", &q->to, false, true},
    };
    int words;

    if (!command_options(v, options, sizeof options / sizeof options[0], &words)) return false;
    if (words) {
        command_usage(v, "unknown argument", v->argv[1]);
        return false;
    }
    if (!address_parse(span_str(q->client), &q->address)) {
        command_usage(v, "--client wants an IP address", q->client);
        return false;
    }
    if (!path_word(q->from, PATH_ALLOW_NULL, q->from_text, &q->sender)) {
        command_usage(v, "--from is no address", q->from);
        return false;
    }
    if (!path_word(q->to, PATH_ALLOW_POSTMASTER, q->to_text, &q->recipient)) {
        command_usage(v, "--to is no address", q->to);
        return false;
    }
    return true;
}

static const struct config_server *find_server(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        if (name ? span_eq(c->servers[i].name, span_str(name)) : c->servers[i].role != ROLE_GATE)
            return &c->servers[i];
    return NULL;
}

static void put_address(struct buf *b, const struct path *p)
{
    buf_byte(b, '<');
    path_put(p, b);
    buf_byte(b, '>');
}

/* --- the steps */

/* What a rule of policy/decide means, where the step does not say it itself. The rule's name is for machines (--json). */
static void put_rule(struct buf *b, const char *rule)
{
    static const struct {
        const char *rule, *words;
    } rows[] = {
        {"access.anonymous", ": whoever comes may send to its recipients (access anonymous)"},
        {"access.both", ": whoever comes may send to its recipients (access both)"},
        {"access.authenticated", ": only who logged in may send here (access authenticated)"},
        {"relay-network", ": the client's network may (relay-networks)"},
        {"relay.denied", ", and this client may not relay"},
        {"tls.required", ": TLS is needed first (require-tls)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].rule, rule) == 0) buf_str(b, rows[i].words);
}

static bool explain_client(struct explain *e, const struct config_server *s, const struct question *q)
{
    bool relay = false;
    struct buf *b = explain_begin(e, "client");

    for (uint32_t i = 0; i < s->n_relay_networks; i++)
        relay |= network_holds(&s->relay_networks[i], &q->address);
    buf_str(b, "server ");
    buf_put(b, s->name);
    buf_str(b, relay ? ": the client's address is in a relay network"
                     : ": the client's address is in no relay network");
    explain_end(e, relay ? "relay-network" : "client.stranger");
    return relay;
}

static bool explain_connect(struct explain *e, const struct config_server *s, const struct question *q)
{
    const struct admission_rule *rule;
    bool in = admission_permits(&s->admission, &q->address, &rule);

    if (!s->admission.n) return true;
    struct buf *b = explain_begin(e, "connect");
    buf_str(b, rule ? "connections: the client's address is in "
                    : "connections: no line holds the client's address");
    if (rule) network_put(b, &rule->network);
    buf_str(b, in ? ", it may connect" : ", it may not connect");
    explain_end(e, in     ? rule ? "connections.allowed" : "connections.others"
                   : rule ? "connections.denied"
                          : "connections.not-listed");
    if (!in) explain_reply(e, 554, "5.7.1", "Your address may not connect to this server");
    return in;
}

static bool explain_mail(struct explain *e, const struct config_server *s, const struct question *q,
                         bool relay)
{
    const char *rule = NULL, *enhanced = NULL;
    struct buf *b = explain_begin(e, "mail");

    buf_str(b, "MAIL FROM:");
    put_address(b, &q->sender);
    if (s->require_tls && !q->tls) {
        put_rule(b, "tls.required");
        explain_end(e, "tls.required");
        explain_reply(e, 530, "5.7.0", "Must issue a STARTTLS command first");
        return false;
    }
    enum decision d = submit_decide(s->access, 0, relay, &rule);
    put_rule(b, rule);
    explain_end(e, rule);
    if (d == DECISION_LOCAL) return true;
    unsigned code = decision_code(d, &enhanced);
    explain_reply(e, code, enhanced, decision_text(d));
    return false;
}

static enum recipients_answer find_recipient(const struct config_server *s, const struct people *people,
                                             const struct path *p, struct span key)
{
    size_t at = span_rfind(key, '@');

    if (p->postmaster || p->literal || at == SPAN_NPOS || !config_domain_served(s, span_skip(key, at + 1)))
        return RECIPIENTS_NOT_SERVED;
    return recipients_find(&people->names.map, key);
}

static enum decision explain_rcpt(struct explain *e, const struct config_server *s, const struct question *q,
                                  const struct people *people, bool relay, struct span key)
{
    static const char *const served[] = {
        [RECIPIENTS_NOT_SERVED] = ": the domain is not served by this server",
        [RECIPIENTS_UNKNOWN] = ": the domain is served, and nobody of that name exists",
        [RECIPIENTS_KNOWN] = ": the domain is served, and the name exists",
    };
    enum recipients_answer found = find_recipient(s, people, &q->recipient, key);
    struct relay_facts facts = {
        .access = s->access,
        .principal = PRINCIPAL_ANONYMOUS,
        .relay_network = relay,
        .served = found == RECIPIENTS_KNOWN     ? SERVED_KNOWN
                  : found == RECIPIENTS_UNKNOWN ? SERVED_UNKNOWN
                                                : SERVED_NOT,
        .postmaster = q->recipient.postmaster,
    };
    const char *rule = NULL, *enhanced = NULL;
    enum decision d = relay_decide(&facts, &rule);
    struct buf *b = explain_begin(e, "rcpt");

    buf_str(b, "RCPT TO:");
    put_address(b, &q->recipient);
    buf_str(b, q->recipient.postmaster ? ": always taken (RFC 5321 4.5.1)" : served[found]);
    if (d == DECISION_RELAY || d == DECISION_NO_RELAY) put_rule(b, rule);
    explain_end(e, rule);
    unsigned code = decision_code(d, &enhanced);
    explain_reply(e, code, enhanced, decision_text(d));
    return d;
}

/* --- where it goes */

static void explain_way(struct explain *e, const struct config *c, const struct question *q,
                        struct span recipient, bool local)
{
    uint8_t memory[PATH_WORD_OCTETS];
    struct buf from = buf_on(memory, sizeof memory), *b = explain_begin(e, local ? "deliver" : "route");
    struct config_way way;

    path_put(&q->sender, &from);
    (void)config_next_hop(c, buf_span(&from), recipient, local, &way);
    buf_put(b, recipient);
    switch (way.kind) {
    case WAY_MAILBOX:
        buf_str(b, ": Maildir below ");
        buf_put(b, config_deliver_find(c, way.pattern)->target);
        break;
    case WAY_NEXT_HOP:
        buf_str(b, ": next hop ");
        next_hop_put_text(b, &way.hop);
        break;
    case WAY_HOLD: buf_str(b, ": waits until it is released"); break;
    case WAY_DISCARD: buf_str(b, ": is thrown away"); break;
    case WAY_NONE: buf_str(b, ": no line says where it goes: it waits, and is returned in the end"); break;
    }
    explain_end(e, way.rule);
}

static void explain_targets(struct explain *e, const struct config *c, const struct people *people,
                            const struct question *q)
{
    uint8_t memory[KEY_OCTETS];
    struct buf written = buf_on(memory, sizeof memory);
    struct expansion to;

    path_put(&q->recipient, &written);
    enum expand_status status = names_expand(&people->names, buf_span(&written), people->arena, &to);
    if (status != EXPAND_OK) {
        struct buf *b = explain_begin(e, "expand");
        buf_str(b, status == EXPAND_LATER     ? "an alias on the way is broken: the mail waits"
                   : status == EXPAND_LOOP    ? "the aliases go in a circle: the mail is returned (5.4.6)"
                   : status == EXPAND_UNKNOWN ? "nobody reads this: the mail is returned (5.1.1)"
                                              : "the aliases name too many: the mail is returned (5.1.4)");
        explain_end(e, "alias");
        return;
    }
    for (uint32_t i = 0; i < to.count && !explain_full(e); i++) {
        if (to.targets[i].kind == EXPAND_NOBODY) {
            struct buf *b = explain_begin(e, "expand");
            buf_put(b, to.targets[i].path);
            buf_str(b, ": an alias names it, and nobody of that name exists: this part is returned (5.1.1)");
            explain_end(e, "alias");
        } else if (to.targets[i].kind == EXPAND_MAILBOX || to.targets[i].kind == EXPAND_REMOTE)
            explain_way(e, c, q, to.targets[i].path, to.targets[i].kind == EXPAND_MAILBOX);
    }
}

static bool explain_all(struct explain *e, const struct config *c, const struct config_server *s,
                        const struct question *q, const struct people *people)
{
    uint8_t memory[KEY_OCTETS], path[PATH_WORD_OCTETS];
    struct buf key = buf_on(memory, sizeof memory), written = buf_on(path, sizeof path);
    if (!explain_connect(e, s, q)) return false;
    bool relay = explain_client(e, s, q);

    if (!explain_mail(e, s, q, relay)) return false;
    path_key(&q->recipient, &key);
    enum decision d = explain_rcpt(e, s, q, people, relay, buf_span(&key));
    path_put(&q->recipient, &written);
    if (d == DECISION_RELAY) explain_way(e, c, q, buf_span(&written), false);
    if (d == DECISION_LOCAL) explain_targets(e, c, people, q);
    return d == DECISION_LOCAL || d == DECISION_RELAY;
}

int command_explain(struct command_call *v)
{
    static struct explain e;
    struct question q = {.client = NULL};
    struct config_load load;
    struct people people;

    if (v->argc > 1 && strcmp(v->argv[1], "route") == 0) return command_explain_route(v);
    if (!read_question(v, &q)) return EXIT_USAGE;
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config)) return complain(EXIT_NO, "%s: %s", v->config, strerror(errno));
    const struct config_server *s = load.config ? find_server(load.config, q.server) : NULL;
    int code = !load.config ? complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config)
               : !s         ? command_usage(v, "no such server in the configuration", q.server)
               : !load_people(&people, load.config) ? EXIT_NO
                                                    : EXIT_YES;
    if (code != EXIT_YES) {
        config_load_free(&load);
        return code;
    }
    bool accepted = explain_all(&e, load.config, s, &q, &people);
    explain_print(&e, accepted, v->json);
    people_free(&people);
    config_load_free(&load);
    return fflush(stdout) == 0 && accepted ? EXIT_YES : EXIT_NO;
}

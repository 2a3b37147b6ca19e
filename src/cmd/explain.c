/* explain: replays "client, HELO, AUTH, from, to" against a configuration, with the same functions that the server asks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/explain_private.h"
#include "service/config_load.h"

static bool read_question(struct command_call *v, struct explain_question *q)
{
    const struct command_option options[] = {
        {"--client", &q->client, false, true},  {"--helo", &q->helo, false, false},
        {"--server", &q->server, false, false}, {"--tls", &q->tls, true, false},
        {"--from", &q->from, false, true},      {"--to", &q->to, false, true},
        {"--user", &q->user, false, false},     {"--certificate", &q->certificate, true, false},
        {"--name", &q->name, false, false},     {"--outside", &q->outside, true, false},
        {"--groups", &q->groups, false, false},
    };
    int words;

    if (!command_options(v, options, sizeof options / sizeof options[0], &words)) return false;
    if (words) {
        command_usage(v, "unknown argument", v->argv[1]);
        return false;
    }
    if (!q->user && (q->outside || q->groups)) {
        command_usage(v, "who is it that logs in? --user", NULL);
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
        {"access.no-submit-right", ": who has logged in has rights, but not to submit"},
        {"relay-network", ": the client's network may (relay-networks)"},
        {"sender.device", ": the client's address is that of a device (sender)"},
        {"right.submit", ": the right submit"},
        {"right.relay", ": by the right relay"},
        {"relay.denied", ", and this client may not relay"},
        {"tls.required", ": TLS is needed first (require-tls)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].rule, rule) == 0) buf_str(b, rows[i].words);
}

static void explain_client(struct explain_call *x)
{
    const struct config_server *s = x->server;
    struct buf *b = explain_begin(x->e, "client");

    x->relay_network = network_any_holds(s->relay_networks, s->n_relay_networks, &x->q->address);
    buf_str(b, "server ");
    buf_put(b, s->name);
    x->device = pin_holds(s->pins, s->n_pins, &x->q->address);
    buf_str(b, x->relay_network ? ": the client's address is in a relay network"
               : x->device ? ": the client's address is that of a device with a sender, in no relay network"
                           : ": the client's address is in no relay network");
    explain_end(x->e, x->relay_network ? "relay-network" : x->device ? "client.device" : "client.stranger");
}

static bool connect_refused(struct explain_call *x, bool by_name)
{
    explain_reply(x->e, 554, "5.7.1",
                  by_name ? "Your host may not connect to this server"
                          : "Your address may not connect to this server");
    return false;
}

/* No network holds the client, and there are lines about names. */
static bool explain_name(struct explain_call *x)
{
    const struct admission_name *rule;
    struct span name = x->q->name ? span_str(x->q->name) : SPAN("");
    bool in = admission_permits_names(&x->server->admission, &name, x->q->name ? 1 : 0, &rule);
    struct buf *b = explain_begin(x->e, "connect");

    buf_str(b, !x->q->name ? "connections: without a name that is confirmed by DNS (--name says one)"
               : rule      ? "connections: the client's name is in "
                           : "connections: no line holds the client's address or its name");
    if (rule) admission_name_put(b, rule);
    buf_str(b, in ? ", it may connect" : ", it may not connect");
    explain_field(x->e, "name", name);
    explain_end(x->e, in     ? rule ? "connections.allowed-name" : "connections.others"
                      : rule ? "connections.denied-name"
                             : "connections.not-listed");
    return in || connect_refused(x, rule != NULL);
}

static bool explain_connect(struct explain_call *x)
{
    const struct admission *a = &x->server->admission;
    const struct admission_rule *rule;
    bool in = admission_permits(a, &x->q->address, &rule);

    if (admission_asks(a, rule)) return explain_name(x);
    if (!a->n) return true;
    struct buf *b = explain_begin(x->e, "connect");
    buf_str(b, rule ? "connections: the client's address is in "
                    : "connections: no line holds the client's address");
    if (rule) network_put(b, &rule->network);
    buf_str(b, in ? ", it may connect" : ", it may not connect");
    explain_end(x->e, in     ? rule ? "connections.allowed" : "connections.others"
                      : rule ? "connections.denied"
                             : "connections.not-listed");
    return in || connect_refused(x, false);
}

static bool explain_mail(struct explain_call *x)
{
    const char *rule = NULL, *enhanced = NULL;
    struct buf *b = explain_begin(x->e, "mail");

    buf_str(b, "MAIL FROM:");
    put_address(b, &x->q->sender);
    if (x->server->require_tls && !x->tls) {
        put_rule(b, "tls.required");
        explain_end(x->e, "tls.required");
        explain_reply(x->e, 530, "5.7.0", "Must issue a STARTTLS command first");
        return false;
    }
    enum decision d = submit_decide(x->server->access, x->rights, x->relay_network, x->device, &rule);
    put_rule(b, rule);
    explain_end(x->e, rule);
    if (d == DECISION_LOCAL) return true;
    unsigned code = decision_code(d, &enhanced);
    explain_reply(x->e, code, enhanced, decision_text(d));
    return false;
}

static enum recipients_answer find_recipient(const struct explain_call *x, struct span key)
{
    const struct path *p = &x->q->recipient;
    size_t at = span_rfind(key, '@');

    if (p->postmaster || p->literal || at == SPAN_NPOS ||
        !config_domain_served(x->server, span_skip(key, at + 1)))
        return RECIPIENTS_NOT_SERVED;
    return recipients_find(&x->people->names.map, key);
}

static enum decision explain_rcpt(struct explain_call *x, struct span key)
{
    static const char *const served[] = {
        [RECIPIENTS_NOT_SERVED] = ": the domain is not served by this server",
        [RECIPIENTS_UNKNOWN] = ": the domain is served, and nobody of that name exists",
        [RECIPIENTS_KNOWN] = ": the domain is served, and the name exists",
    };
    enum recipients_answer found = find_recipient(x, key);
    struct relay_facts facts = {
        .access = x->server->access,
        .principal = x->who.kind, /* anonymous, when nobody has logged in */
        .rights = x->rights,
        .relay_network = x->relay_network,
        .device = x->device,
        .served = found == RECIPIENTS_KNOWN     ? SERVED_KNOWN
                  : found == RECIPIENTS_UNKNOWN ? SERVED_UNKNOWN
                                                : SERVED_NOT,
        .postmaster = x->q->recipient.postmaster,
    };
    const char *rule = NULL, *enhanced = NULL;
    enum decision d = relay_decide(&facts, &rule);
    struct buf *b = explain_begin(x->e, "rcpt");

    buf_str(b, "RCPT TO:");
    put_address(b, &x->q->recipient);
    buf_str(b, x->q->recipient.postmaster ? ": always taken (RFC 5321 4.5.1)" : served[found]);
    if (d == DECISION_RELAY || d == DECISION_NO_RELAY) put_rule(b, rule);
    explain_end(x->e, rule);
    unsigned code = decision_code(d, &enhanced);
    explain_reply(x->e, code, enhanced, decision_text(d));
    return d;
}

static bool explain_all(struct explain_call *x, uint64_t unix_seconds)
{
    uint8_t memory[EXPLAIN_KEY_OCTETS], path[PATH_WORD_OCTETS];
    struct buf key = buf_on(memory, sizeof memory), written = buf_on(path, sizeof path);

    if (!explain_connect(x) || !explain_ban(x, unix_seconds)) return false;
    explain_client(x);
    explain_tls(x);
    if (!explain_who(x, unix_seconds) || !explain_mail(x)) return false;
    if (!(explain_logged_in(x) ? explain_sender(x) : explain_device(x))) return false;
    path_key(&x->q->recipient, &key);
    enum decision d = explain_rcpt(x, buf_span(&key));
    if (d != DECISION_LOCAL && d != DECISION_RELAY) return false;
    explain_limits(x);
    path_put(&x->q->recipient, &written);
    if (d == DECISION_RELAY)
        explain_way(x, buf_span(&written), false);
    else
        explain_targets(x);
    return true;
}

static int answer(struct explain_call *x, bool json)
{
    bool accepted = explain_all(x, (uint64_t)time(NULL));
    explain_print(x->e, accepted, json);
    return fflush(stdout) == 0 && accepted ? EXIT_YES : EXIT_NO;
}

/* The identity database. Where somebody is asked for, whoever may not read it is told so; bans are told to who may. */
static int with_identity(struct explain_call *x, bool json)
{
    int folder = open((const char *)x->config->users_folder.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        x->identity_why = strerrordesc_np(errno);
    else
        x->identity = identity_open(folder, false, &x->identity_why);
    int code = answer(x, json);
    identity_close(&x->identity);
    if (folder >= 0) close(folder);
    return code;
}

static int with_people(struct explain_call *x, bool json)
{
    struct people people;
    if (!load_people(&people, x->config)) return EXIT_NO;
    x->people = &people;
    int code = with_identity(x, json);
    people_free(&people); /* what is known of who was asked for is in its memory */
    return code;
}

int command_explain(struct command_call *v)
{
    static struct explain e;
    struct explain_question q = {.client = NULL};
    struct config_load load;

    if (v->argc > 1 && strcmp(v->argv[1], "route") == 0) return command_explain_route(v);
    if (!read_question(v, &q)) return EXIT_USAGE;
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config)) return complain(EXIT_NO, "%s: %s", v->config, strerror(errno));
    struct explain_call x = {.e = &e, .q = &q, .config = load.config};
    if (load.config) x.server = find_server(load.config, q.server);
    int code = !load.config ? complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config)
               : !x.server  ? command_usage(v, "no such server in the configuration", q.server)
                            : EXIT_YES;
    if (code == EXIT_YES) {
        explain_config(&x, &load);
        code = with_people(&x, v->json);
    }
    config_load_free(&load);
    return code;
}

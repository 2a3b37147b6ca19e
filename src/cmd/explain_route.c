/* explain route: where mail for a recipient goes next: by the same function that the spooler asks, and by what the running service finds
 * out of DNS. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/complain.h"
#include "cmd/explain_live.h"
#include "cmd/explain_steps.h"
#include "cmd/load_people.h"
#include "cmd/path_word.h"
#include "config/schema.h"
#include "service/config_load.h"

enum { TEXT_OCTETS = 524288, SHOWN_OCTETS = 4096, TARGETS_SHOWN = 32 };

struct route_question {
    const struct config *config;
    struct people people;
    struct span from, to; /* without brackets */
    uint8_t from_text[PATH_WORD_OCTETS], to_text[PATH_WORD_OCTETS];
    bool json;
    struct buf out;
    unsigned shown;
    struct explain_live live;
    bool goes; /* somewhere, or is held */
};

/* --- words for people, members for machines */

static void put_string(struct buf *b, const char *key, struct span value)
{
    if (b->n && b->p[b->n - 1] != '{') buf_byte(b, ',');
    buf_byte(b, '"');
    buf_str(b, key);
    buf_str(b, "\":\"");
    buf_json(b, value, SHOWN_OCTETS);
    buf_byte(b, '"');
}

static void put_raw(struct buf *b, const char *key, const char *text)
{
    if (b->n && b->p[b->n - 1] != '{') buf_byte(b, ',');
    buf_byte(b, '"');
    buf_str(b, key);
    buf_str(b, "\":");
    buf_str(b, text);
}

static void put_number(struct buf *b, const char *key, uint64_t v)
{
    put_raw(b, key, "");
    buf_u64(b, v);
}

static void put_place(struct buf *b, const struct config_place *p)
{
    buf_escaped(b, p->file, SHOWN_OCTETS);
    buf_byte(b, ':');
    buf_u64(b, p->line);
    buf_byte(b, ':');
    buf_u64(b, p->column);
}

static void put_place_json(struct buf *b, const char *key, const struct config_place *p)
{
    put_raw(b, key, "{");
    put_string(b, "file", p->file);
    put_number(b, "line", p->line);
    put_number(b, "column", p->column);
    buf_byte(b, '}');
}

/* --- a next hop, and what is permitted towards it */

static const char *tls_words(enum tls_policy p)
{
    static const char *const words[TLS_POLICY_COUNT] = {
        [TLS_POLICY_NONE] = "none: in clear",
        [TLS_POLICY_MAY] = "may: TLS where it is offered, else in clear",
        [TLS_POLICY_DANE] =
            "dane: by its TLSA records where it has some, else TLS where it is offered, else in clear",
        [TLS_POLICY_ENCRYPT] = "encrypt: TLS or nothing, whoever it is",
        [TLS_POLICY_VERIFY] = "verify: TLS with a certificate for its name, or nothing",
        [TLS_POLICY_DANE_ONLY] = "dane-only: by its TLSA records, or nothing",
    };

    return words[p];
}

static void put_limits(struct buf *b, const struct config_destination *d)
{
    explain_put_line(b, "limits", "");
    buf_u64(b, d->sessions_max);
    buf_str(b, " sessions at most, ");
    buf_u64(b, d->sessions_first);
    buf_str(b, " at the start, ");
    buf_u64(b, d->recipients);
    buf_str(b, " recipients a transaction");
    if (d->messages.limited) explain_put_rate(b, &d->messages, "messages");
    if (d->connections.limited) explain_put_rate(b, &d->connections, "connections");
    buf_str(b, " (destination ");
    buf_escaped(b, d->name, SHOWN_OCTETS);
    if (d->place.line) {
        buf_str(b, " at ");
        put_place(b, &d->place);
    } else
        buf_str(b, ": nothing is said, the defaults");
    buf_str(b, ")\n");
}

static void put_hop(struct buf *b, const struct config *c, const struct config_way *w)
{
    uint8_t memory[LIMIT_NEXT_HOP_OCTETS + 16];
    struct buf text = buf_on(memory, sizeof memory);
    const char *rule = config_tls_rule(c, w);

    next_hop_put_text(&text, &w->hop);
    explain_put_line(b, "next hop", "");
    buf_escaped(b, buf_span(&text), SHOWN_OCTETS);
    buf_byte(b, '\n');
    explain_put_line(b, "tls", w->hop.implicit_tls ? "implicit " : "");
    buf_str(b, tls_words(w->hop.tls));
    buf_str(b, strcmp(rule, "line") == 0      ? " (by that line"
               : strcmp(rule, "default") == 0 ? " (the default"
                                              : " (by ");
    if (strncmp(rule, "destination", 11) == 0) buf_str(b, rule);
    if (strcmp(rule, "destination") == 0) {
        buf_byte(b, ' ');
        buf_escaped(b, config_destination_of(c, &w->hop)->name, SHOWN_OCTETS);
    }
    buf_byte(b, ')');
    buf_byte(b, '\n');
    if (w->hop.user.n) {
        explain_put_line(b, "user-file", "");
        buf_escaped(b, w->hop.user, SHOWN_OCTETS);
        buf_byte(b, '\n');
    }
    put_limits(b, config_destination_of(c, &w->hop));
}

static void put_rate_json(struct buf *b, const char *key, const struct config_rate *rate)
{
    put_raw(b, key, rate->limited ? "{" : "null");
    if (!rate->limited) return;
    put_number(b, "count", rate->count);
    put_number(b, "seconds", rate->seconds);
    buf_byte(b, '}');
}

static void put_hop_json(struct buf *b, const struct config *c, const struct config_way *w)
{
    static const char *const kinds[NEXT_HOP_KIND_COUNT] = {"mx", "host", "unix"};
    const struct config_destination *d = config_destination_of(c, &w->hop);

    put_raw(b, "next_hop", "{");
    put_string(b, "kind", span_str(kinds[w->hop.kind]));
    put_string(b, "protocol", w->hop.protocol == NEXT_HOP_LMTP ? SPAN("lmtp") : SPAN("smtp"));
    put_string(b, "name", w->hop.name);
    put_string(b, "tls", span_str(tls_policy_name(w->hop.tls)));
    put_string(b, "tls_by", span_str(config_tls_rule(c, w)));
    put_raw(b, "tls_implicit", w->hop.implicit_tls ? "true" : "false");
    put_string(b, "user_file", w->hop.user);
    buf_byte(b, '}');
    put_raw(b, "destination", "{");
    put_string(b, "name", d->name);
    if (d->place.line) put_place_json(b, "place", &d->place);
    put_number(b, "sessions_first", d->sessions_first);
    put_number(b, "sessions_max", d->sessions_max);
    put_number(b, "recipients", d->recipients);
    put_rate_json(b, "messages", &d->messages);
    put_rate_json(b, "connections", &d->connections);
    buf_byte(b, '}');
}

/* --- a recipient */

static const char *const way_names[] = {"mailbox", "next-hop", "hold", "discard", "none"};

static void put_decision(struct buf *b, const struct config_way *w, bool local)
{
    explain_put_line(b, "decided by", w->place ? w->rule : "no line");
    if (w->place) {
        buf_byte(b, ' ');
        buf_escaped(b, w->pattern, SHOWN_OCTETS);
        buf_str(b, " at ");
        put_place(b, w->place);
    } else if (w->kind == WAY_NEXT_HOP)
        buf_str(b, ": the mail exchangers of the domain, the default");
    else
        buf_str(b, local ? ": it exists here, and no deliver or relay names its domain"
                         : ": the address has no domain that could be looked up");
    buf_byte(b, '\n');
    if (w->kind == WAY_HOLD) explain_put_line(b, "becomes", "held: it waits until an operator releases it\n");
    if (w->kind == WAY_DISCARD) explain_put_line(b, "becomes", "discarded: it is accepted and thrown away\n");
    if (w->kind == WAY_NONE) explain_put_line(b, "becomes", "returned in the end: it cannot go anywhere\n");
}

/* False: it is returned. */
static bool show_json(struct route_question *q, struct span recipient, bool local, const struct config_way *w)
{
    struct buf *b = &q->out;

    buf_str(b, q->shown ? ",{" : "{");
    put_string(b, "recipient", recipient);
    put_raw(b, "local", local ? "true" : "false");
    put_string(b, "way", span_str(way_names[w->kind]));
    put_string(b, "rule", span_str(w->rule));
    if (w->place) {
        put_string(b, "pattern", w->pattern);
        put_place_json(b, "place", w->place);
    }
    if (w->kind == WAY_MAILBOX) put_string(b, "folder", config_deliver_find(q->config, w->pattern)->target);
    bool goes = w->kind == WAY_MAILBOX || w->kind == WAY_HOLD;
    if (w->kind == WAY_NEXT_HOP) {
        put_hop_json(b, q->config, w);
        goes = explain_live(&q->live, b, &w->hop);
    }
    buf_byte(b, '}');
    return goes;
}

static bool show_text(struct route_question *q, struct span recipient, bool local, const struct config_way *w)
{
    struct buf *b = &q->out;

    explain_put_line(b, "recipient", "");
    buf_escaped(b, recipient, SHOWN_OCTETS);
    buf_str(b, local ? " (exists here)\n" : "\n");
    put_decision(b, w, local);
    if (w->kind == WAY_NEXT_HOP) {
        put_hop(b, q->config, w);
        return explain_live(&q->live, b, &w->hop);
    }
    if (w->kind == WAY_MAILBOX) {
        explain_put_line(b, "mailbox", "a Maildir below ");
        buf_escaped(b, config_deliver_find(q->config, w->pattern)->target, SHOWN_OCTETS);
        buf_byte(b, '\n');
    }
    return w->kind == WAY_MAILBOX || w->kind == WAY_HOLD;
}

static void show(struct route_question *q, struct span recipient, bool local)
{
    struct config_way w;

    (void)config_next_hop(q->config, q->from, recipient, local, &w);
    q->goes |= (q->json ? show_json : show_text)(q, recipient, local, &w);
    q->shown++;
}

/* Why there is nothing to say of a way. */
static void show_nobody(struct route_question *q, struct span recipient, const char *why)
{
    struct buf *b = &q->out;

    if (q->json) {
        buf_str(b, q->shown ? ",{" : "{");
        put_string(b, "recipient", recipient);
        put_string(b, "way", SPAN("none"));
        put_string(b, "rule", SPAN("directory"));
        put_string(b, "text", span_str(why));
        buf_byte(b, '}');
    } else {
        explain_put_line(b, "recipient", "");
        buf_escaped(b, recipient, SHOWN_OCTETS);
        buf_str(b, ": ");
        buf_str(b, why);
        buf_byte(b, '\n');
    }
    q->shown++;
}

static void show_expanded(struct route_question *q)
{
    static const char *const why[EXPAND_STATUS_COUNT] = {
        [EXPAND_UNKNOWN] = "its domain is served here, and nobody of that name exists",
        [EXPAND_LOOP] = "the aliases go in a circle",
        [EXPAND_TOO_MANY] = "the aliases name too many",
        [EXPAND_LATER] = "an alias on the way is broken: the mail waits",
    };
    struct expansion to;
    enum expand_status status = names_expand(&q->people.names, q->to, q->people.arena, &to);

    if (status != EXPAND_OK) {
        show_nobody(q, q->to, why[status]);
        return;
    }
    if (to.owner.n && q->from.n) q->from = to.owner; /* of a list: notifications go to its owner */
    for (uint32_t i = 0; i < to.count && i < TARGETS_SHOWN; i++) {
        if (i && !q->json) buf_byte(&q->out, '\n');
        if (to.targets[i].kind == EXPAND_NOBODY)
            show_nobody(q, to.targets[i].path, "an alias names it, and nobody of that name exists");
        else
            show(q, to.targets[i].path, to.targets[i].kind == EXPAND_MAILBOX);
    }
    if (to.count > TARGETS_SHOWN && !q->json) buf_str(&q->out, "\n... and more\n");
}

static int explain(struct route_question *q, const struct path *to)
{
    static uint8_t memory[TEXT_OCTETS];
    uint8_t key_memory[PATH_WORD_OCTETS];
    struct buf key = buf_on(key_memory, sizeof key_memory);

    q->out = buf_on(memory, sizeof memory);
    if (q->json) {
        buf_byte(&q->out, '{');
        put_string(&q->out, "recipient", q->to);
        put_string(&q->out, "from", q->from);
        put_raw(&q->out, "ways", "[");
    }
    path_key(to, &key);
    bool elsewhere =
        to->literal ||
        (!to->postmaster && recipients_find(&q->people.names.map, buf_span(&key)) == RECIPIENTS_NOT_SERVED);
    if (elsewhere)
        show(q, q->to, false);
    else
        show_expanded(q);
    if (q->json) buf_byte(&q->out, ']');
    explain_live_end(&q->live, &q->out);
    if (q->json) buf_str(&q->out, "}\n");
    if (q->out.over) return complain(EXIT_NO, "the answer is too long");
    if (fwrite(memory, 1, q->out.n, stdout) != q->out.n || fflush(stdout) != 0)
        return complain(EXIT_NO, "standard output: %s", strerror(errno));
    return q->goes ? EXIT_YES : EXIT_NO;
}

static struct span write_path(const struct path *p, uint8_t memory[PATH_WORD_OCTETS])
{
    struct buf b = buf_on(memory, PATH_WORD_OCTETS);

    path_put(p, &b);
    return buf_span(&b);
}

int command_explain_route(struct command_call *v)
{
    const char *from = NULL;
    const struct command_option options[] = {{"--from", &from, false, false}};
    struct route_question q = {.json = v->json};
    char from_memory[PATH_WORD_OCTETS], to_memory[PATH_WORD_OCTETS];
    struct path sender, recipient;
    struct config_load load;
    char socket[256];
    int words;

    if (!command_options(v, options, sizeof options / sizeof options[0], &words)) return EXIT_USAGE;
    if (!from) from = "<>";
    if (words != 2) return command_usage(v, "explain route wants one RECIPIENT", NULL);
    if (!path_word(from, PATH_ALLOW_NULL, from_memory, &sender))
        return command_usage(v, "--from is no address", from);
    if (!path_word(v->argv[2], PATH_ALLOW_POSTMASTER, to_memory, &recipient))
        return command_usage(v, "no address", v->argv[2]);
    q.from = write_path(&sender, q.from_text);
    q.to = write_path(&recipient, q.to_text);
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config)) return complain(EXIT_NO, "%s: %s", v->config, strerror(errno));
    q.config = load.config;
    int code = EXIT_NO;
    if (!q.config)
        code = complain(EXIT_CONFIG, "%s has errors: sallyport check names them", v->config);
    else if (load_people(&q.people, q.config)) {
        snprintf(socket, sizeof socket, "%.*s", SPAN_ARG(q.config->control_socket));
        q.live = (struct explain_live){.socket = socket, .json = q.json};
        code = explain(&q, &recipient);
        people_free(&q.people);
    }
    config_load_free(&load);
    return code;
}

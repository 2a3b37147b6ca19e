/* Everything here comes from strangers' DNS, or from hosts that talked to us: it is escaped. */
#include "cmd/explain_live.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cmd/control_client.h"
#include "cmd/json.h"

enum { HOPS_ASKED = 8, ASKED_SECONDS = 60, VALUE_OCTETS = 1600 };

struct live_answer {
    struct buf *b;
    bool json, any, failed, ended;
    uint64_t shown;
};

void explain_put_line(struct buf *b, const char *name, const char *text)
{
    buf_str(b, name);
    for (size_t n = strlen(name); n < 13; n++)
        buf_byte(b, ' ');
    buf_str(b, text);
}

/* ---- values of one line */

static bool has(struct span object, const char *key)
{
    return json_member(object, key).n > 0;
}

static bool is(struct span object, const char *key, const char *raw)
{
    return span_eq(json_member(object, key), span_str(raw));
}

/* before, then the value; nothing when there is none. */
static void put_value(struct buf *b, const char *before, struct span object, const char *key)
{
    uint8_t memory[VALUE_OCTETS];
    struct buf plain = buf_on(memory, sizeof memory);
    struct span raw = json_member(object, key);
    if (raw.n == 0) return;
    buf_str(b, before);
    if (!json_string(raw, &plain))
        buf_escaped(b, raw, VALUE_OCTETS); /* a number */
    else
        buf_escaped(b, buf_span(&plain), VALUE_OCTETS);
}

/* ---- what DNS says */

static void show_lookups(struct buf *b, struct span host)
{
    if (!has(host, "secure")) return;
    explain_put_line(b, "  dns", is(host, "secure", "true") ? "DNSSEC secure" : "not secured by DNSSEC");
    put_value(b, ", A ", host, "a");
    put_value(b, ", AAAA ", host, "aaaa");
    put_value(b, ", TLSA ", host, "tlsa");
    put_value(b, ", TLSA of its alias ", host, "tlsa_of_alias");
    buf_byte(b, '\n');
}

static void show_host(struct buf *b, struct span host)
{
    struct json in = json_enter(json_member(host, "addresses"));
    struct span key, one;
    explain_put_line(b, "host", "");
    put_value(b, "", host, "host");
    put_value(b, "unix:", host, "socket");
    put_value(b, ", preference ", host, "preference");
    put_value(b, ", port ", host, "port");
    put_value(b, ": not used: ", host, "why_not");
    buf_byte(b, '\n');
    show_lookups(b, host);
    while (json_next(&in, &key, &one)) {
        explain_put_line(b, "  address", "");
        put_value(b, "", one, "address");
        put_value(b, ": not connected to: ", one, "refused");
        put_value(b, ", lately ", one, "lately");
        buf_byte(b, '\n');
    }
    for (in = json_enter(json_member(host, "tlsa_records")); json_next(&in, &key, &one);) {
        explain_put_line(b, "  tlsa", "");
        put_value(b, "", one, "record");
        buf_str(b, is(one, "usable", "true") ? "\n" : " (cannot be used)\n");
    }
    if (!has(host, "tls")) return;
    explain_put_line(b, "  tls", "");
    put_value(b, "", host, "tls");
    buf_byte(b, '\n');
}

static void show_outcome(struct buf *b, struct span end, uint64_t shown)
{
    uint64_t hosts;
    static const struct {
        const char *raw, *text;
    } by[] = {{"\"mx\"", "the mail exchangers of the domain"},
              {"\"domain\"", "the domain itself, it has no mail exchangers"},
              {"\"literal\"", "the address in the recipient"},
              {"\"route\"", "the configuration"}};
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        if (!is(end, "hosts_by", by[i].raw)) continue;
        explain_put_line(b, "hosts by", by[i].text);
        if (i < 2)
            buf_str(b, is(end, "hosts_secure", "true") ? ", DNSSEC secure" : ", not secured by DNSSEC");
        buf_byte(b, '\n');
    }
    if (span_u64(json_member(end, "hosts"), &hosts) && hosts > shown) {
        explain_put_line(b, "more hosts", "");
        buf_u64(b, hosts - shown);
        buf_str(b, ": there was no room for them\n");
    }
    explain_put_line(b, "outcome",
                     is(end, "outcome", "\"tried\"")    ? "the hosts above are tried"
                     : is(end, "outcome", "\"failed\"") ? "returned to the sender:"
                                                        : "deferred, and tried again later:");
    if (!is(end, "status", "\"\"")) put_value(b, " ", end, "status");
    if (!is(end, "text", "\"\"")) put_value(b, is(end, "outcome", "\"tried\"") ? "; " : " ", end, "text");
    buf_byte(b, '\n');
}

static void on_row(void *context, struct span line)
{
    struct live_answer *a = context;
    bool end = has(line, "outcome");
    if (a->ended) return;
    a->ended = end;
    a->failed = is(line, "outcome", "\"failed\"");
    if (a->json) {
        buf_str(a->b, end ? "],\"end\":" : a->any ? "," : "");
        buf_put(a->b, line);
    } else if (end)
        show_outcome(a->b, line, a->shown);
    else
        show_host(a->b, line);
    a->any = true;
    a->shown++;
}

/* ---- what the queue says */

static void on_state(void *context, struct span line)
{
    struct live_answer *a = context;
    struct buf *b = a->b;
    if (a->any) return;
    a->any = true;
    if (a->json) {
        buf_put(b, line);
        return;
    }
    explain_put_line(b, "now", "");
    put_value(b, "", line, "standing");
    put_value(b, ", recipients that wait for it: ", line, "waiting");
    put_value(b, ", transactions in hand: ", line, "sessions");
    put_value(b, " of ", line, "sessions_max");
    put_value(b, ", they wait: ", line, "waits_for");
    put_value(b, ", nothing begins before ", line, "next");
    put_value(b, ": ", line, "next_after");
    if (!is(line, "failures", "0")) put_value(b, ", failures in a row: ", line, "failures");
    buf_byte(b, '\n');
    if (!has(line, "failed")) return;
    explain_put_line(b, "last failure", "");
    put_value(b, "", line, "failed");
    put_value(b, ": ", line, "status");
    put_value(b, " ", line, "reason");
    if (!is(line, "host", "\"\"")) put_value(b, " from ", line, "host");
    buf_byte(b, '\n');
}

/* ---- asking */

/* False: no answer; the service is asked no more. */
static bool ask(struct explain_live *l, const struct control_request *r, control_client_line_fn *line,
                struct live_answer *a)
{
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1] = "";
    enum control_status status = CONTROL_FAILED;
    enum control_client_outcome outcome = control_client_ask(l->socket, r, line, a, &status, text);
    if (outcome == CONTROL_CLIENT_ANSWERED && status == CONTROL_OK) return true;
    if (outcome == CONTROL_CLIENT_ABSENT)
        snprintf(l->silent, sizeof l->silent, "does not run: %.120s", text);
    else
        snprintf(l->silent, sizeof l->silent, "did not answer: %.120s",
                 outcome == CONTROL_CLIENT_BROKEN ? "its answer broke off" : text);
    return false;
}

bool explain_live(struct explain_live *l, struct buf *b, const struct next_hop *hop)
{
    struct control_request r = {.verb = CONTROL_EXPLAIN_HOP, .filter = QUESTION_FILTER_ANY};
    struct live_answer rows = {.b = b, .json = l->json}, state = rows;
    int64_t now = (int64_t)time(NULL);
    if (!l->begun) l->begun = now;
    if (!*l->silent && (l->asked >= HOPS_ASKED || now - l->begun > ASKED_SECONDS))
        snprintf(l->silent, sizeof l->silent, "is not asked of more than %d next hops or %d seconds",
                 HOPS_ASKED, ASKED_SECONDS);
    control_request_hop(&r, hop);
    if (l->json) buf_str(b, ",\"live\":{\"hosts\":[");
    if (!*l->silent) {
        bool terminal = isatty(STDERR_FILENO); /* DNS may be slow */
        l->asked++;
        if (terminal) fprintf(stderr, "\rasking DNS, %d seconds at most ... ", LIMIT_EXPLAIN_SECONDS);
        ask(l, &r, on_row, &rows);
        if (terminal) fprintf(stderr, "\r%40s\r", "");
    }
    if (l->json) buf_str(b, rows.ended ? "},\"state\":" : "],\"end\":null},\"state\":");
    r.verb = CONTROL_QUEUE_DESTINATIONS;
    bool told = !*l->silent && ask(l, &r, on_state, &state);
    if (!state.any && l->json) buf_str(b, "null");
    if (!state.any && told && !l->json)
        explain_put_line(b, "now", "nothing waits for it, and nothing is known of it\n");
    return !rows.failed;
}

void explain_live_end(const struct explain_live *l, struct buf *b)
{
    const char *text = *l->silent ? l->silent : l->asked ? "answered" : "was not asked";
    if (l->json) {
        buf_str(b, ",\"service\":\"");
        buf_json(b, span_str(text), sizeof l->silent);
        buf_byte(b, '"');
        return;
    }
    if (!*l->silent) return;
    buf_byte(b, '\n');
    explain_put_line(b, "service", "");
    buf_escaped(b, span_str(text), sizeof l->silent);
    buf_str(b, "; what it does not say is missing above\n");
}

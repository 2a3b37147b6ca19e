/* script-engine: plays tests/script files against the engine, in fake time. Each script is played whole, octet by octet, and
 * with every piece that is sent cut in two at each place: the outcome may never depend on it. The language stands in
 * tests/script/README.md. */
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

enum { CUT_WHOLE = 0, CUT_OCTETS = -1 }; /* above 0: where pieces are cut in two */

struct play {
    const char *file;
    int line;
    long cut;
    struct peer peer;
    size_t read;    /* of peer.replies */
    size_t longest; /* piece that was sent */
    size_t seen;    /* messages that were there when the session began */
    bool failed;
};

static void fail(struct play *y, const char *why, struct span got)
{
    printf("%s:%d: (cut %ld) %s", y->file, y->line, y->cut, why);
    if (got.n) printf(", got: %.*s", SPAN_ARG(got));
    printf("\n");
    y->failed = true;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = octet_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes \r \n \t \0 \\ \xHH and puts in $RCPT and $DOMAIN. */
static bool decode(struct span s, struct octets *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct span rest = span_skip(s, i);
        uint8_t c = s.p[i];
        if (span_starts_nocase(rest, SPAN("$RCPT"))) {
            octets_add(ret, SPAN("user@dest.example"));
            i += 4;
            continue;
        }
        if (span_starts_nocase(rest, SPAN("$DOMAIN"))) {
            octets_add(ret, SPAN("dest.example"));
            i += 6;
            continue;
        }
        if (c == '\\') {
            if (++i == s.n) return false;
            switch (s.p[i]) {
            case 'r': c = '\r'; break;
            case 'n': c = '\n'; break;
            case 't': c = '\t'; break;
            case 's': c = ' '; break;
            case '0': c = 0; break;
            case '\\': c = '\\'; break;
            case 'x':
                if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0) return false;
                c = (uint8_t)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
                i += 2;
                break;
            default: return false;
            }
        }
        octets_add(ret, span_of(&c, 1));
    }
    return true;
}

static void send_piece(struct play *y, struct span s)
{
    if (s.n > y->longest) y->longest = s.n;
    if (y->cut == CUT_OCTETS) {
        for (size_t i = 0; i < s.n; i++)
            peer_feed(&y->peer, span_of(s.p + i, 1));
        return;
    }
    if (y->cut > 0 && (size_t)y->cut < s.n) {
        peer_feed(&y->peer, span_head(s, (size_t)y->cut));
        s = span_skip(s, (size_t)y->cut);
    }
    peer_feed(&y->peer, s);
}

static void expect(struct play *y, struct span pattern)
{
    struct span said = span_skip(octets_span(&y->peer.replies), y->read);
    struct span reply = peer_reply(said);
    if (reply.n == 0) {
        fail(y, "no reply", pattern);
        return;
    }
    y->read += reply.n;
    reply.n -= 2; /* the last CRLF; those inside stay */
    if (!peer_matches(pattern, reply)) fail(y, "another reply", reply);
}

static void nothing(struct play *y)
{
    struct span said = span_skip(octets_span(&y->peer.replies), y->read);
    if (said.n) fail(y, "more replies than expected", said);
}

static void message(struct play *y, struct span content)
{
    struct peer *p = &y->peer;
    if (p->n_messages == 0)
        fail(y, "nothing was stored", content);
    else if (!span_eq(octets_span(&p->messages[p->n_messages - 1].content), content))
        fail(y, "another content was stored", octets_span(&p->messages[p->n_messages - 1].content));
}

struct knob {
    const char *name;
    size_t offset;
    size_t size;
};
#define KNOB(text, field)                                                                                    \
    {                                                                                                        \
        text, offsetof(struct server_conf, field), sizeof(((struct server_conf *)0)->field)                  \
    }
static const struct knob knobs[] = {KNOB("message-size", max_message_octets),
                                    KNOB("session-size", max_session_octets),
                                    KNOB("recipients", max_recipients),
                                    KNOB("messages", max_messages),
                                    KNOB("errors", max_errors),
                                    KNOB("junk", max_junk),
                                    KNOB("received", max_received),
                                    KNOB("line", max_line_octets),
                                    KNOB("extensions", extensions),
                                    KNOB("mechanisms", mechanisms),
                                    KNOB("auth-failures", max_auth_failures),
                                    KNOB("require-tls", require_tls),
                                    KNOB("require-auth", require_auth),
                                    KNOB("normalize", normalize_bare_lf),
                                    KNOB("any-hello", any_hello)};

static bool set(struct play *y, struct span name, uint64_t value)
{
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++) {
        const struct knob *k = &knobs[i];
        uint8_t *at = (uint8_t *)&y->peer.conf + k->offset;
        uint32_t narrow = (uint32_t)value;
        if (!span_eq(name, span_str(k->name))) continue;
        if (k->offset == offsetof(struct server_conf, mechanisms))
            server_offer(&y->peer.s, narrow); /* also without TLS */
        if (k->size == 8)
            memcpy(at, &value, 8);
        else if (k->size == 4)
            memcpy(at, &narrow, 4);
        else
            *(bool *)at = value != 0;
        return true;
    }
    return false;
}

static void connect_anew(struct play *y)
{
    y->read = 0;
    y->seen = y->peer.n_messages;
    peer_connect(&y->peer, false);
}

/* "WORD number rest": the number and what is behind it. */
static bool number(struct span *arg, uint64_t *ret)
{
    size_t blank = span_find(*arg, ' ');
    if (!span_u64(span_head(*arg, blank), ret)) return false;
    *arg = blank == SPAN_NPOS ? span_skip(*arg, arg->n) : span_skip(*arg, blank + 1);
    return true;
}

static bool directive(struct play *y, struct span word, struct span arg)
{
    struct octets text = {NULL, 0, 0};
    uint64_t n = 1;
    bool known = true;
    if (span_eq(word, SPAN("repeat")) || span_eq(word, SPAN("expect-all"))) known = number(&arg, &n);
    struct span name = span_head(arg, span_find(arg, ' '));
    if (!known || !decode(arg, &text))
        known = false;
    else if (span_eq(word, SPAN("send"))) {
        octets_add(&text, SPAN("\r\n"));
        send_piece(y, octets_span(&text));
    } else if (span_eq(word, SPAN("raw")) || span_eq(word, SPAN("repeat"))) {
        struct octets all = {NULL, 0, 0};
        while (n--)
            octets_add(&all, octets_span(&text));
        send_piece(y, octets_span(&all));
        free(all.p);
    } else if (span_eq(word, SPAN("expect")) || span_eq(word, SPAN("expect-all"))) {
        while (n-- && !y->failed)
            expect(y, octets_span(&text));
    } else if (span_eq(word, SPAN("nothing")))
        nothing(y);
    else if (span_eq(word, SPAN("close"))) {
        nothing(y);
        if (!y->peer.closed) fail(y, "the session is still open", arg);
    } else if (span_eq(word, SPAN("connect")))
        connect_anew(y);
    else if (span_eq(word, SPAN("tls")))
        peer_tls(&y->peer);
    else if (span_eq(word, SPAN("message")))
        message(y, octets_span(&text));
    else if (span_eq(word, SPAN("stored"))) {
        known = number(&arg, &n);
        if (known && y->peer.n_messages - y->seen != n) fail(y, "another number of messages is stored", arg);
    } else if (span_eq(word, SPAN("wait"))) {
        known = number(&arg, &n);
        if (known) peer_wait(&y->peer, n * 1000);
    } else if (span_eq(word, SPAN("drain")))
        peer_drain(&y->peer);
    else if (span_eq(word, SPAN("set"))) {
        arg = span_skip(arg, name.n + 1);
        known = number(&arg, &n) && set(y, name, n);
    } else
        known = false;
    free(text.p);
    return known;
}

static void play(struct play *y, struct span script)
{
    peer_conf(&y->peer.conf);
    connect_anew(y);
    for (y->line = 1; script.n && !y->failed; y->line++) {
        size_t lf = span_find(script, '\n');
        struct span line = span_head(script, lf);
        script = lf == SPAN_NPOS ? span_skip(script, script.n) : span_skip(script, lf + 1);
        if (line.n && line.p[0] == '~') line = span_skip(line, 1);
        if (line.n == 0 || line.p[0] == '#') continue;
        size_t blank = span_find(line, ' ');
        struct span arg = blank == SPAN_NPOS ? span_skip(line, line.n) : span_skip(line, blank + 1);
        if (!directive(y, span_head(line, blank), arg)) fail(y, "not understood", line);
    }
    if (!y->failed) nothing(y);
}

static struct octets read_file(const char *name)
{
    struct octets all = {NULL, 0, 0};
    uint8_t block[4096];
    FILE *f = fopen(name, "rb");
    if (!f) {
        perror(name);
        exit(2);
    }
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        octets_add(&all, span_of(block, n));
    fclose(f);
    return all;
}

/* True when it passed. */
static bool once(const char *file, struct span script, long cut, size_t *longest)
{
    struct play y = {.file = file, .cut = cut};
    y.peer.now_ms = 1000;
    y.peer.slow_answers = cut % 2 != 0;
    y.peer.out_octets = cut % 3 == 1 ? SERVER_REPLY_ROOM : 0;
    play(&y, script);
    *longest = y.longest;
    peer_free(&y.peer);
    return !y.failed;
}

int main(int argc, char **argv)
{
    enum { LONGEST_TO_CUT = 400, HUGE_PIECE = 65536, CUTS_OF_HUGE = 8 };
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct octets script = read_file(argv[i]);
        size_t longest = 0;
        bool ok = once(argv[i], octets_span(&script), CUT_WHOLE, &longest);
        long cuts = longest < LONGEST_TO_CUT ? (long)longest
                    : longest < HUGE_PIECE   ? LONGEST_TO_CUT
                                             : CUTS_OF_HUGE;
        ok = ok && once(argv[i], octets_span(&script), CUT_OCTETS, &longest);
        for (long cut = 1; ok && cut < cuts; cut++)
            ok = once(argv[i], octets_span(&script), cut, &longest);
        printf("%s %s\n", ok ? "ok  " : "FAIL", argv[i]);
        failed += !ok;
        free(script.p);
    }
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return failed != 0;
}

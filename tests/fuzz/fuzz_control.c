/* The control socket's request line, as admin reads it, and its answer, as the operator's tool reads it. */
#include <stdlib.h>

#include "service/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void request(struct span line)
{
    struct control_request r, again;
    const char *why = NULL;
    if (!control_request_read(line, &r, &why)) {
        if (!why) abort();
        return;
    }
    static char memory[LIMIT_CONTROL_REQUEST_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    control_request_put(&b, &r);
    if (b.over || !control_request_read((struct span){b.p, b.n - 1}, &again, &why)) abort();
    const struct question_filter *f = &r.filter, *g = &again.filter;
    if (!span_eq(span_of(again.hop, again.hop_octets), span_of(r.hop, r.hop_octets)) ||
        again.verb != r.verb || again.group != r.group || again.all != r.all || f->id != g->id ||
        f->states != g->states || !span_eq(f->from, g->from) || !span_eq(f->to, g->to) ||
        !span_eq(f->domain, g->domain) || !span_eq(f->reason, g->reason) ||
        !span_eq(f->destination, g->destination) || f->larger != g->larger || f->smaller != g->smaller ||
        f->older_ms != g->older_ms || f->newer_ms != g->newer_ms)
        abort();
}

static void answer(struct span in)
{
    size_t used = 0;
    struct span text;
    enum control_status status;
    enum control_found found;
    while ((found = control_answer_next(in, &used, &text, &status)) == CONTROL_LINE || found == CONTROL_END) {
        if (used == 0 || used > in.n || text.n >= used) abort();
        in = span_skip(in, used);
        if (found == CONTROL_END) break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct span s = {p, n};
    if (n <= LIMIT_CONTROL_REQUEST_OCTETS) request(s);
    answer(s);
    return 0;
}

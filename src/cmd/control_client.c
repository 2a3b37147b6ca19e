#include "cmd/control_client.h"

#include "cmd/complain.h"
#include "cmd/dial.h"

static void keep_text(char text[LIMIT_CONTROL_TEXT_OCTETS + 1], struct span s)
{
    struct buf b = buf_on(text, LIMIT_CONTROL_TEXT_OCTETS);
    buf_put(&b, span_head(s, LIMIT_CONTROL_TEXT_OCTETS));
    text[b.n] = '\0';
}

enum control_client_outcome control_client_ask(const char *path, const struct control_request *request,
                                               control_client_line_fn *line, void *context,
                                               enum control_status *status,
                                               char text[LIMIT_CONTROL_TEXT_OCTETS + 1])
{
    char memory[LIMIT_CONTROL_REQUEST_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    const char *why = NULL;
    control_request_put(&b, request);
    if (b.over) {
        complain(1, "a filter that is too long or holds control characters");
        return CONTROL_CLIENT_BROKEN;
    }
    struct dial *d = dial_unix(path, LIMIT_DIAL_SECONDS, &why);
    if (!d) {
        keep_text(text, span_str(why));
        return CONTROL_CLIENT_ABSENT;
    }
    bool more =
        !dial_write(d, buf_span(&b), &why); /* a full daemon answers before it reads: listen in any case */
    enum control_found found = CONTROL_MORE;
    while (found == CONTROL_MORE || found == CONTROL_LINE) {
        struct span in = dial_read(d, more, &why), said;
        size_t used = 0;
        if (more && !in.p) break;
        found = control_answer_next(in, &used, &said, status);
        more = found == CONTROL_MORE;
        if (found == CONTROL_LINE) line(context, said);
        if (found == CONTROL_END) keep_text(text, said);
        dial_consume(d, used);
    }
    dial_close(&d);
    if (found == CONTROL_END) return CONTROL_CLIENT_ANSWERED;
    complain(1, "%s: %s", path, why ? why : "the answer broke off");
    return CONTROL_CLIENT_BROKEN;
}

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/proxy_header.h"
#include "service/inbound_private.h"

/* The header is looked at without taking it, then exactly its octets are taken: what follows is the client's own stream and was
 * never in a buffer of ours. */
void inbound_read_proxy(struct session *s)
{
    struct inbound *in = s->in;
    ssize_t r = recv(s->watch.fd, in->input, PROXY_HEADER_OCTETS_MAX, MSG_PEEK | MSG_DONTWAIT);
    if (r < 0 && (errno == EAGAIN || errno == EINTR)) return;
    struct proxy_header h;
    size_t octets = 0;
    enum proxy_status status =
        r > 0 ? proxy_header_parse(span_of(in->input, (size_t)r), &h, &octets) : PROXY_BAD;
    if (status == PROXY_MORE) return; /* the rest announces itself with a new edge, or the timer ends it */
    if (status == PROXY_BAD || read(s->watch.fd, in->input, octets) != (ssize_t)octets) {
        inbound_session_close(s, r == 0 ? "peer closed" : "no PROXY header from a trusted proxy");
        return;
    }
    s->wait &= (uint8_t)~WAIT_PROXY;
    if (!h.local) {
        inbound_count_out(s);
        s->client = h.source;
        inbound_place(s);
        if (!inbound_let_in(s, SOURCE_PROXIED)) return;
    }
    s->readable = true; /* the edge of what is behind the header may be spent */
    inbound_ready(s);
    inbound_welcome(s);
}

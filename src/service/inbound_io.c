#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/inbound_private.h"
#include "system/stream.h"

/* Octets that outlive this turn go to a block of the pool: an idle session holds none. The reserve that content leaves alone and
 * the rule of may_read() see to it that there is one. */
static bool keep(struct session *s, struct kept *k, struct span octets)
{
    struct pool *p = s->in->setup.pool;
    k->block = POOL_NONE;
    if (octets.n == 0) return true;
    if (octets.n <= LIMIT_BLOCK_SMALL_OCTETS) k->block = pool_take(p, false);
    if (k->block == POOL_NONE) k->block = pool_take(p, true);
    if (k->block == POOL_NONE) return false;
    size_t offset = 0;
    uint32_t octets_of_block = 0;
    if (!pool_offset(p->geometry, k->block, &offset, &octets_of_block) || octets.n > octets_of_block)
        return false;
    memcpy(p->memory + offset, octets.p, octets.n);
    k->begin = 0;
    k->end = (uint32_t)octets.n;
    return true;
}

static struct span kept_span(const struct session *s, const struct kept *k)
{
    size_t offset = 0;
    uint32_t octets = 0;
    if (k->block == POOL_NONE || !pool_offset(s->in->setup.pool->geometry, k->block, &offset, &octets))
        return (struct span){0};
    return span_of(s->in->setup.pool->memory + offset + k->begin, k->end - k->begin);
}

/* More behind what is kept, in a larger block if need be. */
static bool keep_more(struct session *s, struct kept *k, struct span octets)
{
    struct pool *p = s->in->setup.pool;
    size_t offset = 0;
    uint32_t max = 0;
    if (!pool_offset(p->geometry, k->block, &offset, &max)) return keep(s, k, octets);
    if (octets.n > max - k->end) {
        struct span had = kept_span(s, k);
        uint32_t block = had.n + octets.n <= LIMIT_BLOCK_LARGE_OCTETS ? pool_take(p, true) : POOL_NONE;
        if (!pool_offset(p->geometry, block, &offset, &max)) return false;
        memcpy(p->memory + offset, had.p, had.n);
        pool_give(p, k->block);
        *k = (struct kept){block, 0, (uint32_t)had.n};
    }
    memcpy(p->memory + offset + k->end, octets.p, octets.n);
    k->end += (uint32_t)octets.n;
    return true;
}

static void release(struct session *s, struct kept *k)
{
    if (k->block != POOL_NONE) pool_give(s->in->setup.pool, k->block);
    k->block = POOL_NONE;
    k->begin = k->end = 0;
}

void inbound_kept_release(struct session *s)
{
    release(s, &s->input);
    release(s, &s->output);
}

/* The last words leave together with the FIN that follows: end_session. */
static enum stream_moved write_some(const struct session *s, struct span octets, size_t *n)
{
    return stream_write(s->watch.fd, s->tls, octets, s->closing, n);
}

/* Until something has to wait for room, nobody asks for the news that there is room: it would come with every new session. */
static bool watch_writing(struct session *s)
{
    if (s->watches_writing) return true;
    s->watches_writing = true;
    return loop_change(s->in->setup.loop, &s->watch, LOOP_READ | LOOP_WRITE);
}

bool inbound_send(struct session *s, struct span out)
{
    while (out.n && !(s->wait & WAIT_WRITE)) {
        size_t n = 0;
        switch (write_some(s, out, &n)) {
        case STREAM_SOME: out = span_skip(out, n); break;
        case STREAM_BLOCKED:
        case STREAM_LATER: s->wait |= WAIT_WRITE; break;
        default: inbound_session_close(s, "write failed"); return false;
        }
    }
    if (out.n == 0) return true;
    if (!keep_more(s, &s->output, out)) {
        inbound_session_close(s, "no buffer for replies");
        return false;
    }
    if (watch_writing(s)) return true;
    inbound_session_close(s, "no memory in the kernel");
    return false;
}

/* What was kept of the replies. False: closed. WAIT_WRITE stays set while the peer does not take them. */
static bool send_kept(struct session *s)
{
    struct span out = kept_span(s, &s->output);
    while (out.n) {
        size_t n = 0;
        enum stream_moved m = write_some(s, out, &n);
        if (m == STREAM_BLOCKED || m == STREAM_LATER) {
            s->output.begin = s->output.end - (uint32_t)out.n;
            return true;
        }
        if (m != STREAM_SOME) {
            inbound_session_close(s, "write failed");
            return false;
        }
        out = span_skip(out, n);
    }
    release(s, &s->output);
    s->wait &= (uint8_t)~WAIT_WRITE;
    return true;
}

/* After the last reply: FIN first, then what the peer still sends is read away for a moment, so that no RST destroys the
 * reply on its way (RFC 1122 4.2.2.13). */
static void end_session(struct session *s)
{
    if (s->wait & WAIT_WRITE) return; /* inbound_on_socket comes back here */
    if (s->tls) (void)tls_shutdown(s->tls);
    if (s->engine.verb == VERB_QUIT) {
        inbound_session_close(s, "quit");
        return;
    }
    if (!s->lingering) {
        s->lingering = true;
        (void)shutdown(s->watch.fd, SHUT_WR);
        loop_timer_set(s->in->setup.loop, &s->timer, loop_now_ms(s->in->setup.loop) + INBOUND_LINGER_MS,
                       inbound_on_timer);
    }
    for (unsigned i = 0; i < INBOUND_READS_PER_TURN; i++) {
        ssize_t r = read(s->watch.fd, s->in->input, INBOUND_READ_OCTETS);
        if (r > 0) continue;
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) return;
        inbound_session_close(s, "closed by us");
        return;
    }
    inbound_ready(s);
}

/* Handshake as far as it goes. True: done, go on. */
static bool shake_hands(struct session *s)
{
    enum tls_result r = tls_handshake(s->tls);
    if (r == TLS_DONE) {
        s->wait &= (uint8_t)~WAIT_HANDSHAKE;
        s->tls_wants_write = false;
        loop_timer_stop(s->in->setup.loop, &s->timer);
        return inbound_tls_done(s);
    }
    if (r == TLS_AGAIN) inbound_ready(s);
    if (r != TLS_FAILED) return false;
    inbound_session_close(s, tls_reason(s->tls));
    return false;
}

/* I9: whatever came behind STARTTLS in clear is discarded, what comes next is the handshake. */
static void start_tls(struct session *s)
{
    s->starttls = false;
    inbound_tls_begin(s);
}

void inbound_tls_begin(struct session *s)
{
    struct tls_context *context = s->in->setup.tls[s->server];
    s->tls = context && tls_can_start() ? tls_create(context, s->watch.fd, (struct span){0}, s) : NULL;
    if (!s->tls || !watch_writing(s)) { /* a handshake may wait for room at any time */
        inbound_session_close(s, "too many TLS handshakes");
        return;
    }
    s->wait |= WAIT_HANDSHAKE;
    loop_timer_set(s->in->setup.loop, &s->timer,
                   loop_now_ms(s->in->setup.loop) + LIMIT_TLS_HANDSHAKE_SECONDS * 1000, inbound_on_timer);
    inbound_ready(s);
}

static void wait_for_resources(struct session *s)
{
    if (!s->paused_ms) {
        s->paused_ms = loop_now_ms(s->in->setup.loop);
        loop_timer_set(s->in->setup.loop, &s->timer, s->paused_ms + LIMIT_POOL_WAIT_SECONDS * 1000,
                       inbound_on_timer);
    }
    inbound_ready(s);
}

/* Runs the engine over input, sends the replies, keeps the rest. True: go on reading. */
static bool digest(struct session *s, struct span input, struct buf *out)
{
    size_t given = input.n;
    if (!inbound_run(s, &input, out)) return false;
    if (input.n < given) s->paused_ms = 0;
    if (s->starttls || s->closing) input.n = 0;
    if (!keep(s, &s->input, input)) {
        inbound_session_close(s, "no buffer for input");
        return false;
    }
    if (!inbound_send(s, buf_span(out))) return false;
    out->n = 0;
    if (s->closing) {
        end_session(s);
        return false;
    }
    if (s->starttls && !(s->wait & WAIT_WRITE)) {
        start_tls(s);
        return false;
    }
    if (s->wait & (WAIT_BLOCK | WAIT_WINDOW)) {
        wait_for_resources(s);
        return false;
    }
    return s->wait == 0;
}

static bool may_read(struct session *s)
{
    if (s->in->setup.pool->free_large_n >= 2) {
        s->paused_ms = 0;
        return true;
    }
    s->wait |= WAIT_BLOCK;
    wait_for_resources(s);
    return false;
}

static void peer_gone(struct session *s, bool clean)
{
    inbound_session_close(s, clean ? "peer closed" : s->tls ? tls_reason(s->tls) : "connection lost");
}

/* rerun: what is kept may already hold whole commands (the session had waited). */
void inbound_go_on(struct session *s, struct buf *out, bool rerun)
{
    struct inbound *in = s->in;
    for (unsigned reads = 0;; reads++) {
        struct span had = kept_span(s, &s->input);
        if (had.n) memcpy(in->input, had.p, had.n);
        release(s, &s->input);
        if (rerun) {
            rerun = false;
            if (!digest(s, span_of(in->input, had.n), out)) return;
            continue;
        }
        size_t n = 0;
        enum stream_moved m = STREAM_BLOCKED;
        bool turn_over = reads > INBOUND_READS_PER_TURN;
        struct buf to = had.n || turn_over ? buf_on(NULL, 0) : inbound_content_area(s);
        if (s->wait) {
            wait_for_resources(s);
            return;
        }
        if (to.max == 0) to = buf_on(in->input, INBOUND_READ_OCTETS);
        if (!turn_over && may_read(s))
            m = stream_read(s->watch.fd, s->tls, to.p + had.n, to.max - had.n, &n, &s->tls_wants_write);
        if (m != STREAM_SOME) {
            bool later = turn_over || m == STREAM_LATER;
            if ((later || m == STREAM_BLOCKED) && !keep(s, &s->input, span_of(in->input, had.n)))
                m = STREAM_BROKEN;
            if (m == STREAM_END || m == STREAM_BROKEN)
                peer_gone(s, m == STREAM_END);
            else if (later)
                inbound_ready(s);
            else if (!s->wait)
                s->readable = false;
            return;
        }
        bool more = s->tls || s->fin || n == to.max - had.n;
        if (!more) s->readable = false; /* a short read of a stream socket: the rest comes with a new edge */
        if (!digest(s, span_of(to.p, had.n + n), out)) return;
        if (!more) return;
    }
}

void inbound_serve(struct session *s)
{
    if (s->lingering || (s->closing && !s->wait)) {
        end_session(s);
        return;
    }
    if (s->wait & WAIT_PROXY) {
        inbound_read_proxy(s);
        return;
    }
    if ((s->wait & WAIT_HANDSHAKE) && !shake_hands(s)) return;
    if (s->wait) return;
    if (s->starttls) {
        start_tls(s);
        return;
    }
    struct buf out = buf_on(s->in->output, INBOUND_OUT_OCTETS);
    bool rerun = s->rerun;
    s->rerun = false;
    inbound_go_on(s, &out, rerun);
}

void inbound_on_socket(struct watch *w, uint32_t events)
{
    struct session *s = (struct session *)(void *)w;
    if (events & (LOOP_READ | LOOP_HUP | LOOP_FIN)) s->readable = true;
    if (events & (LOOP_FIN | LOOP_HUP)) s->fin = true;
    if ((events & LOOP_HUP) &&
        s->wait) { /* both directions are dead: whatever it waits for, nobody would hear of it */
        inbound_session_close(s, "connection lost");
        return;
    }
    if ((events & LOOP_WRITE) && (s->wait & WAIT_WRITE)) {
        if (!send_kept(s)) return;
        if (!(s->wait & WAIT_WRITE)) {
            s->rerun = true;
            inbound_serve(s);
            return;
        }
    }
    if (s->readable || (s->wait & WAIT_HANDSHAKE) || s->tls_wants_write) inbound_serve(s);
}

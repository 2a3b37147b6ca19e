/* Content: from extents of lent segments to the socket, in large pieces. */
#include <errno.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "service/outbound_private.h"
#include "smtp/dot.h"

/* Octets of a segment; false: it ends before. */
static bool read_all(int fd, uint8_t *p, size_t n, uint64_t offset)
{
    while (n) {
        ssize_t r = pread(fd, p, n, (off_t)offset);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) return false;
        p += r;
        n -= (size_t)r;
        offset += (uint64_t)r;
    }
    return true;
}

/* The next octets of the content into p, at most max. 0: they cannot be had, or they are not what they should be (damaged is set). */
static size_t read_piece(struct outbound_session *s, uint8_t *p, size_t max)
{
    struct outbound_cursor *at = &s->at;
    const struct extent *e = &s->message->extents[at->extent];
    int fd = s->all->setup.hooks->segment(s->all->setup.context, e->segment);
    size_t n = e->length - at->done < max ? e->length - at->done : max;
    if (fd < 0) return 0;
    s->damaged = !read_all(fd, p, n, e->offset + at->done);
    if (s->damaged) return 0;
    at->crc = crc32c(at->crc, p, n);
    at->done += (uint32_t)n;
    at->octets += n;
    if (at->done < e->length) return n;
    s->damaged = at->crc != e->crc; /* before its last octets leave */
    at->extent++;
    at->done = at->crc = 0;
    return s->damaged ? 0 : n;
}

/* I7: a line end that is none would be one to some server; and every message is whole lines. */
static bool clean(struct outbound_session *s, struct span piece)
{
    const struct client_transaction *t = &s->message->transaction;
    if (t->body_binary) return true;
    chunk_feed(&s->at.look, piece);
    s->damaged = (s->at.look.found & (DOT_BARE_LF | DOT_BARE_CR)) ||
                 (s->at.octets == t->content_octets && !s->at.look.whole_line);
    return !s->damaged;
}

static bool put_piece(struct outbound_session *s, struct buf *out)
{
    struct outbound *o = s->all;
    uint8_t *to = s->at.stuffed ? o->content : out->p + out->n;
    size_t n = read_piece(s, to, OUTBOUND_PIECE_OCTETS);
    if (n == 0 || !clean(s, span_of(to, n))) return false;
    if (s->at.stuffed)
        dot_stuff(&s->at.dot, span_of(to, n), out);
    else
        out->n += n;
    return true;
}

static void put_end(struct outbound_session *s, struct buf *out)
{
    if (s->at.stuffed) dot_finish(&s->at.dot, out);
    s->at.open = false;
    s->at.draining = true;
}

/* False: nothing more can be sent. */
static bool put_next(struct outbound_session *s, struct buf *out)
{
    const struct outbound_message *m = s->message;
    while (s->at.extent < m->n_extents && m->extents[s->at.extent].length == 0)
        s->at.extent++;
    if (s->at.extent < m->n_extents) return put_piece(s, out);
    put_end(s, out);
    return true;
}

/* Else the server could have the last octet that was announced before we have seen all of it. */
static bool as_long_as_said(const struct outbound_message *m)
{
    uint64_t octets = 0;
    for (uint32_t i = 0; i < m->n_extents; i++)
        octets += m->extents[i].length;
    return octets == m->transaction.content_octets;
}

void outbound_content_begin(struct outbound_session *s, bool stuffed)
{
    s->at = (struct outbound_cursor){.open = true, .stuffed = stuffed};
    chunk_begin(&s->at.look, UINT32_MAX);
}

void outbound_content(struct outbound_session *s, struct buf *out)
{
    uint64_t now = loop_now_ms(s->all->setup.loop);
    for (unsigned pieces = 0; s->at.open && s->kept_n == 0 && !s->write_broken; pieces++) {
        if (pieces == OUTBOUND_TURN_PIECES) {
            outbound_later(s);
            break;
        }
        if (buf_room(out) < 2 * OUTBOUND_PIECE_OCTETS + 16) {
            outbound_emit(s, out);
            client_content_moves(s->engine, now);
            if (s->kept_n) break;
        }
        if (s->at.octets == 0 && !as_long_as_said(s->message)) s->damaged = true;
        if (s->damaged || !put_next(s, out)) { /* nothing of this turn's octets matters any more */
            s->at.open = false;
            out->n = 0;
            client_content_sent(s->engine, now, true);
            return;
        }
    }
    outbound_emit(s, out);
    if (!s->at.draining || s->kept_n || s->write_broken) return;
    s->at.draining = false;
    /* RFC 5321 4.5.3.2.6: who gives up early causes duplicates */
    uint64_t each = s->peer.lmtp ? s->message->transaction.n * LIMIT_LMTP_REPLY_SECONDS : 0;
    if (s->until_ms < now + (LIMIT_END_OF_DATA_SECONDS + each) * 1000)
        outbound_allow(s, LIMIT_END_OF_DATA_SECONDS + each);
    client_content_sent(s->engine, now, false);
}

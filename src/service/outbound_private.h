/* Insides of outbound. outbound.c: sessions come and go; _events: what the engine wants; _content: octets from segments; _io: the
 * socket; _tls: whom we expect. */
#ifndef SERVICE_OUTBOUND_PRIVATE_H
#define SERVICE_OUTBOUND_PRIVATE_H

#include "base/list.h"
#include "engine/chunk.h"
#include "service/outbound.h"

enum {
    OUTBOUND_PIECE_OCTETS = 65536,                           /* of content in one step */
    OUTBOUND_OUT_OCTETS = 2 * OUTBOUND_PIECE_OCTETS + 32768, /* stuffed content behind commands */
    OUTBOUND_IN_OCTETS = 16384,
    OUTBOUND_TURN_PIECES = 8, /* of one session, before others have their turn */
    OUTBOUND_TURN_READS = 8,
    OUTBOUND_IDLE_MS = 2000,
    OUTBOUND_TLS_AGAIN_MS = 100,
};
_Static_assert(OUTBOUND_IN_OCTETS >= 2 * CLIENT_INPUT_ROOM, "what is left over fits in front of a read");

enum outbound_state { /* what the session waits for besides the engine */
                      OUTBOUND_FREE,
                      OUTBOUND_SHAKING,
                      OUTBOUND_TALKING,
                      OUTBOUND_CLOSED, /* its slot becomes free when nobody holds it any more */
};

struct outbound_cursor {   /* where in the content we are */
    uint32_t extent, done; /* octets of that extent */
    uint32_t crc;
    uint64_t octets; /* of the whole content */
    uint8_t dot;
    bool open, stuffed, draining; /* draining: all was read, not all was taken by the socket */
    struct chunk look;
};

struct outbound_session {
    struct watch watch; /* first */
    struct timer timer;
    struct list ready; /* to be served after this turn */
    struct outbound *all;
    struct outbound_session *next; /* free ones */
    void *owner;
    struct client *engine;
    struct tls *tls;
    struct outbound_peer peer; /* names and records only until the handshake was begun */
    uint8_t *names;            /* their memory */
    uint8_t state;
    bool readable, wants_write, fin;
    bool write_broken; /* nothing more can be sent; what the server said may still be there */
    bool was_served, was_ready, idle, quitting, armed, tls_failed, damaged;
    uint64_t since_ms;           /* the handshake began; no message was there */
    uint64_t begun_ms, until_ms; /* what goes on began, and has so long; UINT64_MAX: nothing does */
    bool overdue;
    char late[96]; /* the words for it */
    uint8_t *kept; /* output that the socket did not take */
    size_t kept_at, kept_n, kept_max;
    const struct outbound_message *message;
    struct outbound_cursor at;
    size_t input_n;
    uint8_t input[CLIENT_INPUT_ROOM];
};

struct outbound {
    struct outbound_setup setup;
    struct outbound_session *slots;
    uint8_t *engines;
    struct outbound_session *free;
    struct list ready;
    struct timer again;
    uint8_t in[OUTBOUND_IN_OCTETS], out[OUTBOUND_OUT_OCTETS], content[OUTBOUND_PIECE_OCTETS];
};

/* outbound.c */
void outbound_later(struct outbound_session *s); /* it is served after this turn */
void outbound_arm(struct outbound_session *s);   /* its timer */
/* What begins now, or goes on, has so many seconds from now. */
void outbound_allow(struct outbound_session *s, uint64_t seconds);
/* The end: hooks, then nothing. reply: why. */
void outbound_end(struct outbound_session *s, const struct client_reply *reply, bool next_hop_failed);

/* outbound_events.c */
/* Runs the engine over the input. False: the session is over. */
bool outbound_run(struct outbound_session *s, struct span *in, struct buf *out);

/* outbound_content.c */
void outbound_content_begin(struct outbound_session *s, bool stuffed);
/* Content goes out as far as the socket and this turn allow. */
void outbound_content(struct outbound_session *s, struct buf *out);

/* outbound_io.c */
void outbound_serve(struct outbound_session *s);
void outbound_on_socket(struct watch *w, uint32_t events);
/* Sends what is in out; what the socket does not take is kept. */
void outbound_emit(struct outbound_session *s, struct buf *out);

/* outbound_tls.c */
/* What STARTTLS is to this session. */
enum client_tls outbound_tls_wish(const struct outbound_peer *p);
/* Begins the handshake. False: it cannot be begun. */
bool outbound_tls_begin(struct outbound_session *s);
/* Why this peer is not even talked to; null: it is. */
const char *outbound_tls_refusal(const struct outbound_session *s);

#endif

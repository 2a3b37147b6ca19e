/* outbound_fixture: outbound sessions over real sockets, with our own server engine at the other end; content comes from a file as from a
 * segment. */
#ifndef OUTBOUND_FIXTURE_H
#define OUTBOUND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../tools/peer.h"
#include "../system/tls_peer.h"
#include "service/outbound_private.h"

enum { EXTENTS = 8, TURNS = 20000, SESSIONS = 4 };

struct end { /* the server */
    struct peer peer;
    int fd;
    struct tls *tls;
    bool shaking, hung, gone; /* hung: the test itself speaks */
    size_t hang_up_after;     /* octets; 0: never */
    size_t heard;
};

struct outbound_fixture {
    struct loop *loop;
    struct timer tick;
    struct outbound *o;
    struct end end;
    int segment;
    struct extent extents[EXTENTS];
    struct client_recipient recipients[3];
    struct outbound_message message;
    unsigned to_send, turns;
    bool stay;         /* ready without a message: nothing is said */
    struct tls *crowd; /* has the only place for a handshake, for a while */
    uint64_t crowd_ms;
    enum {
        PATIENT,
        NOT_READY,
        NO_REPLY,
        NO_LAST_REPLY
    } patience; /* what seems to have gone on for too long */
    uint64_t hung_until_ms;
    unsigned ready, done, closed, damaged, untouched, overdue;
    unsigned results[6]; /* of recipients, by class */
    unsigned verdicts[6];
    struct outbound_end last;
    char text[LIMIT_RESULT_TEXT_OCTETS + 1], said[LIMIT_RESULT_TEXT_OCTETS + 1], tls[256];
};
extern struct outbound_fixture t;
extern struct tls_client_context *client_tls;

int group_setup(void **state);
/* The content as so many extents with other octets between them, one message for three recipients of whom the second is nobody, and a
 * server with those extensions. */
void begin(struct span content, unsigned extents, uint32_t extensions);
struct outbound_session *connect_pair(const struct outbound_peer *peer);
void one_turn(void);
void run(void); /* until the session is closed */
void run_until_ready(void);
void end(void);
struct outbound_peer anybody(enum tls_policy policy);

#endif

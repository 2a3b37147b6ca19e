/* inbound over real sockets on loopback, with a spooler played by the test: it answers when and what the test wants. */
#ifndef INBOUND_FIXTURE_H
#define INBOUND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "service/inbound.h"
#include "spool/envelope.h"
#include "system/log.h"

enum { PLAIN_PORT, PROXY_PORT, PORTS };

struct fixture {
    struct loop *loop;
    struct inbound *in;
    const struct config *config;
    struct pool pool;
    struct timer tick;
    uint16_t port[PORTS];
    enum submit_status status; /* what commits are answered with */
    bool hold;                 /* answer nothing */
    bool deaf;                 /* take nothing */
    struct submit_result queue[256];
    unsigned n_queue, aborts, commits;
    uint64_t id;              /* of the message in content */
    uint8_t content[8 << 20]; /* content of the last message */
    size_t n_content;
    uint32_t small, large; /* free blocks at rest */
};
extern struct fixture t;
extern inbound_resolve_fn *resolver; /* null: there is none; before set_up */
extern time_t later_seconds; /* the clock of this process is so much ahead: deadlines are minutes away */

int set_up(void **state);
int set_up_small(void **state); /* the smallest pool that a configuration permits */
/* Another configuration, whose first server has two listeners; ask: plays the directory. */
int set_up_config(const char *text, inbound_ask_fn *ask);
void turns(unsigned n);
void answer_all(void); /* what the spooler holds back */
int client(unsigned which);
/* A client whose connection holds few octets on their way: its receive buffer and the server's send buffer are small. */
int narrow_client(int *server_side);
/* Sends, lets the server work, returns what it said so far ("" when the connection is closed or silent). */
const char *say(int fd, const char *octets, size_t n);
const char *line(int fd, const char *text);
bool closed(int fd);
void reset(int fd); /* closes it with an RST */
void greeted(int fd);
/* No session, and all blocks are back. */
void assert_at_rest(void);

#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@dest.example>\r\n"

#endif

/* relay_fixture: the relay process with the test as its spooler, connector and directory, and as the servers it talks to: real channels,
 * real sockets, its own cage in the plain build. */
#ifndef TESTS_RELAY_FIXTURE_H
#define TESTS_RELAY_FIXTURE_H

#include "directory/credential.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "service/connect_message.h"
#include "spool/envelope.h"
#include "spool/relay_job.h"

#define FIXTURE_CONTENT "Subject: hi\r\n\r\n.body\r\n"
enum { FIXTURE_OCTETS = sizeof FIXTURE_CONTENT - 1 };

struct channel { /* packets to and from the relay */
    int fd;
    uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    struct wire rest;
};
extern struct channel spooler, connector, directory;
/* When the first directory is lost, after a moment the relay has this one; how long that moment is. */
extern struct channel next_directory;
enum { FIXTURE_MOMENT_MS = 2000 };

/* How long a transaction, or a job, may take before relay_begin; 0: as limits.h says. */
extern unsigned fixture_transaction_ms, fixture_job_ms;
void relay_begin(void);
/* The process ends by itself when the spooler does, and not by a signal. */
void relay_end(void);

void say(struct channel *c, uint16_t type, struct span payload, int fd);
/* The next message; 0: the channel was closed. */
uint16_t hear(struct channel *c, struct span *payload);

/* A segment on a lease: its content lies at offset 0. */
void lend(uint32_t segment);
/* One job with recipients u0@d, u1@d ..., and its result. */
struct relay_head job_head(uint64_t job, uint32_t recipients);
void give_job(const struct relay_head *h, const struct extent *extents, uint32_t n);
void give_simple(uint64_t job, uint32_t recipients);
struct relay_result result(void);

/* What the connector is asked; its tag is kept for the answer. */
struct connect_question asked(void);
/* OPEN with one end of a fresh pair; the other one is returned. */
int answer_open(const struct connect_question *q, const char *address);
void answer_no(const struct connect_question *q, enum connect_status status, const char *enhanced,
               const char *text);

/* A dialogue on the server's end: lines that begin with > are said, others are what the relay must say. */
void dialogue(int fd, const char *text);
/* ... and nothing more than a QUIT follows. */
void expect_quit(int fd);

#endif

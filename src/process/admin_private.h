/* admin: inside. admin.c: hooks, the spooler, the connector and the supervisor; admin_client.c: the slots of the control socket. */
#ifndef PROCESS_ADMIN_PRIVATE_H
#define PROCESS_ADMIN_PRIVATE_H

#include "process/skeleton.h"
#include "service/control.h"

/* An answer of the spooler as lines, and the end line behind it: a page is only asked for when the last one left. */
#define ADMIN_OUT_OCTETS (CONTROL_LINES_ROOM(LIMIT_IPC_MESSAGE_OCTETS) + LIMIT_CONTROL_TEXT_OCTETS + 32)

enum admin_phase {
    ADMIN_FREE,
    ADMIN_READING,    /* the request line */
    ADMIN_SPOOLER,    /* a question is with the spooler */
    ADMIN_CONNECTOR,  /* a question is with the connector */
    ADMIN_PAGE,       /* a page is on its way to the client; then the next question */
    ADMIN_QUEUED,     /* the supervisor answers one question at a time: waits for its turn */
    ADMIN_SUPERVISOR, /* a question is with the supervisor */
    ADMIN_ENDING      /* the end line is in out: send it and close */
};

struct admin;
struct admin_client {
    struct watch watch; /* first: the watch is the client */
    struct timer timer; /* request, then stall */
    struct admin *admin;
    enum admin_phase phase;
    uint64_t
        turn; /* when it asked for the supervisor, and the tag of its question to the spooler or connector */
    struct control_request request; /* points into line */
    struct question question;
    uint32_t uid;
    int32_t pid;
    size_t line_n, sent;
    struct buf out;
    uint8_t line[LIMIT_CONTROL_REQUEST_OCTETS];
    uint8_t memory[ADMIN_OUT_OCTETS];
};

struct admin {
    struct child *child;
    struct watch listener;
    bool listening, draining;
    struct ipc *spooler, *connector;
    uint64_t turns; /* counted up: no tag is used twice */
    uint64_t asked; /* whose question is open at the supervisor; 0: none */
    struct admin_client clients[LIMIT_CONTROL_CLIENTS];
};

/* admin.c, called by a client whose request is whole, or whose page has left */
void admin_ask(struct admin_client *c);
/* A slot became free, or the supervisor: whoever waits for it may go on. */
void admin_next_turn(struct admin *a);

/* admin_client.c */
void admin_client_accept(struct admin *a, int fd);
/* Lines of text; last: the end line with status follows. */
void admin_client_answer(struct admin_client *c, struct span lines, enum control_status status, bool last);
void admin_client_end(struct admin_client *c, enum control_status status, const char *text);
void admin_client_close(struct admin_client *c);

#endif

/* login_ask: how a conversation asks another process, and waits for a descriptor, in its thread. The directory process answers
 * (process/directory_ask.h); tests play it. */
#ifndef SERVICE_LOGIN_ASK_H
#define SERVICE_LOGIN_ASK_H

#include "base/buf.h"

enum login_ask_whom { /* and what is said; every question and every answer begins with a tag of eight octets */
                      LOGIN_ASK_CONNECTOR, /* a struct connect_service_question; a struct connect_answer, and its socket when it is CONNECT_OPEN */
                      LOGIN_ASK_WINBIND, /* a struct domain_question; a struct domain_answer */
                      LOGIN_ASK_COUNT
};

struct login_ask { /* all of it is called in threads */
    void *context;
    /* Waits for the answer, LIMIT_ASK_SECONDS at most. question: encoded, with any tag: one is put in its place; valid during the call. answer:
     * what was said, tag and all; hostile. *fd: a descriptor that came along, the caller's now; else -1. False: nobody is there who could answer, or
     * went away, or did not answer in time, or this process ends; then answer holds nothing. */
    bool (*ask)(void *context, enum login_ask_whom whom, struct span question, struct buf *answer, int *fd);
    /* Waits until fd can be read (or is at its end), ms at most. False: it cannot, or this process ends. */
    bool (*wait)(void *context, int fd, uint64_t ms);
};

#endif

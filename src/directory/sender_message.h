/* sender_message: edge and directory about the reverse-paths of somebody who has logged in. */
#ifndef DIRECTORY_SENDER_MESSAGE_H
#define DIRECTORY_SENDER_MESSAGE_H

#include "base/limits.h"
#include "base/wire.h"

/* edge -> directory, with each message: may who logged in still send, and from there? */
struct sender_question {
    uint64_t session; /* its id; with its slot it names the conversation */
    uint32_t slot;
    uint32_t number;
    uint8_t stamp[LIMIT_STAMP_OCTETS]; /* as the login's answer had it */
    struct span name;
    /* canonical local@domain; empty: from anywhere (the right any-sender), or the null reverse-path */
    struct span path;
};
struct sender_answer {
    uint64_t session;
    uint32_t slot;
    uint8_t verdict; /* enum sender_verdict */
};
enum sender_verdict {
    SENDER_PERMITTED,
    SENDER_REFUSED,
    SENDER_LATER,
    SENDER_ENDED, /* its account was locked or removed, or what it rests on or permits was changed */
    SENDER_VERDICT_COUNT
};

#define SENDER_QUESTION_LEAST  (8 + 4 + 4 + LIMIT_STAMP_OCTETS + 2 + 1 + 2) /* a name has an octet */
#define SENDER_QUESTION_OCTETS (SENDER_QUESTION_LEAST - 1 + LIMIT_PRINCIPAL_NAME_OCTETS + LIMIT_PATH_OCTETS)
#define SENDER_ANSWER_OCTETS   (8 + 4 + 1)

/* read: hostile; true only when every octet was consumed and in range. */
void sender_question_put(struct buf *b, const struct sender_question *m);
bool sender_question_read(struct span payload, struct sender_question *ret);
void sender_answer_put(struct buf *b, const struct sender_answer *m);
bool sender_answer_read(struct span payload, struct sender_answer *ret);

#endif

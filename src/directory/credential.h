/* credential: a user name and a password or a token that we show to a smarthost: the file they stand in, and what relay and directory say to each
 * other about them. The directory holds them; a relay gets one response of one exchange at a time (invariant I10). */
#ifndef DIRECTORY_CREDENTIAL_H
#define DIRECTORY_CREDENTIAL_H

#include "base/limits.h"
#include "base/wire.h"

struct credential {
    struct span user;       /* UTF-8 without control characters */
    struct span password;   /* likewise; empty: a token stands in its place */
    struct span token;      /* RFC 6750 2.1: printable ASCII without blanks */
    struct span mechanisms; /* the only ones that may be used, blank-separated; empty: all of the table */
};

/* The file: two lines, user name and password, literally; LF or CRLF; the last line end may be missing, nothing else may follow. Null:
 * good, *ret points into text. Else what is wrong (constant, without anything of the file) and in which line (0: the file as a
 * whole). */
const char *credential_parse(struct span text, struct credential *ret, uint32_t *line);

/* A token-file: one token (RFC 6750 2.1: b64token), blanks and line ends around it. Null: good, *ret points into text. Else what is wrong
 * (constant, without anything of the file). */
const char *credential_token(struct span text, struct span *ret);

#define CREDENTIAL_STEPS_MAX         16 /* of one exchange */
#define CREDENTIAL_MECHANISM_OCTETS  20 /* RFC 4422 3.1 */
#define CREDENTIAL_MECHANISMS_OCTETS 1024

struct credential_question { /* relay -> directory */
    uint64_t tag;            /* the relay's: of the whole exchange, the same in all its steps */
    struct span user;        /* next_hop.user: the file, as the configuration names it */
    struct span mechanisms;  /* as the server offers them, blank-separated; the same in all steps */
    uint8_t step;            /* 0: the AUTH command; then one for each 334 */
    struct span challenge;   /* behind 334, base64 as it came; empty in step 0 */
    struct span exporter;    /* step 0: tls-exporter of the session (RFC 9266), or empty */
};

enum credential_status {
    CREDENTIAL_RESPONSE,     /* send it */
    CREDENTIAL_NO_MECHANISM, /* none that is offered fits */
    CREDENTIAL_UNKNOWN,      /* no such file, or it is broken (the directory's log says which) */
    CREDENTIAL_BROKEN, /* the server is not what the mechanism expects: the exchange is to be cancelled */
    CREDENTIAL_STATUS_COUNT
};

struct credential_answer { /* directory -> relay */
    uint64_t tag;
    uint8_t status;        /* enum credential_status */
    struct span mechanism; /* RESPONSE: its name */
    struct span
        response; /* RESPONSE: base64. Empty in step 0: AUTH without an initial response; later: an empty line */
    bool last;    /* RESPONSE: success may follow; before, a server has not proven what it must prove */
    struct span
        text; /* RESPONSE: what to tell, too, when it is refused, may be empty; else: why. Printable ASCII: what is not is written as "?" */
};

/* Mechanisms beyond CREDENTIAL_MECHANISMS_OCTETS are not looked at. */
void credential_question_put(struct buf *b, const struct credential_question *q);
bool credential_question_read(struct span payload, struct credential_question *ret); /* hostile */
void credential_answer_put(struct buf *b, const struct credential_answer *a);
bool credential_answer_read(struct span payload, struct credential_answer *ret); /* hostile */

#define CREDENTIAL_QUESTION_OCTETS                                                                           \
    (8 + 2 + LIMIT_CONFIG_PATH_OCTETS + 2 + CREDENTIAL_MECHANISMS_OCTETS + 1 + 2 + LIMIT_AUTH_LINE_OCTETS +  \
     2 + LIMIT_EXPORTER_OCTETS)
#define CREDENTIAL_ANSWER_OCTETS                                                                             \
    (8 + 1 + 2 + CREDENTIAL_MECHANISM_OCTETS + 2 + LIMIT_AUTH_LINE_OCTETS + 1 + 2 + LIMIT_RESULT_TEXT_OCTETS)

#endif

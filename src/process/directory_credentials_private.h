/* directory_credentials: inside. directory_credentials.c: life, grants; _file: user names and passwords as their files have them;
 * _token: tokens, which are read when they are needed; _exchange: the logins in hand, and their steps in the thread; _relay: what
 * relays ask, and the answers. */
#ifndef PROCESS_DIRECTORY_CREDENTIALS_PRIVATE_H
#define PROCESS_DIRECTORY_CREDENTIALS_PRIVATE_H

#include "base/list.h"
#include "config/user_file.h"
#include "directory/credential.h"
#include "directory/sasl_client.h"
#include "process/directory_credentials.h"
#include "service/scram_keys.h"
#include "system/workers.h"

struct credential_file {
    struct config_user_file named;
    int fd;           /* of a user-file, until it was read; of a token-file's folder, for good; -1: none */
    bool usable;      /* a token-file: when it was read last */
    uint64_t refused; /* when the token was written that a next hop did not like, and that was logged */
    struct credential credential;                   /* points into text, and into the configuration */
    struct scram_kept kept;                         /* the thread's alone */
    uint8_t text[LIMIT_CREDENTIAL_FILE_OCTETS + 1]; /* the secret */
};

struct credential_relay {
    struct credentials *credentials;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
    unsigned index;
};

struct step_memory { /* of the step in hand */
    size_t mechanisms_n, challenge_n;
    uint8_t mechanisms[CREDENTIAL_MECHANISMS_OCTETS], challenge[LIMIT_AUTH_LINE_OCTETS];
    uint8_t response[LIMIT_AUTH_LINE_OCTETS]; /* a secret */
    struct buf said;                          /* on response */
    uint8_t step;
};

struct exchange {            /* with a next hop, over a relay */
    struct worker_task task; /* first */
    struct list age;
    struct credentials *all;
    unsigned relay;
    uint64_t tag, unix_seconds;
    bool working, gone; /* the thread has it; nobody waits for it */
    struct credential_file *file;
    struct credential credential;
    struct sasl_crypto crypto;
    struct sasl_client sasl;
    enum credential_status status;
    bool token_good;
    uint64_t token_written;
    uint8_t *token; /* TOKEN_FILE_OCTETS + 1, until it was said */
    struct step_memory *step;
    struct span exporter;
    uint8_t exporter_memory[LIMIT_EXPORTER_OCTETS];
};

struct credentials {
    struct child *child;
    struct workers *thread; /* null: nobody logs in anywhere */
    struct list exchanges;  /* the oldest first */
    unsigned n_exchanges;
    struct credential_file *files; /* n */
    uint32_t n;
    bool started;
    struct credential_relay relays[LIMIT_RELAYS_MAX];
};

/* directory_credentials_file.c */
/* A user-file: reads what was granted, and closes it. What cannot be used is told to the log. */
void credentials_file_load(struct credential_file *f);
/* Null: the configuration names no such file. */
struct credential_file *credentials_file_find(const struct credentials *k, struct span path);
/* To the log; nothing of the file is shown. line: 0, or where. */
void credentials_file_complain(const struct credential_file *f, const char *constant_event, uint32_t line,
                               struct span text);

/* directory_credentials_token.c */
/* A token-file: is there a token now? What is said of it when it is needed counts. */
void credentials_token_load(struct credential_file *f, uint64_t unix_seconds);
/* In the thread: e has the token as it is in its file now. False: there is none. why: what its refusal is told with begins so. */
bool credentials_token_take(struct exchange *e, struct buf *why);
void credentials_token_wipe(struct exchange *e); /* if e has one */
/* What the log says of the token of e: once, until it changes. */
void credentials_token_note(const struct exchange *e);

/* directory_credentials_exchange.c */
/* One that somebody waits for. */
struct exchange *credentials_exchange_find(const struct credentials *k, unsigned relay, uint64_t tag);
/* A new one, for which the oldest may be forgotten. Null: the thread has all that there may be, or there is no memory. */
struct exchange *credentials_exchange_begin(struct credential_relay *r, const struct credential_question *q,
                                            struct credential_file *f);
/* Copies what its next step is about. False: no memory. */
bool credentials_exchange_keep(struct exchange *e, const struct credential_question *q);
/* Wiped and freed. The thread may not have it. */
void credentials_exchange_forget(struct exchange *e);
/* The relay is gone: nobody waits for the step in hand, the others are forgotten. */
void credentials_exchange_forget_relay(struct credentials *k, unsigned relay);
/* Of the worker: work in the thread, done in the loop. */
void credentials_exchange_work(struct worker_task *task, void *none);
void credentials_exchange_done(void *credentials, struct worker_task *task);

/* directory_credentials_relay.c */
/* Its conversation begins; takes fd. */
void credentials_relay_open(struct credential_relay *r, int fd);
/* What came of the step of e. The relay is lost when it does not read, and e is gone then. */
void credentials_relay_answer(const struct exchange *e);

#endif

/* messages: the type of every IPC message that two roles say to each other. The payload's codec stands in the
 * header named beside it. What the supervisor and its children say (grants, START, READY, reload ...) has
 * types of its own from MSG_SUPERVISOR_FIRST upward, defined by the skeleton. Numbers are only shared by
 * processes of one build; they may change. */
#ifndef PROCESS_MESSAGES_H
#define PROCESS_MESSAGES_H

enum message_type {
    MSG_NONE = 0,

    /* edge -> spooler (spool/submit.h) */
    MSG_SUBMIT_CHUNK = 1,
    MSG_SUBMIT_COMMIT = 2,
    MSG_SUBMIT_ABORT = 3,
    MSG_SUBMIT_POOL = 5, /* first of all */
    /* spooler -> edge */
    MSG_SUBMIT_RESULT = 4,

    /* spooler <-> mailbox (spool/job.h) */
    MSG_JOB_SEGMENT = 8, /* spooler -> mailbox with one read-only descriptor: the lease begins */
    MSG_JOB_RETURN =
        9, /* mailbox -> spooler: struct job_segment, the lease ends (its descriptor was closed) */
    MSG_JOB_DELIVER = 10,
    MSG_JOB_RESULT = 11,
    MSG_JOB_RECALL =
        12, /* spooler -> mailbox: struct job_segment; no job needs it any more: close it, say RETURN */

    /* spooler <-> directory (directory/expand.h) */
    MSG_EXPAND_QUESTION = 16,
    MSG_EXPAND_ANSWER = 17,

    /* admin <-> spooler (spool/question.h) */
    MSG_QUEUE_QUESTION = 24,
    MSG_QUEUE_ANSWER = 25,

    /* edge <-> keyring (system/tls_sign.h) */
    MSG_SIGN_QUESTION = 32,
    MSG_SIGN_ANSWER = 33,
    MSG_KEY_QUESTION = 34, /* does the key fit the certificate? */
    MSG_KEY_ANSWER = 35,

    MSG_SUPERVISOR_FIRST = 1024
};

#endif

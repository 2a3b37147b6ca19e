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
        12, /* spooler -> mailbox: struct job_segment; close it when no job needs it any more, say RETURN */

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

    /* spooler <-> relay (spool/relay_job.h); segments as to the mailbox */
    MSG_RELAY_HEAD = 40,
    MSG_RELAY_RECIPIENT = 41,
    MSG_RELAY_EXTENTS = 42,
    MSG_RELAY_RESULT = 43,

    /* relay <-> connector (service/connect_message.h) */
    MSG_CONNECT_QUESTION = 48,
    MSG_CONNECT_OPEN = 49,   /* a struct connect_answer with its socket */
    MSG_CONNECT_ANSWER = 50, /* one without */
    /* directory -> connector, answered in the same way */
    MSG_SERVICE_QUESTION = 51,

    /* connector, edge <-> resolver (system/dns_message.h) */
    MSG_DNS_QUESTION = 56,
    MSG_DNS_ANSWER = 57,

    /* relay <-> directory: credentials for a next hop (directory/credential.h) */
    MSG_CREDENTIAL_QUESTION = 64,
    MSG_CREDENTIAL_ANSWER = 65,

    /* admin <-> connector: a struct connect_question, and a struct answer with the rows of service/connect.h */
    MSG_EXPLAIN_QUESTION = 72,
    MSG_EXPLAIN_ANSWER = 73,

    /* edge <-> directory: logging in (directory/login_message.h, directory/sender_message.h) */
    MSG_LOGIN_BEGIN = 80,
    MSG_LOGIN_STEP = 81,
    MSG_LOGIN_CANCEL = 82, /* a struct login_step without a response */
    MSG_LOGIN_ANSWER = 83,
    MSG_SENDER_QUESTION = 84,
    MSG_SENDER_ANSWER = 85,
    MSG_BANS = 86, /* directory -> edge: who is turned away at the door (policy/barred.h) */

    /* directory <-> winbind (directory/domain_message.h) */
    MSG_DOMAIN_QUESTION = 96,
    MSG_DOMAIN_ANSWER = 97,

    MSG_SUPERVISOR_FIRST = 1024
};

#endif

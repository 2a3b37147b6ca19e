/* limits: every ceiling of the program, in one place. The unit is in the name. DEFAULT is what an empty config means,
 * MAX what no config may pass. Zero never means unlimited. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* RFC 5321 4.5.3.1 and the extensions that lengthen a command line */
#define LIMIT_COMMAND_LINE_OCTETS                                                                            \
    2048 /* MAIL with SIZE, BODY, RET, ENVID, AUTH, SMTPUTF8; RCPT with NOTIFY, ORCPT */
#define LIMIT_AUTH_LINE_OCTETS      12288 /* RFC 4954 4 */
#define LIMIT_SASL_RESPONSE_OCTETS  9216  /* a line of that length, decoded */
#define LIMIT_SASL_CHALLENGE_OCTETS 1400  /* decoded; its reply fits into SERVER_REPLY_ROOM */
#define LIMIT_SASL_EXCHANGE_OCTETS  65536 /* of one exchange, as they come: all lines together */
#define LIMIT_SASL_ROUNDS           10    /* responses of one exchange, the initial one included */
#define LIMIT_SASL_SECONDS          30    /* for a whole exchange, the directory's time left out */
#define LIMIT_AUTH_FAILURES_DEFAULT 3     /* of one session; the next one ends it */
#define LIMIT_FROM_SECTION_OCTETS   65536 /* header section of a message whose From is looked at */
#define LIMIT_FROM_ADDRESSES_OCTETS 1024  /* of From and Sender together */
#define LIMIT_DIRECTORY_SECONDS     20    /* for its answer to an edge */
#define LIMIT_LOGIN_REFUSAL_MS      250 /* a refusal is told at a multiple of it: what was wrong cannot be timed */
#define LIMIT_LOGIN_CHALLENGE_MS    2    /* a challenge to a name that was looked up, the same */
#define LIMIT_LOGIN_QUICK_THREADS   1    /* of the directory process (service/login.h) */
#define LIMIT_LOGIN_SLOW_THREADS    2    /* as many passwords are computed at once */
#define LIMIT_LOGIN_OUTSIDE_THREADS 8    /* as many wait for winbind or Dovecot at once */
#define LIMIT_LOGINS_PER_SOURCE     1024 /* of them, of one network: an IPv4 /24, an IPv6 /48 */
#define LIMIT_LOGINS                4096 /* conversations of one directory process */
#define LIMIT_LOGIN_IDLE_SECONDS    60 /* of one that waits for its client: then its edge has forgotten it */
#define LIMIT_ASK_SECONDS           10 /* that a thread of the directory waits for another process */
#define LIMIT_ASKS                  64 /* threads that wait at once */
#define LIMIT_DOVECOT_SECONDS       10 /* of one step: for its socket, its greeting and its answer together */
#define LIMIT_DOVECOT_CHECK_SECONDS 2  /* that `check` waits for its greeting */
#define LIMIT_UNAVAILABLE_LOG_MS    10000 /* between two lines of why Dovecot or winbindd cannot be asked */
#define LIMIT_DOVECOT_REFUSAL_MS                                                                             \
    3000 /* as LIMIT_LOGIN_REFUSAL_MS: beyond the 2 s that Dovecot itself waits, as it comes */
#define LIMIT_DOVECOT_CONNECTIONS       256 /* of all conversations; Dovecot permits 1,000 to all who ask it */
#define LIMIT_DOVECOT_LINE_OCTETS       16384 /* of one line, as Dovecot has it */
#define LIMIT_DOVECOT_HANDSHAKE_LINES   256
#define LIMIT_STAMP_OCTETS              17    /* of a login: identity/stamp.c */
#define LIMIT_EXPORTER_OCTETS           32    /* RFC 9266 2 */
#define LIMIT_END_POINT_OCTETS          64    /* RFC 5929 4.1: the longest hash */
#define LIMIT_CLIENT_CERTIFICATE_OCTETS 8192  /* DER; one that is longer counts as none */
#define LIMIT_CLIENT_CERTIFICATE_NAMES  32    /* in one; one that has more says nobody's name */
#define LIMIT_CLIENT_CHAIN_OCTETS       32768 /* all that a client shows; more fails its handshake */
#define LIMIT_TOKEN_OCTETS              8192  /* a JWT as it comes */
#define LIMIT_TOKEN_TEXT_OCTETS         256   /* issuer, audience, scope ... as configured; key ids */
#define LIMIT_TOKEN_JSON_DEPTH          8     /* arrays and objects within each other */
#define LIMIT_TOKEN_LEEWAY_SECONDS      60 /* that the clocks of issuer and server may differ: RFC 7519 4.1.4 */
#define LIMIT_TOKEN_KEYS                64 /* of one file */
#define LIMIT_TOKEN_KEYS_OCTETS         262144
#define LIMIT_KEYTAB_OCTETS             1048576
#define LIMIT_KERBEROS_REALMS           64  /* that are mapped to a domain */
#define LIMIT_KERBEROS_REALM_OCTETS     255 /* MIT has no limit; a realm is a domain's name (RFC 4120 6.1) */
#define LIMIT_KERBEROS_SERVICES         8
#define LIMIT_KERBEROS_CLOCK_SECONDS                                                                         \
    300 /* that the clocks may differ: RFC 4120 5.2.3 says minutes, MIT's library this */
#define LIMIT_KERBEROS_SEEN         16384  /* messages that are not taken again */
#define LIMIT_LOGIN_MEMORY_OCTETS   262144 /* of one conversation: what its mechanism keeps */
#define LIMIT_LOGIN_DETAIL_OCTETS   256    /* of what else is known of a refusal, in the log */
#define LIMIT_PRINCIPAL_NAME_OCTETS 320    /* local@domain, host/name@REALM */
#define LIMIT_NTLM_NEGOTIATE_OCTETS 1024   /* kept for the MIC */
#define LIMIT_NETBIOS_NAME_OCTETS   15     /* RFC 1001 14.1, without the suffix */
#define LIMIT_NTLM_CLOCK_SECONDS    129600 /* MS-NLMP 3.1.1.1 MaxLifetime: a client's clock may be off so far */
#define LIMIT_DOMAIN_SECONDS        10 /* a login waits for a domain controller: below LIMIT_DIRECTORY_SECONDS */
#define LIMIT_DOMAIN_NAME_OCTETS                                                                             \
    255 /* of a user or domain that is asked for: what winbind's protocol takes */
#define LIMIT_DOMAIN_SIDS       1024 /* groups of one account that are looked at: MS-PAC 2.5, what a token holds */
#define LIMIT_WINBIND_LINES     32
#define LIMIT_DOMAIN_NAMES      16 /* of one of them */
#define LIMIT_GROUP_NAME_OCTETS 128
#define LIMIT_SENT_LINE_OCTETS  512 /* of an AUTH command that we send, with CRLF: RFC 5321 4.5.3.1.4 */
#define LIMIT_SKIPPED_LINE_OCTETS                                                                            \
    1048576 /* rest of an over-long line that is skipped before the session ends */
#define LIMIT_REPLY_LINE_OCTETS 512
#define LIMIT_LOCAL_PART_OCTETS 64
#define LIMIT_DOMAIN_OCTETS     255
#define LIMIT_PATH_OCTETS       254 /* local-part@domain; RFC 5321 4.5.3.1.3 says 256 with the brackets */
#define LIMIT_ECHO_OCTETS       64  /* of a client's argument, escaped, in a reply */
#define LIMIT_ENVID_OCTETS      100 /* RFC 3461 4.4 */
#define LIMIT_ORCPT_OCTETS      500 /* RFC 3461 4.2 */
#define LIMIT_TEXT_LINE_OCTETS  998
#define LIMIT_SIZE_DIGITS       20

/* a server with profile legacy-device, where nothing is said: what a floor of printers and scanners does, and not more */
#define LIMIT_LEGACY_SESSIONS_DEFAULT               50
#define LIMIT_LEGACY_SESSIONS_PER_SOURCE_DEFAULT    4
#define LIMIT_LEGACY_SESSIONS_PER_PRINCIPAL_DEFAULT 10
#define LIMIT_LEGACY_MESSAGES_PER_SESSION_DEFAULT   20
#define LIMIT_LEGACY_RECIPIENTS_DEFAULT                                                                      \
    20 /* RFC 5321 wants 100 of a mail server: this is none for strangers */
#define LIMIT_LEGACY_MESSAGE_OCTETS_DEFAULT         26214400
#define LIMIT_LEGACY_CONNECTIONS_PER_MINUTE_DEFAULT 30
#define LIMIT_LEGACY_MESSAGES_PER_HOUR_DEFAULT      100 /* of a device, and of an account */
#define LIMIT_LEGACY_RECIPIENTS_PER_HOUR_DEFAULT    500
#define LIMIT_LEGACY_NETWORK_BITS_V4                20 /* no network of its clients is wider */
#define LIMIT_LEGACY_NETWORK_BITS_V6                64

/* failed logins. Points: what a failure weighs (policy/guess.c); one is forgiven each LIMIT_GUESS_POINT_SECONDS */
#define LIMIT_GUESS_SLOW_POINTS          8  /* of a source: from here on its logins wait */
#define LIMIT_GUESS_BAN_POINTS           20 /* an IPv4 address, an IPv6 /64 */
#define LIMIT_GUESS_BAN_POINTS_WIDE      80 /* the /24, the /48 */
#define LIMIT_GUESS_POINT_SECONDS        300
#define LIMIT_GUESS_WAIT_MS_FIRST        1000 /* between two logins of a slow source; doubled with each 4 points */
#define LIMIT_GUESS_WAIT_MS_MAX          8000 /* and what a login waits at most: below LIMIT_DIRECTORY_SECONDS */
#define LIMIT_GUESS_ATTACKED_WAIT_MS     4000 /* an answer about an account that is guessed at from everywhere */
#define LIMIT_GUESS_SPRAY_ACCOUNTS       8    /* different ones that one source failed at */
#define LIMIT_GUESS_SPRAY_ACCOUNTS_WIDE  16
#define LIMIT_GUESS_DISTRIBUTED_NETWORKS 10    /* a /24 or /48 each, that failed at one account */
#define LIMIT_GUESS_PERIOD_SECONDS       21600 /* in which those are counted; an event is raised once in it */
#define LIMIT_GUESS_KNOWN_SECONDS        2592000 /* a network from which somebody logged in is known so long */
#define LIMIT_GUESS_KNOWN_AGAIN_SECONDS  86400   /* before that is written down anew */
#define LIMIT_GUESS_KNOWN_NETWORKS       8       /* of one account */
#define LIMIT_BAN_SECONDS_FIRST          600     /* four times as long with each further ban */
#define LIMIT_BAN_SECONDS_MAX            86400
#define LIMIT_BAN_FORGET_SECONDS         604800 /* after which a network's bans do not count any more */
#define LIMIT_GUESS_SOURCES              32768  /* rows of the tables of one directory process */
#define LIMIT_GUESS_ACCOUNTS             16384
#define LIMIT_GUESS_KNOWN_ACCOUNTS       32768
#define LIMIT_GUESS_KNOWN_SOURCES        65536
#define LIMIT_GUESS_BANS_BY_HAND         256
#define LIMIT_GUESS_BANS_KEPT            4096 /* in the store */
#define LIMIT_GUESS_TEXT_OCTETS          160  /* names that were tried, or a reason */
#define LIMIT_BARRED_PART                1000 /* entries of one message to an edge, about who is banned */
#define LIMIT_BARRED_SECONDS             1    /* between two lists for the edges */
#define LIMIT_GUESS_SYNC_SECONDS         2    /* between two looks at the store */

/* a session */
#define LIMIT_RECIPIENTS_DEFAULT                    1000
#define LIMIT_RECIPIENTS_MAX                        10000
#define LIMIT_MESSAGE_OCTETS_DEFAULT                52428800
#define LIMIT_MESSAGE_OCTETS_MAX                    2147483647
#define LIMIT_SESSION_OCTETS_DEFAULT                1073741824
#define LIMIT_SESSION_OCTETS_MAX                    1099511627776
#define LIMIT_LINE_OCTETS_DEFAULT                   1048576 /* max-line: one line of a message, streamed */
#define LIMIT_MESSAGES_PER_SESSION_DEFAULT          10000
#define LIMIT_ERRORS_PER_SESSION_DEFAULT            20 /* 5xx to commands; the next one ends the session with 421 */
#define LIMIT_JUNK_COMMANDS_DEFAULT                 100 /* NOOP, RSET, VRFY, HELP, EHLO between two messages */
#define LIMIT_RECEIVED_FIELDS_DEFAULT               100 /* RFC 5321 6.3 */
#define LIMIT_SESSIONS_DEFAULT                      10000
#define LIMIT_SESSIONS_MAX                          100000
#define LIMIT_CONNECTIONS_PER_MINUTE_DEFAULT        1000 /* of one source, as the next two */
#define LIMIT_SOURCE_MESSAGES_PER_HOUR_DEFAULT      50000
#define LIMIT_SOURCE_RECIPIENTS_PER_HOUR_DEFAULT    200000
#define LIMIT_PRINCIPAL_MESSAGES_PER_HOUR_DEFAULT   5000
#define LIMIT_PRINCIPAL_RECIPIENTS_PER_HOUR_DEFAULT 20000
#define LIMIT_RATE_SLOTS                                                                                     \
    65536 /* what is counted in a time, of all servers: 4 MiB; then the quiet are forgotten */
#define LIMIT_SESSIONS_PER_SOURCE_DEFAULT    50
#define LIMIT_SESSIONS_PER_PRINCIPAL_DEFAULT 100
#define LIMIT_EDGES_MAX                      8
#define LIMIT_EDGE_FDS                       131072 /* sessions, listeners, conversations; less where the system allows less */

/* RFC 5321 4.5.3.2, and totals that no client can stretch */
#define LIMIT_COMMAND_SECONDS_DEFAULT    300
#define LIMIT_DATA_BLOCK_SECONDS_DEFAULT 180
#define LIMIT_TLS_HANDSHAKE_SECONDS      30
#define LIMIT_PROXY_HEADER_SECONDS       5
#define LIMIT_COMMIT_SECONDS             300 /* the edge waits for the spooler, then 451 */
#define LIMIT_SESSION_SECONDS_DEFAULT    7200
#define LIMIT_MESSAGE_SECONDS_DEFAULT    3600
#define LIMIT_MINIMUM_RATE_OCTETS_PER_SECOND_DEFAULT                                                         \
    100                                /* of message data, averaged from its start, after 60 s */
#define LIMIT_RATE_GRACE_SECONDS    60 /* before the minimum rate counts */
#define LIMIT_POOL_WAIT_SECONDS     30 /* a session without a block stops reading, then 452 */
#define LIMIT_DRAIN_SECONDS_DEFAULT 30 /* SIGTERM: sessions inside a transaction may end */

/* memory promised at start */
#define LIMIT_BLOCK_SMALL_OCTETS        2048
#define LIMIT_BLOCK_LARGE_OCTETS        65536
#define LIMIT_POOL_SMALL_BLOCKS_DEFAULT 16384   /* an edge: 32 MiB */
#define LIMIT_POOL_LARGE_BLOCKS_DEFAULT 1024    /* an edge: 64 MiB */
#define LIMIT_ENVELOPE_OCTETS           4194304 /* encoded envelope of one message */
#define LIMIT_SUBMIT_BLOCKS             128     /* block references in one submit or chunk message */

/* TLS, of one edge (address space; resident memory follows use) */
#define LIMIT_TLS_ARENA_OCTETS_DEFAULT 536870912
#define LIMIT_TLS_HANDSHAKES_DEFAULT   512 /* in progress at once: about 100 KiB each while it lasts */
#define LIMIT_TLS_HANDSHAKES_MAX       4096
#define LIMIT_TLS_PREREAD_OCTETS       16384 /* of the TLS stream, read together with a PROXY header */
#define LIMIT_TLS_TURN_READS           4 /* reads of one session (16 KiB each) before others have their turn */
#define LIMIT_TLS_CERTIFICATES         256  /* of one virtual server */
#define LIMIT_TLS_NAMES                1024 /* of one certificate */
#define LIMIT_CHAIN_OCTETS             262144
#define LIMIT_TLS_PEER_CHAIN_OCTETS    65536   /* certificates that a server shows us */
#define LIMIT_TLS_CHAIN_DEPTH          10      /* of them, up to an authority */
#define LIMIT_AUTHORITIES_OCTETS       4194304 /* certificates that we trust, as PEM */
#define LIMIT_AUTHORITY_NAMES_OCTETS   16384 /* of authorities that a client is told in each handshake, DER */
#define LIMIT_REVOCATIONS_OCTETS       4194304 /* lists of revoked certificates of clients, as PEM */
#define LIMIT_KEY_OCTETS               65536   /* a private key as PEM */
#define LIMIT_KEYRING_ARENA_OCTETS     33554432
#define LIMIT_KEYRING_KEYS             1024 /* certificates of all virtual servers together */

/* IPC */
#define LIMIT_IPC_MESSAGE_OCTETS 32768
#define LIMIT_IPC_FDS            8

/* spool */
#define LIMIT_SEGMENT_OCTETS       67108864
#define LIMIT_BATCH_OCTETS         8388608
#define LIMIT_BATCH_MESSAGES       1024
#define LIMIT_LARGE_BODY_OCTETS    1048576
#define LIMIT_STREAM_LOG_OCTETS    65536    /* of a streamed message; what follows goes to a large segment */
#define LIMIT_QUEUE_MESSAGES       10000000 /* in the index: about 2 GB of memory; then 452 */
#define LIMIT_SEGMENTS             65536    /* segment files: 4 TiB */
#define LIMIT_SEGMENT_FILES_OPEN   256      /* sealed segments kept open for reading */
#define LIMIT_SEGMENTS_SPARE       8        /* dead segments kept to be written again; more are removed */
#define LIMIT_DAMAGES              1024     /* damaged places of the spool that are told apart */
#define LIMIT_STUCK_SECONDS        5 /* a failed disk has no successor yet: until then answers wait, then 451 */
#define LIMIT_SPOOL_RESERVE_OCTETS 4194304 /* of the last free segment, for states when the disk is full */
#define LIMIT_LARGE_BUFFER_OCTETS  2097152 /* content waiting to be written to a large segment */
#define LIMIT_OPEN_MESSAGES        131072  /* of which content came, and no commit yet */
#define LIMIT_MESSAGE_EXTENTS      131072
#define LIMIT_MESSAGE_RECIPIENTS   1048576 /* with those derived from aliases */
#define LIMIT_STATE_HISTORY_OCTETS 4096    /* attempts that are remembered of one recipient */
#define LIMIT_CHECKPOINT_MESSAGES  10000   /* a smaller queue is scanned */
#define LIMIT_CHECKPOINT_OCTETS                                                                              \
    268435456 /* of log between two checkpoints, at least; and twice the size of one */
#define LIMIT_CHECKPOINT_BLOCK       524288 /* octets of messages written in one step */
#define LIMIT_QUESTION_PAGE_LINES    1000   /* lines of one page of a queue listing */
#define LIMIT_QUESTION_FILTER_OCTETS 320
#define LIMIT_RESULT_TEXT_OCTETS     400  /* why a delivery attempt ended so */
#define LIMIT_RESULT_HOST_OCTETS     320  /* who was reached: name, address, port */
#define LIMIT_RESULT_TLS_OCTETS      160  /* what protected it, and why */
#define LIMIT_STATE_EVENT_OCTETS     1024 /* one event of a history, encoded */
#define LIMIT_HOLD_EVENTS            16   /* times that a message was held or released, that are remembered */

/* queue life: RFC 5321 4.5.4.1 */
#define LIMIT_DELIVERY_ANSWER_SECONDS                                                                        \
    600 /* directory or mailbox, about one recipient: then it is asked anew */
#define LIMIT_RETRY_SECONDS_FIRST   300
#define LIMIT_RETRY_SECONDS_MAX     4200
#define LIMIT_QUEUE_SECONDS_DEFAULT 432000

/* outbound: RFC 5321 4.5.3.2, totals, and how much at once */
#define LIMIT_NEXT_HOP_OCTETS        1024                       /* names of one next hop */
#define LIMIT_RELAY_RECIPIENTS       100                        /* of one transaction (RFC 5321 4.5.3.1.8) */
#define LIMIT_RELAY_HOST_OCTETS      (LIMIT_DOMAIN_OCTETS + 64) /* name[address]:port */
#define LIMIT_RELAY_TLS_OCTETS       160                        /* what protected a session, and why */
#define LIMIT_RELAYS_MAX             4                          /* processes */
#define LIMIT_RELAY_JOBS             4096 /* transactions in hand, of one relay; as many sessions */
#define LIMIT_RELAY_FDS              8192 /* sessions, leases, conversations; less where the system allows less */
#define LIMIT_CONNECT_SECONDS        30    /* one address */
#define LIMIT_CONNECT_STAGGER_MS     250   /* before the next address is tried beside it (RFC 8305 5) */
#define LIMIT_CONNECT_PREFERENCE_MS  10000 /* before a less preferred host is tried beside a better one */
#define LIMIT_CONNECT_LOOKUP_MS      1000 /* before the next host is looked up beside one whose DNS is slow */
#define LIMIT_CONNECT_FAMILY_MS      50   /* the other family's addresses are waited for (RFC 8305 3) */
#define LIMIT_CONNECT_TOTAL_SECONDS  120  /* one question, names and all addresses */
#define LIMIT_EXPLAIN_SECONDS        45 /* what DNS says of one next hop: before LIMIT_CONTROL_STALL_SECONDS end */
#define LIMIT_CONNECT_QUESTIONS      16384 /* open at once */
#define LIMIT_CONNECT_SOCKETS        8192  /* being connected at once */
#define LIMIT_CONNECT_REMEMBERED     8192  /* addresses of which it is known whether they answered */
#define LIMIT_CONNECT_WORKED_SECONDS 3600  /* how long that counts */
#define LIMIT_CONNECT_FAILED_SECONDS 300
#define LIMIT_GREETING_SECONDS       300
#define LIMIT_REPLY_SECONDS          300 /* MAIL, RCPT, EHLO, RSET */
#define LIMIT_DATA_REPLY_SECONDS     120
#define LIMIT_CONTENT_STALL_SECONDS  180
#define LIMIT_END_OF_DATA_SECONDS    600
#define LIMIT_TRANSACTION_SECONDS                                                                            \
    900 /* to the end of the content, besides the time for its octets; and until a session is ready */
#define LIMIT_CONTENT_RATE_OCTETS_PER_SECOND 2000 /* of content that we send, at least */
#define LIMIT_LMTP_REPLY_SECONDS                                                                             \
    60 /* behind the content each recipient's delivery has so long (RFC 2033 4.2) */
#define LIMIT_JOB_SECONDS                                                                                    \
    900 /* of a relay with one message for a next hop: then no other host is tried, no part begins */
#define LIMIT_OUTBOUND_SESSION_SECONDS         7200
#define LIMIT_REPLY_OCTETS                     65536 /* one reply, all lines */
#define LIMIT_REPLY_LINES                      512
#define LIMIT_DNS_TTL_SECONDS                  86400
#define LIMIT_DNS_RECORDS                      64
#define LIMIT_DNS_SECONDS                      20
#define LIMIT_DNS_QUESTIONS                    32768 /* open at once, of all who ask */
#define LIMIT_DNS_QUESTIONS_ASKED              4096 /* of them, those that are being resolved; the others wait */
#define LIMIT_RESOLVERS                        8
#define LIMIT_RESOLV_CONF_OCTETS               65536
#define LIMIT_TRUST_ANCHOR_OCTETS              65536
#define LIMIT_MX_HOSTS                         32 /* of one domain that are looked at */
#define LIMIT_MX_ADDRESSES                     8  /* of one host, each family */
#define LIMIT_SESSIONS_FIRST_DEFAULT           5  /* to one destination, at the start */
#define LIMIT_SESSIONS_PER_DESTINATION_DEFAULT 20
#define LIMIT_SESSIONS_PER_DESTINATION_MAX     1000
#define LIMIT_RATE_COUNT_MAX                   1000000 /* messages or connections to a destination in one interval */
#define LIMIT_RATE_SECONDS_MAX                 86400
#define LIMIT_DELAY_WARNING_SECONDS_DEFAULT    14400
#define LIMIT_DESTINATION_GROUPS               1024    /* mx-group lines that were met */
#define LIMIT_DESTINATIONS                     1048576 /* next hops with a queue of their own, known at once */
#define LIMIT_DESTINATIONS_IDLE                65536 /* of them, those that only are remembered: about 1 KB each */

/* the control socket */
#define LIMIT_CONTROL_CLIENTS         16
#define LIMIT_CONTROL_REQUEST_OCTETS  12288 /* one line; a next hop in hexadecimal is the longest */
#define LIMIT_CONTROL_TEXT_OCTETS     512   /* of an end line */
#define LIMIT_CONTROL_REQUEST_SECONDS 5     /* from accept to a whole request */
#define LIMIT_CONTROL_STALL_SECONDS   60 /* a client that takes nothing, or a process that answers nothing */

/* the operator's tool */
#define LIMIT_DIAL_OCTETS 262144 /* read and not yet consumed: a line of the control socket */
#define LIMIT_DIAL_SECONDS                                                                                   \
    330 /* waiting for one answer: RFC 5321 4.5.3.2, the server's longest plus a moment */

/* names and configuration */
#define LIMIT_CONFIG_OCTETS           4194304
#define LIMIT_CONFIG_MEMORY_OCTETS    268435456 /* files and what was made of them */
#define LIMIT_CONFIG_DEPTH            8
#define LIMIT_SERVERS                 64
#define LIMIT_LISTENERS               256
#define LIMIT_DOMAINS                 100000
#define LIMIT_SPARE_FDS               512 /* of a process, besides its sessions: what `check` and `init` reckon with */
#define LIMIT_INIT_SESSIONS           18000 /* that a fresh configuration permits, if the system does */
#define LIMIT_PASSWORD_OCTETS         1024
#define LIMIT_SCRAM_ITERATIONS        10000 /* of PBKDF2 for a new password; RFC 7677 4: at least 4096 */
#define LIMIT_SCRAM_ITERATIONS_MAX    10000000
#define LIMIT_SCRAM_ITERATIONS_MIN    4096    /* that a smarthost may ask of us: RFC 7677 4 */
#define LIMIT_SCRAM_ITERATIONS_ASKED  1000000 /* ... and at most: about half a second */
#define LIMIT_IDENTITY_GROUPS         64      /* of one principal */
#define LIMIT_IDENTITY_LABEL_OCTETS   64      /* names of groups, labels of app passwords and keys */
#define LIMIT_IDENTITY_APP_NETWORKS   64      /* from which one app password may be used */
#define LIMIT_IDENTITY_AUDIT_ROWS     100000  /* older ones are forgotten */
#define LIMIT_IDENTITY_WAIT_MS        5000    /* for another one's change */
#define LIMIT_IDENTITY_VALUE_OCTETS   65536
#define LIMIT_IDENTITY_SQL_OCTETS     16384
#define LIMIT_CREDENTIAL_FILES        256 /* user-file, different ones */
#define LIMIT_CREDENTIAL_FILE_OCTETS  2048
#define LIMIT_CREDENTIAL_USER_OCTETS  320
#define LIMIT_CREDENTIAL_TOKEN_OCTETS 8192 /* token-file: the token; blanks around it come on top */
#define LIMIT_CREDENTIAL_EXCHANGES    1024 /* with next hops, under way at once; the oldest makes room */
#define LIMIT_CLIENT_NAMES            4    /* of one client, by reverse DNS */
#define LIMIT_CLIENT_NAME_SECONDS     10   /* before the greeting, where a connections line has a name */
#define LIMIT_CLIENT_NAMES_WAITING    1000 /* sessions of one edge; who comes then has no name */
#define LIMIT_EDGE_DNS_OPEN           1024 /* questions of one edge that are being resolved */
#define LIMIT_EDGE_DNS_PER_SECOND     2000
#define LIMIT_ADMISSION_RULES         4096 /* networks of the connections lines of one server */
#define LIMIT_BANNER_OCTETS           160
#define LIMIT_CONFIG_PINS             4096  /* senders of one server, each with each of its networks */
#define LIMIT_CONFIG_GRANTS           10000 /* right lines of one server */
#define LIMIT_CONFIG_NETWORKS         10000 /* relay or proxy networks of one server */
#define LIMIT_CONFIG_PATH_OCTETS      4095
#define LIMIT_CONFIG_ROUTES           100000 /* deliver, relay and hold lines, each */
#define LIMIT_SOCKET_PATH_OCTETS      107
#define LIMIT_DSN_HEADER_OCTETS       65536   /* of a header section that is returned */
#define LIMIT_DSN_CONTENT_OCTETS      1048576 /* of a message that is returned whole (RET=FULL) */
#define LIMIT_ALIAS_DEPTH             10
#define LIMIT_ALIAS_EXPANSION         10000      /* final recipients of one original */
#define LIMIT_ALIAS_LOOKS             20000000   /* targets seen to learn which aliases reach anybody */
#define LIMIT_ALIAS_INCLUDES          256        /* files named by :include: */
#define LIMIT_DIRECTORY_FILE_OCTETS   268435456  /* users file, aliases file, each list */
#define LIMIT_DIRECTORY_MEMORY_OCTETS 2147483647 /* all that is made of them */
#define LIMIT_USERS                   4000000
#define LIMIT_PROBLEMS                1000 /* kept of one file of the directory; all are counted */
#define LIMIT_LOG_LINE_OCTETS         4096
#define LIMIT_DRY_RUN_SESSIONS        8388608 /* of one log */
#define LIMIT_DRY_RUN_NAMES           100000  /* clients or users that are told apart */
#define LIMIT_REPORT_DEVICES          65536   /* that report legacy tells apart */
#define LIMIT_LOG_READ_OCTETS         65536   /* of a log that is read again: a longer line is none of ours */

#endif

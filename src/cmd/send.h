/* send: `sallyport send`, a small SMTP client. */
#ifndef CMD_SEND_H
#define CMD_SEND_H

/* argv[0] is "send". Exit codes as in sysexits: 0 sent, 64 usage, 65 the message cannot be sent, 69 refused (5xx, also for one
 * recipient of several), 75 try later (4xx, no connection). */
int send_main(int argc, char **argv);

#endif

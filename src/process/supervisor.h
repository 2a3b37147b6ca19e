/* supervisor: the first process. It reads config and key files, binds, starts the others, hands out descriptors and
 * conversations, and starts anew what died. It reads no octet from the network and no control request. */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

#include "base/span.h"

struct supervisor_options {
    const char *config_file;
    bool foreground; /* else: detach, and return to the caller's shell once it serves */
    bool insecure_no_sandbox, debug_sandbox;
};

enum { /* of sysexits(3): */
       SUPERVISOR_EXIT_START = 1,
       SUPERVISOR_EXIT_BUSY = 75,  /* EX_TEMPFAIL: another one has the spool */
       SUPERVISOR_EXIT_CONFIG = 78 /* EX_CONFIG: also a file or folder that it names */
};

/* Runs the service until it is told to stop. Returns the exit status. */
int supervisor_main(const struct supervisor_options *options);

#endif

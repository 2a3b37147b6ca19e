/* config_files: do the files and folders that a configuration names exist, and are they what they should be? `check` and the
 * supervisor ask the same function, so that what check calls good is served and what it calls wrong is not. */
#ifndef SERVICE_CONFIG_FILES_H
#define SERVICE_CONFIG_FILES_H

#include "service/config_report.h"

struct config_files_owner { /* who will read and write a folder */
    const char *process;
    uint32_t uid, gid;
};

struct config_files_who {
    struct config_files_owner spooler, mailbox, directory, connector;
    bool
        starts; /* the supervisor asks: it knows who it is, and leaves to the directory process what that says itself (users, aliases);
                  * otherwise an ordinary user looks at what root may start: what he may not see is a warning */
};

/* Certificates with their keys, folders with their owners, users and aliases, the limit of open files. Reads private keys and
 * wipes them. */
void config_files_check(const struct config *c, const struct config_files_who *who, struct config_report *r);
/* Makes the spool and the mail folders that are missing and lie right in the configuration's own folder: 0750, each with the owner
 * it needs. True: all is there. Else an error is in r. Only after a check without errors. */
MUST_USE bool config_files_make(const struct config *c, const struct config_files_who *who,
                                struct config_report *r);

#endif

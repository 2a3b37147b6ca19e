#include <unistd.h>

#include "base/buf.h"
#include "process/role.h"
#include "process/skeleton.h"
#include "system/sandbox.h"

/* What each process may do inside its cage (system/sandbox.h). All may receive descriptors: a restarted peer's new socket, a
 * fresh config. Memory is promised at start where it can be: edge and keyring get no new one. */
const struct role_row role_table[PROC_ROLE_COUNT] = {
    [PROC_SUPERVISOR] = {PROC_SUPERVISOR, "supervisor", 0, false, 0, NULL, NULL},
    [PROC_EDGE] = {PROC_EDGE, "edge", SANDBOX_ACCEPT | SANDBOX_RECEIVE_FDS, true, LIMIT_EDGE_FDS, &edge_hooks,
                   NULL},
    [PROC_DIRECTORY] = {PROC_DIRECTORY, "directory",
                        SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS | SANDBOX_MEMORY | SANDBOX_MEMFD |
                            SANDBOX_THREADS | SANDBOX_FILES_AT | SANDBOX_NO_PLUGINS,
                        true, 1024, &directory_hooks, NULL},
    [PROC_KEYRING] = {PROC_KEYRING, "keyring", SANDBOX_RECEIVE_FDS, true, 1024, &keyring_hooks, NULL},
    [PROC_SPOOLER] = {PROC_SPOOLER, "spooler",
                      SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS | SANDBOX_FILES_AT | SANDBOX_MEMORY |
                          SANDBOX_THREADS,
                      false, 16384, &spooler_hooks, NULL},
    [PROC_MAILBOX] = {PROC_MAILBOX, "mailbox", SANDBOX_RECEIVE_FDS | SANDBOX_FILES_AT | SANDBOX_MEMORY, false,
                      4096, &mailbox_hooks, NULL},
    [PROC_ADMIN] = {PROC_ADMIN, "admin", SANDBOX_RECEIVE_FDS | SANDBOX_ACCEPT | SANDBOX_MEMORY, false, 256,
                    &admin_hooks, NULL},
    [PROC_RELAY] = {PROC_RELAY, "relay", SANDBOX_RECEIVE_FDS | SANDBOX_MEMORY, true, LIMIT_RELAY_FDS,
                    &relay_hooks, NULL},
    [PROC_CONNECTOR] = {PROC_CONNECTOR, "connector",
                        SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS | SANDBOX_CONNECT | SANDBOX_MEMORY, false,
                        16384, &connector_hooks, NULL},
    [PROC_RESOLVER] = {PROC_RESOLVER, "resolver", SANDBOX_RECEIVE_FDS | SANDBOX_DNS | SANDBOX_MEMORY, false,
                       4096, &resolver_hooks, NULL},
    [PROC_WINBIND] = {PROC_WINBIND, "winbind",
                      SANDBOX_RECEIVE_FDS | SANDBOX_UNIX | SANDBOX_THREADS | SANDBOX_MEMORY, true, 256,
                      &winbind_hooks, "winbindd_priv"},
};

void role_put_name(struct buf *b, enum role role, unsigned index)
{
    buf_str(b, role_table[role].name);
    if (role != PROC_EDGE && index == 0) return;
    buf_byte(b, '-');
    buf_u64(b, index);
}

void role_account(enum role role, struct config_files_owner *ret)
{
    *ret = (struct config_files_owner){.process = role_table[role].name, .uid = geteuid(), .gid = getegid()};
    if (sandbox_may_change_user()) sandbox_account(ret->process, role, &ret->uid, &ret->gid);
}

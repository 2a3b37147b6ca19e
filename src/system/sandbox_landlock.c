/* Landlock by number and with definitions of our own: build machines have headers older than the kernels this runs on, and
 * the kernel's answer alone (the ABI version) decides what is asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/sandbox_private.h"

enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };
enum { RULE_PATH_BENEATH = 1, CREATE_VERSION = 1 };
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NETWORK = 4, ABI_IOCTL_DEV = 5, ABI_SCOPE = 6 };

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_ALL_1 = (1 << 13) - 1, /* ABI 1: up to MAKE_SYM */
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
};

struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

/* Everything is refused that is not allowed by a rule. */
static struct ruleset_attr handled(const struct sandbox *s, long abi)
{
    struct ruleset_attr a = {.handled_access_fs = FS_ALL_1};
    if (abi >= ABI_REFER) a.handled_access_fs |= FS_REFER;
    if (abi >= ABI_TRUNCATE) a.handled_access_fs |= FS_TRUNCATE;
    if (abi >= ABI_NETWORK)
        a.handled_access_net =
            NET_BIND_TCP | (s->abilities & (SANDBOX_CONNECT | SANDBOX_DNS) ? 0u : (unsigned)NET_CONNECT_TCP);
    if (abi >= ABI_IOCTL_DEV) a.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= ABI_SCOPE) a.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return a;
}

static uint64_t allowed(const struct sandbox *s)
{
    uint64_t a = FS_READ_FILE | FS_READ_DIR;
    if (s->abilities & SANDBOX_FILES_AT)
        a |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER |
             FS_TRUNCATE;
    return a;
}

static bool add_folders(const struct sandbox *s, int ruleset, uint64_t handled_fs)
{
    if (!(s->abilities & (SANDBOX_FILES_AT | SANDBOX_FILES_READ))) return true;
    for (unsigned i = 0; i < s->n_read_only; i++) {
        struct path_beneath_attr rule = {(FS_READ_FILE | FS_READ_DIR) & handled_fs, s->read_only[i]};
        if (syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0) return false;
    }
    for (unsigned i = 0; i < s->n_directories; i++) {
        struct path_beneath_attr rule = {allowed(s) & handled_fs, s->directories[i]};
        if (syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0) return false;
    }
    return true;
}

enum landlock_result sandbox_landlock(const struct sandbox *s, const char **error)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_VERSION);
    if (abi < 1) return LANDLOCK_ABSENT; /* ENOSYS, EOPNOTSUPP (disabled at boot) */
    struct ruleset_attr attr = handled(s, abi);
    size_t known = abi >= ABI_SCOPE     ? sizeof attr
                   : abi >= ABI_NETWORK ? offsetof(struct ruleset_attr, scoped)
                                        : offsetof(struct ruleset_attr, handled_access_net);
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &attr, known, 0);
    if (ruleset < 0) {
        *error = "Landlock refused the rules";
        return LANDLOCK_FAILED;
    }
    bool ok = add_folders(s, ruleset, attr.handled_access_fs) && syscall(CALL_RESTRICT_SELF, ruleset, 0) == 0;
    close(ruleset);
    if (!ok) {
        *error = "Landlock could not be entered";
        return LANDLOCK_FAILED;
    }
    return abi >= ABI_SCOPE ? LANDLOCK_CLOSED : LANDLOCK_PARTLY;
}

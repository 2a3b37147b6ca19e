#include "system/sandbox.h"

#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <malloc.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/sandbox_private.h"

enum {
    /* Reserved for us where no account exists: outside of what Debian gives to packages and what systemd and containers use
     * (60578 to 61183 is nobody's), and below 65536, so that user name spaces have it. */
    ACCOUNT_BASE = 60600,
    ARENAS = 4,         /* heaps of a process; threads share them */
    SORT_OCTETS = 1024, /* from here on qsort() of glibc wants memory of its own */
};

void sandbox_account(const char *process, unsigned index, uint32_t *uid, uint32_t *gid)
{
    char name[32] = "sallyport-";
    size_t used = strlen(name), n = strlen(process);
    *uid = *gid = ACCOUNT_BASE + index;
    if (used + n >= sizeof name) return;
    memcpy(name + used, process, n + 1);
    const struct passwd *account = getpwnam(name);
    if (!account || account->pw_uid == 0) return;
    *uid = account->pw_uid;
    *gid = account->pw_gid;
}

uint32_t sandbox_group(const char *name)
{
    const struct group *g = getgrnam(name);
    return g ? g->gr_gid : 0;
}

/* Root, or an account that systemd gave the two capabilities (packaging/systemd/sallyport.service). */
bool sandbox_may_change_user(void)
{
    const uint32_t needed = 1U << CAP_SETUID | 1U << CAP_SETGID;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    if (geteuid() == 0) return true;
    return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & needed) == needed;
}

/* A change from one ordinary user to another keeps them all (capabilities(7)). */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &head, none) == 0;
}

bool sandbox_drop_user(const char *process, uint32_t uid, uint32_t gid, uint32_t group, const char **error)
{
    (void)process;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        *error = "no-new-privs cannot be set";
        return false;
    }
    if (!sandbox_may_change_user())
        return true; /* started by an ordinary user: one uid for all, the other walls stand */
    if (uid == 0 || gid == 0) {
        *error = "a process must not run as root";
        return false;
    }
    if (setgroups(group ? 1 : 0, &group) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
        *error =
            "the user id cannot be changed (in a container: make accounts sallyport-ROLE with ids it has)";
        return false;
    }
    if (!drop_capabilities()) {
        *error = "capabilities cannot be given up";
        return false;
    }
    uid_t r, e, s;
    if (setuid(0) == 0 || setgid(0) == 0 || getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid) {
        *error = "the user id could be changed back";
        return false;
    }
    return true;
}

/* To at most n, and never above what the hard limit allows; the hard limit is lowered with it. */
static bool limit(__rlimit_resource_t what, uint64_t n)
{
    struct rlimit now;
    if (getrlimit(what, &now) != 0) return false;
    if (now.rlim_max != RLIM_INFINITY && n > now.rlim_max) n = now.rlim_max;
    struct rlimit fresh = {n, n};
    return setrlimit(what, &fresh) == 0;
}

static bool limits(const struct sandbox *s, const char **error)
{
    *error = "resource limits cannot be set";
    if (!limit(RLIMIT_NOFILE, s->max_fds) || !limit(RLIMIT_CORE, 0) || !limit(RLIMIT_MSGQUEUE, 0))
        return false;
    if (!(s->abilities & SANDBOX_THREADS) && !limit(RLIMIT_NPROC, 0)) return false;
    /* All memory was promised at start: below what is in use, so that the heap cannot grow (invariant I4). brk() then says
     * so itself; seccomp must not answer for it, because libc takes an error number for an address. */
    if (!(s->abilities & SANDBOX_MEMORY)) return limit(RLIMIT_DATA, 4096);
    return true;
}

static int by_octet(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

enum sandbox_result sandbox_enter(const struct sandbox *s, const char **error)
{
    /* A thread too many for its heaps and malloc would count the processors, by a call that nobody may make. */
    mallopt(M_ARENA_MAX, ARENAS);
    /* Before it gives back what a thread had it would look into a file of /proc. */
    if (s->abilities & SANDBOX_THREADS) mallopt(M_TRIM_THRESHOLD, INT_MAX);
    /* At its first sort of so much libc asks how much memory there is, by a call that nobody may make, and remembers it. */
    uint8_t much[SORT_OCTETS] = {0};
    qsort(much, sizeof much, 1, by_octet);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        *error = "no-new-privs or not-dumpable cannot be set";
        return SANDBOX_FAILED;
    }
    enum landlock_result landlock = sandbox_landlock(s, error);
    if (landlock == LANDLOCK_FAILED) return SANDBOX_FAILED;
    if (!limits(s, error) || !sandbox_calls(s, error)) return SANDBOX_FAILED;
    return landlock == LANDLOCK_CLOSED ? SANDBOX_CAGED : SANDBOX_CAGED_NO_LANDLOCK;
}

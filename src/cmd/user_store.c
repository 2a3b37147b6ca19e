#include "cmd/user_store.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/user_folder.h"

struct store {
    int folder;
    bool writes;
    user_store_fn *run;
    void *context;
};

static int work(struct user_call *u, const struct store *s)
{
    const char *why = NULL;
    int code = EXIT_NO;
    u->identity = identity_open(s->folder, s->writes, &why);
    if (u->identity)
        code = s->run(u, s->context);
    else
        complain(EXIT_NO, "cannot open %s/" IDENTITY_FILE ": %s", (const char *)u->config->users_folder.p,
                 why);
    identity_close(&u->identity);
    return code;
}

static bool become(const struct stat *owner)
{
    return setgroups(0, NULL) == 0 && setresgid(owner->st_gid, owner->st_gid, owner->st_gid) == 0 &&
           setresuid(owner->st_uid, owner->st_uid, owner->st_uid) == 0;
}

/* In the place of its parent, which ends the same way: by what a person does at a terminal, or because nobody reads on. */
static int ended_by(int sig)
{
    static const int quiet[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
        if (sig == quiet[i]) {
            signal(sig, SIG_DFL);
            raise(sig);
        }
    return complain(EXIT_NO, "it was ended by a signal");
}

/* The terminal is the child's: who waits for it must not end before it has put that in order. */
struct keys {
    struct sigaction interrupt, quit;
};

static void leave_keys(struct keys *before)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &ignore, &before->interrupt);
    sigaction(SIGQUIT, &ignore, &before->quit);
}

static void take_keys(const struct keys *before)
{
    sigaction(SIGINT, &before->interrupt, NULL);
    sigaction(SIGQUIT, &before->quit, NULL);
}

static int apart(struct user_call *u, const struct store *s, const struct stat *owner)
{
    struct keys keys;
    int status = 0;
    fflush(stdout); /* else it is said twice */
    leave_keys(&keys);
    pid_t child = fork();
    if (child == 0) {
        take_keys(&keys);
        int code = become(owner) && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0
                       ? work(u, s)
                       : complain(EXIT_NO, "cannot become the owner of the database of users: %s",
                                  strerrordesc_np(errno));
        _exit(fflush(stdout) == 0 ? code : EXIT_NO);
    }
    if (child < 0) return complain(EXIT_NO, "no process can be made: %s", strerrordesc_np(errno));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return complain(EXIT_NO, "waiting for it: %s", strerrordesc_np(errno));
    take_keys(&keys);
    return WIFEXITED(status) ? WEXITSTATUS(status) : ended_by(WTERMSIG(status));
}

int user_with_store(struct user_call *u, bool writes, bool makes, user_store_fn *run, void *context)
{
    struct store s = {.writes = writes, .run = run, .context = context};
    struct stat owner;
    s.folder = user_folder_open((const char *)u->config->users_folder.p, makes);
    if (s.folder < 0) return EXIT_NO;
    int code;
    if (fstat(s.folder, &owner) != 0)
        code = complain(EXIT_NO, "the folder of users cannot be looked at: %s", strerrordesc_np(errno));
    else
        code = geteuid() != 0 || owner.st_uid == 0 ? work(u, &s) : apart(u, &s, &owner);
    close(s.folder);
    return code;
}

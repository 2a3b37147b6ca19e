/* An action in a child process, in a cage. */
#ifndef TEST_IN_CAGE_H
#define TEST_IN_CAGE_H

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/sandbox.h"

typedef bool action_fn(void); /* true: it worked */
#define KILLED (-SIGSYS)
enum { WORKED = 0, FAILED = 1, CAGE_FAILED = 2 };

/* folder: below which files may be touched. WORKED ..., or minus the signal that ended it. */
static inline int caged(unsigned abilities, const int *folder, action_fn *action)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        for (int s = 1; s < 32; s++)
            sigaction(s, &standard, NULL);
        if (!(abilities & SANDBOX_MEMORY)) { /* as the skeleton does */
            mallopt(M_MMAP_MAX, 0);
            mallopt(M_TRIM_THRESHOLD, INT32_MAX);
        }
        void *volatile reserve = malloc(1 << 20);
        free(reserve);
        struct sandbox s = {.process = "test",
                            .abilities = abilities,
                            .directories = folder,
                            .n_directories = folder ? 1 : 0,
                            .max_fds = 64};
        const char *error;
        enum sandbox_result r = sandbox_enter(&s, &error);
        if (r == SANDBOX_FAILED) _exit(CAGE_FAILED);
        _exit(action() ? WORKED : FAILED);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif

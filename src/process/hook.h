/* hook: only in builds with -Dhooks=true, never in one that is installed. A signal makes a child do what a captured process would try:
 * the privilege tests ask with sigqueue(pid, SIGRTMIN, action) and read the outcome from the log. */
#ifndef PROCESS_HOOK_H
#define PROCESS_HOOK_H

/* Called once, before the cage. */
void hook_install(void);

#endif

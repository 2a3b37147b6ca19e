/* session_check: what must be true of every letter, whatever happened to network, disk, processes and clocks. */
#ifndef SESSION_CHECK_H
#define SESSION_CHECK_H

#include "scene.h"

/* A flush of the store; what is durable from then on is noted. */
void check_flush(struct scene *s);
/* Some delivery attempts with random results; what is delivered is compared. */
void check_deliver(struct scene *s);
/* The spooler died: who still waits for an answer may be there or not. */
void check_forget_volatile(struct scene *s);
/* After the spool was opened: everything in it against all letters. */
void check_all(struct scene *s);
/* At the very end: nothing is left, nothing was lost. */
void check_end(struct scene *s);

#endif

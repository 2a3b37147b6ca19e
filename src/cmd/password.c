#include "cmd/password.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* One octet; 0: the end. Signals (-1: none is looked for) go first: *caught. */
static ssize_t next_octet(int signals, char *c, int *caught)
{
    struct pollfd ends[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo info;

    for (;;) {
        if (signals >= 0 && poll(ends, 2, -1) < 0 && errno != EINTR) return -1;
        if (signals >= 0 && ends[1].revents && read(signals, &info, sizeof info) == sizeof info) {
            *caught = (int)info.ssi_signo;
            errno = EINTR;
            return -1;
        }
        if (signals >= 0 && !ends[0].revents) continue;
        ssize_t got = read(STDIN_FILENO, c, 1);
        if (got >= 0 || errno != EINTR) return got;
    }
}

/* Octet by octet: what stands behind the line is left for others, and in no buffer of stdio. */
static bool read_line(int signals, char text[LIMIT_PASSWORD_OCTETS + 1], int *caught, const char **why)
{
    size_t n = 0;
    char c;

    for (;;) {
        ssize_t got = next_octet(signals, &c, caught);
        if (got < 0) {
            *why = strerrordesc_np(errno);
            return false;
        }
        if (got == 0 || c == '\n') break;
        if (n == LIMIT_PASSWORD_OCTETS) {
            *why = "the password is too long";
            return false;
        }
        text[n++] = c;
    }
    if (n && text[n - 1] == '\r') n--;
    text[n] = 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 32 || text[i] == 127) {
            *why = "the password has a control character in it";
            return false;
        }
    if (n == 0) *why = "the password is empty: write one line to standard input";
    return n > 0;
}

/* --- a terminal */

static bool ask(int signals, const char *prompt, char text[LIMIT_PASSWORD_OCTETS + 1], int *caught,
                const char **why)
{
    fprintf(stderr, "%s: ", prompt);
    bool good = read_line(signals, text, caught, why);
    fprintf(stderr, "\n");
    return good;
}

/* Once more, for nobody sees what is typed. */
static bool ask_twice(int signals, char text[LIMIT_PASSWORD_OCTETS + 1], int *caught, const char **why)
{
    char again[LIMIT_PASSWORD_OCTETS + 1] = "";
    bool good =
        ask(signals, "password", text, caught, why) && ask(signals, "the same once more", again, caught, why);
    if (good && strcmp(text, again) != 0) {
        *why = "these were two different passwords";
        good = false;
    }
    explicit_bzero(again, sizeof again);
    return good;
}

/* With the echo off; what ends or stops this process comes through signals meanwhile. */
static bool ask_silently(const struct termios *before, int signals, char text[LIMIT_PASSWORD_OCTETS + 1],
                         int *caught, const char **why)
{
    struct termios silent = *before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (signals < 0 || tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
        *why = "the echo of the terminal cannot be switched off";
        return false;
    }
    bool good = ask_twice(signals, text, caught, why);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    return good;
}

/* A terminal without echo would be left to whoever comes next: a signal waits until it is as it was. Who stops it, and goes on later, is asked
 * anew. */
static bool ask_terminal(const struct termios *before, char text[LIMIT_PASSWORD_OCTETS + 1], const char **why)
{
    sigset_t those, mask;
    int caught;
    bool good;

    sigemptyset(&those);
    for (const int *s = (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, 0}; *s; s++)
        sigaddset(&those, *s);
    do {
        caught = 0;
        sigprocmask(SIG_BLOCK, &those, &mask);
        int signals = signalfd(-1, &those, SFD_CLOEXEC);
        good = ask_silently(before, signals, text, &caught, why);
        if (signals >= 0) close(signals);
        if (caught) raise(caught); /* it comes with the mask of before */
        sigprocmask(SIG_SETMASK, &mask, NULL);
    } while (caught);
    return good;
}

bool password_read(char text[LIMIT_PASSWORD_OCTETS + 1], const char **why)
{
    struct termios before;
    int caught = 0;
    if (tcgetattr(STDIN_FILENO, &before) == 0) return ask_terminal(&before, text, why);
    return read_line(-1, text, &caught, why);
}

#include "cmd/password.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Octet by octet: what stands behind the line is left for others, and in no buffer of stdio. */
static bool read_line(char text[LIMIT_PASSWORD_OCTETS + 1], const char **why)
{
    size_t n = 0;
    char c;

    for (;;) {
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
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

bool password_read(char text[LIMIT_PASSWORD_OCTETS + 1], const char **why)
{
    struct termios before, silent;

    if (tcgetattr(STDIN_FILENO, &before) != 0) return read_line(text, why);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "password: ");
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
        *why = "the echo of the terminal cannot be switched off";
        return false;
    }
    bool good = read_line(text, why);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fprintf(stderr, "\n");
    return good;
}

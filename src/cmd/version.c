/* version: of this program and of what it is linked with. */
#include <crypt.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd/command.h"
#include "cmd/complain.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x
#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " TEXT_OF(__GNUC__) "." TEXT_OF(__GNUC_MINOR__) "." TEXT_OF(__GNUC_PATCHLEVEL__)
#endif

int command_version(struct command_call *v)
{
    struct utsname host = {.release = "?", .machine = "?"};
    int words;

    if (!command_options(v, NULL, 0, &words)) return EXIT_USAGE;
    if (words) return command_usage(v, "takes no argument", v->argv[1]);
    if (uname(&host) != 0) complain(EXIT_YES, "uname: %s", strerror(errno));
    if (v->json)
        printf("{\"version\":\"%s\",\"compiler\":\"%s\",\"libraries\":{\"openssl\":\"%s\",\"glibc\":\"%s\","
               "\"libxcrypt\":\"%s\"},"
               "\"kernel\":\"%s\",\"machine\":\"%s\"}\n",
               SALLYPORT_VERSION, COMPILER, OpenSSL_version(OPENSSL_VERSION_STRING), gnu_get_libc_version(),
               XCRYPT_VERSION_STR, host.release, host.machine);
    else
        printf("sallyport %s\ncompiler  %s\nopenssl   %s\nglibc     %s\nlibxcrypt %s\nkernel    %s %s\n",
               SALLYPORT_VERSION, COMPILER, OpenSSL_version(OPENSSL_VERSION_STRING), gnu_get_libc_version(),
               XCRYPT_VERSION_STR, host.release, host.machine);
    return EXIT_YES;
}

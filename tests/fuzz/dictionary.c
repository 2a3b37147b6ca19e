/* Writes the fuzzers' dictionary from the verb table; with a file's name: says whether the file is what it would write. */
#include "smtp/verb.h"

#include <stdio.h>

static const char *const words[] = {
    "FROM:<",
    "TO:<",
    ">",
    "\\x0d\\x0a",
    "\\x0d\\x0a.\\x0d\\x0a",
    "\\x0d\\x0a..",
    "\\x0a.\\x0a",
    "\\x0d.\\x0d",
    " SIZE=",
    " BODY=8BITMIME",
    " BODY=7BIT",
    " BODY=BINARYMIME",
    " SMTPUTF8",
    " RET=FULL",
    " RET=HDRS",
    " ENVID=",
    " AUTH=<>",
    " NOTIFY=",
    "NEVER",
    "SUCCESS",
    "FAILURE",
    "DELAY",
    " ORCPT=rfc822;",
    "+2B",
    " LAST",
    "postmaster",
    "[IPv6:",
    "::",
    "[192.0.2.1]",
    "\\xc3\\xbc",
    "\\xed\\xa0\\x80",
    "250-",
    "250 ",
    "550 5.1.1 ",
    "2.0.0",
    "LIMITS RCPTMAX=",
    "MAILMAX=",
    "18446744073709551616",
};

static void write_words(FILE *f)
{
    for (size_t i = 0; i < verb_table_rows; i++)
        fprintf(f, "\"%s\"\n", verb_table[i].name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        fprintf(f, "\"%s\"\n", words[i]);
}

int main(int argc, char **argv)
{
    static char want[8192], got[8192];
    if (argc < 2) {
        write_words(stdout);
        return 0;
    }
    FILE *memory = fmemopen(want, sizeof want, "w"), *file = fopen(argv[1], "r");
    if (!memory || !file) return 2;
    write_words(memory);
    long n = ftell(memory);
    (void)fclose(memory);
    size_t read = fread(got, 1, sizeof got, file);
    (void)fclose(file);
    if (n > 0 && (size_t)n == read && memcmp(want, got, read) == 0) return 0;
    fprintf(stderr, "%s is not what the verb table makes: write it anew with %s > FILE\n", argv[1], argv[0]);
    return 1;
}

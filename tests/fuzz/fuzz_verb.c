/* Words and the verb table: only a whole name is a verb. */
#include "smtp/verb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span line = {data, size}, argument;
    struct span word = verb_split(line, &argument);
    must(word.n <= size && argument.n <= size - word.n);
    must(span_find(word, ' ') == SPAN_NPOS);
    if (argument.n)
        must(argument.p[0] != ' ' && argument.p[argument.n - 1] != ' ' && argument.p > word.p + word.n);
    const struct verb_row *row = verb_find(word);
    if (row) {
        must(span_eq_nocase(word, span_str(row->name)));
        must(verb_row(row->verb) == row);
    } else {
        for (size_t i = 0; i < verb_table_rows; i++)
            must(!span_eq_nocase(word, span_str(verb_table[i].name)));
    }
    return 0;
}

/* The header scan: any cut of the octets gives the same; what it counts agrees with a plain reading of the same rules. */
#include "mail/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

/* Lines by looking for CRLF, fields by comparing: slow and obvious. */
static struct header_scan naive(struct span s)
{
    struct header_scan h = {.done = false};
    size_t at = 0;
    while (at < s.n && !h.done) {
        size_t end = at;
        while (end + 1 < s.n && !(s.p[end] == '\r' && s.p[end + 1] == '\n'))
            end++;
        bool whole = end + 1 < s.n;
        struct span line = {s.p + at, whole ? end - at : s.n - at};
        if (whole && line.n == 0) {
            h.done = true;
        } else if (span_starts_nocase(line, SPAN("received"))) {
            line = span_skip(line, 8);
            while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
                line = span_skip(line, 1);
            h.received += line.n && line.p[0] == ':';
        }
        at = whole ? end + 2 : s.n;
    }
    h.octets = at;
    return h;
}

/* Fields of a section: each of its octets belongs to one, a name is a name, and what is found is the first of that name. */
static void fields(struct span section)
{
    struct span rest = section, value = header_find(section, SPAN("From"));
    struct header_field f;
    enum header_answer a;
    bool found = false;
    while ((a = header_next(&rest, &f)) != HEADER_END) {
        if (a != HEADER_FIELD) continue;
        must(f.name.n > 0 && f.name.p >= section.p && f.value.p + f.value.n == rest.p);
        for (size_t i = 0; i < f.name.n; i++)
            must(f.name.p[i] > 32 && f.name.p[i] < 127 && f.name.p[i] != ':');
        for (const uint8_t *p = f.name.p + f.name.n; p < f.value.p - 1; p++)
            must(*p == ' ' || *p == '\t');
        must(f.value.p[-1] == ':');
        for (size_t i = 0; i < f.value.n; i++) { /* a line ends with CR LF, and goes on with a blank */
            const uint8_t *c = f.value.p + i;
            must(*c != 0 && (*c != '\n' || c[-1] == '\r'));
            if (*c != '\r') continue;
            must(i + 1 < f.value.n && c[1] == '\n');
            must(i + 2 == f.value.n || c[2] == ' ' || c[2] == '\t');
        }
        if (!found && span_eq_nocase(f.name, SPAN("from"))) {
            found = true;
            must(value.p == f.value.p && value.n == f.value.n);
        }
    }
    must(rest.n == 0 && found == (value.p != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    size_t step = 1 + data[0] % 17;
    struct span rest = {data + 1, size - 1};
    struct header_scan whole, cut, plain = naive(rest);
    header_scan_begin(&whole);
    header_scan_feed(&whole, rest);
    header_scan_begin(&cut);
    bool ends;
    struct span section = header_section(rest, 200, &ends);
    must(section.n <= 200 && (section.n == 0 || section.p == rest.p));
    struct span value = header_find(section, SPAN("Received"));
    if (value.n) must(value.p > section.p && value.p + value.n <= section.p + section.n);
    fields(section);
    while (rest.n) {
        header_scan_feed(&cut, span_head(rest, step));
        rest = span_skip(rest, step);
    }
    must(whole.done == cut.done && whole.received == cut.received && whole.octets == cut.octets);
    must(whole.done == plain.done && whole.received == plain.received && whole.octets == plain.octets);
    if (ends && whole.done) must(section.n + 2 == whole.octets);
    return 0;
}

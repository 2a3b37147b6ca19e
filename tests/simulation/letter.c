#include "letter.h"

#include <stdlib.h>

static void add(struct letter *l, struct span s)
{
    memcpy(l->octets + l->n, s.p, s.n);
    l->n += s.n;
}

/* Lines that a careless server might take for something else. */
static const char *const traps[] = {
    ".\r\n",
    "..\r\n",
    ".\r\n.\r\n",
    "QUIT\r\n",
    "MAIL FROM:<evil@client.example>\r\nRCPT TO:<r0-0@dest.example>\r\nDATA\r\n",
    "BDAT 5 LAST\r\n",
    "\r\n\r\n",
    ". \r\n",
};
#define POISON(text)                                                                                         \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }
static const struct span poison[] = {
    POISON("x\n.\nMAIL FROM:<evil@client.example>\r\n"),
    POISON("\n.\r\nRCPT TO:<r0-0@dest.example>\r\n"),
    POISON("x\r\n.\nDATA\r\n"),
    POISON("x\r\n.\rQUIT\r\n"),
    POISON("x\r.\r\n"),
    POISON("x\0y\r\n"),
};

static void add_line(struct letter *l, struct sim_disk *dice)
{
    uint8_t line[76];
    size_t n = (size_t)roll(dice, sizeof line - 2);
    uint64_t word = 0;
    if (!l->bad && roll(dice, 10) == 0) {
        add(l, span_str(traps[roll(dice, sizeof traps / sizeof traps[0])]));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0) word = sim_random(dice);
        line[i] = (uint8_t)(word >> i % 8 * 8);
        if (line[i] == 0 || line[i] == '\r' || line[i] == '\n' || (l->bad && line[i] == '.'))
            line[i] = '.' + 1;
    }
    line[n] = '\r';
    line[n + 1] = '\n';
    add(l, span_of(line, n + 2));
}

static size_t wanted(struct letter *l, struct sim_disk *dice)
{
    switch (roll(dice, 16)) {
    case 0: l->bad = true; return LETTER_MAX_OCTETS + 200 + roll(dice, 3000);
    case 1:
    case 2: return roll(dice, LETTER_MAX_OCTETS - 1000);
    case 3: return 0;
    default: return roll(dice, 3000);
    }
}

void letter_write(struct letter *l, struct sim_disk *dice, uint32_t serial)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    *l = (struct letter){.serial = serial, .bdat = roll(dice, 2)};
    size_t want = wanted(l, dice);
    l->octets = malloc(LETTER_MAX_OCTETS * 2);
    if (!l->octets) abort();
    l->n_recipients = (uint8_t)(1 + roll(dice, 3) * roll(dice, 3));
    for (unsigned i = 0; i < l->n_recipients; i++)
        if (roll(dice, 6)) l->good |= (uint8_t)(1u << i);
    bool poisoned = !l->bad && roll(dice, 10) == 0, loops = !l->bad && !poisoned && roll(dice, 25) == 0;
    if (poisoned || loops) l->bad = true;
    for (unsigned i = 0; loops && i <= LETTER_MAX_RECEIVED; i++)
        add(l, SPAN("Received: from a by b; then\r\n"));
    buf_str(&b, "Subject: letter ");
    buf_u64(&b, serial);
    buf_str(&b, "\r\n\r\n");
    add(l, buf_span(&b));
    size_t poison_at = poisoned ? (size_t)roll(dice, want + 1) : SIZE_MAX;
    while (l->n < want || poisoned) {
        if (poisoned && l->n >= poison_at) {
            add(l, poison[roll(dice, sizeof poison / sizeof poison[0])]);
            poisoned = false;
        }
        add_line(l, dice);
    }
    if (l->bdat && !l->bad) l->unsent = roll(dice, 4) ? 0 : 1 + roll(dice, 2);
    if (l->unsent == 2 && l->octets[l->n - 3] == '\n')
        l->unsent = 0; /* an empty line would be missing, not a line end */
    l->octets = realloc(l->octets, l->n);
    if (!l->octets) abort();
}

void letter_free(struct letter *l)
{
    free(l->octets);
    l->octets = NULL;
}

void letter_put_sender(struct buf *b, const struct letter *l)
{
    buf_str(b, "s");
    buf_u64(b, l->serial);
    buf_str(b, "@client.example");
}

bool letter_serial(struct span path, uint64_t *serial)
{
    size_t at = span_find(path, '@');
    if (at == SPAN_NPOS || path.p[0] != 's' || !span_eq(span_skip(path, at), SPAN("@client.example")))
        return false;
    return span_u64(span_of(path.p + 1, at - 1), serial);
}

void letter_put_recipient(struct buf *b, const struct letter *l, unsigned i)
{
    buf_str(b, l->good >> i & 1 ? "r" : "nobody");
    buf_u64(b, i);
    buf_str(b, "-");
    buf_u64(b, l->serial);
    buf_str(b, "@dest.example");
}

unsigned letter_good(const struct letter *l)
{
    return (unsigned)__builtin_popcount(l->good);
}

void letter_put_good(struct buf *b, const struct letter *l, unsigned i)
{
    for (unsigned k = 0; k < l->n_recipients; k++)
        if (l->good >> k & 1 && i-- == 0) letter_put_recipient(b, l, k);
}

void letter_send(const struct letter *l, struct pipe *to)
{
    struct span rest = span_of(l->octets, l->n);
    bool begins = true;
    while (rest.n) { /* RFC 5321 4.5.2, honestly; a bad letter is sent as it is */
        size_t lf = span_find(rest, '\n');
        size_t n = lf == SPAN_NPOS ? rest.n : lf + 1;
        if (begins && !l->bad && rest.p[0] == '.') pipe_write(to, SPAN("."));
        pipe_write(to, span_head(rest, n));
        begins = n >= 2 && rest.p[n - 2] == '\r';
        rest = span_skip(rest, n);
    }
    pipe_write(to, SPAN(".\r\n"));
}

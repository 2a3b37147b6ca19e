#include "mail/field.h"

#include "base/utf8.h"

enum { FOLD_COLUMN = 78, PIECE_OCTETS = 200 /* of a word without blanks */ };

void field_begin(struct field *f, struct buf *b, const char *name, bool utf8)
{
    *f = (struct field){b, strlen(name) + 1, SPAN("\r\n\t"), utf8};
    buf_str(b, name);
    buf_byte(b, ':');
}

void field_word(struct field *f, struct span word)
{
    if (f->column > 1 && f->column + 1 + word.n > FOLD_COLUMN) {
        buf_put(f->b, f->fold);
        f->column = f->fold.n + 4; /* about: a tab is wider than its octet */
    } else {
        buf_byte(f->b, ' ');
        f->column++;
    }
    buf_put(f->b, word);
    f->column += word.n;
}

/* Octets of the character at the start of s, as they may be shown; *c when it is one octet. */
static size_t clean(struct span s, bool utf8, uint8_t *c)
{
    uint32_t code;
    size_t n = utf8_next(s, &code);
    *c = n == 1 && code >= 32 && code != 127 ? s.p[0] : '?';
    if (n > 1 && utf8 && !utf8_is_control(code)) return n;
    return 1;
}

void field_put_clean(struct buf *b, struct span text, bool utf8)
{
    while (text.n) {
        uint8_t c;
        size_t n = clean(text, utf8, &c);
        if (n > 1)
            buf_put(b, span_head(text, n));
        else
            buf_byte(b, c);
        text = span_skip(text, n);
    }
}

void field_text(struct field *f, struct span text, size_t max)
{
    uint8_t memory[PIECE_OCTETS];
    text = span_head(text, max);
    while (text.n) {
        struct buf piece = buf_on(memory, sizeof memory);
        size_t used = 0;
        while (used < text.n && text.p[used] != ' ' && buf_room(&piece) >= 4) {
            uint8_t c;
            size_t n = clean(span_skip(text, used), f->utf8, &c);
            if (n > 1)
                buf_put(&piece, span_head(span_skip(text, used), n));
            else
                buf_byte(&piece, c);
            used += n;
        }
        if (piece.n) field_word(f, buf_span(&piece));
        text = span_skip(text, used);
        while (text.n && text.p[0] == ' ')
            text = span_skip(text, 1);
    }
}

void field_end(struct field *f)
{
    buf_put(f->b, SPAN("\r\n"));
}

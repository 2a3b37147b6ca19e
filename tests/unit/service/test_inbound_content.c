/* inbound: content is read straight into the blocks it is stored in. Whatever shares such a block with it (commands behind it, the
 * next chunk, a refused rest) must neither be lost nor be stored, and what is stored must be what was sent. */
#include "inbound_fixture.h"

#include "smtp/dot.h"

enum {
    FIRST_LARGE = 4 * LIMIT_BLOCK_SMALL_OCTETS, /* content octets in front of the first large block */
    BODY_MAX = 1 << 20,
};

static uint64_t seed;

static unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* Lines of all lengths, many that begin with dots; n octets, whole lines. */
static void make_lines(uint8_t *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        size_t left = n - at, line = below(8) ? below(100) : below(3000);
        if (line + 2 >= left || left - line - 2 < 2) line = left - 2;
        for (size_t i = 0; i < line; i++)
            p[at + i] = (uint8_t)(i < 3 && below(3) == 0 ? '.' : 'a' + below(26));
        memcpy(p + at + line, "\r\n", 2);
        at += line + 2;
    }
}

/* As it goes over the wire by DATA: dots doubled, and the end. */
static size_t stuffed(char *to, const uint8_t *p, size_t n)
{
    struct buf b = buf_on(to, 2 * n + 16);
    uint8_t state = 0;
    dot_stuff(&state, span_of(p, n), &b);
    dot_finish(&state, &b);
    assert_false(b.over);
    return b.n;
}

static void assert_stored(const uint8_t *body, size_t n)
{
    assert_true(t.n_content > n);
    assert_memory_equal(t.content, "Received: ", 10);
    assert_memory_equal(t.content + t.n_content - n, body, n);
    assert_memory_equal(t.content + t.n_content - n - 2, "\r\n", 2); /* of our field: nothing is between */
}

/* Sends in pieces: the cuts of the wire are anywhere. */
static const char *say_in_pieces(int fd, const char *octets, size_t n, unsigned most)
{
    static char said[65536];
    size_t at = 0, got = 0;
    while (at < n) {
        size_t piece = 1 + below(most);
        if (piece > n - at) piece = n - at;
        const char *r = say(fd, octets + at, piece);
        got += (size_t)snprintf(said + got, sizeof said - got, "%s", r);
        at += piece;
    }
    return said;
}

static uint8_t body[BODY_MAX + 16];
static char wire_octets[2 * BODY_MAX + 4096];

static void test_any_content_by_data(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    for (seed = 1; seed <= 12;) {
        uint64_t keep = seed;
        size_t n = 2 + below(400000);
        make_lines(body, n);
        assert_non_null(strstr(line(fd, ENVELOPE "DATA\r\n"), "354 "));
        const char *r =
            say_in_pieces(fd, wire_octets, stuffed(wire_octets, body, n), keep % 2 ? 200000 : 70000);
        assert_non_null(strstr(r, "queued as"));
        assert_stored(body, n);
        seed = keep + 1;
    }
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

/* The end of the content around the end of a block, with commands and the next message behind it in the same piece. */
static void test_end_at_the_end_of_a_block(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "BDAT 3 LAST\r\nx\r\n");
    size_t added = t.n_content - 3; /* our Received field */
    for (size_t around = 0; around < 12; around++) {
        size_t n = FIRST_LARGE + 2 * LIMIT_BLOCK_LARGE_OCTETS - added + around - 8;
        seed = around + 100;
        make_lines(body, n);
        assert_non_null(strstr(line(fd, ENVELOPE "DATA\r\n"), "354 "));
        size_t sent = stuffed(wire_octets, body, n);
        sent += (size_t)sprintf(wire_octets + sent, "NOOP\r\n" ENVELOPE "BDAT 8 LAST\r\nsecond\r\nNOOP\r\n");
        t.hold = true; /* what is behind it waits while the message is with the spooler */
        say(fd, wire_octets, sent);
        assert_int_equal(t.commits, 2 * (around + 1));
        assert_stored(body, n);
        t.hold = false;
        answer_all();
        const char *r = line(fd, "");
        assert_non_null(strstr(r, "250 2.0.0 Ok\r\n250 2.1.0"));
        assert_int_equal(t.commits, 1 + 2 * (around + 1));
        assert_stored((const uint8_t *)"second\r\n", 8);
    }
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

/* Chunks that begin and end within a block, the last one without its line end and with a command right behind it. */
static void test_chunks_within_a_block(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    for (seed = 1; seed <= 12;) {
        uint64_t keep = seed;
        size_t n = 100000 + below(200000), at = 0, sent = 0;
        make_lines(body, n);
        size_t whole = n;
        if (keep % 3) n -= 2; /* the line end that is missing is added */
        sent = (size_t)sprintf(wire_octets, ENVELOPE);
        unsigned chunks = 0;
        while (at < n) {
            size_t chunk = below(4) ? 1 + below(30000) : 1 + below(5);
            if (chunk > n - at) chunk = n - at;
            sent +=
                (size_t)sprintf(wire_octets + sent, "BDAT %zu%s\r\n", chunk, at + chunk == n ? " LAST" : "");
            memcpy(wire_octets + sent, body + at, chunk);
            sent += chunk;
            at += chunk;
            chunks++;
        }
        sent += (size_t)sprintf(wire_octets + sent, "VRFY x\r\nNOOP\r\n");
        const char *r = say_in_pieces(fd, wire_octets, sent, 90000);
        unsigned taken = 0;
        for (const char *p = r; (p = strstr(p, "Chunk accepted")); p++)
            taken++;
        assert_int_equal(taken, chunks - 1);
        assert_non_null(strstr(r, "queued as"));
        assert_non_null(strstr(r, "252 "));
        assert_non_null(strstr(r, "250 2.0.0 Ok"));
        assert_stored(body, whole);
        seed = keep + 1;
    }
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

/* Content is refused in the middle of a block: the block goes back, another session fills it, what is unread is not touched. */
static void test_refused_in_the_middle(void **state)
{
    (void)state;
    static const char behind[] = "\r\n.\r\n" ENVELOPE "BDAT 8 LAST\r\nsecond\r\nNOOP\r\n";
    int fd = client(PLAIN_PORT);
    greeted(fd);
    for (size_t bad = 20000; bad < 180000; bad += 9999) {
        size_t n = bad + 3000;
        memset(wire_octets, 'x', n);
        for (size_t i = 78; i + 2 < n; i += 80)
            memcpy(wire_octets + i, "\r\n", 2);
        wire_octets[bad] = 0;
        memcpy(wire_octets + n, behind, sizeof behind - 1);
        assert_non_null(strstr(line(fd, ENVELOPE "DATA\r\n"), "354 "));
        const char *r = say(fd, wire_octets, n + sizeof behind - 1);
        assert_non_null(strstr(r, "550 5.6."));
        assert_non_null(strstr(r, "queued as"));
        assert_non_null(strstr(r, "250 2.0.0 Ok"));
        assert_stored((const uint8_t *)"second\r\n", 8);
    }
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

/* The client goes in the middle of a block that it was reading into. */
static void test_reset_in_the_middle(void **state)
{
    (void)state;
    for (size_t n = 9000; n < 300000; n += 33333) {
        int fd = client(PLAIN_PORT);
        greeted(fd);
        line(fd, ENVELOPE "DATA\r\n");
        memset(wire_octets, 'x', n);
        say(fd, wire_octets, n);
        reset(fd);
        turns(8);
        assert_at_rest();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_any_content_by_data, set_up),
        cmocka_unit_test_setup(test_any_content_by_data, set_up_small),
        cmocka_unit_test_setup(test_end_at_the_end_of_a_block, set_up),
        cmocka_unit_test_setup(test_chunks_within_a_block, set_up),
        cmocka_unit_test_setup(test_chunks_within_a_block, set_up_small),
        cmocka_unit_test_setup(test_refused_in_the_middle, set_up),
        cmocka_unit_test_setup(test_reset_in_the_middle, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

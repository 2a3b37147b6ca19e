/* What principals may do: rights, groups, senders. */
#include "cmd/user_rights.h"

#include "cmd/complain.h"
#include "policy/right.h"

bool user_rights_read(struct user_call *u, const char *text, uint32_t *ret)
{
    struct span rest = span_str(text);

    while (rest.n) {
        struct span name = span_head(rest, span_find(rest, ','));
        uint32_t right = right_find(name);
        rest = span_skip(rest, name.n + 1);
        if (!right) {
            command_usage(u->v, "no such right; there are " RIGHT_NAMES, text);
            return false;
        }
        *ret |= right;
    }
    return true;
}

static enum change each(struct user_call *u, struct change_subject to, uint32_t rights, bool granted)
{
    enum change all = CHANGE_NONE;
    for (uint32_t bit = 1; bit && bit <= rights; bit <<= 1) {
        enum change one = rights & bit ? change_grant(u->identity, to, bit, granted) : CHANGE_NONE;
        if (one == CHANGE_FAILED) return one;
        if (one == CHANGE_DONE) all = CHANGE_DONE;
    }
    return all;
}

enum change user_rights_give(struct user_call *u, struct change_subject to, uint32_t rights)
{
    return each(u, to, rights, true);
}

/* The words from the second on, for the audit; cut where there is no room. */
static const char *rest_of(const struct user_call *u, char memory[USER_SHOWN_OCTETS])
{
    static const char more[] = " ...";
    struct buf b = buf_on(memory, USER_SHOWN_OCTETS - sizeof more);
    for (int i = 1; i < u->n_words; i++) {
        if (i > 1) buf_byte(&b, ' ');
        buf_str(&b, u->words[i]);
    }
    memcpy(memory + b.n, b.over ? more : "", b.over ? sizeof more : 1);
    return memory;
}

/* --- groups */

static bool group_name(struct user_call *u, struct span *ret)
{
    *ret = span_str(u->words[0]);
    if (user_is_label(u->words[0])) return true;
    command_usage(u->v, "a group's name has up to 64 letters, digits, hyphens, dots and underscores",
                  u->words[0]);
    return false;
}

bool user_group_number(struct user_call *u, struct span name, uint32_t *ret)
{
    enum identity_found found = change_find_team(u->identity, name, ret);
    if (found == IDENTITY_UNREADABLE)
        complain(EXIT_NO, "the groups cannot be read: %s", change_why(u->identity));
    if (found == IDENTITY_UNKNOWN) complain(EXIT_NO, "there is no group %.*s", SPAN_ARG(name));
    return found == IDENTITY_FOUND;
}

/* --- grant and revoke */

static int set_rights(struct user_call *u, bool granted)
{
    struct change_subject to = {.team = u->group != NULL};
    uint32_t rights = 0;
    struct span name;
    char names[USER_SHOWN_OCTETS];
    struct buf b = buf_on(names, sizeof names);

    if (!(u->group ? group_name(u, &name) : user_name(u, &name))) return EXIT_USAGE;
    for (int i = 1; i < u->n_words; i++)
        if (!user_rights_read(u, u->words[i], &rights)) return EXIT_USAGE;
    if (!rights) return command_usage(u->v, "which right? There are " RIGHT_NAMES, NULL);
    if (!(u->group ? user_group_number(u, name, &to.number) : user_number(u, name, &to.number)) ||
        !user_begin(u))
        return EXIT_NO;
    right_put_names(&b, rights, ' ');
    return user_end(u, each(u, to, rights, granted),
                    granted ? "all of that was granted already"
                            : "none of that was granted (a right of a group is revoked with --group)",
                    granted ? "%s%.*s may: %.*s" : "%s%.*s may not any more: %.*s", u->group ? "group " : "",
                    SPAN_ARG(name), SPAN_ARG(buf_span(&b)));
}

int user_grant(struct user_call *u)
{
    return set_rights(u, true);
}

int user_revoke(struct user_call *u)
{
    return set_rights(u, false);
}

/* --- group */

/* Members named from the second word on. */
static enum change each_member(struct user_call *u, uint32_t team, bool member, bool *complained)
{
    enum change all = CHANGE_NONE;
    for (int i = 1; i < u->n_words; i++) {
        uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        uint32_t number;
        *complained = true;
        if (!identity_name(span_str(u->words[i]), SPAN(""), &b)) {
            command_usage(u->v, "this is no name of a user (write name@domain)", u->words[i]);
            return CHANGE_FAILED;
        }
        if (!user_number(u, buf_span(&b), &number)) return CHANGE_FAILED;
        *complained = false;
        enum change one = change_member(u->identity, team, number, member);
        if (one == CHANGE_FAILED) return one;
        if (one == CHANGE_DONE) all = CHANGE_DONE;
    }
    return all;
}

static int give_up(struct user_call *u)
{
    change_undo(u->identity);
    return EXIT_NO;
}

int user_group_add(struct user_call *u)
{
    struct span name;
    uint32_t team = 0;
    bool complained = false;
    char shown[USER_SHOWN_OCTETS];

    if (!group_name(u, &name)) return EXIT_USAGE;
    if (!user_begin(u)) return EXIT_NO;
    enum change made = change_team(u->identity, name, true, &team);
    if (made == CHANGE_FAILED) return user_failed(u);
    if (made == CHANGE_NONE && !user_group_number(u, name, &team)) return give_up(u);
    enum change members = each_member(u, team, true, &complained);
    if (complained) return give_up(u);
    if (members == CHANGE_NONE && made == CHANGE_DONE) members = CHANGE_DONE;
    return user_end(u, members, "it is so already",
                    made != CHANGE_DONE ? "group %.*s has more: %s"
                    : u->n_words > 1    ? "group %.*s was made, with: %s"
                                        : "group %.*s was made%s",
                    SPAN_ARG(name), rest_of(u, shown));
}

int user_group_remove(struct user_call *u)
{
    struct span name;
    uint32_t team = 0;
    bool complained = false;
    char shown[USER_SHOWN_OCTETS];

    if (!group_name(u, &name)) return EXIT_USAGE;
    if (!user_group_number(u, name, &team) || !user_begin(u)) return EXIT_NO;
    if (u->n_words == 1)
        return user_end(u, change_team(u->identity, name, false, NULL), "it was removed meanwhile",
                        "group %.*s was removed, and what was granted to it", SPAN_ARG(name));
    enum change change = each_member(u, team, false, &complained);
    if (complained) return give_up(u);
    return user_end(u, change, "none of them is a member", "group %.*s has fewer: %s", SPAN_ARG(name),
                    rest_of(u, shown));
}

/* --- sender */

/* An address, "@domain" or "*", in canonical form. */
static bool read_pattern(struct user_call *u, const char *text, struct buf *ret)
{
    struct span written = span_str(text);
    bool domain = written.n > 1 && written.p[0] == '@';
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf whole = buf_on(memory, sizeof memory);

    if (span_eq(written, SPAN("*"))) {
        buf_put(ret, written);
        return true;
    }
    if (domain) buf_byte(&whole, 'x');                        /* a local part for the grammar */
    if (written.p[0] == '*') written = span_head(written, 0); /* "*@domain" is written "@domain" */
    buf_put(&whole, written);
    struct buf key = buf_on(u->name_memory, sizeof u->name_memory);
    if (!whole.over && span_find(written, '@') != SPAN_NPOS &&
        identity_name(buf_span(&whole), SPAN(""), &key)) {
        buf_put(ret, span_skip(buf_span(&key), domain ? 1 : 0));
        if (!ret->over) return true;
    }
    command_usage(u->v, "write an address, @domain or \"*\"", text);
    return false;
}

static int set_senders(struct user_call *u, bool allowed)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS], pattern_memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name_copy = buf_on(memory, sizeof memory);
    struct span name;
    uint32_t number;
    enum change all = CHANGE_NONE;
    char shown[USER_SHOWN_OCTETS];

    if (!user_name(u, &name)) return EXIT_USAGE;
    buf_put(&name_copy, name);
    name = buf_span(&name_copy);
    if (!user_number(u, name, &number) || !user_begin(u)) return EXIT_NO;
    for (int i = 1; i < u->n_words; i++) {
        struct buf pattern = buf_on(pattern_memory, sizeof pattern_memory);
        if (!read_pattern(u, u->words[i], &pattern)) {
            change_undo(u->identity);
            return EXIT_USAGE;
        }
        enum change one = change_sender(u->identity, number, buf_span(&pattern), allowed);
        if (one == CHANGE_FAILED) return user_failed(u);
        if (one == CHANGE_DONE) all = CHANGE_DONE;
    }
    return user_end(u, all, allowed ? "it may send from there already" : "none of that was listed",
                    allowed ? "%.*s may send from: %s" : "%.*s may not send any more from: %s",
                    SPAN_ARG(name), rest_of(u, shown));
}

int user_sender_add(struct user_call *u)
{
    return set_senders(u, true);
}

int user_sender_remove(struct user_call *u)
{
    return set_senders(u, false);
}

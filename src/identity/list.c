#include "identity/list.h"

#include "identity/identity_private.h"

/* The first octet of a column's name says how its values are meant, when it is none of a name. */
static const struct {
    char mark;
    enum list_type type;
} marks[] = {{'?', LIST_YES_NO}, {'@', LIST_TIME}, {'!', LIST_RIGHTS}, {'*', LIST_NAMES}};

static const char *const queries[] = {
    [LIST_USERS] =
        "SELECT name AS user, kind=2 AS \"?host\", mailbox AS \"?mailbox\", locked AS \"?locked\","
        " crypt IS NOT NULL OR EXISTS (SELECT 1 FROM scram WHERE principal=p.number) AS \"?password\","
        " EXISTS (SELECT 1 FROM scram WHERE principal=p.number AND hash=256) AS \"?scram_sha_256\","
        " EXISTS (SELECT 1 FROM scram WHERE principal=p.number AND hash=1) AS \"?scram_sha_1\","
        " nt IS NOT NULL AS \"?nt\", cram IS NOT NULL AS \"?cram\","
        " (SELECT sum(permits) FROM (SELECT permits FROM granted WHERE principal=p.number UNION"
        "   SELECT permits FROM granted JOIN member ON member.team=granted.team WHERE "
        "member.principal=p.number))"
        "   AS \"!rights\","
        " (SELECT group_concat(name) FROM (SELECT team.name AS name FROM member JOIN team ON "
        "team.number=member.team"
        "   WHERE member.principal=p.number ORDER BY team.name)) AS \"*groups\","
        " (SELECT count(*) FROM app WHERE principal=p.number) AS apps,"
        " made AS \"@made\" FROM principal AS p WHERE (?1='' OR name=?1) ORDER BY number",
    [LIST_GROUPS] =
        "SELECT name AS \"group\", (SELECT sum(permits) FROM granted WHERE team=t.number) AS \"!rights\","
        " (SELECT count(*) FROM member WHERE team=t.number) AS members"
        " FROM team AS t WHERE ?1='' ORDER BY name",
    [LIST_MEMBERS] =
        "SELECT principal.name AS user FROM team JOIN member ON member.team=team.number"
        " JOIN principal ON principal.number=member.principal WHERE team.name=?1 ORDER BY principal.name",
    [LIST_SENDERS] = "SELECT name AS user, pattern AS sender FROM sender JOIN principal"
                     " ON principal.number=sender.principal WHERE (?1='' OR name=?1) ORDER BY name, pattern",
    [LIST_APPS] = "SELECT name AS user, label,"
                  " (SELECT group_concat(network) FROM (SELECT network FROM app_network WHERE app=app.number"
                  "   ORDER BY network)) AS \"*networks\","
                  " expires AS \"@expires\","
                  " EXISTS (SELECT 1 FROM scram WHERE scram.app=app.number AND hash=1) AS \"?scram_sha_1\","
                  " app.nt IS NOT NULL AS \"?nt\", app.cram IS NOT NULL AS \"?cram\","
                  " app.made AS \"@made\" FROM app JOIN principal ON principal.number=app.principal"
                  " WHERE (?1='' OR name=?1) ORDER BY name, label",
    [LIST_CERTIFICATES] = "SELECT name AS user, lower(hex(sha256)) AS key, label, pinned.made AS \"@made\""
                          " FROM pinned JOIN principal ON principal.number=pinned.principal"
                          " WHERE (?1='' OR name=?1) ORDER BY name, pinned.made, sha256",
    [LIST_AUDIT] = "SELECT made AS \"@time\", uid, who, what FROM audit WHERE ?1='' OR substr(what, 1, "
                   "length(?1))=?1 ORDER BY number",
};

static struct list_value value_at(sqlite3_stmt *s, int at)
{
    struct list_value v = {.name = span_str(sqlite3_column_name(s, at))};
    const int type = sqlite3_column_type(s, at);
    v.type = type == SQLITE_INTEGER ? LIST_NUMBER : type == SQLITE_NULL ? LIST_NOTHING : LIST_TEXT;
    for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
        if (v.name.n == 0 || v.name.p[0] != (uint8_t)marks[k].mark) continue;
        v.name = span_skip(v.name, 1);
        const bool empty =
            marks[k].type == LIST_RIGHTS || marks[k].type == LIST_NAMES; /* no row: an empty set */
        if (v.type != LIST_NOTHING || empty) v.type = marks[k].type;
    }
    if (type == SQLITE_TEXT) v.text = identity_column(s, at);
    if (type == SQLITE_INTEGER) v.number = sqlite3_column_int64(s, at);
    return v;
}

bool list_each(struct identity *i, enum list what, struct span of, list_row_fn *row, void *context,
               const char **why)
{
    sqlite3_stmt *s = identity_prepare(i, queries[what]);
    enum identity_found found;

    identity_bind_text(s, 1, of);
    while ((found = identity_step(s)) == IDENTITY_FOUND) {
        struct list_value values[LIST_COLUMNS];
        unsigned n = (unsigned)sqlite3_column_count(s);
        if (n > LIST_COLUMNS) n = LIST_COLUMNS;
        for (unsigned k = 0; k < n; k++)
            values[k] = value_at(s, (int)k);
        row(context, values, n);
    }
    *why = identity_why(i);
    return found == IDENTITY_UNKNOWN;
}

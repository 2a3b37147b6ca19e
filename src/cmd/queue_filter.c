#include "cmd/queue_filter.h"

void queue_filter_options(struct queue_filter *f, struct command_option *rows)
{
    const struct command_option all[QUEUE_FILTER_OPTIONS] = {
        {"--state", &f->state, false, false},   {"--from", &f->from, false, false},
        {"--to", &f->to, false, false},         {"--domain", &f->domain, false, false},
        {"--reason", &f->reason, false, false}, {"--destination", &f->destination, false, false},
        {"--larger", &f->larger, false, false}, {"--smaller", &f->smaller, false, false},
        {"--older", &f->older, false, false},   {"--newer", &f->newer, false, false},
    };
    memcpy(rows, all, sizeof all);
}

struct unit {
    char letter;
    uint64_t factor;
};

static bool read_units(struct span text, const struct unit *units, size_t n, uint64_t plain, uint64_t *ret)
{
    uint64_t factor = plain, value;
    for (size_t i = 0; text.n > 1 && i < n; i++)
        if ((text.p[text.n - 1] | 32) == units[i].letter) {
            factor = units[i].factor;
            text.n--;
            break;
        }
    if (!span_u64(text, &value) || value > INT64_MAX / factor) return false;
    *ret = value * factor;
    return true;
}

bool queue_filter_octets(struct span text, uint64_t *ret)
{
    static const struct unit units[] = {{'k', 1024}, {'m', 1048576}, {'g', 1073741824}};
    return read_units(text, units, sizeof units / sizeof units[0], 1, ret);
}

bool queue_filter_age(struct span text, uint64_t *ret)
{
    static const struct unit units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    return read_units(text, units, sizeof units / sizeof units[0], 1000, ret);
}

bool queue_filter_read(const struct command_call *v, const struct queue_filter *f,
                       struct question_filter *ret)
{
    if (f->state && !control_states_read(span_str(f->state), &ret->states)) {
        command_usage(v, "--state is a list of queued, deferred, held", f->state);
        return false;
    }
    ret->from = span_str(f->from);
    ret->to = span_str(f->to);
    ret->domain = span_str(f->domain);
    ret->reason = span_str(f->reason);
    ret->destination = span_str(f->destination);
    const struct {
        const char *given;
        uint64_t *to;
        bool (*read)(struct span, uint64_t *);
        const char *what;
    } numbers[] = {{f->larger, &ret->larger, queue_filter_octets, "--larger is a size like 200K or 10M"},
                   {f->smaller, &ret->smaller, queue_filter_octets, "--smaller is a size like 200K or 10M"},
                   {f->older, &ret->older_ms, queue_filter_age, "--older is a time like 30m, 4h or 5d"},
                   {f->newer, &ret->newer_ms, queue_filter_age, "--newer is a time like 30m, 4h or 5d"}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].given && !numbers[i].read(span_str(numbers[i].given), numbers[i].to)) {
            command_usage(v, numbers[i].what, numbers[i].given);
            return false;
        }
    return true;
}

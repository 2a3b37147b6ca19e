/* What is explained is a configuration file; here whether the running service has read that same one, or it is a candidate. */
#include "cmd/control_client.h"
#include "cmd/explain_private.h"
#include "cmd/json.h"

struct live_config {
    bool any;
    uint64_t digest;
};

static void on_status(void *context, struct span line)
{
    struct live_config *l = context;
    l->any |= span_u64(json_member(line, "configuration"), &l->digest);
}

void explain_config(struct explain_call *x, const struct config_load *load)
{
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1], socket[LIMIT_CONFIG_PATH_OCTETS + 1];
    const struct control_request r = {.verb = CONTROL_STATUS, .filter = QUESTION_FILTER_ANY};
    enum control_status status = CONTROL_FAILED;
    struct live_config live = {.any = false};
    snprintf(socket, sizeof socket, "%.*s", SPAN_ARG(load->config->control_socket));
    enum control_client_outcome outcome = control_client_ask(socket, &r, on_status, &live, &status, text);
    bool told = outcome == CONTROL_CLIENT_ANSWERED && status == CONTROL_OK && live.any;
    bool same = told && live.digest == config_bundle_digest(load->sources, load->n_sources);
    struct buf *b = explain_begin(x->e, "config");
    buf_put(b, load->config->file);
    buf_str(b, same   ? ": the running service has read it as it is"
               : told ? ": the running service has read another one, or not yet this one (sallyport reload)"
                      : ": no service says that it has read it");
    explain_field(x->e, "file", load->config->file);
    explain_end(x->e, same ? "config.live" : told ? "config.candidate" : "config.no-service");
}

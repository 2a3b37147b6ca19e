#include "service/inbound_private.h"

/* DESIGN 8 and RFC 5321 4.5.3.2: what the config says of a virtual server, as the engine wants it. */
void inbound_conf_fill(struct server_conf *conf, const struct config_server *server, bool certificate)
{
    const struct config_limits *l = &server->limits;
    *conf = (struct server_conf){
        .hostname = server->hostname,
        .banner = server->banner,
        .extensions = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_BINARYMIME | EXT_CHUNKING |
                      EXT_SMTPUTF8 | EXT_DSN | EXT_ENHANCEDSTATUSCODES | EXT_LIMITS | EXT_HELP |
                      (certificate ? EXT_STARTTLS : 0),
        .require_tls = server->require_tls,
        .mechanisms = certificate || server->n_clear_auth ? server->mechanisms : 0,
        .max_auth_failures = LIMIT_AUTH_FAILURES_DEFAULT,
        .any_hello = server->profile == PROFILE_LEGACY_DEVICE,
        .normalize_bare_lf = server->normalize_bare_lf,
        .max_recipients = l->recipients,
        .max_messages = l->messages_per_session,
        .max_errors = l->errors,
        .max_junk = l->junk_commands,
        .max_received = l->received_fields,
        .max_message_octets = l->message_octets,
        .max_session_octets = l->session_octets,
        .max_line_octets = l->line_octets,
        .command_seconds = l->command_seconds,
        .data_block_seconds = l->data_block_seconds,
        .session_seconds = l->session_seconds,
        .message_seconds = l->message_seconds,
        .minimum_rate = l->minimum_rate,
    };
}

/* What a server offers depends on the door: one that says tls none has neither STARTTLS nor logins that need it. */
const struct server_conf *inbound_conf(const struct inbound *in, unsigned server, unsigned listener)
{
    bool bare = in->setup.config->servers[server].listeners[listener].tls == TLS_NONE;
    return bare ? &in->bare[server] : &in->conf[server];
}

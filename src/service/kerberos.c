#include "service/kerberos.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <time.h>

#include "sasl/keytab.h"
#include "service/kerberos_keys.h"
#include "service/kerberos_seen.h"

enum { ENCRYPTIONS_MAX = 16 };

struct kerberos {
    struct kerberos_keys *keys;
    struct kerberos_seen *seen;
};

struct kerberos_acceptor {
    struct kerberos_seen *seen;
    gss_cred_id_t kerberos, spnego;
};

static char kerberos_oid_octets[] = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
            spnego_oid_octets[] = "\x2b\x06\x01\x05\x05\x02";
static gss_OID_desc kerberos_oid = {9, kerberos_oid_octets}, spnego_oid = {6, spnego_oid_octets};

static gss_buffer_desc buffer_of(struct span s)
{
    return (gss_buffer_desc){s.n, (void *)(uintptr_t)s.p}; /* the library reads it */
}

/* --- of the process */

/* An empty list of configuration files is no configuration. With files, the library would look at them each second. */
static bool close_off(void)
{
    return setenv("KRB5_CONFIG", "", 1) == 0 && setenv("GSS_MECH_CONFIG", "", 1) == 0 &&
           setenv("KRB5RCACHENAME", "none:", 1) == 0 && unsetenv("KRB5_TRACE") == 0 &&
           unsetenv("KRB5_KTNAME") == 0;
}

struct kerberos *kerberos_create(struct span keytab, const struct config_kerberos *c, const char **why)
{
    *why = "no memory";
    struct kerberos *k = close_off() ? calloc(1, sizeof *k) : NULL;
    if (!k) return NULL;
    tzset(); /* the library wants to know the time zone of its times */
    k->seen = kerberos_seen_create();
    k->keys = k->seen ? kerberos_keys_create(keytab, c, why) : NULL;
    if (!k->keys) kerberos_free(&k);
    return k;
}

void kerberos_free(struct kerberos **k)
{
    if (!*k) return;
    kerberos_keys_free(&(*k)->keys);
    kerberos_seen_free(&(*k)->seen);
    free(*k);
    *k = NULL;
}

/* --- of a thread */

static bool acquire(gss_OID mechanism, gss_cred_id_t *ret)
{
    OM_uint32 minor, encryptions[ENCRYPTIONS_MAX], n = 0;
    gss_OID_set_desc mechanisms = {1, mechanism}, inner = {1, &kerberos_oid};
    gss_key_value_element_desc options[] = {{"keytab", KERBEROS_KEYS_NAME}, {"rcache", "none:"}};
    const gss_key_value_set_desc store = {2, options};
    while (n < ENCRYPTIONS_MAX && keytab_encryptions[n] != 0) {
        encryptions[n] = (OM_uint32)keytab_encryptions[n];
        n++;
    }
    return gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT, &store,
                                 ret, NULL, NULL) == GSS_S_COMPLETE &&
           gss_krb5_set_allowable_enctypes(&minor, *ret, n, (krb5_enctype *)encryptions) == GSS_S_COMPLETE &&
           (mechanism != &spnego_oid || gss_set_neg_mechs(&minor, *ret, &inner) == GSS_S_COMPLETE);
}

/* What the library does at first use it does now: before the cage. */
static void warm_up(struct kerberos_acceptor *a)
{
    static const uint8_t kerberos[] = {0x60, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 1, 0},
                         spnego[] = {0x60, 8, 6, 6, 0x2b, 6, 1, 5, 5, 2};
    const struct span tokens[] = {span_of(kerberos, sizeof kerberos), span_of(spnego, sizeof spnego)};
    uint8_t memory[LIMIT_SASL_CHALLENGE_OCTETS];
    for (unsigned i = 0; i < 2; i++) {
        struct buf out = buf_on(memory, sizeof memory);
        struct kerberos_session s = {.context = NULL};
        (void)kerberos_accept(a, &s, i == 1, tokens[i], NULL, &out);
        kerberos_session_end(&s);
    }
}

struct kerberos_acceptor *kerberos_acceptor_create(struct kerberos *k)
{
    struct kerberos_acceptor *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->seen = k->seen;
    if (!acquire(&kerberos_oid, &a->kerberos) || !acquire(&spnego_oid, &a->spnego)) {
        kerberos_acceptor_free(&a);
        return NULL;
    }
    warm_up(a);
    return a;
}

void kerberos_acceptor_free(struct kerberos_acceptor **a)
{
    OM_uint32 minor;
    if (!*a) return;
    (void)gss_release_cred(&minor, &(*a)->kerberos);
    (void)gss_release_cred(&minor, &(*a)->spnego);
    free(*a);
    *a = NULL;
}

/* --- of a session */

void kerberos_session_end(struct kerberos_session *s)
{
    OM_uint32 minor;
    gss_ctx_id_t context = s->context;
    if (context) (void)gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
    s->context = NULL;
}

static void put_status(struct buf *b, OM_uint32 status, int kind, gss_OID mechanism)
{
    OM_uint32 minor, more = 0;
    gss_buffer_desc text = {0, NULL};
    if (gss_display_status(&minor, status, kind, mechanism, &more, &text) != GSS_S_COMPLETE) return;
    if (b->n > 0) buf_str(b, ": ");
    buf_put(b, span_head(span_of(text.value, text.length), buf_room(b)));
    (void)gss_release_buffer(&minor, &text);
}

static enum kerberos_result refused(struct kerberos_session *s, OM_uint32 major, OM_uint32 minor,
                                    gss_OID mechanism)
{
    struct buf detail = buf_on(s->detail, sizeof s->detail);
    OM_uint32 error = GSS_ROUTINE_ERROR(major);
    s->reason = error == GSS_S_BAD_BINDINGS ? LOGIN_REASON_BINDING
                : error == GSS_S_BAD_MECH   ? LOGIN_REASON_MECHANISM
                                            : LOGIN_REASON_TICKET;
    if (error != GSS_S_FAILURE) put_status(&detail, error, GSS_C_GSS_CODE, GSS_C_NO_OID);
    if (minor) put_status(&detail, minor, GSS_C_MECH_CODE, mechanism);
    s->detail_n = detail.n;
    return KERBEROS_REFUSED;
}

/* Whose ticket it is. */
static void take_name(struct kerberos_session *s, gss_name_t name)
{
    OM_uint32 minor;
    gss_buffer_desc text = {0, NULL};
    gss_OID type = GSS_C_NO_OID;
    if (gss_display_name(&minor, name, &text, &type) != GSS_S_COMPLETE) return;
    s->anonymous |= type && gss_oid_equal(type, GSS_C_NT_ANONYMOUS);
    if (text.length > 0 && text.length <= sizeof s->principal) {
        memcpy(s->principal, text.value, text.length);
        s->principal_n = text.length;
    }
    (void)gss_release_buffer(&minor, &text);
}

struct step { /* one call of the library */
    OM_uint32 major, minor, flags;
    gss_name_t name;
    gss_buffer_desc out;
};

static struct step call(struct kerberos_acceptor *a, struct kerberos_session *s, bool spnego,
                        struct span token, const char *type, struct span binding)
{
    struct step step = {.name = GSS_C_NO_NAME};
    uint8_t memory[64 + LIMIT_END_POINT_OCTETS];
    struct buf data = buf_on(memory, sizeof memory);
    struct gss_channel_bindings_struct bindings = {.initiator_addrtype = GSS_C_AF_UNSPEC,
                                                   .acceptor_addrtype = GSS_C_AF_UNSPEC};
    gss_buffer_desc in = buffer_of(token);
    gss_ctx_id_t context = s->context;
    buf_str(&data, type);
    buf_put(&data, binding);
    bindings.application_data = buffer_of(buf_span(&data));
    step.major = gss_accept_sec_context(&step.minor, &context, spnego ? a->spnego : a->kerberos, &in,
                                        binding.n ? &bindings : GSS_C_NO_CHANNEL_BINDINGS, &step.name, NULL,
                                        &step.out, &step.flags, NULL, NULL);
    s->context = context;
    return step;
}

static void step_end(struct step *step)
{
    OM_uint32 minor;
    (void)gss_release_name(&minor, &step->name);
    (void)gss_release_buffer(&minor, &step->out);
}

/* A client binds to the end point (RFC 5929 4) or to an exported key (RFC 9266), and does not say to which. */
static struct step call_bound(struct kerberos_acceptor *a, struct kerberos_session *s, bool spnego,
                              struct span token, const struct kerberos_tls *b)
{
    bool first = s->context == NULL;
    struct step step = call(a, s, spnego, token, "tls-server-end-point:", b ? b->end_point : SPAN(""));
    if (!b || !first || b->exporter.n == 0 || GSS_ROUTINE_ERROR(step.major) != GSS_S_BAD_BINDINGS)
        return step;
    step_end(&step);
    kerberos_session_end(s);
    return call(a, s, spnego, token, "tls-exporter:", b->exporter);
}

enum kerberos_result kerberos_accept(struct kerberos_acceptor *a, struct kerberos_session *s, bool spnego,
                                     struct span token, const struct kerberos_tls *bindings, struct buf *out)
{
    enum kerberos_result result = KERBEROS_MORE;
    struct step step = call_bound(a, s, spnego, token, bindings);
    if (GSS_ERROR(step.major)) {
        result = refused(s, step.major, step.minor, spnego ? &spnego_oid : &kerberos_oid);
    } else {
        buf_put(out, span_of(step.out.value, step.out.length));
        if (out->over) result = KERBEROS_FAILED;
        if (!(step.major & GSS_S_CONTINUE_NEEDED) && !out->over) {
            result = KERBEROS_DONE;
            s->anonymous = step.flags & GSS_C_ANON_FLAG;
            s->bound = step.flags & GSS_C_CHANNEL_BOUND_FLAG;
            take_name(s, step.name);
        }
    }
    step_end(&step);
    return result;
}

bool kerberos_wrap(struct kerberos_session *s, struct span plain, struct buf *out)
{
    OM_uint32 minor;
    gss_buffer_desc in = buffer_of(plain), wrapped = {0, NULL};
    if (gss_wrap(&minor, s->context, 0, GSS_C_QOP_DEFAULT, &in, NULL, &wrapped) != GSS_S_COMPLETE)
        return false;
    buf_put(out, span_of(wrapped.value, wrapped.length));
    (void)gss_release_buffer(&minor, &wrapped);
    return !out->over;
}

/* The library allots an octet for an empty message, and does not release it. */
static void release_text(gss_buffer_desc *text)
{
    OM_uint32 minor;
    if (text->length == 0) {
        free(text->value);
        text->value = NULL;
    }
    (void)gss_release_buffer(&minor, text);
}

bool kerberos_unwrap(struct kerberos_session *s, struct span message, struct buf *plain)
{
    OM_uint32 minor;
    gss_buffer_desc in = buffer_of(message), text = {0, NULL};
    /* what is out of order or old is no error for the library, but one here: supplementary bits */
    bool good = gss_unwrap(&minor, s->context, &in, &text, NULL, NULL) == GSS_S_COMPLETE;
    if (good) buf_put(plain, span_of(text.value, text.length));
    release_text(&text);
    return good && !plain->over;
}

/* What a client chose by chance for this login alone: its key, and the number it counts its messages from. */
bool kerberos_is_new(struct kerberos_acceptor *a, struct kerberos_session *s, uint64_t unix_seconds)
{
    OM_uint32 minor;
    gss_ctx_id_t context = s->context;
    void *opened = NULL;
    uint8_t hash[SHA256_DIGEST_LENGTH];
    OM_uint32 major = gss_krb5_export_lucid_sec_context(&minor, &context, 1, &opened);
    s->context = context;
    if (major != GSS_S_COMPLETE) return false;
    const gss_krb5_lucid_context_v1_t *c = opened;
    const gss_krb5_lucid_key_t *key = &c->cfx_kd.ctx_key;
    uint64_t first = c->recv_seq; /* that of its first message, however many came */
    s->ends = c->endtime;
    uint8_t memory[sizeof first + 64];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, span_of(&first, sizeof first));
    buf_put(&b, span_of(key->data, key->length));
    bool good = c->version == 1 && c->protocol == 1 && !b.over && SHA256(memory, b.n, hash) != NULL &&
                kerberos_seen_add(a->seen, hash, unix_seconds);
    explicit_bzero(memory, sizeof memory);
    (void)gss_krb5_free_lucid_sec_context(&minor, opened);
    return good;
}

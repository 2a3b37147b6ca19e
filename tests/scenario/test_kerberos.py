"""Logging in with tickets of a real KDC: GSSAPI and GSS-SPNEGO, who gets in, and who is somebody in Kerberos and nobody here (MS02-011)."""
import base64
import concurrent.futures
import glob
import hashlib
import os
import shutil
import smtplib
import struct
import sys

import gssapi
import pytest
from gssapi.raw import ChannelBindings
from OpenSSL import SSL

from kdc import CORP, PARTNER, SERVICE, Kdc
from sallyport import DOMAIN, USER, Sallyport, free_ports, in_time, no_check, run, wait_for

ALICE, CAROL = f"alice@{DOMAIN}", f"carol@{DOMAIN}"
KERBEROS, SPNEGO = (gssapi.OID.from_int_seq(oid) for oid in ("1.2.840.113554.1.2.2", "1.3.6.1.5.5.2"))
TEXT = f"From: <{ALICE}>\nTo: <{USER}@{DOMAIN}>\nSubject: with a ticket\n\nHello.\n"
# what a client may say, and what it shows: the last is how Exchange's clients do it
WAYS = {"GSSAPI": ("GSSAPI", KERBEROS), "GSS-SPNEGO": ("GSS-SPNEGO", SPNEGO), "GSSAPI with SPNEGO": ("GSSAPI", SPNEGO)}


@pytest.fixture(scope="module")
def kdc():
    one = Kdc()
    one.user("alice", "carol", "erin", "frank", "alice/admin", "WELLKNOWN/ANONYMOUS", "PC17$")
    one.user("bob", realm=PARTNER)
    for realm in (CORP, PARTNER):  # PARTNER's clients get tickets for services of CORP
        one.admin(f"addprinc -pw trust krbtgt/{CORP}@{PARTNER}", realm)
    yield one
    one.close()


@pytest.fixture(scope="module")
def s(kdc):
    port, clear = free_ports(2)
    one = Sallyport(config=f"""
kerberos {{
    keytab smtp.keytab
    realm {CORP} domain {DOMAIN}
}}
server tickets {{
    listen 127.0.0.1:{port} tls starttls
    access authenticated
    right submit to user {CAROL}
    right submit to domain partner.example
}}
server old {{ listen 127.0.0.1:{clear} tls starttls  access authenticated mechanisms GSSAPI GSS-SPNEGO PLAIN  allow-cleartext-auth 127.0.0.0/8 }}
""")
    one.port, one.clear = port, clear
    one.keytab = one.folder / "smtp.keytab"
    keys(one, kdc, SERVICE, "smtp/localhost", "imap/mail.example.org", "smtp/renamed.example.org", "smtp/rotated.example.org")
    one.cli("user", "add", "--no-password", ALICE, "--grant", "submit,relay")
    one.cli("user", "add", "--no-password", f"frank@{DOMAIN}", "--grant", "submit,relay")
    one.cli("user", "lock", f"frank@{DOMAIN}")
    one.start()
    yield one
    one.close()


def keys(s, kdc, *principals):
    shutil.copy(kdc.keytab(*principals), s.keytab)
    s.keytab.chmod(0o600)
    if s.uid:
        os.chown(s.keytab, s.uid, s.uid)


@pytest.fixture(scope="module")
def cache(kdc):
    """cache("alice"): her tickets, fetched once."""
    made = {}

    def of(name, realm=CORP):
        if (name, realm) not in made:
            made[name, realm] = kdc.ticket(name, realm=realm)
        return made[name, realm]
    return of


def session(port, tls=True):
    c = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=60)
    if tls:
        c.starttls(context=no_check())
    c.ehlo()
    return c


def initiator(mechanism=KERBEROS, service="smtp@mail.example.org", binding=None):
    name = gssapi.Name(service, gssapi.NameType.hostbased_service)
    if binding is None:
        return gssapi.SecurityContext(name=name, mech=mechanism, usage="initiate")
    return gssapi.SecurityContext(name=name, mech=mechanism, usage="initiate", channel_bindings=ChannelBindings(application_data=binding))


def text(octets):
    return base64.b64encode(octets).decode() or "="


def answer(c, octets):
    return c.docmd(base64.b64encode(octets).decode())


def login(kdc, cache, c, way="GSSAPI", initial=True, layer=b"\1\0\0\0", told=None, **more):
    """A client after RFC 4752, or of SPNEGO alone. told: takes what it says."""
    name, mechanism = WAYS[way]
    told = [] if told is None else told
    with kdc.client(cache):
        context = initiator(mechanism, **more)
        told.append(context.step())
        if initial:
            code, said = c.docmd("AUTH", f"{name} {text(told[0])}")
        else:
            assert c.docmd("AUTH", name) == (334, b"")
            code, said = answer(c, told[0])
        while code == 334:
            said = base64.b64decode(said)
            if not context.complete:
                told.append(context.step(said) or b"")
            else:
                assert mechanism == KERBEROS, "more than SPNEGO has"
                assert context.unwrap(said).message == b"\1\0\0\0"
                told.append(context.wrap(layer, False).message)
            code, said = answer(c, told[-1])
    return code, said


REFUSED = (535, b"5.7.8 Authentication failed")


def refusals(s):
    return len(s.log("login-refused"))


def last(s, count):
    """The refusal that came behind `count` others."""
    def there():
        return s.log("login-refused")[count:]
    there.__doc__ = "a line login-refused"
    lines = wait_for(there)
    assert len(lines) == 1, lines
    return lines[0]


def killed(s):
    """Processes that the cage, or a fault, has ended."""
    return [line for line in s.log("process-exit") if "signal" in line]


# --- who gets in

def test_offered_under_tls_only(s):
    with session(s.port) as c:
        assert c.esmtp_features["auth"].split() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "GSSAPI", "GSS-SPNEGO", "PLAIN", "LOGIN"]
    with session(s.clear, tls=False) as c:
        assert c.esmtp_features["auth"].split() == ["PLAIN"]
        assert c.docmd("AUTH", "GSSAPI")[0] in (504, 538)
    with session(s.clear) as c:
        assert c.esmtp_features["auth"].split() == ["GSSAPI", "GSS-SPNEGO", "PLAIN"]


def test_gsasl(s, kdc, cache):
    for host, code in (("mail.example.org", "235"), ("unknown.example.org", None)):
        done = run("gsasl", "--smtp", "--connect", f"127.0.0.1:{s.port}", "-m", "GSSAPI", "-z", "", "--hostname", host, "--x509-ca-file=", stdin=b"", check=False,
                   env={**kdc.env, "KRB5CCNAME": str(cache("alice"))})
        assert (b"235 2.7.0" in done.stdout) == bool(code), done


def test_msmtp_sends(s, kdc, cache):
    before = len(s.mails())
    run("msmtp", "--host=localhost", f"--port={s.port}", "--auth=gssapi", "--user=alice", f"--from={ALICE}", "--tls=on", "--tls-starttls=on", "--tls-certcheck=off",
        "--", f"{USER}@{DOMAIN}", stdin=TEXT.encode(), env={**kdc.env, "KRB5CCNAME": str(cache("alice"))})
    wait_for(lambda: len(s.mails()) > before)
    assert b"with ESMTPSA" in s.mails()[-1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("initial", [True, False])
def test_an_account(s, kdc, cache, way, initial):
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c, way, initial)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{CAROL}>")[0] == 553
        assert c.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 250


@pytest.mark.parametrize("way", WAYS)
def test_an_outsider_with_a_right(s, kdc, cache, way):
    with session(s.port) as c:
        assert login(kdc, cache("carol"), c, way)[0] == 235
        assert c.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 553
        assert c.docmd("MAIL", f"FROM:<{CAROL}>")[0] == 250
        assert c.docmd("RCPT", "TO:<a@example.net>")[0] == 550, "submit is not relay"


@pytest.mark.parametrize("authzid", [ALICE, "alice", f"alice@{CORP}"])
def test_as_itself(s, kdc, cache, authzid):
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c, layer=b"\1\0\0\0" + authzid.encode())[0] == 235


def test_many_at_once(s, kdc, cache):
    tickets = cache("alice"), cache("carol")
    with kdc.client(tickets[0]):
        spares = [[initiator(SPNEGO).step() for _ in range(4)] for _ in range(8)]

    def four(tokens):
        codes = []
        for token in tokens:
            with session(s.port) as c:
                assert c.docmd("AUTH", f"GSS-SPNEGO {text(token)}")[0] == 334
                codes.append(answer(c, b"")[0])
        return codes
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(sum(pool.map(four, spares), [])) == {235}


# --- who is somebody, and nobody here

@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name, reason", [("erin", "no-right"), ("frank", "locked"), ("WELLKNOWN/ANONYMOUS", "anonymous"), ("alice/admin", "service-principal"),
                                          ("PC17$", "service-principal")])
def test_nobody_here(s, kdc, cache, way, name, reason):
    count = refusals(s)
    with session(s.port) as c:
        assert login(kdc, cache(name), c, way) == REFUSED
        assert c.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 530
    line = last(s, count)
    claimed = f"{name}@{'WELLKNOWN:ANONYMOUS' if reason == 'anonymous' else CORP}"  # a KDC makes one of the other
    assert (line["reason"], line["claimed"], line["mechanism"]) == (reason, claimed, WAYS[way][0])


def test_anonymous_by_pkinit(s, kdc):
    """RFC 8062: a ticket for whoever asks, without any proof."""
    count = refusals(s)
    with session(s.port) as c:
        assert login(kdc, kdc.anonymous(), c) == REFUSED
    line = last(s, count)
    assert (line["reason"], line["claimed"]) == ("anonymous", "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS")


def test_a_realm_counts_when_it_is_named(s, kdc, cache):
    """A trust between realms lets nobody in."""
    for way in WAYS:
        count = refusals(s)
        with session(s.port) as c:
            assert login(kdc, cache("bob", PARTNER), c, way) == REFUSED
        line = last(s, count)
        assert (line["reason"], line["claimed"]) == ("realm", f"bob@{PARTNER}")
    before = s.config.read_text()
    s.config.write_text(before.replace(f"realm {CORP} domain {DOMAIN}", f"realm {CORP} domain {DOMAIN}\n    realm {PARTNER} domain partner.example"))
    s.cli("reload")
    with session(s.port) as c:
        assert login(kdc, cache("bob", PARTNER), c)[0] == 235
        assert c.docmd("MAIL", "FROM:<bob@partner.example>")[0] == 250
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c)[0] == 235
    s.config.write_text(before)
    s.cli("reload")
    with session(s.port) as c:
        assert login(kdc, cache("bob", PARTNER), c) == REFUSED


@pytest.mark.parametrize("authzid", [CAROL, f"carol@{CORP}", "carol", f"alice@{PARTNER}"])
def test_not_as_somebody_else(s, kdc, cache, authzid):
    count = refusals(s)
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c, layer=b"\1\0\0\0" + authzid.encode()) == REFUSED
    assert last(s, count)["reason"] == "authzid"


# --- what is no proof

@pytest.mark.parametrize("layer", [b"\2\0\x10\0", b"\4\0\x10\0", b"\0\0\0\0", b"\1\0\0", b"", b"\1\0\0\0alice\0"])
def test_a_layer_that_is_not_there(s, kdc, cache, layer):
    count = refusals(s)
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c, layer=layer) == REFUSED
    assert last(s, count)["reason"] == "layer"


def test_a_layer_out_of_order(s, kdc, cache):
    """A message of the same login, and not the next one: of a client that asked for order, that is no error of the library's."""
    count = refusals(s)
    with session(s.port) as c, kdc.client(cache("alice")):
        context = initiator()
        code, said = c.docmd("AUTH", f"GSSAPI {text(context.step())}")
        while not context.complete:
            assert code == 334
            code, said = answer(c, context.step(base64.b64decode(said)) or b"")
        context.wrap(b"\1\0\0\0", False)
        assert answer(c, context.wrap(b"\1\0\0\0", False).message) == REFUSED
    assert last(s, count)["reason"] == "ticket"


@pytest.mark.parametrize("way", WAYS)
def test_tickets_for_others(s, kdc, cache, way):
    """Another service of this host, whose key lies in the same file; and a key that was changed since."""
    kdc.admin("cpw -randkey smtp/rotated.example.org")
    for service, said in (("imap@mail.example.org", "keytab"), ("smtp@rotated.example.org", "")):
        count = refusals(s)
        with session(s.port) as c:
            assert login(kdc, kdc.ticket("alice"), c, way, service=service) == REFUSED
        line = last(s, count)
        assert line["reason"] == "ticket" and said in line["detail"], line


def test_a_name_of_windows(s, kdc):
    """SMTPSVC/... has the key of smtp/...: a second name of one account."""
    kdc.admin("renprinc -force smtp/renamed.example.org SMTPSVC/renamed.example.org")
    with session(s.port) as c:
        assert login(kdc, kdc.ticket("alice"), c, service="SMTPSVC@renamed.example.org")[0] == 235


SHOW = """
import base64, sys
sys.path.insert(0, sys.argv[1])
from test_kerberos import SPNEGO, initiator
print(base64.b64encode(initiator(SPNEGO).step()).decode())
"""


def clock(away):
    """In front of a command: its clock goes wrong. Not by faketime(1), which fails where one of its number died before and left a semaphore."""
    library, = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return "env", f"LD_PRELOAD={library}", f"FAKETIME={away}"


def show(kdc, cache, past):
    """A first token, made in the past."""
    return run(*past, sys.executable, "-c", SHOW, os.path.dirname(__file__), env={**kdc.env, "KRB5CCNAME": f"FILE:{cache}"}).stdout.decode().strip()


@pytest.mark.parametrize("life, said", [("10m", "expired"), ("5h", "skew")])
def test_old_tickets(s, kdc, life, said):
    """Twenty minutes ago: a ticket that has ended since, and one that has not, shown by a clock that goes wrong."""
    past = clock("-20m")
    kdc.start(*past)
    try:
        token = show(kdc, kdc.ticket("alice", "-l", life, through=past), past)
    finally:
        kdc.start()
    count = refusals(s)
    with session(s.port) as c:
        assert c.docmd("AUTH", f"GSS-SPNEGO {token}") == REFUSED
    line = last(s, count)
    assert line["reason"] == "ticket" and said in line["detail"].lower(), line


@pytest.mark.takes(90)  # with the others of this file, which one process plays
def test_a_login_ends_with_its_ticket(s, kdc):
    """A ticket that ended minutes ago, which the permitted difference of clocks still lets in: half a minute later it does not any more."""
    def while_it_lasts(seconds):
        past = clock(f"-{300 - seconds // 2}s")
        kdc.start(*past)
        try:
            token = show(kdc, kdc.ticket("alice", "-l", f"{seconds // 2}s", through=past), past)
        finally:
            kdc.start()
        c = session(s.port)
        return c if c.docmd("AUTH", f"GSS-SPNEGO {token}")[0] == 334 and answer(c, b"")[0] == 235 else None
    with in_time(while_it_lasts, 30) as c:
        def ended():
            """the end of what a ticket permits"""
            c.docmd("RSET")
            return c.docmd("MAIL", f"FROM:<{ALICE}>")[0] != 250
        wait_for(ended, 60, every=2)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_used_before(s, kdc, cache, way):
    """Everything that a client said, said again in another session."""
    told = []
    with session(s.port) as c:
        assert login(kdc, cache("alice"), c, way, told=told)[0] == 235
    count = refusals(s)
    with session(s.port) as c:
        code, _ = c.docmd("AUTH", f"{WAYS[way][0]} {text(told[0])}")
        for message in told[1:]:
            assert code == 334
            code, _ = answer(c, message)
        assert code == 535
    assert last(s, count)["reason"] == ("ticket" if way == "GSSAPI" else "replay")


def test_a_raw_ticket_used_again_as_spnego(s, kdc, cache):
    """The same AP-REQ in another frame is the same."""
    with kdc.client(cache("alice")):
        context = initiator()
        token = context.step()
        with session(s.port) as c:
            code, said = c.docmd("AUTH", f"GSSAPI {text(token)}")
            context.step(base64.b64decode(said))
            code, said = answer(c, b"")
            context.unwrap(base64.b64decode(said))
            assert answer(c, context.wrap(b"\1\0\0\0", False).message)[0] == 235
    count = refusals(s)
    with session(s.port) as c:
        code, said = c.docmd("AUTH", f"GSS-SPNEGO {text(spnego(['1.2.840.113554.1.2.2'], token))}")
        while code == 334:
            code, said = answer(c, b"")
        assert code == 535
    assert last(s, count)["reason"] == "replay"


def der(tag, *parts):
    octets = b"".join(parts)
    n = len(octets)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82]) + struct.pack(">H", n)) + octets


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    octets = b""
    for n in (40 * first + second, *rest):
        part = bytes([n & 0x7f])
        while n > 127:
            n >>= 7
            part = bytes([n & 0x7f | 0x80]) + part
        octets += part
    return der(6, octets)


def spnego(mechanisms, token=None):
    """NegTokenInit of RFC 4178 4.2.1."""
    inner = [der(0xa0, der(0x30, *map(oid, mechanisms)))] + ([der(0xa2, der(4, token))] if token is not None else [])
    return der(0x60, oid("1.3.6.1.5.5.2"), der(0xa0, der(0x30, *inner)))


NTLM = "1.3.6.1.4.1.311.2.2.10"
NEGOTIATE = b"NTLMSSP\0\1\0\0\0\x07\x82\x08\xa2" + bytes(16)


@pytest.mark.parametrize("name, token", [
    ("GSSAPI", NEGOTIATE), ("GSS-SPNEGO", NEGOTIATE), ("GSSAPI", spnego([NTLM], NEGOTIATE)), ("GSS-SPNEGO", spnego([NTLM], NEGOTIATE)),
    ("GSS-SPNEGO", spnego(["1.2.3.4"])), ("GSSAPI", der(0x60, oid("1.3.6.1.5.2.5"), b"\5\1" + der(0x30))), ("GSSAPI", der(0x60, oid(NTLM), NEGOTIATE)),
    ("GSSAPI", der(0x60, oid("1.2.3.4"), b"\1\0"))])
def test_no_other_mechanism(s, name, token):
    """NTLM in three disguises, IAKERB (which would have us ask a KDC), and what nobody knows."""
    count = refusals(s)
    with session(s.port) as c:
        code, said = c.docmd("AUTH", f"{name} {text(token)}")
        assert (code, said) == REFUSED
    assert last(s, count)["reason"] == "mechanism"


def test_a_bare_ticket_is_no_spnego(s, kdc, cache):
    count = refusals(s)
    with kdc.client(cache("alice")), session(s.port) as c:
        assert c.docmd("AUTH", f"GSS-SPNEGO {text(initiator().step())}") == REFUSED
    assert last(s, count)["reason"] == "mechanism"


@pytest.mark.parametrize("way", WAYS)
def test_tampered_tokens(s, kdc, cache, way):
    """One bit anywhere. Nobody gets in (but by bits that are padding or hints outside of what is sealed), nobody dies."""
    name, mechanism = WAYS[way]
    with kdc.client(cache("alice")):
        first = initiator(mechanism).step()
        places = [*range(0, 60), *range(60, len(first), max(1, len(first) // 40)), len(first) - 1]
        tokens = [bytearray(initiator(mechanism).step()) for _ in places]

    def show(place, token):
        token[min(place, len(token) - 1)] ^= 1 << (place % 8)  # the numbers in them are of different lengths
        with session(s.port) as c:
            code, _ = c.docmd("AUTH", f"{name} {text(bytes(token))}")
            while code == 334:
                code, _ = answer(c, b"")
        return code
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(show, places, tokens))
    codes = {code: [p for p, c in zip(places, found) if c == code] for code in found}
    assert set(codes) <= {235, 535, 501, 454}, codes
    sealed = [p for p in codes.get(235, []) if p > len(first) - 200]  # the authenticator is the last part
    assert not sealed and len(codes.get(235, [])) < 8, codes
    assert killed(s) == []


def test_hostile_dialogues(s, kdc, cache):
    with kdc.client(cache("alice")):
        token = initiator().step()
    for first, rest in (("=", []), ("AA==", []), (text(token[:100]), []), (text(b"\x60" * 9000), []), (text(token), ["AAAA"]), (text(token), ["", "AAAA"]),
                        (text(token), ["", text(token)]), (text(token), ["", text(b"\5\4" + bytes(40))])):
        with session(s.port) as c:
            code, _ = c.docmd("AUTH", f"GSSAPI {first}")
            for message in rest:
                assert code == 334
                code, _ = c.docmd(message)
            assert code in (501, 535), (first[:20], code)
            assert c.docmd("MAIL", f"FROM:<{ALICE}>")[0] == 530
    with session(s.port) as c:  # who goes away in the middle
        assert c.docmd("AUTH", f"GSSAPI {text(token)}")[0] in (334, 535)
        c.close()
    assert killed(s) == []


# --- the TLS session

class Bound:
    """smtplib over pyOpenSSL, which tells the exported key."""
    def __init__(self, port):
        self.smtp = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=60)
        self.smtp.ehlo()
        assert self.smtp.docmd("STARTTLS")[0] == 220
        self.tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), self.smtp.sock)
        self.smtp.sock.setblocking(True)
        self.tls.set_connect_state()
        self.tls.do_handshake()
        self.smtp.sock, self.smtp.file = self, None
        self.smtp.ehlo()

    def sendall(self, data):
        self.tls.sendall(data)

    def makefile(self, _):
        return self

    def readline(self, _=None):
        line = b""
        while not line.endswith(b"\n"):
            line += self.tls.recv(1)
        return line

    def close(self):
        pass


def end_point(port):
    with session(port) as c:
        return b"tls-server-end-point:" + hashlib.sha256(c.sock.getpeercert(True)).digest()


@pytest.mark.parametrize("way", WAYS)
def test_channel_bindings(s, kdc, cache, way):
    ours = end_point(s.port)
    bound = Bound(s.port)
    exported = b"tls-exporter:" + bound.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32)
    assert login(kdc, cache("alice"), bound.smtp, way, binding=exported)[0] == 235
    count = refusals(s)
    for binding, code in ((ours, 235), (None, 235), (exported, 535), (ours[:-1] + b"?", 535)):
        with session(s.port) as c:
            assert login(kdc, cache("alice"), c, way, binding=binding)[0] == code
    wait_for(lambda: refusals(s) == count + 2)
    assert [line["reason"] for line in s.log("login-refused")[count:]] == ["binding"] * 2
    before = s.config.read_text()
    for policy, codes in (("require", (235, 535, 535)), ("none", (235, 235, 235))):
        s.config.write_text(before.replace("keytab smtp.keytab", f"keytab smtp.keytab\n    channel-binding {policy}"))
        s.cli("reload")
        count = refusals(s)
        for binding, code in zip((ours, None, ours[:-1] + b"?"), codes):
            with session(s.port) as c:
                assert login(kdc, cache("alice"), c, way, binding=binding)[0] == code
        if policy == "require":
            wait_for(lambda: refusals(s) == count + 2)
            assert [line["reason"] for line in s.log("login-refused")[count:]] == ["no-binding", "binding"]
    s.config.write_text(before)
    s.cli("reload")


# --- the keytab

def test_new_keys_count_after_a_reload(s, kdc, cache):
    before = s.keytab.read_bytes()
    kdc.admin(f"cpw -randkey {SERVICE}")
    fresh = kdc.ticket("alice")
    with session(s.port) as c:
        assert login(kdc, fresh, c) == REFUSED
    keys(s, kdc, SERVICE)
    fresh = kdc.ticket("alice")
    s.cli("reload")
    with session(s.port) as c:
        assert login(kdc, fresh, c)[0] == 235
    after = s.keytab.read_bytes()
    s.keytab.write_bytes(after[:-7])
    done = s.cli("reload", check=False)
    assert done.returncode != 0 and b"it is damaged" in done.stdout + done.stderr
    with session(s.port) as c:
        assert login(kdc, fresh, c)[0] == 235
    s.keytab.write_bytes(before + after[2:])  # old tickets and new ones
    s.cli("reload")
    for ticket in (fresh, cache("alice")):
        with session(s.port) as c:
            assert login(kdc, ticket, c)[0] == 235


def test_check_names_a_keytab_that_cannot_be_used(s, kdc):
    before = s.keytab.read_bytes()
    line = next(i for i, text in enumerate(s.config.read_text().split("\n"), 1) if text.startswith("kerberos"))
    old = kdc.keytab("smtp/old.example.org", options="-e arcfour-hmac:normal").read_bytes()
    other = kdc.keytab("host/mail.example.org").read_bytes()
    for octets, wrong in ((b"", "it is no keytab"), (b"secret\n", "it is no keytab"), (b"\5\2", "it is empty"), (before[:-1], "it is damaged"),
                          (other, "it has no key of this service"), (old, "its keys of this service are all of old kinds")):
        s.keytab.write_bytes(octets)
        done = s.cli("check", check=False)
        assert done.returncode != 0
        assert f"{s.config}:{line}:1: error: the keytab {s.keytab}: {wrong}".encode() in done.stdout + done.stderr, done
    s.keytab.write_bytes(before)
    s.keytab.chmod(0o644)
    assert f"{s.config}:{line}:1: warning: others may read or write the keytab {s.keytab}".encode() in s.cli("check", check=False).stdout
    os.unlink(s.keytab)
    assert f"{s.config}:{line}:1: error: cannot read the keytab".encode() in s.cli("check", check=False).stdout
    s.keytab.write_bytes(before)
    s.keytab.chmod(0o600)
    s.cli("check")


def test_nobody_died(s):
    assert killed(s) == [] and s.log("keytab-unusable") == []

"""NTLM over the real daemon: real clients of version 2 get in, and nothing that only looks like a login does (MS02-011, CVE-2002-0054)."""
import base64
import hashlib
import smtplib
import ssl
import struct
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, shortest, wait_for
from test_ntlm import gss, impacket

ME = f"{USER}@{DOMAIN}"
SECRET = "Password"  # of gss() too


@pytest.fixture(scope="module")
def s():
    port, strict = free_ports(2)
    one = Sallyport(config=f"""
server old {{ listen 127.0.0.1:{port} tls starttls  access authenticated mechanisms NTLM PLAIN }}
server strict {{ listen 127.0.0.1:{strict} tls starttls  access authenticated mechanisms NTLM  ntlm-channel-binding require }}""")
    one.old, one.strict = port, strict
    for name, options in {"user": ["--nt", "--grant", "submit"], "norights": ["--nt"], "locked": ["--nt", "--grant", "submit"],
                          "nohash": ["--grant", "submit"], "guest": ["--nt", "--grant", "submit,relay"]}.items():
        one.cli("user", "add", f"{name}@{DOMAIN}", *options, stdin=SECRET.encode() + b"\n")
    one.cli("user", "lock", f"locked@{DOMAIN}")
    one.start()
    yield one
    one.close()


def session(port):
    c = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=60)
    c.starttls(context=no_check())
    c.ehlo()
    return c


class Login:
    """The dialogue that test_ntlm plays to the acceptor alone, here over SMTP: the answer to the first message is the challenge, to the second
    the reply's code."""

    def __init__(self, s, port=None, initial=True):
        self.smtp, self.initial, self.begun = session(port or s.old), initial, False

    def message(self, octets):
        text = base64.b64encode(octets).decode()
        if self.begun:
            return self.smtp.docmd(text)[0]
        self.begun = True
        if not self.initial:
            assert self.smtp.docmd("AUTH", "NTLM") == (334, b"")
            code, said = self.smtp.docmd(text)
        else:
            code, said = self.smtp.docmd("AUTH", f"NTLM {text}")
        assert code == 334
        return said.decode()


def last_reason(s, count):
    """Of the refusal after the first `count`."""
    wait_for(lambda: len(s.log("login-refused")) > count)
    (line,) = s.log("login-refused")[count:]
    assert line["mechanism"] == "NTLM" and line["level"] == "security"
    return line["reason"]


def test_it_is_offered_where_it_is_named_and_under_tls_only(s):
    with session(s.old) as c:
        assert c.esmtp_features["auth"].split() == ["NTLM", "PLAIN"]
    with session(s.submission) as c:
        assert "NTLM" not in c.esmtp_features["auth"]
        assert c.docmd("AUTH", "NTLM")[0] == 504
    with smtplib.SMTP("127.0.0.1", s.old, timeout=60) as c:
        assert c.docmd("EHLO", "x")[0] == 250
        assert c.docmd("AUTH", "NTLM")[0] == 538


CURL = [("user", SECRET, True), (f"{DOMAIN}\\user", SECRET, True), ("EXAMPLE\\user", SECRET, True), (f"user@{DOMAIN}", SECRET, True), ("USER", SECRET, True),
        ("user", "wrong", False), ("elsewhere.example\\user", SECRET, False), ("nobody", SECRET, False), ("", "", False), ("guest", SECRET, False),
        ("guest", "", False), ("norights", SECRET, False), ("locked", SECRET, False), ("nohash", SECRET, False)]


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("login,password,proven", CURL)
def test_curl(s, login, password, proven, initial):
    mail = s.top / "mail"
    mail.write_text(f"From: <user@{DOMAIN}>\nSubject: submitted\n\nHello.\n")
    before = len(s.mails())
    done = run("curl", "-sS", "-v", "--url", f"smtp://127.0.0.1:{s.old}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=NTLM", *(["--sasl-ir"] if initial else []),
               "-u", f"{login}:{password}", "--mail-from", f"user@{DOMAIN}", "--mail-rcpt", ME, "-T", mail, "--crlf", check=False)
    assert (done.returncode == 0) == proven, done.stderr.decode()
    assert (b"< 235 " in done.stderr) == proven and (b"< 535 " in done.stderr) == (not proven)
    if proven:
        wait_for(lambda: len(s.mails()) > before)
        assert b"with ESMTPSA" in s.mails()[-1]


@pytest.mark.parametrize("initial", [True, False])
def test_impacket(s, initial):
    def answer(**more):
        return impacket(Login(s, initial=initial), password=more.pop("password", SECRET), **more)
    assert answer() == answer(domain="WORKGROUP") == answer(user="UsEr", domain=DOMAIN) == answer(user=f"user@{DOMAIN}", domain="CORP") == 235
    for reason, more in {"ntlmv1": {"version_2": False}, "wrong-secret": {"password": "wrong"}, "unknown-user": {"user": "nobody"}, "no-secret": {"user": "nohash"},
                         "locked": {"user": "locked"}, "no-right": {"user": "norights"}, "guest": {"user": "guest"}, "anonymous": {"user": "", "password": ""}}.items():
        count = len(s.log("login-refused"))
        assert answer(**more) == 535
        assert last_reason(s, count) == reason


def test_an_app_password(s):
    password = s.ask("user", "app", "add", f"user@{DOMAIN}", "printer", "--nt")[-1]["password"]
    assert impacket(Login(s), user="user/printer", password=password) == 235
    assert impacket(Login(s), user="user/printer", password=password, domain=DOMAIN) == 235
    assert impacket(Login(s), user=f"user@{DOMAIN}/printer", password=password) == 235
    wait_for(lambda: [line.get("label") for line in s.log("login")[-3:]] == ["printer"] * 3)
    assert impacket(Login(s), user="user/printer", password=SECRET) == 535
    s.cli("user", "app", "remove", f"user@{DOMAIN}", "printer")
    assert impacket(Login(s), user="user/printer", password=password) == 535


# --- null sessions: seeds of the class

NESSUS_NEGOTIATE = base64.b64decode("TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA=")


def authenticate(header, flags, lm=b"", nt=b"", user=b""):
    """AUTHENTICATE with a header of 64 octets (no version, no MIC) or 88, and empty names."""
    at, fields, payload = header, b"", b""
    for value in (lm, nt, b"", user, b"", b""):
        fields += struct.pack("<HHI", len(value), len(value), at)
        at, payload = at + len(value), payload + value
    return (b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", flags)).ljust(header, b"\0") + payload


NULL = {
    "64 octets of header, LM response of one zero octet": authenticate(64, 0x8205, lm=b"\0"),
    "88 octets of header, flagged anonymous": authenticate(88, 0xA205 | 0x800, lm=b"\0"),
    "72 octets (a version, no MIC), flagged anonymous": authenticate(72, 0x8205 | 0x800, lm=b"\0"),
    "88 octets, nothing at all": authenticate(88, 0xA205),
    "no user, a response of version 1": authenticate(64, 0x8205, lm=b"\0" * 24, nt=b"\1" * 24),
    "no user, a response of version 2": authenticate(88, 0x8205, nt=b"\1" * 16 + b"\1\1" + b"\0" * 46),
    "a user without a response": authenticate(64, 0x8205, user="user".encode("utf-16-le")),
    "a user, flagged anonymous": authenticate(88, 0x8A05, nt=b"\1" * 64, user="user".encode("utf-16-le")),
}
assert len(NULL["64 octets of header, LM response of one zero octet"]) == 65  # as Nessus 11308 and the tools of 2002 send it


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("token", NULL)
def test_null_sessions(s, token, initial):
    count = len(s.log("login-refused"))
    login = Login(s, initial=initial)
    login.message(NESSUS_NEGOTIATE)
    assert login.message(NULL[token]) == 535
    assert login.smtp.docmd("MAIL", "FROM:<>")[0] == 530
    assert last_reason(s, count) == "anonymous"


def test_what_is_no_message(s):
    for first in (b"", b"NTLMSSP\0", b"x" * 40, NULL["88 octets, nothing at all"]):
        with session(s.old) as c:
            assert c.docmd("AUTH", "NTLM " + (base64.b64encode(first).decode() or "="))[0] == 501
    for second in (b"", NESSUS_NEGOTIATE, authenticate(64, 0x8205, user=b"\0\xd8")):
        login = Login(s)
        login.message(NESSUS_NEGOTIATE)
        assert login.message(second) == 501


def test_an_answer_serves_once(s):
    """Not for another challenge."""
    class Kept(Login):
        def message(self, octets):
            self.last = octets
            return super().message(octets)
    first, second = Kept(s), Login(s)
    assert impacket(first, password=SECRET) == 235
    second.message(NESSUS_NEGOTIATE)
    assert second.message(first.last) == 535


# --- channel bindings

def end_point(port):
    with session(port) as c:
        return hashlib.sha256(c.sock.getpeercert(True)).digest()


@pytest.mark.parametrize("port", ["old", "strict"])
def test_channel_bindings(s, monkeypatch, tmp_path, port):
    port = getattr(s, port)
    ours = end_point(port)
    assert gss(monkeypatch, tmp_path, Login(s, port), ours)[0] == 235
    count = len(s.log("login-refused"))
    assert gss(monkeypatch, tmp_path, Login(s, port), ours[::-1])[0] == 535
    assert last_reason(s, count) == "binding"
    assert gss(monkeypatch, tmp_path, Login(s, port), ours, change=[80])[0] == 535
    assert last_reason(s, count + 1) == "mic"


def test_no_channel_bindings(s):
    count = len(s.log("login-refused"))
    assert impacket(Login(s), password=SECRET) == 235
    assert impacket(Login(s, s.strict), password=SECRET) == 535
    assert last_reason(s, count) == "no-binding"


def test_channel_bindings_of_a_resumed_session(s, monkeypatch, tmp_path):
    """The ticket of an earlier session: our certificate does not come again."""
    context = no_check()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    earlier = None
    for resumed in (False, True):
        login = Login(s)
        login.smtp = smtplib.SMTP("127.0.0.1", s.strict, local_hostname="client.example.net", timeout=60)
        login.smtp.ehlo()
        assert login.smtp.docmd("STARTTLS")[0] == 220
        login.smtp.sock = context.wrap_socket(login.smtp.sock, session=earlier)
        login.smtp.file = None
        login.smtp.ehlo()
        earlier = login.smtp.sock.session
        assert login.smtp.sock.session_reused == resumed
        assert gss(monkeypatch, tmp_path, login, end_point(s.strict))[0] == 235


# --- what strangers learn

def test_unknown_and_known_take_as_long(s):
    def seconds(name):
        login = Login(s)
        begin = time.monotonic()
        assert impacket(login, user=name, password="wrong") == 535
        return time.monotonic() - begin
    best = shortest(seconds, ("user", "nobody", "nohash"), least=5).values()
    assert max(best) - min(best) < 0.1
    assert min(best) >= 0.2


def scripts(port):
    """What both scripts of nmap print of a port, whatever they are made to think it is."""
    said = run("nmap", "-Pn", "-n", "-p", port, "--script", "+smtp-ntlm-info,+smtp-open-relay", "127.0.0.1").stdout.decode()
    assert f"{port}/tcp open" in said, said
    return [line for line in said.splitlines() if line.startswith("|")]


CLOSED = "|_smtp-open-relay: Server doesn't seem to be an open relay, all tests failed"
LOG_IN = "|_smtp-open-relay: Server isn't an open relay, authentication needed"


def test_nmap_learns_nothing_of_what_init_makes(s):
    assert [scripts(port) for port in (s.smtp, s.submission)] == [[CLOSED], [LOG_IN]]


def test_nmap_learns_of_ntlm_what_the_greeting_says(s):
    """No name of the machine, no version of anything."""
    with smtplib.SMTP("127.0.0.1", s.old, timeout=20) as c:
        assert c.ehlo()[1].split()[0] == DOMAIN.encode()
    # the script that ends first is told of first
    assert sorted(scripts(s.old)) == sorted([LOG_IN, "| smtp-ntlm-info: ", "|   Target_Name: EXAMPLE", "|   NetBIOS_Domain_Name: EXAMPLE",
                                             "|   NetBIOS_Computer_Name: EXAMPLE", f"|   DNS_Domain_Name: {DOMAIN}", f"|_  DNS_Computer_Name: {DOMAIN}"])

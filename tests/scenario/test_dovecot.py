"""Logging in by Dovecot: who somebody is Dovecot says, what that permits is said here."""
import base64
import collections
import concurrent.futures
import hmac
import os
import signal
import smtplib
import socket
import struct
import threading
import time

import pytest

from dovecot import Dovecot, Fake
from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, wait_for
from scram import b64, scram
from test_oauth import ISSUER, Issuer

ME = f"{USER}@{DOMAIN}"
SECRET = "by Dovecot's file"
USERS = f"""joe@{DOMAIN}:{{PLAIN}}{SECRET}
bare:{{PLAIN}}{SECRET}
hashed@{DOMAIN}:{{SHA512-CRYPT}}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/
stranger@elsewhere.example:{{PLAIN}}{SECRET}:::::: user_group=submit group=staff
off@{DOMAIN}:{{PLAIN}}{SECRET}::::::nologin=y reason=closed
locked@{DOMAIN}:{{PLAIN}}{SECRET}
anonymous:{{PLAIN}}{SECRET}
anonymous@{DOMAIN}:{{PLAIN}}{SECRET}
other@{DOMAIN}:{{PLAIN}}{SECRET}
{ME}:{{PLAIN}}{SECRET}
"""
MECHANISMS = "plain login scram-sha-256 cram-md5 anonymous"
# `lacking` offers what Dovecot does not speak
SERVERS = """
dovecot {{ socket unix:{socket} }}
never-ban 127.0.0.0/8
server people {{
    listen 127.0.0.1:{people} tls starttls
    access authenticated mechanisms {offered}
    login dovecot
    right submit to domain {domain}
    right relay to user joe@{domain}
}}
server devices {{
    listen 127.0.0.1:{devices} tls starttls
    profile legacy-device
    connections allow 127.0.0.0/20
    access authenticated mechanisms CRAM-MD5 LOGIN
    login dovecot
    right submit to domain {domain}
    right relay to user joe@{domain}
}}
server lacking {{
    listen 127.0.0.1:{lacking} tls starttls
    access authenticated mechanisms SCRAM-SHA-1 PLAIN
    login dovecot
}}
"""


class Served:
    """A sallyport whose server `people` asks a Dovecot; clients come from an own address each, so that none is banned for another."""
    def __init__(self, socket=None, mechanisms=MECHANISMS, more="", **of_dovecot):
        self.it = Sallyport()
        self.people, self.devices, self.lacking = free_ports(3)
        self.dovecot = None if socket else Dovecot(self.it.top / "dovecot", mechanisms, USERS, f"admin:{{PLAIN}}{SECRET}\n",
                                                     more=more.format(top=self.it.top), **of_dovecot)
        self.path = socket or self.dovecot.socket
        if callable(self.path):
            self.path = self.path(self.it.top)
        offered = "OAUTHBEARER XOAUTH2" if "xoauth2" in mechanisms else "PLAIN LOGIN SCRAM-SHA-256"
        self.it.append(SERVERS.format(offered=offered, socket=self.path, people=self.people, devices=self.devices, lacking=self.lacking, domain=DOMAIN))
        self.it.cli("user", "add", f"locked@{DOMAIN}", "--no-password")
        self.it.cli("user", "lock", f"locked@{DOMAIN}")
        self.clients = 0

    def start(self):
        if self.dovecot:
            self.dovecot.start()
        self.it.start()
        return self

    def session(self, port=None):
        self.clients += 1
        c = smtplib.SMTP("127.0.0.1", port or self.people, local_hostname="client.example.net", timeout=60,
                         source_address=(f"127.0.{self.clients // 200 + 1}.{self.clients % 200 + 1}", 0))
        c.ehlo()
        c.starttls(context=no_check())
        c.ehlo()
        return c

    def plain(self, user, secret=SECRET, authzid="", port=None):
        with self.session(port) as c:
            return c.docmd("AUTH", "PLAIN " + b64(f"{authzid}\0{user}\0{secret}"))

    def refusals(self, reason, claimed=None):
        return [e for e in self.it.log("login-refused") if e["reason"] == reason and claimed in (None, e["claimed"])]

    def wait_refusals(self, count, reason, claimed=None):
        def enough():
            return len(self.refusals(reason, claimed)) >= count
        enough.__doc__ = f"{count} of {reason} {claimed} among {self.it.log('login-refused')[-3:]}"
        wait_for(enough, 5)

    def close(self):
        try:
            self.it.close()
        finally:
            if self.dovecot:
                self.dovecot.stop()


@pytest.fixture(scope="module")
def s():
    one = Served().start()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tokens():
    """Dovecot checks tokens itself, with a key in a file."""
    one = Served(mechanisms="oauthbearer xoauth2", more="""passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {top}/dovecot/oauth2.conf
}}""")
    one.issuer, one.stranger = Issuer(one.it.top, "one"), Issuer(one.it.top, "two")
    keys = one.dovecot.top / "keys/default/ES256"
    keys.mkdir(parents=True)
    run("openssl", "ec", "-in", one.issuer.pem, "-pubout", "-out", keys / "one")
    (one.dovecot.top / "oauth2.conf").write_text(
        f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={one.dovecot.top}/keys/\nissuers = {ISSUER}\nusername_attribute = email\n")
    yield one.start()
    one.close()


def login(c, user, secret):
    assert base64.b64decode(c.docmd("AUTH", "LOGIN")[1]) == b"Username:"
    assert base64.b64decode(c.docmd(b64(user))[1]) == b"Password:"
    return c.docmd(b64(secret))


def cram(c, user, secret):
    code, said = c.docmd("AUTH", "CRAM-MD5")
    assert code == 334
    return c.docmd(b64(f"{user} " + hmac.new(secret.encode(), base64.b64decode(said), "md5").hexdigest()))


def plain(c, user, secret):
    return c.docmd("AUTH", "PLAIN " + b64(f"\0{user}\0{secret}"))


def plain_later(c, user, secret):
    assert c.docmd("AUTH", "PLAIN") == (334, b"")
    return c.docmd(b64(f"\0{user}\0{secret}"))


WAYS = {"PLAIN": plain, "PLAIN without an initial response": plain_later, "LOGIN": login, "SCRAM-SHA-256": scram, "CRAM-MD5": cram}


def at_once(function, *arguments):
    """All results, in order: most refusals are told after three seconds."""
    with concurrent.futures.ThreadPoolExecutor(32) as all:
        return list(all.map(function, *arguments))


def test_right_and_wrong(s):
    def try_it(way):
        old = way == "CRAM-MD5"
        with s.session(s.devices if old else None) as c:
            assert c.esmtp_features["auth"].split() == (["CRAM-MD5", "LOGIN"] if old else ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
            code, said = WAYS[way](c, f"joe@{DOMAIN}", "wrong")
            assert (code, said[:5]) == (535, b"5.7.8"), way
            assert c.docmd("MAIL", "FROM:<>")[0] == 530
            assert WAYS[way](c, f"joe@{DOMAIN}", SECRET)[0] == 235, way
            assert c.docmd("MAIL", f"FROM:<joe@{DOMAIN}>")[0] == 250
            assert c.docmd("RCPT", "TO:<somebody@relayed.example>")[0] == 250
    at_once(try_it, WAYS)
    s.wait_refusals(len(WAYS), "wrong-secret", f"joe@{DOMAIN}")


def test_clients(s):
    mail = s.it.top / "mail.eml"
    mail.write_text(f"From: <joe@{DOMAIN}>\nTo: <{ME}>\nSubject: by Dovecot\n\nHello.\n")
    run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.people}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=PLAIN", "-u", f"joe@{DOMAIN}:{SECRET}",
        "--mail-from", f"joe@{DOMAIN}", "--mail-rcpt", ME, "-T", mail, "--crlf")
    run("msmtp", "--host=127.0.0.1", f"--port={s.people}", "--auth=scram-sha-256", f"--user=joe@{DOMAIN}", f"--passwordeval=echo \"{SECRET}\"", f"--from=joe@{DOMAIN}",
        "--tls=on", "--tls-starttls=on", "--tls-certcheck=off", "--", ME, stdin=mail.read_bytes())
    run("swaks", "--server", "127.0.0.1", "--port", s.people, "-tls", "--auth", "LOGIN", "--auth-user", f"joe@{DOMAIN}", "--auth-password", SECRET,
        "--from", f"joe@{DOMAIN}", "--to", ME, "--data", f"@{mail}")
    for text in s.it.wait_mails(3):
        assert b"joe@" in text


def test_what_it_proves_is_not_permission(s):
    """Alike to the client; the log knows better."""
    users = f"off@{DOMAIN}", "stranger@elsewhere.example", f"locked@{DOMAIN}", f"nobody@{DOMAIN}", "anonymous", f"anonymous@{DOMAIN}", f"{ME}*admin", f"other@{DOMAIN}"
    told = set(at_once(lambda user: s.plain(user, authzid=ME if user.startswith("other") else ""), users))
    assert len(told) == 1 and told.pop()[0] == 535
    for reason, claimed in (("locked", f"off@{DOMAIN}"), ("no-right", "stranger@elsewhere.example"), ("locked", f"locked@{DOMAIN}"), ("wrong-secret", f"nobody@{DOMAIN}"),
                            ("anonymous", "anonymous"), ("anonymous", f"anonymous@{DOMAIN}"), ("authzid", f"other@{DOMAIN}"), ("authzid", ME)):
        s.wait_refusals(1, reason, claimed)


def test_refusals_take_as_long(s):
    """Its own delay is 0 here: what is refused by us, and by Dovecot, is told at the same moments."""
    def took(user, secret):
        with s.session() as c:
            began = time.monotonic()
            assert plain(c, user, secret)[0] == 535
            return time.monotonic() - began
    times = at_once(took, (f"joe@{DOMAIN}", f"nobody@{DOMAIN}", "stranger@elsewhere.example", f"off@{DOMAIN}"), ("wrong", SECRET, SECRET, SECRET))
    assert min(times) > 2.9, times


def test_who_has_logged_in_sends_from_own_address(s):
    with s.session() as c:
        assert plain(c, "bare", SECRET)[0] == 235  # of the first domain, where Dovecot names none
        assert c.docmd("MAIL", f"FROM:<joe@{DOMAIN}>")[0] == 553
        assert c.docmd("MAIL", f"FROM:<bare@{DOMAIN}>")[0] == 250
        assert c.docmd("RCPT", f"TO:<{ME}>")[0] == 250
        assert c.docmd("RCPT", "TO:<somebody@relayed.example>")[0] == 550


def test_the_account_of_that_name_counts(s):
    """An account of the database that Dovecot vouches for: its rights, its senders. Its own password is none here, nor Dovecot's there."""
    s.it.cli("user", "sender", "add", ME, f"sales@{DOMAIN}")
    with s.session() as c:
        assert plain(c, ME, SECRET)[0] == 235
        assert c.docmd("MAIL", f"FROM:<sales@{DOMAIN}>")[0] == 250
        assert c.docmd("RCPT", "TO:<somebody@relayed.example>")[0] == 250
    assert s.plain(ME, PASSWORD)[0] == 535
    assert s.plain(ME, SECRET, port=s.it.submission)[0] == 535
    assert s.plain(ME, PASSWORD, port=s.it.submission)[0] == 235


def test_a_mechanism_that_it_does_not_speak(s):
    with s.session(s.lacking) as c:
        assert c.docmd("AUTH", "SCRAM-SHA-1 " + b64("n,,n=joe,r=abc"))[0] == 454
    s.wait_refusals(1, "dovecot-mechanism")


def test_check(s):
    """The mechanisms of a Dovecot that is there; the socket of one that is not."""
    warnings = s.it.cli("check").stdout.decode()
    assert "server lacking offers SCRAM-SHA-1, and Dovecot does not speak it: it is answered 454" in warnings
    assert "server people" not in warnings and "Dovecot's socket" not in warnings, warnings
    other = s.it.folder / "other.conf"

    def check(text):
        other.write_text(f"dovecot {{ socket unix:{text} }}\nserver x {{ listen 127.0.0.1:9 tls none; role submission; login dovecot; allow-cleartext-auth 127.0.0.1 }}\n")
        return s.it.cli("check", other, config=False, check=False).stdout.decode()
    assert f"Dovecot's socket {s.it.top}/nothing: No such file or directory" in check(s.it.top / "nothing")
    assert "Connection refused" in check(other)
    assert "does not greet" in check(s.it.folder / "control.sock")
    s.dovecot.socket.chmod(0o600)
    try:
        assert "cannot be used by the connector process" in check(s.dovecot.socket)
    finally:
        s.dovecot.socket.chmod(0o666)
    assert "ovecot" not in check(s.dovecot.socket)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_tokens(tokens, mechanism):
    """Dovecot judges them; what is wrong with one is told in the challenge that these mechanisms have for it."""
    s = tokens

    def say(token, user=f"joe@{DOMAIN}"):
        return b64(f"n,a={user},\1auth=Bearer {token}\1\1" if mechanism == "OAUTHBEARER" else f"user={user}\1auth=Bearer {token}\1\1")
    good, bad = (issuer.token({"typ": "JWT"}, email=f"joe@{DOMAIN}", sub="joe") for issuer in (s.issuer, s.stranger))
    with s.session() as c:
        assert c.esmtp_features["auth"].split() == ["OAUTHBEARER", "XOAUTH2"]
        code, said = c.docmd("AUTH", f"{mechanism} {say(bad)}")
        assert code == 334 and b"status" in base64.b64decode(said)
        assert c.docmd(b64("\1"))[0] == 535
        assert c.docmd("AUTH", f"{mechanism} {say(good)}")[0] == 235
        assert c.docmd("MAIL", f"FROM:<joe@{DOMAIN}>")[0] == 250
    assert good not in s.it.log_text() and b64(good) not in s.it.log_text()


def test_cancelled(s):
    """In the middle of two steps; the session goes on, and nothing is left open."""
    first = "SCRAM-SHA-256 " + b64(f"n,,n=joe@{DOMAIN},r=abc")
    for port, mechanism, way in ((s.people, first, scram), (s.devices, "CRAM-MD5", cram)):
        with s.session(port) as c:
            assert c.docmd("AUTH", mechanism)[0] == 334
            assert c.docmd("*")[0] == 501
            assert way(c, f"joe@{DOMAIN}", SECRET)[0] == 235
        c = s.session(port)
        assert c.docmd("AUTH", mechanism)[0] == 334
        c.close()
    log = s.dovecot.log
    assert not log.exists() or "BUG" not in log.read_text(), log.read_text()


def test_down_and_back():
    s = Served().start()
    try:
        assert s.plain(f"joe@{DOMAIN}")[0] == 235
        with s.session() as c:
            assert c.docmd("AUTH", "SCRAM-SHA-256 " + b64(f"n,,n=joe@{DOMAIN},r=abc"))[0] == 334
            s.dovecot.stop()
            assert c.docmd(b64("c=biws,r=abc,p=AAAA"))[0] == 454
            assert plain(c, f"joe@{DOMAIN}", SECRET)[0] == 454
            s.wait_refusals(1, "dovecot-away")
            why, = wait_for(lambda: s.it.log("dovecot-unavailable"))  # and what the system said
            assert str(s.path) in why["text"] and ("refused" in why["text"] or "No such file" in why["text"]), why
            s.dovecot.start()
            assert plain(c, f"joe@{DOMAIN}", SECRET)[0] == 235
        s.it.cli("reload")
        assert s.plain(f"joe@{DOMAIN}")[0] == 235
        os.kill(s.it.processes()["connector"], signal.SIGKILL)  # who makes the connections
        assert wait_for(lambda: [e["name"] for e in s.it.log("process-exit") if e["level"] == "error"]) == ["connector"]
        s.dovecot.stop()  # the connection that it left behind would serve on
        s.dovecot.start()
        wait_for(lambda: s.plain(f"joe@{DOMAIN}")[0] == 235)
    finally:
        s.close()


@pytest.mark.takes(20)
def test_silent():
    """It accepts connections and says nothing: nobody else waits for that, and who does is told to come again."""
    s = Served(failure_delay=2).start()
    try:
        s.dovecot.signal(signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor(20) as all:
            stuck = [all.submit(s.plain, f"joe@{DOMAIN}") for _ in range(8)]
            time.sleep(0.5)
            meanwhile = 0
            while meanwhile < 3:
                s.it.send()
                assert s.plain(ME, PASSWORD, port=s.it.submission)[0] == 235
                if any(f.done() for f in stuck):
                    break
                meanwhile += 1
            assert meanwhile > 0  # 3 where nobody else works: those who wait do so for 10 seconds
            told = [f.result()[0] for f in stuck]
            assert set(told) == {454}, told
        s.wait_refusals(1, "dovecot-silent")
        s.dovecot.signal(signal.SIGCONT)
        assert s.plain(f"joe@{DOMAIN}")[0] == 235
        began = time.monotonic()
        assert s.plain(f"joe@{DOMAIN}", "wrong")[0] == 535
        assert time.monotonic() - began > 2.9
    finally:
        s.close()


# --- somebody in its place

@pytest.fixture(scope="module")
def fake():
    made = []
    one = Served(socket=lambda top: made.append(Fake(top / "auth")) or made[0].path).start()
    one.fake = made[0]
    yield one
    one.close()


def to_auth(said):
    return lambda line: said if line.startswith((b"AUTH", b"CONT")) else b""


JOE = b"OK\t1\tuser=joe@" + DOMAIN.encode()
REPLIES = {
    "right": (JOE + b"\n", 235, None),
    "in pieces, with more than is known": (JOE + b"\tx=y\tgroup=root\tright=relay\tresp=AAAA\nNEWS\n", 235, None),
    "another id": (JOE.replace(b"\t1\t", b"\t2\t") + b"\n", 454, "dovecot-nonsense"),
    "no user": (b"OK\t1\n", 454, "dovecot-nonsense"),
    "an empty user": (b"OK\t1\tuser=\n", 454, "dovecot-nonsense"),
    "two users": (JOE + b"\tuser=other@x.example\n", 454, "dovecot-nonsense"),
    "anonymous": (b"OK\t1\tuser=anonymous\n", 535, "anonymous"),
    "anonymous as a field": (JOE + b"\tanonymous\n", 535, "anonymous"),
    "nologin": (JOE + b"\tnologin\n", 535, "locked"),
    "proxy": (JOE + b"\tproxy\thost=192.0.2.1\n", 535, "locked"),
    "for somebody else": (JOE + b"\tauth_user=admin\n", 535, "authzid"),
    "a name with controls": (b"OK\t1\tuser=joe\x01n\x010@" + DOMAIN.encode() + b"\n", 535, "unknown-user"),
    "a long name": (b"OK\t1\tuser=" + 400 * b"a" + b"@x.example\n", 535, "unknown-user"),
    "a challenge where there is none": (b"CONT\t1\tAAAA\n", 454, "dovecot-nonsense"),
    "a flood of challenges": (2000 * b"CONT\t1\tAAAA\n", 454, "dovecot-nonsense"),
    "a long line": (b"OK\t1\tuser=" + 100000 * b"a" + b"\n", 454, "dovecot-nonsense"),
    "no end of it": (20000 * b"x", 454, "dovecot-nonsense"),
    "nothing, and gone": (None, 454, "dovecot-away"),
    "disabled": (b"FAIL\t1\tuser=joe\tcode=user_disabled\n", 535, "disabled"),
    "expired": (b"FAIL\t1\tuser=joe\tcode=pass_expired\n", 535, "expired"),
    "not for him": (b"FAIL\t1\tuser=joe\tcode=authz_fail\n", 535, "authzid"),
    "its database is away": (b"FAIL\t1\tuser=joe\tcode=temp_fail\n", 454, "dovecot-failed"),
    "zeros": (64 * b"\0" + b"\n", 454, "dovecot-nonsense"),
}


def test_replies(fake):
    """All at once, each to a user of its own."""
    def script(line):
        if not line.startswith(b"AUTH"):
            return b""
        user = base64.b64decode(line.rsplit(b"resp=", 1)[1]).split(b"\0")[1].decode()
        return REPLIES[user.split("@")[0].replace("_", " ")][0]
    fake.fake.hello, fake.fake.script = Fake.HELLO, script
    before = len(fake.it.log("login-refused"))
    names = list(REPLIES)
    codes = at_once(lambda name: fake.plain(f"{name.replace(' ', '_')}@{DOMAIN}")[0], names)
    assert dict(zip(names, codes)) == {name: REPLIES[name][1] for name in names}
    expected = collections.Counter(reason for _, _, reason in REPLIES.values() if reason)

    def reasons():
        return collections.Counter(e["reason"] for e in fake.it.log("login-refused")[before:]) == expected
    reasons.__doc__ = str(expected)
    wait_for(reasons, 5)


@pytest.mark.parametrize("hello, reason", [
    (b"VERSION\t2\t0\nMECH\tPLAIN\nDONE\n", "dovecot-nonsense"), (b"DONE\n", "dovecot-nonsense"), (b"220 smtp.example.org ESMTP\r\n", "dovecot-nonsense"),
    (b"VERSION\t1\t2\nMECH\tLOGIN\nDONE\n", "dovecot-mechanism"), (b"VERSION\t1\t2\nMECH\tPLAIN\tanonymous\nDONE\n", "dovecot-mechanism"),
    (b"VERSION\t1\t2\n" + 1000 * b"MECH\tPLAIN\n" + b"DONE\n", "dovecot-nonsense"), (20000 * b"x", "dovecot-nonsense")])
def test_greetings(fake, hello, reason):
    before = len(fake.refusals(reason))
    fake.fake.hello, fake.fake.script = hello, to_auth(JOE + b"\n")
    assert fake.plain(f"joe@{DOMAIN}")[0] == 454
    fake.wait_refusals(before + 1, reason)


def test_what_it_hears(fake):
    fake.fake.hello, fake.fake.script = Fake.HELLO, to_auth(JOE + b"\n")
    for _ in range(2):
        assert fake.plain(f"joe@{DOMAIN}")[0] == 235
    version, number, auth = fake.fake.conversations[-1]
    assert version == b"VERSION\t1\t2\n" and number.startswith(b"CPID\t")
    fields = auth.rstrip(b"\n").split(b"\t")
    assert fields[:3] == [b"AUTH", b"1", b"PLAIN"] and fields[-1] == b"resp=" + b64(f"\0joe@{DOMAIN}\0{SECRET}").encode()
    assert {b"service=smtp", b"secured=tls", b"nologin", b"lip=127.0.0.1", b"lport=%d" % fake.people} <= set(fields) and any(f.startswith(b"rip=127.") for f in fields)
    assert len(set(fake.fake.numbers)) == len(fake.fake.numbers) >= 2
    assert SECRET not in fake.it.log_text() and b64(SECRET) not in fake.it.log_text()


def hang_up(c):
    """So that the server hears of it at once (RST)."""
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def test_who_hangs_up_is_refused_all_the_same(fake):
    """Before Dovecot has said it, and between that and the reply: each is in the log, and once."""
    said = threading.Event()

    def script(line):
        if line.startswith(b"AUTH"):
            said.wait(8)
            return b"FAIL\t1\tuser=joe\n"
        return b""

    fake.fake.hello, fake.fake.script = Fake.HELLO, script
    fake.fake.heard.clear()
    c = fake.session()
    c.putcmd("AUTH", "PLAIN " + b64("\0early\0guess"))
    wait_for(lambda: [line for line in fake.fake.heard if line.startswith(b"AUTH")])
    hang_up(c)
    time.sleep(0.5)
    said.set()
    fake.wait_refusals(1, "wrong-secret", "joe")
    c = fake.session()
    c.putcmd("AUTH", "PLAIN " + b64("\0late\0guess"))
    fake.wait_refusals(2, "wrong-secret", "joe")
    hang_up(c)
    time.sleep(0.5)
    assert len(fake.refusals("wrong-secret", "joe")) == 2


def test_a_challenge_too_long_and_too_many(fake):
    fake.fake.hello = Fake.HELLO
    fake.fake.script = to_auth(b"CONT\t1\t" + b64(2000 * b"a").encode() + b"\n")
    with fake.session() as c:
        assert c.docmd("AUTH", "SCRAM-SHA-256 " + b64("n,,n=joe,r=abc"))[0] == 454
    fake.fake.script = to_auth(50 * b"CONT\t1\tAAAA\n")
    with fake.session() as c:
        code, said = c.docmd("AUTH", "SCRAM-SHA-256 " + b64("n,,n=joe,r=abc"))
        for _ in range(20):
            if code != 334:
                break
            assert said == b"AAAA"
            code, said = c.docmd("AAAA")
        assert code in (500, 501, 535)
    assert fake.it.log("process-exit") == []

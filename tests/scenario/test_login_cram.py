"""CRAM-MD5 over the real daemon, for old devices: only where it is named, only for accounts that were made for it."""
import base64
import hmac
import re
import smtplib
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, shortest, wait_for

ME = f"{USER}@{DOMAIN}"
OLD = f"old@{DOMAIN}"


@pytest.fixture(scope="module")
def s():
    (port,) = free_ports(1)
    one = Sallyport(config=f"server old {{ listen 127.0.0.1:{port} tls starttls  profile legacy-device  connections allow 127.0.0.0/20\n"
                           "access authenticated mechanisms CRAM-MD5 \n allow-cleartext-auth 127.0.0.2\n limits { sessions-per-source 20 messages-per-source 1000 per 1h } }")
    one.old = port
    for name, options in {"old": ["--cram", "--grant", "submit"], "norights": ["--cram"], "locked": ["--cram", "--grant", "submit"]}.items():
        one.cli("user", "add", f"{name}@{DOMAIN}", *options, stdin=PASSWORD.encode() + b"\n")
    one.cli("user", "lock", f"locked@{DOMAIN}")
    one.start()
    yield one
    one.close()


def session(s):
    c = smtplib.SMTP("127.0.0.1", s.old, local_hostname="client.example.net", timeout=60)
    c.starttls(context=no_check())
    c.ehlo()
    return c


def login(c, name, password, change=lambda text: text):
    code, challenge = c.docmd("AUTH", "CRAM-MD5")
    assert code == 334
    text = f"{name} " + hmac.new(password.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return c.docmd(base64.b64encode(change(text).encode()).decode())


def curl(s, name, password):
    file = s.top / "mail"
    file.write_text(f"From: <{OLD}>\nSubject: submitted\n\nHello.\n")
    return run("curl", "-sS", "--url", f"smtp://127.0.0.1:{s.old}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=CRAM-MD5", "-u", f"{name}:{password}",
               "--mail-from", OLD, "--mail-rcpt", ME, "-T", file, "--crlf", check=False).returncode == 0


def by_smtplib(s, name, password):
    with session(s) as c:
        try:
            c.login(name, password)
            c.sendmail(OLD, [ME], f"From: <{OLD}>\nSubject: submitted\n\nHello.\n")
        except smtplib.SMTPAuthenticationError:
            return False
    return True


def swaks(s, name, password):
    return run("swaks", "--server", "127.0.0.1", "--port", s.old, "-tls", "--auth", "CRAM-MD5", "--auth-user", name, "--auth-password", password, "--from", OLD,
               "--to", ME, check=False).returncode == 0


@pytest.mark.parametrize("client", [curl, by_smtplib, swaks])
def test_real_clients(s, client):
    before = len(s.mails())
    assert client(s, OLD, PASSWORD) and client(s, "old", PASSWORD)
    wait_for(lambda: len(s.mails()) == before + 2)
    assert b"with ESMTPSA" in s.mails()[-1]
    assert not client(s, OLD, "wrong")
    assert not client(s, f"nobody@{DOMAIN}", PASSWORD)


def test_only_where_it_is_named(s):
    with session(s) as c:
        assert c.esmtp_features["auth"].split() == ["CRAM-MD5"]
    with smtplib.SMTP("127.0.0.1", s.submission, timeout=60) as c:
        c.starttls(context=no_check())
        c.ehlo()
        assert "CRAM-MD5" not in c.esmtp_features["auth"]
        assert c.docmd("AUTH", "CRAM-MD5")[0] == 504


def test_in_the_clear_for_named_networks(s):
    with smtplib.SMTP("127.0.0.1", s.old, timeout=60) as c:
        assert c.docmd("AUTH", "CRAM-MD5")[0] in (503, 538)
    with smtplib.SMTP("127.0.0.1", s.old, timeout=60, source_address=("127.0.0.2", 0)) as c:
        c.ehlo()
        assert login(c, OLD, PASSWORD)[0] == 235


def test_challenges(s):
    """RFC 2195 2: never the same one twice, and of this host."""
    found = set()
    for _ in range(3):
        with session(s) as c:
            text = base64.b64decode(c.docmd("AUTH", "CRAM-MD5")[1]).decode()
            assert re.fullmatch(rf"<[^<>@ ]+@{DOMAIN}>", text)
            assert c.docmd("*")[0] == 501
            found.add(text)
    assert len(found) == 3


@pytest.mark.parametrize("name,password,reason", [
    (OLD, "wrong", "wrong-secret"), (f"nobody@{DOMAIN}", PASSWORD, "unknown-user"), (ME, PASSWORD, "no-secret"), (f"locked@{DOMAIN}", PASSWORD, "locked"),
    (f"norights@{DOMAIN}", PASSWORD, "no-right")])
def test_refusals_are_alike_and_stand_in_the_log(s, name, password, reason):
    count = len(s.log("login-refused"))
    with session(s) as c:
        assert login(c, name, password) == (535, b"5.7.8 Authentication failed")
        assert c.docmd("MAIL", f"FROM:<{OLD}>")[0] == 530
    wait_for(lambda: len(s.log("login-refused")) > count)
    line = s.log("login-refused")[count]
    assert (line["mechanism"], line["claimed"], line["reason"], line["level"]) == ("CRAM-MD5", name, reason, "security")


def test_what_is_no_answer(s):
    for change in (lambda text: "", lambda text: text[:-1], lambda text: text + "0", lambda text: text.split()[1], lambda text: "\0" + text):
        with session(s) as c:
            assert login(c, OLD, PASSWORD, change)[0] == 501
    with session(s) as c:
        assert c.docmd("AUTH", "CRAM-MD5 " + base64.b64encode(b"x").decode())[0] == 501


def test_an_answer_serves_once(s):
    with session(s) as c:
        code, challenge = c.docmd("AUTH", "CRAM-MD5")
        answer = base64.b64encode(f"{OLD} {hmac.new(PASSWORD.encode(), base64.b64decode(challenge), 'md5').hexdigest()}".encode()).decode()
        assert c.docmd("*")[0] == 501
        assert c.docmd("AUTH", "CRAM-MD5")[0] == 334
        assert c.docmd(answer)[0] == 535


def test_an_app_password(s):
    password = s.ask("user", "app", "add", OLD, "printer", "--cram")[-1]["password"]
    with session(s) as c:
        assert login(c, f"{OLD}/printer", PASSWORD)[0] == 535
        assert login(c, f"{OLD}/printer", password)[0] == 235
    wait_for(lambda: s.log("login")[-1].get("label") == "printer")


def test_unknown_and_known_take_as_long(s):
    def seconds(name):
        with session(s) as c:
            begin = time.monotonic()
            assert login(c, name, "wrong")[0] == 535
            return time.monotonic() - begin
    best = shortest(seconds, (OLD, f"nobody@{DOMAIN}", ME), least=5).values()
    assert max(best) - min(best) < 0.1
    assert min(best) >= 0.2

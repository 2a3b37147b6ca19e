"""Logging in at a smarthost without showing it the password (SCRAM), and with a token that something else renews."""
import base64
import json
import os
import time

import pytest

from next_hop import NextHop
from sallyport import DOMAIN, PASSWORD, USER, wait_for
from test_oauth import TOKENS, Issuer
from test_relay import FAR
from test_smarthost import certificate, no_secret

ME = f"{USER}@{DOMAIN}"
DIRECTORY = 60602  # the account of the directory process, when root starts it
SUBJECT = b"Subject: through the smarthost\r\n\r\nx\r\n"


@pytest.fixture
def other(make):
    """The smarthost: a sallyport, whose user may relay."""
    it = make(start=False, config=f"recipients {FAR} any\nhold {FAR}\n{TOKENS}")
    it.issuer = Issuer(it.top, "one")
    (it.folder / "id.json").write_text(json.dumps({"keys": [it.issuer.jwk]}))
    return it.start()


def own(path):
    if os.geteuid() == 0:
        os.chown(path, DIRECTORY, DIRECTORY)


def near(make, port, words, files, folders=()):
    s = make(start=False)
    for name in folders:
        (s.folder / name).mkdir(mode=0o700)
        own(s.folder / name)
    for name, text in files.items():
        (s.folder / name).write_text(text)
        (s.folder / name).chmod(0o600)
    s.append(f"recipients {FAR} any\nrelay {FAR} via smarthost 127.0.0.1:{port} tls encrypt {words}\nqueue {{ retry-first 1s }}\n")
    return s.start()


def arrived(other):
    return [m for m in other.queue() if m["from"] == ME]


def deferred(s):
    return [r["text"] for r in s.log("deferred")]


@pytest.mark.parametrize("mechanism", ["", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"])
def test_password(make, other, mechanism):
    words = "user-file provider" + (f" mechanisms {mechanism}" if mechanism else "")
    s = near(make, other.submission, words, {"provider": f"{ME}\n{PASSWORD}\n"})
    s.send(SUBJECT, to=(f"r@{FAR}",), sender=ME)
    s.send(SUBJECT, to=(f"r@{FAR}",), sender=ME)
    wait_for(lambda: len(arrived(other)) == 2, 20)
    wait_for(lambda: len(s.log("relayed")) == 2)
    assert not deferred(s)
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        assert form not in s.log_text()


def test_wrong_password_stays_with_the_strongest(make, other):
    s = near(make, other.submission, "user-file provider", {"provider": f"{ME}\nwrong\n"})
    s.send(SUBJECT, to=(f"r@{FAR}",), sender=ME)
    wait_for(lambda: deferred(s), 20)
    assert deferred(s)[0].startswith("AUTH SCRAM-SHA-256-PLUS was refused: ")
    wait_for(lambda: len(deferred(s)) > 1, 20)
    assert all("SCRAM-SHA-256-PLUS" in text for text in deferred(s)) and not arrived(other)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_token_that_is_renewed_while_mail_waits(make, other, mechanism):
    s = near(make, other.submission, f"token-file tokens/t user {ME} mechanisms {mechanism}", {}, ("tokens", ))
    assert "does not exist: mail for its smarthost waits" in s.cli("check", check=False).stdout.decode()
    file, fresh = s.folder / "tokens/t", s.folder / "tokens/new"

    def renew(text, age=0):
        fresh.write_text(text)
        fresh.chmod(0o600)
        own(fresh)
        os.utime(fresh, (time.time() - age, time.time() - age))
        os.rename(fresh, file)
        s.cli("queue", "flush", "--all")

    def wait_reason(text):
        wait_for(lambda: any(text in t for t in deferred(s)), 20)
        assert not arrived(other)
    s.send(SUBJECT, to=(f"r@{FAR}",), sender=ME)
    wait_reason(f"the token in {file} does not exist")
    renew(" \n", 7300)
    wait_reason(f"the token in {file} is empty, written 121 minutes ago")
    renew(other.issuer.token(exp=int(time.time()) - 3600), 3700)
    wait_reason(f"(the token in {file}, written 61 minutes ago: {{\"status\":")
    assert any(t.startswith(f"AUTH {mechanism} was refused: ") for t in deferred(s))
    token = other.issuer.token()
    renew(token + "\n")
    wait_for(lambda: len(arrived(other)) == 1, 30)
    assert len(s.log("credential-refused")) == 1 and token not in s.log_text()
    assert s.cli("check", check=False).stdout.decode().find("token-file") == -1


@pytest.mark.parametrize("first, why", [
    ("r={nonce}x,s=QQ==,i=1", "the server wants 1 iterations: too few to hide the password (RFC 7677 4: at least 4096)"),
    ("r={nonce}x,s=QQ==,i=99999999", "the server wants 99999999 iterations: too many (at most 1000000)"),
    ("r=somebody,s=QQ==,i=4096", "the server's nonce does not begin with ours"),
    (None, "the next hop lets us in without showing that it knows the password"),
    ("r={nonce}x,s=QQ==,i=4096", "the server does not know the password that it asks for")])
def test_hostile_scram(make, tmp_path, first, why):
    chain, context = certificate(tmp_path, "Test-Smarthost", "IP:127.0.0.1")
    heard = []

    def answer(line, session):
        heard.append(line)
        if line.startswith(b"AUTH"):
            assert base64.b64decode(line.split()[2]).startswith(b"y,,n=joe,r=")
            if first is None:
                return b"235 2.7.0 come in\r\n"
            nonce = base64.b64decode(line.split()[2]).split(b"r=")[1].decode()
            return b"334 " + base64.b64encode(first.format(nonce=nonce).encode()) + b"\r\n"
        if heard[-2:-1] and heard[-2].startswith(b"AUTH") and line != b"*":
            return b"334 " + base64.b64encode(b"v=" + base64.b64encode(bytes(32))) + b"\r\n"
        return b"501 5.7.0 cancelled\r\n" if line == b"*" else None
    hop = NextHop(extensions=["STARTTLS", "AUTH PLAIN LOGIN SCRAM-SHA-256"], answer=answer, context=context)
    s = near(make, hop.port, "user-file provider", {"provider": "joe\nto0 secret for logs\n"})
    s.send(SUBJECT, to=(f"r@{FAR}",), sender=ME)
    wait_for(lambda: deferred(s))
    assert deferred(s)[0] == why
    no_secret(s)
    assert not hop.messages and not any(b"PLAIN" in c for c in heard)
    hop.close()

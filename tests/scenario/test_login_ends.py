"""Who has logged in may send as long as what let him in holds: what is changed of his account, his rights, or the secret he came by counts at his next message."""
import os
import signal

import pytest

from sallyport import DOMAIN, PASSWORD, USER, in_time, wait_for
from scram import Exchange, b64

NAME = f"someone@{DOMAIN}"


@pytest.fixture
def s(shared):
    shared.cli("user", "add", NAME, "--grant", "submit,relay", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    yield shared
    shared.cli("user", "remove", NAME, "--no-reload", check=False)
    shared.cli("user", "group", "remove", "few", check=False)


def log_in(s, mechanism="PLAIN", name=NAME, password=PASSWORD):
    talk = s.connect(s.submission)
    talk.say("EHLO c.example.net", 250)
    talk.start_tls()
    talk.say("EHLO c.example.net", 250)
    if mechanism == "PLAIN":
        talk.say("AUTH PLAIN " + b64(f"\0{name}\0{password}"), 235)
    else:
        talk.say("AUTH LOGIN " + b64(name), 334)
        talk.say(b64(password), 235)
    talk.say(f"MAIL FROM:<{name.split('/')[0]}>", 250)
    talk.say("RSET", 250)
    return talk


@pytest.mark.parametrize("path", [f"<{NAME}>", "<>", f"<other@{DOMAIN}>"])
@pytest.mark.parametrize("how", ["lock", "remove"])
def test_an_account_ends(s, how, path):
    talk = log_in(s)
    s.cli("user", how, NAME, *(["--no-reload"] if how == "remove" else []))
    code, (text,) = talk.say(f"MAIL FROM:{path}")
    assert (code, text) == (421, "4.7.0 Your login has ended: connect again and log in")
    assert talk.ended()


def ends(talk):
    assert talk.say(f"MAIL FROM:<{NAME}>") == (421, ["4.7.0 Your login has ended: connect again and log in"])
    assert talk.ended()


def goes_on(talk):
    talk.say(f"MAIL FROM:<{NAME}>", 250)
    talk.say(f"RCPT TO:<{USER}@{DOMAIN}>", 250)
    talk.say("DATA", 354)
    talk.say(f"From: <{NAME}>\r\n\r\nHello.\r\n.", 250)


def group(s, *grants):
    s.cli("user", "group", "add", "few", NAME)
    if grants:
        s.cli("user", "grant", "--group", "few", *grants)


@pytest.mark.parametrize("before,change", [
    (None, ["revoke", NAME, "relay"]),
    (None, ["revoke", NAME, "submit", "relay"]),
    (None, ["grant", NAME, "any-sender"]),
    (["any-sender"], ["revoke", "--group", "few", "any-sender"]),
    (["any-sender"], ["group", "remove", "few", NAME]),
    (["any-sender"], ["group", "remove", "few"]),
    ([], ["group", "remove", "few", NAME]),
], ids=lambda p: None if p is None else "-".join(p).replace(NAME, "NAME"))
def test_what_it_may_do_was_changed(s, before, change):
    if before is not None:
        group(s, *before)
    talk = log_in(s)
    s.cli("user", *change)
    ends(talk)
    if "submit" not in change:
        goes_on(log_in(s))


def passwd(s):
    s.cli("user", "passwd", NAME, stdin=PASSWORD.encode() + b"\n")


def test_another_password(s):
    phone = s.ask("user", "app", "add", NAME, "phone")[-1]["password"]
    talk, app = log_in(s), log_in(s, "LOGIN", NAME, phone)
    passwd(s)
    ends(talk)
    goes_on(app)  # app passwords stay
    goes_on(log_in(s))


@pytest.mark.parametrize("mechanism,name", [("PLAIN", NAME), ("LOGIN", NAME), ("PLAIN", f"{NAME}/phone")])
def test_an_app_password_that_is_removed(s, mechanism, name):
    phone, laptop = (s.ask("user", "app", "add", NAME, label)[-1]["password"] for label in ("phone", "laptop"))
    talk, other, own = log_in(s, mechanism, name, phone), log_in(s, "PLAIN", NAME, laptop), log_in(s)
    s.cli("user", "app", "remove", NAME, "phone")
    s.ask("user", "app", "add", NAME, "phone")
    ends(talk)
    goes_on(other)
    goes_on(own)


def test_a_login_that_began_before_the_password_was_changed(s):
    """SCRAM reads the keys at its first step, and the client may take its time for the second."""
    talk = s.connect(s.submission)
    talk.say("EHLO c.example.net", 250)
    talk.start_tls()
    talk.say("EHLO c.example.net", 250)
    x = Exchange(None, NAME, PASSWORD)
    _, (challenge,) = talk.say("AUTH SCRAM-SHA-256 " + b64(x.gs2 + x.first), 334)
    passwd(s)
    x.hear(challenge)
    code, _ = talk.say(b64(x.last()))
    if code == 334:
        code, _ = talk.say("")
    assert code == 235
    ends(talk)


def test_what_is_asked_for_each_time(s):
    talk = log_in(s)
    s.cli("user", "sender", "add", NAME, f"other@{DOMAIN}")
    talk.say(f"MAIL FROM:<other@{DOMAIN}>", 250)
    talk.say("RSET", 250)
    s.cli("user", "sender", "remove", NAME, f"other@{DOMAIN}")
    talk.say(f"MAIL FROM:<other@{DOMAIN}>", 553)
    goes_on(talk)


def test_another_account_is_none_of_its_business(s):
    talk = log_in(s)
    s.cli("user", "passwd", f"{USER}@{DOMAIN}", stdin=PASSWORD.encode() + b"\n")
    s.cli("user", "group", "add", "few", f"{USER}@{DOMAIN}")
    goes_on(talk)


def test_the_directory_was_started_again(s):
    talk = log_in(s)
    old = s.processes()["directory"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.processes().get("directory", old) != old)
    wait_for(lambda: talk.say(f"MAIL FROM:<{NAME}>")[0] != 451)
    talk.say("RSET", 250)
    goes_on(talk)
    s.cli("user", "revoke", NAME, "relay")
    ends(talk)


def test_with_the_right_to_any_sender(s):
    s.cli("user", "grant", NAME, "any-sender")
    talk = log_in(s)
    talk.say("MAIL FROM:<anybody@elsewhere.example>", 250)
    talk.say("RSET", 250)
    s.cli("user", "lock", NAME)
    talk.say("MAIL FROM:<anybody@elsewhere.example>", 421)


def test_a_transaction_that_began_may_end(s):
    talk = log_in(s)
    talk.say(f"MAIL FROM:<{NAME}>", 250)
    talk.say(f"RCPT TO:<{USER}@{DOMAIN}>", 250)
    s.cli("user", "lock", NAME)
    talk.say("DATA", 354)
    talk.say(f"From: <{NAME}>\r\n\r\nHello.\r\n.", 250)
    talk.say(f"MAIL FROM:<{NAME}>", 421)


@pytest.mark.parametrize("mechanism,name", [("PLAIN", NAME), ("LOGIN", NAME), ("PLAIN", f"{NAME}/phone")])
def test_an_app_password_ends(s, mechanism, name):
    def while_it_lasts(seconds):
        s.cli("user", "app", "remove", NAME, "phone", check=False)
        password = s.ask("user", "app", "add", NAME, "phone", "--expires", f"{seconds}s")[-1]["password"]
        try:
            return log_in(s, mechanism, name, password)
        except AssertionError:
            return None
    talk, other = in_time(while_it_lasts, 4), log_in(s)

    def ended():
        """the end of the app password"""
        code, _ = talk.say(f"MAIL FROM:<{NAME}>")
        return code == 421 or talk.say("RSET", 250) is None
    wait_for(ended, 60, every=0.5)
    assert talk.ended()
    other.say(f"MAIL FROM:<{NAME}>", 250)

"""Who has logged in may send as long as what let him in holds: a lock, a removed account and an app password's end count at his next message."""
import base64
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER

NAME = f"someone@{DOMAIN}"


@pytest.fixture
def s(shared):
    shared.cli("user", "add", NAME, "--grant", "submit,relay", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    yield shared
    shared.cli("user", "remove", NAME, "--no-reload", check=False)


def log_in(s, mechanism="PLAIN", name=NAME, password=PASSWORD):
    talk = s.connect(s.submission)
    talk.say("EHLO c.example.net", 250)
    talk.start_tls()
    talk.say("EHLO c.example.net", 250)
    if mechanism == "PLAIN":
        talk.say("AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()).decode(), 235)
    else:
        talk.say("AUTH LOGIN " + base64.b64encode(name.encode()).decode(), 334)
        talk.say(base64.b64encode(password.encode()).decode(), 235)
    talk.say(f"MAIL FROM:<{NAME}>", 250)
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
    password = s.ask("user", "app", "add", NAME, "phone", "--expires", "4s")[-1]["password"]
    talk, other = log_in(s, mechanism, name, password), log_in(s)
    time.sleep(5)
    talk.say(f"MAIL FROM:<{NAME}>", 421)
    assert talk.ended()
    other.say(f"MAIL FROM:<{NAME}>", 250)

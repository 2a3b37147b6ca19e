"""The log says by which of a user's app passwords somebody came, and never the password."""
import base64
import sqlite3

import pytest

from sallyport import DOMAIN, PASSWORD, USER, run, wait_for
from test_login_ends import log_in

NAME = f"devices@{DOMAIN}"


@pytest.fixture
def s(shared):
    shared.cli("user", "add", NAME, "--grant", "submit", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    yield shared
    shared.cli("user", "remove", NAME, "--no-reload")


def logged(s, act):
    """The line of the only login that comes of it."""
    before = len(s.log("login"))
    act()
    wait_for(lambda: len(s.log("login")) > before)
    (line,) = s.log("login")[before:]
    assert line["user"] == NAME
    return line


def scram(s, name, password):
    run("gsasl", "--smtp", "--connect", f"127.0.0.1:{s.submission}", "-m", "SCRAM-SHA-256", "--no-cb", "-a", name, "-p", password, "--x509-ca-file=", stdin=b"")


def test_which_app_password(s):
    phone, laptop = (s.ask("user", "app", "add", NAME, label)[-1]["password"] for label in ("phone", "laptop.2"))
    for name, password, label in ((NAME, phone, "phone"), (f"{NAME}/phone", phone, "phone"), (NAME, laptop, "laptop.2"), (NAME, PASSWORD, None)):
        assert logged(s, lambda: log_in(s, "PLAIN", name, password)).get("label") == label
        assert logged(s, lambda: log_in(s, "LOGIN", name, password)).get("label") == label
        if label is None or "/" in name:
            assert logged(s, lambda: scram(s, name, password)).get("label") == label
    for secret in (phone, laptop, PASSWORD):
        for text in (secret, base64.b64encode(secret.encode()).decode()):
            assert text not in s.log_text()


def test_a_label_that_the_tool_would_not_take(s):
    """The database is the directory process's, and whoever has that may write what he likes: it is one escaped string of a line, and not more than fits."""
    phone = s.ask("user", "app", "add", NAME, "phone")[-1]["password"]
    for label, shown in (('"},{\n\x1b[2J\u202e', '"},{\n\x1b[2J\u202e'), ("\u00e9" * 64, "\u00e9" * 32)):
        with sqlite3.connect(s.folder / "users/identity.db") as db:
            db.execute("UPDATE app SET label=? WHERE principal=(SELECT number FROM principal WHERE name=?)", (label, NAME))
        db.close()
        assert logged(s, lambda: log_in(s, "PLAIN", NAME, phone))["label"] == shown
    assert "\x1b" not in s.log_text() and "\u202e" not in s.log_text()

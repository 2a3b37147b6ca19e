"""A reload hurts nobody who logs in or has logged in: the directory of his generation stays until its sessions are over, and nobody else asks it."""
import base64
import os
import signal
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, wait_for
from scram import Exchange, b64

ME = f"{USER}@{DOMAIN}"


def submission(s):
    talk = s.connect(s.submission)
    talk.say("EHLO c.example.net", 250)
    talk.start_tls()
    talk.say("EHLO c.example.net", 250)
    return talk


def log_in(s):
    talk = submission(s)
    talk.say("AUTH PLAIN " + b64(f"\0{ME}\0{PASSWORD}"), 235)
    return talk


def of_role(s, role):
    return {pid for name, pid in s.processes().items() if name.startswith(role)}


@pytest.fixture
def s(make):
    one = make()
    one.cli("user", "sender", "add", ME, f"sales@{DOMAIN}")
    return one


def reload(s):
    """The directories from before it."""
    before = of_role(s, "directory")
    s.cli("reload")
    assert of_role(s, "directory") - before
    return before


def test_login_goes_on(s):
    talk = submission(s)
    talk.say("AUTH LOGIN", 334)
    reload(s)
    talk.say(b64(ME), 334)
    reload(s)
    talk.say(b64(PASSWORD), 235)
    talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 250)


def test_scram_goes_on(s):
    talk, x = submission(s), Exchange(None, ME, PASSWORD)
    _, (challenge,) = talk.say("AUTH SCRAM-SHA-256 " + b64(x.gs2 + x.first), 334)
    reload(s)
    x.hear(challenge)
    _, (verdict,) = talk.say(b64(x.last()), 334)
    assert base64.b64decode(verdict).startswith(b"v=")
    reload(s)
    talk.say("", 235)
    talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 250)


def test_a_login_begins_after_it(s):
    """In a session of the old generation."""
    talk = submission(s)
    reload(s)
    talk.say("AUTH PLAIN " + b64(f"\0{ME}\0wrong"), 535)
    talk.say("AUTH PLAIN " + b64(f"\0{ME}\0{PASSWORD}"), 235)


def test_listed_senders_stay(s):
    talk = log_in(s)
    old = reload(s)
    for _ in range(2):
        talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 250)
        talk.say(f"RCPT TO:<{ME}>", 250)
        talk.say("RSET", 250)
        talk.say(f"MAIL FROM:<other@{DOMAIN}>", 553)
        s.cli("user", "sender", "remove", ME, f"sales@{DOMAIN}")
        talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 553)
        s.cli("user", "sender", "add", ME, f"sales@{DOMAIN}")
    talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 250)
    assert old <= of_role(s, "directory")
    talk.say("QUIT", 221)
    wait_for(lambda: not old & of_role(s, "directory"))  # as soon as nobody needs it


@pytest.mark.takes(12)
def test_the_spooler_asks_the_new_one_only(make):
    """Also when it is killed while an old one stays, and when the new one is."""
    s = make()
    s.cli("user", "add", f"second@{DOMAIN}", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    aliases = s.folder / "aliases"
    aliases.write_text(f"team: {USER}\n")
    s.cli("reload")
    held = log_in(s)
    aliases.write_text("team: second\n")
    old = reload(s)

    def serves():
        """a message for the alias is taken"""
        try:
            s.send(to=(f"team@{DOMAIN}",))
            return True
        except Exception:  # noqa: BLE001: whatever a client may meet while a process is being replaced
            return False
    sent = 0
    for role in "none", "spooler", "directory":
        for pid in of_role(s, role) - old:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: of_role(s, role) - old - {pid})
        for _ in range(6):  # long enough for conversations that broke off to be joined anew
            wait_for(serves)
            sent += 1
            time.sleep(0.1)
        s.wait_mails(sent, user="second")
    assert s.mails() == []
    held.say(f"MAIL FROM:<{ME}>", 250)
    assert old & of_role(s, "directory")


def test_an_old_directory_dies(s):
    """Its sessions hear so, and go on without it; nobody else notices."""
    talk, waiting = log_in(s), submission(s)
    old = reload(s)
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not old & of_role(s, "directory"))
    talk.say(f"MAIL FROM:<sales@{DOMAIN}>", 451)
    waiting.say("AUTH PLAIN " + b64(f"\0{ME}\0{PASSWORD}"), 454)
    waiting.say("NOOP", 250)
    fresh = log_in(s)
    fresh.say(f"MAIL FROM:<sales@{DOMAIN}>", 250)
    time.sleep(0.5)
    assert len(of_role(s, "directory")) == 1  # it is not started again
    s.send()
    s.wait_mails(1)


@pytest.mark.takes(15)
def test_generations_are_bounded(s):
    """Sessions that stay, through more reloads than there may be generations: the oldest give way."""
    held = []
    for _ in range(9):
        held.append(log_in(s))
        s.cli("reload")
        assert len(of_role(s, "directory")) <= 8 and len(of_role(s, "edge")) <= 16
    held[-1].say(f"MAIL FROM:<sales@{DOMAIN}>", 250)
    assert held[0].ended()
    assert s.log("drain-cut-short")
    for talk in held:
        talk.close()
    wait_for(lambda: len(of_role(s, "directory")) == 1, 20)
    s.send()
    s.wait_mails(1)

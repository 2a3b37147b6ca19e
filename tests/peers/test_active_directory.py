"""NTLM logins that a domain controller checks: Samba as the controller, real clients, the whole daemon in its cages."""
import hashlib
import os
import signal
import statistics
import threading
import time

import pytest

from domain import PASSWORD, Domain
from sallyport import DOMAIN, USER, Sallyport, free_ports, run, wait_for
from test_login_ntlm import Login, end_point, last_reason
from test_ntlm import gss, impacket

ME = f"user@{DOMAIN}"
USERS = ("user", "member", "byuser", "norights", "disabled", "expired", "mustchange", "lockme", "visitor", "locally", "ours")
COMMANDS = ("group addmembers 'Mail Users' member", "group addmembers 'Domain Guests' visitor", "user disable disabled", "user setexpiry expired --days=-1",
            f"user setpassword mustchange --newpassword={PASSWORD} --must-change-at-next-login", "computer create pc", f"user setpassword 'pc$' --newpassword={PASSWORD}",
            "user enable Guest", f"user setpassword Guest --newpassword={PASSWORD}", "user rename Guest --samaccountname=caller", "user create 'jo doe' " + PASSWORD)


@pytest.fixture(scope="module")
def ad():
    domain, s = Domain(USERS, COMMANDS), None
    try:
        port, strict, everybody = free_ports(3)
        login = "tls starttls  access authenticated mechanisms NTLM PLAIN"
        s = Sallyport(config=f"""winbind DOM dom.example as {DOMAIN} default
server old {{ listen 127.0.0.1:{port} {login}
    right submit to user {ME}
    right submit to group "mail users@{DOMAIN}" }}
server strict {{ listen 127.0.0.1:{strict} {login}  ntlm-channel-binding require
    right submit to domain {DOMAIN} }}
server everybody {{ listen 127.0.0.1:{everybody} {login}
    right submit to group "Domain Users@{DOMAIN}" }}""")
        s.old, s.strict, s.everybody, s.domain = port, strict, everybody, domain
        for name, options in {"locally": ["--grant", "submit"], "ours": ["--grant", "submit"]}.items():
            s.cli("user", "add", f"{name}@{DOMAIN}", *options, stdin=b"another one\n")
        s.cli("user", "lock", f"ours@{DOMAIN}")
        s.start(through=domain.through())
        yield s
    finally:
        for it in (s, domain):
            if it:
                it.close()


def answer(s, user="user", domain="DOM", password=PASSWORD, port=None, **more):
    return impacket(Login(s, port), user=user, domain=domain, password=password, **more)


def refused(s, reason, code=535, **more):
    count = len(s.log("login-refused"))
    assert answer(s, **more) == code
    assert last_reason(s, count) == reason


@pytest.mark.parametrize("login", ["DOM\\user", "dom.example\\user", "user", "USER", "user@dom.example"])
def test_curl(ad, login):
    mail = ad.top / "mail"
    mail.write_text(f"From: <{ME}>\nSubject: submitted\n\nHello.\n")
    before = len(ad.mails())
    command = ["curl", "-sS", "-v", "--url", f"smtp://127.0.0.1:{ad.old}/client", "--ssl-reqd", "-k", "--login-options", "AUTH=NTLM", "--mail-from", ME, "--mail-rcpt",
               f"{USER}@{DOMAIN}", "-T", mail, "--crlf", "-u"]
    run(*command, f"{login}:{PASSWORD}")
    wait_for(lambda: len(ad.mails()) > before)
    assert b"with ESMTPSA" in ad.mails()[-1]
    assert ad.log("login")[-1]["user"] == ME
    assert b"< 535 " in run(*command, f"{login}:wrong", check=False).stderr


def test_impacket(ad):
    assert answer(ad) == answer(ad, domain="dom.example") == answer(ad, user="UsEr") == answer(ad, signing=True) == 235


REFUSALS = {"wrong-secret": {"password": "wrong"}, "unknown-user": {"user": "nobody"}, "disabled": {"user": "disabled"}, "expired": {"user": "expired"},
            "must-change": {"user": "mustchange"}, "no-right": {"user": "norights"}, "restricted": {"user": "pc$"}, "ntlmv1": {"version_2": False},
            "anonymous": {"user": "", "password": ""}, "locked": {"user": "ours"}}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals_differ_in_the_log_alone(ad, reason):
    login = Login(ad)
    said = []
    docmd = login.smtp.docmd
    login.smtp.docmd = lambda *a: said.append(docmd(*a)) or said[-1]
    count = len(ad.log("login-refused"))
    assert impacket(login, **{"user": "user", "domain": "DOM", "password": PASSWORD, **REFUSALS[reason]}) == 535
    assert said[-1] == (535, b"5.7.8 Authentication failed")
    assert login.smtp.docmd("MAIL", "FROM:<>")[0] == 530
    assert last_reason(ad, count) == reason


def test_refusals_take_as_long(ad):
    """Told at multiples of a quarter of a second: what the domain controller took cannot be seen."""
    def quick(**more):
        times = []
        for _ in range(4):
            login = Login(ad)
            began = time.monotonic()
            assert impacket(login, **{"user": "norights", "domain": "DOM", "password": PASSWORD, **more}) == 535
            times.append(time.monotonic() - began)
        return min(times)
    all_of_them = [quick(), quick(user="nobody"), quick(user="disabled"), quick(user="expired")]
    assert max(all_of_them) - min(all_of_them) < 0.15, all_of_them


def test_the_account_is_locked(ad):
    for _ in range(3):
        answer(ad, user="lockme", password="wrong")
    refused(ad, "domain-locked", user="lockme")


def test_guests_under_any_name(ad):
    """The domain's Guest is enabled, has a password, and is called otherwise; somebody else is a member of its guests."""
    refused(ad, "guest", user="caller")
    refused(ad, "guest", user="visitor")
    refused(ad, "guest", user="Guest")
    refused(ad, "guest", user="visitor", port=ad.strict)
    assert ad.log("domain-odd")


def test_groups_and_accounts_of_ours_give_rights(ad):
    assert answer(ad, user="member") == 235  # a group that the configuration writes in another case
    refused(ad, "no-right", user="byuser")
    assert answer(ad, user="byuser", port=ad.everybody) == 235  # the primary group
    assert answer(ad, user="locally") == 235  # an account of ours of that name
    refused(ad, "unknown-user", user="jo doe")  # no address
    login = Login(ad)
    assert impacket(login, user="member", domain="DOM", password=PASSWORD) == 235
    assert login.smtp.docmd("MAIL", f"FROM:<{ME}>")[0] == 553
    assert login.smtp.docmd("MAIL", f"FROM:<member@{DOMAIN}>")[0] == 250


def test_mic_by_the_key_of_the_domain_controller(ad, monkeypatch, tmp_path):
    count = len(ad.log("login-refused"))
    assert gss(monkeypatch, tmp_path, Login(ad)) == (235, 88)
    for n, at in enumerate((64, 72, 87)):
        assert gss(monkeypatch, tmp_path, Login(ad), change=[at])[0] == 535
        assert last_reason(ad, count + n) == "mic"


def test_channel_bindings(ad, monkeypatch, tmp_path):
    ours = end_point(ad.strict)
    assert gss(monkeypatch, tmp_path, Login(ad, ad.strict), ours)[0] == 235
    count = len(ad.log("login-refused"))
    assert gss(monkeypatch, tmp_path, Login(ad, ad.strict), hashlib.sha256(b"another").digest())[0] == 535
    assert last_reason(ad, count) == "binding"
    refused(ad, "no-binding", port=ad.strict)


def test_it_may_ask_because_of_its_group(ad):
    pid = ad.processes()["winbind"]
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
    assert len(status["Groups"].split()) == 1 and status["CapEff"] == "0" * 16 and status["Seccomp"] == "2"
    assert not ad.log("winbind-group")


# --- what happens to winbindd

def seconds_of_a_stranger(ad):
    began = time.monotonic()
    talk = ad.connect()
    talk.say("EHLO x", 250)
    talk.say("MAIL FROM:<a@example.net>", 250)
    talk.say(f"RCPT TO:<{USER}@{DOMAIN}>", 250)
    talk.close()
    return time.monotonic() - began


def test_winbindd_is_slow(ad):
    """As many as can wait do, and more; a stranger and an account of ours do not notice."""
    ad.domain.signal(signal.SIGSTOP)
    codes = []
    waiting = [threading.Thread(target=lambda: codes.append(answer(ad))) for _ in range(12)]
    try:
        for w in waiting:
            w.start()
        time.sleep(1)
        times = sorted(seconds_of_a_stranger(ad) for _ in range(50))
        began = time.monotonic()
        with ad.smtplib(ad.old, "starttls") as c:
            c.user, c.password = f"locally@{DOMAIN}", "another one"
            c.ehlo()
            assert c.auth("PLAIN", c.auth_plain)[0] == 235
        plain = time.monotonic() - began
        assert statistics.median(times) < 0.2 and times[-1] < 2 and plain < 5, (times[-5:], plain)
        for w in waiting:
            w.join(60)
    finally:
        ad.domain.signal(signal.SIGCONT)
    assert set(codes) == {454} and len(codes) == 12
    assert wait_for(lambda: answer(ad) == 235, 20, 0.5)


def test_winbindd_dies_in_the_middle_and_comes_back(ad):
    ad.domain.signal(signal.SIGSTOP)
    codes, began = [], time.monotonic()
    waiting = threading.Thread(target=lambda: codes.append(answer(ad)))
    waiting.start()
    time.sleep(1)
    ad.domain.signal(signal.SIGKILL)
    waiting.join(60)
    assert codes == [454] and time.monotonic() - began < 9, "it need not wait until the end"
    assert answer(ad) == 454
    assert ad.log("domain-unavailable")
    assert len(ad.log("login-refused")) and ad.log("login-refused")[-1]["reason"] == "unavailable"
    ad.domain.end()
    ad.domain.start()
    assert wait_for(lambda: answer(ad) == 235, 20, 0.5)
    assert [p for p in ad.log("process-exit") if p["name"] in ("winbind", "directory")] == []


def test_the_process_that_asks_dies(ad):
    """In the middle of a login, and is back at once."""
    pid, codes = ad.processes()["winbind"], []
    ad.domain.signal(signal.SIGSTOP)
    try:
        waiting = threading.Thread(target=lambda: codes.append(answer(ad)))
        waiting.start()
        time.sleep(1)
        os.kill(pid, signal.SIGKILL)
        waiting.join(60)
    finally:
        ad.domain.signal(signal.SIGCONT)
    assert codes == [454]
    wait_for(lambda: ad.processes().get("winbind", pid) != pid)
    assert wait_for(lambda: answer(ad) == 235, 20, 0.5)


def test_a_user_who_is_not_in_the_group(ad):
    """Started by an ordinary user: the log says what is missing, and the answer is 454."""
    port, = free_ports(1)
    s = Sallyport(as_user=True, config=f"winbind DOM as {DOMAIN}\nserver old {{ listen 127.0.0.1:{port} tls starttls  access authenticated mechanisms NTLM }}\n")
    s.old = port
    try:
        s.start(through=[*ad.domain.through(), "setpriv", f"--reuid={s.uid}", f"--regid={s.uid}", "--clear-groups"])
        assert wait_for(lambda: s.log("winbind-group"))[0]["group"] == "winbindd_priv"
        refused(s, "unavailable", 454)
        assert "winbindd_priv" in wait_for(lambda: s.log("domain-unavailable"))[0]["hint"]
    finally:
        s.close()


"""Guessing passwords: who is slowed, who is banned, who never is, and what the operator sees of it."""
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import smtplib
import socket
import sqlite3
import time

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, run, wait_for

ME = f"{USER}@{DOMAIN}"
BANNED, FAILED, TURNED_AWAY = 421, 535, 554
ATTACKED = 4  # seconds: LIMIT_GUESS_ATTACKED_WAIT_MS


@pytest.fixture
def s():
    """The loopback is not exempt here, so that its addresses may play strangers."""
    one = Sallyport(config="never-ban 192.0.2.0/24 127.66.99.0/24")
    one.start()
    yield one
    one.close()


def greeting(s, source, port=None):
    """Of a connection: code and text; 0 when it broke off."""
    try:
        with socket.create_connection(("127.0.0.1", port or s.submission), 60, (source, 0)) as c:
            line = c.makefile("rb").readline().decode()
            return int(line[:3] or 0), line[4:].strip()
    except ConnectionResetError:
        return 0, ""


def login(s, source, user=ME, password="wrong"):
    """The code that the login ended with: BANNED at AUTH, or already at the door."""
    try:
        c = smtplib.SMTP("127.0.0.1", s.submission, local_hostname="client.example.net", timeout=60, source_address=(source, 0))
    except smtplib.SMTPConnectError as e:
        assert e.smtp_code == TURNED_AWAY and e.smtp_error.startswith(b"5.7.1 "), e
        return BANNED
    try:
        c.starttls(context=no_check())
        c.ehlo()
        return c.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())[0]
    finally:
        c.close()


def together(s, tries):
    """Codes of logins side by side."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda t: login(s, *t), tries))


def get_banned(s, source, user="nobody{}@example.org", least=1):
    """Fails until the answer is that it is banned."""
    for i in range(40):
        if login(s, source, user.format(i)) == BANNED:
            assert i >= least
            return i
    raise AssertionError("never banned")


def bans(s):
    return {b["network"]: b for b in s.ask("ban", "list")}


def test_a_source_is_slowed_and_banned_and_another_is_not(s):
    assert login(s, "127.66.1.1", password=PASSWORD) == 235
    began = time.monotonic()
    assert get_banned(s, "127.66.2.2", least=4) <= 6
    assert time.monotonic() - began > 3  # it had to wait
    assert login(s, "127.66.2.2", password=PASSWORD) == BANNED  # whatever he knows now
    assert login(s, "127.66.1.1", password=PASSWORD) == 235
    assert login(s, "127.66.3.3", password=PASSWORD) == 235
    event, = s.log("login-banned")
    assert (event["network"], event["level"], event["reason"], event["times"]) == ("127.66.2.2/32", "security", "failures", 1)
    assert event["tried"].startswith("nobody0@example.org,nobody1@example.org")


def test_the_session_ends_with_the_ban(s):
    c = smtplib.SMTP("127.0.0.1", s.submission, timeout=60, source_address=("127.66.2.2", 0))
    c.starttls(context=no_check())
    c.ehlo()
    get_banned(s, "127.66.2.2")
    assert c.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0a\0b").decode()) == (421, b"4.7.0 Too many failed logins from your address, try again later")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        c.docmd("NOOP")


def at_the_door(s, source, port=None, banned=True):
    """Waits until it is turned away in place of the greeting, or no more, and all edges know the same bans."""
    code = TURNED_AWAY if banned else 220
    wait_for(lambda: greeting(s, source, port)[0] == code and len({e["bans"] for e in edges(s)}) == 1)
    assert greeting(s, source, port)[0] == code


def explain(s, server, client, *more):
    """What is said of a ban, and the reply."""
    done = s.cli("explain", "--server", server, "--client", client, "--from", ME, "--to", ME, "--json", *more, check=False)
    said = json.loads(done.stdout)
    return next((step["rule"] for step in said["steps"] if step["step"] == "ban"), None), said["reply"]["code"], f"{said['reply']['enhanced']} {said['reply']['text']}"


def edges(s):
    return s.status("edge")


def test_who_is_banned_hears_it_at_the_door(s):
    get_banned(s, "127.66.2.2")
    at_the_door(s, "127.66.2.2")
    assert greeting(s, "127.66.2.2") == (554, "5.7.1 Too many failed logins from your address, it is banned for now: try again later")
    with socket.create_connection(("127.0.0.1", s.submissions), 60, ("127.66.2.2", 0)) as c:
        assert c.recv(1) == b""  # before TLS nothing can be said, and no handshake is begun
    assert greeting(s, "127.66.2.3")[0] == 220
    assert greeting(s, "127.66.2.2", s.smtp)[0] == 220  # nobody logs in there: mail of others behind that address goes on
    refused = wait_for(lambda: [e for e in s.log("refused") if e.get("rule") == "banned"])
    assert 1 <= len(refused) <= len(edges(s)) and (refused[0]["client"], refused[0]["network"], refused[0]["code"]) == ("127.66.2.2", "127.66.2.2/32", 554)
    assert sum(e["banned_sessions"] for e in edges(s)) >= 3 and all(e["bans"] == 1 for e in edges(s))
    assert explain(s, "submission", "127.66.2.2") == ("banned", 554, greeting(s, "127.66.2.2")[1])
    assert explain(s, "mx", "127.66.2.2")[:2] == ("banned.login", 250)
    assert explain(s, "submission", "127.66.2.3", "--user", ME, "--tls")[:2] == (None, 250)
    s.cli("ban", "lift", "127.66.2.2")
    at_the_door(s, "127.66.2.2", banned=False)
    assert login(s, "127.66.2.2", password=PASSWORD) == 235


def test_a_ban_by_hand_closes_every_door_within_seconds(s):
    assert greeting(s, "127.66.2.2", s.smtp)[0] == 220
    began = time.monotonic()
    s.cli("ban", "add", "127.66.2.0/26", "--reason", "enough")
    at_the_door(s, "127.66.2.2", s.smtp)
    assert time.monotonic() - began < 20  # 2 where nobody else works
    at_the_door(s, "127.66.2.2")
    assert greeting(s, "127.66.2.2") == (554, "5.7.1 Your address is banned here, ask the postmaster")
    assert greeting(s, "127.66.2.64", s.smtp)[0] == 220
    s.cli("reload")  # new edges, another directory
    at_the_door(s, "127.66.2.2", s.smtp)
    for role in ("edge", "directory"):
        for name, pid in s.processes().items():
            if name.startswith(role):
                os.kill(pid, signal.SIGKILL)
        at_the_door(s, "127.66.2.2", s.smtp)
    s.cli("ban", "lift", "127.66.2.0/26")
    at_the_door(s, "127.66.2.2", s.smtp, banned=False)


def test_many_bans_stop_nobody(s):
    """The directory sorts its list of them, in its cage."""
    networks = [f"198.51.{i // 64}.{i % 64}/32" for i in range(300)]
    with sqlite3.connect(s.folder / "users/identity.db") as db:
        db.executemany("INSERT INTO ban VALUES (?, ?, ?, 1, 80, 9, 0, 'x')", [(network, int(time.time()), int(time.time()) + 3600) for network in networks])
    db.close()
    wait_for(lambda: all(e["bans"] == len(networks) for e in edges(s)))
    assert login(s, "127.66.2.2", password=PASSWORD) == 235
    assert not s.log("process-exit")


def test_a_ban_by_hand_ends_open_sessions(s):
    """At their next message, whether they logged in or not; not those beside it, or that never-ban names."""
    def mail(c):
        answer = c.docmd("MAIL", f"FROM:<{ME}>")
        if answer[0] == 250:
            c.docmd("RSET")
        return answer

    talks = [smtplib.SMTP("127.0.0.1", s.submission, timeout=60, source_address=(source, 0)) for source in ("127.66.2.2", "127.66.2.64", "127.66.99.5")]
    for c in talks:
        c.starttls(context=no_check())
        c.login(ME, PASSWORD)
        assert mail(c)[0] == 250
    banned, other, never = talks
    stranger = smtplib.SMTP("127.0.0.1", s.smtp, timeout=60, source_address=("127.66.2.2", 0))
    stranger.ehlo()
    s.cli("ban", "add", "127.66.2.0/26", "--reason", "enough")
    at_the_door(s, "127.66.2.2")
    for c in banned, stranger:
        assert mail(c) == (421, b"4.7.0 Your address is banned here, ask the postmaster")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            c.docmd("NOOP")
    assert mail(other)[0] == mail(never)[0] == 250
    s.cli("ban", "add", "127.66.0.0/16", "--reason", "a whole provider")
    at_the_door(s, "127.66.3.3")
    assert (mail(other)[0], mail(never)[0]) == (421, 250)


def begun(s, source):
    """A session in the middle of a login."""
    c = smtplib.SMTP("127.0.0.1", s.submission, timeout=60, source_address=(source, 0))
    c.starttls(context=no_check())
    c.ehlo()
    assert c.docmd("AUTH", "LOGIN")[0] == 334
    return c


def go_on(c, password=PASSWORD):
    """Codes of name and password."""
    return [c.docmd(base64.b64encode(said.encode()).decode())[0] for said in (ME, password)]


def test_a_ban_by_hand_ends_what_has_begun(s):
    c, never = begun(s, "127.66.2.2"), begun(s, "127.66.99.5")
    s.cli("ban", "add", "127.66.0.0/16", "--reason", "a whole provider")
    at_the_door(s, "127.66.3.3")
    assert c.docmd(base64.b64encode(ME.encode()).decode())[0] == BANNED
    assert go_on(never) == [334, 235]


def test_who_waits_for_its_turn_waits_for_nothing_when_it_is_banned_meanwhile(s):
    """Logins of a source that failed too often stand in line; the password of the last one in it fits, and those before it bring the ban."""
    source = "127.66.2.2"
    for i in range(3):
        assert login(s, source, f"nobody{i}@{DOMAIN}") == FAILED

    def session():
        c = smtplib.SMTP("127.0.0.1", s.submission, timeout=60, source_address=(source, 0))
        c.starttls(context=no_check())
        c.ehlo()
        return c
    wrong, right = [session(), session()], session()
    before = len(s.log("login-refused"))
    for c in wrong:
        c.putcmd("AUTH", "PLAIN " + base64.b64encode(f"\0nobody9@{DOMAIN}\0wrong".encode()).decode())
    wait_for(lambda: len(s.log("login-refused")) > before)  # the first one: so the other has its turn before who comes now
    assert right.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{ME}\0{PASSWORD}".encode()).decode())[0] == BANNED
    assert [c.getreply()[0] for c in wrong] == [FAILED, FAILED]


def test_failures_of_others_end_no_session(s):
    """Somebody behind the same address failed to log in: who has logged in goes on."""
    c = smtplib.SMTP("127.0.0.1", s.submission, timeout=60, source_address=("127.66.2.2", 0))
    c.starttls(context=no_check())
    c.login(ME, PASSWORD)
    get_banned(s, "127.66.2.2")
    at_the_door(s, "127.66.2.2")
    assert c.docmd("MAIL", f"FROM:<{ME}>")[0] == 250


def test_never_ban_holds_at_the_door(s):
    s.cli("ban", "add", "127.66.0.0/16", "--reason", "a whole provider")
    at_the_door(s, "127.66.2.2")
    assert explain(s, "submission", "127.66.2.2")[:2] == ("banned.by-hand", 554) and explain(s, "submission", "127.66.99.5", "--user", ME, "--tls")[:2] == ("never-ban", 250)
    assert greeting(s, "127.66.99.5")[0] == 220  # never-ban 127.66.99.0/24
    assert login(s, "127.66.99.5", password=PASSWORD) == 235


def test_the_client_behind_a_proxy_is_meant():
    port, = free_ports(1)
    one = Sallyport(config=f"never-ban 192.0.2.0/24\nserver behind {{ listen 127.0.0.1:{port} proxy from 127.0.0.1  tls none  access anonymous  recipients {DOMAIN} }}")

    def through(client):
        with socket.create_connection(("127.0.0.1", port), 60) as c:
            c.sendall(f"PROXY TCP4 {client} 127.0.0.1 4711 25\r\n".encode())
            return int(c.makefile("rb").readline()[:3])
    try:
        one.start()
        assert through("198.51.100.7") == 220
        one.cli("ban", "add", "198.51.100.0/24", "--reason", "test")
        wait_for(lambda: through("198.51.100.7") == 554)
        assert through("203.0.113.7") == 220
        one.cli("ban", "add", "127.0.0.1", "--reason", "the proxy itself")
        at_the_door(one, "127.0.0.1", one.smtp)
        assert through("203.0.113.7") == 220
    finally:
        one.close()


def test_bans_hold_where_nobody_logs_in(tmp_path):
    """No server offers logins: bans by hand are known all the same."""
    one = Sallyport(config="never-ban 192.0.2.0/24")
    text = one.config.read_text()
    one.config.write_text(text[:text.index("server submission")] + text[text.index("limits {"):])
    try:
        one.start()
        one.cli("ban", "add", "127.66.2.2", "--reason", "test")
        at_the_door(one, "127.66.2.2", one.smtp)
    finally:
        one.close()


def test_networks_named_in_the_configuration_are_never_banned(s):
    assert set(together(s, [("127.66.99.1", f"n{i}@{DOMAIN}") for i in range(30)])) == {FAILED}
    assert not s.log("login-banned")


def test_the_loopback_is_never_banned_when_nothing_is_said(make):
    s = make()
    assert set(together(s, [("127.0.0.1", f"n{i}@{DOMAIN}") for i in range(30)])) == {FAILED}


def quick(s, source):
    """Whether a login of one who is guessed at from everywhere goes as if he were not: one of some tries, where others work."""
    for _ in range(5):
        began = time.monotonic()
        assert login(s, source, password=PASSWORD) == 235
        if time.monotonic() - began < ATTACKED:
            return True
    return False


def test_guessing_from_everywhere_locks_nobody_out(s):
    assert login(s, "127.66.1.1", password=PASSWORD) == 235
    codes = together(s, [(f"127.{70 + i}.1.1", ME) for i in range(14)])
    assert set(codes) == {FAILED}
    event, = s.log("login-distributed")
    assert event["claimed"] == ME and event["level"] == "security"
    assert quick(s, "127.66.1.1")
    began = time.monotonic()
    assert login(s, "127.66.7.7", password=PASSWORD) == 235  # from where he never was: it takes longer, and goes
    assert time.monotonic() - began > ATTACKED


def test_an_account_that_may_not_log_in_is_refused_as_late(s):
    """While it is guessed at: else a quick refusal would say that this password was right."""
    locked = f"locked@{DOMAIN}"
    s.cli("user", "add", locked, "--grant", "submit", stdin=PASSWORD.encode() + b"\n")
    s.cli("user", "lock", locked)
    assert set(together(s, [(f"127.{70 + i}.1.1", locked) for i in range(14)])) == {FAILED}
    wait_for(lambda: s.log("login-distributed"))
    for source, password in (("127.66.7.7", PASSWORD), ("127.66.8.8", "wrong")):
        began = time.monotonic()
        assert login(s, source, locked, password) == FAILED
        assert time.monotonic() - began > 4


def test_neighbours_of_a_known_source_take_it_nothing(s):
    assert login(s, "127.66.1.1", password=PASSWORD) == 235
    for round in range(3):
        together(s, [(f"127.66.1.{i}", f"x{round}@{DOMAIN}") for i in range(10, 32)])
        if "127.66.1.0/24" in bans(s):
            break
    wait_for(lambda: "127.66.1.0/24" in bans(s))
    assert login(s, "127.66.1.200", password=PASSWORD) == BANNED
    assert greeting(s, "127.66.1.200")[0] == 220  # the directory alone knows who may go on logging in from inside
    assert explain(s, "submission", "127.66.1.200", "--user", ME, "--tls")[:2] == ("banned.login", 421)
    wait_for(lambda: explain(s, "submission", "127.66.1.1", "--user", ME, "--tls")[:2] == (None, 250))  # kept with the next look
    assert login(s, "127.66.1.1", password=PASSWORD) == 235


def test_a_spray_is_recognised(s):
    for i in range(12):
        s.cli("user", "add", f"u{i}@{DOMAIN}", "--no-reload", stdin=PASSWORD.encode() + b"\n")
    together(s, [("127.66.4.4", f"u{i}@{DOMAIN}") for i in range(12)])
    wait_for(lambda: s.log("login-spray"))
    event, = s.log("login-spray")
    assert (event["network"], event["accounts"]) == ("127.66.4.4/32", 8)
    assert s.log("login-banned")[0]["reason"] == "spray"
    assert login(s, "127.66.4.4") == BANNED


def known(s):
    """From where somebody logged in, as the store has it."""
    with sqlite3.connect(f"file:{s.folder}/users/identity.db?mode=ro", uri=True) as db:
        return [network for network, in db.execute("SELECT network FROM known")]


def test_bans_and_known_networks_outlive_restart_reload_and_a_kill(s):
    assert login(s, "127.66.1.1", password=PASSWORD) == 235
    get_banned(s, "127.66.2.2")
    wait_for(lambda: "127.66.2.2/32" in bans(s) and "127.66.1.1/32" in known(s))  # written down with the next look
    s.cli("reload")
    wait_for(lambda: login(s, "127.66.2.2") == BANNED)
    s.wait_one_generation()
    old = s.processes()["directory"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: s.processes().get("directory", old) != old)
    wait_for(lambda: login(s, "127.66.2.2") == BANNED)
    s.stop()
    s.start()
    assert login(s, "127.66.2.2") == BANNED
    codes = together(s, [(f"127.{70 + i}.1.1", ME) for i in range(12)])
    assert set(codes) == {FAILED}
    assert quick(s, "127.66.1.1")


def test_the_operator_lists_explains_lifts_and_adds(s):
    get_banned(s, "127.66.2.2")
    wait_for(lambda: bans(s))
    ban = bans(s)["127.66.2.2/32"]
    assert (ban["reason"], ban["times"], ban["failures"], ban["accounts"]) == ("failures", 1, 5, 5)
    assert ban["since"] < ban["until"] and "nobody0@example.org" in ban["tried"]
    text = s.cli("ban", "show", "127.66.2.2").stdout.decode()
    assert "5 failed logins, of 5 accounts. Ban number 1. Tried: nobody0@example.org" in text
    assert s.cli("ban", "show", "127.66.2.3", check=False).returncode == 1

    s.cli("ban", "lift", "127.66.2.2")
    assert not bans(s)
    wait_for(lambda: login(s, "127.66.2.2", password=PASSWORD) == 235)
    assert s.cli("ban", "lift", "127.66.2.2", check=False).returncode == 1

    s.cli("ban", "add", "127.66.2.0/26", "--for", "1h", "--reason", 'they said "try us"')
    wait_for(lambda: login(s, "127.66.2.2", password=PASSWORD) == BANNED)
    assert login(s, "127.66.2.64", password=PASSWORD) == 235
    assert bans(s)["127.66.2.0/26"]["text"] == 'they said "try us"'
    s.cli("ban", "lift", "127.66.2.0/26")
    s.cli("ban", "add", "127.66.2.3", "--reason", "for good")
    assert bans(s)["127.66.2.3/32"]["until"] is None
    said = s.cli("user", "audit").stdout.decode()
    for what in ("127.66.2.2/32 is banned no more", "127.66.2.0/26 may not connect to any server until 20", "127.66.2.3/32 may not connect to any server: for good"):
        assert what in said


@pytest.mark.parametrize("words, code", [
    (("ban",), 64), (("ban", "lost"), 64), (("ban", "list", "more"), 64), (("ban", "list", "--for", "1h"), 64), (("ban", "show", "x"), 64),
    (("ban", "add", "192.0.2.1/24", "--reason", "host bits"), 64), (("ban", "add", "198.51.100.1"), 64), (("ban", "add", "198.51.100.1", "--reason", "two\nlines"), 64),
    (("ban", "add", "0.0.0.0/0", "--reason", "all"), 64), (("ban", "add", "198.51.100.1", "--for", "soon", "--reason", "x"), 64),
    (("ban", "add", "192.0.2.7", "--reason", "never-ban names it"), 1), (("ban", "add", "192.0.2.0/25", "--reason", "all of it"), 1), (("firewall",), 64), (("firewall", "lost"), 1)])
def test_what_is_no_ban(idle, words, code):
    done = idle.cli(*words, check=False)
    assert done.returncode == code, done.stderr


def said(idle, *words):
    """The exit code, and what was answered."""
    done = idle.cli(*words, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_what_is_said_of_bans_is_what_happens(idle):
    code, text = said(idle, "ban", "add", "198.51.100.0/24", "--for", "2h", "--reason", "x")
    assert code == 0 and text.startswith("198.51.100.0/24 may not connect to any server until 20") and text.endswith("Z: x.\n"), text
    assert said(idle, "ban", "lift", "198.51.100.9") == (0, "198.51.100.0/24 (by hand) is banned no more: all of it, not only 198.51.100.9.\n")
    assert "198.51.100.0/24 (by hand) is banned no more: all of it, not only 198.51.100.9" in said(idle, "user", "audit")[1]
    assert said(idle, "ban", "add", "203.0.113.7/24", "--reason", "x")[1].splitlines()[0].endswith("host bits are set: write 203.0.113.0/24 for the network, or the address without a slash: 203.0.113.7/24")
    assert said(idle, "ban", "add", "2001:db8::7/48", "--reason", "x")[1].count("write 2001:db8::/48 for the network") == 1
    for wide in ("10.0.0.0/7", "10.9.8.7/4", "2001:db8::/31"):
        code, text = said(idle, "ban", "add", wide, "--reason", "x")
        assert code == 64 and f"this is nearly everybody: at most an IPv4 /8 or an IPv6 /32: {wide}" in text, text
    code, text = said(idle, "ban", "add", "203.0.113.8", "--for", "5", "--reason", "x")
    assert code == 64 and "a number alone does not say of what: write 5d for days, 5h for hours: 5" in text
    assert said(idle, "ban", "add", "192.0.0.0/8", "--reason", "more than never-ban names")[0] == 0
    assert said(idle, "ban", "lift", "192.0.0.0/8") == (0, "192.0.0.0/8 (by hand) is banned no more.\n")
    with sqlite3.connect(idle.folder / "users/identity.db") as db:
        db.execute("INSERT INTO ban VALUES ('198.51.100.1/32', 1, ?, 1, 1, 1, 0, 'x')", (int(time.time()) + 500,))
    db.close()
    assert "    1 failed login, of 1 account. Ban number 1. Tried: x" in said(idle, "ban", "show", "198.51.100.1")[1]
    assert said(idle, "ban", "lift", "198.51.100.1") == (0, "198.51.100.1/32 is banned no more.\n")


@pytest.fixture(scope="module")
def idle():
    """Not started: the store alone."""
    one = Sallyport(config="never-ban 192.0.2.0/24\nserver wide { listen [::]:2526 0.0.0.0:2526 0.0.0.0:2527 [2001:db8::1]:2528  recipients example.org }")
    yield one
    one.close()


def nft(rules):
    assert shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin"), "nftables is not installed"
    return run("unshare", "-n", "/usr/sbin/nft", "-c", "-f", "-", stdin=rules, check=False)


def test_firewall_is_what_nft_takes(idle):
    assert nft(idle.cli("firewall", "wide").stdout).returncode == 0  # nobody is banned
    for network, more in (("203.0.113.9", ("--for", "1h")), ("203.0.113.0/24", ()), ("198.51.100.7", ()), ("2001:db8:1::/48", ("--for", "2d")), ("2001:db8:1:2::/64", ())):
        idle.cli("ban", "add", network, *more, "--reason", "test")
    rules = idle.cli("firewall", "wide").stdout
    done = nft(rules)
    assert done.returncode == 0, (rules, done.stderr)
    lines = rules.decode().splitlines()
    for line in ("            203.0.113.0/24", "            198.51.100.7/32,", "        ip saddr 192.0.2.0/24 return", "        meta nfproto ipv6 tcp dport 2526 goto door",
                 "        meta nfproto ipv4 tcp dport 2526 goto door", "        meta nfproto ipv4 tcp dport 2527 goto door", "        ip6 daddr 2001:db8::1 tcp dport 2528 goto door"):
        assert lines.count(line) == 1, (line, rules.decode())
    assert "2001:db8:1::/48 timeout 1" in rules.decode() and b"203.0.113.9" not in rules and b"ipv6 tcp dport 2527" not in rules
    assert nft(rules.replace(b"policy accept", b"policy nonsense")).returncode != 0  # nft does look


def test_bans_that_cannot_be_read_are_told_and_tried_again(s):
    """Somebody changed the database, and what is in it cannot be read: once in the log, not each time; when it can, it counts."""
    with sqlite3.connect(s.folder / "users" / "identity.db", timeout=20) as db:
        db.execute("ALTER TABLE ban RENAME TO other")
    wait_for(lambda: s.log("login-bans-unreadable"))
    time.sleep(5)  # two more looks
    assert len(s.log("login-bans-unreadable")) == 1 and login(s, "127.66.3.3", password=PASSWORD) == 235
    with sqlite3.connect(s.folder / "users" / "identity.db", timeout=20) as db:
        db.execute("ALTER TABLE other RENAME TO ban")
    s.cli("ban", "add", "127.66.4.4", "--reason", "test")
    wait_for(lambda: login(s, "127.66.4.4", password=PASSWORD) == BANNED)

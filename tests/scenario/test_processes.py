"""Deaths, reloads and the end: nobody loses more than was his."""
import os
import re
import signal
import threading
import time

import pytest

from sallyport import UNCAGED, alive, as_sent, wait_for


def pid_of(s, role):
    return wait_for(lambda: next((pid for name, pid in sorted(s.processes().items()) if name.startswith(role)), None))


def serves(s):
    """a message is taken"""
    try:
        s.send(b"Subject: probe\r\n\r\nx\r\n")
        return True
    except Exception:  # noqa: BLE001: whatever a client may meet while a process is being replaced
        return False


@pytest.mark.parametrize("role", ["edge", "directory", "keyring", "spooler", "mailbox", "admin"])
def test_a_killed_process_is_back_within_a_second(make, role):
    s = make()
    for _ in range(2):
        pid = pid_of(s, role)
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()

        def replaced():
            new = [p for n, p in s.processes().items() if n.startswith(role)]
            return pid not in new and bool(new)
        replaced.__doc__ = f"a new {role}"
        wait_for(replaced, 3)
        wait_for(lambda: serves(s), 3)
        assert time.monotonic() - begin < 20  # a second, where nobody else works
    before = len(s.mails())
    s.send(b"Subject: after\r\n\r\nx\r\n", tls="starttls")
    wait_for(lambda: any(b"Subject: after" in m for m in s.mails()), 10)
    assert s.ask("status")
    assert len(s.mails()) > before


def test_a_killed_edge_costs_its_own_sessions_only(make):
    s = make(config="edges 2")
    edges = [p for n, p in s.processes().items() if n.startswith("edge")]
    assert len(edges) == 2
    talks = [s.connect(source=f"127.0.0.{i}") for i in range(1, 21)]
    os.kill(edges[0], signal.SIGKILL)
    wait_for(lambda: len([n for n in s.processes() if n.startswith("edge")]) == 2, 3)
    alive = 0
    for talk in talks:
        try:
            talk.say("NOOP", 250)
            alive += 1
        except (EOFError, OSError):
            pass
    assert 0 < alive < 20, alive


def test_sessions_outlive_the_spooler(make):
    """I3, and the spooler's row of the design: in-flight transactions get 451, the edge and its sessions stay."""
    s = make()
    idle, busy = s.connect(), s.connect()
    for talk in (idle, busy):
        talk.say("EHLO c.example.net", 250)
    busy.say("MAIL FROM:<me@example.net>", 250)
    busy.say("RCPT TO:<you@example.org>", 250)
    busy.say("DATA", 354)
    busy.send(b"Subject: in flight\r\n\r\n")
    os.kill(pid_of(s, "spooler"), signal.SIGKILL)
    busy.send(b"x\r\n.\r\n")
    code, _ = busy.reply()
    assert code in (250, 451)
    idle.say("NOOP", 250)
    wait_for(lambda: serves(s), 3)
    busy.say("NOOP", 250)
    wait_for(lambda: any(b"Subject: probe" in m for m in s.mails()), 10)
    wait_for(lambda: s.queue() == [])
    assert any(b"in flight" in m for m in s.mails()) == (code == 250)


@pytest.mark.takes(20)
@pytest.mark.parametrize("victim", ["spooler", "mailbox", "edge", "supervisor"])
def test_no_acknowledged_message_is_lost(make, victim):
    """I5 from outside: senders at work, processes die, and each 250 is a mail in the mailbox in the end, once at least and whole."""
    s = make(config="edges 2")
    acknowledged, stop = [], threading.Event()

    def sender(who):
        n = 0
        while not stop.is_set():
            n += 1
            token = f"token-{who}-{n}-end"
            try:
                s.send(f"Subject: {token}\r\n\r\n{'x' * 3000}\r\n".encode())
                acknowledged.append(token)
            except Exception:  # noqa: BLE001: not acknowledged, not counted
                time.sleep(0.05)

    threads = [threading.Thread(target=sender, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        for _ in range(3):
            before = len(acknowledged)
            wait_for(lambda: len(acknowledged) >= before + 100, 30)  # they are at full speed
            if victim == "supervisor":
                s.kill()
                s.start()
            else:
                os.kill(pid_of(s, victim), signal.SIGKILL)
                wait_for(lambda: serves(s), 20)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert len(acknowledged) >= 300

    missing, read = set(acknowledged), set()

    def all_there():
        new = set((s.mail_folder() / "new").iterdir()) - read
        for path in new:
            mail = path.read_bytes()
            assert as_sent(mail).endswith(b"x\n")
            missing.discard(re.search(rb"(?m)^Subject: (.*)$", mail).group(1).decode())
        read.update(new)
        return not missing
    all_there.__doc__ = "every acknowledged mail"
    wait_for(all_there, 60, every=0.2)


def test_children_end_with_their_supervisor(make):
    s = make()
    assert len(s.processes()) >= 6
    s.kill()
    s.start()
    s.send()
    s.wait_mails(1)


@pytest.mark.parametrize("how", ["SIGHUP", "cli"])
def test_reload_keeps_sessions(make, how):
    s = make(config="recipients late.example any\nhold late.example")
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("RCPT TO:<you@example.org>", 250)
    talk.say("DATA", 354)
    talk.send(b"Subject: over the reload\r\n\r\nfirst half\r\n")
    s.append("recipients new.example any\nhold new.example")
    if how == "SIGHUP":
        s.process.send_signal(signal.SIGHUP)
    else:
        s.cli("reload")

    def new_config():
        other = s.connect()
        other.say("EHLO c.example.net", 250)
        other.say("MAIL FROM:<me@example.net>", 250)
        code, _ = other.say("RCPT TO:<x@new.example>")
        other.close()
        return code == 250
    wait_for(new_config, 5)
    talk.send(b"second half\r\n.\r\n")
    assert talk.reply()[0] == 250
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("QUIT", 221)
    mail, = s.wait_mails(1)
    assert as_sent(mail) == b"Subject: over the reload\n\nfirst half\nsecond half\n"


def test_reload_is_answered_when_the_old_edges_have_stopped_accepting(make):
    """Whoever connects after the answer meets the new configuration, even if an old edge was slow to hear of it."""
    s = make()
    old = {name: pid for name, pid in s.processes().items() if name.startswith("edge")}
    slow = next(iter(old.values()))
    s.config.write_text(s.config.read_text().replace("hostname ", "hostname new.", 1))
    os.kill(slow, signal.SIGSTOP)
    asked = threading.Thread(target=s.cli, args=("reload",))
    try:
        asked.start()

        def others_ended():
            """the end of the old edges that may run, and with it a new generation that serves"""
            fresh = [name for name, pid in s.processes().items() if name.startswith("edge") and pid not in old.values()]
            return fresh and not any(alive(pid) for pid in old.values() if pid != slow)
        wait_for(others_ended, 10)
        time.sleep(0.3)
        assert asked.is_alive() and not s.log("reloaded")
    finally:
        os.kill(slow, signal.SIGCONT)
    asked.join(30)
    assert not asked.is_alive() and s.log("reloaded") and not s.log("drain-slow")
    for _ in range(50):
        talk = s.connect()
        assert talk.say("EHLO c.example.net", 250)[1][0].startswith("new.")
        talk.close()


def test_a_hung_edge_does_not_hold_up_a_reload_for_ever(make):
    s = make()
    slow = next(pid for name, pid in s.processes().items() if name.startswith("edge"))
    os.kill(slow, signal.SIGSTOP)
    try:
        s.cli("reload", timeout=60)
        assert s.log("drain-slow") and s.log("reloaded")
    finally:
        os.kill(slow, signal.SIGCONT)
    s.send()
    s.wait_mails(1)


def test_a_wrong_config_does_not_reload(make):
    s = make()
    s.append("relay-netwroks 10.0.0.0/8")
    done = s.cli("reload", check=False)
    assert done.returncode != 0
    assert b"relay-net" in done.stdout + done.stderr
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    s.send()
    s.wait_mails(1)


def test_many_reloads_leave_no_processes_behind(make):
    s = make()
    held = s.connect()
    held.say("EHLO c.example.net", 250)
    for _ in range(5):
        s.cli("reload")
        s.send()
    held.say("NOOP", 250)
    held.say("QUIT", 221)

    def one_generation():
        return not any("/" in name for name in s.processes())
    wait_for(one_generation, 10)
    s.wait_mails(5)


def test_drain(make):
    """SIGTERM: idle sessions hear 421, a transaction may end, nobody new is let in, exit 0."""
    s = make()
    idle, busy = s.connect(), s.connect()
    idle.say("EHLO c.example.net", 250)
    busy.say("EHLO c.example.net", 250)
    busy.say("MAIL FROM:<me@example.net>", 250)
    busy.say("RCPT TO:<you@example.org>", 250)
    busy.say("DATA", 354)
    busy.send(b"Subject: last\r\n\r\n")
    s.process.send_signal(signal.SIGTERM)
    code, _ = idle.reply()
    assert code == 421
    assert idle.ended()

    def let_in():
        try:
            s.connect(timeout=3).close()
            return True
        except (EOFError, OSError, AssertionError):
            return False
    wait_for(lambda: not let_in())  # each edge hears of it in its own time
    assert not let_in()
    busy.send(b"the last word\r\n.\r\n")
    assert busy.reply()[0] == 250
    assert s.process.wait(90) == 0
    s.process = None
    s.start()
    mail, = s.wait_mails(1)
    assert b"the last word" in mail


def test_drain_is_bounded(make):
    s = make(config="drain 2s")
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("RCPT TO:<you@example.org>", 250)
    talk.say("DATA", 354)
    begin = time.monotonic()
    assert s.stop() == 0
    assert time.monotonic() - begin < 20
    assert talk.ended()


def test_log_lines(make):
    """Every line is one JSON object without blanks around colons; a session's lines carry its id; hostile text is escaped."""
    s = make()
    talk = s.connect()
    talk.send(b"EHLO \xff\x1b[31m\r\n")
    talk.reply()
    talk.say("EHLO c.example.net", 250)
    talk.send("MAIL FROM:<a\\\"\x01@example.net>\r\n")
    talk.reply()
    talk.say("QUIT", 221)
    s.send()
    s.wait_mails(1)
    s.stop()
    lines = s.log_text().splitlines()
    if UNCAGED:  # sanitizers write warnings of their own beside it
        lines = [line for line in lines if line.startswith("{")]
    assert all(re.match(r'\{"ts":"[^"]*","level":"\w+","process":"[\w-]+","event":"[\w-]+"', line) for line in lines), lines
    assert "\x1b" not in s.log_text() and "\x01" not in s.log_text()
    queued = s.log("accepted")
    assert queued and all(line.get("session") for line in queued)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives capabilities to an ordinary account: needs root")
def test_supervisor_is_no_root_under_systemd(make):
    """As packaging/systemd starts it (decision 0001): an ordinary account with four capabilities; each child has its own account and none."""
    s = make(start=False, as_user=True)
    for name, uid in (("spool", 60604), ("mail", 60605)):
        for path in [s.folder / name, *(s.folder / name).rglob("*")]:
            os.chown(path, uid, s.uid)
            os.chmod(path, 0o750)
    for path in [s.folder / "users", *(s.folder / "users").iterdir()]:  # which the supervisor cannot look into
        os.chown(path, 60602, 60602)
    capabilities = "+net_bind_service,+setuid,+setgid,+kill"
    s.start(through=["setpriv", f"--reuid={s.uid}", f"--regid={s.uid}", "--clear-groups", f"--inh-caps={capabilities}",
                     f"--ambient-caps={capabilities}", "--no-new-privs"])
    uids = set()
    for name, pid in s.processes().items():
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        assert re.search(r"^CapPrm:\s+0+$", status, re.M), name
        uids.add(re.search(r"^Uid:\s+(\d+)", status, re.M).group(1))
    roles = {name.split("-")[0] for name in s.processes()}
    assert len(uids) == len(roles) >= 8 and str(s.uid) not in uids
    s.send()
    s.cli("reload")
    os.kill(pid_of(s, "spooler"), signal.SIGKILL)
    wait_for(lambda: serves(s), 3)
    assert s.stop() == 0

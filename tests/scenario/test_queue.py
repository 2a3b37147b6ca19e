"""The spool from outside: hold, list, show, verify, damage. What a failing disk does is in test_disk."""
import os
import re
import time

from sallyport import DOMAIN, USER, as_sent, wait_for

def hold(make, more=""):
    return make(config="hold *\n" + more)


def test_hold_and_release(make):
    s = hold(make)
    for i in range(3):
        s.send(f"Subject: held {i}\r\n\r\nx\r\n".encode(), sender=f"s{i}@example.net")
    rows = s.queue()
    assert len(rows) == 3 and {r["from"] for r in rows} == {f"s{i}@example.net" for i in range(3)}
    assert all(r["state"] == "held" and r["recipients"][0]["to"] == f"{USER}@{DOMAIN}" for r in rows)
    assert s.mails() == []
    s.config.write_text(s.config.read_text().replace("hold *", ""))
    s.cli("reload")
    s.wait_mails(3)
    wait_for(lambda: s.queue() == [], 5)


def test_queue_survives_restart_and_kill(make):
    s = hold(make)
    for i in range(20):
        s.send(f"Subject: kept {i}\r\n\r\n{'y' * 5000}\r\n".encode())
    before = sorted(r["id"] for r in s.queue())
    assert s.stop() == 0
    s.start()
    assert sorted(r["id"] for r in s.queue()) == before
    s.kill()
    s.start()
    assert sorted(r["id"] for r in s.queue()) == before
    s.config.write_text(s.config.read_text().replace("hold *", ""))
    s.cli("reload")
    mails = s.wait_mails(20, seconds=30)
    assert sorted(re.search(rb"kept \d+", m).group(0) for m in mails) == sorted(b"kept %d" % i for i in range(20))
    assert all(as_sent(m).endswith(b"y\n") for m in mails)


def test_list_filters(make):
    s = hold(make)
    for i in range(4):
        s.send(sender=f"sender{i}@example.net")
    one, = s.ask("queue", "list", "--from", "SENDER2@")
    assert one["from"] == "sender2@example.net"
    assert len(s.ask("queue", "list", "--to", f"{USER}@")) == 4
    assert s.ask("queue", "list", "--to", "nobody") == []
    assert len(s.ask("queue", "list", "--state", "held")) == 4
    assert s.ask("queue", "list", "--state", "deferred") == []
    text = s.cli("queue", "list").stdout.decode()
    assert "4 messages" in text and "<sender0@example.net>" in text
    assert s.cli("queue", "list", "--state", "wrong", check=False).returncode == 64


def test_show_tells_the_timeline(make):
    s = hold(make)
    s.send()
    identity = s.queue()[0]["id"]
    head, *events = s.ask("queue", "show", identity)
    assert head["id"] == identity and head["from"] == "me@example.net"
    assert [e["event"] for e in events][0] == "arrival"
    text = s.cli("queue", "show", identity).stdout.decode()
    times = re.findall(r"(?m)^(\d{4}-\S+Z) ", text)
    assert times and times == sorted(times), text
    assert re.search(r"(?m) arrival .* client 127\.0\.0\.1 helo \S+.* tls false", text), text
    assert "more" not in text and "1 times" not in text, text
    done = s.cli("queue", "show", "0000000000001", check=False)
    assert done.returncode == 69 and b"unknown" in done.stderr
    assert s.cli("queue", "show", "not-an-id", check=False).returncode == 64


def test_many_messages_come_in_pages(make):
    s = hold(make)
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    content = b"Subject: many\r\n\r\nx\r\n"
    one = b"MAIL FROM:<me@example.net>\r\nRCPT TO:<" + f"{USER}@{DOMAIN}".encode() + b">\r\nBDAT %d LAST\r\n" % len(content) + content
    for _ in range(25):
        talk.send(one * 100)
        for _ in range(300):
            assert talk.reply()[0] == 250
    rows = s.queue()
    assert len(rows) == 2500 and len({r["id"] for r in rows}) == 2500
    counts, = s.ask("queue", "counts")
    assert counts["messages"] == 2500 and counts["held"] == 2500


def test_verify_online_and_offline(make):
    s = hold(make)
    for _ in range(5):
        s.send(b"Subject: to be damaged\r\n\r\n" + b"z" * 3000 + b"\r\n")
    assert s.ask("queue", "verify")[-1]["damaged"] == 0
    ids = {row["id"] for row in s.queue()}
    s.stop()
    spool = next(p for p in (s.folder / "spool",) if p.is_dir())
    last = s.cli("queue", "verify", "--spool", spool, config=False)
    assert b"0 damaged" in last.stdout
    victim, at = None, -1
    for path in sorted(spool.rglob("*")):
        if path.is_file():
            octets = path.read_bytes()
            at = octets.find(b"z" * 100)
            if at >= 0:
                victim = path
                break
    assert victim
    with victim.open("r+b") as f:
        f.seek(at + 10)
        f.write(b"Q")
    done = s.cli("queue", "verify", "--spool", spool, config=False, check=False)
    assert done.returncode == 1
    named = re.search(rb"(?m)^segment \d+ offset \d+: .* \(message (\w+)\)$", done.stdout)
    assert named and named.group(1).decode() in ids, done.stdout  # which message is damaged, and where it lies
    s.start()  # serves on: damage hides no other mail
    wait_for(lambda: [e["id"] for e in s.log("spool-damaged")] == [named.group(1).decode()])
    online = s.cli("queue", "verify", check=False)
    assert online.returncode == 1 and named.group(1) in online.stdout
    s.config.write_text(s.config.read_text().replace("hold *", ""))
    s.cli("reload")
    wait_for(lambda: len(s.mails()) >= 4, 15)
    assert all(b"Q" not in as_sent(m) for m in s.mails())


def test_control_socket_is_bounded(make):
    """Malformed, endless and silent clients of the control socket hurt nobody."""
    import socket
    s = make()
    path = next(p for p in s.folder.rglob("*.sock"))
    for text in (b"\n", b"nonsense\n", b"x" * 20000, b"status\tx\n", b"\x00\x01\n", b"queue-show\tid=\n"):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(10)
        c.connect(str(path))
        c.sendall(text)
        assert c.recv(4096).startswith(b"=bad")
        c.close()
    silent = []
    for _ in range(40):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(10)
        c.connect(str(path))
        silent.append(c)
    answers = [c for c in silent if _first(c).startswith(b"=busy")]
    assert len(answers) >= 24
    for c in silent:
        c.close()
    wait_for(lambda: s.cli("status", "--json", check=False).returncode == 0, 8)
    assert os.stat(path).st_mode & 0o007 == 0


def _first(c):
    c.settimeout(0.2)
    try:
        return c.recv(100)
    except OSError:
        return b""


def test_stop_and_status(make):
    s = make()
    status, = s.ask("status")
    assert status
    text = s.cli("status").stdout.decode()
    assert "edge" in text
    assert b"what is under way has as long as" in s.cli("stop").stdout
    assert s.process.wait(90) == 0
    s.process = None
    done = s.cli("status", check=False)
    assert done.returncode == 69

"""sallyport server: who may speak to which server, changed by one command, validated, applied by a reload, with a trail; what a log says of it."""
import contextlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess

import pytest

from sallyport import BUILD, DOMAIN, PASSWORD, USER, free_ports, run, wait_for
from test_servers import log_in

ME = f"{USER}@{DOMAIN}"


def change(s, *words, check=True):
    """(exit code, the JSON object it said, what it complained of)"""
    done = s.cli("server", *words, "--json", check=False)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    complaints = [json.loads(line) for line in done.stderr.decode().splitlines() if line.startswith("{")]
    assert not check or done.returncode == 0, (done.returncode, said, complaints)
    return done.returncode, said[0] if said else None, complaints


def texts(complaints):
    return " ".join(c.get("error") or c.get("warning") or json.dumps(c) for c in complaints)


def mail(port, *more, source="127.0.0.1", to=ME):
    return run("swaks", "--server", "127.0.0.1", "--port", port, "--local-interface", source, "--helo", "client.example.net", "--from", "me@example.net",
               "--to", to, *more, check=False)


@pytest.fixture
def door(make):
    """A server that takes mail from everybody, beside those of init."""
    def one(start=True, block="listen 127.0.0.1:{port} tls starttls  access both  recipients {domain}", more=""):
        port, = free_ports(1)
        s = make(start=False, config="server door { " + block.format(port=port, domain=DOMAIN) + " }\n" + more)
        s.door = port
        return s.start() if start else s
    return one


def test_one_command_flips_it_and_back(door):
    s = door()
    before = s.config.read_bytes()
    open_session = s.connect(s.door)
    open_session.say("EHLO c.example.net", 250)
    assert mail(s.door).returncode == 0

    _, said, warned = change(s, "door", "set", "access", "authenticated")  # who closes it needs no word
    assert texts(warned) == f"strangers' mail to {DOMAIN} will be refused with 530: other mail servers do not log in"
    assert (said["from"], said["to"], said["result"]) == ("both", "authenticated", "served")
    assert s.config.read_bytes() == before.replace(b"access both ", b"role mx; access authenticated ")
    refused = mail(s.door)
    assert refused.returncode and b"530 5.7.0" in refused.stdout
    with log_in(s.door) as c:
        assert c.sendmail(ME, [ME], "Subject: mine\r\n\r\nHello.\r\n") == {}
    # what was open goes on as it began
    open_session.say("MAIL FROM:<me@example.net>", 250)
    open_session.say(f"RCPT TO:<{ME}>", 250)
    assert [(e["server"], e["from"], e["to"]) for e in s.log("access-changed")] == [("door", "both", "authenticated")]

    _, said, _ = change(s, "door", "set", "access", "authenticated")
    assert said["result"] == "same" and len(s.log("reloaded")) == 1
    closed = s.config.read_bytes()
    code, said, warned = change(s, "door", "set", "access", "both", check=False)
    assert (code, said, texts(warned)) == (1, None, f"everybody who can connect may send then, without a login and in anybody's name, to {DOMAIN} "
                                                    "nothing was changed: it opens the server; say --yes when it shall")
    assert s.config.read_bytes() == closed and mail(s.door).returncode
    _, said, _ = change(s, "door", "set", "access", "both", "--yes")
    assert said["result"] == "served" and mail(s.door).returncode == 0
    trail = s.ask("server", "door", "history")
    assert [t["what"].split(": ", 1)[1] for t in trail] == [
        f"access both -> authenticated in {s.config}", "access authenticated is served",
        f"access authenticated -> both in {s.config}", "access both is served"]
    assert all(t["uid"] == os.geteuid() and t["who"] and t["time"].endswith("Z") for t in trail)
    assert [t["what"] for t in s.ask("user", "audit")][-4:] == [t["what"] for t in trail]
    assert s.ask("server", "mx", "history") == []


def test_who_became_root_stands_in_the_trail(door):
    s = door(start=False)
    run("setpriv", "--reuid", str(os.geteuid()), "env", "SUDO_USER=alice", BUILD / "sallyport", "--config", s.config, "server", "door", "set", "access", "anonymous", "--yes")
    login = pathlib.Path("/proc/self/loginuid").read_text().strip() if pathlib.Path("/proc/self/loginuid").exists() else ""
    if os.geteuid() == 0 and login in ("", "0", "4294967295"):
        assert s.ask("server", "door", "history")[0]["who"].endswith("(alice)")


def test_nothing_changes_while_the_configuration_has_errors(door):
    s = door()
    s.append("hold *\nrelai x")
    before = s.config.read_bytes()
    line = before.decode().split("relai")[0].count("\n") + 1
    code, _, said = change(s, "door", "set", "access", "anonymous", "--yes", check=False)
    assert code == 78 and f'"line": {line}, "column": 1' in texts(said) and "relai" in texts(said)
    text = s.cli("server", "door", "set", "access", "anonymous", check=False).stderr.decode()
    assert f"{s.config}:{line}:1: error: unknown directive" in text
    assert s.config.read_bytes() == before and s.log("reloaded") == []
    s.config.write_bytes(before.replace(b"relai x", b""))
    assert s.ask("server", "door", "history") == []


def test_nothing_changes_when_files_are_missing(door):
    """What `check` would say of the candidate counts: a certificate that is gone would refuse the reload."""
    s = door()
    (s.folder / "tls/chain.pem").rename(s.folder / "tls/gone.pem")
    before = s.config.read_bytes()
    code, _, said = change(s, "door", "set", "access", "anonymous", "--yes", check=False)
    assert code == 78 and "chain.pem" in texts(said) and s.config.read_bytes() == before


def test_what_the_server_refuses_is_put_back(door):
    """The control socket may not move while it runs: no check of the file knows that."""
    s = door()
    s.append("spool other-spool")
    (s.folder / "other-spool").mkdir()
    st = (s.folder / "spool").stat()
    os.chown(s.folder / "other-spool", st.st_uid, st.st_gid)
    s.config.chmod(0o640)
    before = s.config.read_bytes()
    code, _, said = change(s, "door", "set", "access", "anonymous", "--yes", check=False)
    assert code == 1 and "another spool folder needs a restart" in texts(said) and "as it was before" in texts(said)
    assert s.config.read_bytes() == before and s.config.stat().st_mode & 0o7777 == 0o640
    assert s.ask("server", "door", "history")[-1]["what"] == "server door: access both as before: the reload was refused"
    assert [p.name for p in s.folder.iterdir() if p.name.startswith(".")] == []


def test_read_only_file(door):
    s = door()
    s.config.chmod(0o444)
    before = s.config.read_bytes()
    code, _, said = change(s, "door", "set", "access", "anonymous", "--yes", check=False)
    assert code == 1 and "it is read-only" in texts(said) and s.config.read_bytes() == before
    assert s.ask("server", "door", "history")[-1]["what"].endswith("access both as before: it is read-only")


def test_owner_mode_and_link_stay(door):
    s = door(start=False)
    real = s.top / "elsewhere.conf"
    s.config.rename(real)
    real.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(real, 12345, 54321)
    s.config.symlink_to(real)
    before = real.stat()
    change(s, "door", "set", "access", "anonymous", "--yes")
    after = real.stat()
    assert s.config.is_symlink() and "access anonymous" in real.read_text()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(p.name for p in s.top.iterdir()) == ["elsewhere.conf", "here"]


def test_the_file_in_which_it_stands(door):
    s = door(start=False, block="include door.conf", more="include more.conf\n")
    (s.folder / "door.conf").write_text(f"listen 127.0.0.1:{s.door} tls starttls\naccess both mechanisms PLAIN # as ever\n")
    (s.folder / "more.conf").write_text("server third {\n\tlisten 127.0.0.1:%d tls starttls # one\n}\n" % free_ports(1)[0])
    s.start()
    before = s.config.read_bytes()
    _, said, _ = change(s, "door", "set", "access", "authenticated")
    assert said["file"] == str(s.folder / "door.conf") and said["line"] == 2 and said["result"] == "served"
    assert (s.folder / "door.conf").read_text().splitlines()[1:] == ["role mx", "access authenticated mechanisms PLAIN # as ever"]
    change(s, "third", "set", "access", "both", "mechanisms", "LOGIN", "SCRAM-SHA-256")
    assert (s.folder / "more.conf").read_text().startswith("server third {\n\taccess both mechanisms LOGIN SCRAM-SHA-256\n\tlisten ")
    assert s.config.read_bytes() == before
    with s.smtplib(s.door, tls="starttls") as c:
        c.ehlo()
        assert c.esmtp_features["auth"].split() == ["PLAIN"]


def test_a_file_that_two_servers_include(door):
    s = door(start=False, block="include shared.conf listen 127.0.0.1:{port}", more="server other { include shared.conf listen 127.0.0.1:%d }\n" % free_ports(1)[0])
    (s.folder / "shared.conf").write_text("access both\n")
    code, _, said = change(s, "door", "set", "access", "anonymous", "--yes", check=False)
    assert code == 1 and "included by server other, too" in texts(said) and (s.folder / "shared.conf").read_text() == "access both\n"


def test_somebody_else_changes_it_meanwhile(door):
    """The tool waits for a word, and an editor is quicker."""
    s = door(start=False)
    controller, terminal = os.openpty()
    child = subprocess.Popen([BUILD / "sallyport", "--config", s.config, "server", "door", "set", "access", "anonymous"], stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.read(child.stdout.fileno(), 1000)  # the question
    s.append("# one more line")
    os.write(controller, b"y\n")
    _, errors = child.communicate(timeout=60)
    os.close(controller), os.close(terminal)
    assert child.returncode == 1 and b"it was changed meanwhile" in errors
    assert s.config.read_text().rstrip().endswith("# one more line") and "access anonymous" not in s.config.read_text().split("server door")[1]


def ask_on_terminal(s, answer, *words):
    """(what it prints, what it complains of) with a terminal to ask on; answer None: it must not ask."""
    controller, terminal = os.openpty()
    child = subprocess.Popen([BUILD / "sallyport", "--config", s.config, "server", *words], stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if answer:
        os.write(controller, answer)
    try:
        said, errors = child.communicate(timeout=60)
    finally:
        child.kill()
        os.close(controller), os.close(terminal)
    return child.returncode, said.decode(), errors.decode()


@pytest.mark.parametrize("access", ["anonymous", "both"])
def test_to_open_it_needs_a_word(door, access):
    s = door(start=False, block="listen 127.0.0.1:{port} tls starttls  role mx  access authenticated  recipients {domain} example.net")
    before = s.config.read_bytes()
    code, said, errors = ask_on_terminal(s, b"\n", "door", "set", "access", access)
    assert (code, said) == (1, "Change it all the same? [y/N] ") and s.config.read_bytes() == before
    assert f"without a login and in anybody's name, to example.net and the other domains served here\n" in errors and "nothing was changed" in errors
    (s.top / "empty").write_text("")
    code, said, _ = ask_on_terminal(s, None, "door", "set", "access", access, "--dry-run", "--log", s.top / "empty")
    assert code == 1 and "all the same" not in said and s.config.read_bytes() == before
    code, said, _ = ask_on_terminal(s, b"y\n", "door", "set", "access", access)
    assert code == 0 and f"access {access}" in s.config.read_text()
    code, said, _ = ask_on_terminal(s, None, "door", "set", "access", "authenticated")
    assert code == 0 and "all the same" not in said


def test_what_opening_means_follows_from_what_is_served(door):
    users, devices, bare = free_ports(3)
    s = door(start=False, more=f"""
server users {{ listen 127.0.0.1:{users} tls starttls  role mx  access anonymous }}
server devices {{ listen 127.0.0.1:{devices} tls starttls  role mx  access authenticated  relay-networks 192.0.2.1 }}
""")
    text = s.config.read_text()
    code, _, warned = change(s, "devices", "set", "access", "both", check=False)
    assert code == 1 and texts(warned).count("everybody who can connect may send then") == texts(warned).count("it opens the server") == 1
    assert "clients in the relay networks of this server send to any domain without logging in" in texts(warned)
    code, _, warned = change(s, "users", "set", "access", "both", check=False)  # logins are added, and nobody who has none may do more
    assert (code, warned) == (0, []) and s.config.read_text() == text.replace("role mx  access anonymous", "role mx  access both")

    none = s.top / "none.conf"
    none.write_text(f"hostname mail.example.org\nserver bare {{ listen 127.0.0.1:{bare} tls none  role mx  access authenticated }}\n")
    said = run(BUILD / "sallyport", "--config", none, "server", "bare", "set", "access", "both", check=False).stderr.decode()
    assert "everybody who can connect may send then, without a login and in anybody's name, to postmaster only\n" in said


def test_two_at_a_time(door):
    """Whatever their order: one of the two values stands there, whole, and who was refused hears it."""
    s = door(start=False, more="# " + "x" * 500000 + "\n")
    both = [subprocess.Popen([BUILD / "sallyport", "--config", s.config, "server", "door", "set", "access", a, "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for a in ("anonymous", "authenticated")]
    errors = [c.communicate(timeout=60)[1].decode() for c in both]
    assert 0 in [c.returncode for c in both]
    for c, error in zip(both, errors):
        assert c.returncode == 0 or "somebody else" in error
    s.cli("check")


def test_who_may_not_ask_the_server_changes_nothing(make):
    s = make(as_user=True)
    before = s.config.read_bytes()
    (s.folder / "control.sock").chmod(0)
    code, _, said = change(s, "mx", "set", "access", "both", check=False)
    if os.geteuid() == 0:
        assert code == 77 and "you may not ask the running server" in texts(said) and s.config.read_bytes() == before


def test_nothing_changes_without_a_trail(door):
    """What cannot be written down is not done."""
    s = door(start=False)
    before = s.config.read_bytes()
    with contextlib.closing(sqlite3.connect(s.folder / "users/identity.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")  # somebody else writes, and does not end
        code, said, complaints = change(s, "door", "set", "access", "authenticated", check=False)
    assert code == 1 and said is None and "nothing was changed: what is not in the audit is not done" in texts(complaints), complaints
    assert s.config.read_bytes() == before


def test_an_ordinary_user_has_his_own(make):
    s = make(as_user=True)
    assert change(s, "mx", "set", "access", "both")[1]["result"] == "served"
    assert [t["what"] for t in s.ask("server", "mx", "history")][-1] == "server mx: access both is served"


def test_list_and_show(door):
    s = door(start=False, block="listen 127.0.0.1:{port} [::1]:{port} tls none  access authenticated mechanisms PLAIN  allow-cleartext-auth 192.0.2.0/24  relay-networks 198.51.100.7")
    rows = {row["server"]: row for row in s.ask("server", "list")}
    assert list(rows) == ["mx", "submission", "door"]
    assert rows["door"] == {"server": "door", "role": "submission", "profile": "standard", "access": "authenticated", "require_tls": False, "mechanisms": ["PLAIN"],
                            "listeners": [{"address": "127.0.0.1", "port": s.door, "tls": "none"}, {"address": "::1", "port": s.door, "tls": "none"}],
                            "relay_networks": ["198.51.100.7/32"], "cleartext_auth": ["192.0.2.0/24"], "domains": 1, "logins": True, "certificates": []}
    assert rows["submission"]["logins"] and [pathlib.Path(file).name for file in rows["submission"]["certificates"]] == ["chain.pem"]
    line = s.config.read_text().split("server door")[0].count("\n") + 1
    said = {row["directive"]: row for row in s.ask("server", "door", "show")[0]["said"]}
    assert said["access"] == {"directive": "access", "value": "authenticated mechanisms PLAIN", "file": str(s.config), "line": line}
    assert said["require-tls"] == {"directive": "require-tls", "value": "no"}
    top = s.config.read_text().split("\nlimits {")[0].count("\n") + 2
    assert (said["limits sessions"]["line"], said["limits sessions"]["value"]) == (top, "18000")
    text = s.cli("server", "door", "show").stdout.decode()
    assert f"198.51.100.7/32  ({s.config}:{line})" in text and "(default)" in text
    assert "door  access authenticated  role submission" in s.cli("server", "list").stdout.decode()


def test_show_leaves_no_directive_out(door):
    s = door(start=False, block="listen 127.0.0.1:{port} tls starttls  access both  recipients {domain}  right relay to group staff\nlimits {{ errors 7 }}")
    page = run(BUILD / "sallyport", "help", "config").stdout.decode()
    section = {name: re.findall(r"(?m)^  ([a-z-]+)(?: |$)", page.split(f"\n{name}\n", 1)[1].split("\n\n\n")[0].split("\nLIMITS\n" if name == "SERVER" else "\nQUEUE\n")[0])
               for name in ("SERVER", "LIMITS")}
    known = {*section["SERVER"]} - {"include", "limits", "backend", "verbs", "sender"} | {f"limits {name}" for name in section["LIMITS"]} - {"limits include"}
    said = {row["directive"]: row for row in s.ask("server", "door", "show")[0]["said"]}
    assert len(known) > 35 and known - set(said) == set(), known - set(said)
    line = s.config.read_text().split("server door")[0].count("\n") + 1
    assert (said["limits errors"]["value"], said["limits errors"]["line"]) == ("7", line + 1)
    assert (said["right"]["value"], said["right"]["line"]) == ("relay to group staff", line)


@pytest.mark.parametrize("words", [
    ["list", "more", "words"], ["door"], ["door", "set"], ["door", "set", "banner"], ["door", "set", "access"], ["door", "set", "access", "nobody"],
    ["door", "set", "access", "both", "mechanisms"], ["door", "set", "access", "both", "mechanisms", "PLAIN\nhold *"], ["door", "set", "access", "both }"],
    ["door", "set", "access", "anonymous", "mechanisms", "PLAIN"], ["door", "show", "--dry-run"], ["door", "set", "access", "both", "--log", "x"],
])
def test_words_that_are_none(door, words):
    s = door(start=False)
    before = s.config.read_bytes()
    assert change(s, *words, check=False)[0] == 64 and s.config.read_bytes() == before


def replay(s):
    """The same clients once more; how many sessions heard 530."""
    def begin(source):
        talk = s.connect(s.door, source)
        talk.say("EHLO c.example.net", 250)
        return talk

    def heard(talk, *commands):
        answers = []
        for c in commands:
            answers.append(talk.say(c)[0])
            if answers[-1] == 354:
                talk.send("Subject: x\r\n\r\nx\r\n.\r\n")
                answers.append(talk.reply()[0])
        talk.say("QUIT", 221)
        return 530 in answers
    send = ["MAIL FROM:<me@example.net>", f"RCPT TO:<{ME}>", "DATA"]
    refused = 0
    refused += heard(begin("127.0.0.2"), *send)
    refused += heard(begin("127.0.0.2"), *send, *send)
    refused += heard(begin("127.0.0.3"), *send)
    refused += heard(begin("127.0.0.4"), "MAIL FROM:<me@example.net>", f"RCPT TO:<nobody@{DOMAIN}>")  # nothing was taken
    refused += heard(begin("127.0.0.5"), "NOOP")  # it only connected
    refused += heard(begin("127.0.0.6"), *send)  # a relay network
    with log_in(s.door) as c:
        c.sendmail(ME, [ME], "Subject: mine\r\n\r\nHello.\r\n")
    return refused


def test_dry_run_says_what_becomes_true(door):
    s = door(block="listen 127.0.0.1:{port} tls starttls  access \"both\"  recipients {domain}  relay-networks 127.0.0.6")
    assert replay(s) == 0
    assert mail(s.smtp).returncode == 0  # of another server
    wait_for(lambda: len([e for e in s.log("session-end") if e["server"] == "door"]) == 7)
    recorded = s.top / "recorded"
    ours = [line for line in s.log_file.read_bytes().splitlines(keepends=True) if line.startswith(b"{")]  # sanitizers say something, too
    recorded.write_bytes(b"Nov 26 host systemd[1]: started\n" + b"".join(ours))
    before = s.config.read_bytes()

    code, said, _ = change(s, "door", "set", "access", "authenticated", "--dry-run", "--log", recorded, check=False)
    assert code == 1 and s.config.read_bytes() == before and said["from"] == '"both"'
    assert (said["sessions"], said["refused"], said["refused_with_mail"], said["messages"], said["foreign"]) == (7, 4, 3, 4, 1)
    assert said["who"] == [{"client": "127.0.0.2", "sessions": 2, "messages": 3}, {"client": "127.0.0.3", "sessions": 1, "messages": 1}]
    text = s.cli("server", "door", "set", "access", "authenticated", "--dry-run", stdin=recorded.read_bytes(), check=False).stdout.decode()
    assert "of 7 sessions 4 would be refused, 3 of them with mail that was taken (4 messages)" in text and "client 127.0.0.2: 2 with 3" in text

    lines = recorded.read_bytes().splitlines(keepends=True)  # sessions lie across the two files
    for name, part in (("a", lines[:len(lines) // 2]), ("b", lines[len(lines) // 2:])):
        (s.top / name).write_bytes(b"".join(part))
    _, parts, complaints = change(s, "door", "set", "access", "authenticated", "--dry-run", "--log", s.top / "a", f"--log={s.top / 'b'}", check=False)
    assert parts == said and "will be refused with 530" in texts(complaints)

    code, anonymous, _ = change(s, "door", "set", "access", "anonymous", "--dry-run", "--log", recorded, check=False)
    assert (code, anonymous["refused"], anonymous["who"]) == (1, 1, [{"user": ME, "sessions": 1, "messages": 1}])
    code, _, complaints = change(s, "door", "set", "access", "authenticated", "--dry-run", "--log", recorded, "--since", "2090-01-01", check=False)
    assert code == 1 and "the log has no session of server door" in texts(complaints)

    change(s, "door", "set", "access", "authenticated", "--yes")
    assert replay(s) == said["refused"]
    wait_for(lambda: len([e for e in s.log("session-end") if e["server"] == "door"]) == 14)
    code, back, _ = change(s, "door", "set", "access", "both", "--dry-run", "--log", s.log_file)
    assert (back["refused"], back["admitted"]) == (0, 4)

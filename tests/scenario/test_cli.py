"""The operator's tool without a daemon: init, check, explain, version, send."""
import json
import re
import shutil

import pytest

from sallyport import BUILD, DOMAIN, ROOT, USER, run, wait_for


def test_init_refuses_to_overwrite(make):
    s = make(start=False)
    before = s.config.read_bytes()
    done = s.cli("init", "--dir", s.folder, "--domain", DOMAIN, "--user", USER, "--smtp-port", "2525", stdin=b"x\n", config=False, check=False)
    assert done.returncode != 0 and s.config.read_bytes() == before


def test_init_is_short_and_closed(make):
    s = make(start=False)
    text = s.config.read_text()
    assert "relay-networks" not in text
    assert len([line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]) < 60
    assert s.cli("check").returncode == 0
    keys = [p for p in s.folder.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]
    assert keys and all(k.stat().st_mode & 0o077 == 0 for k in keys)


def test_check_finds_all_errors(make):
    s = make(start=False)
    s.append("hostnam x\nserver broken {\n  listen 127.0.0.1:99999\n  relay-networks 0.0.0.0/0\n}\nedges many")
    done = s.cli("check", check=False)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode != 0
    for word in ("hostname", "99999", "0.0.0.0/0", "edges"):
        assert word in text, text
    assert f"{s.config}:" in text


def test_check_says_where(make):
    """File, line and column: of a word in aliases, of the :include: that names a list, of the directive that names a file."""
    s = make(start=False)
    aliases = s.folder / "aliases"
    aliases.write_text(f"info: {USER},\n  |evil\nlost: {USER}, :include:{s.top}/lost\nround: round2\nround2: round\nhalf: {USER}, gone\n")
    s.append("authorities nowhere.pem")
    line = s.config.read_text().rstrip("\n").count("\n") + 1
    done = s.cli("check", check=False)
    want = [f"{aliases}:2:3: error: |evil is a command: nothing is executed here; deliver to a mailbox instead",
            f"{aliases}:3:{9 + len(USER)}: error: {s.top}/lost cannot be read: No such file or directory",
            f"{aliases}:4:1: warning: round reaches nobody: round -> round2 -> round",
            f"{aliases}:5:1: warning: round2 reaches nobody: round2 -> round -> round2",
            f"{aliases}:6:{9 + len(USER)}: warning: gone is named by an alias, but nobody has that name",
            f"{s.config}:{line}:1: error: cannot read the certificate authorities {s.folder}/nowhere.pem: No such file or directory"]
    said = done.stdout.decode().splitlines()
    assert done.returncode == 78 and [w for w in want if w not in said] == [], done.stdout.decode()
    problems = json.loads(s.cli("check", "--json", check=False).stdout)["problems"]
    assert [f"{p['file']}:{p['line']}:{p['column']}: {p['severity']}: {p['text']}" for p in problems if p["line"]] == [t for t in said if not t.startswith(" ")][:-1]


def test_explain(make):
    s = make(start=False)
    one = s.cli("explain", "--client", "192.0.2.7", "--from", "a@example.net", "--to", f"{USER}@{DOMAIN}", check=False)
    two = s.cli("explain", "--client", "192.0.2.7", "--from", "a@example.net", "--to", "x@elsewhere.example", check=False)
    assert b"250" in one.stdout or b"accept" in one.stdout, one.stdout + one.stderr
    assert b"5.7.1" in two.stdout, two.stdout + two.stderr


def test_version():
    version = json.loads(run(BUILD / "sallyport", "version", "--json").stdout)
    assert version["version"]


def test_send_says_what_happened(shared):
    server = f"127.0.0.1:{shared.smtp}"

    def send(*more, stdin=b"hello\n"):
        return run(BUILD / "sallyport", "send", "--server", server, "--from", "me@example.net", *more, stdin=stdin, check=False)
    done = send("--to", f"{USER}@{DOMAIN}", "-v")
    assert done.returncode == 0 and done.stdout.startswith(b"250") and b"> MAIL FROM" in done.stderr
    assert send("--to", f"nobody@{DOMAIN}").returncode == 69
    assert send("--to", f"nobody@{DOMAIN}", "--to", f"{USER}@{DOMAIN}").returncode == 69
    assert send("--to", "no address").returncode == 64
    assert send("--to", f"{USER}@{DOMAIN}\r\nRSET").returncode == 64
    assert send("--to", f"{USER}@{DOMAIN}", "--tls", "starttls").returncode == 76  # a certificate of nobody's
    assert run(BUILD / "sallyport", "send", "--server", "127.0.0.1:1", "--from", "a@b", "--to", "c@d", stdin=b"", check=False).returncode == 69
    mails = shared.wait_mails(2)
    assert all(b"\nhello\n" in m and b"\nMessage-ID: <" in m for m in mails)


def test_send_speaks_json_whatever_happens(shared):
    def send(to, *more):
        done = run(BUILD / "sallyport", "send", "--json", "--from", "me@example.net", "--to", to, *more, stdin=b"x\n", check=False)
        said = json.loads(done.stdout)
        assert said["exit"] == done.returncode
        assert all(json.loads(line)["error"] for line in done.stderr.splitlines())
        return said
    here = ("--server", f"127.0.0.1:{shared.smtp}")
    assert send(f"{USER}@{DOMAIN}", *here)["outcome"] == "sent"
    refused = send(f"nobody@{DOMAIN}", *here)
    assert (refused["outcome"], refused["code"], refused["refused"]) == ("refused", 550, 1)
    assert send(f"{USER}@{DOMAIN}", *here, "--tls", "starttls")["outcome"] == "protocol"
    assert send(f"{USER}@{DOMAIN}", "--server", "127.0.0.1:1")["outcome"] == "no-server"


@pytest.mark.parametrize("command", [["queue", "list"], ["status"], ["explain", "--client", "192.0.2.1", "--from", "a@b", "--to", "c@d"], ["check"], ["user", "list"]])
def test_a_configuration_that_does_not_exist(command, tmp_path):
    def ask(*more):
        return run(BUILD / "sallyport", *command, *more, check=False, cwd=tmp_path)
    done = ask("--config", "nowhere.conf")
    assert done.returncode == 78 and done.stdout == b"", done
    assert b"nowhere.conf does not exist" in done.stderr and b"--config" in done.stderr and b"sallyport init" in done.stderr
    error = json.loads(ask("--config", "nowhere.conf", "--json").stderr)
    assert "does not exist" in error["error"] and error["exit"] == 78


def test_hostile_octets_are_escaped_once(make):
    s = make(start=False)
    with s.config.open("ab") as f:
        f.write(b"serv\xc3(er x\nhostname \x1b[2J\n")
    text = s.cli("check", check=False).stdout
    assert b"serv\\xc3(er" in text and b"x5c" not in text and b"\x1b" not in text, text


def test_a_suggestion_is_another_sentence(make):
    s = make(start=False)
    (s.folder / "tls/key.pem").chmod(0o644)
    (s.folder / "spool").chmod(0o707)
    problems = json.loads(s.cli("check", "--json", check=False).stdout)["problems"]
    assert len([p for p in problems if p["suggestion"].startswith("chmod ")]) == 2, problems
    assert all(p["suggestion"] != p["text"] for p in problems)


def test_a_user_comes_and_goes(make):
    s = make()
    name = f"info@{DOMAIN}"

    def answer():
        talk = s.connect()
        talk.say("EHLO c.example.net", 250)
        talk.say("MAIL FROM:<me@example.net>", 250)
        code = talk.say(f"RCPT TO:<{name}>")[0]
        talk.close()
        return code

    def answers_with(code):
        # an edge of the former generation may have taken a connection a moment before it was told to stop
        wait_for(lambda: all(answer() == code for _ in range(8)), 3)
    before = (s.folder / "users/identity.db").stat()
    assert answer() == 550
    done = s.cli("user", "add", name, stdin=b"secret\n")
    assert b"running server knows it" in done.stdout
    after = (s.folder / "users/identity.db").stat()
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)
    assert before.st_mode & 0o777 == 0o600 and (s.folder / "users").stat().st_mode & 0o777 == 0o700
    answers_with(250)
    s.send(to=[name])
    s.wait_mails(1, user="info")
    again = s.cli("user", "add", name.upper(), stdin=b"secret\n", check=False)
    assert again.returncode == 1 and b"already" in again.stderr
    s.cli("user", "passwd", name, "--no-password")
    assert {r["user"]: r["password"] for r in s.ask("user", "list")} == {f"{USER}@{DOMAIN}": True, name: False}
    for bad in ("info", f"../x@{DOMAIN}", f"a\tb@{DOMAIN}", f"a b@{DOMAIN}", "info@", f"info@{DOMAIN}\nx"):
        assert s.cli("user", "add", bad, "--no-password", check=False).returncode == 64, bad
    assert s.cli("user", "add", "other", "password", check=False).returncode == 64
    s.cli("user", "remove", name)
    assert s.cli("user", "remove", name, check=False).returncode == 1
    answers_with(550)
    assert len(s.mails(user="info")) == 1  # what was delivered stays
    assert b"no server" in s.cli("user", "add", "--no-password", "a@elsewhere.example").stderr


def test_files_carry_no_secret(make):
    s = make()
    s.send(tls="starttls")
    s.wait_mails(1)
    s.stop()
    from sallyport import PASSWORD
    for path in [s.log_file, *(p for p in s.folder.rglob("*") if p.is_file())]:
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_the_configuration_page_is_what_the_schema_says():
    assert (ROOT / "man/sallyport.conf.5").read_bytes() == run(BUILD / "sallyport", "help", "config", "--man").stdout, \
        "build/sallyport help config --man >man/sallyport.conf.5"


@pytest.mark.parametrize("page", sorted(p.name for p in (ROOT / "man").glob("*.[158]")))
def test_pages_are_well_formed(page):
    assert shutil.which("man"), "man is missing: make deps"
    assert run("man", "--warnings", "-l", ROOT / "man" / page, env={"MANPAGER": "cat", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}).stderr == b""


def test_the_tool_page_names_every_verb():
    page = (ROOT / "man/sallyport.1").read_text()
    verbs = re.findall(r"(?m)^  (\w+) ", run(BUILD / "sallyport", "help").stdout.decode())
    assert "queue" in verbs
    assert [v for v in verbs if not re.search(rf"(?m)^\.BI? \"?{v}\b", page)] == []


@pytest.mark.parametrize("unit", ["packaging/systemd/sallyport.service"])
def test_the_unit_is_hardened(unit):
    need = shutil.which("systemd-analyze")
    assert need, "systemd-analyze is missing: make deps"
    text = run("systemd-analyze", "security", "--offline=true", ROOT / unit, check=False).stdout.decode()
    assert float(re.search(r"Overall exposure level[^:]*: ([\d.]+)", text).group(1)) <= 2.0, text


def test_readme_example_is_right(make):
    """The configuration in README.md has no error but the files that this machine lacks."""
    text = (ROOT / "README.md").read_text()
    example = re.search(r"This is a whole configuration:\n\n((?:    .*\n|\n)+)", text).group(1)
    s = make(start=False)
    file = s.folder / "example.conf"
    file.write_text(re.sub(r"(?m)^    ", "", example))
    problems = json.loads(run(BUILD / "sallyport", "check", "--json", "--config", file, check=False).stdout)
    wrong = [p for p in problems["problems"] if p["severity"] == "error" and "sallyport" not in p["text"]]
    assert wrong == [], wrong

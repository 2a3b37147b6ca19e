"""The operator's tool without a daemon: init, check, explain, version, send."""
import json
import pathlib

from sallyport import BUILD, DOMAIN, USER, run


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
    assert send("--to", "no address").returncode == 2
    assert send("--to", f"{USER}@{DOMAIN}\r\nRSET").returncode == 2
    assert send("--to", f"{USER}@{DOMAIN}", "--tls", "starttls").returncode == 75  # a certificate of nobody's
    assert run(BUILD / "sallyport", "send", "--server", "127.0.0.1:1", "--from", "a@b", "--to", "c@d", stdin=b"", check=False).returncode == 75
    mails = shared.wait_mails(2)
    assert all(b"\nhello\n" in m and b"\nMessage-ID: <" in m for m in mails)


def test_files_carry_no_secret(make):
    s = make()
    s.send(tls="starttls")
    s.wait_mails(1)
    s.stop()
    from sallyport import PASSWORD
    for path in [s.log_file, *(p for p in s.folder.rglob("*") if p.is_file())]:
        assert PASSWORD.encode() not in path.read_bytes(), path

"""`sallyport user`: accounts, rights, groups, senders, app passwords, certificates, imports, the audit; and what becomes of mistakes."""
import base64
import hashlib
import hmac
import json
import os
import pwd
import re
import sqlite3
import stat
import subprocess
import threading
import time

import pytest

from sallyport import BUILD, DOMAIN, PASSWORD, ROOT, USER, run

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
ME = f"{USER}@{DOMAIN}"


def user(s, *words, stdin=None, code=0):
    done = s.cli("user", *words, stdin=stdin, check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return (done.stdout + done.stderr).decode()


def shown(s, name):
    return next(u for u in s.ask("user", "list") if u["user"] == name)


def row(s, sql, *values):
    """Straight from the file, by another program's SQLite."""
    with sqlite3.connect(f"file:{s.folder}/users/identity.db?mode=ro", uri=True) as db:
        return db.execute(sql, values).fetchall()


@pytest.fixture
def s(make):
    return make(start=False)


@ROOT_ONLY
def test_a_disk_that_is_full_or_read_only_is_named(s):
    """Nothing is changed, nobody's rights are others, and what hinders it is said."""
    folder = s.folder / "users"
    database, owner = (folder / "identity.db").read_bytes(), folder.stat().st_uid
    run("mount", "-t", "tmpfs", "-o", f"size=1m,mode=700,uid={owner}", "tmpfs", folder)
    try:
        (folder / "identity.db").write_bytes(database)
        os.chown(folder / "identity.db", owner, owner)
        (folder / "identity.db").chmod(0o600)
        run("sh", "-c", f"cat /dev/zero >{folder}/fill || true", check=False)
        assert "No space left on device" in user(s, "lock", ME, code=1)
        assert "No space left on device" in s.cli("check", check=False).stdout.decode()
        (folder / "fill").unlink()
        user(s, "lock", ME)
        run("mount", "-o", "remount,ro", folder)
        assert "Read-only file system" in user(s, "unlock", ME, code=1)
        run("mount", "-o", "remount,rw", folder)
        assert shown(s, ME)["locked"]
    finally:
        run("umount", folder)


# --- accounts

def test_init_makes_one_who_may_send(s):
    assert shown(s, ME)["rights"] == ["submit", "relay"]
    folder, file = (s.folder / "users").stat(), (s.folder / "users/identity.db").stat()
    assert stat.S_IMODE(folder.st_mode) == 0o700 and stat.S_IMODE(file.st_mode) == 0o600
    assert row(s, "PRAGMA journal_mode") == [("wal",)]


@ROOT_ONLY
def test_what_root_makes_belongs_to_the_directory(s):
    user(s, "add", f"a@{DOMAIN}", "--no-password")
    uid = pwd.getpwnam("sallyport-directory").pw_uid if any(p.pw_name == "sallyport-directory" for p in pwd.getpwall()) else 60602
    assert {p.stat().st_uid for p in [s.folder / "users", *(s.folder / "users").iterdir()]} == {uid}


@ROOT_ONLY
def test_root_does_it_as_the_owner(s):
    """A file there that only root may read is read by nobody: what a captured directory process wrote there never meets root."""
    user(s, "add", f"a@{DOMAIN}", "--no-password")
    file = s.folder / "users/identity.db"
    owner = file.stat()
    os.chown(file, 0, 0)
    for words in ["user", "list"], ["user", "lock", ME], ["ban", "list"], ["ban", "add", "192.0.2.1"], ["firewall", "mx"], ["server", "mx", "history"]:
        done = s.cli(*words, check=False)
        assert done.returncode == 1 and b"cannot open" in done.stderr, (words, done.stdout, done.stderr)
    os.chown(file, owner.st_uid, owner.st_gid)
    assert {u["user"] for u in s.ask("user", "list")} == {ME, f"a@{DOMAIN}"}


@ROOT_ONLY
def test_files_that_only_root_may_read_are_imported(s):
    file = s.top / "more"
    file.write_text(f"b@{DOMAIN}:{{PLAIN}}{PASSWORD}\n")
    file.chmod(0o600)
    key = s.top / "certificate"
    key.write_bytes((s.folder / "tls/chain.pem").read_bytes())
    key.chmod(0o600)
    s.top.chmod(0o700)
    assert "1 user of" in user(s, "import", file, "--no-reload")
    assert "is known by the key" in user(s, "certificate", "add", f"b@{DOMAIN}", key)
    assert "is not known by the key" in user(s, "certificate", "remove", f"b@{DOMAIN}", key)
    assert "No such file" in user(s, "import", s.top / "nothing", code=1)


def test_an_account_without_a_mailbox_is_no_recipient(make):
    s = make()
    said = user(s, "add", f"printer@{DOMAIN}", "--no-mailbox", stdin=b"secret\n")
    assert "submit relay" in said and "running server" not in said
    assert "550" in s.cli("explain", "--client", "192.0.2.7", "--from", "a@b.example", "--to", f"printer@{DOMAIN}", check=False).stdout.decode()
    assert shown(s, f"printer@{DOMAIN}")["mailbox"] is False
    assert "reload" in user(s, "add", f"later@{DOMAIN}", "--no-password", "--no-reload")
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say(f"RCPT TO:<later@{DOMAIN}>", 550)
    talk.close()


def test_secrets_are_what_was_asked_for(s):
    """RFC 5802 3, [MS-NLMP] 3.3.1, RFC 2195: from the password, made anew here."""
    name, password = f"dev@{DOMAIN}", "correct horse"
    user(s, "add", name, "--nt", "--cram", "--scram-sha-1", stdin=password.encode() + b"\n")
    number, crypt, nt, cram = row(s, "SELECT number, crypt, nt, cram FROM principal WHERE name=?", name)[0]
    assert crypt.startswith("$y$") and len(cram) == 32
    assert len(nt) == 16  # what it is: tests/unit/identity/test_secret.c
    keys = {h: k for h, *k in row(s, "SELECT hash, iterations, salt, stored_key, server_key FROM scram WHERE principal=?", number)}
    for bits, algorithm in ((256, "sha256"), (1, "sha1")):
        iterations, salt, stored, server = keys[bits]
        assert iterations >= 4096
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, iterations)
        assert stored == hashlib.new(algorithm, hmac.digest(salted, b"Client Key", algorithm)).digest()
        assert server == hmac.digest(salted, b"Server Key", algorithm)
    assert [shown(s, name)[what] for what in ("scram_sha_256", "scram_sha_1", "nt", "cram")] == [True] * 4
    user(s, "passwd", name, stdin=b"another\n")
    assert [shown(s, name)[what] for what in ("scram_sha_256", "scram_sha_1", "nt", "cram")] == [True, False, False, False]
    assert [h for h, in row(s, "SELECT hash FROM scram WHERE principal=?", number)] == [256]
    assert row(s, "SELECT nt, cram FROM principal WHERE name=?", name) == [(None, None)]


def test_passwords_come_from_standard_input_only(s):
    assert user(s, "add", f"a@{DOMAIN}", stdin=b"\n", code=1) and user(s, "add", f"a@{DOMAIN}", stdin=b"tab\there\n", code=1)
    user(s, "add", f"a@{DOMAIN}", "word", code=64)
    user(s, "add", f"a@{DOMAIN}", "--password", "word", code=64)
    assert [u["user"] for u in s.ask("user", "list")] == [ME]
    user(s, "add", f"a@{DOMAIN}", stdin="r\u0301 \U0001f511\n".encode())
    assert "directions" in user(s, "passwd", f"a@{DOMAIN}", stdin="\u06271\n".encode(), code=1)


def test_lock_and_unlock(s):
    user(s, "lock", ME)
    assert shown(s, ME)["locked"] is True
    assert "already" in user(s, "lock", ME, code=1)
    user(s, "unlock", ME)
    assert shown(s, ME)["locked"] is False
    assert "no user" in user(s, "lock", f"nobody@{DOMAIN}", code=1)


# --- what it may do

def test_rights_of_users_and_groups(s):
    name = f"a@{DOMAIN}"
    user(s, "add", name, "--no-password")
    assert shown(s, name)["rights"] == []
    user(s, "grant", name, "submit", "any-sender")
    user(s, "group", "add", "staff", name, ME)
    user(s, "grant", "--group", "staff", "relay,bypass-size")
    assert shown(s, name)["rights"] == ["submit", "relay", "any-sender", "bypass-size"] and shown(s, name)["groups"] == ["staff"]
    assert s.ask("user", "group", "list") == [{"group": "staff", "rights": ["relay", "bypass-size"], "members": 2}]
    assert [m["user"] for m in s.ask("user", "group", "list", "staff")] == [name, ME]
    assert "--group" in user(s, "revoke", name, "relay", code=1)
    user(s, "revoke", name, "submit")
    user(s, "group", "remove", "staff", name)
    assert shown(s, name)["rights"] == ["any-sender"]
    user(s, "group", "remove", "staff")
    assert shown(s, ME)["rights"] == ["submit", "relay"]
    assert "no such right" in user(s, "grant", name, "everything", code=64)
    assert "no group" in user(s, "grant", "--group", "staff", "relay", code=1)
    assert "no user" in user(s, "group", "add", "other", f"nobody@{DOMAIN}", code=1)
    assert user(s, "group", "add", "empty") == "group empty was made.\n"
    assert user(s, "group", "add", "empty", *[name] * 60).endswith(" ....\n")  # there is no room for all
    user(s, "group", "remove", "empty")
    assert s.ask("user", "group", "list") == []  # nothing of a change that failed stays


def test_senders(s):
    user(s, "sender", "add", ME, f"Info@{DOMAIN.upper()}", "@Example.Net", "*")
    assert [r["sender"] for r in s.ask("user", "sender", "list", ME)] == ["*", "@example.net", f"info@{DOMAIN}"]
    user(s, "sender", "remove", ME, "*")
    assert "none of that" in user(s, "sender", "remove", ME, "*", code=1)
    for bad in ("info", "@", "a@b@c", "*@example.org", "<a@b>"):
        user(s, "sender", "add", ME, bad, code=64)


def test_app_passwords(s):
    made = s.ask("user", "app", "add", ME, "phone", "--from", "192.0.2.0/24,2001:db8::/32", "--expires", "90d")
    password = made[-1]["password"]
    assert made[-1]["login"] == f"{ME}/phone" and len(password) == 24 and set(password) <= set("abcdefghijkmnpqrstuvwxyz23456789")
    assert s.ask("user", "app", "list")[0]["networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    assert row(s, "SELECT digest, expires - made FROM app") == [(hashlib.sha256(password.encode()).digest(), 90 * 86400)]
    until = s.ask("user", "app", "list")[0]["expires"]
    assert made[-1]["until"] == until and made[0]["done"] == f"{ME} has an app password phone until {until}"
    assert password.encode() not in b"".join(p.read_bytes() for p in (s.folder / "users").iterdir())
    assert "label" in user(s, "app", "add", ME, "phone", code=1)
    for bad in (["a/b"], ["x" * 65], ["tv", "--from", "nowhere"], ["tv", "--expires", "soon"], ["tv", "--expires", "5"], ["tv", "--from", "192.0.2.1/24"]):
        user(s, "app", "add", ME, *bad, code=64)
    assert "write 5d for days, 5h for hours" in user(s, "app", "add", ME, "tv", "--expires", "5", code=64)
    user(s, "app", "remove", ME, "phone")
    assert s.ask("user", "app", "list") == [] and row(s, "SELECT * FROM app_network") == []


def test_certificates(s):
    chain = s.folder / "tls/chain.pem"
    der = subprocess.run(["openssl", "x509", "-in", chain, "-pubkey", "-noout"], capture_output=True, check=True).stdout
    der = base64.b64decode(b"".join(line for line in der.splitlines() if b"-" not in line))
    user(s, "add", "--host", "relay.example.org")
    user(s, "certificate", "add", "--host", "relay.example.org", chain, "--label", "2026")
    assert s.ask("user", "certificate", "list")[0]["key"] == hashlib.sha256(der).hexdigest()
    assert "pinned already" in user(s, "certificate", "add", ME, chain, code=1)
    assert "no certificate" in user(s, "certificate", "add", ME, s.config, code=1)
    user(s, "certificate", "remove", "--host", "relay.example.org", hashlib.sha256(der).hexdigest())
    user(s, "certificate", "add", ME, chain)
    user(s, "certificate", "remove", ME, chain)
    assert s.ask("user", "certificate", "list") == []
    user(s, "add", "--host", "no host", code=64)
    user(s, "add", "--host", "h.example.org", "--nt", code=64)


def test_show_and_remove(s):
    name = f"a@{DOMAIN}"
    user(s, "add", name, "--no-password", "--grant", "submit")
    user(s, "sender", "add", name, "*")
    user(s, "app", "add", name, "x")
    user(s, "certificate", "add", name, s.folder / "tls/chain.pem")
    all_of = s.ask("user", "show", name)[0]
    assert [len(all_of[part]) for part in ("account", "senders", "apps", "certificates")] == [1, 1, 1, 1]
    assert "sender=*" in user(s, "show", name)
    user(s, "remove", name)
    for table in ("app", "sender", "pinned", "granted", "scram"):
        left = row(s, f"SELECT count(*) FROM {table}")[0][0]
        assert left == {"granted": 2, "scram": 1}.get(table, 0), table
    assert row(s, "PRAGMA foreign_key_check") == []


# --- from elsewhere

CRYPT = "$5$abcdefgh$uLdRmCo/hSrCzIIpTzyFoDaJi5ViRlCrEpGUgMbz4x5"


def test_import(s, tmp_path):
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b"saltsalt", 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    scram = "4096," + ",".join(base64.b64encode(x).decode() for x in (b"saltsalt", stored, server))
    file = tmp_path / "them"
    file.write_text("\n".join(["# of 0.1", f"old@{DOMAIN}\t{CRYPT}\t", f"drop@{DOMAIN}\t!\t", "htpasswd:" + CRYPT, "dovecot:{SHA256-CRYPT}" + CRYPT + ":5000:5000::/home::",
                                f"csv@{DOMAIN},{CRYPT}", "scram:{SCRAM-SHA-256}" + scram, "plain:{PLAIN}secret word", "nt:{NTLM}" + "ab" * 16,
                                "cram:{CRAM-MD5}" + "01" * 16 + "02" * 16, ME + ":" + CRYPT]) + "\n")
    said = user(s, "import", file, "--domain", DOMAIN, "--dry-run")
    assert "9 would be added, 1 are there already" in said and "6 of the added users have no keys for SCRAM-SHA-256" in said
    assert len(s.ask("user", "list")) == 1
    assert "6 of the added users have no keys for SCRAM-SHA-256" in user(s, "import", file, "--domain", DOMAIN, "--grant", "submit")
    users = {u["user"].split("@")[0]: u for u in s.ask("user", "list")}
    assert len(users) == 10 and users["old"]["rights"] == ["submit"] and users[USER]["rights"] == ["submit", "relay"]
    assert [n for n, u in users.items() if not u["password"]] == ["drop", "nt", "cram"] and users["nt"]["nt"] and users["cram"]["cram"]
    assert {c for c, in row(s, "SELECT crypt FROM principal WHERE name IN (?,?,?,?)", *(f"{n}@{DOMAIN}" for n in ("old", "htpasswd", "dovecot", "csv")))} == {CRYPT}
    assert row(s, "SELECT stored_key FROM scram JOIN principal ON number=principal WHERE name=?", f"scram@{DOMAIN}") == [(stored,)]
    assert row(s, "SELECT cram FROM principal WHERE name=?", f"cram@{DOMAIN}") == [(b"\x02" * 16 + b"\x01" * 16,)]  # inner first


def test_an_import_of_passwords_keeps_nobody_waiting(s, tmp_path):
    """Others write while they are hashed; and numbers are for machines, too."""
    file = tmp_path / "them"
    file.write_bytes(b"\xef\xbb\xbf" + b"".join(b"p%d@%s:{PLAIN}secret%d\r\n" % (n, DOMAIN.encode(), n) for n in range(24)) + f"p0@{DOMAIN}:!\n".encode())
    assert json.loads(user(s, "import", file, "--dry-run", "--json")) == {"added": 24, "known": 1, "without_scram_sha_256": 0, "dry_run": True}
    free = busy = 0
    with sqlite3.connect(s.folder / "users/identity.db", timeout=0, isolation_level=None) as db, subprocess.Popen(
            [BUILD / "sallyport", "--config", s.config, "user", "import", file], stdout=subprocess.DEVNULL) as it:
        while it.poll() is None:
            try:
                db.execute("BEGIN IMMEDIATE").execute("ROLLBACK")
                free += 1
            except sqlite3.OperationalError:
                busy += 1
            time.sleep(0.01)
    db.close()
    assert it.returncode == 0 and free > busy, (free, busy)
    assert "0 users of - were added, 24 were there already" in user(s, "import", "-", stdin=file.read_bytes()[3:-len(f"p0@{DOMAIN}:!") - 1])
    assert shown(s, f"p7@{DOMAIN}")["scram_sha_256"]


def test_a_pipe_is_waited_for(s):
    read, write = os.pipe()
    with subprocess.Popen([BUILD / "sallyport", "--config", s.config, "user", "import", f"/dev/fd/{read}"], pass_fds=[read], stdout=subprocess.PIPE) as it:
        os.close(read)
        time.sleep(0.3)  # its writer takes a while
        os.write(write, f"late@{DOMAIN}:!\n".encode())
        os.close(write)
        assert b"1 user of" in it.stdout.read()
    assert it.returncode == 0


def test_of_many_wrong_lines_some_are_named(s):
    said = user(s, "import", "-", stdin=b"x\n" * 1000, code=1).splitlines()
    assert len(said) == 21 and said[-1] == "sallyport user: nobody was added: 1000 lines are wrong, the first of them are named"


@pytest.mark.parametrize("line, word", [("joe", "TAB"), ("joe:$5$x$y", "--domain"), (f"joe@{DOMAIN}:secret", "{PLAIN}"), (f"joe@{DOMAIN}:$apr1$x$abcdefghijklmnop", "crypt(5)"),
                                        (f"joe@{DOMAIN}:{{MD5}}abc", "scheme"), (f"joe@{DOMAIN}:{{PLAIN}}", "empty"), (f"joe@{DOMAIN}:{{PLAIN", "no end"), (f"a b@{DOMAIN}:!", "no name"), (f"joe@{DOMAIN}:{{SCRAM-SHA-256}}1,a,b,c", "4096"),
                                        (f"joe@{DOMAIN}:{{NTLM}}xyz", "hexadecimal"), (f"../joe@{DOMAIN}:!", "no name")])
def test_a_wrong_line_imports_nobody(s, tmp_path, line, word):
    file = tmp_path / "them"
    file.write_text(f"good@{DOMAIN}:!\n{line}\n")
    said = user(s, "import", file, code=1)
    assert f"{file}:2: " in said and word in said and "nobody was added" in said, said
    assert [u["user"] for u in s.ask("user", "list")] == [ME]


# --- everything

def test_every_change_is_in_the_audit(s):
    before = len(s.ask("user", "audit"))
    user(s, "add", f"a@{DOMAIN}", "--no-password")
    user(s, "grant", f"a@{DOMAIN}", "submit", "relay")
    user(s, "lock", f"nobody@{DOMAIN}", code=1)
    rows = s.ask("user", "audit")[before:]
    assert [r["what"] for r in rows] == [f"a@{DOMAIN} was added", f"a@{DOMAIN} may: submit relay"]
    assert all(r["uid"] == os.getuid() and r["who"].startswith(pwd.getpwuid(os.getuid()).pw_name) and r["time"].endswith("Z") for r in rows)


def test_two_at_once_lose_nothing(s):
    def add(who):
        for i in range(6):
            user(s, "add", f"{who}{i}@{DOMAIN}", "--no-password")
    threads = [threading.Thread(target=add, args=(w,)) for w in "ab"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(s.ask("user", "list")) == 13


@pytest.mark.parametrize("words", [[], ["befriend"], ["add"], ["add", "a", "b"], ["group"], ["group", "join"], ["list", "x"], ["show"], ["grant", ME], ["list", "--nt"],
                                   ["add", "no-domain"], ["add", f"a/b@{DOMAIN}"], ["import"], ["app", "add", ME]])
def test_mistakes_are_explained(s, words):
    assert "usage: sallyport user" in user(s, *words, code=64)


def test_who_may_not_look_is_told(make):
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    s = make(start=False)
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BUILD / "sallyport", "--config", s.config, "user", "list", check=False)
    assert done.returncode == 1 and b"Permission denied" in done.stderr, done.stderr


def test_the_manual_names_every_subcommand():
    page = (ROOT / "man/sallyport-user.1").read_text()
    page = re.sub(r"\\f.", "", page)
    source = (ROOT / "src/cmd/user.c").read_text()
    subs = re.findall(r'(?m)^    \{"(\w+)",\s+(?:"(\w+)"|NULL)', source)
    assert len(subs) > 20
    for first, second in subs:
        assert re.search(rf"\b{first} {second}\b" if second else rf"\b{first}\b", page), (first, second)


def test_init_says_what_it_did(s):
    assert json.loads(s.cli("user", "list", "--json").stdout)["user"] == ME
    assert row(s, "SELECT what FROM audit") == [("init",)]
    assert PASSWORD.encode() not in (s.folder / "users/identity.db").read_bytes()


def test_explain_does_not_take_damage_for_nobody(s):
    asked = ("explain", "--client", "192.0.2.7", "--from", "a@b.example", "--to", ME)
    assert b"250" in s.cli(*asked, check=False).stdout
    database = s.folder / "users/identity.db"
    database.write_bytes(b"nonsense" + database.read_bytes()[8:])
    done = s.cli(*asked, check=False)
    assert b"cannot be read" in done.stderr and b"not a database" in done.stderr, done.stderr
    assert b"not a database" in s.cli("explain", "route", ME, check=False).stderr

"""Real clients: each sends, and what arrives is what it was given. A client that is missing fails its tests: make deps."""
import os
import re
import shutil
import smtplib

import pytest

from sallyport import BUILD, DOMAIN, ROOT, USER, as_sent, no_check, run

BODY = "Line one.\n.\n..two dots\n\n.dot at the start, ümlaut, and a long line " + "x" * 900 + "\nlast line\n"
TEXT = f"From: <me@example.net>\nTo: <{USER}@{DOMAIN}>\nSubject: from a real client\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{BODY}"
TO = f"{USER}@{DOMAIN}"


def need(program):
    assert shutil.which(program), f"{program} is missing: make deps"


def body_of(mail):
    return as_sent(mail).split(b"\n\n", 1)[1].decode()


def port(s, tls):
    return s.implicit if tls == "implicit" else s.smtp


def by_curl(s, tls, file):
    need("curl")
    url = f"{'smtps' if tls == 'implicit' else 'smtp'}://127.0.0.1:{port(s, tls)}/client.example.net"
    run("curl", "-sS", "--url", url, "--mail-from", "me@example.net", "--mail-rcpt", TO, "-T", file, "--crlf", "-k",
        *(["--ssl-reqd"] if tls == "starttls" else []))


def by_swaks(s, tls, file):
    need("swaks")
    run("swaks", "--server", "127.0.0.1", "--port", port(s, tls), "--from", "me@example.net", "--to", TO, "--data", f"@{file}",
        "--helo", "client.example.net", *({"starttls": ["-tls"], "implicit": ["-tlsc"]}.get(tls, [])))


def by_msmtp(s, tls, file):
    need("msmtp")
    options = {"starttls": ["--tls=on", "--tls-starttls=on", "--tls-certcheck=off"],
               "implicit": ["--tls=on", "--tls-starttls=off", "--tls-certcheck=off"]}.get(tls, ["--tls=off"])
    run("msmtp", "--host=127.0.0.1", f"--port={port(s, tls)}", "--auth=off", "--from=me@example.net", *options, "--", TO, stdin=file.read_bytes())


def by_s_nail(s, tls, file):
    need("s-nail")
    scheme = "smtps" if tls == "implicit" else "smtp"
    variables = ["-S", "v15-compat", "-S", f"mta={scheme}://127.0.0.1:{port(s, tls)}", "-S", "smtp-auth=none", "-S", "tls-verify=ignore",
                 "-S", "from=me@example.net", "-S", "hostname=client.example.net", "-S", "sendwait"]
    if tls == "starttls":
        variables += ["-S", "smtp-use-starttls"]
    run("s-nail", "-:/", *variables, "-S", "sendcharsets=utf-8", "-S", "encoding=8bit", "-S", "mime-encoding=8bit", "-r", "me@example.net", "-s", "from a real client", TO,
        stdin=BODY.encode(), env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(s.top)})


def by_git(s, tls, file):
    need("git")
    assert (run("git", "--exec-path").stdout.decode().strip() and
            os.path.exists(run("git", "--exec-path").stdout.decode().strip() + "/git-send-email")), "git-send-email is missing: make deps"
    patch = s.top / "0001-from-a-real-client.patch"
    patch.write_text("From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n" + TEXT.replace("<me@example.net>", "me@example.net"))
    encryption = {"starttls": ["--smtp-encryption=tls"], "implicit": ["--smtp-encryption=ssl"]}.get(tls, [])
    run("git", "-c", "user.name=me", "-c", "user.email=me@example.net", "-c", "sendemail.smtpSslCertPath=", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all",
        f"--to={TO}", "--from=me@example.net", "--smtp-server=127.0.0.1", f"--smtp-server-port={port(s, tls)}",
        "--smtp-domain=client.example.net", "--smtp-auth=none", "--transfer-encoding=8bit", *encryption, patch,
        env={**os.environ, "HOME": str(s.top)}, cwd=s.top)


def by_smtplib(s, tls, file):
    if tls == "implicit":
        client = smtplib.SMTP_SSL("127.0.0.1", s.implicit, context=no_check(), timeout=60)
    else:
        client = smtplib.SMTP("127.0.0.1", s.smtp, timeout=60)
    with client:
        if tls == "starttls":
            client.starttls(context=no_check())
        client.sendmail("me@example.net", [TO], file.read_bytes().replace(b"\n", b"\r\n"), mail_options=["BODY=8BITMIME"])


def by_nodemailer(s, tls, file):
    need("node")
    modules = "/usr/share/nodejs"  # where Debian keeps them; not every Node.js looks there by itself
    assert os.path.isdir(f"{modules}/nodemailer"), "node-nodemailer is missing: make deps"
    run("node", ROOT / "tests/scenario/nodemailer.js", port(s, tls), tls, TO, file, env={**os.environ, "NODE_PATH": modules})


def by_sallyport(s, tls, file):
    run(BUILD / "sallyport", "send", "--server", f"127.0.0.1:{port(s, tls)}", "--tls", tls, "--insecure", "--from", "me@example.net", "--to", TO,
        "--file", file)


def by_sallyport_chunking(s, tls, file):
    run(BUILD / "sallyport", "send", "--server", f"127.0.0.1:{port(s, tls)}", "--tls", tls, "--insecure", "--from", "me@example.net", "--to", TO,
        "--chunking", stdin=file.read_bytes())


CLIENTS = [by_curl, by_swaks, by_msmtp, by_s_nail, by_git, by_smtplib, by_nodemailer, by_sallyport, by_sallyport_chunking]


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("client", CLIENTS, ids=[c.__name__[3:] for c in CLIENTS])
def test_client(shared, tmp_path, client, tls):
    file = tmp_path / "mail.txt"
    file.write_text(TEXT)
    client(shared, tls, file)
    mail, = shared.wait_mails(1)
    assert body_of(mail).rstrip("\n") == BODY.rstrip("\n")
    received = re.search(rb"^Received: [^\n]*\n(?:[ \t][^\n]*\n)*", mail, re.M).group(0)
    assert (b" tls TLS_" in received) == (tls != "none"), received
    if b"ESMTP" in received:  # some say HELO, and RFC 3848 has no word for that under TLS
        assert (b"ESMTPS" in received) == (tls != "none"), received
    assert mail.startswith(b"Return-Path: <me@example.net>\n"), mail[:200]

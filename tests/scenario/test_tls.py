"""TLS: both ways in, only what is safe, certificates by name and replaced without a restart, the key in one process only."""
import array
import itertools
import os
import pathlib
import re
import signal
import ssl

import pytest

from sallyport import UNCAGED, Talk, no_check, run, wait_for


def certificate(folder, name):
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", chain)
    key.chmod(0o600)
    return chain, key


def trust(chain):
    context = ssl.create_default_context(cafile=str(chain))
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_versions(shared, version, mode):
    context = no_check()
    context.minimum_version = context.maximum_version = version
    if mode == "starttls":
        talk = shared.connect()
        talk.say("EHLO c.example.net", 250)
        talk.start_tls(context)
    else:
        talk = Talk(shared.implicit)
        talk.socket = context.wrap_socket(talk.socket)
        assert talk.reply()[0] == 220
    code, texts = talk.say("EHLO c.example.net", 250)
    assert "STARTTLS" not in texts
    assert talk.socket.version() == version.name.replace("_", ".")
    talk.say("QUIT", 221)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(shared, version):
    context = no_check()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk.start_tls(context)


def test_clear_text_before_the_handshake_is_forgotten(shared):
    """I9: what was pipelined after STARTTLS is discarded, and so is the session's state."""
    talk = shared.connect()
    talk.say("EHLO before.example.net", 250)
    talk.say("MAIL FROM:<before@example.net>", 250)
    talk.say("STARTTLS", 503)  # inside a transaction
    talk.say("RSET", 250)
    talk.send("STARTTLS\r\nEHLO injected.example.net\r\nMAIL FROM:<injected@example.net>\r\n")
    assert talk.reply()[0] == 220
    assert talk.held == b""
    talk.socket = no_check().wrap_socket(talk.socket)
    talk.say("RCPT TO:<you@example.org>", 503)
    talk.say("MAIL FROM:<me@example.net>", 503)  # EHLO was before the handshake
    talk.say("EHLO after.example.net", 250)
    talk.say("STARTTLS", 503)


def test_a_truncated_stream_delivers_nothing(shared):
    talk = shared.connect()
    talk.say("EHLO c.example.net", 250)
    talk.start_tls()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("RCPT TO:<you@example.org>", 250)
    talk.say("DATA", 354)
    talk.send(b"Subject: cut\r\n\r\nhalf a mess")
    raw = talk.socket.detach()  # closes the TCP stream without close_notify
    os.close(raw)
    shared.send(b"Subject: whole\r\n\r\nx\r\n")
    mail, = shared.wait_mails(1)
    assert b"Subject: whole" in mail


def test_names_and_reload(make):
    s = make(start=False, implicit=True)
    one, two = certificate(s.top, "one.example.org"), certificate(s.top, "two.example.org")
    s.config.write_text(re.sub(r"(?m)^(\s*)tls (\w+) certificate .*$", rf"\1tls \2 certificate {one[0]} key {one[1]}\n\1tls certificate {two[0]} key {two[1]}",
                               s.config.read_text()))
    s.start()

    def name_served(context, name):
        talk = s.connect()
        talk.say("EHLO c.example.net", 250)
        talk.start_tls(context, name)
        served = dict(x[0] for x in talk.socket.getpeercert()["subject"])["commonName"] if context.verify_mode else None
        return talk, served

    assert name_served(trust(one[0]), "one.example.org")[1] == "one.example.org"
    talk, served = name_served(trust(two[0]), "two.example.org")
    assert served == "two.example.org"
    open_session = talk

    # the certificate is renewed in place: a reload serves it, the open session goes on
    before = one[0].read_text()
    certificate(s.top, "one.example.org")
    assert one[0].read_text() != before
    with pytest.raises(ssl.SSLCertVerificationError):
        name_served(trust(one[0]), "one.example.org")
    s.cli("reload")
    assert name_served(trust(one[0]), "one.example.org")[1] == "one.example.org"
    open_session.say("EHLO still.example.net", 250)
    open_session.say("QUIT", 221)


def test_a_broken_certificate_does_not_reload(make):
    s = make()
    old = s.config.read_text()
    path = pathlib.Path(re.search(r"certificate (\S+)", old).group(1))
    path = path if path.is_absolute() else s.folder / path
    good = path.read_bytes()
    path.write_text("no certificate\n")
    assert s.cli("reload", check=False).returncode != 0
    s.connect().say("EHLO c.example.net", 250)  # the old generation serves on
    path.write_bytes(good)
    s.cli("reload")


def readable(pid):
    """(begin, end) of the memory that a process may read; of what is its own alone only what it ever touched: the rest is zeros."""
    page = os.sysconf("SC_PAGE_SIZE")
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, rights, _, _, inode = line.split()[:5]
        begin, end = (int(x, 16) for x in where.split("-"))
        if rights[0] != "r" or "[v" in line:
            continue
        if rights[3] != "p" or inode != "0":
            yield begin, end
            continue
        with open(f"/proc/{pid}/pagemap", "rb", 0) as pages:
            pages.seek(begin // page * 8)
            entries = array.array("Q", pages.read((end - begin) // page * 8))
        for touched, run in itertools.groupby(range(0, len(entries), 256), lambda i: max(entries[i:i + 256]) >> 62 != 0):  # in memory, or swapped
            if touched:
                run = list(run)
                yield begin + run[0] * page, min(begin + (run[-1] + 256) * page, end)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads other processes' memory: needs root")
def test_the_key_is_in_the_keyring_only(make):
    s = make()
    s.send(tls="starttls")
    key = next(p for p in s.folder.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes())
    text = run("openssl", "pkey", "-in", key, "-noout", "-text").stdout.decode()
    block = re.search(r"(?:priv|privateExponent|prime1):\s*\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
    secret = bytes.fromhex(re.sub(r"[\s:]", "", block))[-24:]
    found = {}
    for name, pid in s.processes().items():
        found[name] = False
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for begin, end in readable(pid):
                try:
                    memory.seek(begin)
                    octets = memory.read(end - begin)
                except OSError:
                    continue
                # libcrypto holds numbers as little-endian words
                found[name] |= secret in octets or secret[::-1] in octets
    assert found.pop("keyring"), "the search does not find the key where it must be: the test proves nothing"
    assert not any(found.values()), found


def test_the_cage_is_closed(make):
    s = make()
    for name, pid in s.processes().items():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        if UNCAGED:
            continue
        assert "Seccomp:\t2" in status, name
        assert "NoNewPrivs:\t1" in status, name
        if os.geteuid() == 0:
            assert not re.search(r"^Uid:\s+0\b", status, re.M), name
            assert re.search(r"^CapEff:\s+0+$", status, re.M), name
    if os.geteuid() == 0 and not UNCAGED:
        uids = [re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{p}/status").read_text(), re.M).group(1) for p in s.processes().values()]
        roles = {re.sub(r"[-/].*", "", n) for n in s.processes()}
        assert len(set(uids)) == len(roles), (roles, uids)

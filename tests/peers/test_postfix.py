"""A real Postfix in a root of its own (bench/peers) takes mail and hands it on to sallyport. A missing root is made; if it cannot be, this
fails."""
import os
import pathlib
import smtplib
import subprocess

import pytest

from sallyport import DOMAIN, ROOT, USER, Sallyport, as_sent, wait_for

PEERS = ROOT / "bench/peers"
PORT = 2525
LOG = pathlib.Path(os.environ.get("PEERS_ROOT", pathlib.Path.home() / ".cache/sallyport-peers")) / "postfix/var/log/postfix.log"


@pytest.fixture(scope="module")
def pair():
    assert os.geteuid() == 0, "a chroot of its own needs root"
    subprocess.run([PEERS / "setup-roots.sh"], check=True, timeout=900, stdin=subprocess.DEVNULL)
    s = Sallyport(config="recipients any.example any\ndeliver any.example to maildir mail")
    environment = {**os.environ, "SINKPORT": str(s.smtp)}
    try:
        s.start()
        subprocess.run([PEERS / "peer.sh", "postfix", "start", "relay"], check=True, timeout=60, env=environment, stdin=subprocess.DEVNULL)
        yield s
    finally:
        subprocess.run([PEERS / "peer.sh", "postfix", "stop"], timeout=60, env=environment, stdin=subprocess.DEVNULL)
        s.close()


def by_postfix(messages):
    with smtplib.SMTP("127.0.0.1", PORT, timeout=30) as client:
        for to, content in messages:
            client.sendmail("me@example.net", to, content)


def test_a_hundred_and_fifty_mails_arrive_intact(pair):
    texts = [b"Subject: number %d\r\n\r\n.\r\n..%d\r\n" % (i, i) + b"0123456789abcdef\r\n" * (i * i) for i in range(150)]
    by_postfix([([f"{USER}@{DOMAIN}"], t) for t in texts])
    mails = pair.wait_mails(150, seconds=60)
    bodies = sorted(as_sent(m).split(b"\n\n", 1)[1] for m in mails)
    assert bodies == sorted(t.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1] for t in texts)


def test_many_recipients_of_one_mail(pair):
    to = [f"r{i}@any.example" for i in range(120)]
    by_postfix([(to, b"Subject: to many\r\n\r\nx\r\n")])
    for address in to:
        pair.wait_mails(1, user=address.split("@")[0], domain="any.example", seconds=30)


def test_a_refused_recipient_bounces_there_and_not_here(pair):
    before = len(pair.mails())
    by_postfix([([f"nobody@{DOMAIN}"], b"Subject: refused\r\n\r\nx\r\n")])
    wait_for(lambda: "5.1.1" in LOG.read_text(errors="replace"), 30)
    wait_for(lambda: pair.queue() == [], 30)  # of the mails before, which Maildirs have a moment sooner
    assert len(pair.mails()) == before


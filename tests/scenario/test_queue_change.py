"""What an operator may do about the queue: hold, release, flush, requeue, remove, bounce; filters and summaries."""
import os
import re

import pytest

from next_hop import NextHop
from sallyport import DOMAIN, USER, wait_for

ME = f"{USER}@{DOMAIN}"


@pytest.fixture
def held(make):
    s = make(config="hold *\n")
    for i in range(6):
        s.send(f"Subject: {i}\r\n\r\n{'x' * 300 * i}\r\n".encode(), sender=f"s{i}@example.net")
    return s


def ids(s):
    return {r["from"]: r["id"] for r in s.queue()}


def deliver(s):
    s.config.write_text(s.config.read_text().replace("hold *", ""))
    s.cli("reload")


def test_hold_and_release_one(held):
    s = held
    one = ids(s)["s3@example.net"]
    *rows, total = s.ask("queue", "hold", one)
    assert rows == [{"id": one, "recipients": 1}]
    assert total == {"change": "hold", "examined": 1, "messages": 1, "recipients": 1, "busy": 0, "held": 0}
    logged, = wait_for(lambda: s.log("queue-held"), 5)
    assert logged["id"] == one and logged["uid"] == os.getuid()
    assert "No message matches (6 are queued)." in s.cli("queue", "list", "--from", "nobody@").stdout.decode()
    assert s.ask("queue", "requeue", one)[-1]["held"] == 1
    assert "1 recipient is held and stays so: queue release lets them go" in s.cli("queue", "flush", one).stdout.decode()
    deliver(s)
    s.wait_mails(5)
    row, = wait_for(lambda: len(s.queue()) == 1 and s.queue(), 5)
    assert row["id"] == one and row["recipients"][0]["reason"] == "held by an operator"
    assert row["recipients"][0]["waits"] == "release"
    s.kill()  # it is held durably
    s.start()
    row, = s.queue()
    assert row["state"] == "held" and "expires" not in row
    event, = (e for e in s.ask("queue", "show", one) if e.get("event") == "held")  # when, and who asked
    assert event["uid"] == os.getuid() and event["time"] >= row["arrival"] and event["time"][:19] <= logged["ts"][:19]
    assert b"1 message, 1 recipient: released" in s.cli("queue", "release", one).stdout
    s.wait_mails(6)
    wait_for(lambda: s.queue() == [], 5)


def test_release_what_the_configuration_holds(held):
    s = held
    one = ids(s)["s2@example.net"]
    s.cli("queue", "release", one)
    s.wait_mails(1)
    wait_for(lambda: len(s.queue()) == 5, 5)
    s.kill()
    s.start()
    assert len(s.queue()) == 5 and all(r["state"] == "held" for r in s.queue())


def test_remove_asks_or_takes_yes(held):
    s = held
    one = ids(s)["s1@example.net"]
    refused = s.cli("queue", "remove", one, check=False)
    assert refused.returncode == 64 and b"--yes" in refused.stderr
    assert s.cli("queue", "remove", "--yes", check=False).returncode == 64  # which ones?
    assert len(s.queue()) == 6
    total = s.ask("queue", "remove", "--yes", one)[-1]
    assert total["messages"] == 1
    assert s.cli("queue", "remove", "--yes", one, check=False).returncode == 69
    total = s.ask("queue", "remove", "--yes", "--from", "S2@")[-1]
    assert total["messages"] == 1 and total["examined"] == 5
    wait_for(lambda: [e["recipients"] for e in s.log("queue-removed")] == [1, 1], 5)
    s.kill()
    s.start()
    assert sorted(ids(s)) == [f"s{i}@example.net" for i in (0, 3, 4, 5)]
    deliver(s)
    s.wait_mails(4)
    assert not [m for m in s.mails() if b"Subject: 1\n" in m or b"Subject: 2\n" in m]


def test_bounce_tells_the_sender(make):
    s = make(config="hold *\n")
    s.send(b"Subject: back\r\n\r\nx\r\n", sender=ME)
    one = s.queue()[0]["id"]
    s.cli("queue", "bounce", "--yes", one)
    wait_for(lambda: [r["from"] for r in s.queue()] == [""], 10)
    deliver(s)
    mail, = s.wait_mails(1)
    assert b"returned to its sender by an operator" in mail and b"Action: failed" in mail
    wait_for(lambda: [e["uid"] for e in s.log("queue-bounced")] == [os.getuid()], 5)


def test_a_message_of_many_recipients_is_one_message(make):
    """Its recipients are changed on several pages of the answer."""
    s = make(config="recipients far.example any\nhold *\n")
    s.send(b"Subject: many\r\n\r\nx\r\n", to=[f"r{i}@far.example" for i in range(990)], sender=ME)
    s.send(b"Subject: one\r\n\r\nx\r\n", to=["r@far.example"], sender=ME)
    total = s.ask("queue", "bounce", "--yes", "--domain", "far.example")[-1]
    assert total["messages"] == 2 and total["recipients"] == 991


def test_filters_and_summary(held):
    s = held
    assert len(s.ask("queue", "list", "--domain", DOMAIN)) == 6
    assert s.ask("queue", "list", "--domain", "example.com") == []
    assert {r["from"] for r in s.ask("queue", "list", "--larger", "1190")} == {"s4@example.net", "s5@example.net"}
    assert len(s.ask("queue", "list", "--smaller", "3K", "--newer", "1h")) == 6
    assert s.ask("queue", "list", "--older", "1h") == []
    assert len(s.ask("queue", "list", "--reason", "configuration")) == 6
    assert s.cli("queue", "list", "--older", "soon", check=False).returncode == 64
    by_destination, by_reason = s.ask("queue", "summary")
    assert by_destination["destination"] == "local" and by_destination["recipients"] == 6 and by_destination["held"] == 6
    assert by_reason["reason"] == "held by the configuration" and by_reason["recipients"] == 6
    text = s.cli("queue", "summary", "--by", "reason", "--from", "s1@").stdout.decode()
    assert re.search(r"(?m)^ +1 +0 +1 +\d+s  held by the configuration$", text), text
    assert s.ask("queue", "summary", "--from", "nobody") == []
    assert b"Nothing waits." in s.cli("queue", "summary", "--by", "reason", "--from", "nobody").stdout


@pytest.mark.parametrize("verb", ["flush", "requeue"])
def test_flush_and_requeue_try_again(make, verb):
    """A delivery that failed is tried at once, and not in five minutes, when somebody asks for it."""
    s = make(start=False)
    aliases = s.folder / "aliases"
    aliases.write_text(f"later: /no/such/target\n")
    s.start()
    s.send(to=[f"later@{DOMAIN}"])
    waiting, = wait_for(lambda: [r for r in s.queue() if r["state"] == "deferred"], 5)
    recipient, = waiting["recipients"]
    assert recipient["attempts"] == 1 and recipient["waits"] == "attempt"
    reason, = s.ask("queue", "summary", "--by", "reason")
    assert "cannot tell now" in reason["reason"] and reason["deferred"] == 1
    aliases.write_text(f"later: {USER}\n")
    s.cli("reload")
    assert s.ask("queue", verb, "--reason", "cannot tell")[-1]["recipients"] == 1
    s.wait_mails(1)
    wait_for(lambda: s.queue() == [], 5)


def test_unknown_words(held):
    s = held
    for words in (("queue", "nonsense"), ("queue",), ("queue", "list", "--yes"), ("queue", "show"), ("queue", "flush"),
                  ("queue", "counts", "--from", "x"), ("queue", "hold", "not-an-id"), ("queue", "list", "--by", "reason"),
                  ("queue", "summary", "--by", "size"), ("queue", "release", "--all", ids(s)["s0@example.net"])):
        assert s.cli(*words, check=False).returncode == 64, words
    assert b"--older is a time like 30m, 4h or 5d: 5x" in s.cli("queue", "list", "--older", "5x", check=False).stderr
    assert s.ask("queue", "flush", "--all")[-1]["change"] == "flush"
    assert s.ask("queue", "requeue", "--all")[-1]["messages"] == 0  # nothing of it was tried


def test_what_a_next_hop_said(make):
    """A refused connection: list, show and summary name the next hop, the failure and the next try; flush and requeue act at once."""
    hop = NextHop()
    port = hop.port
    hop.close()
    s = make(config=f"recipients far.example any\nrelay far.example via smarthost 127.0.0.1:{port}\n")
    s.send(to=["a@far.example"])
    waiting, = wait_for(lambda: [r for r in s.queue() if r["state"] == "deferred"], 10)
    recipient, = waiting["recipients"]
    assert recipient["destination"] == f"smtp 127.0.0.1:{port}" and recipient["attempts"] == 1 and recipient["next"] > waiting["arrival"]
    assert "refused" in recipient["reason"]
    head, *events = s.ask("queue", "show", waiting["id"])
    attempt, = [e for e in events if e["event"] == "attempt"]
    assert attempt["state"] == "deferred" and attempt["status"].startswith("4.4.") and "refused" in attempt["text"]
    assert (attempt["host"], attempt["address"], attempt["port"]) == ("127.0.0.1", "127.0.0.1", port)
    s.send(to=["b@far.example"])  # this one waits for the next hop, without an attempt of its own
    second, = wait_for(lambda: [r for r in s.queue() if r["recipients"][0].get("waits") == "destination"], 10)
    recipient, = second["recipients"]
    assert recipient["attempts"] == 0 and "refused" in recipient["reason"] and recipient["next"] > second["arrival"]
    row, = s.ask("queue", "summary", "--by", "destination")
    assert row["recipients"] == 2 and row["state"]["standing"] == "failed" and "refused" in row["state"]["reason"]
    assert "refused" in s.cli("queue", "summary").stdout.decode()
    assert s.ask("queue", "list", "--destination", f"127.0.0.1:{port}", "--reason", "refused") != []
    again = NextHop(port=port)
    try:
        total = s.ask("queue", "flush", "--domain", "far.example")[-1]
        assert total["recipients"] == 2
        wait_for(lambda: len(again.messages) == 2, 10)
        wait_for(lambda: s.queue() == [], 5)
    finally:
        again.close()


def test_requeue_looks_for_the_route_anew(make):
    hop = NextHop()
    s = make(config="recipients far.example any\nrelay far.example via smarthost 127.0.0.1:1\n")
    try:
        for name in "ab":
            s.send(to=[f"{name}@far.example"])

        def both_wait():
            recipients = [r for m in s.queue() for r in m["recipients"]]
            return len([r for r in recipients if r["state"] == "deferred" or r.get("waits") == "destination"]) == 2
        wait_for(both_wait, 10)
        s.config.write_text(s.config.read_text().replace("127.0.0.1:1\n", f"127.0.0.1:{hop.port}\n"))
        s.cli("reload")
        s.cli("queue", "requeue", "--all")
        wait_for(lambda: len(hop.messages) == 2, 10)
        wait_for(lambda: s.queue() == [], 5)
    finally:
        hop.close()


def test_bounce_and_remove_what_waits_for_a_next_hop(make):
    s = make(config="recipients far.example any\nrelay far.example via smarthost 127.0.0.1:1\n")
    s.send(to=["a@far.example"], sender=ME)
    wait_for(lambda: [r for r in s.queue() if r["state"] == "deferred"], 10)
    s.send(to=["b@far.example"], sender=ME)
    s.send(to=["c@far.example"], sender=ME)
    wait_for(lambda: len([r for r in s.queue() if r["recipients"][0].get("waits") == "destination"]) == 2, 10)
    assert s.ask("queue", "remove", "--yes", "--to", "c@")[-1]["recipients"] == 1
    assert s.ask("queue", "bounce", "--yes", "--reason", "refused")[-1]["recipients"] == 2
    wait_for(lambda: len(s.mails()) == 2, 10)
    assert all(b"Action: failed" in m for m in s.mails())
    wait_for(lambda: s.queue() == [], 5)

"""Mail that leaves: a next hop of our own takes it, or misbehaves."""
import email
import email.policy
import email.utils
import socket
import threading
import time

import pytest

from next_hop import NextHop
from sallyport import DOMAIN, USER, Sallyport, as_sent, free_ports, wait_for
from test_exact import CONTENTS, HEAD, stored

FAR = "far.example"


@pytest.fixture
def hop():
    made = []

    def build(**more):
        made.append(NextHop(**more))
        return made[-1]
    yield build
    for h in made:
        h.close()


def relay_to(make, *hops, more="", start=True):
    """A sallyport that takes mail for far.example and hands it on to the hops."""
    where = " ".join(f"127.0.0.1:{h.port}" for h in hops)
    return make(config=f"recipients {FAR} any\nrelay {FAR} via smarthost {where}\n{more}", start=start)


def wait_messages(hop, n, seconds=20):
    def enough():
        return len(hop.messages) >= n and hop.messages
    enough.__doc__ = f"{n} messages at the next hop"
    return wait_for(enough, seconds)


def relayed(message):
    """What came without the one Received field in front."""
    return as_sent(message["content"].replace(b"\r\n", b"\n"), ("Received",))


def send_raw(s, content, to=(f"r@{FAR}",), sender="me@example.net", body=" BODY=8BITMIME"):
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say(f"MAIL FROM:<{sender}>{body}", 250)
    for r in to:
        talk.say(f"RCPT TO:<{r}>", 250)
    talk.send(b"BDAT %d LAST\r\n" % len(content) + content)
    assert talk.reply()[0] == 250
    talk.say("QUIT", 221)


@pytest.mark.parametrize("chunking", [False, True])
def test_exactly_what_came(make, hop, chunking):
    """I6, I7: by DATA and by BDAT what leaves is what came, with one Received field in front."""
    extensions = ["PIPELINING", "8BITMIME", "SIZE 50000000", "DSN"] + (["CHUNKING"] if chunking else [])
    h = hop(extensions=extensions)
    s = relay_to(make, h)
    for name in CONTENTS:
        before = len(h.messages)
        send_raw(s, CONTENTS[name])
        message = wait_messages(h, before + 1, 30)[before]
        assert relayed(message) == stored(CONTENTS[name]), name
        assert b"\n" not in message["content"].replace(b"\r\n", b""), name
        assert message["content"].endswith(b"\r\n")
    assert any(c.startswith(b"BDAT") for c in h.commands) == chunking
    wait_for(lambda: s.queue() == [], 10)


def test_without_pipelining_and_with_helo_only(make, hop):
    def answer(line, session):
        return b"502 5.5.1 no EHLO here\r\n" if line.upper().startswith(b"EHLO") else None
    old, plain = hop(answer=answer), hop(extensions=[])
    for h in (old, plain):
        s = relay_to(make, h)
        send_raw(s, HEAD + b"hello\r\n", body="")
        assert relayed(wait_messages(h, 1)[0]) == stored(HEAD + b"hello\r\n")


def test_a_next_hop_that_takes_its_time_gets_its_mail(make, hop):
    """What a job is to read stays lent to the relay until it is over, however long the next hop makes it wait."""
    def answer(line, session):
        if line.upper().startswith(b"EHLO"):
            time.sleep(9)
    h = hop(answer=answer)
    s = relay_to(make, h)
    send_raw(s, HEAD + b"x\r\n")
    wait_messages(h, 1, 30)
    wait_for(lambda: s.queue() == [], 10)
    assert h.sessions == 1


def test_silent_next_hops_with_many_recipients_hold_up_nobody(make, hop):
    """Whatever waits for next hops that accept and say nothing, there are places for other recipients, here and elsewhere."""
    live, silent, n = hop(), socket.socket(), 60
    silent.bind(("0.0.0.0", 0))
    silent.listen(500)
    port = silent.getsockname()[1]
    routes = [f"recipients d{i}.example any\nrelay d{i}.example via smarthost 127.0.1.{i + 1}:{port}" for i in range(n)]
    with silent:
        s = relay_to(make, live, more="\n".join(routes))
        for k in range(2):
            for i in range(n):
                send_raw(s, HEAD + b"x\r\n", to=[f"r{k}.{j}@d{i}.example" for j in range(100)])
        time.sleep(2)  # they are on their way
        send_raw(s, HEAD + b"x\r\n", to=[f"{USER}@{DOMAIN}"])
        send_raw(s, HEAD + b"x\r\n")
        wait_messages(live, 1, 10)
        s.wait_mails(1, seconds=10)


def test_list_members_and_direct_recipients_have_transactions_of_their_own(make, hop):
    """RFC 5321 3.9.2: what goes to members of a list leaves in the name of its owner, and the owner hears of failures; the sender
    hears of those that it wrote itself."""
    def answer(line, session):
        return b"550 5.1.1 nobody\r\n" if line.upper().startswith(b"RCPT") and b"gone" in line else None
    h = hop(answer=answer)
    s = relay_to(make, h, start=False)
    with (s.folder / "aliases").open("a") as f:
        f.write(f"team: m1@{FAR}, gone-m2@{FAR}, m3@{FAR}\nowner-team: {USER}\n")
    s.start()
    send_raw(s, HEAD + b"x\r\n", to=[f"r1@{FAR}", f"team@{DOMAIN}", f"gone-r2@{FAR}"], sender=f"sender@{FAR}")
    wait_messages(h, 3)
    by_sender = {m["from"]: sorted(m["to"]) for m in h.messages}
    assert by_sender == {f"sender@{FAR}": [f"r1@{FAR}"], f"owner-team@{DOMAIN}": [f"m1@{FAR}", f"m3@{FAR}"], "": [f"sender@{FAR}"]}
    to_sender = next(m for m in h.messages if m["from"] == "")["content"]
    assert f"gone-r2@{FAR}".encode() in to_sender and b"gone-m2" not in to_sender
    to_owner = s.wait_mails(1)[0]
    assert f"gone-m2@{FAR}".encode() in to_owner and b"gone-r2" not in to_owner
    wait_for(lambda: s.queue() == [], 10)


def test_a_recipient_written_twice_gets_one_copy(make, hop):
    h = hop()
    s = relay_to(make, h, more=f"hold r@{FAR}")
    send_raw(s, HEAD + b"x\r\n", to=[f"{USER}@{DOMAIN}", f"r@{FAR}", f"{USER.upper()}@{DOMAIN}", f"r@{FAR.upper()}", f"other@{FAR}"])
    assert wait_messages(h, 1)[0]["to"] == [f"other@{FAR}"]
    s.wait_mails(1)
    wait_for(lambda: sorted(r["state"] for r in s.queue()[0]["recipients"]) == ["delivered", "delivered", "held"])
    s.kill()  # what it is made of is found again
    s.start()
    waiting, = s.queue()
    assert [r["to"] for r in waiting["recipients"] if r["state"] == "held"] == [f"r@{FAR}"] and len(waiting["recipients"]) == 3
    s.cli("queue", "release", waiting["id"])
    assert wait_messages(h, 2)[1]["to"] == [f"r@{FAR}"]
    wait_for(lambda: s.queue() == [], 10)
    assert len(s.mails()) == 1 and len(h.messages) == 2


def test_many_recipients_share_a_transaction(make, hop):
    h = hop()
    s = relay_to(make, h)
    send_raw(s, HEAD + b"x\r\n", to=[f"r{i}@{FAR}" for i in range(250)])
    wait_for(lambda: sum(len(m["to"]) for m in h.messages) == 250, 20)
    assert len(h.messages) <= 10
    assert sorted(r for m in h.messages for r in m["to"]) == sorted(f"r{i}@{FAR}" for i in range(250))
    wait_for(lambda: s.queue() == [], 10)


def test_each_recipient_has_its_own_fate(make, hop):
    def answer(line, session):
        if b"gone@" in line:
            return b"550 5.1.1 nobody of that name\r\n"
        if b"later@" in line:
            return b"450 4.2.1 not now\r\n"
        return None
    h = hop(answer=answer)
    s = relay_to(make, h)
    send_raw(s, HEAD + b"x\r\n", to=[f"ok@{FAR}", f"gone@{FAR}", f"later@{FAR}"], sender=f"{USER}@{DOMAIN}")
    mail, = s.wait_mails(1)
    report = email.message_from_bytes(mail)
    groups = next(p for p in report.walk() if p.get_content_type() == "message/delivery-status").get_payload()
    assert len(groups) == 2 and groups[1]["Final-Recipient"].endswith(f"gone@{FAR}") and groups[1]["Status"] == "5.1.1"
    assert groups[1]["Action"] == "failed" and "550 5.1.1 nobody of that name" in groups[1]["Diagnostic-Code"]
    message, = h.messages
    assert message["to"] == [f"ok@{FAR}"]
    wait_for(lambda: len(s.queue()) == 1)  # what told the sender is known to have arrived
    left, = s.queue()
    assert [r["to"] for r in left["recipients"] if r["state"] == "deferred"] == [f"later@{FAR}"]


REFUSALS = [(where, code) for where in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", ".")
            for code in (b"421 4.3.2 going down\r\n", b"451 4.3.0 not now\r\n", b"554 5.7.1 never\r\n", "drop") if (where, code) != ("greeting", "drop")]


@pytest.mark.parametrize("where,code", REFUSALS)
def test_refused_anywhere(make, hop, where, code):
    """A refusal at any step: mail is kept after 4xx and a lost connection, comes back after 5xx, and is never taken for delivered."""
    def answer(line, session):
        return code if line.upper().startswith(where.encode()) else None
    more = {"greeting": code if code != "drop" else b""} if where == "greeting" else {"answer": answer}
    h = hop(**more)
    s = relay_to(make, h)
    send_raw(s, HEAD + b"x\r\n", sender=f"{USER}@{DOMAIN}")
    if where == "EHLO" and code[:1] == b"5":
        wait_messages(h, 1)  # HELO was tried (RFC 5321 3.2)
        return
    final = code != "drop" and code.startswith(b"5") and where in ("MAIL", "RCPT", "DATA", ".")
    if final:
        mail, = s.wait_mails(1)
        assert b"554" in mail and b"5.7.1" in mail
        wait_for(lambda: s.queue() == [], 10)
    else:
        def deferred():
            return [r for m in s.queue() for r in m["recipients"] if r["state"] == "deferred"]
        wait_for(deferred, 15)
        assert s.mails() == []
    assert h.messages == []


def test_the_next_address_is_tried(make, hop):
    """A dead and a busy host before a good one cost a moment."""
    dead, busy, good = hop(), hop(greeting=b"421 4.3.2 too busy\r\n"), hop()
    dead.close()
    s = relay_to(make, dead, busy, good)
    send_raw(s, HEAD + b"x\r\n")
    wait_messages(good, 1, 10)  # the queue would try it again after minutes


def test_sessions_are_used_again(make, hop):
    h = hop()
    s = relay_to(make, h, more="destination * { sessions 1 }")
    for i in range(30):
        send_raw(s, HEAD + b"%d\r\n" % i)
    wait_messages(h, 30)
    assert h.sessions <= 15  # a slow machine leaves pauses, in which one ends
    wait_for(lambda: h.open == 0, 30)


def test_concurrency_is_bounded(make, hop):
    beside = threading.Event()

    def answer(line, session):
        if line == b"." and h.open > 1:
            beside.set()
            time.sleep(0.05)
        elif line == b".":
            beside.wait(20)  # for another one
        return None
    h = hop(answer=answer)
    s = relay_to(make, h, more="destination * { sessions 2 4 }")
    for i in range(60):
        send_raw(s, HEAD + b"%d\r\n" % i)
    wait_messages(h, 60, 40)
    assert 2 <= h.most <= 4


def test_dsn_parameters_go_on(make, hop):
    h = hop()
    s = relay_to(make, h)
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say("MAIL FROM:<me@example.net> RET=HDRS ENVID=abc+2Bdef", 250)
    talk.say(f"RCPT TO:<r@{FAR}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@{FAR}", 250)
    talk.say("DATA", 354)
    talk.send(HEAD + b"x\r\n.\r\n")
    assert talk.reply()[0] == 250
    message, = wait_messages(h, 1)
    assert b"RET=HDRS" in message["mail"].upper() and b"ENVID=abc+2Bdef" in message["mail"]
    assert b"NOTIFY=SUCCESS,FAILURE" in message["rcpt"][0].upper() and f"ORCPT=rfc822;first@{FAR}".encode() in message["rcpt"][0]


@pytest.mark.parametrize("lmtp", [False, True])
def test_success_is_told_when_the_next_hop_does_not(make, hop, lmtp):
    """RFC 3461 5.2.2, RFC 3464 2.3.3: relayed to a server without DSN: the sender hears "relayed" from us; but LMTP is the last
    delivery (RFC 2033 1)."""
    h = hop(extensions=["PIPELINING"], lmtp=lmtp)
    to = f"deliver {FAR} to lmtp" if lmtp else f"relay {FAR} via smarthost"
    s = make(config=f"recipients {FAR} any\n{to} 127.0.0.1:{h.port}\n")
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say(f"MAIL FROM:<{USER}@{DOMAIN}>", 250)
    talk.say(f"RCPT TO:<r@{FAR}> NOTIFY=SUCCESS", 250)
    talk.say("DATA", 354)
    talk.send(HEAD + b"x\r\n.\r\n")
    assert talk.reply()[0] == 250
    mail, = s.wait_mails(1)
    groups = next(p for p in email.message_from_bytes(mail).walk() if p.get_content_type() == "message/delivery-status").get_payload()
    assert groups[1]["Action"] == ("delivered" if lmtp else "relayed") and groups[1]["Status"].startswith("2.")
    assert email.message_from_bytes(mail)["Subject"] == "Delivery report: " + ("delivered" if lmtp else "passed on")
    assert wait_for(lambda: s.log("delivered"))[0]["to"] == f"r@{FAR}"
    assert b"NOTIFY" not in h.messages[0]["rcpt"][0]


@pytest.mark.takes(65)
def test_expired_mail_comes_back_with_what_was_said_last(make, hop):
    h = hop(answer=lambda line, session: b"450 4.2.1 come again\r\n" if line.upper().startswith(b"RCPT") else None)
    s = relay_to(make, h, more="recipients dead.example any\nrelay dead.example via smarthost 127.0.0.1:1\n"
                 "queue { expire 1m  retry-first 1s  retry-max 2s  delay-warning never }")
    for to in (f"r@{FAR}", "r@dead.example"):
        send_raw(s, HEAD + b"x\r\n", to=[to], sender=f"{USER}@{DOMAIN}")
    said = {}
    for octets in s.wait_mails(2, seconds=100):
        mail = email.message_from_bytes(octets, policy=email.policy.default)
        assert [p.defects for p in mail.walk() if p.defects] == [] and mail.get_param("report-type") == "delivery-status"
        text, report, _ = mail.iter_parts()
        one = report.get_payload()[1]
        assert one["Action"] == "failed" and one["Status"] == "4.4.7" and email.utils.parsedate_to_datetime(one["Last-Attempt-Date"])
        said[one["Final-Recipient"]] = (one["Remote-MTA"], one["Diagnostic-Code"], "".join(text.get_content().split()))
    remote, code, text = said[f"rfc822; r@{FAR}"]
    assert remote == "dns; 127.0.0.1" and code == "smtp; 450 4.2.1 come again" and "Theserver127.0.0.1said:4504.2.1comeagain" in text
    remote, code, text = said["rfc822; r@dead.example"]
    assert remote is None and code == "x-sallyport; 127.0.0.1[127.0.0.1]:1: Connection refused" and "[127.0.0.1]:1:Connectionrefused" in text
    wait_for(lambda: s.queue() == [])


@pytest.mark.parametrize("body,data", [(" BODY=8BITMIME", HEAD + b"ascii\r\n"), (" BODY=8BITMIME SMTPUTF8", HEAD + b"ascii\r\n")])
def test_what_was_announced_and_not_needed_is_no_hindrance(make, hop, body, data):
    h = hop(extensions=["PIPELINING"])
    s = relay_to(make, h)
    send_raw(s, data, body=body)
    assert relayed(wait_messages(h, 1)[0]) == stored(data)


def test_what_is_needed_is_announced(make, hop):
    h = hop()
    s = relay_to(make, h)
    send_raw(s, HEAD + b"\xe4\r\n", body="")
    assert b"BODY=8BITMIME" in wait_messages(h, 1)[0]["mail"]


@pytest.mark.parametrize("body,data,status", [(" BODY=8BITMIME", HEAD + b"\xe4\r\n", "5.6.3"), (" BODY=BINARYMIME", HEAD + b"\0\xff\r\n", "5.6.3"), (" SMTPUTF8", HEAD + "ü\r\n".encode(), "5.6.7")])
def test_what_the_next_hop_cannot_take_comes_back(make, hop, body, data, status):
    h = hop(extensions=["PIPELINING"])
    s = relay_to(make, h)
    to = "grün" if "UTF8" in body else "r"
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    talk.say(f"MAIL FROM:<{USER}@{DOMAIN}>{body}", 250)
    talk.send(f"RCPT TO:<{to}@{FAR}>\r\n".encode())
    assert talk.reply()[0] == 250
    talk.send(b"BDAT %d LAST\r\n" % len(data) + data)
    assert talk.reply()[0] == 250
    mail, = s.wait_mails(1)
    kind = "global-delivery-status" if "UTF8" in body else "delivery-status"
    part = next(p for p in email.message_from_bytes(mail).walk() if p.get_content_subtype() == kind)
    assert f"Status: {status}" in str(part)
    assert h.messages == []


def test_lmtp_with_a_result_for_each(make, hop, tmp_path):
    def answer(line, session):
        if line == b".":
            return b"250 2.0.0 taken\r\n452 4.2.2 mailbox full\r\n" if len(session.recipients) == 2 else None
        return None
    path = tmp_path / "lmtp"
    h = hop(lmtp=True, path=path, answer=answer)
    path.chmod(0o777)
    tmp_path.chmod(0o755)
    for parent in list(path.parents)[:4]:
        try:
            parent.chmod(parent.stat().st_mode | 0o011)
        except OSError:
            pass
    s = make(config=f"recipients {FAR} any\ndeliver {FAR} to lmtp unix:{path}\n")
    send_raw(s, HEAD + b"x\r\n", to=[f"a@{FAR}", f"b@{FAR}"])
    wait_for(lambda: [r["to"] for m in s.queue() for r in m["recipients"] if r["state"] == "deferred"] == [f"b@{FAR}"], 15)
    send_raw(s, HEAD + b"y\r\n", to=[f"c@{FAR}"])
    assert wait_messages(h, 1)[0]["to"] == [f"c@{FAR}"]
    assert any(c.upper().startswith(b"LHLO") for c in h.commands)


def test_between_two_of_ours(make):
    """From one sallyport to another: opportunistic TLS, CHUNKING, everything we offer is understood by ourselves."""
    there = make(config=f"recipients {FAR} any\ndeliver {FAR} to maildir mail\n")
    here = make(config=f"recipients {FAR} any\nrelay {FAR} via smarthost 127.0.0.1:{there.smtp}\n")
    for name in ("plain", "dots", "8bit", "200k"):
        send_raw(here, CONTENTS[name], to=[f"{name}@{FAR}"])
        mail, = there.wait_mails(1, name, FAR)
        assert as_sent(as_sent(mail), ("Received",)) == stored(CONTENTS[name])
        assert mail.count(b"\nReceived: ") == 2 and b"TLS" in mail.split(b"\n\n")[0]


def test_everything_survives_kill(make, hop):
    """Killed in the middle of relaying and started again: nothing is lost, what arrives twice was in a transaction."""
    h = hop()
    s = relay_to(make, h)
    for i in range(40):
        send_raw(s, HEAD + b"number %d\r\n" % i)
        if i in (10, 25):
            s.kill()
            s.start()
    wait_for(lambda: len({relayed(m) for m in h.messages}) == 40, 40)
    assert len(h.messages) <= 40 + 2 * 20
    wait_for(lambda: s.queue() == [], 10)


def test_a_relay_that_dies_costs_its_own_sessions(make, hop):
    import os
    import signal

    def answer(line, session):
        if line == b".":
            time.sleep(0.2)
        return None
    h = hop(answer=answer)
    s = relay_to(make, h)
    for i in range(20):
        send_raw(s, HEAD + b"number %d\r\n" % i)
    pid = next(p for name, p in s.processes().items() if name.startswith("relay"))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len({relayed(m) for m in h.messages}) == 20, 40)
    wait_for(lambda: s.queue() == [], 10)


def test_one_live_among_many_dead(make, hop):
    """1,000 destinations, each a next hop of its own, that refuse connections or take them and never say a word, with mail for each: mail
    for one that lives leaves at once."""
    h = hop()
    silent = socket.socket()
    silent.bind(("0.0.0.0", 0))
    silent.listen(4000)
    port = silent.getsockname()[1]
    routes = "".join(f"recipients d{i}.example any\nrelay d{i}.example via smarthost 127.9.{i // 250}.{i % 250 + 1}:{port if i % 2 else 9}\n"
                     for i in range(1000))
    s = make(config=f"recipients {FAR} any\nrelay {FAR} via smarthost 127.0.0.1:{h.port}\n{routes}")
    talk = s.connect()
    talk.say("EHLO client.example.net", 250)
    for i in range(1000):
        talk.say(f"MAIL FROM:<me@example.net>", 250)
        talk.say(f"RCPT TO:<r@d{i}.example>", 250)
        talk.say("DATA", 354)
        talk.send(HEAD + b"x\r\n.\r\n")
        assert talk.reply()[0] == 250
    send_raw(s, HEAD + b"alive\r\n")
    wait_messages(h, 1, 10)

    def summary():
        return s.ask("queue", "summary", "--by", "destination")
    wait_for(lambda: len(summary()) == 1000)
    assert all(r["recipients"] == 1 for r in summary())
    refused = wait_for(lambda: [r for r in summary() if r.get("state", {}).get("standing") == "failed"], 5)
    assert refused[0]["state"]["next"] > refused[0]["state"]["failed"]
    silent.close()


def test_several_relays(make, hop):
    """As many processes as the configuration says; each destination has one of them, and another when it is gone."""
    import os
    import signal
    hops = [hop() for _ in range(6)]
    routes = "".join(f"recipients h{i}.example any\nrelay h{i}.example via smarthost 127.0.0.1:{h.port}\n" for i, h in enumerate(hops))
    s = make(config=f"relays 3\n{routes}")
    names = [n for n in s.processes() if n.startswith("relay")]
    assert len(names) == 3
    for n in range(5):
        for i in range(6):
            send_raw(s, HEAD + b"%d\r\n" % n, to=[f"r@h{i}.example"])
        if n == 2:
            os.kill(s.processes()[names[0]], signal.SIGKILL)
    for h in hops:
        wait_for(lambda: len({relayed(m) for m in h.messages}) == 5, 20)
    wait_for(lambda: len([n for n in s.processes() if n.startswith("relay")]) == 3, 5)
    assert len({line["process"] for line in s.log("relayed")}) >= 2
    s.cli("reload")
    send_raw(s, HEAD + b"after\r\n", to=["r@h0.example"])
    wait_for(lambda: len(hops[0].messages) >= 6, 10)


def test_hold_and_discard_hold_for_what_leads_there(make, hop):
    """A mailbox that is held or discarded is so under a subaddress and behind an alias, and goes by LMTP once it is released."""
    h = hop(lmtp=True)
    s = make(start=False, config=f"recipients any.example lm.example lost.example any\ndeliver any.example to maildir mail\ndeliver lost.example to maildir mail\n"
             f"deliver lm.example to lmtp 127.0.0.1:{h.port}\nhold bob@any.example held@lm.example\ndiscard lost.example accept-and-lose-mail\n")
    (s.folder / "aliases").write_text("al: bob@any.example\nlm: held@lm.example\nlose: z@lost.example\n")
    s.start()
    send_raw(s, HEAD + b"held\r\n", to=["bob@any.example", "bob+x@any.example", f"al@{DOMAIN}", "held@lm.example", f"lm@{DOMAIN}"])
    send_raw(s, HEAD + b"lost\r\n", to=["z@lost.example", f"lose@{DOMAIN}"])

    def held():
        return [r for m in s.queue() for r in m["recipients"] if r["state"] == "held"]
    wait_for(lambda: len(held()) == 5 and len(s.queue()) == 1, 10)
    assert h.messages == [] and s.mails("bob", "any.example") == [] and s.mails("z", "lost.example") == []
    assert sum("thrown away" in line["text"] for line in s.log("discarded")) == 2
    s.cli("queue", "release", "--yes", s.queue()[0]["id"], check=False)
    s.cli("queue", "release", "--to", "bob", "--yes", check=False)
    s.wait_mails(3, "bob", "any.example")
    wait_for(lambda: sum(len(m["to"]) for m in h.messages) == 2, 10)
    wait_for(lambda: s.queue() == [], 10)


def test_what_was_never_connected_to_has_no_session(make):
    """A refused connection: the log does not name a session that was not."""
    port, = free_ports(1)
    s = make(config=f"recipients {FAR} any\nrelay {FAR} via smarthost 127.0.0.1:{port}")
    s.send(to=(f"r@{FAR}",))
    wait_for(lambda: s.log("relay-deferred"), 15)
    assert "session" not in s.log("relay-deferred")[0]

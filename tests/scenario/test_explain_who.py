"""explain with a principal: what it says is what the real server does: kinds of principals x servers x senders x recipients."""
import base64
import itertools
import json
import smtplib

import pytest

from sallyport import DOMAIN, PASSWORD, USER, Sallyport, free_ports, no_check, wait_for

ME, REMOTE = f"{USER}@{DOMAIN}", "someone@elsewhere.example"
LINE = f"line@{DOMAIN}"  # its right is a line of the server
GROUPED, MEMBER = f"grouped@{DOMAIN}", f"member@{DOMAIN}"  # a group that the database, and one that a line of the server gives rights to
NOBODY, NORIGHTS, LOCKED, BARE, HALF, ANY = (f"{name}@{DOMAIN}" for name in ("nobody", "norights", "locked", "bare", "half", "any"))
WHO = (None, ME, GROUPED, MEMBER, LINE, NOBODY, NORIGHTS, LOCKED, BARE, HALF, ANY)
SENDERS = ("own", "listed@example.org", "stranger@example.net", "")
RECIPIENTS = (ME, f"missing@{DOMAIN}", REMOTE, "postmaster")


@pytest.fixture(scope="module")
def s():
    both, inside, clear, bare, implicit, external = free_ports(6)
    tls = "tls starttls certificate tls/chain.pem key tls/key.pem"
    one = Sallyport(config=f"""
server both {{ listen 127.0.0.1:{both}  {tls}  access both  recipients {DOMAIN}
    right relay to group trusted
    right submit to user {LINE}
}}
server inside {{ listen 127.0.0.1:{inside}  {tls}  access authenticated  recipients {DOMAIN}  relay-networks 127.0.0.0/8  require-tls yes }}
server clear {{ listen 127.0.0.1:{clear}  {tls}  access authenticated mechanisms SCRAM-SHA-256 PLAIN  allow-cleartext-auth 127.0.0.1  recipients {DOMAIN}
    right submit to user {LINE}
    right submit to group trusted
}}
server bare {{ listen 127.0.0.1:{bare} tls none  access authenticated }}
server external {{ listen 127.0.0.1:{external} tls starttls  access authenticated mechanisms EXTERNAL PLAIN  right relay to host gw.example.org }}
server implicit {{ listen 127.0.0.1:{implicit} tls implicit  access authenticated }}
""")
    one.ports = {"mx": one.smtp, "submission": one.submission, "both": both, "inside": inside, "clear": clear, "bare": bare}

    def add(name, *more):
        one.cli("user", "add", name, "--no-reload", *more, stdin=PASSWORD.encode() + b"\n")
    for group in ("staff", "trusted"):
        one.cli("user", "group", "add", group)
    for name in (GROUPED, MEMBER, LINE, NORIGHTS):
        add(name)
    add(LOCKED, "--grant", "submit,relay")
    add(HALF, "--grant", "relay")
    add(ANY, "--grant", "submit,any-sender,bypass-size")
    one.cli("user", "add", BARE, "--no-password", "--no-reload", "--grant", "submit")
    one.cli("user", "add", "--host", "gw.example.org", "--grant", "submit", "--no-reload")
    one.cli("user", "certificate", "add", "--host", "gw.example.org", one.folder / "tls/chain.pem")
    one.cli("user", "group", "add", "staff", GROUPED)
    one.cli("user", "group", "add", "trusted", MEMBER)
    one.cli("user", "grant", "--group", "staff", "submit", "relay")
    one.cli("user", "lock", LOCKED)
    for name in (ME, GROUPED):
        one.cli("user", "sender", "add", name, "listed@example.org")
    one.start()
    yield one
    one.close()


def explain(s, server, client, who, sender, recipient, *more):
    asked = ["explain", "--server", server, "--client", client, "--from", f"<{sender}>", "--to", recipient, "--json", *more]
    done = s.cli(*asked, *(["--user", who] if who else []), check=False)
    assert done.returncode in (0, 1), (done.stdout, done.stderr)
    said = json.loads(done.stdout)
    assert said["accepted"] == (done.returncode == 0)
    return said


def told(reply):
    return reply[0], reply[1].decode().split()[0]


def really(s, server, who, tls, pairs):
    """{(sender, recipient): (code, enhanced)} of the first refusal, or of RCPT."""
    found = {}
    with smtplib.SMTP("127.0.0.1", s.ports[server], local_hostname="client.example.net", timeout=60) as c:
        c.ehlo()
        if tls:
            c.starttls(context=no_check())
            c.ehlo()
        if who:
            got = c.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{who}\0{PASSWORD}".encode()).decode())
            if got[0] != 235:
                return {pairs[0]: told(got)}
        for sender, recipient in pairs:
            got = c.docmd("MAIL", f"FROM:<{sender}>")
            if got[0] == 250:
                got = c.docmd("RCPT", f"TO:<{recipient}>")
            found[sender, recipient] = told(got)
            c.docmd("RSET")
    return found


def rules(said, step):
    return [one["rule"] for one in said["steps"] if one["step"] == step]


@pytest.mark.takes(10)
@pytest.mark.parametrize("server, tls", [("mx", False), ("mx", True), ("submission", False), ("submission", True), ("both", True), ("inside", False), ("inside", True),
                                         ("clear", False), ("clear", True)])
def test_what_is_said_is_what_is_done(s, server, tls):
    compared = set()
    for who in WHO:
        pairs = [((who or "stranger@example.net") if sender == "own" else sender, recipient) for sender, recipient in itertools.product(SENDERS, RECIPIENTS)]
        done = really(s, server, who, tls, pairs)
        for pair in done:
            said = explain(s, server, "127.0.0.1", who, *pair, *(["--tls"] if tls else []))
            assert (said["reply"]["code"], said["reply"]["enhanced"]) == done[pair], (server, tls, who, pair, said)
            assert said["accepted"] == (done[pair][0] == 250)
            compared.add(done[pair])
    assert len(compared) >= 2, compared


def test_the_live_configuration_and_a_candidate(s):
    def config(*more):
        said = json.loads(s.cli("explain", "--client", "127.0.0.1", "--from", ME, "--to", ME, "--json", *more, config=False, check=False).stdout)
        return rules(said, "config")
    text = s.config.read_text()
    assert config("--config", s.config) == ["config.live"]
    try:
        s.config.write_text(text + "# changed\n")
        assert config("--config", s.config) == ["config.candidate"]
        s.cli("reload")
        assert config("--config", s.config) == ["config.live"]
    finally:
        s.config.write_text(text)
        s.cli("reload")
    other = s.folder / "other.conf"
    other.write_text(text)
    assert config("--config", other) == ["config.candidate"]
    other.write_text(text + "control nowhere.sock\n")
    assert config("--config", other) == ["config.no-service"]


def test_where_rights_come_from(s):
    at = ("127.0.0.1", LINE, LINE, REMOTE, "--tls")
    it, = (step for step in explain(s, "both", *at)["steps"] if step["step"] == "right")
    line = s.config.read_text().splitlines().index(f"    right submit to user {LINE}") + 1
    assert (it["rule"], it["rights"], it["file"], it["line"]) == ("right.user", ["submit"], str(s.config), line), it
    it, = (step for step in explain(s, "both", "127.0.0.1", MEMBER, MEMBER, REMOTE, "--tls")["steps"] if step["step"] == "right")
    assert (it["rule"], it["rights"], it["group"]) == ("right.group", ["relay"], "trusted")
    it, = (step for step in explain(s, "submission", "127.0.0.1", GROUPED, GROUPED, REMOTE, "--tls")["steps"] if step["step"] == "right")
    assert (it["rule"], it["rights"], it["group"]) == ("database.group", ["submit", "relay"], "staff")
    assert rules(explain(s, "submission", "127.0.0.1", NORIGHTS, NORIGHTS, REMOTE, "--tls"), "right") == ["right.none"]


def test_who_is_known_outside_only(s):
    """By a candidate configuration, that no server has read."""
    candidate = s.folder / "candidate.conf"
    candidate.write_text(s.config.read_text() + f"""
winbind CORP corp.example as corp.example
server domain {{ listen 127.0.0.1:25  tls starttls certificate tls/chain.pem key tls/key.pem  access authenticated mechanisms NTLM  recipients {DOMAIN}
    right submit to domain corp.example
    right relay to group relays@corp.example
}}
""")

    def asked(server, who, sender, recipient, *more):
        done = s.cli("explain", "--server", server, "--client", "192.0.2.1", "--from", sender, "--to", recipient, "--user", who, "--tls", "--outside", "--json", *more,
                     "--config", candidate, config=False, check=False)
        return json.loads(done.stdout)

    def origin(who, *more):
        said = asked("domain", who, who, REMOTE, *more)
        return rules(said, "account") + rules(said, "right") + rules(said, "login") + [said["reply"]["code"]]
    assert origin("ann@corp.example") == ["account.outside", "right.domain", "login.accepted", 550]
    assert origin("ann@corp.example", "--groups", "users,relays@corp.example") == ["account.outside", "right.domain", "right.group", "login.accepted", 250]
    assert origin("bob@elsewhere.example") == ["account.outside", "right.none", "login.no-right", 535]
    assert origin(ME)[:2] == ["account.found", "database.user"] and origin(LOCKED)[-2:] == ["login.locked", 535]
    said = asked("domain", "ann@corp.example", "ann+x@corp.example", ME)
    assert rules(said, "sender") == ["sender.own"] and said["accepted"]
    assert rules(asked("domain", "ann@corp.example", ME, ME), "sender") == ["sender.not-listed"]
    assert rules(asked("submission", ME, ME, ME), "auth") == ["mechanism.no-secret"] * 4 + ["mechanism.not-configured"]  # nobody outside is asked there
    done = s.cli("explain", "--client", "127.0.0.1", "--from", ME, "--to", ME, "--outside", check=False)
    assert done.returncode == 64


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_without_tls(s, tls):
    """What is said with --tls is what happens, too: nobody has TLS there."""
    said = explain(s, "bare", "127.0.0.1", ME, ME, ME, *(["--tls"] if tls else []))
    assert rules(said, "tls") == ["tls.none"] and set(rules(said, "auth")) == {"mechanism.not-offered", "mechanism.not-configured"}
    assert (said["reply"]["code"], said["reply"]["enhanced"]) == really(s, "bare", ME, False, [(ME, ME)])[ME, ME] == (502, "5.5.1")
    said = explain(s, "bare", "127.0.0.1", None, ME, ME, *(["--tls"] if tls else []))
    assert (said["reply"]["code"], said["reply"]["enhanced"]) == really(s, "bare", None, False, [(ME, ME)])[ME, ME] == (530, "5.7.0")


def test_a_server_with_implicit_tls_only(s):
    said = explain(s, "implicit", "127.0.0.1", ME, ME, ME)
    assert rules(said, "tls") == ["tls.implicit"] and said["accepted"]


def test_a_host(s):
    """It logs in by the key of its certificate."""
    said = explain(s, "external", "127.0.0.1", "gw.example.org", ME, REMOTE, "--tls", "--certificate")
    assert rules(said, "account") == ["account.found"] and rules(said, "login") == ["login.accepted"], said
    assert set(rules(said, "right")) == {"database.user", "right.host"}, said
    assert rules(explain(s, "external", "127.0.0.1", "gw.example.org", ME, REMOTE, "--tls"), "login") == ["login.no-secret"]
    assert rules(explain(s, "external", "127.0.0.1", "gx.example.org", ME, REMOTE, "--tls", "--certificate"), "login") == ["login.unknown-user"]


def test_what_tls_would_offer(s):
    said = explain(s, "both", "127.0.0.1", ME, ME, ME)
    assert said["reply"]["code"] == 538 and any("with --tls: SCRAM-SHA-256-PLUS" in step["text"] for step in said["steps"]), said


def test_mechanisms_and_why_not(s):
    said = explain(s, "clear", "192.0.2.1", ME, ME, ME)  # not of a network that may log in without TLS
    assert said["reply"]["code"] == 538 and rules(said, "auth") == ["mechanism.not-offered"] * 2 + ["mechanism.not-configured"]
    said = explain(s, "clear", "192.0.2.1", ME, ME, ME, "--tls")
    assert said["accepted"] and rules(said, "auth") == ["mechanism.offered"] * 2 + ["mechanism.not-configured"]
    said = explain(s, "clear", "192.0.2.1", BARE, BARE, ME, "--tls")
    assert rules(said, "auth")[:2] == ["mechanism.no-secret"] * 2 and rules(said, "login") == ["login.no-secret"]
    assert rules(explain(s, "submission", "127.0.0.1", LOCKED, LOCKED, ME, "--tls"), "login") == ["login.locked"]
    assert rules(explain(s, "submission", "127.0.0.1", HALF, HALF, ME, "--tls"), "login") == ["login.no-right"]
    assert rules(explain(s, "mx", "127.0.0.1", ME, ME, ME, "--tls"), "login") == ["login.not-offered"]


def test_an_app_password_counts_where_it_may(s):
    s.cli("user", "app", "add", BARE, "phone", "--from", "192.0.2.0/24")
    assert explain(s, "submission", "192.0.2.9", f"{BARE}/phone", BARE, ME, "--tls")["accepted"]
    said = explain(s, "submission", "198.51.100.9", f"{BARE}/phone", BARE, ME, "--tls")
    assert said["reply"]["code"] == 535 and rules(said, "account") == ["account.app-network"] and rules(said, "login") == ["login.app-network"]
    s.cli("user", "app", "add", BARE, "old", "--expires", "1s")
    wait_for(lambda: rules(explain(s, "submission", "192.0.2.9", f"{BARE}/old", BARE, ME, "--tls"), "account") == ["account.app-expired"])
    for name, rule in ((f"{BARE}/tablet", "account.app-unknown"), (f"nobody@{DOMAIN}/tablet", "account.unknown")):
        said = explain(s, "submission", "192.0.2.9", name, BARE, ME, "--tls")
        assert said["reply"]["code"] == 535 and rules(said, "account") == [rule] and rules(said, "login") == ["login.unknown-user"]
    s.cli("user", "app", "remove", BARE, "old")
    s.cli("user", "app", "remove", BARE, "phone")


def test_senders_and_limits(s):
    def sender(who, address):
        return rules(explain(s, "submission", "192.0.2.1", who, address, ME, "--tls"), "sender")
    assert sender(ME, ME) == sender(ME, f"{USER}+list@{DOMAIN}") == ["sender.own"]
    assert (sender(ME, "listed@example.org"), sender(ME, "stranger@example.net"), sender(ME, "")) == (["sender.listed"], ["sender.not-listed"], ["sender.null"])
    assert sender(ANY, "stranger@example.net") == ["right.any-sender"]
    assert rules(explain(s, "submission", "192.0.2.1", ANY, ANY, ME, "--tls"), "size") == ["right.bypass-size"]
    said = explain(s, "submission", "192.0.2.1", ME, ME, ME, "--tls")
    assert (rules(said, "size"), rules(said, "rate"), rules(said, "from")) == (["limits.message-size"], ["rate.source", "rate.principal"], ["from-lock"])
    assert rules(explain(s, "submission", "127.0.0.1", ME, ME, ME, "--tls"), "rate") == ["rate.loopback"]


def test_whoever_may_not_read_the_database_is_told(s):
    done = s.cli("explain", "--server", "submission", "--client", "127.0.0.1", "--from", ME, "--to", ME, "--user", ME, "--config", "/nonexistent", config=False, check=False)
    assert done.returncode == 78  # EX_CONFIG
    users = s.folder / "users"
    users.rename(s.folder / "away")
    try:
        said = explain(s, "submission", "127.0.0.1", ME, ME, ME, "--tls")
        assert said["reply"]["code"] == 454 and rules(said, "account") == ["account.unreadable"]
    finally:
        (s.folder / "away").rename(users)

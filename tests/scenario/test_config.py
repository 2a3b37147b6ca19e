"""Lines of the configuration that scripts append, as the running server obeys them."""
import json
import os
import re
import socket

from sallyport import BUILD, DOMAIN, ROOT, USER, free_ports, run


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def test_a_gate_is_not_served_as_something_else(make):
    """This version has no gate: its listener stays shut rather than take mail as an mx server would."""
    port, = free_ports(1)
    s = make(start=False)
    s.append(f"server front {{ role gate listen 127.0.0.1:{port} backend 127.0.0.1:{s.smtp} }}")
    warnings = json.loads(s.cli("check", "--json").stdout)["problems"]
    assert any("role gate is not in this version" in w["text"] for w in warnings)
    s.start()
    assert refused(port) and not refused(s.smtp)


def test_a_domain_where_everyone_exists(make):
    s = make(start=False)
    s.append("recipients any.example any\nhold *\nrelay any.example via smarthost 127.0.0.1:1")
    s.start()
    talk = s.connect()
    talk.say("EHLO c.example.net", 250)
    talk.say("MAIL FROM:<me@example.net>", 250)
    talk.say("RCPT TO:<whoever@any.example>", 250)
    talk.say(f"RCPT TO:<nobody@{DOMAIN}>", 550)
    talk.say(f"RCPT TO:<{USER}@{DOMAIN}>", 250)
    talk.say("RCPT TO:<x@elsewhere.example>", 550)


def test_more_sessions_from_the_loopback_than_from_elsewhere(make):
    s = make()
    held = [s.connect() for _ in range(120)]  # one address of the loopback; others may hold 50
    for talk in held:
        talk.say("NOOP", 250)


def test_the_windows_page_names_what_there_is():
    """docs/migration-windows-smtp.md: each row names a directive or a command that exists, or says why there is none."""
    directives = set(re.findall(r"(?m)^  ([a-z-]+)(?: |$)", run(BUILD / "sallyport", "help", "config").stdout.decode()))
    verbs = set(re.findall(r"(?m)^  (\w+) ", run(BUILD / "sallyport", "help").stdout.decode()))
    page = (ROOT / "docs/migration-windows-smtp.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Windows")]
    assert len(rows) > 70 and all(len(row) == 4 for row in rows), [row for row in rows if len(row) != 4]
    unknown = []
    for windows, _, here, _ in rows:
        named = re.findall(r"`([^`]+)`", here)
        if not named and not re.match(r"None: .{20}", here):
            unknown.append((windows, here))
        for words in (name.split() for name in named):
            inside = re.search(r"\{ ([a-z-]+) \}", " ".join(words))
            if not (words[1] in verbs if words[0] == "sallyport" else words[0] in directives and (not inside or inside[1] in directives)):
                unknown.append((windows, " ".join(words)))
    assert unknown == []


def test_check_knows_rights_that_nobody_has(make):
    """What the database does not know, where it is all that is asked."""
    s = make(start=False)
    tls = "tls starttls certificate tls/chain.pem key tls/key.pem"
    lines = ["group staff", "group crew", f"user {USER}@{DOMAIN}", f"user bob@{DOMAIN}", f"domain {DOMAIN}", "domain nowhere.example", "host gw.example.org",
             "host gx.example.org", 'group "Mail Users@corp.example"', "group S-1-5-21-1-2-3-513", "user joe@corp.example", "domain corp.example"]
    rights = "\n".join(f"right submit to {to}" for to in lines)
    asked, dovecot = free_ports(2)
    s.append(f"""winbind CORP as corp.example
dovecot {{ socket unix:/run/nowhere }}
server asked {{ listen 127.0.0.1:{asked}  {tls}  access authenticated mechanisms NTLM PLAIN EXTERNAL
{rights}
}}
server others {{ listen 127.0.0.1:{dovecot}  {tls}  access authenticated  login dovecot
{rights}
}}""")
    s.cli("user", "group", "add", "staff")
    s.cli("user", "add", "--host", "gw.example.org", "--no-reload")
    first = s.config.read_text().split("server asked")[0].count("\n") + 2
    said = json.loads(s.cli("check", "--json", check=False).stdout)
    told = {p["line"]: p["text"] for p in said["problems"] if "nobody has this right" in p["text"]}
    assert sorted(told) == [first + lines.index(to) for to in ("group crew", f"user bob@{DOMAIN}", "domain nowhere.example", "host gx.example.org")], told
    assert all(p["severity"] == "warning" for p in said["problems"] if p.get("line") in told)


def test_check_knows_where_this_host_stands(make):
    """A router that translates addresses, the bridge of containers."""
    s = make(start=False)
    s.append(f"""
server inside {{ listen 127.0.0.1:{free_ports(1)[0]} proxy from 10.77.0.0/16
    relay-networks 192.168.44.0/24 10.77.0.0/24 192.168.44.9 }}
""")
    line = s.config.read_text().split("server inside")[0].count("\n") + 1
    words = ["mount -t sysfs none /sys", "ip link set lo up", "ip link add lan0 type veth peer name lan1", "ip addr add 192.168.44.20/24 dev lan0",
             "ip link set lan0 up", "ip route add default via 192.168.44.1", "ip link add br-1 type bridge", "ip addr add 10.77.0.1/16 dev br-1",
             f"{BUILD / 'sallyport'} check {s.config} --json || true"]  # in a name space of users nobody owns the files
    said = json.loads(run("unshare", "-nm" if os.geteuid() == 0 else "-Urnm", "sh", "-ec", "; ".join(words)).stdout)
    told = {(p["line"], p["text"]) for p in said["problems"] if "holds" in p["text"]}
    assert told == {(line + 1, "relay network 192.168.44.0/24 holds 192.168.44.1, the gateway of this host"),
                    (line + 1, "relay network 10.77.0.0/24 holds 10.77.0.1, this host's address on the bridge br-1"),
                    (line, "proxy network 10.77.0.0/16 holds 10.77.0.1, this host's address on the bridge br-1")}, said

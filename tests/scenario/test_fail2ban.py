"""The filters for fail2ban find what they should in a real log, and nothing that a client made up. fail2ban itself is not needed: its tags are
put in as it does."""
import configparser
import json
import re

from sallyport import ROOT, Sallyport, run
from test_guess import get_banned, login

TAGS = {"<ADDR>": r"(?P<host>[0-9.]+|[0-9A-Fa-f:.]+)", "<SUBNET>": r"(?P<host>[0-9.]+(?:/\d{1,2})?|[0-9A-Fa-f:.]+(?:/\d{1,3})?)"}


def found(name, lines):
    """The hosts that the filter finds: what is around the time stamp is what fail2ban looks at."""
    c = configparser.ConfigParser()
    c.read(ROOT / "packaging" / "fail2ban" / "filter.d" / f"{name}.conf")
    d = c["Definition"]
    fail, ignore = d["failregex"], d["ignoreregex"]
    for tag, pattern in TAGS.items():
        fail = fail.replace(tag, pattern)
    stamp = d["datepattern"].replace("%Y", r"\d{4}").replace("%m", r"\d\d").replace("%d", r"\d\d")
    stamp = stamp.replace("%H", r"\d\d").replace("%M", r"\d\d").replace("%S", r"\d\d").replace("%z", "Z")
    lines = [re.sub(stamp, "", line, count=1) for line in lines]
    return [m["host"] for line in lines for m in [re.search(fail, line)] if m and not (ignore and re.search(ignore, line))]


def test_its_sets_take_networks():
    """What login-banned names is a network, and one may lie in another; sets of fail2ban's own take neither."""
    c = configparser.RawConfigParser(delimiters="=")
    c.read(ROOT / "packaging" / "fail2ban" / "action.d" / "sallyport-nftables.conf")
    values = {"nftables": "/usr/sbin/nft", "table_family": "inet", "table": "f2b", "chain": "f2b-chain", "chain_type": "filter", "chain_hook": "input", "chain_priority": "-1",
              "protocol": "tcp", "port": "25", "addr_family": "ip", "blocktype": "reject", "addr_set": "them", "addr_type": "ipv4_addr", "_nft_shutdown_table": "true"}

    def script(option, ip=""):
        text = c["Definition"][option].replace("%(_set)s", c["Definition"]["_set"]).replace("<ip>", ip)
        for tag, value in values.items():
            text = text.replace(f"<{tag}>", value)
        assert "<" not in text and " ;" not in text, text  # what follows a blank and a semicolon is a comment of fail2ban
        return text
    show = "/usr/sbin/nft list chain inet f2b f2b-chain; /usr/sbin/nft -j list sets"
    done = run("unshare", "-n", "sh", "-e", "-c", "\n".join(
        [script("actionstart"), *(script("actionban", ip) for ip in ("198.51.100.7", "198.51.100.8", "198.51.100.0/24")), script("actionunban", "198.51.100.7"), show,
         script("actionflush"), script("actionstop"), "/usr/sbin/nft list table inet f2b"])).stdout.decode()
    assert done.count("tcp dport 25 ip saddr @them") == 2
    sets = {e["set"]["name"]: e["set"].get("elem") for e in json.loads(next(line for line in done.splitlines() if line.startswith('{"nftables"')))["nftables"] if "set" in e}
    assert sets == {"them": ["198.51.100.8"], "them-wide": [{"prefix": {"addr": "198.51.100.0", "len": 24}}]}
    assert "them" not in done[done.rindex("]}") :]
    assert "banaction = sallyport-nftables" in (ROOT / "packaging/fail2ban/jail.d/sallyport.conf").read_text()


def test_the_filters_find_who_failed_and_who_is_banned():
    s = Sallyport(config="never-ban 192.0.2.0/24")
    try:
        s.start()
        n = get_banned(s, "127.66.2.2", user='x{}","client":"192.0.2.1","reason":"locked"}}@example.org')
        login(s, "127.66.3.3")
        lines = s.log_text().splitlines()
    finally:
        s.close()
    assert found("sallyport", lines) == ["127.66.2.2"] * n + ["127.66.3.3"]
    assert found("sallyport", ["Nov 25 12:00:00 host sallyportd[7]: " + line for line in lines]) == ["127.66.2.2"] * n + ["127.66.3.3"]
    assert found("sallyport-banned", lines) == ["127.66.2.2/32"]
    for innocent in ("locked", "no-right", "app-expired", "app-network", "expired", "unavailable", "dovecot-away"):
        assert found("sallyport", [line.replace('"reason":"unknown-user"', f'"reason":"{innocent}"') for line in lines]) == ["127.66.3.3"], innocent

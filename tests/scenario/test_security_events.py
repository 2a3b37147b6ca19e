"""sallyportd(8) lists every security event that the code logs, with its fields, and every reason of a refused login."""
import configparser
import re

from sallyport import BUILD, ROOT, run

SOURCES = {p: p.read_text() for p in sorted((ROOT / "src").glob("*/*.c"))}
HELPERS = {"log_network": "network", "put_client": "client", "log_id": "session"}  # what they log
ID = r'"([a-z0-9]+(?:-[a-z0-9]+)*)"'


def section(name):
    return (ROOT / "man/sallyportd.8").read_text().split(f".SH {name}\n")[1].split("\n.SH ")[0].replace("\\-", "-")


def described():
    """{event: the text about it}"""
    found = {}
    for part in re.split(r"\n\.TP\n(?=\.BR? )", "\n" + re.sub(r"\.RS\n(.*?)\.RE\n", lambda m: m[1].replace(".TP\n", ""), section("SECURITY EVENTS"), flags=re.S)):
        head, _, text = part.strip().partition("\n")
        for name in re.findall(r"[a-z]+(?:-[a-z]+)+", head.split("(")[0]):
            found[name] = text
    return found


def logged():
    """(event, its fields) of everything at that level"""
    for text in SOURCES.values():
        for m in re.finditer(r"log_(begin|note)\(([^;]*LOG_LEVEL_SECURITY[^;]*);", text):
            names = re.findall(ID, m[2].replace("\n", " "))
            assert names, m[0]
            rest = text[m.end():text.index("log_end", m.end())] if m[1] == "begin" else 'log_str("text"'
            fields = set(re.findall(r'log_(?:str|span|u64)\("([a-z_]+)"', rest)) | {field for call, field in HELPERS.items() if f"{call}(" in rest}
            for name in names if m[1] == "begin" else names[:1]:
                yield name, fields


def reasons():
    """{reason of a login that did not succeed: (what is answered, as which guess it counts)}"""
    rows = re.findall(rf"ROW\(\w+, {ID}, (\w+), (\w+)\)", SOURCES[ROOT / "src/service/login_reason.c"])
    return {name: (answer, guess) for name, answer, guess in rows}


def test_every_security_event_is_in_the_manual():
    listed, events = described(), dict(logged())
    assert {"login-refused", "login-banned", "login-spray", "login-distributed", "domain-odd", "peer-lost", "status-malformed"} <= set(events)
    for name, fields in events.items():
        assert name in listed, f"{name} is not in sallyportd(8)"
        missing = [field for field in fields if not re.search(rf"\b{field}\b", listed[name])]
        assert not missing, (name, missing)
    for name in ("login-deferred", "access-changed", "login-bans-not-kept", "domain-unavailable"):
        assert name in listed and any(f'"{name}"' in text for text in SOURCES.values()), name


def test_every_reason_of_a_refused_login_is_in_the_manual():
    known = reasons()
    assert {"unknown-user", "clear", "app-expired", "token-scope", "dovecot-busy", "mic", "replay", "domain-locked", "no-certificate", "certificate-early", "ambiguous"} <= set(known) and len(known) > 45
    listed = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", described()["login-refused"]))
    names = re.findall(r"LOGIN_REASON_(\w+),", (ROOT / "src/service/login_reason.h").read_text())
    assert len(known) == len(names) - 1, "one of them has no name: all but NONE have"
    assert not set(known) - listed


def test_fail2ban_passes_over_what_counts_as_no_guess():
    """Else it would ban whom the server does not, or the other way round."""
    c = configparser.ConfigParser()
    c.read(ROOT / "packaging/fail2ban/filter.d/sallyport.conf")
    ignored = re.compile(c["Definition"]["ignoreregex"])
    for name, (_, guess) in reasons().items():
        assert bool(ignored.search(f'"client":"192.0.2.1","reason":"{name}"}}')) == (guess == "NONE"), name


def test_who_hears_454_has_guessed_at_nothing():
    assert all(guess == "NONE" for answer, guess in reasons().values() if answer == "LATER")


def test_what_fail2ban_needs_is_installed_where_the_manual_says(tmp_path):
    run(ROOT / "tools/install", BUILD, tmp_path, "/opt/it", cwd=ROOT)
    folder = tmp_path / "opt/it/share/sallyport/fail2ban"
    there = {str(p.relative_to(folder)): p for p in folder.rglob("*.conf")}
    assert set(there) == {str(p.relative_to(ROOT / "packaging/fail2ban")) for p in (ROOT / "packaging/fail2ban").rglob("*.conf")} and len(there) == 4
    manual = section("FAIL2BAN")
    for name in ("share/sallyport/fail2ban", *there):
        assert name in manual, name

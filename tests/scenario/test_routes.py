"""Where mail goes: what check says of routes, and what explain route answers, without a daemon."""
import json
import os

from sallyport import DOMAIN, USER


def problems(s):
    done = s.cli("check", "--json", check=False)
    return done.returncode, [(p["severity"], p.get("line"), p.get("column"), p["text"]) for p in json.loads(done.stdout)["problems"]]


def route(s, to, *more, code=0):
    done = s.cli("explain", "route", to, "--json", *more, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["recipient"] == to
    return said["ways"]


def test_check_names_line_and_column(make):
    s = make(start=False)
    s.append("relay a.example via smarthst h:25\n"
             "relay b.example via smarthost h:25 user-file secret tls may\n"
             "discard c.example\n"
             "destination d.example { sessions 9 5 }")
    at = s.config.read_text().splitlines().index("relay a.example via smarthst h:25")
    code, said = problems(s)
    assert code == 78
    errors = [(line - at, column) for severity, line, column, _ in said if severity == "error"]
    assert errors == [(1, 21), (2, 57), (3, 1), (4, 34)], said
    assert "did you mean \"smarthost\"?" in s.cli("check", check=False).stdout.decode()


def test_check_warns(make):
    s = make(start=False)
    secret = s.config.parent / "secret"
    secret.write_text("me\npassword\n")
    secret.chmod(0o644)
    s.append(f"relay a.example via smarthost 127.0.0.1:{s.smtp}\n"
             f"relay {DOMAIN} via smarthost 127.0.0.1:1\n"
             "relay b.example via smarthost h.example:587 user-file secret\n"
             "relay b.example via mx\n"
             "relay c.example via smarthost h.example:587 user-file secret\n"
             "hold *")
    code, said = problems(s)
    assert code == 0, said
    texts = [text for severity, _, _, text in said if severity == "warning"]
    for words in ("mail would go in a circle", f"this relay for {DOMAIN} replaces the deliver", "this relay for b.example replaces",
                  "others may read or write the user-file", "none leaves the queue"):
        assert any(words in text for text in texts), (words, texts)
    secret.write_text("me password\n")
    code, said = problems(s)
    assert code == 78 and any(severity == "error" for severity, *_ in said)


def test_explain_route(make):
    s = make(start=False)
    secret = s.config.parent / "secret"
    secret.write_text("me\npassword\n")
    secret.chmod(0o600)
    (s.config.parent / "aliases").write_text(f"team: {USER}, far@away.example\n")
    s.append("relay * via smarthost smtp.example.net:587 user-file secret\n"
             "relay direct.example via mx\n"
             "relay from boss.example via smarthost [2001:db8::1]:465\n"
             "relay from <> via smarthost null.example:25\n"
             "hold held.example\n"
             "discard lost.example accept-and-lose-mail\n"
             "recipients store.example any\n"
             "deliver store.example to lmtp unix:/run/lmtp\n"
             "destination smtp.example.net { sessions 2 4  messages 100 per 1h }")
    assert problems(s)[0] == 0

    way, = route(s, f"{USER}@{DOMAIN}")
    assert way["way"] == "mailbox" and way["local"] and way["rule"] == "deliver"
    way, = route(s, "far@away.example", "--from", "a@example.net")
    hop, limits = way["next_hop"], way["destination"]
    assert (way["way"], way["rule"], way["pattern"], way["place"]["file"]) == ("next-hop", "relay", "*", str(s.config))
    assert (hop["kind"], hop["protocol"], hop["name"], hop["tls"], hop["tls_by"]) == ("host", "smtp", "smtp.example.net:587", "verify", "line")
    assert hop["user_file"] == str(secret) and not hop["tls_implicit"]
    assert (limits["sessions_first"], limits["sessions_max"], limits["messages"]) == (2, 4, {"count": 100, "seconds": 3600})
    way, = route(s, "u@Direct.Example")
    assert way["next_hop"]["name"] == "direct.example" and way["next_hop"]["tls"] == "dane" and way["next_hop"]["tls_by"] == "default"
    way, = route(s, "far@away.example", "--from", "big@boss.example")
    assert way["next_hop"]["name"] == "[2001:db8::1]:465" and way["next_hop"]["tls_implicit"]
    way, = route(s, "far@away.example")
    assert way["rule"] == "relay from" and way["next_hop"]["name"] == "null.example:25"
    way, = route(s, "whoever@store.example")
    assert way["next_hop"]["protocol"] == "lmtp" and way["next_hop"]["name"] == "/run/lmtp"
    assert route(s, "u@held.example")[0]["way"] == "hold"
    assert route(s, "u@lost.example", code=1)[0]["way"] == "discard"
    assert "nobody of that name" in route(s, f"nobody@{DOMAIN}", code=1)[0]["text"]
    assert {w["recipient"] for w in route(s, f"team@{DOMAIN}")} == {f"{USER}@{DOMAIN}", "far@away.example"}

    text = s.cli("explain", "route", "u@away.example", "--from", "a@b.example").stdout.decode()
    for words in ("decided by   relay * at ", "next hop     smtp smtp.example.net:587", "verify", "100 messages per 1h"):
        assert words in text, text
    assert s.cli("explain", "route", check=False).returncode == 64
    assert s.cli("explain", "route", "no address", check=False).returncode == 64
    assert s.cli("explain", "route", "a@b", "--from", "no address", check=False).returncode == 64


def test_hostile_words_are_escaped(make):
    s = make(start=False)
    done = s.cli("explain", "route", "\"\x1b[2J\"@away.example", check=False)
    assert b"\x1b" not in done.stdout + done.stderr
    done = s.cli("explain", "route", "ü‮@away.example", check=False)
    assert "‮".encode() not in done.stdout + done.stderr
    assert os.fsencode("away.example") in done.stdout

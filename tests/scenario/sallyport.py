"""A sallyport of its own for a test: init in a fresh folder, free ports, the real daemon; and what one asks it."""
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SALLYPORT_BUILD", ROOT / "build")).resolve()
# Sanitizers do not work inside the cage: the same scenarios run uncaged with them, and caged without.
UNCAGED = os.environ.get("SALLYPORT_UNCAGED") == "1"
DOMAIN, USER, PASSWORD = "example.org", "you", "correct horse battery staple"
ROLES = ("edge", "directory", "keyring", "spooler", "mailbox", "admin", "relay", "connector", "resolver")
ALL_ROLES = (*ROLES, "winbind")  # those that begin only where the configuration asks for them


def claim_ports(count=400):
    """Ports that no other process of the tests gives away, below those that the kernel gives to clients: (what claims them, a cycle of them).
    The claim is a name bound for as long as this process lives."""
    for first in range(10000, 32000, count):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0sallyport-tests-ports-{first}")
            return claim, itertools.cycle(range(first, first + count))
        except OSError:
            claim.close()
    raise AssertionError("every range of ports is claimed by a test that runs")


CLAIMED = None


def free_ports(count):
    """Ports that nobody listens on, and that no other test is given."""
    global CLAIMED
    CLAIMED = CLAIMED or claim_ports()
    found = []
    while len(found) < count:
        port = next(CLAIMED[1])
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what ended a moment ago is no hindrance
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                continue
        found.append(port)
    return found


PATIENCE = 4  # times: on a machine that has much else to do everything takes longer, and is not wrong for that


def wait_for(what, seconds=10.0, every=0.03):
    """The first true value of what(); fails the test when there is none in time, which is `seconds` where nobody else works."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain: {getattr(what, '__doc__', None) or what}"
        time.sleep(every)


def in_time(what, seconds):
    """The first true value of what(seconds): for what must be over within so many seconds, which are twice as many with each try."""
    for doubled in range(6):
        value = what(seconds << doubled)
        if value:
            return value
    raise AssertionError(f"{what} is never in time")


def shortest(seconds, names, apart=0.1, least=7):
    """{name: the shortest seconds(name)} of as many tries as it takes until all are alike: a busy machine makes any of them longer, none shorter."""
    best = {}
    for tries in range(1, 15 * least):
        for name in names:
            best[name] = min(seconds(name), best.get(name, float("inf")))
        if tries >= least and max(best.values()) - min(best.values()) < apart:
            break
    return best


def run(*arguments, stdin=None, timeout=120, check=True, **more):
    done = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True, timeout=timeout, **more)
    if check:
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
    return done


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Sallyport:
    running = []  # those that a test has started, and has not stopped

    def __init__(self, folder=None, config="", implicit=False, user=USER, as_user=False):
        self.uid = 65534 if as_user else None  # nobody: everything is done as an ordinary user
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test-"))
        self.top.chmod(0o755)
        if self.uid:
            os.chown(self.top, self.uid, self.uid)
        self.folder = folder or self.top / "here"
        self.smtp, self.submission, self.submissions, self.implicit = free_ports(4)
        self.process = None
        self.logs = 0
        self.cli("init", "--dir", self.folder, "--domain", DOMAIN, "--user", user, "--smtp-port", self.smtp, "--submission-port",
                 self.submission, "--submissions-port", self.submissions, stdin=PASSWORD.encode() + b"\n", config=False)
        self.config = self.folder / "sallyport.conf"
        if implicit:
            config += f"\nserver tls-mx {{ listen 127.0.0.1:{self.implicit} tls implicit  access anonymous  recipients {DOMAIN} }}\n"
        self.append(config)

    # --- life
    def append(self, text):
        with self.config.open("a") as f:
            f.write("\n" + text + "\n")

    def serve_domain(self, domain, users):
        """Mailboxes in one more domain, with the first user's password. The domain itself: recipients in the config."""
        more = self.top / "more-users"
        more.write_text("".join(f"{user}@{domain}:{{PLAIN}}{PASSWORD}\n" for user in users))
        self.cli("user", "import", more, "--grant", "submit,relay", "--no-reload")
        self.append(f"deliver {domain} to maildir mail")

    def start(self, *more, wait=True, through=()):
        self.logs += 1
        self.log_file = self.top / f"log-{self.logs}"
        arguments = [*through, str(BUILD / "sallyportd"), "--config", str(self.config), "--foreground", *more]
        if UNCAGED:
            arguments.append("--insecure-no-sandbox")
        self.process = subprocess.Popen(arguments, **({} if through else self.identity()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log_file.open("wb"))
        if self not in Sallyport.running:
            Sallyport.running.append(self)
        if wait:
            wait_for(self.is_ready, 25)
        return self

    def is_ready(self):
        """the event "ready" in the log"""
        assert self.process.poll() is None, f"sallyportd ended with {self.process.returncode}:\n{self.log_text()[-3000:]}"
        return '"event":"ready"' in self.log_text()

    def stop(self, seconds=90):
        self.is_over()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"sallyportd does not end within {seconds} s of SIGTERM:\n{self.log_text()[-3000:]}")
        code = self.process.returncode if self.process else 0
        self.process = None
        return code

    def is_over(self):
        if self in Sallyport.running:
            Sallyport.running.remove(self)

    def kill(self):
        """The supervisor dies at once; its children end because it is gone."""
        self.is_over()
        children = list(self.processes().values())
        self.process.kill()
        self.process.wait()
        self.process = None

        def gone():
            return not any(alive(pid) for pid in children)
        gone.__doc__ = "the end of every child"
        wait_for(gone, 5)

    def close(self):
        try:
            self.stop()
        finally:
            if os.environ.get("SALLYPORT_KEEP") != "1":
                shutil.rmtree(self.top, ignore_errors=True)

    # --- what it says
    def log_text(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log(self, event=None):
        lines = [json.loads(line) for line in self.log_text().split("\n")[:-1] if line.startswith("{")]
        return [line for line in lines if event in (None, line["event"])]

    def complaints(self):
        """What the log says of the configuration and of a failed start, as `sallyport check` would: FILE:LINE:COLUMN: error: TEXT (SUGGESTION)"""
        said = []
        for e in self.log():
            if e["event"] in ("config-error", "config-warning", "cannot-serve"):
                place = ":".join(str(e[key]) for key in ("file", "line", "column") if key in e)
                kind = f"{place}: {e['event'].removeprefix('config-')}: " if place else ""
                said.append(kind + e["text"] + (f" ({e['suggestion']})" if "suggestion" in e else ""))
        return said

    def cli(self, *arguments, stdin=None, check=True, config=True, timeout=120):
        verb = list(arguments)
        if config:
            verb += ["--config", self.config]
        return run(BUILD / "sallyport", *verb, stdin=stdin, check=check, timeout=timeout, **self.identity())

    def identity(self):
        return {"user": self.uid, "group": self.uid, "extra_groups": []} if self.uid else {}

    def ask(self, *arguments):
        """JSON lines of a question to the daemon."""
        return [json.loads(line) for line in self.cli(*arguments, "--json").stdout.splitlines()]

    def queue(self):
        return self.ask("queue", "list")

    def status(self, role):
        """What each process of a role says of itself. One that is too busy to answer leaves its part out: it is asked again."""
        def all_said():
            found = [p for p in self.ask("status")[0]["processes"] if p["name"].startswith(role)]
            return found if found and all(set(p) - {"name", "pid", "state", "cage", "restarts", "generation"} for p in found) else None
        all_said.__doc__ = f"what {role} says of itself"
        return wait_for(all_said)

    def processes(self):
        """{name: pid} of the children; of two generations of one role the second has its pid in its name."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or not self.process:
                continue
            try:
                name = (entry / "comm").read_text().strip()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(state[1]) == self.process.pid and state[0] != "Z" and re.sub(r"-\d+$", "", name) in ALL_ROLES:
                found[name if name not in found else f"{name}/{entry.name}"] = int(entry.name)
        return found

    def wait_one_generation(self):
        """The processes of former configurations are gone: they end with their sessions."""
        def one():
            """the end of what served before the reload"""
            return not any("/" in name for name in self.processes())
        wait_for(one)

    # --- mail
    def mail_folder(self, user=USER, domain=DOMAIN):
        return self.folder / "mail" / domain / user

    def mails(self, user=USER, domain=DOMAIN):
        """Contents of the mailbox, oldest name first."""
        new = self.mail_folder(user, domain) / "new"
        return [p.read_bytes() for p in sorted(new.iterdir())] if new.is_dir() else []

    def wait_mails(self, count=1, user=USER, domain=DOMAIN, seconds=15):
        def enough():
            found = self.mails(user, domain)
            return found if len(found) >= count else None
        enough.__doc__ = f"{count} mails for {user}@{domain}"
        found = wait_for(enough, seconds)
        assert len(found) == count, f"{len(found)} mails, wanted {count}"
        return found

    def connect(self, port=None, source="127.0.0.1", timeout=60):
        """A raw conversation that has read the greeting."""
        s = Talk(port or self.smtp, source, timeout)
        code, text = s.reply()
        assert code == 220, (code, text)
        return s

    def smtplib(self, port=None, tls=None, **more):
        port = port or self.smtp
        if tls == "implicit":
            return smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=no_check(), **more)
        client = smtplib.SMTP("127.0.0.1", port, timeout=60, **more)
        if tls == "starttls":
            client.starttls(context=no_check())
        return client

    def send(self, data=b"Subject: hello\r\n\r\nHello.\r\n", to=(f"{USER}@{DOMAIN}",), sender="me@example.net", **more):
        with self.smtplib(**more) as client:
            return client.sendmail(sender, list(to), data)


def no_check():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Talk:
    """One SMTP connection, octet by octet if need be."""
    def __init__(self, port, source="127.0.0.1", timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
        self.held = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\r\n" not in self.held:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.held)
            self.held += more
        line, self.held = self.held.split(b"\r\n", 1)
        return line.decode("latin-1")

    def reply(self):
        """(code, texts of all lines)"""
        texts = []
        while True:
            line = self.line()
            texts.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), texts

    def say(self, command, code=None):
        self.send(command + "\r\n")
        got, texts = self.reply()
        assert code is None or got == code, f"{command!r}: wanted {code}, got {got} {texts}"
        return got, texts

    def ended(self, timeout=40):
        """The server closed the connection (after what it still had to say)."""
        self.socket.settimeout(timeout)
        try:
            while True:
                more = self.socket.recv(65536)
                if not more:
                    return True
                self.held += more
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def start_tls(self, context=None, name=None):
        self.say("STARTTLS", 220)
        self.socket = (context or no_check()).wrap_socket(self.socket, server_hostname=name)
        self.held = b""

    def close(self):
        self.socket.close()



def as_sent(stored, fields=("Return-Path", "Delivered-To", "Received")):
    """A stored message without what delivery put before it: at most one of each field, at the top."""
    rest = stored
    for _ in fields:
        match = re.match(rb"(Return-Path|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*", rest)
        if not match or match.group(1).decode() not in fields:
            break
        fields = tuple(f for f in fields if f != match.group(1).decode())
        rest = rest[match.end():]
    return rest

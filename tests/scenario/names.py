"""A network of its own for a test: a name space with addresses on its loopback, a knot with signed, bogus and unsigned zones below a
signed root, hosts that answer, refuse, or swallow everything."""
import os
import pathlib
import subprocess
import tempfile
import time

DNS_PORT = 5300
# Where the root of DNS is, IPv4: whoever resolves from the root begins there (www.iana.org/domains/root/servers).
ROOT_SERVERS = ("198.41.0.4", "170.247.170.2", "199.9.14.201", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241", "192.112.36.4",
                "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42", "202.12.27.33")

# Listens, speaks the least of SMTP, and writes a line "ADDRESS RECIPIENT" for each message it took.
SINK = """
import socket, sys, threading
def talk(s, where, out):
    try:
        f = s.makefile("rwb")
        def say(text):
            f.write(text.encode() + b"\\r\\n")
            f.flush()
        say("220 sink ESMTP")
        rcpt = []
        for line in f:
            verb = line[:4].upper()
            if verb == b"RCPT":
                rcpt.append(line.decode().split("<")[1].split(">")[0])
            if verb == b"DATA":
                say("354 go on")
                while f.readline() not in (b".\\r\\n", b""):
                    pass
                for r in rcpt:
                    print(where, r, file=out, flush=True)
                rcpt = []
            say("221 bye" if verb == b"QUIT" else "250 ok")
            if verb == b"QUIT":
                break
    except OSError:
        pass
    s.close()
def accept(s, where, out):
    while True:
        threading.Thread(target=talk, args=(s.accept()[0], where, out), daemon=True).start()
out = open(sys.argv[1], "a")
for where in sys.argv[2:]:
    address, port = where.rsplit("@", 1)
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen(4096)
    threading.Thread(target=accept, args=(s, address, out), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


class Names:
    """zones: {"signed": text, ...}; those in `bogus` have a wrong DS, those in `unsigned` none."""

    def __init__(self, zones, bogus=(), unsigned=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-names-"))
        self.children = []
        root = os.geteuid() == 0
        self.holder = self.popen(["unshare", "-n" if root else "-Urn", "sleep", "1000"])
        self.into = ["nsenter", "-t", str(self.holder.pid), "-n"] + ([] if root else ["-U", "--preserve-credentials"])
        end = time.monotonic() + 30
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == ours:
            assert time.monotonic() < end
            time.sleep(0.01)
        self.run("ip", "link", "set", "lo", "up")
        self.addresses(*ROOT_SERVERS)
        self.knot(zones, bogus, unsigned)

    def popen(self, command, **more):
        child = subprocess.Popen([str(c) for c in command], **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **more})
        self.children.append(child)
        return child

    def run(self, *command, text=None, timeout=60):
        done = subprocess.run([*self.into, *(str(c) for c in command)], input=text, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    def addresses(self, *addresses):
        for a in addresses:
            self.run("ip", "addr", "add", f"{a}/{128 if ':' in a else 32}", "dev", "lo", *(["nodad"] if ":" in a else []))

    def swallow(self, *addresses):
        """They exist, and nothing that is sent to them is answered."""
        self.addresses(*addresses)
        rules = "".join(f"{'ip6' if ':' in a else 'ip'} daddr {a} drop; " for a in addresses)
        self.run("nft", f"table inet dead {{ chain in {{ type filter hook input priority 0; {rules}}}; }}")

    def listen(self, *where):
        """ "192.0.2.1@25" """
        child = self.popen([*self.into, "python3", "-c", SINK, self.folder / "taken", *where], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"

    def taken(self):
        """(address, recipient) of each message that a listener took."""
        return [tuple(line.split()) for line in (self.folder / "taken").read_text().splitlines()]

    def knot(self, zones, bogus, unsigned):
        head = "$TTL 300\n@ SOA ns hostmaster.invalid. 1 3600 600 86400 60\n@ NS ns\nns A 198.41.0.4\n"
        conf = f"""server:
  rundir: "{self.folder}"
  listen: [ 127.0.0.1@{DNS_PORT}, ::1@{DNS_PORT}, 0.0.0.0@53 ]
log:
  - target: stderr
    any: error
database:
  storage: "{self.folder}"
policy:
  - id: hand
    manual: on
    nsec3: on
    single-type-signing: on
template:
  - id: default
    storage: "{self.folder}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
"""
        for zone in (".", *zones):
            conf += f"""  - domain: {zone}
    file: "zone-{zone if zone != '.' else 'root'}"
"""
            if zone not in unsigned:
                conf += "    dnssec-signing: on\n    dnssec-policy: hand\n"
        (self.folder / "knot.conf").write_text(conf)
        keymgr = ["keymgr", "-c", self.folder / "knot.conf"]
        root = head
        for zone, text in zones.items():
            (self.folder / f"zone-{zone}").write_text(head + text)
            root += f"{zone} NS ns.{zone}\nns.{zone} A 198.41.0.4\n"
            if zone in unsigned:
                continue
            self.run(*keymgr, zone, "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
            ds = next(line for line in self.run(*keymgr, zone, "ds").stdout.splitlines() if " 13 2 " in line).split()
            if zone in bogus:
                ds[-1] = "0" * 64
            root += " ".join(ds) + "\n"
        (self.folder / "zone-root").write_text(root)
        self.run(*keymgr, ".", "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
        self.anchors = self.folder / "root.key"
        self.anchors.write_text("; the root of this test\n" + next(line for line in self.run(*keymgr, ".", "ds").stdout.splitlines() if " 13 2 " in line) + "\n")
        self.popen([*self.into, "knotd", "-c", self.folder / "knot.conf"], stderr=(self.folder / "log").open("wb"))

    def close(self):
        for child in reversed(self.children):
            child.kill()
            child.wait()

#!/usr/bin/python3
"""Plays tests/script files against a real server (tests/script/README.md). Lines that begin with '~' are for the engine only.

With --mail DIR (the Maildir of --rcpt) what was stored is looked at too; without it `message` and `stored` are left out, and said so.
"""
import argparse
import os
import re
import socket
import ssl
import sys
import time

CRLF = b"\r\n"
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "s": b" ", "0": b"\0", "\\": b"\\"}


class Failed(Exception):
    pass


def decode(text, names):
    """Undoes the escapes, puts in the names. text: str in Latin-1."""
    out, i = b"", 0
    while i < len(text):
        for name, value in names.items():
            if text[i : i + len(name)].upper() == name:
                out += value.encode()
                i += len(name)
                break
        else:
            if text[i] != "\\":
                out += text[i].encode("latin-1")
                i += 1
            elif text[i + 1] == "x":
                out += bytes([int(text[i + 2 : i + 4], 16)])
                i += 4
            else:
                out += ESCAPES[text[i + 1]]
                i += 2
    return out


class Session:
    def __init__(self, host, port, timeout):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.said = b""
        self.eof = False

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has closed: what it said before is what counts

    def more(self, timeout):
        """Reads once; False when nothing came in time or the session has ended."""
        if self.eof:
            return False
        self.sock.settimeout(timeout)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except (ConnectionResetError, ssl.SSLError):
            got = b""
        if not got:
            self.eof = True
        self.said += got
        return bool(got)

    def reply(self):
        end, lines = time.monotonic() + self.timeout, []
        while True:
            line, crlf, rest = self.said.partition(CRLF)
            if crlf:
                if len(line) > 510 or not re.fullmatch(rb"[2-5][0-9]{2}[ -][ -~]*", line):
                    raise Failed(f"no server may say {line[:100]!r}")
                lines.append(line)
                self.said = rest
                if line[3:4] == b" ":
                    return CRLF.join(lines)
            elif not self.more(max(0.01, end - time.monotonic())):
                raise Failed("no reply" + (", the session is closed" if self.eof else ""))

    def nothing(self):
        self.more(0.2)
        if self.said:
            raise Failed(f"more replies than expected: {self.said[:200]!r}")

    def close(self):
        end = time.monotonic() + self.timeout
        while not self.eof and time.monotonic() < end and not self.said:
            self.more(0.2)
        self.nothing()
        if not self.eof:
            raise Failed("the session is still open")

    def tls(self):
        context = ssl._create_unverified_context()
        self.sock.settimeout(self.timeout)
        self.sock = context.wrap_socket(self.sock)


class Mailbox:
    """A Maildir in which new files are awaited."""

    def __init__(self, path):
        self.path = path
        self.known = self.names()

    def names(self):
        return set(os.listdir(os.path.join(self.path, "new"))) if self.path else set()

    def new_contents(self):
        found = []
        for name in sorted(self.names() - self.known):
            with open(os.path.join(self.path, "new", name), "rb") as file:
                found.append(file.read())
        return found

    def await_messages(self, count, seconds):
        end = time.monotonic() + seconds
        while len(self.new_contents()) < count and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.1)
        return self.new_contents()


class Player:
    def __init__(self, args):
        self.args = args
        self.names = {"$RCPT": args.rcpt, "$DOMAIN": args.rcpt.rpartition("@")[2]}
        self.unchecked = 0

    def connect(self):
        if getattr(self, "session", None):
            self.session.sock.close()
        self.mailbox = Mailbox(self.args.mail)
        self.session = Session(self.args.host, self.args.port, self.args.timeout)

    def expect(self, pattern):
        reply = self.session.reply()
        rx = b".*".join(re.escape(part) for part in pattern.split(b"*"))
        if not re.fullmatch(rx, reply, re.S):
            raise Failed(f"another reply: {reply!r}")

    def stored(self, content, count):
        if not self.args.mail:
            self.unchecked += 1
            return
        contents = self.mailbox.await_messages(count or 1, 10 if count == 0 else 60)
        if count is not None and len(contents) != count:
            raise Failed(f"{len(contents)} messages are stored")
        # a Maildir has LF line ends; our trace fields stand in front
        if content is not None and not any(c.endswith(content.replace(CRLF, b"\n")) for c in contents):
            raise Failed("no message with this content is stored")

    def directive(self, line):
        word, _, arg = line.partition(" ")
        count = 1
        if word in ("repeat", "expect-all"):
            number, _, arg = arg.partition(" ")
            count = int(number)
        text = decode(arg, self.names)
        if word == "send":
            self.session.send(text + CRLF)
        elif word in ("raw", "repeat"):
            self.session.send(text * count)
        elif word in ("expect", "expect-all"):
            for _ in range(count):
                self.expect(text)
        elif word == "nothing":
            self.session.nothing()
        elif word == "close":
            self.session.close()
        elif word == "connect":
            self.connect()
        elif word == "tls":
            self.session.tls()
        elif word == "message":
            self.stored(text, None)
        elif word == "stored":
            self.stored(None, int(arg))
        else:
            raise Failed("not understood")

    def play(self, name):
        with open(name, encoding="latin-1", newline="\n") as file:
            lines = file.read().split("\n")
        self.connect()
        for number, line in enumerate(lines, 1):
            if not line or line[0] in "#~":
                continue
            try:
                self.directive(line)
            except (Failed, OSError) as problem:
                print(f"{name}:{number}: {line[:80]}: {problem}")
                return False
        try:
            self.session.nothing()
        except Failed as problem:
            print(f"{name}: at the end: {problem}")
            return False
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--rcpt", required=True, help="a mailbox that exists")
    parser.add_argument("--mail", help="its Maildir")
    parser.add_argument("--timeout", type=float, default=60)
    args = parser.parse_args()
    player = Player(args)
    failed = 0
    for name in args.files:
        ok = player.play(name)
        print("ok  " if ok else "FAIL", name)
        failed += not ok
    if player.unchecked:
        print(f"{player.unchecked} lines about stored messages were not checked: no --mail")
    print(f"{len(args.files) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())

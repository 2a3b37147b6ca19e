"""A next hop that can be told how to behave: keeps what it was sent, octet for octet."""
import socket
import ssl
import threading
import time

from sallyport import free_ports


class NextHop:
    """answer(command, session) may return a reply (bytes), None for the usual one, or "drop" to close the connection at once."""
    def __init__(self, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 50000000", "ENHANCEDSTATUSCODES"), answer=None, lmtp=False, path=None,
                 context=None, greeting=b"220 hop.example ESMTP\r\n", port=0, host="127.0.0.1"):
        self.extensions, self.answer, self.lmtp, self.context, self.greeting = list(extensions), answer, lmtp, context, greeting
        self.messages, self.sessions, self.commands, self.open, self.most = [], 0, [], 0, 0
        self.lock = threading.Lock()
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.port = port or free_ports(1)[0]  # nobody else's, also when it is closed
            self.socket.bind((host, self.port))
        self.socket.listen(200)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(peer,), daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def session(self, peer):
        with self.lock:
            self.sessions += 1
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            Session(self, peer).run()
        except (OSError, EOFError, ValueError):
            pass
        finally:
            with self.lock:
                self.open -= 1
            peer.close()


class Session:
    def __init__(self, hop, peer):
        self.hop, self.peer, self.held, self.tls = hop, peer, b"", None
        if peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = hop.sessions
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.chunks, self.mail, self.rcpt = None, [], b"", b"", []

    def more(self):
        octets = self.peer.recv(65536)
        if not octets:
            raise EOFError
        self.held += octets

    def line(self):
        while b"\r\n" not in self.held:
            self.more()
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, n):
        while len(self.held) < n:
            self.more()
        octets, self.held = self.held[:n], self.held[n:]
        return octets

    def say(self, reply):
        self.peer.sendall(reply)

    def until_dot(self):
        """Content by DATA: raw, and with the dots undone; only CRLF.CRLF ends it."""
        raw = b"\r\n"
        while True:
            end = raw.find(b"\r\n.\r\n")
            if end >= 0:
                self.held = raw[end + 5:] + self.held
                return raw[2:end + 2].replace(b"\r\n..", b"\r\n.") if not raw.startswith(b"\r\n..") else (raw[:end + 2].replace(b"\r\n..", b"\r\n."))[2:]
            if not self.held:
                self.more()
            raw, self.held = raw + self.held, b""

    def done(self, content):
        message = {"from": self.sender, "to": list(self.recipients), "content": content, "mail": self.mail, "rcpt": list(self.rcpt), "tls": self.tls,
                   "session": self.number, "time": time.time()}
        with self.hop.lock:
            self.hop.messages.append(message)
        for _ in self.recipients if self.hop.lmtp else [0]:
            self.say(b"250 2.0.0 queued\r\n")
        self.reset()

    def usual(self, line):
        verb = line.split(b" ")[0].split(b":")[0].upper()
        if verb in (b"EHLO", b"LHLO"):
            names = [b"hop.example"] + [e.encode() for e in self.hop.extensions if not (self.tls and e == "STARTTLS")]
            return b"".join(b"250%s%s\r\n" % (b"-" if i + 1 < len(names) else b" ", n) for i, n in enumerate(names))
        if verb == b"HELO":
            return b"250 hop.example\r\n"
        if verb == b"MAIL":
            self.sender, self.mail = line[line.find(b"<") + 1:line.find(b">")].decode(), line
            return b"250 2.1.0 ok\r\n"
        if verb == b"RCPT" and self.sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        if verb == b"RCPT":
            self.recipients.append(line[line.find(b"<") + 1:line.find(b">")].decode())
            self.rcpt.append(line)
            return b"250 2.1.5 ok\r\n"
        if verb == b"RSET":
            self.reset()
        return {b"RSET": b"250 2.0.0 ok\r\n", b"NOOP": b"250 2.0.0 ok\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"500 5.5.1 what\r\n")

    def run(self):
        self.say(self.hop.greeting)
        while True:
            line = self.line()
            verb = line.split(b" ")[0].upper()
            with self.hop.lock:
                self.hop.commands.append(line)
            chunk = self.exactly(int(line.split()[1])) if verb == b"BDAT" else b""
            reply = self.hop.answer(line, self) if self.hop.answer else None
            if reply == "drop":
                return
            if reply is not None:
                self.say(reply)
                if reply.startswith(b"354"):
                    self.done(self.until_dot())
                continue
            if verb == b"BDAT":
                self.chunks += chunk
                if line.upper().endswith(b" LAST"):
                    self.done(self.chunks)
                else:
                    self.say(b"250 2.0.0 chunk\r\n")
            elif verb == b"DATA":
                if not self.recipients:
                    self.say(b"503 5.5.1 no recipients\r\n")
                    continue
                self.say(b"354 go on\r\n")
                content = self.until_dot()
                reply = self.hop.answer(b".", self) if self.hop.answer else None
                if reply == "drop":
                    return
                if reply is not None:
                    self.say(reply)
                    self.reset()
                else:
                    self.done(content)
            elif verb == b"STARTTLS" and self.hop.context and "STARTTLS" in self.hop.extensions:
                self.say(b"220 2.0.0 go on\r\n")
                self.peer = self.hop.context.wrap_socket(self.peer, server_side=True)
                self.tls, self.held = self.peer.version(), b""
                self.reset()
            else:
                self.say(self.usual(line))
                if verb == b"QUIT":
                    return


def server_context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls" / "chain.pem", folder / "tls" / "key.pem")
    return context

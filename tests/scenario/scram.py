"""A client of SCRAM (RFC 5802, RFC 7677) that does what a test wants, also what no library would."""
import base64
import hashlib
import hmac


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


class Exchange:
    """begin(), then end(); what the server said first stands in `server`. gs2, binding and last may be what they like.
    Without a connection (c): who sends `gs2 + first` himself lets it hear() the challenge, and sends last()."""
    def __init__(self, c, user, secret, mechanism="SCRAM-SHA-256", gs2="n,,", nonce="abcdefgh"):
        self.c, self.secret, self.mechanism, self.gs2, self.nonce = c, secret, mechanism, gs2, nonce
        self.hash = "sha1" if "SHA-1" in mechanism else "sha256"
        self.first, self.server = f"n={user},r={nonce}", None

    def begin(self):
        code, said = self.c.docmd(f"AUTH {self.mechanism} " + b64(self.gs2 + self.first))
        if code == 334:
            self.hear(said)
        return code, said

    def hear(self, challenge):
        self.server = base64.b64decode(challenge).decode()
        self.parts = dict(p.split("=", 1) for p in self.server.split(","))
        self.salted = hashlib.pbkdf2_hmac(self.hash, self.secret.encode(), base64.b64decode(self.parts["s"]), int(self.parts["i"]))

    def last(self, gs2=None, binding=b"", nonce=None, more=""):
        """The message that proves; RFC 5802 3. more: attributes behind the nonce."""
        without = f"c={b64((self.gs2 if gs2 is None else gs2).encode() + binding)},r={nonce or self.parts['r']}{more}"
        self.signed = f"{self.first},{self.server},{without}".encode()
        key = hmac.digest(self.salted, b"Client Key", self.hash)
        signature = hmac.digest(hashlib.new(self.hash, key).digest(), self.signed, self.hash)
        return f"{without},p={b64(bytes(a ^ b for a, b in zip(key, signature)))}"

    def end(self, last):
        code, said = self.c.docmd(b64(last))
        if code != 334:
            return code, said
        signature = hmac.digest(hmac.digest(self.salted, b"Server Key", self.hash), self.signed, self.hash)
        assert base64.b64decode(said) == b"v=" + base64.b64encode(signature)
        return self.c.docmd("")


def scram(c, user, secret, binding=b"", **more):
    """The last reply."""
    x = Exchange(c, user, secret, **more)
    code, said = x.begin()
    return x.end(x.last(binding=binding)) if code == 334 else (code, said)

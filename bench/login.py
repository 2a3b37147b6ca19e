"""The cell `login` of bench/run: TLS handshakes and logins a second beside Postfix with Dovecot's authentication, and what a client who does not
log in notices of a thousand password checks. Both check the same yescrypt hash ($y$j9T$: what `sallyport user` makes) for PLAIN and have stored keys for
SCRAM-SHA-256; other hashes of Dovecot are shown for information. "per core": operations that one second of the server's CPU is worth, all its
processes together; the load generator has its own CPU and is counted nowhere."""
import ctypes, ctypes.util, json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD, USER = 'benchmark', 'user@bench.example'
TLS_PORT, POSTFIX_TLS_PORT = 2727, 2465


def crypt(setting):
    """crypt(5) of this system's libxcrypt, the library of both servers."""
    library = ctypes.CDLL(ctypes.util.find_library('crypt'))
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(PASSWORD.encode(), setting.encode()).decode()


class Certificates:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='sallyport-bench-certificates-')
        for name, key in (('P-256', ('ec', '-pkeyopt', 'ec_paramgen_curve:P-256')), ('RSA-2048', ('rsa:2048', ))):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', *key, '-nodes', '-keyout', f'{self.folder}/{name}.key', '-out', f'{self.folder}/{name}.pem',
                            '-days', '30', '-subj', '/CN=bench.example', '-addext', 'subjectAltName=DNS:bench.example'], check=True, capture_output=True)

    def pair(self, name):
        return f'{self.folder}/{name}.pem', f'{self.folder}/{name}.key'


class Ours:
    """sallyport of bench/run with that certificate."""
    name, tls_port, anonymous_port = 'sallyport', TLS_PORT, None

    def __init__(self, run, build, keep):
        self.run, self.build, self.keep = run, build, keep
        self.anonymous_port = run.PORT

    def start(self, chain, key):
        outer = self

        class It(self.run.Sallyport):
            def init(self, data):
                outer.run.sh(f'{self.build}/sallyport', 'init', '--dir', data, '--domain', 'bench.example', '--smtp-port', str(outer.run.PORT), '--submissions-port',
                             str(TLS_PORT), '--user', 'user', input=f'{PASSWORD}\n'.encode(), stdout=subprocess.DEVNULL)
                for name, source in (('chain', chain), ('key', key)):
                    with open(f'{data}/tls/{name}.pem', 'w') as f:
                        f.write(open(source).read())
        self.server = It(self.build, self.keep)
        self.pid = self.server.start()

    def cpu(self):
        return self.run.cpu_seconds(self.pid)

    def stop(self):
        self.server.stop()


class Theirs:
    """Postfix and Dovecot, each in its root (bench/peers)."""
    name, tls_port = 'postfix+dovecot', POSTFIX_TLS_PORT

    def __init__(self, run):
        self.run, self.anonymous_port = run, run.POSTFIX_PORT
        self.users = tempfile.NamedTemporaryFile('w', suffix='.users', delete=False)
        root = os.environ.get('PEERS_ROOT', os.path.expanduser('~/.cache/sallyport-peers'))
        scram = subprocess.run(['chroot', f'{root}/dovecot', 'doveadm', 'pw', '-s', 'SCRAM-SHA-256', '-r', '10000', '-p', PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
        self.users.write(f'{USER}:{{CRYPT}}{crypt("$y$j9T$abcdefghijklmnop$")}\nsha512@x:{{CRYPT}}{crypt("$6$abcdefghijklmnop$")}\nclear@x:{{PLAIN}}{PASSWORD}\nscram@x:{scram}\n')
        self.users.close()

    def peer(self, name, *words, **env):
        """Its output goes to a file: a daemon keeps what it was started with open."""
        with tempfile.TemporaryFile('w+') as out:
            subprocess.run(['bash', f'{HERE}/peers/peer.sh', name, *words], env={**self.run.Postfix.env, **env}, stdin=subprocess.DEVNULL, stdout=out, stderr=sys.stderr)
            out.seek(0)
            return out.read()

    def start(self, chain, key):
        self.peer('dovecot', 'start', 'x', USERS=self.users.name)
        self.peer('postfix', 'start', 'login', CHAIN=chain, KEY=key)
        self.run.wait_port(POSTFIX_TLS_PORT)
        self.run.wait_port(2540)

    def cpu(self):
        return sum(int(x) for name in ('postfix', 'dovecot') for x in self.peer(name, 'cpu').split()) / 1e9

    def stop(self):
        self.peer('postfix', 'stop')
        self.peer('dovecot', 'stop')


def load(run, server, *words):
    args = [f'{run.TOOLS}/smtplogin', *words, f'127.0.0.1:{server.tls_port}']
    r = subprocess.run(args, capture_output=True, text=True)
    row = json.loads(r.stdout.splitlines()[-1])
    if row['failed'] or row['probe_failed']:
        print(f'  {server.name}: {row["failed"]} of {row["ok"]} failed, {row["probe_failed"]} of the other client: {row["why"]}', file=sys.stderr, flush=True)
    return row


def measured(run, server, *words):
    before = server.cpu()
    row = load(run, server, *words)
    row['cpu_ms'] = (server.cpu() - before) * 1000 / max(1, row['ok'])
    return row


def median(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0] if k != 'why'}


def show(what, name, v):
    print(f'  {what:34} {name:16} {v["per_s"]:8.1f}/s  p50 {v["session_p50_ms"]:.2f} p99 {v["session_p99_ms"]:.2f} ms  CPU {v["cpu_ms"]:.3f} ms  resumed {v["resumed"]:.0f} of {v["ok"]:.0f}',
          file=sys.stderr, flush=True)


def rows_of(title, cells):
    """cells: what -> {server: median row}."""
    out = [f'\n### {title}\n', '| | server | per s | p50 ms | p99 ms | server CPU ms | per core and s | x Postfix by CPU |', '|---|---|---:|---:|---:|---:|---:|---:|']
    for what, by in cells.items():
        theirs = by.get('postfix+dovecot', {}).get('cpu_ms')
        for name, v in by.items():
            out.append(f'| {what} | {name} | {v["per_s"]:.0f} | {v["session_p50_ms"]:.2f} | {v["session_p99_ms"]:.2f} | {v["cpu_ms"]:.3f} | {1000 / max(v["cpu_ms"], 1e-6):.0f} | '
                       + (f'{theirs / max(v["cpu_ms"], 1e-6):.1f}' if theirs else '-') + ' |')
    return '\n'.join(out)


def beside(run, server, count):
    """The other client's times, without logins and during `count` of them."""
    other = ('-a', f'127.0.0.1:{server.anonymous_port}', '-f', 'a@far.example', '-t', 'r@rcpt.example', '-g', '5')
    load(run, server, '-i', '-D', '1', *other)
    quiet = load(run, server, '-i', '-D', '5', *other)
    busy = load(run, server, '-m', 'plain', '-u', USER, '-p', PASSWORD, '-c', '20', '-n', str(count), *other)
    return {**{f'quiet_{k}': v for k, v in quiet.items() if k.startswith('probe')}, **busy}


def login(run, build, keep, names, reps, seconds, logins=1000):
    certificates = Certificates()
    servers = ([Ours(run, build, keep)] if 'sallyport' in names else []) + ([Theirs(run)] if 'postfix' in names else [])
    shakes, proofs, others = {}, {}, {}
    for _ in range(reps):
        for certificate in ('P-256', 'RSA-2048'):
            for server in servers:
                server.start(*certificates.pair(certificate))
                load(run, server, '-m', 'none', '-c', '8', '-D', '0.5')
                for kind, more in (('full', ()), ('resumed', ('-r', ))):
                    row = measured(run, server, '-m', 'none', '-c', '16', '-D', str(seconds), *more)
                    shakes.setdefault(f'TLS 1.3, {certificate}, {kind}', {}).setdefault(server.name, []).append(row)
                    show(f'{certificate} {kind}', server.name, row)
                if certificate == 'P-256':
                    for what, name, method, user in (('PLAIN, yescrypt', server.name, 'plain', USER), ('SCRAM-SHA-256', server.name, 'scram-sha-256', USER if server.name == 'sallyport' else 'scram@x'),
                                                     ('PLAIN, SHA512-CRYPT', server.name, 'plain', 'sha512@x'), ('PLAIN, no hash at all', server.name, 'plain', 'clear@x')):
                        if server.name == 'sallyport' and user.endswith('@x'):
                            continue
                        load(run, server, '-m', method, '-u', user, '-p', PASSWORD, '-c', '4', '-n', '8')
                        row = measured(run, server, '-m', method, '-u', user, '-p', PASSWORD, '-c', '16', '-D', str(max(seconds, 3)))
                        proofs.setdefault(what, {}).setdefault(name, []).append(row)
                        show(what, name, row)
                    row = beside(run, server, logins)
                    others.setdefault(server.name, []).append(row)
                    print(f'  the other client of {server.name}: p99 {row["quiet_probe_p99_ms"]:.2f} ms, during {row["ok"]} logins {row["probe_p99_ms"]:.2f} ms, max {row["probe_max_ms"]:.1f} ms', file=sys.stderr, flush=True)
                server.stop()
    flat = lambda cells: {what: {name: median(rows) for name, rows in by.items()} for what, by in cells.items()}
    out = [rows_of('TLS handshakes: connect, handshake, greeting, QUIT; 16 at once', flat(shakes)), rows_of('Logins: the same, with EHLO and AUTH, full handshakes, P-256', flat(proofs)),
           f'\n### A client that does not log in, during {logins} logins by PLAIN (20 at once, yescrypt)\n',
           '| server | logins per s | its time, nobody else there: p50 / p99 / max ms | meanwhile: p50 / p99 / max ms | mails |', '|---|---:|---:|---:|---:|']
    for name, rows in others.items():
        m = median(rows)
        out.append(f'| {name} | {m["per_s"]:.0f} | {m["quiet_probe_p50_ms"]:.2f} / {m["quiet_probe_p99_ms"]:.2f} / {m["quiet_probe_max_ms"]:.1f} | '
                   f'{m["probe_p50_ms"]:.2f} / {m["probe_p99_ms"]:.2f} / {m["probe_max_ms"]:.1f} | {m["probe_n"]:.0f} |')
    return '\n'.join(out)

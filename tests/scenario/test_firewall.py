"""`sallyport firewall` gives at the door the answers of the server: both are asked, for a table of clients, in a network name space of their own."""
import concurrent.futures
import ctypes
import os
import socket
import sqlite3
import time

import pytest

from sallyport import DOMAIN, Sallyport, free_ports, run, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network name space: needs root")
CLONE_NEWNET = 0x40000000
V6 = ("2001:db8:66::1", "2001:db8:67::1", "2001:db8:5::1", "2001:db8:5:6::1", "fd00::99")


def in_a_network_of_its_own(work):
    """What a thread begins in it stays in it: processes and threads."""
    def inside():
        assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        run("ip", "link", "set", "lo", "up")
        for address in V6:
            run("ip", "-6", "address", "add", f"{address}/128", "dev", "lo", "nodad")
        return work()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def connects(source, to, port):
    """220 or 554; None: nobody answers."""
    try:
        with socket.create_connection((to, port), 0.6, (source, 0)) as c:
            c.settimeout(20)
            return int(c.makefile("rb").readline()[:3])
    except TimeoutError:
        return None


def ban_for_failures(s, *networks):
    with sqlite3.connect(s.folder / "users/identity.db") as db:
        for network in networks:
            db.execute("INSERT INTO ban VALUES (?, ?, ?, 1, 80, 9, 0, 'x')", (network, int(time.time()), int(time.time()) + 3600))
    db.close()


def servers(wide, named, behind, old):
    return f"""never-ban 127.66.99.0/24 fd00::99
server listed {{
    listen 0.0.0.0:{wide} [::]:{wide}  tls none  recipients {DOMAIN}
    connections allow 127.0.0.0/8 2001:db8:66::/48 2001:db8:5:6::/64 fd00::/16
    connections deny 127.5.0.0/16 2001:db8:5::/48
    connections allow 127.5.6.0/24 127.66.0.0/15
    connections deny 127.5.6.7
}}
server single {{ listen 127.0.0.2:{wide}  tls none  recipients {DOMAIN} }}
server named {{ listen 127.0.0.1:{named}  tls none  recipients {DOMAIN}  connections allow 127.5.0.0/16  connections deny 127.5.9.0/24  connections allow name *.example.net }}
server behind {{ listen 127.0.0.1:{behind} proxy from 127.66.4.4  tls none  access anonymous  recipients {DOMAIN} }}
server devices {{
    listen 127.0.0.1:{old}
    profile legacy-device
    sender printer@{DOMAIN} from 127.7.0.10
    connections allow 127.7.0.16/30
}}
"""


def test_the_firewall_and_the_server_agree():
    wide, named, behind, old = free_ports(4)
    s = Sallyport(config=servers(wide, named, behind, old))
    anywhere = ("127.0.0.1", "127.66.2.2", "127.66.99.5", "127.67.1.1", "127.67.1.2", "127.68.1.9")
    clients = [  # server, its address, port, clients
        ("listed", "127.0.0.1", wide, (*anywhere, "127.5.1.1", "127.5.6.1", "127.5.6.7")), ("listed", "::1", wide, ("::1", *V6)),
        ("single", "127.0.0.2", wide, ("127.5.1.1", "127.66.2.2")), ("mx", "127.0.0.1", s.smtp, anywhere),
        ("submission", "127.0.0.1", s.submission, anywhere), ("named", "127.0.0.1", named, ("127.5.1.1", "127.5.9.9")),
        ("devices", "127.0.0.1", old, ("127.7.0.10", "127.7.0.17", "127.7.0.20", "127.0.0.1")),
        ("behind", "127.0.0.1", behind, ("127.66.2.2", "127.0.0.1"))]

    def work():
        s.start()
        s.cli("ban", "add", "127.66.0.0/16", "--reason", "a provider")
        s.cli("ban", "add", "2001:db8:66::/48", "--for", "1h", "--reason", "another")
        s.cli("ban", "add", "fd00::/32", "--reason", "never-ban holds in it")
        ban_for_failures(s, "127.67.1.1/32", "127.68.1.0/24")
        wait_for(lambda: {e["bans"] for e in s.status("edge")} == {4})  # of five: at the door a network is banned by hand only
        server = {(name, source): connects(source, to, port) for name, to, port, sources in clients for source in sources}
        begun = socket.create_connection(("127.0.0.2", wide), 60, ("127.5.1.1", 0))
        lines = begun.makefile("rb")
        assert lines.readline()[:3] == b"220"
        wall, said = {}, {}
        for name in dict.fromkeys(c[0] for c in clients):
            said[name] = s.cli("firewall", name).stdout.decode()
            run("nft", "-f", "-", stdin=said[name].encode())
        for name, to, port, sources in clients:
            for source in sources:
                wall[name, source] = connects(source, to, port)
        with socket.create_connection(("127.0.0.1", behind), 60, ("127.66.4.4", 0)) as proxy:  # is banned itself, speaks for another
            proxy.sendall(b"PROXY TCP4 198.51.100.7 127.0.0.1 4711 25\r\n")
            assert proxy.makefile("rb").readline()[:3] == b"220"
        begun.sendall(b"NOOP\r\n")
        assert lines.readline()[:3] == b"250"
        begun.close()
        return server, wall, said
    try:
        server, wall, said = in_a_network_of_its_own(work)
    finally:
        s.close()
    assert set(server.values()) == {220, 554}, server
    assert wall == {client: None if code == 554 else code for client, code in server.items()}
    assert "# connections allow name *.example.net:" in said["named"] and said["named"].count("# connections") == 1 and "# connections" not in said["listed"]
    closed = {client for client, code in wall.items() if code is None}
    assert closed == {
        ("listed", "127.66.2.2"), ("listed", "127.5.1.1"), ("listed", "127.5.6.7"), ("listed", "::1"), ("listed", "2001:db8:66::1"), ("listed", "2001:db8:67::1"), ("listed", "2001:db8:5::1"),
        ("single", "127.66.2.2"), ("mx", "127.66.2.2"), ("submission", "127.66.2.2"), ("submission", "127.67.1.1"),
        ("named", "127.5.9.9"), ("devices", "127.7.0.20"), ("devices", "127.0.0.1"), ("behind", "127.66.2.2")}

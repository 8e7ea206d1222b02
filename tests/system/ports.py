"""ports.py - ports for servers that cannot be told to take any and say which."""
import random
import socket

# Below what Linux gives to connections (net.ipv4.ip_local_port_range, 32768 and up), so that none of theirs
# takes a server's port while it is down; twice this range lies below as well, for the bus of a Redis cluster.
LOWEST, HIGHEST = 12000, 21999


def taken(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port(also=0):
    """A port nobody listens on, and, for clusters, neither on the one so much above."""
    for _ in range(1000):
        port = random.randint(LOWEST, HIGHEST)
        if not taken(port) and not (also and taken(port + also)):
            return port
    raise AssertionError(f"no free port between {LOWEST} and {HIGHEST}")

"""Ports of the loopback for servers that are told theirs.

keep() gives a socket that is bound to a free port and never listens. As long as it is open, Linux gives that port to
nobody who asks for any, not while the server is down either; the server, which names it, may bind it: SO_REUSEADDR is
set here, and servers set it.
"""
import socket


def keep():
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


def number(kept):
    return kept.getsockname()[1]

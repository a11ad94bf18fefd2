"""Name resolution for clients on this machine: the edge's name becomes the loopback address."""

import socket

_resolved = socket.getaddrinfo


def _here(_host, *how, **more):
    return _resolved("127.0.0.1", *how, **more)


socket.getaddrinfo = _here

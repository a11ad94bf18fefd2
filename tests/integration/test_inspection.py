"""Reports of nginx_info about the files of a host."""

from __future__ import annotations

import hashlib

from tests.support.container import Container
from tests.support.releases import NEWEST

CONFIGURATION = """
server {
    listen [::]:443 ssl ipv6only=on; # managed by Certbot
    listen 443 ssl; listen 443 quic reuseport; listen *:81 bind; listen 0.0.0.0:82 backlog=5;
    listen [::1] reuseport; listen localhost deferred; listen 80 default_server; listen unix:/run/x.sock backlog=7;
}
"""

PROGRAM, TEXT = "/tmp/a-program", "/tmp/a-text"


def told(container: Container) -> list[str]:
    """Return the report about the two files."""
    return list(container.module("nginx_info", {"files": [PROGRAM, TEXT]})["files"].values())


@NEWEST
def test_a_file_with_another_mode_or_owner_counts_as_none(sealed: Container) -> None:
    texts = {PROGRAM: "#!/bin/sh\n", TEXT: "text\n"}
    sealed.write(texts)
    sealed.shell(f"chmod 755 {PROGRAM}; chmod 644 {TEXT}")
    assert told(sealed) == [hashlib.sha256(text.encode()).hexdigest() for text in texts.values()]
    # The program is not executable, and the text is.
    sealed.shell(f"chmod 644 {PROGRAM}; chmod 755 {TEXT}")
    assert told(sealed) == ["", ""]
    sealed.shell(f"chmod 755 {PROGRAM}; chmod 644 {TEXT}; chown nobody {PROGRAM} {TEXT}")
    assert told(sealed) == ["", ""]
    sealed.shell(f"rm {PROGRAM} {TEXT}")


@NEWEST
def test_sockets_to_which_other_files_give_options_are_told(sealed: Container) -> None:
    sealed.restore()
    sealed.write({"/etc/nginx/conf.d/shop.conf": CONFIGURATION, "/etc/nginx/conf.d/shop.conf.bak": "listen 90 bind;",
                  "/etc/nginx/sites-available/x": "listen 91 bind;",
                  "/etc/nginx/websocket_proxy/1/site-a.conf": "listen 93 bind;", "/etc/nginx/mmdb": "\0\1" * 1000})
    told = sealed.module("nginx_info", {})
    assert told["underscores_in_headers"] is False
    assert {socket: words.partition(": ")[2] for socket, words in told["listen_options"].items()} == {
        "[::]:443": "listen [::]:443 ssl ipv6only=on", "81": "listen *:81 bind", "82": "listen 0.0.0.0:82 backlog=5",
        "[::1]:80": "listen [::1] reuseport", "localhost:80": "listen localhost deferred",
        "unix:/run/x.sock:80": "listen unix:/run/x.sock backlog=7"}
    sealed.restore()

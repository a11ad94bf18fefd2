"""The proxies that the benchmarks compare in front of the same backend, each without TLS and with it.

They are the recipe as users paste it into Debian's nginx, the role's files for the recipe's inventory, HAProxy and
Caddy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.compiling import compiled
from tests.support.edge import CERTIFICATES, rendered
from tests.support.pki import Authority

HERE = Path(__file__).parent
ECHO_SERVICE = HERE.parents[1] / "roles/websocket_echo/files"
NGINX = ["nginx", "-g", "daemon off;"]
PAIR = Authority("bench").issue("example.com")
CERTIFICATE, KEY, BOTH = "/etc/ssl/bench.pem", "/etc/ssl/bench.key", "/etc/ssl/bench.both.pem"
PLAIN, TLS = "plain", "tls"

Served = dict[str, dict[str, Any]]


def _variants(plain: Mapping[str, str], tls: Mapping[str, str], command: list[str]) -> Served:
    """Return both variants of a proxy, without TLS and with it, as files and the command that runs them."""
    own = {CERTIFICATE: PAIR.certificate, KEY: PAIR.key, BOTH: PAIR.certificate + PAIR.key}
    return {PLAIN: {"files": dict(plain), "command": command, "port": 80},
            TLS: {"files": {**own, **tls}, "command": command, "port": 443}}


def recipe(nginx_conf: str) -> Served:
    """Return the recipe with Debian's own NGINX_CONF.

    Two limits are raised, because with Debian's values nginx stops at 384 sockets.
    """
    assert "worker_connections 768;" in nginx_conf
    main = {"/etc/nginx/nginx.conf": "worker_rlimit_nofile 32768;\n" + nginx_conf.replace(
        "worker_connections 768;", "worker_connections 16384;")}
    text = (HERE / "proxies/recipe.conf").read_text()
    tls = text.replace("listen 80;", f"listen 443 ssl;\n    ssl_certificate {CERTIFICATE};\n"
                                     f"    ssl_certificate_key {KEY};")
    return _variants({**main, "/etc/nginx/conf.d/recipe.conf": text}, {**main, "/etc/nginx/conf.d/recipe.conf": tls},
                     NGINX)


def role(found: Mapping[str, Any] | None = None, **site: Any) -> Served:
    """Return the role's files for the recipe's inventory; FOUND has the host's facts, SITE further keys of the site."""
    inventory = {"upstreams": [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}],
                 "sites": [{"server_names": ["example.com"], "upstream": "ws_node", **site}]}
    secure = {**inventory, "sites": [{**inventory["sites"][0], "tls": {
        "certificate": CERTIFICATE, "certificate_key": KEY}}]}
    tls = rendered(compiled(secure, found))
    # An old nginx shows a generated certificate to clients that name no site.
    made = {path for text in tls.values() for path in re.findall(rf"{CERTIFICATES}/[^;\s]+", text)}
    return _variants(rendered(compiled(inventory, found)),
                     {**tls, **{path: PAIR.key if path.endswith(".key") else PAIR.certificate for path in made}}, NGINX)


def haproxy() -> Served:
    """Return HAProxy with the recipe's timeouts."""
    path, text = "/etc/haproxy/haproxy.cfg", (HERE / "proxies/haproxy.cfg").read_text()
    return _variants({path: text}, {path: text.replace("bind :80", f"bind :443 ssl crt {BOTH}")},
                     ["haproxy", "-db", "-q", "-f", path])


def caddy() -> Served:
    """Return Caddy, configured as its documentation shows a reverse proxy."""
    path, text = "/etc/caddy/Caddyfile", (HERE / "proxies/Caddyfile").read_text()
    tls = text.replace("http:// {\n", f"https://example.com {{\n\ttls {CERTIFICATE} {KEY}\n")
    return _variants({path: text}, {path: tls}, ["caddy", "run", "--config", path, "--adapter", "caddyfile"])

"""Whole inventories that hypothesis makes from all keys: most are valid, and some are not."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import fastcgi
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.locations import PURPOSES
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import time_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.nginx_variables import NAMES
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import INHERITED
from tests.support.key_examples import EXAMPLES


@dataclass
class Example:
    """The variables of an edge, without their prefix, and the inventory around it."""

    variables: dict[str, Any]
    groups: dict[str, list[str]]
    hostvars: dict[str, dict[str, Any]]


def is_duration(value: object) -> bool:
    """Return whether the model accepts a value as a time."""
    try:
        time_values.duration(value)
    except Refused:
        return False
    return True


Strategies = dict[str, st.SearchStrategy[Any]]


def whole(level: str, drawn: Strategies, *elsewhere: str) -> Strategies:
    """Add the examples of all missing keys to the strategies for a level, so that a new key is tried at once.

    Keys that are drawn ELSEWHERE, or that need other keys beside them, are omitted.
    """
    return {**{key: st.just(value) for key, value in EXAMPLES[level].items()
               if key not in elsewhere and not isinstance(value, tuple)}, **drawn}


LETTERS = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_"
WORD = st.text(st.sampled_from(LETTERS), min_size=1, max_size=12)
NAME = st.builds(str.__add__, WORD, st.text(st.sampled_from(LETTERS + ".-"), max_size=20))
LABEL = st.text(st.sampled_from("abcxyz019_"), min_size=1, max_size=20)
HOST = st.builds("{}{}".format, st.sampled_from(["", "", "*."]),
                 st.lists(LABEL, min_size=1, max_size=4).map(".".join)) | st.just("[2001:db8::1]")
PORT = st.integers(1, 65535)
SERVER = (st.builds("127.0.0.{}:{}".format, st.integers(1, 254), PORT) | st.builds("[::1]:{}".format, PORT)
          | st.builds("localhost:{}".format, PORT) | st.builds("unix:/run/{}/{}.sock".format, WORD, WORD))
LISTEN = PORT | PORT.map(str) | st.builds("127.0.0.{}:{}".format, st.integers(1, 254), PORT) | st.builds(
    "*:{}".format, PORT) | st.builds("unix:/run/{}.sock".format, WORD)
TIME = (st.integers(1, 315360000) | st.builds("{}{}".format, st.integers(1, 9), st.sampled_from(
    ["ms", "s", "m", "h", "d", "w", "M", "y", ""]))).filter(is_duration)
SEGMENT = st.text(st.sampled_from(LETTERS + "~!&'()*+,=:@-"), min_size=1, max_size=12)
PATH = st.builds("/{}{}".format, st.lists(SEGMENT, max_size=4).map("/".join), st.sampled_from(["", ".x"]))
DECODED = {"uri", "document_uri", "request_filename", "request_body", "remote_user", "ssl_server_name",
           "ssl_client_raw_cert"}
VALUE = (st.text(st.sampled_from("abc \"'\\;{}#=%,"), min_size=1, max_size=30).map(str.strip).filter(bool)
         | st.sampled_from(sorted(NAMES - DECODED)).map("a ${{{}}};".format) | st.integers(0, 10**9) | st.none())
RESERVED = {"server", "date", "upgrade", "connection", "host", "content-length", "transfer-encoding", "content-type",
            "sec-websocket-accept"}
HEADERS = st.lists(NAME.filter(lambda name: name[0] != "_" and name.lower() not in RESERVED), max_size=8,
                   unique_by=str.lower).flatmap(
    lambda names: st.fixed_dictionaries(dict.fromkeys(names, VALUE)))
SIZE = st.builds("{}{}".format, st.integers(4, 512), st.sampled_from("kK"))
TEXT = st.sampled_from(["", "# nothing\n", "limit_rate 5k;", "if ($arg_x) {\n    return 404;\n}"])
# OWN has the keys for every answer. OPTIONAL adds the keys that only requests to an upstream need.
OWN: Strategies = {
    "response_headers": HEADERS, "client_max_body_size": SIZE | st.just(0), "client_body_timeout": TIME,
    "client_send_timeout": TIME, "keepalive_timeout": TIME | st.just(0), "gzip": st.booleans(),
    "access_log": st.sampled_from(["off", "/var/log/nginx/x.log"]),
    "access_log_format": st.sampled_from(["combined", "websocket"]), "maintenance": st.booleans(),
}
OPTIONAL = whole("inherited", {
    **OWN, "host": st.sampled_from(["$websocket_proxy_host", "$host", "$http_host"]) | LABEL,
    "buffering": st.booleans(), "buffer_size": SIZE,
    "proxy_redirect": st.sampled_from(["default", "off", {"http://": "https://"}, {"/": "/x/", "a;b": "c{$host}"}]),
    "read_timeout": TIME, "send_timeout": TIME, "connect_timeout": TIME, "request_headers": HEADERS,
    "next_upstream": st.lists(st.sampled_from(INHERITED["next_upstream"].choices), unique=True),
    "next_upstream_tries": st.integers(0, 1000), "next_upstream_timeout": TIME | st.just(0),
})
OWN = {key: strategy for key, strategy in OPTIONAL.items() if key not in PURPOSES["upstream"]}

EXPRESSION = st.sampled_from(["^/a", "\\.php$", "^/(a|b){1,2}[;{}\" ]", "x y", "#"])
BODY = st.text(st.sampled_from("ab $\"\\;{}#\n\t'ü"), max_size=40)
PURPOSE = st.one_of(
    st.fixed_dictionaries({"root": st.sampled_from(["/srv", "/srv/a.b/"])}, optional={
        "try_files": st.sampled_from([["$uri", "=404"], ["$uri", "$uri/", "/index.html"], ["$uri.html", "/x"]])}),
    st.fixed_dictionaries({"fastcgi": st.fixed_dictionaries(
        {"server": SERVER, "root": st.sampled_from(["/srv", "/srv/a.b/"])},
        optional={"script": st.sampled_from(["index.php", "/a/b.php"])})}, optional={
            **{key: OPTIONAL[key] for key in fastcgi.KEYS - {"buffers"}}}),
    st.fixed_dictionaries({"redirect": st.fixed_dictionaries(
        {"to": st.sampled_from(["/x", "https://$host$request_uri", "/a b;c?d", "http://x.y/\""])},
        optional={"status": st.sampled_from([301, 302, 307, 308])})}),
    st.fixed_dictionaries({"respond": st.fixed_dictionaries({}, optional={
        "status": st.sampled_from([200, 204, 404, 599]), "body": BODY,
        "content_type": st.sampled_from(["text/plain", 'a/b; c="d"', "text/html; charset=utf-8"])})}))
PROXIES = st.sampled_from(["unix:", "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"])
SECONDS = st.integers(1, 100000) | st.builds("{}{}".format, st.integers(1, 9), st.sampled_from("smhd"))
RARELY = st.sampled_from([False] * 4 + [True])
OPTIONS = whole("server", {
    "weight": st.integers(1, 256), "max_conns": st.integers(0, 2000), "max_fails": st.integers(0, 1000000),
    "fail_timeout": SECONDS, "backup": RARELY, "down": st.booleans()}, "address")
VARIABLE = st.sampled_from(sorted(NAMES)).map("${{{}}}".format) | st.builds(
    "${}{}".format, st.sampled_from(["arg_", "cookie_", "http_"]), WORD)
ODD = st.text(st.sampled_from("ab;{}'\\\""))
COOKIE = st.text(st.sampled_from("abc_019"), min_size=1, max_size=8).map("c{}".format)
METHOD = st.sampled_from(["round_robin", "round_robin", "least_conn", "ip_hash", "random"]) | st.fixed_dictionaries(
    {"hash": st.fixed_dictionaries({"key": st.builds(str.__add__, VARIABLE, ODD)}, optional={
        "consistent": st.booleans()})}) | st.fixed_dictionaries(
    {"sticky": st.fixed_dictionaries({"cookie": COOKIE}, optional={
        "expires": SECONDS, "domain": HOST.filter(lambda host: host[0] not in "*["), "path": PATH,
        "httponly": st.booleans(), "secure": st.booleans(), "samesite": st.sampled_from(["strict", "lax", "none"])})}
) | st.just({"random": {"two": "least_conn"}})
# The host names are addresses, so that nginx can resolve them.
GROUPS = {"chat": ["192.0.2.1", "192.0.2.2", "192.0.2.10"], "single": ["192.0.2.1"], "empty": []}
UPSTREAM = whole("upstream", {
    "load_balancing": METHOD, "keepalive": st.integers(0, 1000), "keepalive_requests": st.integers(1, 10**9),
    "keepalive_timeout": TIME, "keepalive_time": TIME, "group": st.sampled_from(sorted(GROUPS)), "port": PORT,
    "allow_empty": st.booleans(), "resolve": RARELY,
    "proxy_bind": st.lists(st.integers(1, 254).map("127.0.0.{}".format), max_size=20, unique=True)}, "name", "servers")
# These files exist wherever the tests try these inventories.
CERTIFICATE = {"certificate": "/etc/ssl/tests/any.pem", "certificate_key": "/etc/ssl/tests/any.key"}
NO_ADDRESS = HOST.filter(lambda host: host[0] not in "*[0123456789")
UPSTREAM["tls"] = st.fixed_dictionaries({"server_name": NO_ADDRESS}, optional={
    "verify": st.booleans(), "ca": st.just(CERTIFICATE["certificate"])})
TLS = whole("tls", {
    "redirect": st.sampled_from([False, 301, 302, 307, 308]), "ssl_buffer_size": st.sampled_from(["1k", "4k", "16k"]),
    "hsts": st.fixed_dictionaries({}, optional={"max_age": SECONDS, "include_subdomains": st.booleans()}),
    "client_certificate": st.fixed_dictionaries({"ca": st.just(CERTIFICATE["certificate"])}, optional={
        "verify": st.sampled_from(["on", True, "optional"]), "depth": st.integers(1, 10)})},
    *CERTIFICATE, "profile", "http2", "redirect_listen")
# The keys of valid upstreams, because few sets of keys that are drawn at random are valid.
SOUND = [{"servers"}, {"servers", "load_balancing"}, {"servers", "keepalive", "keepalive_requests"},
         {"group", "port"}, {"group", "port", "allow_empty", "load_balancing"}, {"servers", "proxy_bind"},
         {"servers", "tls"}]
JUNK = st.sampled_from([None, True, -1, 0, 5, 70000, 1.5, "", " ", "a;b", "a{", "$", "$nothing", "x" * 300, "a\nb", "ü",
                        "30 sec", "@generation@", [], ["a"], [5], {}, {"a": 1}, {"name": "x"}])


def steps(value: Any) -> list[tuple[Any, Any]]:
    """Return every place inside a value, as the list or mapping that holds it and its index or key there."""
    inside = list(value.items()) if isinstance(value, dict) else []
    inside += enumerate(value) if isinstance(value, list) else []
    return [(value, key) for key, _item in inside] + [place for _key, item in inside for place in steps(item)]


def fitting(location: dict[str, Any]) -> dict[str, Any]:
    """Return a LOCATION without keys that the model refuses there, because most inventories would have one."""
    unfit = {"allow", "deny", "auth", "limits"} if location.keys() & {"redirect", "respond"} else set()
    if location.get("separate_live") is False or "upstream" not in location:
        unfit.add("limits")
    return {key: value for key, value in location.items() if key not in unfit}


@st.composite
def upstreams(draw: st.DrawFn, label: str) -> dict[str, Any]:
    """Draw an upstream."""
    keys = draw(st.sampled_from(SOUND))
    family = draw(st.sampled_from(["127.", "["]))
    address = SERVER.filter(lambda server: server.startswith(family)) if "proxy_bind" in keys else SERVER
    servers = st.lists(address | st.fixed_dictionaries({"address": address}, optional=OPTIONS), min_size=1, max_size=4,
                       unique_by=lambda one: one["address"] if isinstance(one, dict) else one)
    if draw(RARELY):
        return {"name": label, **draw(st.fixed_dictionaries({}, optional={"servers": servers, **UPSTREAM}))}
    found = draw(st.fixed_dictionaries({key: servers if key == "servers" else UPSTREAM[key] for key in sorted(keys)}))
    if "proxy_bind" in keys and family == "[":
        found["proxy_bind"] = [f"[2001:db8::{number}]" for number in range(len(found["proxy_bind"]))]
    return {"name": label, **found}


@st.composite
def inventories(draw: st.DrawFn) -> Example:
    """Draw an inventory; afterwards, one in five is changed in one place."""
    labels = draw(st.lists(NAME, min_size=1, max_size=5, unique_by=str.lower))
    location_keys = {"path", "match", "upstream", "expires", "extra_config"}
    proxied = st.fixed_dictionaries({"upstream": st.sampled_from(labels)}, optional={
        **OPTIONAL, **whole("location", {"websocket_only": st.booleans(), "rewrite_to": PATH}, *location_keys)})
    stripped = st.fixed_dictionaries({"upstream": st.sampled_from(labels), "strip_prefix": st.just(True),
                                      "path": PATH.filter(lambda path: "." not in path).map(
                                          lambda path: f"{path.rstrip('/')}/")})
    place = st.fixed_dictionaries({"path": PATH}, optional={"match": st.sampled_from(["prefix", "exact"])}) \
        | st.fixed_dictionaries({"path": EXPRESSION, "match": st.just("regex")})
    keys = st.fixed_dictionaries({}, optional={
        **OWN, "expires": st.sampled_from(["1h", "max", "epoch", "off"]), "extra_config": TEXT})
    location = st.builds(lambda *parts: fitting({key: value for part in parts for key, value in part.items()}),
                         place, keys, proxied | proxied | PURPOSE) | stripped
    sites = []
    names = draw(st.lists(HOST, min_size=1, max_size=6, unique=True))
    # These keys belong to the socket, which many sites share.
    common = draw(st.fixed_dictionaries({}, optional={
        "profile": st.sampled_from(["intermediate", "modern"]), "http2": st.booleans()}))
    for number, name in enumerate(names):
        given = draw(st.fixed_dictionaries(
            {"locations": st.lists(location, min_size=1, max_size=4, unique_by=lambda one: one["path"].rstrip("/"))},
            optional={**OPTIONAL, **whole("site", {
                "extra_config": TEXT, "trusted_proxies": st.lists(PROXIES, unique=True),
                "other_upgrades": st.sampled_from(["ignore", "reject"]),
                "dot_segments": st.sampled_from(["refuse", "pass"]),
                "listen": st.lists(LISTEN, min_size=1, max_size=3,
                                   unique_by=lambda one: str(one).rpartition(":")[2])},
                "name", "server_names", "tls", "upstream", "locations")}))
        if draw(st.booleans()) and name[0] not in "[0123456789":
            given["tls"] = {**common, **CERTIFICATE, **draw(st.fixed_dictionaries({}, optional=TLS))}
        names_ = [name, *([{"regex": "^a{2}[;#]$"}] if draw(RARELY) else [])]
        sites.append({"name": f"{number}{draw(NAME)}", "server_names": names_, **given})
    connections = draw(st.integers(64, 1048576))
    variables = {"upstreams": [draw(upstreams(label)) for label in labels], "sites": sites,
                 "resolver": draw(st.sampled_from([["127.0.0.1"], ["::1", "10.0.0.1:5353"], []])),
                 "site_defaults": draw(st.fixed_dictionaries({}, optional=OPTIONAL)),
                 "extra_config": draw(st.sampled_from(["", "map $arg_x $their_map {\n    default 1;\n}"])),
                 "worker_connections": connections, "worker_rlimit_nofile": connections + draw(st.integers(0, 1000)),
                 "worker_processes": draw(st.just("auto") | st.integers(1, 1024)),
                 "worker_shutdown_timeout": draw(TIME | st.just(0))}
    hosts = {}
    for number, host in enumerate(GROUPS["chat"], 1):
        told = {"address": f"[2001:db8::{number}]:{draw(PORT)}", **draw(st.fixed_dictionaries({}, optional=OPTIONS))}
        hosts[host] = draw(st.sampled_from([{"ansible_host": f"10.0.0.{number}"}, {"websocket_proxy_server": told}]))
    example = Example(copy.deepcopy(variables), GROUPS, hosts)
    if draw(RARELY):
        places = steps(draw(st.sampled_from([example.variables, example.hostvars["192.0.2.1"]])))
        holder, key = draw(st.sampled_from(places))
        holder[key] = draw(JUNK)
    return example

"""The server that each connection goes to, on every nginx, with real connections to several backends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from tests.support.backends import Backend, numbered
from tests.support.client import HANDSHAKE, Answer, Client, get, head_of
from tests.support.edge import Edge
from tests.support.ports import free_address, free_port
from tests.support.releases import EVERY
from tests.support.waiting import wait_until

pytestmark = EVERY

SERVERS = 3
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Setup:
    """An edge in front of three backends; WebSockets stay open until the test ends."""

    edge: Edge
    address: str
    backends: list[Backend]
    stack: contextlib.ExitStack
    sockets: list[tuple[int, Client]] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        """The backends' addresses."""
        return [backend.address for backend in self.backends]

    def serve(self, *servers: Any, workers: int = 1, site: Mapping[str, Any] | None = None, **upstream: Any) -> None:
        """Serve one upstream with the backends or other SERVERS; reload nginx if it already serves something."""
        variables = {"worker_processes": workers,
                     "upstreams": [{"name": "u", "servers": list(servers) or self.addresses, **upstream}],
                     "sites": [{"server_names": ["a"], "listen": [self.address], "upstream": "u", **(site or {})}]}
        if self.edge.workers():
            self.edge.reload(variables)
        else:
            self.edge.start(variables)

    def handshake(self, path: str = "/", cookie: str = "", source: str = "") -> Answer:
        """Send a handshake; keep the WebSocket if it opens."""
        client = self.stack.enter_context(Client(self.address, source=source))
        cookies = [("Cookie", cookie)] if cookie else []
        answer = client.ask("a", path, [*cookies, ("Upgrade", "websocket"), *HANDSHAKE])
        if answer.status == 101:
            self.sockets.append((int(answer.headers["x-server"]), client))
        return answer

    def opened(self, **how: Any) -> int:
        """Open a WebSocket; return the number of its server."""
        assert self.handshake(**how).status == 101
        return self.sockets[-1][0]

    def spread(self, count: int, **how: Any) -> list[int]:
        """Open COUNT WebSockets; return how many of them each server has."""
        found = Counter(self.opened(**how) for _socket in range(count))
        return [found[number] for number in range(SERVERS)]

    def close(self, *servers: int) -> None:
        """Close the WebSockets of some servers; wait until the edge has closed its connections to them."""
        for number, client in self.sockets:
            if number in servers:
                client.socket.close()
        self.sockets = [one for one in self.sockets if one[0] not in servers]
        wait_until(lambda: not any(self.backends[number].open for number in servers))


@pytest.fixture(name="setup")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Provide the backends; nothing is served yet."""
    backends = [numbered(number) for number in range(SERVERS)]
    with contextlib.ExitStack() as stack:
        yield Setup(serving, free_address(), backends, stack)
    serving.stop()
    for backend in backends:
        backend.close()


def refusing() -> str:
    """Return an address at which nothing listens."""
    return free_address()


def silent() -> Backend:
    """Return a backend that takes every request and never answers it; it closes when its peer closes."""
    def serve(backend: Backend, connection: Any) -> None:
        backend.heads.append(head_of(connection))
        while connection.recv(65536):
            pass

    return Backend(serve)


def unavailable() -> Backend:
    """Return a backend that answers 503."""
    def serve(backend: Backend, connection: Any) -> None:
        backend.heads.append(head_of(connection))
        connection.sendall(UNAVAILABLE)

    return Backend(serve)


# --- load balancing methods


def test_servers_are_taken_in_turn_by_all_workers_together(setup: Setup) -> None:
    setup.serve(workers=2)
    taken = []
    for worker in setup.edge.workers():
        with setup.edge.only(worker):
            taken += [setup.opened(), setup.opened()]
    assert taken == [0, 1, 2, 0]


def test_a_weight_is_a_part_of_the_connections(setup: Setup) -> None:
    first, *others = setup.addresses
    setup.serve({"address": first, "weight": 4}, *others)
    assert setup.spread(30) == [20, 5, 5]


def test_least_conn_takes_the_server_with_the_fewest_websockets(setup: Setup) -> None:
    setup.serve(load_balancing="least_conn", workers=2)
    for worker in setup.edge.workers():
        with setup.edge.only(worker):
            setup.spread(6)
    assert sorted(Counter(number for number, _client in setup.sockets).values()) == [4, 4, 4]
    setup.close(1)
    assert setup.spread(4) == [0, 4, 0]


def test_a_reload_has_least_conn_and_max_conns_count_anew(setup: Setup) -> None:
    setup.serve(load_balancing="least_conn")
    setup.spread(3)
    setup.close(1)
    setup.serve(load_balancing="least_conn", site={"read_timeout": "2h"})
    assert setup.spread(6) == [2, 2, 2]
    limited = [{"address": address, "max_conns": 1} for address in setup.addresses]
    for time_out in ("1h", "2h"):
        setup.serve(*limited, site={"read_timeout": time_out})
        assert setup.spread(3) == [1, 1, 1]
        assert setup.handshake().status == 502


def test_ip_hash_keeps_a_network_of_clients_at_one_server(setup: Setup) -> None:
    setup.serve(load_balancing="ip_hash")
    servers = {network: {setup.opened(source=f"127.{network}.7.{host}") for host in (1, 2, 3)}
               for network in range(1, 25)}
    assert all(len(found) == 1 for found in servers.values())
    assert set().union(*servers.values()) == {0, 1, 2}


def test_random_takes_any_server(setup: Setup) -> None:
    setup.serve(load_balancing="random")
    assert min(setup.spread(60)) >= 5


def test_of_two_random_servers_the_less_busy_one_is_taken(setup: Setup) -> None:
    setup.serve(load_balancing={"random": {"two": "least_conn"}})
    counts = setup.spread(60)
    assert max(counts) - min(counts) <= 8


def rooms(setup: Setup) -> dict[int, int]:
    """Open a WebSocket for each of many rooms; return their servers."""
    return {room: setup.opened(path=f"/?room={room}") for room in range(60)}


def test_a_hash_keeps_a_key_at_one_server_and_moves_no_other_when_a_server_goes(setup: Setup) -> None:
    setup.serve(load_balancing={"hash": {"key": "$arg_room"}})
    before = rooms(setup)
    assert rooms(setup) == before
    assert min(Counter(before.values()).values()) >= 5 and len(set(before.values())) == SERVERS
    setup.serve(*setup.addresses[:2], load_balancing={"hash": {"key": "$arg_room"}})
    after = rooms(setup)
    assert {room for room in before if before[room] != after[room]} == {
        room for room in before if before[room] == 2}


def test_a_hash_that_is_not_consistent_moves_nearly_all(setup: Setup) -> None:
    setup.serve(load_balancing={"hash": {"key": "$arg_room", "consistent": False}})
    before = rooms(setup)
    assert rooms(setup) == before
    setup.serve(*setup.addresses[:2], load_balancing={"hash": {"key": "$arg_room", "consistent": False}})
    after = rooms(setup)
    assert sum(before[room] != after[room] for room in before if before[room] != 2) >= 10


def test_an_empty_key_takes_the_servers_in_turn(setup: Setup) -> None:
    setup.serve(load_balancing={"hash": {"key": "$arg_room"}})
    assert setup.spread(30) == [10, 10, 10]


# --- sticky


def sticky(**more: Any) -> dict[str, Any]:
    """Return load balancing by the cookie ``route``."""
    return {"load_balancing": {"sticky": {"cookie": "route", **more}}}


def test_a_cookie_keeps_a_client_at_its_server_across_reloads(setup: Setup) -> None:
    setup.serve(**sticky(), workers=2)
    clients = []
    for _client in range(45):
        answer = setup.handshake()
        clients.append((answer.headers["set-cookie"].split(";")[0], int(answer.headers["x-server"])))
    counts = Counter(server for _cookie, server in clients)
    assert min(counts.values()) >= 4 and len(counts) == SERVERS
    for _reload in range(2):
        for cookie, server in clients:
            answer = setup.handshake(cookie=f"theme=dark; {cookie}")
            # nginx's own method sets the same cookie again and again.
            assert answer.headers.get("set-cookie", cookie).startswith(cookie)
            assert int(answer.headers["x-server"]) == server
        setup.serve(**sticky(), workers=1)


def test_a_plain_request_gets_and_keeps_the_cookie_as_well(setup: Setup) -> None:
    setup.serve(**sticky())
    for _client in range(6):
        answer = get(setup.address, "a", "/")
        cookie = answer.headers["set-cookie"].split(";")[0]
        assert setup.opened(cookie=cookie) == int(answer.headers["x-server"])


def test_the_cookie_has_the_attributes_that_the_inventory_says(setup: Setup) -> None:
    def attributes(**said: Any) -> set[str]:
        setup.serve(**sticky(**said))
        name, *rest = (part.strip() for part in setup.handshake().headers["set-cookie"].split(";"))
        assert name.startswith("route=")
        # nginx's own method sets the expiry a second time, as a date.
        return {part.lower() for part in rest if not part.lower().startswith("expires=")}

    assert attributes() == {"path=/", "httponly", "samesite=lax"}
    assert attributes(expires="1h", domain="example.com", path="/app", httponly=False, secure=True,
                      samesite="none") == {
        "max-age=3600", "domain=example.com", "path=/app", "secure", "samesite=none"}


def test_a_sticky_client_whose_server_is_gone_gets_another(setup: Setup) -> None:
    setup.serve(setup.addresses[0], refusing(), **sticky())
    answers = [setup.handshake() for _client in range(10)]
    assert {answer.status for answer in answers} == {101}
    assert setup.opened(cookie="route=made-up") == 0


# --- settings of servers


def test_max_conns_holds_for_all_workers_together(setup: Setup) -> None:
    setup.serve(*({"address": address, "max_conns": 2} for address in setup.addresses), workers=2)
    first, second = setup.edge.workers()
    with setup.edge.only(first):
        assert sum(setup.spread(3)) == 3
    with setup.edge.only(second):
        assert sum(setup.spread(3)) == 3
        assert setup.handshake().status == 502
    with setup.edge.only(first):
        assert setup.handshake().status == 502
    setup.close(1)
    assert setup.spread(2) == [0, 2, 0]
    assert setup.handshake().status == 502


def test_a_failure_counts_once_for_all_workers(setup: Setup) -> None:
    failing = Backend(lambda _backend, _connection: None)
    setup.serve(failing.address, *setup.addresses, workers=2)
    for worker in setup.edge.workers():
        with setup.edge.only(worker):
            setup.spread(8)
    assert failing.connections == 1
    failing.close()


def test_a_server_may_fail_as_often_as_max_fails_says_and_comes_back_after_fail_timeout(setup: Setup) -> None:
    failing = Backend(lambda _backend, _connection: None)
    setup.serve({"address": failing.address, "max_fails": 3, "fail_timeout": "3s"}, setup.addresses[0])
    setup.spread(12)
    assert failing.connections == 3
    # nginx compares whole seconds.
    time.sleep(4.1)
    setup.spread(6)
    assert failing.connections == 4
    failing.close()


def test_a_backup_gets_connections_only_when_no_other_server_does(setup: Setup) -> None:
    backup = {"address": setup.addresses[2], "backup": True}
    setup.serve(*setup.addresses[:2], backup)
    assert setup.spread(10) == [5, 5, 0]
    setup.serve(refusing(), backup)
    assert setup.spread(10) == [0, 0, 10]


@pytest.mark.parametrize("balancing", ["round_robin", "least_conn", "ip_hash", "random",
                                       {"hash": {"key": "$arg_room"}}, {"sticky": {"cookie": "route"}}], ids=str)
def test_a_server_that_is_down_keeps_its_websockets_and_gets_no_new_one(setup: Setup, balancing: Any) -> None:
    setup.serve(load_balancing=balancing)
    for number in range(24):
        setup.opened(path=f"/?room={number}", source=f"127.{number}.7.1")
    kept = [client for number, client in setup.sockets if number == 0]
    assert kept
    setup.serve({"address": setup.addresses[0], "down": True}, *setup.addresses[1:], load_balancing=balancing)
    new = {setup.opened(path=f"/?room={number}", source=f"127.{number}.7.1") for number in range(24)}
    assert new == {1, 2}
    for client in kept:
        client.exchange(b"still here", b"still here")
    setup.serve(load_balancing=balancing)
    assert 0 in {setup.opened(path=f"/?room={number}", source=f"127.{number}.7.1") for number in range(24)}


def test_an_upstream_that_may_be_empty_answers_503(setup: Setup) -> None:
    setup.edge.start({"upstreams": [{"name": "u", "group": "nobody", "allow_empty": True}],
                      "sites": [{"server_names": ["a"], "listen": [setup.address], "upstream": "u"}]})
    assert setup.handshake().status == 503
    assert get(setup.address, "a", "/").status == 503


# --- a handshake that fails goes to the next server


def test_a_server_that_refuses_costs_no_handshake(setup: Setup) -> None:
    setup.serve(refusing(), setup.addresses[0])
    assert setup.spread(10) == [10, 0, 0]


def test_next_upstream_says_what_is_passed_on(setup: Setup) -> None:
    full = unavailable()
    servers = [{"address": full.address, "max_fails": 0}, setup.addresses[0]]
    setup.serve(*servers)
    assert sorted(setup.handshake().status for _try in range(4)) == [101, 101, 503, 503]
    setup.serve(*servers, site={"next_upstream": ["error", "http_503"]})
    assert setup.spread(4) == [4, 0, 0]
    setup.serve(*servers, site={"locations": [{"path": "/own", "upstream": "u", "next_upstream": ["http_503"]}]})
    assert setup.spread(4, path="/own") == [4, 0, 0]
    setup.serve({"address": refusing(), "max_fails": 0}, setup.addresses[0], site={"next_upstream": []})
    assert sorted(setup.handshake().status for _try in range(4)) == [101, 101, 502, 502]
    full.close()


def test_next_upstream_tries_ends_the_passing_on(setup: Setup) -> None:
    servers = [*({"address": refusing(), "max_fails": 0} for _server in range(2)),
               {"address": setup.addresses[0], "backup": True}]
    setup.serve(*servers, site={"next_upstream_tries": 2, "locations": [
        {"path": "/more", "upstream": "u", "next_upstream_tries": 3}]})
    assert setup.handshake().status == 502
    assert setup.opened(path="/more") == 0


def test_next_upstream_timeout_ends_the_passing_on(setup: Setup) -> None:
    hung = silent()
    servers = [{"address": hung.address, "max_fails": 0}, {"address": setup.addresses[0], "backup": True}]
    setup.serve(*servers, site={"live_read_timeout": "500ms"})
    assert setup.opened() == 0
    setup.serve(*servers, site={"live_read_timeout": "500ms", "next_upstream_timeout": "300ms", "locations": [
        {"path": "/longer", "upstream": "u", "next_upstream_timeout": "10s"}]})
    assert setup.handshake().status == 504
    assert setup.opened(path="/longer") == 0
    hung.close()


# --- a handshake that is not answered at all

# Every timeout of nginx for a proxied request, except proxy_read_timeout; add any that you find.
OTHER_TIMES = """
proxy_connect_timeout 1s; proxy_send_timeout 1s; proxy_next_upstream_timeout 1s; send_timeout 1s;
client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s; lingering_time 1s; lingering_timeout 1s;
resolver_timeout 1s; reset_timedout_connection on; proxy_socket_keepalive on; proxy_ignore_client_abort off;
"""


def test_no_other_time_than_read_timeout_ends_a_handshake_that_is_not_answered(setup: Setup) -> None:
    hung, front, inner = silent(), free_address(), free_address()
    upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    setup.edge.start({"allow_no_sites": True}, {"hung.conf": f"""
        upstream hung {{ server {hung.address}; keepalive 4; keepalive_timeout 1s; }}
        upstream inner {{ server {inner}; }}
        server {{ listen {front}; {OTHER_TIMES} {upgrade}
            location / {{ proxy_pass http://hung; proxy_read_timeout 1h; }}
            location /two-hops/ {{ proxy_pass http://inner; proxy_read_timeout 1h; }}
            location /short/ {{ proxy_pass http://hung; proxy_read_timeout 1s; }} }}
        server {{ listen {inner}; {OTHER_TIMES} {upgrade}
            location / {{ proxy_pass http://hung; proxy_read_timeout 1h; }} }}
    """})
    with contextlib.ExitStack() as stack:
        clients = {path: stack.enter_context(Client(front)) for path in ("/", "/two-hops/", "/short/")}
        for path, client in clients.items():
            client.send("a", path, [("Upgrade", "websocket"), *HANDSHAKE])
        assert clients["/short/"].answer().status == 504
        assert clients["/"].stays_open(2) and clients["/two-hops/"].stays_open(0.1)
    hung.close()


def test_the_time_that_ends_such_a_handshake_ends_a_silent_websocket_as_well(setup: Setup) -> None:
    setup.serve(site={"live_read_timeout": "1s"})
    setup.opened()
    ((_number, client),) = setup.sockets
    assert client.seconds_until_closed() > 0.9


def test_live_read_timeout_passes_a_handshake_on_and_leaves_the_server_out_for_the_next(setup: Setup) -> None:
    hung = silent()
    setup.serve(hung.address, setup.addresses[0], site={"live_read_timeout": "1s"})
    assert setup.spread(8) == [8, 0, 0]
    assert len(hung.heads) == 1
    hung.close()


def test_a_plain_request_that_times_out_keeps_handshakes_from_a_server_that_hangs(setup: Setup) -> None:
    hung = silent()
    # The servers take turns, so that the first request goes to this one. Another server then answers the request.
    setup.serve(hung.address, setup.addresses[0], workers=2, site={"read_timeout": "1s"})
    assert {get(setup.address, "a", "/").status for _request in range(2)} == {200}
    assert len(hung.heads) == 1
    assert setup.spread(6) == [6, 0, 0]
    assert len(hung.heads) == 1
    hung.close()


def test_a_client_that_gives_up_frees_the_backend_at_once(setup: Setup) -> None:
    hung = silent()
    setup.serve(hung.address)
    with Client(setup.address) as client:
        client.send("a", "/", [("Upgrade", "websocket"), *HANDSHAKE])
        wait_until(lambda: hung.heads)
        assert hung.open
    wait_until(lambda: not hung.open)
    hung.close()


# --- source addresses, idle connections, names


def test_connections_come_from_all_source_addresses(setup: Setup) -> None:
    sources: list[str] = []

    def serve(backend: Backend, connection: Any) -> None:
        sources.append(connection.getpeername()[0])
        connection.sendall(UNAVAILABLE)

    backend = Backend(serve)
    setup.serve(backend.address, proxy_bind=["127.0.0.11", "127.0.0.12", "127.0.0.13"])
    for _client in range(60):
        assert get(setup.address, "a", "/").status == 503
    counts = Counter(sources)
    assert set(counts) == {"127.0.0.11", "127.0.0.12", "127.0.0.13"} and min(counts.values()) >= 5
    sources.clear()
    setup.serve(backend.address, proxy_bind=["127.0.0.14"])
    assert get(setup.address, "a", "/").status == 503
    assert sources == ["127.0.0.14"]
    backend.close()


@pytest.mark.parametrize("sources", [["2001:db8::7"], ["2001:db8::7", "[2001:db8::8]"]], ids=len)
def test_ipv6_source_addresses_are_tried(setup: Setup, sources: list[str]) -> None:
    # The host has none of these addresses, so nginx fails before it finds that nothing listens there, which would be
    # 502.
    setup.serve(f"[::1]:{free_port()}", proxy_bind=sources)
    assert get(setup.address, "a", "/").status == 500


def test_what_counts_as_a_failure_is_not_all_that_is_passed_on(setup: Setup) -> None:
    # A server that refuses is skipped after one failure, even if no request is passed on.
    setup.serve(refusing(), setup.addresses[0], site={"next_upstream": []})
    assert Counter(setup.handshake().status for _try in range(10)) == {502: 1, 101: 9}
    # A server that answers 404 is never skipped.
    absent = Backend(lambda backend, connection: (
        backend.heads.append(head_of(connection)), connection.sendall(UNAVAILABLE.replace(b"503", b"404"))))
    setup.serve(absent.address, setup.addresses[0], site={"next_upstream": ["http_404"]})
    assert setup.spread(10) == [10, 0, 0]
    assert len(absent.heads) == 5
    absent.close()


@pytest.mark.parametrize(("limits", "pause", "connections"), [
    ({}, 0, 1), ({"keepalive_requests": 2}, 0, 3), ({"keepalive_timeout": "20s"}, 0.3, 1),
    ({"keepalive_timeout": "200ms"}, 0.5, 6)], ids=str)
def test_idle_connections_are_kept_within_their_limits(
        setup: Setup, limits: dict[str, Any], pause: float, connections: int) -> None:
    setup.serve(setup.addresses[0], keepalive=4, **limits)
    for _request in range(6):
        assert get(setup.address, "a", "/").status == 200
        time.sleep(pause)
    assert setup.backends[0].connections == connections


def test_an_idle_connection_is_kept_no_longer_than_keepalive_time(setup: Setup) -> None:
    if setup.edge.nginx_version < (1, 19, 10):
        with pytest.raises(InventoryError, match=r"this needs nginx 1\.19\.10 or newer, and the host has 1\.18\.0"):
            setup.serve(setup.addresses[0], keepalive=4, keepalive_time="500ms")
        return
    setup.serve(setup.addresses[0], keepalive=4, keepalive_time="500ms")
    for _request in range(6):
        assert get(setup.address, "a", "/").status == 200
        time.sleep(0.3)
    # Without the limit, one connection would be enough, as above. A busy machine may need one for each request.
    assert 2 <= setup.backends[0].connections <= 6


def test_a_name_is_looked_up_when_nginx_is_reloaded_and_not_before(setup: Setup) -> None:
    def names(address: str) -> None:
        setup.edge.container.shell("grep -v moving.example /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts; "
                                   f"echo '{address} moving.example' >> /etc/hosts")

    port = setup.addresses[0].rsplit(":", 1)[1]
    names("127.0.0.1")
    setup.serve(f"moving.example:{port}", site={"connect_timeout": "1s"})
    assert setup.opened() == 0
    names("127.0.0.99")
    assert setup.opened() == 0
    setup.serve(f"moving.example:{port}", site={"connect_timeout": "1s"})
    assert setup.handshake().status == 502
    setup.sockets[0][1].exchange(b"still here", b"still here")


def test_many_clients_at_once_are_spread_as_exactly_as_one_after_the_other(setup: Setup) -> None:
    setup.serve(workers=2)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(setup.opened())) for _client in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(found) == {0: 10, 1: 10, 2: 10}

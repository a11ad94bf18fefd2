"""A program behind FastCGI, with Debian's php-fpm: its parameters, its files, and that nothing else ever runs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.client import Answer, Client, get
from tests.support.edge import Edge
from tests.support.http2 import unverified
from tests.support.ports import free_address
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served

SOCKET = "unix:/run/php/tests.sock"
CURRENT = "/srv/laravel/current"
PUBLIC = f"{CURRENT}/public"
INDEX = """<?php
header('Content-Type: application/json');
header('X-Frame-Options: ALLOWALL');
usleep(1000 * (int) ($_GET['wait'] ?? 0));
if (isset($_GET['accel'])) header('X-Accel-Redirect: ' . $_GET['accel']);
if (isset($_GET['large'])) header('X-Large: ' . str_repeat('x', (int) $_GET['large']));
$told = json_encode(['release' => __FILE__, 'server' => $_SERVER, 'get' => $_GET,
                     'body' => strlen(file_get_contents('php://input'))]);
header('Content-Length: ' . strlen($told));
echo $told;
"""
OWNED = "<?php echo 'owned';"
# These files were uploaded by an attacker, whose requests try to run them or to read the source of a program.
UPLOADS = ["x.php", "x.PHP", "x.php74", "x.phtml", "x.phar", "x.pht", "x.phps", "x.inc", "x.php~", "x.php.bak", "x.jpg"]
ASKED = [*UPLOADS[:-1], "x.php/", "x.php/y.jpg", "x.php%20", "x%2ephp", "%78.php", "x.jpg/.php", "x.jpg/y.php",
         "x.jpg%2fy.php", "x.php?/index.php", "./x.php", "x.php;a"]
POOL = """[global]
error_log = /var/log/php-fpm.log
[tests]
user = www-data
group = www-data
listen = {}
listen.owner = www-data
pm = static
pm.max_children = 2
"""


@dataclass
class Setup(Served):
    """An edge with a site for PHP, and php-fpm on a unix socket and an address."""

    php: str

    def start(self, *, fastcgi: dict[str, Any] | None = None, site: dict[str, Any] | None = None,
              **location: Any) -> None:
        """Serve PHP at every path except /app/, which has a WebSocket."""
        self.serve({"server_names": ["a"], **(site or {}), "locations": [
            {"path": "/app/", "upstream": "echo"},
            {"path": "/", "fastcgi": {"server": SOCKET, "root": PUBLIC, **(fastcgi or {})}, **location}]},
            site_defaults={"listen": [self.address]})

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Send a plain request."""
        return get(self.address, "a", path, headers)

    def told(self, path: str, *headers: tuple[str, str], body: bytes | None = None) -> dict[str, Any]:
        """Return the parameters of a request that the program received."""
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request("GET" if body is None else "POST", path, body, {"Host": "a", **dict(headers)})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return dict(json.loads(text))


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Start php-fpm beside nginx: one pool on a unix socket, and one on an address."""
    address = free_address()
    shell = serving.container.shell
    serving.container.write({
        **{f"/srv/laravel/{number}/public/index.php": INDEX for number in (1, 2)},
        **{f"/srv/laravel/1/public/uploads/{name}": OWNED for name in UPLOADS},
        "/srv/laravel/1/public/app.css": "a style", "/srv/laravel/1/public/.env": "a secret",
        "/srv/laravel/1/public/admin/tool.php": INDEX, "/tmp/unix.conf": POOL.format("/run/php/tests.sock"),
        "/tmp/address.conf": POOL.format(address)})
    shell(f"mkdir -p /run/php; chmod -R a+rX /srv; ln -sfn 1 {CURRENT}; for pool in unix address; do "
          "$(ls /usr/sbin/php-fpm*) --fpm-config /tmp/$pool.conf --pid /run/php-$pool.pid --daemonize; done")
    try:
        with Setup.on(serving, php=address) as setup:
            yield setup
    finally:
        shell("kill $(cat /run/php-unix.pid) $(cat /run/php-address.pid)")


@EVERY
def test_what_no_file_has_runs_the_program_with_its_arguments_and_its_body(setup: Setup) -> None:
    setup.start()
    told = setup.told("/rooms/7%2Fb?a=b%26c&d", body=b"x" * 300000)
    assert (told["get"], told["body"]) == ({"a": "b&c", "d": ""}, 300000)
    wanted = {
        "REQUEST_METHOD": "POST", "REQUEST_URI": "/rooms/7%2Fb?a=b%26c&d", "QUERY_STRING": "a=b%26c&d",
        "SCRIPT_NAME": "/index.php", "PHP_SELF": "/index.php", "DOCUMENT_URI": "/index.php", "CONTENT_LENGTH": "300000",
        "SCRIPT_FILENAME": "/srv/laravel/1/public/index.php", "DOCUMENT_ROOT": "/srv/laravel/1/public",
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "nginx", "SERVER_NAME": "a",
        "REQUEST_SCHEME": "http", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "a", "HTTP_X_FORWARDED_PROTO": "http",
        "REDIRECT_STATUS": "200"}
    assert {name: told["server"].get(name) for name in wanted} == wanted
    assert "HTTPS" not in told["server"] and "PATH_INFO" not in told["server"]
    assert setup.told("/")["server"]["REQUEST_URI"] == "/"
    assert setup.told("/index.php?a")["get"] == {"a": ""}
    # Symfony would treat these paths as /rooms.
    assert {setup.get(path).status for path in ("/index.php/rooms", "/index%2ephp/rooms", "/index.phprooms")} == {404}


@EVERY
def test_files_are_sent_and_names_with_a_dot_are_not(setup: Setup) -> None:
    setup.start(expires="1h")
    answer = setup.get("/app.css")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"a style", "text/css")
    assert answer.headers["cache-control"] == "max-age=3600" and "cache-control" not in setup.get("/").headers
    assert {setup.get(path).status for path in ("/.env", "/%2eenv", "/.git/config")} == {404}
    assert setup.told("/.well-known/change-password")["server"]["SCRIPT_NAME"] == "/index.php"


@EVERY
def test_nothing_that_was_uploaded_runs_or_shows_its_text(setup: Setup) -> None:
    for fastcgi in ({}, {"server": setup.php, "root": "/srv/laravel/1/public"}):
        setup.start(fastcgi=fastcgi)
        for path in ASKED:
            answer = setup.get(f"/uploads/{path}")
            assert b"owned" not in answer.body, path
            assert answer.status in (400, 404) or json.loads(answer.body)["server"]["SCRIPT_NAME"] == "/index.php", path
        # A picture that contains a program is served as a picture.
        picture = setup.get("/uploads/x.jpg")
        assert (picture.body, picture.headers["content-type"]) == (OWNED.encode(), "image/jpeg")
        assert setup.get("/uploads/x.jpg%00.php").status == 400
        assert setup.told("/admin/tool.php")["server"]["SCRIPT_NAME"] == "/index.php"


def test_another_script_runs_at_a_location_of_its_own(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "locations": [
        {"path": "/admin/tool.php", "match": "exact",
         "fastcgi": {"server": SOCKET, "root": PUBLIC, "script": "admin/tool.php"}}]})
    told = setup.told("/admin/tool.php?a")
    assert told["release"] == "/srv/laravel/1/public/admin/tool.php"
    assert (told["server"]["SCRIPT_NAME"], told["get"]) == ("/admin/tool.php", {"a": ""})
    assert setup.get("/admin/tool.php/x").status == 404


def test_a_release_runs_from_the_moment_that_its_link_is_there(setup: Setup) -> None:
    setup.start()
    assert setup.told("/")["release"] == "/srv/laravel/1/public/index.php"
    setup.edge.container.shell(f"ln -sfn 2 {CURRENT}.new && mv -T {CURRENT}.new {CURRENT}")
    try:
        assert setup.told("/")["release"] == "/srv/laravel/2/public/index.php"
    finally:
        setup.edge.container.shell(f"ln -sfn 1 {CURRENT}.new && mv -T {CURRENT}.new {CURRENT}")


@EVERY
def test_a_client_says_nothing_that_is_the_proxys_to_say(setup: Setup) -> None:
    forged = [(name, "forged") for name in (
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Original-URL", "Proxy",
        "Remote-User", "X-Real-IP", "X_Forwarded_Host", "X_Real-IP", "X-Own")]
    setup.start(request_headers={"X-Own": "edge", "X-Room": "$arg_room"},
                site={"extra_config": "underscores_in_headers on;"})
    told = setup.told("/?room=5", *forged)["server"]
    assert {name: value for name, value in told.items() if name.startswith("HTTP_X_")} == {
        "HTTP_X_REAL_IP": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_OWN": "edge", "HTTP_X_ROOM": "5"}
    assert not {"HTTP_PROXY", "HTTP_REMOTE_USER"} & told.keys() and "forged" not in told.values()


def test_a_trusted_proxy_says_who_the_client_is_and_that_it_came_with_https(setup: Setup) -> None:
    setup.start(site={"trusted_proxies": ["127.0.0.0/8"]})
    told = setup.told("/", ("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"))["server"]
    assert [told[name] for name in ("REMOTE_ADDR", "HTTPS", "REQUEST_SCHEME", "HTTP_HOST")] == [
        "192.0.2.7", "on", "https", "a"]
    assert "HTTPS" not in setup.told("/", ("X-Forwarded-Proto", "http"))["server"]


@EVERY
def test_a_socket_beside_php_opens_and_php_is_no_tunnel(setup: Setup) -> None:
    setup.start()
    with Client(setup.address) as client:
        assert client.ask("a", "/app/", UPGRADE).status == 101
        client.echo(b"hello")
    for upgrade in ("websocket", "h2c"):
        assert setup.get("/", ("Upgrade", upgrade), *UPGRADE[1:]).status == 200


def test_its_times_sizes_and_headers_are_those_of_its_location(setup: Setup) -> None:
    setup.start(read_timeout="1s", client_max_body_size="1k", response_headers={"X-Frame-Options": "DENY"})
    assert setup.get("/").headers["x-frame-options"] == "DENY"
    assert setup.get("/app.css").headers["x-frame-options"] == "DENY"
    assert setup.get("/?wait=5000").status == 504
    with closing(http.client.HTTPConnection(setup.address, timeout=30)) as connection:
        connection.request("POST", "/", b"x" * 2000, {"Host": "a"})
        assert connection.getresponse().status == 413


def test_a_guard_in_free_text_holds_for_files_and_the_program(setup: Setup) -> None:
    setup.start(extra_config="deny all;")
    assert {setup.get(path).status for path in ("/", "/app.css", "/uploads/x.php")} == {403}
    setup.start(extra_config="auth_basic x; auth_basic_user_file /nowhere;")
    assert {setup.get(path).status for path in ("/", "/app.css")} == {401}


@EVERY
def test_an_if_in_free_text_shows_no_program(setup: Setup) -> None:
    setup.start(extra_config="if ($arg_debug) { rewrite ^/old /new; }")
    for path in ("uploads/x.php", "index.php", "admin/tool.php"):
        assert b"<?php" not in setup.get(f"/{path}?debug=1").body
    assert setup.told("/index.php?debug=1")["get"] == {"debug": "1"}


@EVERY
def test_a_path_that_comes_from_nginx_itself_runs_no_upload(setup: Setup) -> None:
    setup.start(site={"accel_redirect": True,
                      "extra_config": "error_page 410 /uploads/x.php;\nrewrite ^/jump$ /uploads/x.php last;\n"
                                      "location = /gone { return 410; }"})
    for path in ("/gone", "/jump", "/?accel=/uploads/x.php", "/?accel=/uploads/x.php74", "/?accel=/uploads/x.phtml"):
        assert b"owned" not in setup.get(path).body, path
    # X-Accel-Redirect also leads to files, if the site allows it.
    assert setup.get("/?accel=/app.css").body == b"a style"
    setup.start()
    assert setup.told("/?accel=/app.css")["get"] == {"accel": "/app.css"}


@EVERY
def test_a_body_without_a_length_comes_whole(setup: Setup) -> None:
    setup.start()
    with closing(http.client.HTTPConnection(setup.address, timeout=30)) as connection:
        connection.request("POST", "/", iter([b"x" * 70000] * 3), {"Host": "a"}, encode_chunked=True)
        told = json.loads(connection.getresponse().read())
    assert (told["body"], told["server"]["CONTENT_LENGTH"]) == (210000, "210000")


def test_two_programs_of_one_site_have_their_own_parameters(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "locations": [
        {"path": "/", "fastcgi": {"server": SOCKET, "root": PUBLIC}, "request_headers": {"X-Own": "one"}},
        {"path": "/admin/", "fastcgi": {"server": setup.php, "root": "/srv/laravel/1/public",
                                        "script": "admin/tool.php"}}]}, site_defaults={"listen": [setup.address]})
    first, second = (setup.told(path)["server"] for path in ("/x", "/admin/x"))
    assert (first["SCRIPT_NAME"], second["SCRIPT_NAME"]) == ("/index.php", "/admin/tool.php")
    assert first["HTTP_X_OWN"] == "one" and "HTTP_X_OWN" not in second
    assert b"<?php" not in setup.get("/admin/tool.php").body


def test_the_head_of_an_answer_has_the_room_that_is_set(setup: Setup) -> None:
    setup.start()
    assert setup.get("/?large=20000").status == 502
    setup.start(buffer_size="32k", buffers=4)
    assert setup.get("/?large=20000").status == 200


def test_php_is_under_maintenance_with_all_else(setup: Setup) -> None:
    setup.start(maintenance=True)
    assert {setup.get(path).status for path in ("/", "/app.css", "/index.php")} == {503}


@EVERY
def test_php_knows_of_the_edges_own_tls(setup: Setup) -> None:
    setup.start(site={"tls": {"self_signed": True, "redirect": False}})
    with Client(setup.address) as client, unverified(client.socket, "a", "http/1.1") as client.socket:
        told = json.loads(client.ask("a", "/").body)["server"]
    assert [told[name] for name in ("HTTPS", "REQUEST_SCHEME", "HTTP_X_FORWARDED_PROTO")] == ["on", "https", "https"]


@EVERY
def test_php_is_served_beside_a_main_file_of_others(setup: Setup) -> None:
    setup.start()
    model = setup.edge.compiled({"nginx_conf": "drop_in", "upstreams": [], "sites": [
        {"server_names": ["a"], "listen": [setup.address], "locations": [
            {"path": "/", "fastcgi": {"server": SOCKET, "root": PUBLIC}}]}]})
    setup.edge.stop()
    setup.edge.start_model(model)
    assert setup.told("/x")["server"]["SCRIPT_NAME"] == "/index.php"
    assert b"owned" not in setup.get("/uploads/x.php").body


@EVERY
def test_php_is_asked_for_no_path_that_nginx_reads_in_another_way(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/admin/", "respond": {"status": 403}}, {"path": "/", "fastcgi": {"server": SOCKET, "root": PUBLIC}}]},
        site_defaults={"listen": [setup.address]})
    assert {setup.get(path).status for path in ("/x/../admin/", "/admin/../x", "/admin/%2e%2e/x", "/x;/..;/a")} == {400}
    assert setup.get("/admin/x").status == 403

"""Sites and their locations: which keys go together, which do not, and the inventory path of each mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import headers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import DefaultServer, Header, Location, Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import config_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused
from tests.support.compiling import values

KEEPALIVE = "so_keepalive=230s:30s:4"
SITE = {"server_names": ["a.b"], "upstream": "u"}


def compiled(*sites: Any, host: Host = Host(), **role: Any) -> Model:  # noqa: B008
    """Compile sites together with an upstream."""
    return compile_model({"websocket_proxy_upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]}],
                          "websocket_proxy_sites": list(sites),
                          **{f"websocket_proxy_{name}": value for name, value in role.items()}}, host)


def problems(*sites: Any, **role: Any) -> list[str]:
    """Return the problems of sites, without their variable's name."""
    with pytest.raises(InventoryError) as found:
        compiled(*sites, **role)
    return [problem.removeprefix("websocket_proxy_sites") for problem in found.value.problems]


def located(**location: Any) -> dict[str, Any]:
    """Return a site with one location."""
    return {"server_names": ["a.b"], "locations": [{"path": "/x", **location}]}


@pytest.mark.parametrize(("location", "problem"), [
    ({"upstream": "u", "root": "/srv"},
     ": a location needs exactly one of upstream, root, fastcgi, redirect, respond; found upstream and root"),
    ({"root": "/srv", "websocket_only": True}, ".websocket_only: this needs upstream, and the location has root"),
    ({"upstream": "u", "try_files": ["$uri", "=404"]}, ".try_files: this needs root, and the location has upstream"),
    ({"respond": {}, "rewrite_to": "/y"}, ".rewrite_to: this needs upstream, and the location has respond"),
    ({"upstream": "u", "strip_prefix": True}, '.strip_prefix: this needs a prefix that ends with "/", such as /x/'),
    ({"path": "^/x", "upstream": "u"}, '.path: "^/x" does not begin with "/"; a regular expression needs match: regex'),
    ({"path": "/x/", "upstream": "u", "strip_prefix": True, "rewrite_to": "/y"},
     ".rewrite_to: strip_prefix already sets the backend's path"),
    ({"path": "x", "upstream": "u", "match": "exact"}, '.path: "x" does not begin with "/"'),
    ({"upstream": "u", "match": "longest"}, '.match: "longest" is not one of prefix, exact, regex'),
    ({"redirect": {"to": "new"}}, '.redirect.to: "new" is not a target; expected a path'),
    ({"redirect": {"to": "/$request_uri"}}, ".redirect.to: \"/$request_uri\" is not a target"),
    ({"redirect": {"to": "/new#part"}}, "is not a target"),
    ({"redirect": {"to": "/y", "status": 308.0}}, ".redirect.status: 308.0 is not one of 301, 302, 307, 308"),
    ({"upstream": "u", "request_headers": {"X-User": "$remote_user"}}, "$remote_user can hold a line break"),
    ({"upstream": "u", "proxy_redirect": {"/": "https://x$uri"}}, "$uri can hold a line break"),
    ({"upstream": "u", "proxy_redirect": {"/": None}}, "has a prefix without a replacement"),
    ({"root": "/srv", "try_files": ["$urix", "=404"]}, '.try_files: "$urix" is neither $uri nor a path'),
    ({"root": "/" + "x" * 1001}, "is longer than 1000 characters"),
    ({"root": "/srv", "read_timeout": 5}, ".read_timeout: this needs upstream or fastcgi, and the location has root"),
    ({"respond": {"body": "$" * 200}}, "is longer than nginx accepts as one parameter"),
    ({"respond": {"body": "\ud800"}}, "contains a control character"),
    ({"upstream": "u", "access_log": "/var/log/"}, '.access_log: "/var/log/" is a folder'),
    ({"upstream": "u", "response_headers": {"Server": "x"}}, ".response_headers.Server: nginx sets this header itself"),
    ({"upstream": "u", "buffer_size": "16x", "buffers": 8}, '.buffer_size: "16x" is not a size'),
    ({"upstream": "u", "match": "regexp", "path": "^/v"}, '.match: "regexp" is not one of'),
    ({"upstream": "u", "extra_config": 'default_type a"; }  location /evil { return 200 b";'}, 'has one "}" too many'),
    ({"redirect": {"to": "//evil.example"}}, '.redirect.to: "//evil.example" is not a target'),
    ({"redirect": {"to": "/x$uri"}}, '.redirect.to: "/x$uri": $uri can hold a line break'),
    ({"redirect": {"to": "/y", "status": 303}}, ".redirect.status: 303 is not one of 301, 302, 307, 308"),
    ({"redirect": {}}, '.redirect: "to" is missing'),
    ({"respond": {"status": 302}}, ".respond.status: 302 is a redirect; use the key redirect"),
    ({"respond": {"body": "x" * 4000}},
     "is longer than nginx accepts as one parameter; serve a file with root instead"),
    ({"respond": {"content_type": "text"}}, '.respond.content_type: "text" is not a media type'),
    ({"root": "srv"}, '.root: "srv" is not an absolute path'),
    ({"root": "/srv/../etc"}, ".root: \"/srv/../etc\" is not an absolute path"),
    ({"root": "/srv", "try_files": ["$uri"]}, '.try_files: ["$uri"] is not a list of at least two elements'),
    ({"root": "/srv", "try_files": ["$uri", "$uri/"]},
     '.try_files: "$uri/" is neither a path nor a status such as =404'),
    ({"root": "/srv", "try_files": ["$host", "=404"]}, '.try_files: "$host" is neither $uri nor a path'),
    ({"upstream": "u", "client_max_body_size": "1t"}, '.client_max_body_size: "1t" is not a size'),
    ({"upstream": "u", "buffer_size": "1"}, '.buffer_size: "1" is not a size from 1024 to 16777216 bytes'),
    ({"upstream": "u", "buffers": 8}, ".buffers: this is the number of buffers; buffer_size, their size, is missing"),
    ({"upstream": "u", "host": "$server_name"}, '.host: "$server_name" is neither $host nor $http_host'),
    ({"upstream": "u", "proxy_redirect": {"~x": "/"}}, '.proxy_redirect: "~x" is not a prefix of a Location'),
    ({"upstream": "u", "request_headers": {"X-Path": "$uri"}}, ".request_headers.X-Path: \"$uri\": $uri can hold a"),
    ({"upstream": "u", "response_headers": {"Content-Type": "x"}}, ".response_headers.Content-Type: nginx would send"),
    ({"upstream": "u", "response_headers": {"Connection": "x"}}, "this header belongs to the connection"),
    ({"upstream": "u", "access_log": "logs/x"}, '.access_log: "logs/x" is not an absolute path'),
    ({"upstream": "u", "extra_config": "proxy_cache off"}, "ends in the middle of a directive"),
    ({"upstream": "u", "extra_config": "} location /y {"}, 'has one "}" too many'),
    # nginx does not count a brace after a $, so these texts close the role's location, or set one of its headers.
    ({"upstream": "u", "extra_config": "default_type a${;\n}\nlocation /x {\n    error_page 500 /a};\n"},
     'has one "}" too many'),
    ({"upstream": "u", "extra_config": "default_type a${;\nproxy_set_header Upgrade x;\nerror_page 500 /a};\n"},
     "other_upgrades"),
    ({"upstream": "u", "extra_config": "set $x a\\\n\"b \";\n}\nlocation /y {\nset $y \";"},
     "has a backslash at the end of a line"),
    ({"upstream": "u", "extra_config": "#" + "a" * 4095}, "a word or a comment of 4096 bytes or more"),
    ({"upstream": "u", "extra_config": "; gzip on;"}, 'has a ";" without a directive'),
    ({"upstream": "u", "extra_config": "gzip on; {"}, 'has a "{" without a directive'),
    ({"upstream": "u", "extra_config": "if ($x) { return 404 }"}, 'has a "}" in the middle of a directive'),
    ({"upstream": "u", "extra_config": 'add_header "X"Y;'}, "has no space after a quoted word"),
    ({"upstream": "u", "extra_config": "if ($x) { return 404;"}, "ends in the middle of a block"),
    ({"upstream": "u", "extra_config": 'add_header X "a;'}, "has a quotation mark that is not closed"),
    ({"upstream": "u", "extra_config": "proxy_set_header Upgrade $http_upgrade;"},
     ".extra_config: nginx would send Upgrade twice; the role itself sets this header"),
    ({"upstream": "u", "extra_config": "if ($x) { return 404; } proxy_set_header \"CONNECTION\" ${x};"},
     ".extra_config: nginx would send CONNECTION twice"),
    ({"upstream": "u", "extra_config": "proxy_set_header Content-Length $content_length;"},
     ".extra_config: nginx would send Content-Length twice; nginx sets this"),
    ({"upstream": "u", "extra_config": "proxy_set_header # here\n x-real-ip 1;"}, "use request_headers"),
    ({"upstream": "u", "extra_config": "proxy_set_header A 1;", "request_headers": {"a": "2"}}, "request_headers"),
    *(({"upstream": "u", "websocket_only": True, key: value},
       f".{key}: with websocket_only, this location has only WebSockets{remedy}") for key, value, remedy in (
           ("read_timeout", 5, "; see live_read_timeout"), ("buffer_size", "8k", "; see live_buffer_size"),
           ("buffering", False, ""), ("event_streams", True, ""), ("separate_live", True, ""))),
    *(({"upstream": "u", "separate_live": False, key: value},
       f".{key}: with separate_live: false, live connections use the settings of plain requests{remedy}")
      for key, value, remedy in (
          ("live_read_timeout", 5, "; see read_timeout"), ("live_access_log", "off", "; see access_log"),
          ("event_streams", False, ""))),
    ({"upstream": "u", "path": "/x/", "replace_prefix": "/y"}, '.replace_prefix: "/y" does not end with "/"'),
    ({"upstream": "u", "replace_prefix": "/y/"},
     '.replace_prefix: this needs a prefix that ends with "/", such as /x/'),
    ({"upstream": "u", "path": "/x/", "replace_prefix": "/y/", "strip_prefix": True},
     ".replace_prefix: strip_prefix already sets the backend's path"),
    ({"upstream": "u", "path": "/x/", "replace_prefix": "/y/", "rewrite_to": "/z"},
     ".rewrite_to: replace_prefix already sets the backend's path"),
    *(({"fastcgi": {"server": "127.0.0.1:9000", "root": "/srv", **said}, **more}, problem) for said, more, problem in [
        ({"server": "php"}, {}, '.fastcgi.server: "php" is not the address of a server'),
        ({"server": None}, {}, '.fastcgi: "server" is missing'),
        *(({"script": path}, {}, f'.fastcgi.script: "{path}" is not the path of a program, such as index.php')
          for path in ("../x.php", "$uri", "a/", "/", "a//b.php", "a;b")),
        ({}, {"try_files": ["$uri", "/index.php"]}, ".try_files: this needs root, and the location has fastcgi"),
        ({}, {"upstream": "u"}, ": a location needs exactly one of upstream, root, fastcgi, redirect, respond; found "
                                "upstream and fastcgi"),
        ({}, {"root": "/srv"}, "found root and fastcgi"),
        ({}, {"live_read_timeout": 5}, ".live_read_timeout: this needs upstream, and the location has fastcgi"),
        ({}, {"request_headers": {"X-" + "a" * 45: "b"}},
         "is longer than 46 characters, the limit for FastCGI"),
        ({}, {"extra_config": "fastcgi_param SCRIPT_FILENAME $document_root$uri;"},
         ".extra_config: the role already sets fastcgi_param SCRIPT_FILENAME"),
        ({}, {"extra_config": "if ($a) { set $b 1; } if ($c) { return 403; } if ($d) { rewrite ^ /e last; }"},
         '.extra_config: with an "if" that has neither "return" nor "rewrite", nginx skips try_files'),
        ({}, {"extra_config": "location /x { return 404; }"},
         ".extra_config: nginx does not allow location in a named location, and the program has one with this text")]),
    ({"root": "/srv", "live_read_timeout": 5}, ".live_read_timeout: this needs upstream, and the location has root"),
    ({"upstream": "u", "extra_config": "location /x/y { return 404; }"},
     ".extra_config: nginx does not allow location in a named location, and live connections have one with this text; "
     "separate_live: false makes one location for both"),
    ({"upstream": "u", "extra_config": "alias /srv;"}, ".extra_config: nginx does not allow alias in a named location"),
])
def test_a_mistake_in_a_location_is_told_once_with_its_place(location: dict[str, Any], problem: str) -> None:
    found = problems(located(**location))
    assert len(found) == 1, found
    assert found[0].startswith("[0].locations[0]") and problem in found[0]


def test_a_header_that_fastcgi_has_no_room_for_is_told_where_it_is_set() -> None:
    long = {"X-" + "a" * 45: "b"}
    php = {"path": "/", "fastcgi": {"server": "127.0.0.1:9000", "root": "/srv"}}
    assert problems({"server_names": ["a"], "request_headers": long, "locations": [php]})[0].startswith(
        "[0].request_headers: ")
    assert problems({"server_names": ["a"], "locations": [php]}, site_defaults={"request_headers": long})[0].startswith(
        "websocket_proxy_site_defaults.request_headers: ")


def test_an_if_of_a_php_location_returns_or_rewrites_in_its_own_block() -> None:
    php = {"server": "127.0.0.1:9000", "root": "/srv"}
    answers = "if ($a) { return 403; } if ($b) { rewrite ^ /e last; }"
    assert compiled(located(fastcgi=php, extra_config=answers))
    assert len(problems(located(fastcgi=php, extra_config="if ($a) { set $b 1; } return 403;"))) == 1


def test_php_is_not_served_where_clients_may_send_dots_in_names_of_headers() -> None:
    php = {"path": "/", "fastcgi": {"server": "127.0.0.1:9000", "root": "/srv"}}
    text = "ignore_invalid_headers off;"
    site = {"server_names": ["a"], "locations": [php]}
    for found in (problems({**site, "extra_config": text}), problems(site, extra_config=text),
                  problems(site, {"server_names": ["b"], "upstream": "u", "extra_config": text})):
        assert len(found) == 1 and found[0].startswith("[0]: with ignore_invalid_headers off")
    assert compiled({"server_names": ["a"], "extra_config": text, "locations": [{"path": "/", "root": "/srv"}]})


@pytest.mark.parametrize("text", [
    "proxy_set_header X-Other 1;", "location /ws/own { proxy_set_header Upgrade x; proxy_pass http://127.0.0.1:1; }",
    'proxy_set_header Content-Length "";', "proxy_set_header UPGRADE ''; proxy_set_header Connection \"\";",
    'proxy_set_header X-Real-IP ""; proxy_set_header Transfer-Encoding "";',
    "# proxy_set_header Upgrade x;", "proxy_set_header;", "proxy_set_header X-Forwarded-Host $host;"])
def test_free_text_sets_headers_that_are_not_the_roles(text: str) -> None:
    assert compiled(located(upstream="u", extra_config=text, separate_live="location" not in text))


def live_of(**location: Any) -> tuple[Model, Location]:
    """Return the model of a location, and its location for live connections."""
    model = compiled(located(upstream="u", **location))
    live = model.sites[0].locations[0].live
    assert live and live.proxy
    return model, live


def test_plain_requests_and_live_connections_have_their_own_times_buffers_and_logs() -> None:
    model, live = live_of(read_timeout=5, live_read_timeout=7, buffer_size="32k", buffering=True, gzip=True,
                          live_buffer_size="16k", access_log="/var/log/a.log", live_access_log="/var/log/b.log")
    plain = model.sites[0].locations[0]
    assert plain.is_live == "$websocket_proxy_live" and live.match == ["@websocket_proxy_live_1"]
    found, other = values(model, plain.proxy), values(model, live.proxy)
    names = ("proxy_read_timeout", "proxy_buffering", "proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size")
    assert [found[name] for name in names] == ["5s", "on", "32k", "8 32k", "64k"]
    assert [other[name] for name in names] == ["7s", "off", "16k", "8 16k", "32k"]
    assert plain.gzip is True and "gzip" not in found and live.gzip is None and other["gzip"] == "off"
    assert plain.access_log == ["/var/log/a.log", "combined"]
    assert live.access_log == ["/var/log/b.log", "websocket_proxy_websocket"]


@pytest.mark.parametrize(("keys", "log"), [
    ({}, None), ({"access_log": "/a"}, ["/a", "combined"]), ({"access_log": "off"}, ["off"]),
    ({"access_log": "off", "live_access_log": "/b"}, ["/b", "websocket_proxy_websocket"]),
    ({"access_log": "/a", "live_access_log": "off"}, ["off"]),
    ({"live_access_log": "/b", "live_access_log_format": "combined"}, ["/b", "combined"]),
    ({"access_log_format": "websocket"}, ["/var/log/nginx/access.log", "websocket_proxy_websocket"]),
    ({"live_access_log_format": "websocket"}, ["/var/log/nginx/access.log", "websocket_proxy_websocket"])])
def test_live_connections_are_logged_where_their_keys_say_or_else_with_plain_requests(
        keys: dict[str, Any], log: list[str] | None) -> None:
    assert live_of(**keys)[1].access_log == log
    only = {name: value for name, value in keys.items() if name.startswith("live_")} or keys
    assert compiled(located(upstream="u", websocket_only=True, **only)).sites[0].locations[0].access_log == (
        live_of(**only)[1].access_log)


def test_a_location_without_event_streams_hands_on_only_handshakes() -> None:
    site = compiled(located(upstream="u", event_streams=False)).sites[0]
    assert site.locations[0].is_live == "$websocket_proxy_live_socket"
    assert "live" not in site.early


@pytest.mark.parametrize("location", [
    {"upstream": "u", "separate_live": False}, {"upstream": "u", "websocket_only": True},
    {"upstream": "u", "maintenance": True}, {"root": "/srv"}, {"respond": {}}, {"redirect": {"to": "/"}}])
def test_a_location_has_no_other_one_where_it_needs_none(location: dict[str, Any]) -> None:
    assert compiled(located(**location)).sites[0].locations[0].live is None


def test_a_location_with_only_websockets_uses_the_keys_of_live_connections() -> None:
    model = compiled({**located(upstream="u", websocket_only=True, access_log="off"), "read_timeout": 5, "gzip": True,
                      "live_read_timeout": 9, "live_access_log": "/var/log/live.log"})
    location = model.sites[0].locations[0]
    found = values(model, location.proxy)
    assert (found["proxy_read_timeout"], found["gzip"], location.gzip) == ("9s", "off", None)
    # The location's own key takes precedence over its site's key for live connections.
    assert location.access_log == ["off"]


@pytest.mark.parametrize(("site", "role", "size"), [
    ({}, {}, "4k"), ({"buffer_size": "16k"}, {}, "16k"), ({"buffer_size": "16k", "live_buffer_size": "2k"}, {}, "2k"),
    ({"extra_config": "proxy_buffer_size 8k;"}, {}, None), ({}, {"extra_config": "proxy_buffers 8 8k;"}, None),
    ({}, {"nginx_conf": "drop_in"}, None), ({"live_buffer_size": "2k"}, {"nginx_conf": "drop_in"}, "2k")])
def test_buffers_of_live_connections_are_what_somebody_has_set_for_all(
        site: dict[str, Any], role: dict[str, Any], size: str | None) -> None:
    for only in (False, True):
        model = compiled({**located(upstream="u", websocket_only=only), **site}, **role)
        location = model.sites[0].locations[0]
        proxy = (location if only else location.live or location).proxy
        assert values(model, proxy).get("proxy_buffer_size") == size


def test_with_one_location_for_both_its_plain_keys_hold() -> None:
    model = compiled(located(upstream="u", separate_live=False, read_timeout=5))
    found = values(model, model.sites[0].locations[0].proxy)
    assert found["proxy_read_timeout"] == "5s" and "proxy_buffering" not in found and not model.live_params


@pytest.mark.parametrize("text", ["gzip on;", "proxy_buffering on;", "proxy_buffers 4 8k;", "proxy_buffer_size 8k;",
                                  "proxy_busy_buffers_size 16k; proxy_buffers 8 8k; proxy_buffer_size 8k;"])
def test_what_free_text_sets_is_not_set_beside_it(text: str) -> None:
    model, live = live_of(extra_config=text)
    found = values(model, live.proxy)
    assert text.split()[0] not in found and len([name for name in found if "buffer" in name]) in (1, 3, 4)
    others = compiled(located(upstream="u", extra_config=text), {**SITE, "server_names": ["c.d"]})
    assert len(others.live_params) == 2


def test_sites_with_the_same_live_connections_share_one_file() -> None:
    model = compiled(SITE, {**SITE, "server_names": ["c.d"]}, {**SITE, "server_names": ["e.f"], "read_timeout": 5},
                     {**SITE, "server_names": ["g.h"], "live_read_timeout": 5})
    assert [one.file for one in model.proxy_params] == ["proxy_params"]
    assert [one.file for one in model.live_params] == ["live_params", "live_params-2"]


@pytest.mark.parametrize("text", [
    "proxy_cache off;", "# a } comment\nproxy_cache off;\n", 'if ($host ~ "^a{2}") {\n    return 404;\n}',
    "if ($arg_x ~ it's) { return 404; }",
    "add_header X '}';", 'add_header X "\\"}";', "set $x ${host};", "map $a $b {\n\tdefault 1;\n}", ""])
def test_whole_directives_are_taken_as_they_are(text: str) -> None:
    assert config_values.free_text(text) == text.strip("\n")


@pytest.mark.parametrize("text", ["\x00;", "a b\r;", "a @generation@;", 5, ["a;"]])
def test_what_is_no_plain_text_is_not_taken(text: object) -> None:
    with pytest.raises(Refused):
        config_values.free_text(text)


def test_the_same_path_twice_is_refused_and_another_match_is_another_location() -> None:
    same = [{"path": "/x", "upstream": "u"}, {"path": "/x", "respond": {}}]
    assert problems({"server_names": ["a.b"], "locations": same}) == [
        '[0].locations[1].path: "/x" is already the path of websocket_proxy_sites[0].locations[0].path']
    other = [{"path": "/x", "upstream": "u"}, {"path": "/x", "match": "exact", "upstream": "u"},
             {"path": "/x", "match": "regex", "upstream": "u"}]
    assert [one.match for one in compiled({"server_names": ["a.b"], "locations": other}).sites[0].locations] == [
        ["/x"], ["=", "/x"], ["~", "/x"], ["/"]]


def test_a_stripped_prefix_is_served_without_its_slash_unless_the_site_says_so_itself() -> None:
    stripped = {"path": "/app/", "upstream": "u", "strip_prefix": True}
    own = {"path": "/app", "match": "exact", "redirect": {"to": "/app/"}}
    assert [one.match for one in compiled(
        {"server_names": ["a.b"], "locations": [stripped]}).sites[0].locations] == [["/app/"], ["=", "/app"], ["/"]]
    for said in ([own, stripped], [stripped, own]):
        assert sorted(one.match for one in compiled(
            {"server_names": ["a.b"], "locations": said}).sites[0].locations) == [["/"], ["/app/"], ["=", "/app"]]
    assert len(compiled({"server_names": ["a.b"], "locations": [{**stripped, "path": "/"}]}).sites[0].locations) == 1


def test_defaults_hold_where_a_site_says_nothing_and_headers_are_merged() -> None:
    defaults = {"read_timeout": "5m", "listen": [8080], "upstream": "u", "other_upgrades": "reject",
                "response_headers": {"X-One": "defaults", "X-Two": "defaults"}}
    model = compiled(
        {"server_names": ["a.b"]},
        {"server_names": ["c.d"], "listen": [80], "read_timeout": "6m", "other_upgrades": "ignore",
         "response_headers": {"x-two": "site"}, "locations": [{"path": "/x", "upstream": "u"}]},
        site_defaults=defaults)
    first, second = model.sites
    assert [[one[0] for one in site.listen] for site in (first, second)] == [["8080"], ["80"]]
    assert (first.reject_other_upgrades, second.reject_other_upgrades) == (True, False)
    assert [location.match for location in second.locations] == [["/x"], ["/"]]
    times = [values(model, site.locations[0].proxy)["proxy_read_timeout"] for site in (first, second)]
    assert times == ["5m", "6m"]
    assert [(header.name, header.value) for header in second.locations[0].response_headers] == [
        ("X-One", "defaults"), ("x-two", "site")]


def test_a_mistake_in_the_defaults_is_told_once_and_there() -> None:
    sites = [SITE, {**SITE, "server_names": ["c.d"]}]
    found = problems(*sites, site_defaults={"read_timeout": "30 sec", "listen": ["70000"],
                                            "request_headers": {"Host": "x"}})
    assert [problem.split(": ")[0] for problem in found] == [
        "websocket_proxy_site_defaults.read_timeout", "websocket_proxy_site_defaults.request_headers.Host",
        "websocket_proxy_site_defaults.listen[0]"]
    assert problems(*sites, site_defaults={"name": "x"})[0].startswith(
        'websocket_proxy_site_defaults: "name" is not a key here')
    assert problems({"server_names": ["a.b"]}, site_defaults={"upstream": "v"})[0].startswith(
        'websocket_proxy_site_defaults.upstream: "v" is not an upstream')


def test_a_default_server_is_not_for_all_sites() -> None:
    assert problems(SITE, {**SITE, "server_names": ["c.d"]}, site_defaults={
        "listen": [{"port": 80, "default_server": True}]}) == [
        "websocket_proxy_site_defaults.listen[0].default_server: each socket has only one, so set this on the site "
        "itself"]


def test_headers_in_the_defaults_are_looked_at_without_a_site_too() -> None:
    assert len(problems(site_defaults={"response_headers": {"Upgrade": "x"}}, allow_no_sites=True)) == 1


def test_a_site_that_listens_on_ipv6_too_has_its_mistakes_told_once() -> None:
    with pytest.raises(InventoryError) as found:
        compile_model({"websocket_proxy_sites": [
            {"server_names": ["a.b"], "locations": [{"path": "/", "respond": {}}], **keys} for keys in (
                {"listen": [{"port": 80, "default_server": True}]},
                {"name": "x", "listen": [{"port": 80, "default_server": True, "proxy_protocol": True}],
                 "trusted_proxies": ["10.0.0.1"]})]}, Host(ipv6=True))
    assert len(found.value.problems) == 3


def test_buffers_may_be_a_sites_and_their_size_a_locations() -> None:
    site = {**located(upstream="u", buffer_size="16k"), "buffers": 4}
    model = compiled(site)
    found = values(model, model.sites[0].locations[0].proxy)
    assert (found["proxy_buffers"], found["proxy_busy_buffers_size"]) == ("4 16k", "32k")


def test_a_format_without_a_log_is_that_of_the_usual_log() -> None:
    assert compiled(located(upstream="u", access_log_format="websocket")).sites[0].locations[0].access_log == [
        "/var/log/nginx/access.log", "websocket_proxy_websocket"]


def test_what_is_said_of_a_socket_is_said_once() -> None:
    first = {**SITE, "listen": [{"port": 80, "backlog": 1024, "so_keepalive": "30m::10", "default_server": True}]}
    second = {**SITE, "server_names": ["c.d"], "listen": [{"port": 80, "backlog": 1024}]}
    model = compiled(first, second)
    assert [site.listen for site in model.sites] == [
        [["80", "default_server", "backlog=1024", "so_keepalive=30m::10"]], [["80"]]]
    assert model.default_servers == []
    assert compiled(SITE).default_servers == [DefaultServer([["80"]], None, None, "20s")]


def test_a_unix_socket_is_one_socket_however_it_is_written() -> None:
    first = {**SITE, "listen": ["unix:/run/edge.sock", 81]}
    second = {**SITE, "server_names": ["c.d"], "listen": [{"address": "unix:/run/edge.sock", "backlog": 7}]}
    model = compiled(first, second)
    assert [site.listen for site in model.sites] == [[["unix:/run/edge.sock"], ["81", KEEPALIVE]],
                                                     [["unix:/run/edge.sock", "backlog=7"]]]
    assert model.default_servers == [DefaultServer([["unix:/run/edge.sock"], ["81"]], None, None, "20s")]
    assert problems(first, {**SITE, "name": "x", "listen": ["unix:/run/edge.sock"]}) == [
        '[1].server_names[0]: "a.b" on unix:/run/edge.sock is already used by websocket_proxy_sites[0].server_names[0]']


@pytest.mark.parametrize(("second", "problem"), [
    ({"port": 80, "backlog": 5}, "[1].listen[0].backlog: websocket_proxy_sites[0].listen[0] sets 1024 for the same"),
    ({"port": 80, "default_server": True},
     "[1].listen[0].default_server: websocket_proxy_sites[0].listen[0] is already the default server of this socket"),
    ({"port": 80, "proxy_protocol": True},
     "[1].listen[0]: all sites on a port need the same proxy_protocol, and websocket_proxy_sites[0].listen[0] does not "
     "set it"),
    ({"port": 70000}, "[1].listen[0].port: 70000 is not a whole number from 1 to 65535"),
    ({"address": "127.0.0.1"}, '[1].listen[0]: "port" is missing'),
    ({"address": "localhost", "port": 80}, '[1].listen[0].address: "localhost" is neither an IP address nor '),
    ({"address": "unix:/run/x", "port": 80},
     "[1].listen[0].port: this is an option of TCP, and a unix socket does not have it"),
    ({"address": "unix:/run/x", "reuseport": True}, "[1].listen[0].reuseport: this is an option of TCP"),
    ({"address": "unix:x"}, '[1].listen[0].address: "unix:x" is not the path of a socket'),
    ({"port": 81, "so_keepalive": "x"}, '[1].listen[0].so_keepalive: "x" is neither true nor false, nor times'),
    ({"port": 81, "so_keepalive": "0::"}, '[1].listen[0].so_keepalive: "0::" is neither true nor false, nor times'),
])
def test_socket_options_that_contradict_another_site_are_refused(second: dict[str, Any], problem: str) -> None:
    first = {**SITE, "listen": [{"port": 80, "backlog": 1024, "default_server": True}]}
    found = problems(first, {**SITE, "server_names": ["c.d"], "listen": [second], "trusted_proxies": ["10.0.0.1"]})
    assert len(found) == 1, found
    assert problem in found[0]


def test_the_proxy_protocol_needs_trusted_proxies() -> None:
    listen = [{"port": 80, "proxy_protocol": True}]
    assert problems({**SITE, "listen": listen}) == [
        "[0]: with proxy_protocol, set trusted_proxies to the proxies that may report a client's address"]
    assert problems({**SITE, "listen": [*listen, 81], "trusted_proxies": ["10.0.0.1"]}) == [
        "[0]: the site listens both with and without proxy_protocol, and nginx takes a client's address from one of "
        "them only; split it into two sites"]
    assert compiled({**SITE, "listen": listen, "trusted_proxies": ["10.0.0.1"]}).default_servers == [
        DefaultServer([["80", "proxy_protocol"]], None, None, "20s")]


@pytest.mark.parametrize(("network", "told"), [
    ("10.0.0.5/8", '"10.0.0.5/8" is neither an IP address nor a network; did you mean 10.0.0.0/8?'),
    ("lb.example", "expected one such as 10.0.0.5, 10.0.0.0/8 or 2001:db8::/32"), ("fe80::1%eth0", "on one link only")])
def test_a_trusted_proxy_is_an_address_or_a_network(network: str, told: str) -> None:
    (found,) = problems({**SITE, "trusted_proxies": [network]})
    assert found.startswith("[0].trusted_proxies[0]: ") and told in found


def test_the_name_of_no_request_is_refused_with_what_is_meant() -> None:
    assert problems({**SITE, "server_names": ["_"]}) == [
        '[0].server_names[0]: "_" matches no request; to answer every name, listen with default_server: true']


@pytest.mark.parametrize(("given", "told"), [
    ({**SITE, "websocket_only": True}, '[0]: "websocket_only" is not a key here; it is a key of a location'),
    ({**SITE, "hsts": {}}, '[0]: "hsts" is not a key here; it is a key of a site\'s tls'),
    ({**SITE, "servers": []}, '[0]: "servers" is not a key here; it is a key of an upstream'),
    (located(upstream="u", trusted_proxies=[]),
     '[0].locations[0]: "trusted_proxies" is not a key here; it is a key of a site'),
    ({"server_names": ["a.b"], "proxy_pass": "http://127.0.0.1:3000"},
     '[0]: "proxy_pass" is not a key here; did you mean "upstream"?'),
    (located(proxy_pass="http://127.0.0.1:3000"),
     '[0].locations[0]: "proxy_pass" is not a key here; did you mean "upstream"?'),
    ({**SITE, "proxy_set_header": {}}, '[0]: "proxy_set_header" is not a key here; did you mean "request_headers"?'),
    ({**SITE, "upstrem": "u"}, '[0]: "upstrem" is not a key here; did you mean "upstream"?'),
])
def test_a_key_that_belongs_elsewhere_is_told_where(given: dict[str, Any], told: str) -> None:
    assert problems(given) == [told]


@pytest.mark.parametrize("address", ["127.0.0.1:3012", "http://127.0.0.1:3012", "http://127.0.0.1:3012/"])
def test_an_address_in_the_place_of_an_upstream_is_told_how_it_becomes_one(address: str) -> None:
    assert problems({**SITE, "upstream": address}) == [
        f'[0].upstream: "{address}" is an address, not the name of an upstream; add one to websocket_proxy_upstreams, '
        'such as {name: app, servers: ["127.0.0.1:3012"]}, and set upstream: app here']


def test_a_server_name_that_is_taken_is_told_once() -> None:
    assert problems(SITE, SITE) == [
        '[1].server_names[0]: "a.b" on 80 is already used by websocket_proxy_sites[0].server_names[0]']


def test_a_name_that_is_a_regular_expression_needs_a_name_for_its_site() -> None:
    names = [{"regex": "^room[0-9]+\\.a\\.b$"}, "a.b"]
    assert problems({**SITE, "server_names": names}) == [
        '[0]: "name" is missing; a regular expression cannot provide one']
    assert compiled({**SITE, "name": "rooms", "server_names": names}).sites[0].server_names == [
        "~^room[0-9]+\\.a\\.b$", "a.b"]
    assert problems({**SITE, "name": "x", "server_names": [{"regexp": "a"}]}) == [
        '[0].server_names[0]: "regexp" is not a key here; did you mean "regex"?']


@pytest.mark.parametrize(("site", "role", "refused"), [
    (SITE, {}, None),
    (located(root="/srv"), {}, None),
    (located(upstream="u"), {}, "ambiguous_path"),
    ({**located(upstream="u"), "dot_segments": "pass"}, {}, None),
    ({"server_names": ["a.b"], "locations": [{"path": "/", "upstream": "u"}]}, {}, None),
    ({"server_names": ["a.b"], "locations": [{"path": "/", "upstream": "u", "strip_prefix": True}]}, {}, None),
    ({**SITE, "locations": [{"path": "/x", "respond": {}}]}, {}, "ambiguous_path"),
    ({"server_names": ["a.b"], "locations": [{"path": "/", "upstream": "u", "extra_config": "deny all;"}]}, {},
     "ambiguous_path"),
    ({**SITE, "extra_config": "deny all;"}, {}, "ambiguous_path"),
    (SITE, {"extra_config": "map $uri $realm { /admin yes; }"}, "ambiguous_path"),
    ({"server_names": ["a.b"], "locations": [], "upstream": "u"}, {"site_defaults": {"dot_segments": "pass"}}, None)])
def test_paths_are_looked_at_where_a_rule_is_about_them(
        site: dict[str, Any], role: dict[str, Any], refused: str | None) -> None:
    for version, line in (((1, 26, 0), None), ((1, 21, 1), None), ((1, 18, 0), "broken_line"), (None, "broken_line")):
        # Without a backend, there is no request line to break.
        expected = refused or (line if "upstream" in str(site) else None)
        found = compiled(site, host=Host(nginx_version=version), **role).sites[0].refused
        assert found == (expected and f"$websocket_proxy_{expected}")


@given(st.text(st.sampled_from("aB1-_."), min_size=1, max_size=40))
def test_every_spelling_that_an_application_may_take_for_a_header_is_found(name: str) -> None:
    found = headers.other_spellings([name])
    assert all(one != name and one.replace("_", "-") == name.replace("_", "-") for one in found)
    signs = sum(name.count(sign) for sign in "-_")
    assert {name.replace("-", "_"), name.replace("_", "-")} <= {name, *found}
    if signs <= 5:
        assert len(set(found)) == 2 ** signs - 1


def test_a_header_that_is_set_in_two_spellings_is_removed_in_neither() -> None:
    assert headers.other_spellings(["X-A-B", "x_a-b"]) == ["X-A_B", "X_A_B"]


@pytest.mark.parametrize(("text", "may"), [
    ("underscores_in_headers on;", True), ("\tunderscores_in_headers\n  'on' ;", True),
    ("underscores_in_headers off;", False), ("add_header X underscores_in_headers;", False), ("", False),
    (None, False)])
def test_free_text_that_takes_underscores_is_found_wherever_it_stands(text: str | None, may: bool) -> None:
    site = {**SITE, "extra_config": text}
    for model in (compiled(SITE, site | {"server_names": ["c.d"]}), compiled(SITE, extra_config=text)):
        names = {header.name for header in model.proxy_params[0].request_headers}
        assert ("X_Forwarded_For" in names, "X-Forwarded_For" in names) == (may, may)
    assert Header("X_Real_IP", "") in compiled(SITE, host=Host(underscores=True)).proxy_params[0].request_headers


OPTIONS = "/etc/nginx/conf.d/shop.conf: listen [::]:443 ssl ipv6only=on"


def test_a_socket_for_all_addresses_finds_clients_that_vanished() -> None:
    sites = [{**SITE, "listen": [80, "127.0.0.1:80", "127.0.0.1:81", "unix:/run/edge.sock"]},
             {**SITE, "server_names": ["c.d"], "listen": ["0.0.0.0:80", "[::]:8080"]}]
    model = compiled(*sites, host=Host(ipv6=True))
    assert [site.listen for site in model.sites] == [
        [["80", KEEPALIVE], ["[::]:80", KEEPALIVE], ["127.0.0.1:80"], ["127.0.0.1:81"], ["unix:/run/edge.sock"]],
        [["80"], ["[::]:8080", KEEPALIVE]]]


def test_what_any_site_sets_of_a_socket_takes_the_place_of_the_default() -> None:
    for value, words in ((False, "so_keepalive=off"), (True, "so_keepalive=on"), ("9s::", "so_keepalive=9s::")):
        model = compiled(SITE, {**SITE, "server_names": ["c.d"], "listen": [{"port": 80, "so_keepalive": value}]})
        assert [site.listen for site in model.sites] == [[["80"]], [["80", words]]]
    none = compiled(SITE, {**SITE, "server_names": ["c.d"], "listen": [{"port": 80, "so_keepalive": "none"}]})
    assert [site.listen for site in none.sites] == [[["80"]], [["80"]]]


def test_a_socket_to_which_others_give_options_gets_none_and_a_warning() -> None:
    model = compiled({**SITE, "listen": [443]}, host=Host(ipv6=True, listen_options={"[::]:443": OPTIONS}))
    assert model.sites[0].listen == [["443", KEEPALIVE], ["[::]:443"]]
    (warning,) = (one for one in model.warnings if "options" in one)
    assert warning.startswith("websocket_proxy_sites[0].listen[0]: /etc/nginx/conf.d/shop.conf: listen [::]:443 ssl "
                              "ipv6only=on sets options of the socket [::]:443, so") and KEEPALIVE in warning
    model = compiled({**SITE, "listen": [443]}, host=Host(
        ipv6=True, listen_options={"[::]:443": f"{OPTIONS} so_keepalive=on"}))
    assert not [one for one in model.warnings if "options" in one]
    # With so_keepalive "none", the inventory shows that this is known, so there is no warning.
    none = compiled({**SITE, "listen": [{"port": 443, "so_keepalive": "none"}]},
                    host=Host(ipv6=True, listen_options={"443": OPTIONS, "[::]:443": OPTIONS}))
    assert none.sites[0].listen == [["443"], ["[::]:443"]] and not [one for one in none.warnings if "options" in one]
    beside = compiled({**SITE, "listen": [80, {"address": "127.0.0.1", "port": 80, "so_keepalive": "none"}]})
    assert beside.sites[0].listen == [["80", KEEPALIVE], ["127.0.0.1:80"]]
    # A main file that the role replaces no longer sets any options.
    taken = Host(listen_options={"80": "/etc/nginx/nginx.conf: listen 80 backlog=5"})
    assert compiled(SITE, host=taken).sites[0].listen == [["80", KEEPALIVE]]
    assert compiled(SITE, host=taken, nginx_conf="drop_in").sites[0].listen == [["80"]]
    with pytest.raises(InventoryError) as found:
        compiled({**SITE, "listen": [{"port": 443, "backlog": 9}]}, host=Host(listen_options={"443": OPTIONS}))
    assert f"listen[0].backlog: {OPTIONS} already sets options of this socket" in str(found.value)


@pytest.mark.parametrize("option", [{"so_keepalive": True}, {"backlog": 9}, {"reuseport": True}])
def test_a_socket_of_one_address_beside_one_of_all_can_have_no_options(option: dict[str, Any]) -> None:
    site = {**SITE, "listen": [{"address": "127.0.0.1", "port": 80, **option}]}
    assert compiled(site)
    assert problems(site, {**SITE, "server_names": ["c.d"]}) == [
        f"[0].listen[0].{next(iter(option))}: websocket_proxy_sites[1].listen listens on this port on every address; "
        "set this option there"]


def test_a_site_takes_larger_bodies_than_nginx_does_unless_somebody_says_how_large() -> None:
    said = {"client_max_body_size": "5m"}
    text = "client_max_body_size 7m;"
    cases: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
        ({}, {}, "256m"), (said, {}, None), ({}, {"site_defaults": said}, None), ({"extra_config": text}, {}, None),
        ({}, {"extra_config": text}, None), ({}, {"nginx_conf": "drop_in"}, None)]
    for site, role, size in cases:
        assert compiled({**SITE, **site}, **role).sites[0].client_max_body_size == size, (site, role)

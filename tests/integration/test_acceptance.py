"""What the model accepts, every nginx accepts too, without a warning."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.nginx_variables import NAMES, PREFIXES
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Refused

from .container import Container
from .edge import RENDERER, Edge
from .examples import examples

RECIPE: dict[str, Any] = {"upstreams": [{"name": "node", "servers": ["127.0.0.1:3000"]}],
                          "sites": [{"server_names": ["example.com"], "upstream": "node"}]}


@pytest.fixture(name="edge")
def edge_(sealed: Container) -> Edge:
    """Give an edge for tests of files alone."""
    return Edge(sealed)


def long_name(length: int, number: int = 0) -> str:
    """Return a server name of that length; with another number, another name."""
    labels = random.Random(number * 1000 + length)
    letters = "".join(labels.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))
    return "".join("." if position % 40 == 30 and position < length - 1 else letter
                   for position, letter in enumerate(letters))


def test_the_recipe_is_accepted(edge: Edge) -> None:
    edge.put(RECIPE)
    assert edge.test() == ""


def test_a_broken_configuration_would_be_noticed(edge: Edge) -> None:
    edge.put(RECIPE, {"theirs.conf": "proxy_read_timeout 30 sec;\n"})
    assert "invalid number of arguments" in edge.test()
    edge.put(RECIPE, {"theirs.conf": "server { server_name example.com; }\n"})
    assert 'conflicting server name "example.com"' in edge.test()


def test_every_variable_that_a_value_may_name_is_one_of_nginx(edge: Edge) -> None:
    names = sorted(NAMES) + [f"{prefix}example" for prefix in PREFIXES]
    edge.put(RECIPE, {"theirs.conf": RENDERER.render("variables.conf.j2", {"names": names})})
    assert edge.test() == ""


def with_names(names: Iterable[str]) -> dict[str, Any]:
    """Return the recipe with a second site of these names: nginx builds no hash of names for one site alone."""
    second = {"name": "second", "server_names": sorted(names), "upstream": "node"}
    return {**RECIPE, "sites": [*RECIPE["sites"], second]}


def test_a_server_name_of_any_length_is_accepted(edge: Edge) -> None:
    for length in (1, 46, 47, 110, 111, 238, 239, 253):
        edge.put(with_names([long_name(length)]))
        assert (length, edge.test()) == (length, "")


@pytest.mark.parametrize(("count", "wildcard"), [(32, ""), (60, ""), (128, ""), (1000, ""), (1000, "*."), (5000, "")])
def test_any_number_of_server_names_is_accepted(edge: Edge, count: int, wildcard: str) -> None:
    for shortest, longest in ((8, 30), (40, 46), (60, 110), (200, 240)):
        names = {wildcard + long_name(shortest + number % (longest - shortest), number) for number in range(count)}
        edge.put(with_names(names))
        assert (longest, edge.test()) == (longest, "")


def test_a_thousand_sites_are_accepted(edge: Edge) -> None:
    edge.put({**RECIPE, "sites": [{"server_names": [long_name(50 + number % 150, number)], "upstream": "node"}
                                  for number in range(1000)]})
    assert edge.test() == ""


@pytest.mark.parametrize("count", [32, 60, 128, 1000])
def test_any_number_of_request_headers_is_accepted(edge: Edge, count: int) -> None:
    for length in (10, 25, 46, 47, 100):
        headers = {f"x{number:04}" + long_name(length - 5, number).replace(".", "-"): "a" for number in range(count)}
        edge.put({**RECIPE, "sites": [{**RECIPE["sites"][0], "request_headers": headers}]})
        assert (length, edge.test()) == (length, "")


def is_duration(value: object) -> bool:
    """Tell whether the model takes a value for a time."""
    try:
        kinds.duration(value)
    except Refused:
        return False
    return True


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
    "*:{}".format, PORT)
TIME = (st.integers(1, 315360000) | st.builds("{}{}".format, st.integers(1, 9), st.sampled_from(
    ["ms", "s", "m", "h", "d", "w", "M", "y", ""]))).filter(is_duration)
SEGMENT = st.text(st.sampled_from(LETTERS + "~!&'()*+,=:@-"), min_size=1, max_size=12)
PATH = st.builds("/{}{}".format, st.lists(SEGMENT, max_size=4).map("/".join), st.sampled_from(["", ".x"]))
VALUE = (st.text(st.sampled_from("abc \"'\\;{}#=%,"), min_size=1, max_size=30).map(str.strip).filter(bool)
         | st.sampled_from(sorted(NAMES)).map("a ${{{}}};".format) | st.integers(0, 10**9) | st.none())
RESERVED = {"upgrade", "connection", "host", "content-length", "transfer-encoding"}
HEADERS = st.lists(NAME.filter(lambda name: name[0] != "_" and name.lower() not in RESERVED), max_size=8,
                   unique_by=str.lower).flatmap(
    lambda names: st.fixed_dictionaries(dict.fromkeys(names, VALUE)))
OPTIONAL = {"read_timeout": TIME, "send_timeout": TIME, "connect_timeout": TIME, "request_headers": HEADERS}


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the variables of an edge."""
    labels = draw(st.lists(NAME, min_size=1, max_size=5, unique_by=str.lower))
    upstreams = [{"name": label, "servers": draw(st.lists(SERVER, min_size=1, max_size=4, unique=True)),
                  "keepalive": draw(st.integers(0, 1000))} for label in labels]
    location = st.fixed_dictionaries({"path": PATH, "upstream": st.sampled_from(labels)}, optional=OPTIONAL)
    sites = []
    names = draw(st.lists(HOST, min_size=1, max_size=12, unique=True))
    for number, name in enumerate(names):
        given = draw(st.fixed_dictionaries({"locations": st.lists(
            location, min_size=1, max_size=4, unique_by=lambda one: one["path"])},
            optional={**OPTIONAL, "other_upgrades": st.sampled_from(["ignore", "reject"]),
                      "listen": st.lists(LISTEN, min_size=1, max_size=3,
                                         unique_by=lambda one: str(one).rpartition(":")[2])}))
        sites.append({"name": f"{number}{draw(NAME)}", "server_names": [name], **given})
    connections = draw(st.integers(64, 1048576))
    return {"upstreams": upstreams, "sites": sites, "worker_connections": connections,
            "worker_rlimit_nofile": connections + draw(st.integers(0, 1000)),
            "worker_processes": draw(st.just("auto") | st.integers(1, 1024)),
            "worker_shutdown_timeout": draw(TIME | st.just(0))}


@cache
def inventory_examples() -> list[dict[str, Any]]:
    """Return the inventories that every nginx is tried with."""
    return examples(inventories(), 40)


def test_what_the_model_accepts_nginx_accepts(edge: Edge) -> None:
    for inventory in inventory_examples():
        edge.put(inventory)
        assert edge.test() == "", inventory

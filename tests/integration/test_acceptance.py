"""Configurations that the model accepts: every nginx accepts them too, without a warning."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.nginx_variables import NAMES, PREFIXES
from tests.support.container import Container
from tests.support.edge import RENDERER, Edge
from tests.support.examples import examples
from tests.support.inventories import CERTIFICATE, Example, inventories
from tests.support.pki import Authority
from tests.support.releases import EVERY
from tests.support.soak import broad

EXAMPLES = broad(150, 3000)
RECIPE: dict[str, Any] = {"upstreams": [{"name": "node", "servers": ["127.0.0.1:3000"]}],
                          "sites": [{"server_names": ["example.com"], "upstream": "node"}]}


@pytest.fixture(name="edge")
def edge_(sealed: Container) -> Edge:
    """Return an edge for tests of files only."""
    pair = Authority("tests").issue("any.test")
    sealed.write({CERTIFICATE["certificate"]: pair.certificate, CERTIFICATE["certificate_key"]: pair.key})
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
    """Return the recipe with a second site of these names: nginx builds no hash of names for only one site."""
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


@pytest.mark.parametrize("count", [1, 32, 128, 500])
def test_any_number_of_response_headers_is_accepted(edge: Edge, count: int) -> None:
    for length in (10, 60, 100):
        headers = {f"x{number:04}" + long_name(length - 5, number).replace(".", "-"): "a" for number in range(count)}
        edge.put({**RECIPE, "sites": [{**RECIPE["sites"][0], "response_headers": headers}]})
        assert (length, edge.test()) == (length, "")


@EVERY
@pytest.mark.parametrize("count", [10, 20, 50, 300])
def test_any_number_of_cookies_and_source_addresses_is_accepted(edge: Edge, count: int) -> None:
    upstreams = [{"name": f"u{number}", "servers": ["127.0.0.1:3000"],
                  "proxy_bind": ["127.0.0.1", f"127.0.{number // 2}.2"] if number % 2 else [],
                  "load_balancing": {"sticky": {"cookie": f"c{number}"}}} for number in range(count)]
    edge.put({"upstreams": upstreams, "sites": [{"server_names": [f"s{number}.example.com"], "upstream": f"u{number}"}
                                                for number in range(count)]})
    assert edge.test() == ""


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


@cache
def inventory_examples() -> list[Example]:
    """Return the inventories for the test with every nginx."""
    return examples(inventories(), EXAMPLES)


def stands_there(path: str, example: Example) -> bool:
    """Return whether a problem's path leads to something in the inventory; its last part may be what is missing."""
    found = re.fullmatch(r'(?:websocket_proxy_(\w+)|hostvars\["([^"]+)"\])(.*)', path)
    assert found, path
    here: Any = {f".{name}": value for name, value in example.variables.items()} if found[1] else None
    steps = [f".{found[1]}"] if found[1] else []
    if found[2]:
        here = {f".{name}": value for name, value in example.hostvars[found[2]].items()}
    steps += re.findall(r'\.\w[\w-]*|\."[^"]*"|\[\d+\]', found[3])
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        if step.startswith("["):
            if not isinstance(here, list) or int(step[1:-1]) >= len(here):
                return last
            here = here[int(step[1:-1])]
        else:
            keys = {name if name.startswith(".") else f".{name}": name for name in map(str, here)} \
                if isinstance(here, dict) else {}
            name = step.replace('."', ".").rstrip('"')
            if name not in keys:
                return last
            here = {str(key): value for key, value in here.items()}[keys[name]]
    return True


# One worker tests all images, because generating the inventories takes longer than testing them.
@EVERY
@pytest.mark.xdist_group("inventories")
def test_what_the_model_accepts_nginx_accepts_and_what_it_refuses_it_explains(edge: Edge) -> None:
    accepted, refused = [], 0
    for example in inventory_examples():
        try:
            accepted.append((example, edge.compiled(example.variables, example.groups, example.hostvars)))
        except InventoryError as error:
            refused += 1
            for problem in error.problems:
                path, _colon, reason = problem.partition(": ")
                assert len(reason) > 10 and "\n" not in problem, problem
                assert stands_there(path, example), (problem, example)
    for (example, _model), told in zip(accepted, edge.tests([model for _example, model in accepted]), strict=True):
        assert told == "", example
    assert len(accepted) > EXAMPLES * 0.4 and refused > EXAMPLES * 0.1, (len(accepted), refused)

"""A drained edge: it serves less at each stage, and open connections stay open."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import DRAINED
from tests.support.client import get
from tests.support.crowd import Crowd
from tests.support.host import FOLDER, SOCKET, Host, site
from tests.support.pki import Authority
from tests.support.served import UPGRADE

LIMITS = {"max_connections": 50}
LOCATIONS = [{"path": "/", "upstream": "echo"},
             {"path": "/healthz", "match": "exact", "respond": {"body": "well\n"}, "health_check": True}]


def edge(**more: Any) -> dict[str, Any]:
    """Return variables with a site that has a health check."""
    return site({"port": 8091, "default_server": True}, upstream=None, locations=LOCATIONS, limits=LIMITS,
                **more)


def at(host: Host, stage: str, **more: Any) -> None:
    """Run the role on a host that is drained to a STAGE; an empty STAGE puts the host back into service."""
    host.found = {**host.module("nginx_info", {}), "folders": {DRAINED: [stage] if stage else []}}
    host.serve(edge(**more))


def statuses(host: Host) -> list[int]:
    """Return the statuses of the health check, a page, and a handshake; 0 if no connection is accepted."""
    found = []
    for path, headers in (("/healthz", ()), ("/whoami", ()), ("/", UPGRADE)):
        try:
            found.append(get(f"{host.address}:8091", "a", path, headers).status)
        except ConnectionRefusedError:
            found.append(0)
    return found


def test_each_stage_serves_less_and_no_open_socket_is_cut(host: Host) -> None:
    at(host, "")
    with host.echo():
        crowd = Crowd(f"{host.address}:8091", 10)
        try:
            assert crowd.ready.wait(60), crowd.problems
            for stage, expected in (("", [200, 200, 101]), ("health_checks", [503, 200, 101]),
                                    ("unavailable", [503, 503, 503]), ("refused", [0, 0, 0]), ("", [200, 200, 101])):
                at(host, stage)
                assert statuses(host) == expected
            # The module reports what drains, by generation, so that a playbook can wait for it.
            told = host.module("nginx_generations_info", {"folder": FOLDER, "socket": SOCKET})["draining"]
            assert sum(one["sockets"] for one in told) >= 20
        finally:
            crowd.end()
        assert (crowd.problems, crowd.received) == ([], crowd.sent)


def test_an_edge_that_is_out_is_out_after_a_restart(host: Host) -> None:
    at(host, "")
    generation = host.answer()
    at(host, "refused")
    host.shell("systemctl restart nginx")
    assert host.answer() not in ("", generation) and statuses(host) == [0, 0, 0]
    at(host, "")
    with host.echo():
        assert statuses(host) == [200, 200, 101]


@pytest.mark.parametrize(("stage", "code"), [("health_checks", "502"), ("unavailable", "503"), ("refused", "000")])
def test_a_site_with_tls_is_out_as_well(host: Host, stage: str, code: str) -> None:
    pair = Authority("tests").issue("a")
    host.write({"/etc/ssl/tests/a.pem": pair.certificate, "/etc/ssl/tests/a.key": pair.key})
    at(host, stage, tls={"certificate": "/etc/ssl/tests/a.pem", "certificate_key": "/etc/ssl/tests/a.key",
                         "redirect_listen": [8092]})
    assert host.run("curl -sk -o /dev/null -w '%{http_code}' --connect-to a:443:127.0.0.1:8091 https://a/")[1] == code

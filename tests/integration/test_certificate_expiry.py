"""The daily report of a host about its certificates, without a run of Ansible."""

from __future__ import annotations

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM
from tests.support.host import Host, site
from tests.support.pki import Authority, Pair
from tests.support.releases import RELEASES

pytestmark = pytest.mark.releases(*RELEASES)
UNIT = "websocket_proxy_certificates"
PATHS = {"certificate": "/etc/ssl/tests/a.pem", "certificate_key": "/etc/ssl/tests/a.key"}
CA = Authority("tests", days=400)


def told(host: Host) -> tuple[int, str]:
    """Run the unit with systemd; return its exit status, and its lines in the journal."""
    host.run(f"systemctl start {UNIT}")
    status = host.shell(f"systemctl show --property=ExecMainStatus --value {UNIT}")
    host.shell("journalctl --sync")
    return int(status), host.shell(f"journalctl --output=cat --unit={UNIT} --lines=4")


def test_the_exit_status_and_the_journal_tell_which_certificate_expires_when(host: Host) -> None:
    host.found = host.module("nginx_info", {})
    path = PATHS["certificate"]

    def put(pair: Pair) -> None:
        host.write({path: pair.certificate, PATHS["certificate_key"]: pair.key})

    put(CA.issue("a", days=60, begin=-30))
    host.serve(site({"port": 8443, "default_server": True}, tls={**PATHS, "redirect": False}))
    status, line = told(host)
    assert status == 0 and f"{path}: expires in 59 days, on 20" in line
    for pair, status, line in (
            (CA.issue("a", days=5.5, begin=-80), 1, f"{path}: expires in 5 days, on 20"),
            (CA.issue("a", days=5.5, begin=-1), 0, f"{path}: expires in 5 days, on 20"),
            (CA.issue("a", days=-0.5, begin=-2), 2, f"{path}: expired on 20"),
            (CA.issue("a", days=9, begin=0.5), 2, f"{path}: not valid before 20")):
        put(pair)
        found = told(host)
        assert found[0] == status and line in found[1], found
        assert (host.run(f"systemctl is-failed --quiet {UNIT}")[0] == 0) == bool(status)
    host.shell(f"echo junk > {path}")
    assert "contains no certificate in PEM format" in told(host)[1] and told(host)[0] == 2
    host.shell(f"rm {path}")
    assert f"{path}: does not exist" in told(host)[1] and told(host)[0] == 2
    assert host.run(f"{PROGRAM} certificates")[0] == 2


def test_a_host_without_tls_has_nothing_to_tell_and_the_timer_runs_every_day(host: Host) -> None:
    host.serve(site(8091))
    assert told(host)[0] == 0
    host.shell(f"systemctl start {UNIT}.timer")
    assert UNIT in host.shell("systemctl list-timers --no-pager")
    host.shell(f"systemctl stop {UNIT}.timer; systemctl reset-failed {UNIT} || true")

"""Upgrades of nginx's packages while WebSockets are open: the binary is exchanged, and no WebSocket is cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM
from tests.support.client import get
from tests.support.crowd import crowd
from tests.support.host import POLICY, Host, site
from tests.support.pki import Authority
from tests.support.releases import NEWEST, RELEASES
from tests.support.soak import broad
from tests.support.waiting import wait_until

pytestmark = pytest.mark.releases(*RELEASES)
EVERY_NAME = {"port": 8091, "default_server": True}
SOCKETS = broad(100, 300)
# Makes packages of a newer version from the installed ones; CHANGE makes their binary different.
NEWER = """set -e
rm -rf /root/newer; mkdir -p /root/newer; cd /root/newer
packages=$(dpkg-query -W -f '${Package} ${source:Package}\\n' | awk '$2 == "nginx" {print $1}')
if [ ! -d /root/packages ]; then
    apt-get -qq update > /dev/null
    mkdir /root/packages; chmod 777 /root/packages
    (cd /root/packages && for one in $packages; do
        apt-get -qq download $one=$(dpkg-query -W -f '${Version}' $one) > /dev/null; done)
fi
for file in /root/packages/*.deb; do
    dpkg-deb -R $file tree
    old=$(dpkg-deb -f $file Version)
    sed -i "s/$old/$old+NUMBER/g" tree/DEBIAN/control
    if [ -e tree/usr/sbin/nginx ]; then CHANGE; fi
    (cd tree && md5sum $(find * -path DEBIAN -prune -o -type f -print) > DEBIAN/md5sums)
    dpkg-deb --build tree /root/newer/$(basename $file) > /dev/null
    rm -rf tree
done
"""
ANOTHER = "printf NUMBER >> tree/usr/sbin/nginx"
BROKEN = "printf '#!/bin/sh\\nexit 1\\n' > tree/usr/sbin/nginx"

# This binary passes nginx -t, and then does nothing.
HANGING = """mv tree/usr/sbin/nginx tree/usr/sbin/nginx.real
    printf '#!/bin/sh\\ncase "$*" in *-t*) exec "$0.real" "$@" ;; esac\\nexec sleep 1000\\n' > tree/usr/sbin/nginx
    chmod 755 tree/usr/sbin/nginx"""


def newer(host: Host, number: int, change: str = ANOTHER) -> None:
    """Make newer packages in /root/newer."""
    host.shell(NEWER.replace("CHANGE", change).replace("NUMBER", str(number)))


@pytest.fixture(name="upgraded")
def upgraded_(host: Host) -> Iterator[Host]:
    """Provide a host with seamless upgrades, as the role sets it up; put the original packages back at the end."""
    host.upgrade_seamlessly()
    yield host
    host.upgrade_ordinarily()
    host.shell("systemctl stop nginx; if [ -d /root/packages ]; then "
               "dpkg --force-all -i /root/packages/*.deb > /dev/null 2>&1; systemctl stop nginx; fi")


def test_upgrades_cut_no_socket_and_lose_no_message(upgraded: Host) -> None:
    host = upgraded
    generation = host.serve(site(EVERY_NAME))
    with crowd(host, SOCKETS) as found:
        seen = {host.master()}
        for number in range(1, broad(2, 20) + 1):
            newer(host, number)
            before = sum(found.received)
            told = host.shell("dpkg -i /root/newer/*.deb 2>&1")
            assert f"nginx was exchanged: {generation}" in told, told
            pid = host.master()
            assert pid not in seen and host.runs_what_is_on_disk(pid) and host.answer() == generation
            seen.add(pid)
            wait_until(lambda: sum(found.received) > before + SOCKETS)  # noqa: B023 (called at once)
            assert get(f"{host.address}:8091", "a", "/whoami").status == 200
        # The old workers have no master any more.
        assert host.shell("pgrep -P 1 -f '[w]orker process is shutting down'")
        run = host.apply(site(EVERY_NAME, name="b"))
        assert not run.error and run.reload["how"] == "reloaded"
        assert sum(one["sockets"] for one in run.reload["draining"]) >= 2 * SOCKETS
    assert "nginx was exchanged" in host.shell("journalctl --quiet --no-pager -t websocket_proxy_reload")
    wait_until(lambda: not host.run("pgrep -f '[w]orker process is shutting down'")[1])
    for command in ("reload", "stop", "start", "restart"):
        host.shell(f"systemctl {command} nginx")
    assert host.answer() == host.apply(site(EVERY_NAME, name="b")).config["generation"]


def test_a_binary_that_does_not_start_leaves_the_old_one_serving(upgraded: Host) -> None:
    host = upgraded
    generation = host.serve(site(EVERY_NAME))
    with crowd(host, SOCKETS) as found:
        pid = host.master()
        newer(host, 1, BROKEN)
        told = host.shell("dpkg -i /root/newer/*.deb 2>&1")
        assert "the old binary keeps serving" in told
        assert host.run(f"{PROGRAM} exchange")[0] == 1
        assert host.master() == pid and host.answer() == generation
        before = sum(found.received)
        newer(host, 2)
        host.shell("dpkg -i /root/newer/*.deb")
        assert host.master() != pid and host.answer() == generation
        wait_until(lambda: sum(found.received) > before + SOCKETS)


@NEWEST
def test_a_master_that_does_not_come_up_is_ended_and_the_next_exchange_succeeds(upgraded: Host) -> None:
    host = upgraded
    generation = host.serve(site(EVERY_NAME))
    pid = host.master()
    newer(host, 1, HANGING)
    told = host.shell("dpkg -i /root/newer/*.deb 2>&1")
    assert "does not start; the old one keeps serving" in told, told
    assert host.master() == pid and host.answer() == generation
    newer(host, 2)
    assert "nginx was exchanged" in host.shell("dpkg -i /root/newer/*.deb 2>&1")
    assert host.runs_what_is_on_disk(host.master())


def test_tls_unix_sockets_and_left_over_sockets_live_through_exchanges(upgraded: Host) -> None:
    host = upgraded
    host.found = host.module("nginx_info", {})
    pair = Authority("tests").issue("a")
    host.write({"/etc/ssl/tests/a.pem": pair.certificate, "/etc/ssl/tests/a.key": pair.key})
    host.serve(site(EVERY_NAME, {"address": "unix:/run/edge.sock", "default_server": True}, tls={
        "certificate": "/etc/ssl/tests/a.pem", "certificate_key": "/etc/ssl/tests/a.key", "redirect": False}))
    for number in (1, 2):
        newer(host, number)
        host.shell("dpkg -i /root/newer/*.deb")
        assert host.runs_what_is_on_disk(host.master())
        for where in ("--connect-to a:443:127.0.0.1:8091", "--unix-socket /run/edge.sock"):
            assert host.shell(f"curl -ks -o /dev/null -w '%{{http_code}}' {where} https://a/") == "502"
    host.shell("systemctl restart nginx")
    assert host.answer()


def test_a_library_that_was_replaced_is_loaded_and_nothing_else_is_touched(upgraded: Host) -> None:
    host = upgraded
    host.serve(site(EVERY_NAME))
    pid = host.master()
    assert host.shell(f"{PROGRAM} exchange") == "" and host.master() == pid
    host.shell("library=$(ldd /usr/sbin/nginx | awk '/libpcre/ {print $3}'); file=$(readlink -f $library); "
               "cp -p $file $file.new && mv $file.new $file")
    with crowd(host, SOCKETS):
        assert "nginx was exchanged" in host.shell(f"{PROGRAM} exchange")
    assert host.master() != pid


@NEWEST
def test_an_exchange_that_was_begun_is_finished_and_other_masters_are_kept(upgraded: Host) -> None:
    host = upgraded
    host.serve(site(EVERY_NAME))
    pid = host.master()
    # This nginx is root's own, with another socket and its own pid file.
    host.write({"/root/own.conf": "pid /run/own.pid;\nevents {}\nhttp { server { listen 127.0.0.1:8099; } }\n"})
    host.shell("/usr/sbin/nginx -c /root/own.conf; cp -p /usr/sbin/nginx /root/copy && mv /root/copy /usr/sbin/nginx")
    own = host.shell("cat /run/own.pid").strip()
    host.shell(f"kill -USR2 {pid}")
    wait_until(lambda: host.run("test -s /run/nginx.pid.oldbin && pgrep --parent $(cat /run/nginx.pid)")[0] == 0)
    with crowd(host, SOCKETS):
        assert host.shell(f"{PROGRAM} exchange") == ""
    assert host.master() != pid and host.run(f"test -d /proc/{pid}")[0] != 0
    assert host.shell("cat /run/own.pid").strip() == own and host.run(f"test -d /proc/{own}")[0] == 0
    host.shell(f"kill -QUIT {own}")


def offer(host: Host, number: int) -> None:
    """Offer newer packages to apt in a repository on the host itself."""
    newer(host, number)
    host.write({"/etc/apt/sources.list.d/newer.list": "deb [trusted=yes] file:/root/newer ./\n",
                "/etc/apt/apt.conf.d/99tests": 'Unattended-Upgrade::Origins-Pattern { "origin=tests"; };\n'})
    host.shell("cd /root/newer && dpkg-scanpackages . > Packages 2> /dev/null && printf 'Origin: tests\\nDate: %s\\n"
               "SHA256:\\n %s %s Packages\\n' \"$(date -Ru)\" $(sha256sum < Packages | cut -c1-64) "
               "$(stat -c %s Packages) > Release && apt-get -qq update")


@NEWEST
def test_apt_unattended_upgrades_and_needrestart_cut_no_socket(upgraded: Host) -> None:
    host = upgraded
    host.serve(site(EVERY_NAME))
    host.shell("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "
               "dpkg-dev needrestart unattended-upgrades > /dev/null")
    offer(host, 1)
    pid = host.master()
    try:
        with crowd(host, SOCKETS):
            host.shell("DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a "
                       "apt-get -qq install -y --only-upgrade nginx nginx-common")
            assert "+1" in host.shell("dpkg-query -W -f '${Version}' nginx")
            upgraded_to = host.master()
            assert upgraded_to != pid and host.runs_what_is_on_disk(upgraded_to)
            # needrestart detects a library that a user replaced without dpkg.
            host.shell("library=$(ldd /usr/sbin/nginx | awk '/libpcre/ {print $3}'); file=$(readlink -f $library); "
                       "cp -p $file $file.new && mv $file.new $file; needrestart -r a -q 2>&1 || true")
            assert host.master() != upgraded_to
        offer(host, 2)
        pid = host.master()
        with crowd(host, SOCKETS):
            told = host.shell("unattended-upgrade --verbose 2>&1")
            assert "+2" in host.shell("dpkg-query -W -f '${Version}' nginx"), told
            assert host.master() != pid and host.runs_what_is_on_disk(host.master())
    finally:
        host.shell("rm -f /etc/apt/sources.list.d/newer.list /etc/apt/apt.conf.d/99tests; "
                   "apt-get -qq purge -y needrestart unattended-upgrades > /dev/null")


@NEWEST
def test_another_policy_is_asked_and_comes_back(host: Host) -> None:
    host.write({POLICY: "#!/bin/sh\necho \"$@\" >> /root/asked\nexit 101\n"})
    host.shell(f"chmod 755 {POLICY}; rm -f /root/asked")
    host.upgrade_seamlessly()
    for words, code in (("nginx restart", 101), ("--quiet nginx upgrade 5", 101), ("nginx.service restart", 101),
                        ("cron start", 101), ("--quiet cron restart", 101)):
        assert host.run(f"{POLICY} {words}")[0] == code
    assert host.shell("cat /root/asked") == "cron start\n--quiet cron restart\n"
    host.upgrade_ordinarily()
    assert "/root/asked" in host.shell(f"cat {POLICY}")
    host.shell(f"rm {POLICY}")

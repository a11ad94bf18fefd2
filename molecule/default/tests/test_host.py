"""The state of a host after the role ran."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://websocket_proxies"]


@pytest.fixture(name="configuration")
def configuration_(host: Host) -> str:
    """Return the whole configuration as nginx reads it."""
    return host.check_output("nginx -T 2>&1")


def test_the_service_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("nginx")
    assert service.is_running
    assert service.is_enabled


def test_nginx_was_started_once_and_only_after_the_commit(host: Host) -> None:
    starts = host.check_output("journalctl -u nginx --output=cat").count("Started ")
    started = host.check_output("date -d \"$(systemctl show nginx -p ExecMainStartTimestamp --value)\" +%s")
    committed = host.check_output("stat -c %Z /etc/nginx/nginx.conf")
    assert starts == 1
    assert int(committed) <= int(started)


def test_the_configuration_holds_what_the_inventory_says(configuration: str) -> None:
    for line in (
        "upstream websocket_proxy_ws_node {", "server 127.0.0.1:3000;", "keepalive 32;",
        "server_name example.com;",
        "server_name strict.example.com a-name-that-is-longer-than-a-bucket-of-64-bytes-can-hold.example.com;",
        "listen 80 so_keepalive=230s:30s:4;", "listen 8080 so_keepalive=230s:30s:4;", "location /second {", "proxy_pass http://websocket_proxy_second;",
        "proxy_http_version 1.1;", "proxy_set_header Upgrade $websocket_proxy_upgrade;",
        "proxy_set_header Connection $websocket_proxy_connection;", "proxy_set_header Host $websocket_proxy_host;",
        "proxy_set_header X-Real-IP $remote_addr;", "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;", 'proxy_set_header X-Edge "said by \\"$server_name\\"; once";',
        "proxy_read_timeout 60s;", "proxy_read_timeout 86400s;", "proxy_read_timeout 1500ms;",
        "proxy_send_timeout 60s;", "proxy_connect_timeout 5s;", "proxy_socket_keepalive on;", "worker_processes auto;",
        "worker_connections 16384;", "worker_rlimit_nofile 32768;", "worker_shutdown_timeout 1d;",
        "server_tokens off;", "server_names_hash_bucket_size 128;", "include /etc/nginx/conf.d/*.conf;",
        "include /etc/nginx/sites-enabled/*;", "include /etc/nginx/modules-enabled/*.conf;",
    ):
        assert f"\n{line}" in configuration.replace("    ", ""), line


def test_nginx_has_nothing_to_complain_about(configuration: str) -> None:
    assert "[warn]" not in configuration
    assert "[emerg]" not in configuration


def test_the_site_listens_on_ipv6_exactly_where_the_host_has_it(host: Host, configuration: str) -> None:
    has_ipv6 = host.run("python3 -c 'import socket; socket.socket(socket.AF_INET6).bind((\"::\", 0))'").rc == 0
    assert ("listen [::]:80 so_keepalive" in configuration) is has_ipv6


def test_nginx_conf_is_diverted_and_debians_own_lies_beside(host: Host) -> None:
    assert host.check_output("dpkg-divert --truename /etc/nginx/nginx.conf") == "/etc/nginx/nginx.conf.distrib"
    conffiles = host.check_output("dpkg-query -W -f '${Conffiles}' nginx-common")
    pristine = next(line.split()[1] for line in conffiles.splitlines() if line.startswith(" /etc/nginx/nginx.conf "))
    assert host.file("/etc/nginx/nginx.conf.distrib").md5sum == pristine


def test_debians_default_site_is_off(host: Host) -> None:
    assert not host.file("/etc/nginx/sites-enabled/default").exists
    assert host.file("/etc/nginx/sites-available/default").exists


def test_the_unit_allows_as_many_open_files_as_nginx_wants(host: Host) -> None:
    # A lower limit of the kernel or the container takes precedence silently.
    assert host.file("/etc/systemd/system/nginx.service.d/websocket_proxy.conf").contains("^LimitNOFILE=32768$")
    assert int(host.check_output("systemctl show nginx -p LimitNOFILE --value")) == 32768
    assert host.check_output("systemctl show nginx -p NeedDaemonReload --value") == "no"


def test_certificates_are_looked_at_every_day(host: Host) -> None:
    timer = host.service("websocket_proxy_certificates.timer")
    assert timer.is_running and timer.is_enabled
    assert host.run("systemctl start websocket_proxy_certificates").rc == 0


def test_nothing_is_left_of_the_test_of_the_configuration(host: Host) -> None:
    assert host.check_output("find /etc/nginx -name '.*'") == ""
    assert len(host.check_output("ls -d /etc/nginx/websocket_proxy/0*").split()) == 1


def test_nothing_that_the_inventory_says_is_for_others_than_root(host: Host) -> None:
    assert host.check_output("find /etc/nginx/websocket_proxy -perm /077 ! -type l") == ""
    journal = host.check_output("journalctl --output=cat")
    # Other modules are logged as usual.
    assert "Invoked with dest=" in journal
    assert [word for word in ("proxy_pass", "strict.example.com", "said by") if word in journal] == []

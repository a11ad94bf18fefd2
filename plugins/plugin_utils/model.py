# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates see: plain, complete, checked data, every default filled in and every reference resolved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """A request header for the backend; an empty value removes it (nginx: proxy_set_header)."""

    name: str
    value: str


@dataclass(frozen=True)
class Upstream:
    """``name`` is nginx's, ``label`` the inventory's; ``keepalive`` 0 means no idle connections are kept."""

    name: str
    label: str
    servers: list[str]
    keepalive: int


@dataclass(frozen=True)
class Location:
    """A prefix location; times are in nginx's form, hash sizes are None where nginx's defaults do."""

    path: str
    proxy_pass: str
    read_timeout: str
    send_timeout: str
    connect_timeout: str
    request_headers: list[Header]
    headers_hash_bucket_size: int | None
    headers_hash_max_size: int | None


@dataclass(frozen=True)
class Site:
    """A server of nginx's; ``listen`` holds complete parameters of the listen directive."""

    name: str
    server_tokens_off: bool
    server_names: list[str]
    listen: list[str]
    reject_other_upgrades: bool
    refuse_other_paths: bool
    locations: list[Location]


@dataclass(frozen=True)
class Model:
    """The whole edge of one host."""

    state: str
    nginx_conf: str
    replace_nginx_conf: bool
    package: str
    worker_processes: str
    worker_connections: int
    worker_rlimit_nofile: int
    worker_shutdown_timeout: str
    keep_generations: int
    max_draining_generations: int
    allow_restart: bool
    server_names_hash_bucket_size: int | None
    server_names_hash_max_size: int | None
    upstreams: list[Upstream]
    sites: list[Site]

# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The compiler of the role's variables into the model. It reports all problems of an inventory at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import fastcgi, forwarded
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.drain import drained
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.hash_sizes import (
    bucket_size,
    max_size,
    variables_max_size,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.locations import LOG_FORMAT
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.logs import masked, masking, to_rotate
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    AptRepository,
    DefaultServer,
    ExtraConfig,
    Forwarded,
    Model,
    Settings,
    Site,
    Upstream,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.sites import Sites
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.upstreams import Inventory, Upstreams
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, package_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, listed, nearest
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.nginx_variables import knowing
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.own_variables import defined
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    APT_REPOSITORY,
    MAIN_CONTEXT,
    ROLE,
    SERVER,
    read_keys,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import hidden, marked, vaulted

PREFIX = "websocket_proxy_"

# How many variables http.conf defines for TLS, for limits, for masked arguments, for trusted proxies, and for the
# role's log format.
_TLS_VARIABLES = 7
_LIMIT_VARIABLES = 6
_MASKED_VARIABLES = 5
_TRUSTED_VARIABLES = 3
_LOG_VARIABLES = 4


_DRAINED = ("this edge is drained (stage {}); put it back into service with: ansible-playbook wsedge.nginx.drain -e "
            "state=in")


class InventoryError(ValueError):
    """The inventory cannot be compiled; ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def compile_model(variables: Mapping[str, Any], host: Host, inventory: Inventory | None = None,
                  before: Collection[str] = ()) -> Model:
    """Compile the role's VARIABLES, all that begin with ``websocket_proxy_``, for a host.

    BEFORE has the names of the sites of previous uses of the role in the same run.

    :raises InventoryError: with every problem found, each with its full path in the inventory
    """
    with knowing(defined(variables)):
        return _compiled(marked(variables), host, inventory or Inventory(), before)


def _compiled(variables: Mapping[str, Any], host: Host, inventory: Inventory, before: Collection[str]) -> Model:
    secrets = vaulted(variables)
    problems: list[str] = []
    warnings: list[str] = []

    def path_of(name: str) -> InventoryPath:
        return InventoryPath(name, problems, warnings)

    for name in sorted(set(variables) - set(ROLE)):
        problems.append(f"{name}: not a variable of this role; {_nearest_variable(name)}")
    role = {name: key.read(path_of(name), variables.get(name)) for name, key in ROLE.items()}
    _check_main_context(path_of, role)
    # This host does not use its own websocket_proxy_server. Without this check, only another host's run would find a
    # mistake in it.
    read_keys(path_of(PREFIX + "server"), SERVER, role[PREFIX + "server"])
    repository = _apt_repository(path_of(PREFIX + "apt_repository"), role[PREFIX + "apt_repository"])
    upstreams = Upstreams(path_of(PREFIX + "upstreams"), host, inventory,
                          _resolver(path_of(PREFIX + "resolver"), role[PREFIX + "resolver"]))
    groups = upstreams.compile(role[PREFIX + "upstreams"])
    sites = Sites(path_of(PREFIX + "sites"), {group.label: group for group in groups if group.label},
                  role[PREFIX + "other_upgrades"], host, role[PREFIX + "nginx_conf"] == "drop_in",
                  role[PREFIX + "extra_config"] or "")
    compiled = sites.compile(role[PREFIX + "sites"], path_of(PREFIX + "site_defaults"), role[PREFIX + "site_defaults"])
    default_servers = sites.default_servers()
    free_text = _free_text(compiled, role[PREFIX + "extra_config"])
    _check_looked_up(path_of(PREFIX + "upstreams"), groups, free_text)
    if role[PREFIX + "state"] == "present":
        _check_for_sites(path_of(PREFIX + "sites"), role, variables)
        _warn_of_removed(path_of(PREFIX + "sites"), host.sites | set(before), before, {site.name for site in compiled})
        _warn_of_unused(path_of(PREFIX + "upstreams"), groups, sites.used, free_text)
    if problems:
        # Two upstreams with the same group report the same problems.
        raise InventoryError(list(dict.fromkeys(hidden(problem, secrets) for problem in problems)))

    names = {name for site in compiled for name in site.server_names}
    scalars = {name.removeprefix(PREFIX): value for name, value in role.items() if ROLE[name].validator}
    extra = scalars.pop("extra_config")
    logs = LOG_FORMAT in free_text or any(
        LOG_FORMAT in (way.access_log or ()) for site in compiled for one in site.locations for way in (one, one.live)
        if way)
    if host.drained and role[PREFIX + "state"] == "present":
        warnings.append(_DRAINED.format(host.drained))
    mask = masking(scalars.pop("masked_arguments"), extra or "")
    if mask:
        compiled = masked(compiled, mask.usual)
    rotated_logs = to_rotate(compiled, free_text, host.rotated_logs)
    fastcgi_params, compiled = fastcgi.shared(compiled)
    references, packages = _references(groups, compiled, default_servers), _packages(groups, sites)
    variables_size = variables_max_size(_variables(upstreams, sites, compiled, logs, mask is not None))
    tls = any(site.tls for site in compiled)
    compiled, default_servers = drained(host.drained, compiled, default_servers)
    del scalars["other_upgrades"], scalars["allow_no_sites"]
    return Model(**scalars, apt_repository=repository, server_names_hash_bucket_size=bucket_size(names),
                 server_names_hash_max_size=max_size(len(names)),
                 variables_hash_max_size=variables_size,
                 routes=upstreams.routes, sources=upstreams.sources, upstreams=groups,
                 trusted=sites.trusted, forwarded=Forwarded(forwarded.positions(), forwarded.schemes()),
                 tls=tls, logs=logs, hosts=sites.hosts.all,
                 exempt=sites.zones.exempt, limit_keys=sites.zones.keys, limit_zones=list(sites.zones.all.values()),
                 own_origins=list(sites.origins.own.values()), origins=sites.origins.all,
                 https=sites.hosts.https, fastcgi_params=fastcgi_params,
                 proxy_params=sites.proxy_params.all, live_params=sites.proxy_params.live,
                 default_servers=default_servers, sites=compiled,
                 certificates=sites.certificates.all, secrets=secrets, rotated_logs=rotated_logs, masking=mask,
                 user_files={name: text for text, name in sites.passwords.names.items()},
                 readable=sorted(sites.passwords.of_the_host),
                 references=references, drained=host.drained,
                 packages=[*packages, *(["logrotate"] if rotated_logs else [])],
                 extra=ExtraConfig(PREFIX + "extra_config", extra.split("\n")) if extra else None,
                 warnings=list(dict.fromkeys(hidden(warning, secrets) for warning in warnings)))


def _check_main_context(path_of: Callable[[str], InventoryPath], role: Mapping[str, Any]) -> None:
    """Refuse too few file descriptors, and in drop-in mode the variables that only the main file can set."""
    connections, files = (role[PREFIX + "worker_connections"], role[PREFIX + "worker_rlimit_nofile"])
    if connections and files and files < connections:
        path_of(PREFIX + "worker_rlimit_nofile").refuse(
            f"{files} is less than {PREFIX}worker_connections, {connections}: each connection needs a file descriptor")
    for name in MAIN_CONTEXT if role[PREFIX + "nginx_conf"] == "drop_in" else ():
        if role[name] not in (None, ROLE[name].read(path_of(name), None)):
            path_of(name).refuse(f"with {PREFIX}nginx_conf: drop_in, this can only be set in nginx.conf, which the "
                                 "role does not write then")


def _resolver(at: InventoryPath, raw: Any) -> list[str] | None:
    """Return the addresses of DNS servers; None if all the given ones are refused."""
    found = [server for where, item in at.items(raw, "addresses")
             if (server := where.read(address_values.dns_server, item))]
    return found if found or not raw else None


def _check_for_sites(at: InventoryPath, role: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """Refuse an inventory without sites, unless allow_no_sites is set."""
    if role[PREFIX + "sites"] == [] and role[PREFIX + "allow_no_sites"] is False \
            and PREFIX + "sites" not in InventoryPath.misspelt(variables, ROLE):
        at.refuse(f"no sites are set, so a run would remove every site; set {PREFIX}state: absent to remove the edge, "
                  f"or {PREFIX}allow_no_sites: true for an edge without sites")


def _variables(upstreams: Upstreams, sites: Sites, compiled: list[Site], logs: bool,
               masks: bool) -> int:
    """Return how many of the role's variables http.conf and upstreams.conf define, besides those of every model."""
    return (2 * len(upstreams.routes) + len(upstreams.sources) + upstreams.looked_up
            + len(sites.hosts.all) - 1 + len(sites.hosts.https)
            + len(sites.zones.exempt) + len(sites.zones.keys) + (_LIMIT_VARIABLES if sites.zones.all else 0)
            + 2 * len(sites.origins.all) + len(sites.origins.own)
            + (_MASKED_VARIABLES if masks else 0) + any(one.program for site in compiled for one in site.locations)
            + sum(2 + len(one.forwarded) for one in sites.trusted) + (_TRUSTED_VARIABLES if sites.trusted else 0)
            + (_TLS_VARIABLES if any(site.tls for site in compiled) else 0) + (_LOG_VARIABLES if logs else 0))


def compile_settings(variables: Mapping[str, Any]) -> Settings:
    """Compile only the settings that a host needs to return to a previous configuration, whatever else is wrong.

    :raises InventoryError: with every problem found
    """
    problems: list[str] = []
    names = {name: PREFIX + name for name in Settings.__dataclass_fields__}
    settings = Settings(**{name: ROLE[variable].read(InventoryPath(variable, problems, []), variables.get(variable))
                           for name, variable in names.items()})
    if problems:
        raise InventoryError(problems)
    return settings


def _warn_of_removed(at: InventoryPath, known: Collection[str], before: Collection[str],
                     names: Collection[str]) -> None:
    removed = set(known).difference(names)
    if removed:
        again = removed.intersection(before)
        at.warn("these sites are no longer listed, and a run that configures the host removes them: "
                f"{listed(removed)}" + (
                    f"; the role has already run in this play with {listed(again)}. Its variables describe the "
                    "whole edge of a host: set all sites in one use of the role" if again else ""))


def _free_text(sites: list[Site], extra: str | None) -> str:
    """Return all free texts of the inventory, which are in nginx's own language."""
    texts = [text for site in sites for text in (site.extra_config, *(one.extra_config for one in site.locations))]
    return "\n".join([extra or "", *(line for text in texts if text for line in text.lines)])


def _warn_of_unused(at: InventoryPath, upstreams: list[Upstream], used: Collection[str], free: str) -> None:
    """Warn of upstreams that no site uses and no FREE text names; a name with a variable may be any of them."""
    for index, upstream in enumerate(upstreams):
        if upstream.label not in used and not re.search(
                rf"websocket_proxy_({re.escape(upstream.label)}(?![A-Za-z0-9_.-])|\$)", free):
            at[index].warn("no site uses this upstream")


def _check_looked_up(at: InventoryPath, upstreams: list[Upstream], free: str) -> None:
    """Refuse in FREE text an upstream that nginx does not define, because each request looks up its server."""
    for index, upstream in enumerate(upstreams):
        if upstream.variable and re.search(rf"websocket_proxy_{re.escape(upstream.label)}(?![A-Za-z0-9_.-])", free):
            at[index]["resolve"].refuse(
                f"an extra_config uses {upstream.name}, which this version of nginx does not have with resolve: true; "
                f"use {upstream.variable} instead")


def _references(upstreams: list[Upstream], sites: list[Site], default_servers: list[DefaultServer]) -> list[str]:
    """Return the files on the host that nginx reads with its configuration."""
    found: set[str | None] = set()
    for tls in (site.tls for site in sites if site.tls):
        client = tls.client_certificate
        found |= {tls.certificate, tls.certificate_key, *((client.ca, client.crl) if client else ())}
    for backend in (upstream.tls for upstream in upstreams if upstream.tls):
        found |= {backend.ca if backend.verify else None, backend.certificate, backend.certificate_key}
    for certificate in (one.certificate for one in default_servers if one.certificate):
        found |= {certificate.certificate, certificate.certificate_key}
    return sorted(path for path in found if path)


def _packages(upstreams: list[Upstream], sites: Sites) -> list[str]:
    """Return the packages that the host needs besides that of nginx."""
    certificates = sites.certificates.all
    return [*(["openssl"] if certificates else []), *(["certbot"] if any(one.lineage for one in certificates) else []),
            *(["ca-certificates"] if any(upstream.tls for upstream in upstreams) else [])]


def _apt_repository(at: InventoryPath, raw: object) -> AptRepository | None:
    if raw == {}:
        return None
    given = read_keys(at, APT_REPOSITORY, raw)
    if given is None:
        return None
    components = [component for where, item in at["components"].items(
        given.get("components", APT_REPOSITORY["components"].default), "components")
        if (component := where.read(package_values.suite, item))]
    url, suite = given.get("url", "//"), given.get("suite", "")
    if suite.endswith("/"):
        # sources.list(5): a path instead of a suite has no components.
        if given.get("components"):
            at["components"].refuse("a suite that ends with a slash is a path, which has no components")
        components = []
    elif given.get("components") == []:
        at["components"].refuse("the list is empty; a suite needs at least one component")
    return AptRepository(url, url.split("/")[2].split(":")[0], suite, components, given.get("key", ""))


def _nearest_variable(name: str) -> str:
    meant = nearest(name, ROLE)
    return meant if meant.startswith("did you mean") else "its variables are listed in the role's README"

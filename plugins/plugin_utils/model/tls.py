# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TLS of a site: its certificate, its protocol settings, certificates of clients, and HSTS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import LINEAGES, Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import CERTIFICATES_FOLDER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    Certificate,
    ClientCertificate,
    Profile,
    Tls,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, time_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    ACME,
    CERTIFICATES,
    CLIENT_CERTIFICATE,
    HSTS,
    TLS,
    read_keys,
    with_defaults,
)

# Since nginx 1.19.4, a TLS handshake for an unknown name can end without a certificate.
REJECT_HANDSHAKE = (1, 19, 4)
_HTTP2_DIRECTIVE = (1, 25, 1)
_HYBRID_GROUP = (3, 5)

# Source: https://ssl-config.mozilla.org/guidelines/6.0.json
_GUIDELINES = "6.0"
_CIPHERS = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"]
_GROUPS = ["X25519", "prime256v1", "secp384r1"]

# Preloading is permanent. Its list requires subdomains and a max-age of at least a year. Source:
# https://hstspreload.org
_YEAR = 31536000

# The source of a certificate by its keys. The keys of one source are set together.
_SOURCES = {key: source for source, keys in CERTIFICATES.items() for key in keys}

# Keys whose own keys are merged with those of the defaults.
_MAPPINGS = ("acme", "hsts", "client_certificate")

# The headers that tell the backend about a client's certificate. They are removed if the client sets them itself.
IDENTITY = {"X-SSL-Client-Verify": "$ssl_client_verify", "X-SSL-Client-S-DN": "$ssl_client_s_dn",
            "X-SSL-Client-I-DN": "$ssl_client_i_dn", "X-SSL-Client-Serial": "$ssl_client_serial",
            "X-SSL-Client-Fingerprint": "$ssl_client_fingerprint"}


@dataclass(frozen=True)
class SiteTls:
    """The merged ``tls`` of a site and of the defaults, each key with its inventory path.

    ``intended`` also has keys whose values were refused.
    """

    at: InventoryPath
    paths: Mapping[str, InventoryPath]
    values: Mapping[str, Any]
    intended: frozenset[str]

    def __getitem__(self, key: str) -> InventoryPath:
        """Return the inventory path at which a key is set."""
        return self.paths.get(key, self.at)[key]


def read_tls(layers: list[tuple[InventoryPath, Mapping[str, Any]]]) -> SiteTls | None:
    """Read ``tls`` of the LAYERS, the defaults first. Keys of a later layer take precedence; false switches TLS off."""
    merged: dict[str, Any] = {}
    paths: dict[str, InventoryPath] = {}
    intended: set[str] = set()
    found = None
    for holder, layer in layers:
        raw = layer.get("tls")
        if raw is None:
            continue
        where = holder["tls"]
        if raw is False:
            found, merged, paths, intended = None, {}, {}, set()
            continue
        if not isinstance(raw, Mapping):
            where.refuse(f"{shown(raw)} is not a mapping; expected one with the source of the certificate: "
                         f"{', '.join(CERTIFICATES)}")
            continue
        given = read_keys(where, TLS, raw) or {}
        found = where
        for key in _MAPPINGS:
            if isinstance(given.get(key), Mapping) and isinstance(merged.get(key), Mapping):
                given[key] = {**merged[key], **given[key]}
        own = {key for key in where.intended(raw, TLS) if not (key == "self_signed" and given.get(key) is False)}
        if own & _SOURCES.keys():
            # A certificate of the site's own replaces that of the defaults.
            merged = {key: value for key, value in merged.items() if key not in _SOURCES}
            paths = {key: at for key, at in paths.items() if key not in _SOURCES}
            intended -= _SOURCES.keys()
        merged.update(given)
        paths.update(dict.fromkeys(given, where))
        intended |= own
    return SiteTls(found, paths, with_defaults(TLS, merged), frozenset(intended)) if found else None


def listen_words(http2: bool, host: Host) -> list[str]:
    """Return the parameters of listen for TLS; before nginx 1.25.1, HTTP/2 is one of them."""
    return ["ssl", *(["http2"] if http2 and host.has(*_HTTP2_DIRECTIVE) is False else [])]


class Certificates:
    """The compiler of the sites' certificates, which it collects in ``all``.

    ``resumed`` must be false if any site asks clients for certificates. One cache serves all sites of a socket. A
    client that resumes a session is not asked again, even if its certificate has been revoked in the meantime.
    """

    def __init__(self, host: Host) -> None:
        self.all: list[Certificate] = []
        self.resumed = True
        self._host = host

    def compile(self, tls: SiteTls, site: str, server_names: list[str], answers_all: bool) -> Tls:
        """Compile the TLS of a SITE; with ANSWERS_ALL, the site also answers clients that send no server name."""
        values = tls.values
        certificate = self._certificate(tls, site, server_names)
        if certificate:
            self.all.append(certificate)
        client = self._client(tls["client_certificate"], values["client_certificate"])
        return Tls(certificate=certificate.certificate if certificate else "",
                   certificate_key=certificate.certificate_key if certificate else "",
                   profile=self.profile(values["profile"]),
                   http2=values["http2"],
                   http2_directive=values["http2"] and self._host.has(*_HTTP2_DIRECTIVE) is not False,
                   buffer_size=values["ssl_buffer_size"], client_certificate=client,
                   misdirected="$websocket_proxy_misdirected_if_named" if answers_all else
                   "$websocket_proxy_misdirected")

    def profile(self, name: str) -> Profile:
        """Return one of Mozilla's configurations, as far as the host's OpenSSL supports it."""
        hybrid = ["X25519MLKEM768"] if self._host.openssl_version >= _HYBRID_GROUP else []
        modern = name == "modern"
        return Profile(name=name, resumed=self.resumed, guidelines=_GUIDELINES,
                       protocols=["TLSv1.3"] if modern else ["TLSv1.2", "TLSv1.3"],
                       ciphers="" if modern else ":".join(_CIPHERS), groups=":".join([*hybrid, *_GROUPS]))

    def unknown(self) -> Certificate:
        """Return a certificate for unknown names, for an nginx that cannot reject a handshake."""
        for one in self.all:
            if one.site == "":
                return one
        certificate, key = _placed("", "invalid.invalid")
        self.all.append(Certificate("the default server", "", "self_signed", certificate, key,
                                    ["invalid.invalid"], "ecdsa"))
        return self.all[-1]

    def _certificate(self, tls: SiteTls, site: str, server_names: list[str]) -> Certificate | None:
        values = tls.values
        written = [key for key in _SOURCES
                   if not (values[key] is None or (key == "self_signed" and values[key] is False))]
        given = {_SOURCES[key] for key in written}
        if len(given) != 1:
            # A refused source already has an error.
            if given or not (tls.intended - tls.paths.keys()) & _SOURCES.keys():
                listed = f"found {' and '.join(written)}" if given else "found none"
                tls.at.refuse(f"tls needs exactly one source of its certificate: {', '.join(CERTIFICATES)}; {listed}")
            return None
        (source,) = given
        for key in CERTIFICATES[source]:
            if values[key] is None:
                if key not in tls.intended:
                    tls.at.refuse(f'"{key}" is missing')
                return None
        names = [name.strip("[]") for name in server_names if not name.startswith("~")]
        key_type = values["key_type"]
        at = tls[CERTIFICATES[source][0]]
        if source == "certificate":
            return Certificate(at.path, site, source, values["certificate"], values["certificate_key"], names, key_type)
        if source == "certificate_content":
            content = values["certificate_content"], values["certificate_key_content"]
            return Certificate(at.path, site, source, *_placed(site, *content), names, key_type, content=content)
        if source == "self_signed":
            if not names:
                at.refuse("a certificate cannot contain a regular expression; add a plain server name, or bring your "
                          "own certificate")
            return Certificate(at.path, site, source, *_placed(site, *sorted(names), key_type), names, key_type)
        return self._acme(at, tls, site, server_names, names)

    def _acme(self, at: InventoryPath, tls: SiteTls, site: str, server_names: list[str],
              names: list[str]) -> Certificate | None:
        given = read_keys(at, ACME, tls.values["acme"])
        if given is None:
            return None
        options = with_defaults(ACME, given)
        if given.get("agree_tos") is False:
            at["agree_tos"].refuse("the CA issues certificates only with agree_tos: true, which accepts its terms of "
                                   "service")
        for name in server_names:
            if name.startswith(("~", "*")) or address_values.is_address(name):
                at.refuse(f"{shown(name)} is not a plain host name, and the CA checks names with a request on port 80 "
                          "(RFC 8555 8.3); move this name to a site with a certificate of its own")
        if tls.values["redirect"] is False:
            tls["redirect"].refuse("the CA checks names on port 80, where only the redirect listens; keep the "
                                   "redirect, or use another source for the certificate")
        lineage = f"websocket_proxy_{site}"
        # Until certbot has a certificate, the site uses a self-signed one.
        paths = (f"{LINEAGES}/{lineage}/fullchain.pem", f"{LINEAGES}/{lineage}/privkey.pem") \
            if lineage in self._host.lineages else _placed(site, *sorted(names), tls.values["key_type"])
        return Certificate(at.path, site, "acme", *paths, names, tls.values["key_type"], lineage,
                           options["email"] or "", options["directory_url"])

    def _client(self, at: InventoryPath, raw: object) -> ClientCertificate | None:
        if raw is None or raw is False:
            return None
        given = read_keys(at, CLIENT_CERTIFICATE, raw)
        if given is None:
            return None
        options = with_defaults(CLIENT_CERTIFICATE, given)
        return ClientCertificate(options["ca"] or "", options["verify"], options["depth"], options["crl"])


def hsts_header(tls: SiteTls) -> dict[str, str | None]:
    """Return the header of RFC 6797 as a layer of response headers."""
    at, raw = tls["hsts"], tls.values["hsts"]
    given = None if raw is None or raw is False else read_keys(at, HSTS, raw)
    if given is None:
        return {}
    options = with_defaults(HSTS, given)
    age = time_values.in_seconds(options["max_age"])
    if tls.values["self_signed"]:
        at.refuse("with HSTS, a browser refuses untrusted certificates without an exception, and self-signed ones are "
                  "untrusted; remove hsts, or use another certificate")
    if options["preload"] and not (options["include_subdomains"] and age >= _YEAR):
        at["preload"].refuse("the preload list requires include_subdomains: true and a max_age of at least 365d")
    if options["preload"] and tls.values["redirect"] is False:
        at["preload"].refuse("the preload list requires a redirect on port 80")
    words = [f"max-age={age}", *(["includeSubDomains"] if options["include_subdomains"] else []),
             *(["preload"] if options["preload"] else [])]
    return {"Strict-Transport-Security": "; ".join(words)}


def _placed(site: str, *made_of: str) -> tuple[str, str]:
    """Return the paths of a certificate and its key that the role installs."""
    # Each name contains a checksum of the file's sources, so no file ever changes. The files of a previous generation
    # exist as long as the generation.
    checksum = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    stem = f"{CERTIFICATES_FOLDER}/{site or 'unknown-names'}-{checksum}"
    return f"{stem}.pem", f"{stem}.key"

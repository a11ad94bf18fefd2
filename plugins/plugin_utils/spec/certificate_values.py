# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of certificates, keys and the data for a CA."""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.address_values import (
    is_address,
    is_host_name,
    server_name,
    url,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text


def pem(value: object) -> str:
    """Accept text in PEM form (RFC 7468), and return it from its BEGIN line on.

    The text is never shown. The host checks its content.
    """
    if hasattr(value, "__ENCRYPTED__"):
        value = str(value)  # ansible-core before 2.19 has a separate class for vaulted values
    found = re.search(r"^-----BEGIN [A-Z0-9 ]+-----$", value, re.MULTILINE) if isinstance(value, str) else None
    if not isinstance(value, str) or not found:
        raise Refused("this is not the text of a PEM file, which has -----BEGIN on a line of its own; for a path, use "
                      "the key without _content")
    checked = value[found.start():].replace("\r\n", "\n").strip() + "\n"
    check_lines(checked)
    return checked


def certificates(value: object) -> str:
    """Accept certificates in PEM form."""
    checked = pem(value)
    if "PRIVATE KEY" in checked:
        raise Refused("this contains a private key, which belongs only in certificate_key_content")
    return checked


def private_key(value: object) -> str:
    """Accept a private key in PEM form without a password; it is never shown."""
    checked = pem(value)
    if checked.startswith("-----BEGIN ENCRYPTED"):
        raise Refused("this key has a password, and nginx cannot ask for it; remove it with openssl pkey, and keep the "
                      "key in a vault")
    if not re.match(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\n|-----BEGIN EC PARAMETERS-----\n", checked):
        raise Refused(f"this is not a private key, but begins with {checked.splitlines()[0]}")
    return checked


def email(value: object) -> str:
    """Accept an address for messages from a CA (RFC 8555 7.3)."""
    checked = text(value)
    local, _at, domain = checked.rpartition("@")
    # certbot would take an address that begins with a minus sign for an option.
    is_local = re.fullmatch(r"[A-Za-z0-9._%+][A-Za-z0-9._%+-]{0,63}", local, re.ASCII)
    if not is_local or not is_host_name(domain) or "." not in domain:
        raise Refused(f"{shown(value)} is not an address; expected one such as admin@example.com")
    return checked


def directory_url(value: object) -> str:
    """Accept the address of an ACME server's directory (RFC 8555 7.1.1)."""
    return url(value, "https", "directory of an ACME server", "https://acme-v02.api.letsencrypt.org/directory")


def tls_name(value: object) -> str:
    """Accept the name that nginx requests from a server, and that its certificate must contain (RFC 6066 3)."""
    checked = server_name(value)
    if checked.startswith("*") or is_address(checked):
        raise Refused(f"{shown(value)} is not a host name; nginx compares only host names with a certificate")
    return checked


def verify(value: object) -> str:
    """Accept ``on`` if clients need a certificate, or ``optional``."""
    if value is True or value == "on":
        return "on"  # YAML reads on as true
    if value != "optional":
        raise Refused(f"{shown(value)} is neither on nor optional; to ask for no certificate, remove "
                      "client_certificate")
    return "optional"

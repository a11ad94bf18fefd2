# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The check and installation of nginx's certificates: the work of the module nginx_certificates."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import shutil
import ssl
import stat
import tempfile
import time
from contextlib import suppress
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, lock, read, sync
from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_DAY = 86400
_NAMES = ("ssl_certificate", "ssl_certificate_key")

# X509_V_FLAG_PARTIAL_CHAIN: a chain may end at any trusted certificate, whoever issued it. Python has a name for it
# since 3.10.
_PARTIAL_CHAIN = 0x80000

# Ten years: no client trusts a self-signed certificate, so a shorter lifetime has no benefit.
_DAYS = 3650


class _Password(Exception):
    """A key that has a password."""


def _refuse() -> str:
    raise _Password


# Many sites may share one certificate.
@functools.cache
def decoded(path: str) -> dict[str, Any]:
    """Return the first certificate of a file, in the format of SSLSocket.getpeercert().

    :raises ssl.SSLError: the file has no certificate
    """
    # Python has no other way to read a certificate that is not verified, and it is not known yet whether it is valid.
    return dict(ssl._ssl._test_decode_cert(path))  # type: ignore[attr-defined]


def _names(certificate: dict[str, Any]) -> set[str]:
    names = set()
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "DNS":
            names.add(value.lower())
        elif kind == "IP Address":
            names.add(str(ipaddress.ip_address(value.strip())))
    return names


def _has(names: set[str], name: str) -> bool:
    """Return whether a certificate with these names is valid for a name; ``*`` matches one label (RFC 6125 6.4.3)."""
    if ":" in name or re.fullmatch(r"[0-9.]+", name):
        return str(ipaddress.ip_address(name)) in names
    return name in names or (not name.startswith("*.") and f"*.{name.partition('.')[2]}" in names)


def _date(text: str) -> float:
    return float(ssl.cert_time_to_seconds(text))


@functools.cache
def problems_of_pair(certificate: str, key: str) -> list[str]:
    """Return the problems that prevent nginx from loading a certificate with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        decoded(certificate)
    except (ssl.SSLError, ValueError):
        return [f"{certificate} contains no certificate in PEM format"]
    try:
        context.load_cert_chain(certificate, key, _refuse)
    except _Password:
        return [f"{key} has a password, and nginx cannot ask for it; remove it with: openssl pkey -in {key}"]
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            return [f"{key} is not the key of the first certificate in {certificate}; the site's own certificate must "
                    "come first"]
        if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
            return [f"{certificate} is too weak for this host's OpenSSL: {error.reason}"]
        return [f"{certificate} and {key} cannot be loaded: {error.reason or error}"]
    return []


@functools.cache
def problems_of_chain(certificate: str, key: str) -> list[str]:
    """Return why the first certificate of a file cannot be verified with the certificates that follow it.

    For a file with one certificate, only its purpose is checked.
    """
    texts = _CERTIFICATE.findall((read(certificate) or b"").decode(errors="replace"))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= _PARTIAL_CHAIN
    try:
        server.load_cert_chain(certificate, key)
        client.load_verify_locations(cadata="\n".join(texts[1:] or texts))
        _shake_hands(client, server)
    except ssl.SSLCertVerificationError as error:
        if texts[1:]:
            return [f"the chain in {certificate} is not valid: {error.verify_message}; put the site's own certificate "
                    "first, and the intermediate ones after it"]
        return [f"{certificate} cannot be used as a server's certificate: {error.verify_message}"]
    except ssl.SSLError as error:
        return [f"{certificate} contains a certificate that cannot be read: {error.reason or error}"]
    return []


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Perform a TLS handshake between a client and a server in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _turn in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue


def problems_of(certificate: str, key: str, names: list[str]) -> list[str]:
    """Return the problems that prevent nginx from using a certificate for these names now."""
    problems = [f"{path} is not on the host; install it before the role runs"
                for path in (certificate, key) if not os.path.isfile(path)]
    if problems:
        return problems
    if stat.S_IMODE(os.stat(key).st_mode) & 0o007:
        problems.append(f"every user on the host can read {key}; run: chmod o= {key}")
    unloadable = problems_of_pair(certificate, key)
    problems += unloadable
    try:
        found = decoded(certificate)
    except (ssl.SSLError, ValueError):
        return problems
    lacking = [name for name in names if not _has(_names(found), name)]
    if lacking:
        problems.append(f"{certificate} is not for {', '.join(lacking)}, but for "
                        f"{', '.join(sorted(_names(found))) or 'no name at all (subjectAltName)'}")
    if _date(found["notAfter"]) <= time.time():
        problems.append(f"{certificate} expired on {found['notAfter']}")
    elif _date(found["notBefore"]) > time.time():
        problems.append(f"{certificate} is not valid before {found['notBefore']}; is the host's clock right?")
    elif not unloadable:
        problems += problems_of_chain(certificate, key)
    return problems


def to_issue(one: dict[str, Any]) -> str:
    """Return why certbot has to replace its current certificate by a new one; empty if it does not have to."""
    found = decoded(one["certificate"])
    if _date(found["notAfter"]) <= time.time():
        return f"it expired on {found['notAfter']}"
    if _names(found) != set(one["names"]):
        return f"it is for {', '.join(sorted(_names(found)))}"
    folder, lineage = os.path.split(os.path.dirname(one["certificate"]))
    renewal = os.path.join(os.path.dirname(folder), "renewal", f"{lineage}.conf")
    text = (read(renewal) or b"").decode(errors="replace")
    settings = dict(re.findall(r"^(server|key_type) *= *(\S+)", text, re.MULTILINE))
    for key, wanted in (("server", one["directory_url"]), ("key_type", one["key_type"])):
        if settings.get(key, wanted) != wanted:
            return f"its {key} is {settings[key]}"
    return ""


def dates(certificate: str) -> tuple[float, float]:
    """Return when the first certificate of a file becomes valid and when it expires, in seconds since 1970.

    :raises ssl.SSLError: the file has no certificate
    """
    found = decoded(certificate)
    return _date(found["notBefore"]), _date(found["notAfter"])


def days_of_warning(begin: float, end: float, warn_days: int) -> float:
    """Return how many days before the expiry of a certificate to warn: at most the last third of its lifetime."""
    return min(warn_days, (end - begin) / _DAY / 3)


def warning_of(certificate: str, warn_days: int) -> str | None:
    """Return a warning if a certificate expires soon, or None."""
    found = decoded(certificate)
    begin, end = dates(certificate)
    left = (end - time.time()) / _DAY
    if left < 0 or left > days_of_warning(begin, end, warn_days):
        return None
    return f"{certificate} expires in {int(left)} days, on {found['notAfter']}"


def _only_roots(path: str) -> bool:
    return os.path.isfile(path) and stat.S_IMODE(os.stat(path).st_mode) == 0o600


def make(run: Run, certificate: str, key: str, names: list[str], key_type: str) -> None:
    """Make a self-signed certificate and a key without a password.

    :raises Failure: openssl is not installed, or fails
    """
    alternatives = ",".join(f"{'IP' if ':' in name or re.fullmatch(r'[0-9.]+', name) else 'DNS'}:{name}"
                            for name in names)
    common = next((name for name in names if len(name) <= 64), "websocket_proxy")
    usage = "digitalSignature,keyEncipherment" if key_type == "rsa" else "digitalSignature"
    settings = (f"[req]\nprompt=no\ndistinguished_name=subject\nx509_extensions=extensions\n[subject]\nCN={common}\n"
                f"[extensions]\nsubjectAltName={alternatives}\nbasicConstraints=critical,CA:FALSE\n"
                f"keyUsage=critical,{usage}\nextendedKeyUsage=serverAuth\n")
    kind = ["rsa:2048"] if key_type == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-sha256", "-days", str(_DAYS), "-keyout", key,
               "-out", certificate]
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(settings)
        file.flush()
        done = run(*command, "-config", file.name)
    if done.code == 127:
        raise Failure("openssl is not installed, and a certificate is made with it; install openssl")
    if done.code:
        raise Failure(f"openssl failed to make a certificate: {(done.output + done.errors).strip().splitlines()[-1]}")


class Certificates:
    """One run, which compares the wanted certificates with those on the host."""

    def __init__(self, params: dict[str, Any], check: bool, run: Run) -> None:
        self.params = params
        self.call = run
        self.check = check
        self.changed = False
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.issue: list[dict[str, Any]] = []
        self.forgotten: list[str] = []

    def run(self) -> None:
        """Check and install the wanted certificates, and remove unused ones.

        :raises Failure: a certificate cannot be used
        """
        folder = self.params["folder"]
        made_here = {one[key] for one in self.params["certificates"] for key in ("certificate", "certificate_key")
                     if os.path.dirname(one[key]) == folder}
        if not self.check:
            lock(os.path.dirname(folder))
            if made_here and not os.path.isdir(folder):
                os.mkdir(folder, 0o700)
        try:
            self._place(made_here)
            self._remove(made_here)
        finally:
            if not self.check and os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)

    def _place(self, made_here: set[str]) -> None:
        folder = self.params["folder"]
        # Only root can enter a temporary folder. In check mode, nothing is left behind.
        with tempfile.TemporaryDirectory(dir=None if self.check or not made_here else folder) as self.aside:
            ready = [pair for one in self.params["certificates"] for pair in self._one(one)]
            if self.problems:
                raise Failure("\n".join(["The certificates cannot be used; nothing was changed:", *self.problems]))
            self.changed = bool(ready)
            for new, path in ready if not self.check else []:
                sync(new)
                os.rename(new, path)
        if ready and not self.check:
            # The following commit needs these files, even after a power failure.
            sync(folder)

    def _one(self, one: dict[str, Any]) -> list[tuple[str, str]]:
        """Check a certificate; return the files to rename, each with its final path."""
        certificate, key, names = one["certificate"], one["certificate_key"], one["names"]
        if one["source"] == "certificate":
            self._judge(one, problems_of(certificate, key, names))
            return []
        if one["source"] == "acme":
            if os.path.dirname(certificate) != self.params["folder"]:
                self._judge_lineage(one)
                return []
            self.issue.append({**self._shown(one), "reason": "there is none yet"})
        if one["source"] == "certificate_content":
            return self._from_content(one)
        if os.path.isfile(certificate) and _only_roots(key) and not problems_of(certificate, key, names):
            if one["source"] == "self_signed":
                self._judge(one, [])
            return []
        new_certificate, new_key = self._aside(certificate), self._aside(key)
        if not self.check:
            make(self.call, new_certificate, new_key, names, one["key_type"])
        return [(new_key, key), (new_certificate, certificate)]

    def _judge(self, one: dict[str, Any], found: list[str]) -> None:
        self.problems += [f"{one['inventory_path']}: {text}" for text in found]
        warning = None if found else warning_of(one["certificate"], self.params["warn_days"])
        if warning:
            self.warnings.append(f"{one['inventory_path']}: {warning}")

    def _judge_lineage(self, one: dict[str, Any]) -> None:
        """Request a new certificate if this one is not as wanted; refuse problems that a new one would not solve."""
        certificate, key = one["certificate"], one["certificate_key"]
        missing = [path for path in (certificate, key) if not os.path.isfile(path)]
        reason = "" if missing or problems_of_pair(certificate, key) else to_issue(one)
        if reason:
            self.issue.append({**self._shown(one), "reason": reason})
        self._judge(one, [] if reason else problems_of(certificate, key, one["names"]))

    def _from_content(self, one: dict[str, Any]) -> list[tuple[str, str]]:
        given = {path: self.params["contents"][path] for path in (one["certificate_key"], one["certificate"])}
        different = [path for path, text in given.items() if read(path) != text.encode() or not _only_roots(path)]
        for path in different:
            with open(os.open(self._aside(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
                      encoding="utf-8") as file:
                file.write(given[path])
        now = {path: self._aside(path) if path in different else path for path in given}
        found = problems_of(now[one["certificate"]], now[one["certificate_key"]], one["names"])
        for key in ("certificate_key", "certificate"):
            found = [text.replace(now[one[key]], f"{key}_content") for text in found]
        self._judge({**one, "certificate": now[one["certificate"]]}, found)
        return [(now[path], path) for path in different]

    def _aside(self, path: str) -> str:
        return os.path.join(self.aside, os.path.basename(path))

    @staticmethod
    def _shown(one: dict[str, Any]) -> dict[str, Any]:
        return {key: one[key] for key in ("inventory_path", "site", "names", "key_type", "lineage", "email",
                                          "directory_url")}

    def _remove(self, wanted: set[str]) -> None:
        """Remove what is in our folder, not wanted, and not named by any generation; list such lineages."""
        folder, lineages = self.params["folder"], self.params["lineages"]
        left = {os.path.join(folder, name) for name in os.listdir(folder)} - wanted if os.path.isdir(folder) else set()
        kept = {one["lineage"] for one in self.params["certificates"]}
        others = {name for name in os.listdir(lineages) if name.startswith("websocket_proxy_")} - kept \
            if os.path.isdir(lineages) else set()
        if not left and not others:
            return
        named: set[str] = set()
        for parent, _folders, names in os.walk(self.params["generations"]):
            for name in names:
                text = (read(os.path.join(parent, name)) or b"").decode(errors="surrogateescape")
                with suppress(Unreadable):
                    named.update(path for one in directives(text) if one.words[0] in _NAMES for path in one.words[1:])
        self.forgotten = sorted(name for name in others if os.path.join(lineages, name, "fullchain.pem") not in named)
        for path in left - named if not self.check else set():
            if os.path.isdir(path):
                # An interrupted run left this temporary folder.
                shutil.rmtree(path)
            else:
                os.unlink(path)

"""Script that makes the scenario's certificates: make_pki.py FOLDER PROXY...

FOLDER/hosts contains the files for each host, by their paths there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support.pki import Authority, Pair, key_text

FILES = Path(__file__).parent


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, unless it is a certificate or a unit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if path.suffix == ".key" else 0o644
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)


def main(folder: Path, proxies: list[str]) -> None:
    """Write a CA, and for each proxy valid and invalid certificates with its names."""
    # The folders on the hosts get the modes of these folders.
    os.umask(0o022)
    folder.mkdir(mode=0o700, exist_ok=True)
    root = Authority("root", days=300)
    below = Authority("below root", root, days=300)

    def put(stem: Path, pair: Pair) -> None:
        write(stem.with_name(f"{stem.name}.pem"), pair.certificate)
        write(stem.with_name(f"{stem.name}.key"), pair.key)

    outside = folder / "hosts/outside"
    for host in ("outside", *proxies):
        write(folder / "hosts" / host / "usr/local/share/ca-certificates/tests.crt", root.certificate)
    put(outside / "etc/pebble/server", below.issue("ca.test"))
    write(outside / "etc/pebble/pebble.json", (FILES / "pebble.json").read_text())
    write(outside / "etc/systemd/system/pebble.service", (FILES / "pebble.service").read_text())
    for proxy in proxies:
        host = folder / "hosts" / proxy

        def issue(kind: str, proxy: str = proxy, **how: float) -> Pair:
            return below.issue(f"{kind}.{proxy}.test", **how)

        # Without this, a renewal waits for minutes on Debian 11.
        write(host / "etc/systemd/system/certbot.service.d/at-once.conf",
              "[Service]\nExecStart=\nExecStart=/usr/bin/certbot -q renew --no-random-sleep-on-renew\n")

        there = issue("there")
        put(folder / f"there.{proxy}.test", there)
        put(host / "etc/ssl/tests/there", there)
        put(folder / f"copied.{proxy}.test", issue("copied", days=90))
        put(folder / f"again.{proxy}.test", issue("copied"))
        put(folder / f"renewed.{proxy}.test", below.issue(f"there.{proxy}.test", kind="rsa"))
        put(folder / f"wrong.{proxy}.test", issue("elsewhere"))
        put(folder / f"expired.{proxy}.test", issue("expired", days=-0.5, begin=-2))
        mismatched, other, protected = issue("mismatched"), issue("mismatched"), issue("protected")
        put(folder / f"mismatched.{proxy}.test", Pair(mismatched.certificate, other.key, mismatched.private))
        put(folder / f"protected.{proxy}.test",
            Pair(protected.certificate, key_text(protected.private, "secret"), protected.private))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

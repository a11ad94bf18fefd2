"""Makes the certificates of the scenario: make_pki.py FOLDER HOST..."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.pki import Authority, Pair, key_text


def main(folder: Path, hosts: list[str]) -> None:
    """Write a CA, and for each host what is right and what is wrong with its names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    root = Authority("root", days=300)
    below = Authority("below root", root, days=300)

    def write(name: str, pair: Pair) -> None:
        (folder / f"{name}.pem").write_text(pair.certificate)
        (folder / f"{name}.key").write_text(pair.key)

    (folder / "ca.pem").write_text(root.certificate)
    write("ca.test", below.issue("ca.test"))
    for host in hosts:
        name = f"copied.{host}.test"
        right = below.issue(name, days=90)
        write(name, right)
        write(f"there.{host}.test", below.issue(f"there.{host}.test"))
        write(f"renewed.{host}.test", below.issue(f"there.{host}.test", kind="rsa"))
        write(f"wrong.{host}.test", below.issue("elsewhere.test"))
        write(f"expired.{host}.test", below.issue(name, days=-0.5, begin=-2))
        write(f"mismatched.{host}.test", Pair(right.certificate, below.issue(name).key, right.private))
        write(f"protected.{host}.test", Pair(right.certificate, key_text(right.private, "secret"), right.private))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

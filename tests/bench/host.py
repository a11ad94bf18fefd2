"""A Debian host in a container, with systemd and an SSH server: Ansible logs in to it as to a user's own host."""

from __future__ import annotations

import subprocess
import time
import uuid
from pathlib import Path

# systemd needs these options to be the first process of an unprivileged container.
SYSTEMD = ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run", "--tmpfs",
           "/run/lock", "--tmpfs", "/tmp", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--security-opt",
           "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--env", "container=docker"]
USER = "admin"
BOOT = 60  # seconds


def docker(*words: str, given: str | None = None) -> str:
    """Run docker; return its output."""
    return subprocess.run(["docker", *words], input=given, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Host:
    """A host that runs from its creation until `remove`."""

    def __init__(self, image: str, public_key: str) -> None:
        self._name = f"wsedge-bench-{uuid.uuid4().hex[:12]}"
        docker("run", "--detach", "--rm", "--name", self._name, "--publish", "127.0.0.1::22", *SYSTEMD, image,
               "/lib/systemd/systemd")
        deadline = time.monotonic() + BOOT
        while self.run("systemctl is-system-running 2>&1 || true") not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"{self._name} is not up after {BOOT} s"
            time.sleep(0.2)
        self.run(f"install -d -o {USER} -m 700 ~{USER}/.ssh; cat > ~{USER}/.ssh/authorized_keys; "
                 f"chown {USER} ~{USER}/.ssh/authorized_keys", public_key)
        self.port = int(docker("port", self._name, "22/tcp").rsplit(":", 1)[1])

    def run(self, command: str, given: str = "") -> str:
        """Run a shell command as root; return its output."""
        return docker("exec", "--interactive", self._name, "sh", "-c", command, given=given)

    def remove(self) -> None:
        """Remove the host."""
        subprocess.run(["docker", "rm", "--force", "--volumes", self._name], stdout=subprocess.DEVNULL, check=False)


def new_key(folder: Path) -> tuple[Path, str]:
    """Make an SSH key pair; return the file of the private key and the text of the public key."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key, key.with_suffix(".pub").read_text()

"""Files with passwords of the inventory on a host, and who can read them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.host import FOLDER, Host, site
from tests.support.key_examples import HASH
from tests.support.releases import NEWEST

pytestmark = NEWEST
EVERY_NAME = {"port": 8091, "default_server": True}
USERS = {"basic": {"users": {"alice": HASH}}}


@pytest.fixture(name="real")
def real_(host: Host) -> Iterator[str]:
    """Provide a hash of alice's password."""
    yield host.shell("openssl passwd -6 alice").strip()


def status(host: Host, *options: str) -> str:
    """Return the status of a page."""
    return host.run(f"curl -s -o /dev/null -w '%{{http_code}}' {' '.join(options)} http://127.0.0.1:8091/")[1]


def modes(host: Host) -> str:
    """Return the modes of the folder, and of all files that other users than root can read."""
    return host.shell(f"cd {FOLDER} && stat -c '%a %U:%G' . && find . -type f -perm /077 -printf '%m %u:%g %f\\n'")


def test_only_root_and_nginxs_workers_read_them_and_they_work(host: Host, real: str) -> None:
    host.serve(site(EVERY_NAME, auth={"basic": {"users": {"alice": real}}}))
    assert modes(host) == "710 root:www-data\n640 root:www-data users-1\n"
    assert status(host) == "401" and status(host, "-u alice:alice") == "502"
    assert host.run(f"su nobody -s /bin/sh -c 'cat {FOLDER}/*/users-1 {FOLDER}/$(readlink {FOLDER}/proved)/users-1'")[0]
    assert real not in host.shell("cat /var/log/nginx/*.log")
    # Another user makes another generation. Without users, only root can enter the folder again.
    host.serve(site(EVERY_NAME, auth={"basic": {"users": {"bob": real}}}))
    assert status(host, "-u alice:alice") == "401" and status(host, "-u bob:alice") == "502"
    host.serve(site(EVERY_NAME))
    assert status(host) == "502"


def test_a_rollback_restores_the_previous_passwords(host: Host, real: str) -> None:
    generation = host.serve(site(EVERY_NAME, auth={"basic": {"users": {"alice": real}}}))
    host.serve(site(EVERY_NAME, auth={"basic": {"users": {"bob": real}}}))
    done = host.configure(site(EVERY_NAME), state="rolled_back", generation=generation)
    assert done["changed"] and "users-1" in done["different"]
    host.reload()
    assert status(host, "-u alice:alice") == "502" and status(host, "-u bob:alice") == "401"


def test_a_file_that_the_workers_cannot_read_is_refused_before_it_is_in_force(host: Host) -> None:
    host.serve(site(EVERY_NAME))
    guarded = site(EVERY_NAME, auth={"basic": {"file": "/etc/nginx/own_users"}})
    assert "/etc/nginx/own_users is not on the host; create it" in host.refuses(guarded)
    host.write({"/etc/nginx/own_users": f"alice:{HASH}\n"})
    host.shell("chmod 600 /etc/nginx/own_users")
    assert "/etc/nginx/own_users cannot be read by nginx's workers" in host.refuses(guarded)
    host.shell("chgrp www-data /etc/nginx/own_users; chmod 640 /etc/nginx/own_users")
    host.serve(guarded)
    assert status(host) == "401"


def test_folders_on_the_way_and_other_groups_of_the_workers_count(host: Host, real: str) -> None:
    host.serve(site(EVERY_NAME))
    guarded = site(EVERY_NAME, auth={"basic": {"file": "/etc/shut/own_users"}})
    host.shell("install -d -m 700 /etc/shut && install -m 644 /dev/null /etc/shut/own_users")
    host.write({"/etc/shut/own_users": f"alice:{real}\n"})
    assert "/etc/shut/own_users cannot be read by nginx's workers, which run as www-data" in host.refuses(guarded)
    host.shell("groupadd tests-users; usermod -aG tests-users www-data; chgrp -R tests-users /etc/shut; "
               "chmod 750 /etc/shut; chmod 640 /etc/shut/own_users")
    host.serve(guarded)
    assert status(host) == "401" and status(host, "-u alice:alice") == "502"

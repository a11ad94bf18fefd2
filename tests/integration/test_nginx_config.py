"""The transaction on a host's own files: Debian's nginx.conf, its default site, and the records of dpkg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.container import Container

FOLDER = "/etc/nginx/websocket_proxy"
MAIN = "/etc/nginx/nginx.conf"
DEFAULT = "/etc/nginx/sites-enabled/default"
TEXT = f"""user www-data;
pid /run/nginx.pid;
events {{}}
http {{
    include {FOLDER}/@generation@/*.conf;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}}
"""
BROKEN = "server {\n    listen 8081;\n    proxy_read_timeout 30 sec;\n}\n"


def server(port: int) -> str:
    """Return a file of the configuration."""
    return f"server {{\n    listen {port};\n    return 204;\n}}\n"


@pytest.fixture(name="host")
def host_(sealed: Container) -> Container:
    """Return a host with newly installed packages."""
    sealed.restore()
    return sealed


def arguments(text: str, **others: Any) -> dict[str, Any]:
    """Return the module's arguments for a configuration with one file."""
    return {"folder": FOLDER, "divert": True, "unlink": [DEFAULT], "content": TEXT,
            "files": [{"name": "site.conf", "content": text}], **others}


def tried(host: Container, text: str = server(8081), check: bool = False, umask: int = 0o022,
          **others: Any) -> dict[str, Any]:
    """Run the module."""
    return host.module("nginx_config", arguments(text, **others), check, umask)


def committed(host: Container, text: str = server(8081), **others: Any) -> str:
    """Run the module, which must change something; return the generation."""
    result = tried(host, text, **others)
    assert result.get("changed"), result
    return str(result["generation"])


def tree(host: Container) -> str:
    """Return everything below /etc/nginx, with content, mode, owner, and time of files, and all diversions."""
    return host.shell("cd /etc/nginx && find . -type d -printf '%p %m %u:%g\\n' -o -printf '%p %y %m %u:%g %l %T@\\n' "
                      "| sort && find . -type f -exec sha256sum {} + | sort && dpkg-divert --list '*nginx*' "
                      "&& ls -A /run/websocket_proxy && ls /run | grep nginx || true")


def dropped_in(host: Container, state: str) -> dict[str, Any]:
    """Run the module as if the configuration were a drop-in file of another role's nginx.conf."""
    return host.module("nginx_config", {"folder": FOLDER, "state": state, "path": "/etc/nginx/conf.d/edge.conf",
                                        "entry": MAIN, "content": f"include {FOLDER}/@generation@/*.conf;\n"})


def times(host: Container) -> str:
    """Return when anything below /etc/nginx was changed, including folders and links."""
    return host.shell("find /etc/nginx -printf '%p %T@ %C@\\n' | sort")


def generations(host: Container) -> list[str]:
    """Return the names of all generations, hidden ones too."""
    return host.shell(f"ls -A {FOLDER}").split()


def live(host: Container) -> str:
    """Return the generation that nginx.conf names."""
    found = re.search(FOLDER + "/([^/]+)/", host.shell(f"cat {MAIN}"))
    assert found
    return found[1]


# --- taking over

def test_the_first_commit_diverts_debians_file_and_turns_the_default_site_off(host: Container) -> None:
    generation = committed(host)
    assert generation == live(host)
    assert host.shell(f"dpkg-divert --truename {MAIN}").strip() == f"{MAIN}.distrib"
    host.shell(f"cmp {MAIN}.distrib /root/nginx/nginx.conf")
    host.shell(f"test ! -e {DEFAULT} && cmp /etc/nginx/sites-available/default /root/nginx/sites-available/default")
    assert host.shell(f"cat {FOLDER}/{generation}/site.conf") == server(8081)
    assert "listen 8081;" in host.shell("nginx -T; rm -f /run/nginx.pid")


def test_a_second_run_changes_nothing_not_even_a_time(host: Container) -> None:
    generation = committed(host)
    before = times(host)
    result = tried(host)
    assert (result["changed"], result["generation"], result["different"]) == (False, generation, [])
    assert times(host) == before


def test_an_edited_main_file_is_refused_with_the_remedy(host: Container) -> None:
    host.shell(f"sed -i s/768/4096/ {MAIN}")
    before = tree(host)
    for _run in range(2):
        result = tried(host)
        assert result["failed"]
        assert f"{MAIN} has been edited" in result["msg"] and f"entry: {MAIN}" in result["msg"]
        assert tree(host) == before


def test_a_main_file_that_is_a_link_is_refused(host: Container) -> None:
    host.shell(f"mv {MAIN} /etc/nginx/real.conf && ln -s real.conf {MAIN}")
    before = tree(host)
    assert f"{MAIN} is a symbolic link" in tried(host)["msg"]
    assert tree(host) == before


def test_a_main_file_with_a_diversion_of_another_role_is_refused(host: Container) -> None:
    host.shell(f"dpkg-divert --local --no-rename --divert {MAIN}.theirs --add {MAIN}")
    before = tree(host)
    assert f"already diverted to {MAIN}.theirs" in tried(host)["msg"]
    assert tree(host) == before


@pytest.mark.parametrize("how", ["echo '# mine' >> /etc/nginx/sites-available/default",
                                 f"ln -sf ../conf.d/mine {DEFAULT} && : > /etc/nginx/conf.d/mine",
                                 f"rm {DEFAULT} && cp /etc/nginx/sites-available/default {DEFAULT}"],
                         ids=["edited", "a link elsewhere", "a file"])
def test_a_default_site_that_is_somebodys_own_stays(host: Container, how: str) -> None:
    host.shell(how)
    before = host.shell(f"ls -l --full-time {DEFAULT} && cat {DEFAULT}")
    committed(host)
    assert host.shell(f"ls -l --full-time {DEFAULT} && cat {DEFAULT}") == before


@pytest.fixture
def disposable(image: str) -> Iterator[Container]:
    """Provide a container whose packages may be changed."""
    container = Container(image, "none")
    yield container
    container.remove()


# A package of the same name and version as the installed one, with another nginx.conf.
ANOTHER_PACKAGE = r"""
set -e
mkdir -p /tmp/package/DEBIAN /tmp/package/etc
cp -a /root/nginx /tmp/package/etc/nginx
rm -rf /tmp/package/etc/nginx/sites-enabled /tmp/package/etc/nginx/modules-enabled
echo '# newer' >> /tmp/package/etc/nginx/nginx.conf
cd /tmp/package
find etc -type f -printf '/%p\n' > DEBIAN/conffiles
dpkg-query -W -f 'Package: nginx-common\nVersion: ${Version}\nArchitecture: all\n' nginx-common > DEBIAN/control
printf 'Maintainer: x <x@example.com>\nDescription: x\n' >> DEBIAN/control
dpkg-deb --build /tmp/package /tmp/another.deb
"""


def test_a_newer_package_asks_about_an_edited_file(disposable: Container) -> None:
    disposable.shell(ANOTHER_PACKAGE)
    disposable.shell(f"echo '# mine' >> {MAIN}")
    code, output = disposable.run("dpkg --install /tmp/another.deb")
    assert code != 0 and "end of file on stdin at conffile prompt" in output.lower().replace("eof", "end of file")


def test_a_newer_package_asks_nothing_after_a_commit_and_leaves_its_file_beside(disposable: Container) -> None:
    disposable.shell(ANOTHER_PACKAGE)
    generation = committed(disposable)
    disposable.shell("dpkg --install /tmp/another.deb")
    assert live(disposable) == generation
    assert disposable.shell(f"tail -n 1 {MAIN}.distrib") == "# newer\n"
    assert not tried(disposable)["changed"]


# --- traces of a test

LOGS = "access_log /var/log/nginx/new.log;\nproxy_cache_path /var/cache/new keys_zone=new:1m;\n"


@pytest.mark.parametrize("first", [True, False], ids=["first", "another"])
def test_a_check_and_a_refused_run_leave_no_logs_and_caches(host: Container, first: bool) -> None:
    host.shell("rm -rf /var/log/nginx/new.log /var/cache/new")
    if not first:
        committed(host)
    files = "find /var ! -type d ! -path '/var/lib/dpkg*' | sort"
    before = host.shell(files)
    assert tried(host, LOGS + server(8082), check=True)["changed"]
    assert tried(host, LOGS + BROKEN)["failed"]
    assert host.shell(files) == before
    assert host.run("test -e /var/cache/new")[0] != 0
    committed(host, LOGS + server(8082))
    host.shell("test -f /var/log/nginx/new.log")


# --- secrets

def header(value: str) -> str:
    """Return a file with a secret, and with a header that is secret by its name."""
    headers = f"    add_header X-A {value};\n    add_header X-Token {value};\n"
    return server(8081).replace("    return", f"{headers}    return")


@pytest.mark.parametrize("state", ["present", "rolled_back"])
def test_a_difference_shows_no_secret_of_any_generation(host: Container, state: str) -> None:
    first = committed(host, header("S3cret1"), masked={"site.conf": [2]})
    committed(host, header("S3cret2"), masked={"site.conf": [2]})
    if state == "present":
        before = tried(host, check=True)["before"]["site.conf"]
        assert "add_header ********\n    add_header X-Token ********;\n" in before
    told = tried(host, check=True, state=state, generation=first)
    assert told["changed"] and "S3cret" not in str(told)


def test_a_difference_shows_no_secret_of_a_generation_that_does_not_tell(host: Container) -> None:
    first = committed(host, header("S3cret1"))
    host.shell(f"rm {FOLDER}/{first}/masked")
    told = tried(host, header("S3cret2"), check=True, masked={"site.conf": [2]})
    assert told["changed"] and "S3cret" not in str(told["before"])


def test_what_came_into_a_vault_since_is_noted_by_a_run_that_changes_nothing(host: Container) -> None:
    first = committed(host, header("S3cret1"))
    told = tried(host, header("S3cret1"), masked={"site.conf": [2]})
    assert (told["generation"], told["different"]) == (first, [])
    assert host.shell(f"cat {FOLDER}/{first}/masked; stat -c %a {FOLDER}/{first}/masked") == '{"site.conf": [2]}600\n'


# --- changing

def test_a_change_is_a_new_generation_and_the_last_ones_are_kept(host: Container) -> None:
    names = [committed(host, server(8081 + number), keep=3) for number in range(5)]
    assert [int(name.split("-")[0]) for name in names] == [1, 2, 3, 4, 5]
    assert live(host) == names[-1]
    assert [name for name in generations(host) if name in names] == names[-3:]


def test_what_was_before_comes_back_as_a_new_generation(host: Container) -> None:
    first, _second = committed(host), committed(host, server(8082))
    third = committed(host)
    assert third.split("-")[1] == first.split("-")[1] and third != first


def test_a_file_that_is_wanted_no_more_goes(host: Container) -> None:
    files = [{"name": "site.conf", "content": server(8081)}, {"name": "more.conf", "content": server(8082)}]
    committed(host, files=files)
    assert "listen 8082;" in host.shell("nginx -T; rm -f /run/nginx.pid")
    assert tried(host)["different"] == ["more.conf"]
    assert "listen 8082;" not in host.shell("nginx -T; rm -f /run/nginx.pid")


@pytest.mark.parametrize("edit", [
    "echo '# mine' >> site.conf", "rm site.conf", "echo > mine.conf", f"echo '# mine' >> {MAIN}",
    "chown www-data site.conf"], ids=["edited", "removed", "added", "main edited", "owner"])
def test_what_was_done_by_hand_is_put_right_by_a_new_generation(host: Container, edit: str) -> None:
    first = committed(host)
    host.shell(f"cd {FOLDER}/{first} && {edit}")
    second = committed(host)
    assert (first.partition("-")[0], second.partition("-")[0]) == ("000001", "000002")
    assert host.shell(f"ls {FOLDER}/{second}/*.conf && cat {FOLDER}/{second}/site.conf") == \
        f"{FOLDER}/{second}/site.conf\n{server(8081)}"
    assert host.shell(f"stat -c '%a %U' {MAIN} {FOLDER}/{second}/site.conf") == "644 root\n600 root\n"
    assert "# mine" not in host.shell(f"cat {MAIN}")
    assert not tried(host)["changed"]


# Every user could read the files of an earlier version.
OPEN = (f"find {FOLDER} -type d -exec chmod 755 {{}} + && find {FOLDER} -type f -exec chmod 644 {{}} + "
        f"&& chmod 666 {MAIN}")


def test_only_root_reads_what_the_inventory_says(host: Container) -> None:
    for number in range(2):
        committed(host, server(8081 + number))
    assert host.shell(f"find {FOLDER} -perm /077 ! -type l") == ""
    assert host.shell(f"stat -c %a {MAIN} {MAIN}.distrib") == "644\n644\n"


@pytest.mark.parametrize("state", ["present", "rolled_back"])
def test_what_an_earlier_version_left_to_read_is_shut_in_place(host: Container, state: str) -> None:
    names = [committed(host, server(8081 + number)) for number in range(2)]
    host.shell(OPEN)
    how = {"state": state, "generation": names[-1]}
    before = tree(host)
    would = tried(host, server(8082), check=True, **how)
    assert (would["changed"], would["reload"], tree(host)) == (True, False, before)
    result = tried(host, server(8082), **how)
    assert (result["changed"], result["reload"], result["generation"]) == (True, False, names[-1])
    assert host.shell(f"find {FOLDER} -perm /077 ! -type l; stat -c %a {MAIN}") == "644\n"
    assert [name for name in generations(host) if name in names] == names
    assert not tried(host, server(8082))["changed"]


def test_what_an_earlier_version_left_to_read_is_shut_by_a_change_too(host: Container) -> None:
    committed(host)
    host.shell(OPEN)
    assert tried(host, server(8082))["reload"]
    assert host.shell(f"find {FOLDER} -perm /077 ! -type l; stat -c %a {MAIN}") == "644\n"


def test_a_file_that_is_referred_to_and_has_changed_is_a_new_generation(host: Container) -> None:
    host.shell("echo one > /etc/nginx/certificate.pem")
    first = committed(host, references=["/etc/nginx/certificate.pem"])
    assert not tried(host, references=["/etc/nginx/certificate.pem"])["changed"]
    host.shell("echo two > /etc/nginx/certificate.pem")
    assert committed(host, references=["/etc/nginx/certificate.pem"]) != first


# --- failing

@pytest.mark.parametrize("after_a_commit", [False, True], ids=["at first", "later"])
def test_a_broken_configuration_fails_twice_the_same_and_touches_nothing(host: Container, after_a_commit: bool) -> None:
    if after_a_commit:
        committed(host)
    before = tree(host)
    messages = [tried(host, BROKEN)["msg"] for _run in range(2)]
    assert 'invalid number of arguments in "proxy_read_timeout" directive' in messages[0]
    assert "site.conf:3" in messages[0] and "proxy_read_timeout 30 sec;" in messages[0]
    plain = [re.sub(r"(\d\d:){2}\d\d|\d+#\d+", "", message) for message in messages]
    assert plain[0] == plain[1]
    assert tree(host) == before


def test_a_broken_file_of_another_role_is_found_by_every_run(host: Container) -> None:
    committed(host)
    host.shell("echo 'broken;' > /etc/nginx/conf.d/theirs.conf")
    before = tree(host)
    for text in (server(8081), server(8082), server(8081)):
        assert 'unknown directive "broken" in /etc/nginx/conf.d/theirs.conf:1' in tried(host, text)["msg"]
        assert tree(host) == before


def test_a_warning_of_nginx_is_told(host: Container) -> None:
    result = tried(host, 2 * "server {\n    listen 8081;\n    server_name a;\n}\n")
    assert result["changed"] and 'conflicting server name "a"' in str(result["told"])


@pytest.mark.parametrize("after_a_commit", [False, True], ids=["at first", "later"])
def test_a_check_tells_what_a_run_would_do_and_touches_nothing(host: Container, after_a_commit: bool) -> None:
    if after_a_commit:
        committed(host)
    before = tree(host)
    told = tried(host, server(8082), check=True)
    assert told["changed"] and "site.conf" in told["different"]
    assert tree(host) == before
    done = tried(host, server(8082))
    assert (done["generation"], done["different"]) == (told["generation"], told["different"])


def test_a_check_finds_a_broken_configuration_too(host: Container) -> None:
    before = tree(host)
    assert "proxy_read_timeout" in tried(host, BROKEN, check=True)["msg"]
    assert tree(host) == before


# --- leftovers

@pytest.mark.parametrize("text", [server(8081), BROKEN], ids=["good", "broken"])
def test_the_test_leaves_no_pid_file_and_no_socket(host: Container, text: str) -> None:
    listen = "server {\n    listen unix:/run/websocket_proxy/nginx.sock;\n}\n"
    for _run in range(2):
        tried(host, text + listen, socket="/run/websocket_proxy/nginx.sock")
        host.shell("test ! -e /run/nginx.pid && test ! -e /run/websocket_proxy/nginx.sock")


def test_a_pid_file_that_was_there_stays(host: Container) -> None:
    host.shell("echo 1 > /run/nginx.pid")
    committed(host)
    assert host.shell("cat /run/nginx.pid") == "1\n"


@pytest.mark.parametrize("text", [server(8081), server(8082)], ids=["nothing to change", "a change"])
def test_what_a_killed_run_left_is_removed_by_the_next(host: Container, text: str) -> None:
    first = committed(host)
    host.shell(f"mkdir {FOLDER}/.000009-aaaaaaaaaaaa.partial {FOLDER}/.000001-bbbbbbbbbbbb.removed "
               f"{FOLDER}/000002-cccccccccccc && echo x > {FOLDER}/.000009-aaaaaaaaaaaa.partial/site.conf "
               "&& echo x > /etc/nginx/.nginx.conf.000002-cccccccccccc")
    second = str(tried(host, text)["generation"])
    assert [name for name in generations(host) if name != "before"] == sorted({first, second})
    assert second.startswith("000001-" if text == server(8081) else "000002-")
    assert host.shell("find /etc/nginx -name '.*'") == ""


def test_the_umask_of_whoever_runs_it_does_not_matter(host: Container) -> None:
    modes = []
    for umask in (0o022, 0o077):
        host.restore()
        tried(host, umask=umask)
        modes.append(host.shell("find /etc/nginx -printf '%p %m %u:%g\\n' | sort"))
    assert FOLDER in modes[0]
    assert modes[0] == modes[1]


# --- removal and rollback

def test_absent_leaves_the_host_just_as_it_was(host: Container) -> None:
    before = tree(host)
    committed(host)
    committed(host, server(8082))
    assert host.module("nginx_config", arguments("", state="absent"))["changed"]
    # The link is new; everything else is unchanged, including times.
    assert re.sub(r"(sites-enabled/default l .*) \S+\n", r"\1\n", tree(host)) == \
        re.sub(r"(sites-enabled/default l .*) \S+\n", r"\1\n", before)
    assert not host.module("nginx_config", arguments("", state="absent"))["changed"]


def test_rolled_back_is_the_generation_before_as_a_new_one(host: Container) -> None:
    first, _second = committed(host), committed(host, server(8082))
    result = host.module("nginx_config", {"folder": FOLDER, "divert": True, "state": "rolled_back"})
    assert result["generation"].split("-") == ["000003", first.split("-")[1]]
    assert host.shell(f"cat {FOLDER}/{live(host)}/site.conf") == server(8081)


@pytest.mark.parametrize("state", ["present", "absent", "rolled_back"])
def test_a_configuration_that_was_made_at_another_place_is_refused_and_not_damaged(host: Container, state: str) -> None:
    committed(host)
    before = tree(host)
    assert f"path: {MAIN}" in dropped_in(host, state)["msg"]
    assert tree(host) == before


def test_what_goes_is_told_for_the_diff_though_nothing_is_sent(host: Container) -> None:
    both = [{"name": "site.conf", "content": server(8081)}, {"name": "more.conf", "content": server(8082)}]
    committed(host, files=both)
    result = tried(host)
    assert result["different"] == ["more.conf"] and result["before"] == {"more.conf": server(8082)}


def test_an_error_in_the_main_file_quotes_the_line_that_was_wanted(host: Container) -> None:
    committed(host)
    message = tried(host, content=TEXT.replace("events {}", "events {}\nno_such_directive 1;"))["msg"]
    assert message.endswith(f"in {MAIN}:4\n    no_such_directive 1;")

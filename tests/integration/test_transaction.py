"""The transaction on a faulty host, and beside the files of other roles.

Only the newest release runs these tests: they check the module, and nginx does the same with every release.
test_package.py checks dpkg, with the oldest release as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.sandbox import SOCKET, Sandbox, arguments, drop_in

FOLDER = "/etc/nginx/websocket_proxy"
INSIDE = "/etc/nginx/conf.d/websocket_proxy.conf"


@pytest.fixture(scope="module")
def sandbox(image_names: dict[str, str]) -> Iterator[Sandbox]:
    """Provide a container for all tests."""
    container = Sandbox(image_names["trixie"])
    yield container
    container.remove()


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Provide that container with newly installed packages."""
    sandbox.restore()
    yield sandbox
    sandbox.shell("mount -o remount,rw,size=50%,nr_inodes=9999 /etc/nginx")


def told(box: Sandbox, what: dict[str, Any], **how: Any) -> str:
    """Run the module, which must fail and leave /etc/nginx untouched; return the error."""
    before = box.tree()
    result = box.module("nginx_config", what, **how)
    assert result.get("failed"), result
    assert box.tree() == before
    return str(result["msg"])


# --- a faulty host


@pytest.mark.parametrize("limit", ["size", "nr_inodes"])
@pytest.mark.parametrize("before", [None, "old"], ids=["first commit", "change"])
def test_on_a_full_disk_all_is_written_or_nothing(box: Sandbox, limit: str, before: str | None) -> None:
    if before:
        box.commit(arguments(before))
    column = {"size": "--output=used -B1024", "nr_inodes": "--output=iused"}[limit]
    used = int(box.shell(f"df {column} /etc/nginx | tail -n 1"))
    errors = []
    for free in range(40):
        # A file takes at least one page.
        limited = f"size={used + 4 * free}k" if limit == "size" else f"nr_inodes={used + free}"
        box.shell(f"mount -o remount,{limited} /etc/nginx")
        tree = box.tree()
        result = box.module("nginx_config", arguments("new"))
        if not result.get("failed"):
            break
        errors.append(result["msg"])
        assert box.tree() == tree
    assert len(errors) > 3 and result["changed"]
    assert all("No space left on device: '/etc/nginx/" in error and "\n" not in error for error in errors)


def test_on_a_read_only_file_system_a_change_fails_and_no_change_passes(box: Sandbox) -> None:
    box.commit(arguments())
    box.shell("mount -o remount,ro /etc/nginx")
    assert "Read-only file system: '/etc/nginx/" in told(box, arguments("new"))
    assert box.module("nginx_config", arguments(socket=None))["changed"] is False


def test_on_a_read_only_file_system_the_first_commit_fails(box: Sandbox) -> None:
    box.shell("mount -o remount,ro /etc/nginx")
    assert "Read-only file system: '/etc/nginx/" in told(box, arguments())


def test_runs_at_once_come_one_after_the_other(box: Sandbox) -> None:
    answers = [f"run{number}" for number in range(6)]
    for answer in answers:
        question = {"do": "module", "name": "nginx_config", "umask": 18, "arguments": arguments(answer, keep=9)}
        box.write({f"/tmp/once/{answer}": json.dumps(question) + "\n"})
    told = box.shell("cd /tmp/once && for run in run*; do python3 -B /inside/agent.py < $run & done; wait")
    results = [json.loads(json.loads(line)["output"]) for line in told.splitlines()]
    assert not [result for result in results if result.get("failed")]
    results.sort(key=lambda result: result["generation"])
    generations = [result["generation"] for result in results]
    assert [int(name.split("-")[0]) for name in generations] == [1, 2, 3, 4, 5, 6]
    assert [result["previous_generation"] for result in results] == ["", *generations[:-1]]
    assert box.shell(f"ls -A {FOLDER}").split() == [*generations, "before"]
    assert generations[-1] in box.shell("cat /etc/nginx/nginx.conf")
    assert box.shell(f"cat {FOLDER}/*/site.conf | grep -o 'run.' | sort").split() == answers
    assert box.shell("find /etc/nginx -name '.*'") == ""


@pytest.mark.parametrize(("how", "error"), [
    (f"mkdir /etc/nginx/else && ln -s else {FOLDER}", f"{FOLDER} is a symbolic link"),
    (f"echo theirs > {FOLDER}", f"Not a directory: '{FOLDER}"),
    ("mv /usr/sbin/nginx /usr/sbin/nginx.away", "/usr/sbin/nginx does not exist; install nginx first"),
    ("echo theirs > /etc/nginx/nginx.conf.distrib", "/etc/nginx/nginx.conf.distrib already exists"),
    ("rm -r /etc/nginx/mime.types && mkdir /etc/nginx/mime.types", "Is a directory: '/etc/nginx/mime.types'"),
], ids=["a folder that is a link", "a folder that is a file", "no nginx", "another file in the way",
        "a reference that is a folder"])
def test_what_is_in_the_way_is_named(box: Sandbox, how: str, error: str) -> None:
    box.shell(how)
    try:
        assert error in told(box, arguments(references=["/etc/nginx/mime.types"]))
    finally:
        box.shell("[ -e /usr/sbin/nginx ] || mv /usr/sbin/nginx.away /usr/sbin/nginx")


def test_a_package_text_that_apt_cannot_fetch_keeps_an_edited_file_from_being_replaced(box: Sandbox) -> None:
    box.edit()
    assert "apt-get download nginx-common=" in told(box, arguments(replace=True))


def test_etc_nginx_that_is_a_link_is_refused(box: Sandbox) -> None:
    box.shell("ln -sfn /etc/nginx /srv/nginx")
    what = arguments(path="/srv/nginx/nginx.conf", folder="/srv/nginx/websocket_proxy")
    assert "/srv/nginx is a symbolic link" in told(box, what)


def test_a_folder_of_the_drop_in_that_is_a_link_is_as_good_as_any(box: Sandbox) -> None:
    box.edit()
    box.shell("rm -rf /etc/nginx/conf.d /srv/conf.d && mkdir /srv/conf.d && ln -s /srv/conf.d /etc/nginx/conf.d")
    box.commit(drop_in("new"))
    assert "return 200 new;" in box.dump()
    assert box.shell("ls -A /srv/conf.d") == "websocket_proxy.conf\n"


@pytest.mark.parametrize("check", [False, True])
def test_a_host_without_nginx_is_told_of_unless_it_is_a_check(box: Sandbox, check: bool) -> None:
    what = arguments(path="/etc/elsewhere/nginx.conf", folder="/etc/elsewhere/websocket_proxy")
    result = box.module("nginx_config", what, check=check)
    if check:
        assert result["changed"] and set(result["different"]) == {"status.conf", "site.conf", what["path"]}
    else:
        assert "there is no folder /etc/elsewhere; install nginx first" in result["msg"]
    box.shell("test ! -e /etc/elsewhere")


# --- files of other roles


def test_nothing_of_others_is_touched_by_anything(box: Sandbox) -> None:
    theirs = ["conf.d/theirs.conf", "conf.d/.hidden", "sites-enabled/theirs", "modules-enabled/theirs.conf",
              ".nginx.conf.swp", "nginx.conf.dpkg-dist", "websocket_proxy.conf", "snippets/theirs.conf"]
    box.write({f"/etc/nginx/{name}": "# theirs\n" for name in theirs})
    box.shell("cd /etc/nginx && chown www-data conf.d/theirs.conf && chmod 600 sites-enabled/theirs "
              "&& ln -s theirs sites-enabled/link && touch -d 2001-01-01 " + " ".join(theirs))
    look = ("cd /etc/nginx && find . -path ./websocket_proxy -prune "
            "-o -name 'nginx.conf*' ! -name '*.dpkg-dist' -prune "
            "-o ! -type d ! -path ./sites-enabled/default -printf '%p %m %U %T@ %i\\n' | sort")
    before = box.shell(look)
    assert all(f"./{name} " in before for name in theirs)
    for what in (arguments(), arguments("b"), arguments(state="rolled_back"), arguments(state="absent")):
        box.commit(what)
        assert box.shell(look) == before


def test_what_is_not_ours_in_our_folder_is_told_of_and_stays(box: Sandbox) -> None:
    box.commit(arguments())
    strays = [f"{FOLDER}/README", f"{FOLDER}/old"]
    box.write({strays[0]: "theirs", f"{strays[1]}/site.conf": "theirs"})
    for what in (arguments(), arguments("b"), arguments(state="rolled_back"), arguments(state="absent")):
        result = box.module("nginx_config", what)
        assert result["strays"] == strays and all(stray in str(result["warnings"]) for stray in strays)
    assert box.shell(f"ls -A {FOLDER}").split() == ["README", "old"]
    assert box.shell(f"cat {' '.join(strays[:1])} {strays[1]}/site.conf") == "theirstheirs"


def test_a_broken_file_of_another_role_fails_until_it_is_repaired(box: Sandbox) -> None:
    generation = box.commit(arguments())
    box.write({"/etc/nginx/conf.d/theirs.conf": "proxy_read_timeout 30 sec;\n"})
    for what in (arguments(), arguments("b"), arguments()):
        assert "/etc/nginx/conf.d/theirs.conf:1\n    proxy_read_timeout 30 sec;" in told(box, what)
    box.write({"/etc/nginx/conf.d/theirs.conf": "proxy_read_timeout 30s;\n"})
    result = box.module("nginx_config", arguments(socket=None))
    assert (result["changed"], result["generation"]) == (False, generation)


@pytest.mark.parametrize(("listen", "error"), [
    ("80 default_server", "a duplicate default server for 0.0.0.0:80"),
    ("80 backlog=7", "duplicate listen options for 0.0.0.0:80")])
def test_a_duplicate_socket_in_another_file_is_reported_with_that_file(
        box: Sandbox, listen: str, error: str) -> None:
    box.write({"/etc/nginx/sites-enabled/theirs": f"server {{\n    listen {listen};\n}}\n"})
    ours = arguments(files=[{"name": "site.conf", "content": "server {\n    listen 80 default_server backlog=7;\n}\n"}])
    assert f"{error} in /etc/nginx/sites-enabled/theirs:2\n    listen {listen};" in told(box, ours)


def test_what_does_not_go_together_with_the_default_site_takes_its_place(box: Sandbox) -> None:
    box.commit(arguments())
    assert "listen 80 default_server" in box.dump()
    box.commit(arguments(state="absent"))
    assert box.shell("readlink /etc/nginx/sites-enabled/default") == "/etc/nginx/sites-available/default\n"
    assert "sites-enabled/default" in box.dump()


def test_a_file_that_does_not_go_together_with_what_was_there_before_is_found_before_the_removal(box: Sandbox) -> None:
    box.commit(arguments(files=[]))
    box.write({"/etc/nginx/conf.d/theirs.conf": "server {\n    listen 80 default_server;\n}\n"})
    error = told(box, arguments(state="absent"))
    assert "a duplicate default server for 0.0.0.0:80" in error and "the configuration from before the role" in error


def test_a_generation_that_runs_is_kept(box: Sandbox) -> None:
    first = box.commit(arguments())
    box.shell("nginx")
    try:
        for answer in "bcd":
            result = box.module("nginx_config", arguments(answer))
            assert result["running_generation"] == first and result["changed"]
        assert [int(name[:6]) for name in box.shell(f"ls {FOLDER} | grep -v before").split()] == [1, 3, 4]
        assert box.shell("cat /run/nginx.pid").strip().isdigit()
        box.shell(f"test -S {SOCKET}")
    finally:
        box.shell("nginx -s stop; while [ -e /run/nginx.pid ]; do sleep 0.01; done")


def test_what_an_earlier_test_of_nginx_left_is_removed(box: Sandbox) -> None:
    bind = f"import socket; socket.socket(socket.AF_UNIX).bind('{SOCKET}')"
    box.shell(f': > /run/nginx.pid && python3 -c "{bind}"')
    box.commit(arguments())
    assert box.shell("ls -A /run/websocket_proxy; ls /run | grep nginx || true") == ""


# --- a drop-in file of another role's configuration

PLACES = {
    "absolute": "include /etc/nginx/conf.d/*.conf;",
    "relative": "include conf.d/*.conf;",
    "by name": "include conf.d/websocket_proxy.conf;",
    "among others": "include mime.types; include conf.d/*.conf; include sites-enabled/*;",
    "in double quotes": 'include "/etc/nginx/conf.d/*.conf";',
    "in single quotes": "include 'conf.d/*.conf';",
    "after a comment": "# it's here: include conf.d/*.conf;\n    include conf.d/*.conf; # include conf.d/*.conf;",
    "after quotes": "log_format x 'it\\'s # \"; include conf.d/*.conf; '; include conf.d/*.conf;",
    "after a word with quotes": "server { listen 82; rewrite ^/it's/#$ /a\"b; } include conf.d/*.conf;",
}


def theirs(include: str) -> dict[str, str]:
    """Return the files of a host whose nginx.conf belongs to another role."""
    return {"/etc/nginx/nginx.conf": f"user www-data;\nevents {{}}\nhttp {{\n    {include}\n}}\n",
            "/etc/nginx/conf.d/a.conf": "server { listen 83; return 200 a; }\n",
            "/etc/nginx/conf.d/z.conf": "server { listen 84; return 200 z; }\n"}


@pytest.mark.parametrize("include", PLACES.values(), ids=PLACES)
def test_the_drop_in_is_tested_wherever_it_is_included(box: Sandbox, include: str) -> None:
    box.write(theirs(include))
    before = box.shell("cd /etc/nginx && stat -c '%n %Y %i %a' nginx.conf conf.d/a.conf conf.d/z.conf")
    # The first time, the drop-in file does not exist; the second time, it does.
    for answer in ("first", "second"):
        box.commit(drop_in(answer))
        assert f"return 200 {answer};" in box.dump()
        assert "no_such_directive" in told(box, drop_in("third; } no_such_directive on; server { listen 85"))
    assert box.shell("cd /etc/nginx && stat -c '%n %Y %i %a' nginx.conf conf.d/a.conf conf.d/z.conf") == before
    box.commit(drop_in(state="absent"))
    assert box.shell("ls -A /etc/nginx/conf.d").split() == ["a.conf", "z.conf"]


@pytest.mark.parametrize(("include", "error"), [
    ("include conf.d/*.conf; include conf.d/w*.conf;", f"includes {INSIDE} 2 times"),
    ("include sites-enabled/*;", f"does not include {INSIDE}; add 'include /etc/nginx/conf.d/*.conf;'"),
    ("# include conf.d/*.conf;", f"does not include {INSIDE}"),
    ("log_format x 'include conf.d/*.conf;';", f"does not include {INSIDE}"),
    ("include more.conf;", f"{INSIDE} is included by /etc/nginx/more.conf and not by /etc/nginx/nginx.conf itself"),
], ids=["twice", "not at all", "in a comment", "in quotes", "through another file"])
def test_a_drop_in_that_cannot_be_tested_is_refused(box: Sandbox, include: str, error: str) -> None:
    box.write({**theirs(include), "/etc/nginx/more.conf": "include conf.d/*.conf;\n"})
    box.shell("rm /etc/nginx/sites-enabled/default")
    assert error in told(box, drop_in())


# --- back to an earlier generation


def test_rolled_back_before_the_second_generation_is_refused(box: Sandbox) -> None:
    assert "has no generation before the first" in told(box, arguments(state="rolled_back"))
    first = box.commit(arguments())
    assert f"has no generation before {first}" in told(box, arguments(state="rolled_back"))


def test_rolled_back_is_to_other_texts_also_after_a_certificate_was_renewed(box: Sandbox) -> None:
    first = box.commit(arguments("good", keep=2))
    box.commit(arguments("bad", keep=2, references=["/tmp/certificate"]))
    for renewal in range(5):
        box.shell(f"echo {renewal} > /tmp/certificate")
        last = box.commit(arguments("bad", keep=2, references=["/tmp/certificate"]))
    assert int(last.split("-")[0]) == 7
    assert first in box.shell(f"ls {FOLDER}").split()
    box.commit(arguments(state="rolled_back", keep=2))
    assert "return 200 good;" in box.dump()


def proved(box: Sandbox, generation: str) -> str:
    """Mark a generation as if nginx was seen to run it; return the generation."""
    box.shell(f"ln -sfn {generation} {FOLDER}/proved")
    return generation


@pytest.mark.parametrize("keep", [2, 5])
def test_rolled_back_is_not_to_a_step_and_steps_do_not_stay(box: Sandbox, keep: int) -> None:
    proved(box, box.commit(arguments("good", keep=keep)))
    step = box.module("nginx_config", arguments("step", keep=keep, interim=True))
    assert step["interim"] and step["earlier_generation"] == step["previous_generation"]
    proved(box, step["generation"])
    last = proved(box, box.commit(arguments("certified", keep=keep)))
    assert box.commit(arguments("certified", keep=keep)) == last
    assert step["generation"] not in box.shell(f"ls {FOLDER}").split()
    box.commit(arguments(state="rolled_back", keep=keep))
    assert "return 200 good;" in box.dump()


def test_a_step_that_stays_as_it_is_becomes_a_configuration(box: Sandbox) -> None:
    box.commit(arguments("good"))
    step = box.commit(arguments("same", interim=True))
    assert box.commit(arguments("same", interim=True)) == step != box.commit(arguments("same"))
    box.commit(arguments("other"))
    box.commit(arguments(state="rolled_back"))
    assert "return 200 same;" in box.dump()


def test_a_configuration_with_the_texts_of_a_step_does_for_it(box: Sandbox) -> None:
    good = box.commit(arguments("good"))
    result = box.module("nginx_config", arguments("good", interim=True, socket=None))
    assert (result["changed"], result["generation"], result["interim"]) == (False, good, False)


def test_from_steps_of_runs_that_were_cut_off_there_is_the_same_to_go_back_to(box: Sandbox) -> None:
    good = proved(box, box.commit(arguments("good")))
    for answer in ("one", "two", "two"):
        assert box.module("nginx_config", arguments(answer, interim=True))["earlier_generation"] == good
    box.commit(arguments(state="rolled_back", generation=good))
    assert "return 200 good;" in box.dump()


def test_from_steps_on_a_host_that_had_nothing_there_is_nothing_to_go_back_to(box: Sandbox) -> None:
    for answer in ("one", "two"):
        assert box.module("nginx_config", arguments(answer, interim=True))["earlier_generation"] == ""
    assert "has no generation before" in told(box, arguments(state="rolled_back"))


def test_rolled_back_to_a_step_by_name_is_a_step_again(box: Sandbox) -> None:
    box.commit(arguments("good"))
    step = proved(box, box.commit(arguments("step", interim=True)))
    box.commit(arguments("certified"))
    assert box.module("nginx_config", arguments(state="rolled_back", generation=step))["interim"]


def test_rolled_back_to_an_unknown_generation_names_those_that_there_are(box: Sandbox) -> None:
    names = [box.commit(arguments(answer)) for answer in "ab"]
    error = told(box, arguments(state="rolled_back", generation="000007-aaaaaaaaaaaa"))
    assert f"000007-aaaaaaaaaaaa is not a generation in {FOLDER}; there are: {', '.join(names)}" in error


def test_rolled_back_by_name_is_done_once(box: Sandbox) -> None:
    names = [box.commit(arguments(answer, keep=5)) for answer in "abc"]
    back = arguments(state="rolled_back", generation=names[0], keep=5, socket=None)
    result = box.module("nginx_config", back)
    assert result["changed"] and result["different"] == ["site.conf"] and "return 200 a;" in box.dump()
    again = box.module("nginx_config", back)
    assert (again["changed"], again["generation"]) == (False, result["generation"])


def test_rolled_back_is_never_to_what_was_not_in_force(box: Sandbox) -> None:
    first, second = (box.commit(arguments(answer)) for answer in "ab")
    box.shell(f"cp -a {FOLDER}/{second} {FOLDER}/000003-aaaaaaaaaaaa && sed -i s/{second}/000003-aaaaaaaaaaaa/ "
              f"{FOLDER}/000003-aaaaaaaaaaaa/* && sed -i 's/200 b/200 never/' {FOLDER}/000003-aaaaaaaaaaaa/site.conf")
    assert box.commit(arguments(state="rolled_back")).split("-") == ["000003", first.split("-")[1]]
    assert "return 200 a;" in box.dump()

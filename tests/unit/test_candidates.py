"""A candidate of another role's main file: it differs from the file only in our include."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.module_utils.candidates import mirrored, swapped
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like /etc/nginx, in which the included file does not exist yet."""
    path = tmp_path_factory.mktemp("nginx")
    for name in ("mime.types", "conf.d/a.conf", "conf.d/z.conf", "conf.d/.hidden.conf", "sites/one"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text("# empty\n")
    return path


# Statements that do not include our file, however similar they look. The folder's path replaces FOLDER.
OTHERS = [
    "gzip on;", "include mime.types;", "include FOLDER/sites/*;", "include conf.d/.*.conf;", "include conf.d/a*.conf;",
    "# include conf.d/*.conf;\n", "#include conf.d/*.conf;\n", "# it's\n", '# "\n',
    "## don't { include conf.d/*.conf;\n",
    'log_format x "include conf.d/*.conf;";', "log_format x 'a\n; include conf.d/*.conf; b';",
    r'log_format x "\"; include conf.d/*.conf; \"";', r"log_format x 'it\'s; include conf.d/*.conf;';",
    "rewrite ^/a\"b /it's;", "return 301 http://host/#/a;", "set $include conf.d/*.conf;", "map $a $b { include one; }",
    "server { location /include { return 200 include; } }", "if ($a ~ ${b}x) { set $c d; }", r"set $a \";",
    r"set $a b\;;",
    "xinclude conf.d/*.conf;", "include-conf.d/*.conf;", "server_name include;",
]
OURS = [
    "include conf.d/*.conf;", "include FOLDER/conf.d/*.conf;", "include\tconf.d/*.conf ;",
    "include\n  conf.d/*.conf\n;",
    'include "conf.d/*.conf";', "include 'FOLDER/conf.d/*.conf';", "include conf.d/*;", "include conf.d/[m-q]*.conf;",
    "include conf.d/ours.conf;", "include # where?\n conf.d/?urs.conf;", '"include"  conf.d/o*;',
]


def expected(folder: Path, statement: str) -> str:
    """Return the replacement for one of OURS."""
    names = ["a.conf", "ours.conf", "z.conf"] if statement.split("conf.d/")[1].startswith("*") else ["ours.conf"]
    paths = [str(folder / "conf.d" / name) if name != "ours.conf" else "/candidate" for name in names]
    return " ".join(f'include "{path}";' for path in paths)


BLANKS = st.sampled_from([" ", "\n", "\t", "\r\n", "\n\n    "])
SOME = st.lists(st.tuples(st.sampled_from(OTHERS), BLANKS).map("".join), max_size=6).map("".join)


@settings(deadline=None)
@given(SOME, st.sampled_from(OURS), SOME)
def test_only_our_include_is_swapped(folder: Path, before: str, ours: str, after: str) -> None:
    before, after = before.replace("FOLDER", str(folder)), after.replace("FOLDER", str(folder))
    statement = ours.replace("FOLDER", str(folder))
    entry = folder / "nginx.conf"
    entry.write_text(f"{before}http {{{statement} {after}}}", newline="")
    assert swapped(str(entry), str(folder / "conf.d/ours.conf"), "/candidate") == \
        f"{before}http {{{expected(folder, ours)} {after}}}"


@settings(deadline=None)
@given(SOME)
def test_without_our_include_it_fails_and_names_the_remedy(folder: Path, text: str) -> None:
    entry = folder / "nginx.conf"
    entry.write_text(text.replace("FOLDER", str(folder)), newline="")
    with pytest.raises(Failure, match=r"does not include .*ours\.conf; add 'include .*/conf\.d/\*\.conf;'"):
        swapped(str(entry), str(folder / "conf.d/ours.conf"), "/candidate")


@settings(deadline=None)
@given(SOME, st.sampled_from(OURS), SOME, st.sampled_from(OURS))
def test_our_include_twice_is_refused(folder: Path, before: str, one: str, between: str, other: str) -> None:
    entry = folder / "nginx.conf"
    entry.write_text(f"{before}{one}{between}{other}".replace("FOLDER", str(folder)), newline="")
    with pytest.raises(Failure, match="2 times"):
        swapped(str(entry), str(folder / "conf.d/ours.conf"), "/candidate")


def test_a_file_may_be_left_out(folder: Path) -> None:
    text = "include mime.types; include conf.d/*.conf;"
    left = mirrored(text, str(folder), {str(folder / "conf.d/a.conf"): None})
    assert left == f'include mime.types; include "{folder}/conf.d/z.conf";'

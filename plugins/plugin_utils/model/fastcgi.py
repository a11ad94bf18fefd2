# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs behind FastCGI: the parameters of each, and those that several programs share.

Source: RFC 3875 4.1, and the parameters that Debian's nginx sets for php-fpm.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Directive
from ansible_collections.wsedge.nginx.plugins.module_utils.language import directives as directives_of
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import FastCgi, Location, Site

# Keys of locations with an upstream that FastCGI supports too. Most are nginx's directives without the prefix of their
# module.
KEYS = {"read_timeout", "send_timeout", "connect_timeout", "buffering", "buffer_size", "buffers", "request_headers",
        "host", "accel_redirect"}
_DIRECTIVES = KEYS | {"busy_buffers_size", "ignore_headers"}
# The path of the requested file; empty if the file looks like the source of a program.
FILE = "$websocket_proxy_file"
# nginx keeps these names in a hash with buckets of 64 bytes, whatever the configuration sets.
LONGEST_HEADER = 46

# The same for every program. SERVER_SOFTWARE does not reveal nginx's version.
_PARAMS = {
    "QUERY_STRING": "$query_string", "REQUEST_METHOD": "$request_method", "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length", "REQUEST_URI": "$request_uri", "SERVER_PROTOCOL": "$server_protocol",
    "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx", "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port", "SERVER_ADDR": "$server_addr", "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$server_name",
    # PHP may be built to require this parameter.
    "REDIRECT_STATUS": "200",
}


def program(options: Mapping[str, Any], scheme: tuple[str, str], request: Mapping[str, str | None],
            hidden: Iterable[str], directives: Sequence[Sequence[str]]) -> FastCgi:
    """Return the program for OPTIONS, the values of a location's ``fastcgi``.

    SCHEME has the client's scheme, and the variable that is "on" for https. REQUEST has the headers that the role sets;
    nginx passes on all others unchanged. DIRECTIVES are those of a proxy with the same keys.
    """
    root, script = options["root"].rstrip("/"), options["script"]
    # If the folder is a symbolic link to a release, PHP must see the path of the release: PHP caches files by path.
    folder = "$realpath_root" if options["server"].startswith("unix:") else root
    params = {
        **_PARAMS, "REQUEST_SCHEME": scheme[0], "DOCUMENT_ROOT": folder, "SCRIPT_FILENAME": f"{folder}/{script}",
        "SCRIPT_NAME": f"/{script}", "DOCUMENT_URI": f"/{script}"}
    headers = {"HTTPS": scheme[1], **{f"HTTP_{_cgi(name)}": value or "" for name, value in request.items()}}
    return FastCgi(options["server"], root, f"^/{re.escape(script)}$", f"^/{re.escape(script)}.", [
        *(["fastcgi_param", name, value] for name, value in params.items()),
        # An empty value is not sent, but still replaces the client's header.
        *(["fastcgi_param", name, value, "if_not_empty"] for name, value in headers.items()),
        *(["fastcgi_hide_header", name] for name in hidden),
        *([f"fastcgi_{name}", *words] for (directive, *words) in directives
          if (name := directive.removeprefix("proxy_")) in _DIRECTIVES)])


def conflicts(text: str, program: FastCgi) -> Iterator[str]:
    """Give the reasons why the location of a PROGRAM cannot contain a free TEXT."""
    own = {words[1] for words in program.directives if words[0] == "fastcgi_param"}
    found = list(directives_of(text))
    for index, directive in enumerate(found):
        if directive.words[0] == "fastcgi_param" and own.intersection(directive.words[1:2]):
            yield (f"the role already sets fastcgi_param {directive.words[1]}, and PHP would use the last one; use the "
                   "keys fastcgi and request_headers")
        if directive.words[0] == "if" and not any(
                one.words[0] in ("return", "rewrite") for one in _inside(directive, found[index + 1:])):
            yield ('with an "if" that has neither "return" nor "rewrite", nginx skips try_files and answers 404 for '
                   "every path without a file; move the \"if\" to the site's extra_config")


def _inside(block: Directive, later: Iterable[Directive]) -> Iterator[Directive]:
    return itertools.takewhile(lambda one: one.depth > block.depth, later)


def _cgi(name: str) -> str:
    return name.upper().replace("-", "_")


def shared(sites: Sequence[Site]) -> tuple[list[list[str]], list[Site]]:
    """Return the directives that all programs share, and the SITES without them."""
    programs = [one.program.fastcgi for site in sites for one in site.locations if one.program and one.program.fastcgi]
    if not programs:
        return [], list(sites)
    common = {tuple(words) for words in programs[0].directives}.intersection(
        *({tuple(words) for words in one.directives} for one in programs))

    def without(location: Location) -> Location:
        if not location.program or not location.program.fastcgi:
            return location
        found = location.program.fastcgi
        rest = [words for words in found.directives if tuple(words) not in common]
        return replace(location, program=replace(location.program, fastcgi=replace(found, directives=rest)))

    return ([words for words in programs[0].directives if tuple(words) in common],
            [replace(site, locations=[without(one) for one in site.locations]) for site in sites])

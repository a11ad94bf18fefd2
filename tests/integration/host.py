"""A host with systemd, on which the role's two modules run just as the role calls them, without Ansible."""

from __future__ import annotations

import copy
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.wsedge.nginx.plugins.filter.websocket_proxy_model import websocket_proxy_model
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MARKER
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment

from .container import CHECKOUT, Container, mounts
from .edge import RENDERER

ROLE = CHECKOUT / "roles/websocket_proxy"
SOCKET = "/run/websocket_proxy/nginx.sock"
ECHO = 3000

# What systemd needs in an unprivileged container; with SYS_PTRACE root may read which sockets a worker holds.
SYSTEMD = ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--env", "container=docker",
           "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
           "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE",
           "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"]

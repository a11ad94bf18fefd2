"""Sites that an edge serves for the tests of a module, and two backends behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from .backends import Backend, telling, websocket_echo
from .client import HANDSHAKE
from .edge import Edge
from .ports import free_address

UPGRADE = [("Upgrade", "websocket"), *HANDSHAKE]


@dataclass
class Served:
    """An edge with two free ports; a module adds what its own tests need in a subclass."""

    edge: Edge
    backend: Backend
    echo: str
    address: str
    other: str

    @classmethod
    @contextmanager
    def on(cls, edge: Edge, **more: Any) -> Iterator[Self]:
        """Run the backends; MORE are the fields of a subclass."""
        backend = telling()
        with websocket_echo() as echo:
            try:
                yield cls(edge, backend, echo, free_address(), free_address(), **more)
            finally:
                edge.stop()
                backend.close()

    def serve(self, *sites: Mapping[str, Any], upstreams: Sequence[Mapping[str, Any]] = (),
              others: Mapping[str, str] | None = None, **role: Any) -> None:
        """Serve SITES instead of the previous ones, by default on the first port and with the telling backend.

        OTHERS are files in conf.d, and ROLE has further variables of the role.
        """
        self.edge.stop()
        self.edge.start({
            "upstreams": [{"name": "tell", "servers": [self.backend.address]},
                          {"name": "echo", "servers": [self.echo]}, *upstreams],
            "site_defaults": {"listen": [self.address], "upstream": "tell"}, "sites": list(sites), **role}, others)

# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When nginx's certificates expire: what a host checks every day, without Ansible."""

from __future__ import annotations

import os
import ssl
import time
from typing import NamedTuple

from ansible_collections.wsedge.nginx.plugins.module_utils.certificates import dates, days_of_warning

_DAY = 86400

# Exit statuses, as monitoring plugins have them (https://www.monitoring-plugins.org/doc/guidelines.html).
FINE, SOON, UNUSABLE, UNKNOWN = 0, 1, 2, 3


class Finding(NamedTuple):
    """What is to be told of one certificate, and how bad it is."""

    status: int
    line: str


def expiry(certificate: str, warn_days: int) -> Finding:
    """Return what there is to tell of the first certificate in a file.

    WARN_DAYS is how many days before its end it expires soon; of one that lives less than three times as long, it is
    the last third of its life.
    """
    if not os.path.isfile(certificate):
        return Finding(UNUSABLE, f"{certificate}: does not exist")
    try:
        begin, end = dates(certificate)
    except (ssl.SSLError, ValueError):
        return Finding(UNUSABLE, f"{certificate}: contains no certificate in PEM format")
    now = time.time()
    if now < begin:
        return Finding(UNUSABLE, f"{certificate}: not valid before {_shown(begin)}, and this host has {_shown(now)}")
    if now >= end:
        return Finding(UNUSABLE, f"{certificate}: expired on {_shown(end)}")
    left = (end - now) / _DAY
    soon = left <= days_of_warning(begin, end, warn_days)
    return Finding(SOON if soon else FINE, f"{certificate}: expires in {int(left)} days, on {_shown(end)}")


def _shown(date: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(date))

# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The expiry of nginx's certificates, which a host checks every day without Ansible."""

from __future__ import annotations

import os
import ssl
import time
from typing import NamedTuple

from ansible_collections.wsedge.nginx.plugins.module_utils.certificates import dates, days_of_warning

_DAY = 86400

# The exit statuses of monitoring plugins (https://www.monitoring-plugins.org/doc/guidelines.html).
FINE, SOON, UNUSABLE, UNKNOWN = 0, 1, 2, 3


class Finding(NamedTuple):
    """The result for one certificate: its severity, and a line of text."""

    status: int
    line: str


def expiry(certificate: str, warn_days: int) -> Finding:
    """Return the finding for the first certificate in a file.

    A certificate expires soon during the last WARN_DAYS of its lifetime. If the lifetime is shorter than three times
    WARN_DAYS, it expires soon during the last third.
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

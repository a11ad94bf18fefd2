# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sizes of nginx's hash tables that need more than its defaults.

Source: NGX_HASH_ELT_SIZE in ngx_hash.c: a pointer and the name with its length, rounded up; a null pointer ends the
bucket.
"""

from __future__ import annotations

from collections.abc import Collection


def bucket_size(names: Collection[str]) -> int | None:
    """Return the hash bucket size that NAMES need; None if nginx's default of 64 is enough.

    For a few names, nginx finds a number of buckets without collisions. Of many names, up to six share one bucket.
    """
    longest = max((len(name) for name in names), default=0)
    together = 1 if len(names) <= 32 else 6
    needed = 8 + together * (8 + (longest + 2 + 7) // 8 * 8)
    return None if needed <= 64 else 1 << (needed - 1).bit_length()


def max_size(count: int) -> int | None:
    """Return the number of hash buckets that spreads COUNT names well; None if nginx's default of 512 is enough."""
    return None if count <= 128 else 1 << (4 * count - 1).bit_length()


def variables_max_size(own: int) -> int | None:
    """Return the number of buckets for nginx's variables and our OWN; None if nginx's default of 1,024 is enough.

    nginx itself has about 150 variables, and warns at about 15 more. OWN does not count the 12 that the role always
    defines.
    """
    return None if own <= 4 else 1 << (4 * (150 + own) - 1).bit_length()

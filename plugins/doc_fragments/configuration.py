# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that the modules for a configuration share; ``module_utils/options.py`` has their argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    """The options by what they are about."""

    # Where the files of a configuration are.
    FILES = r"""
attributes:
  action_group:
    description: Use C(group/wsedge.nginx.nginx) in C(module_defaults) to set O(path) and O(folder) for these modules.
    support: full
    membership:
      - wsedge.nginx.nginx
options:
  path:
    description: Absolute path of the main file, which includes the current generation. It must not be a symbolic link.
    type: str
    default: /etc/nginx/nginx.conf
  folder:
    description: Absolute path of the folder that holds the generations. Only this collection writes there.
    type: str
    required: true
"""

    # How it is changed and tested.
    DOCUMENTATION = r"""
options:
  entry:
    description:
      - The file that nginx starts from, if that is another one, which includes O(path).
      - The test uses a copy of it that includes the new text of O(path) instead of the current one. So it has to
        include O(path) itself, exactly once.
      - O(path) by default.
    type: str
  divert:
    description:
      - Replace a main file that is a conffile of a Debian package, with C(dpkg-divert). An upgrade of the package then
        asks no question, and its own file gets the suffix C(.distrib).
      - An edited main file is only replaced with O(wsedge.nginx.nginx_config#module:replace=true).
    type: bool
    default: false
  validate:
    description: The command that tests a main file; C(%s) is replaced with the path of the file. It is not run by a
      shell.
    type: str
    default: /usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'
  pid_file:
    description: The pid file of nginx, as in its directive C(pid).
    type: str
    default: /run/nginx.pid
  called:
    description:
      - What messages show instead of an option and its value. A role that calls the module names its own variables
        here.
    type: dict
    default: {}
"""

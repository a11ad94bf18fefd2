# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that the modules for a configuration share; ``module_utils/options.py`` has their argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    """The options by what they are about."""

    # Where a configuration lives.
    PLACE = r"""
options:
  path:
    description: Absolute path of the main file, which names the generation in force. It must not be a symbolic link.
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
      - The file that nginx starts from, where that is another one, which includes O(path).
      - The test is done with a copy of it in which the new text of O(path) stands in the place of the one in force. So
        it has to include O(path) itself, and just once.
      - O(path) by default.
    type: str
  divert:
    description:
      - Take over a main file that is a conffile of a Debian package with C(dpkg-divert). An upgrade of the package asks
        no question then, and its own file lies beside under the ending C(.distrib).
      - A main file that has been edited is only taken over with O(wsedge.nginx.nginx_config#module:replace=true).
    type: bool
    default: false
  validate:
    description: The command that tests a main file; C(%s) in it stands for the file's path. It is not run by a shell.
    type: str
    default: /usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'
  pid_file:
    description: The pid file of nginx, as its C(pid) directive names it.
    type: str
    default: /run/nginx.pid
  called:
    description:
      - What messages say in the place of an option and its value, by the option. A role that calls the module names its
        own variables here.
    type: dict
    default: {}
"""

# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Load files with a real manila release, as its manila-api does.

Run by the Python of a virtual environment that holds one release of manila,
with the paths of a manila.conf and of a directory. Prints a JSON object: for
each file of the directory the exception that loading it raises, null when it
loads.

Only the standard library and what manila itself brings may be imported.
"""

import json
import logging
import os
import sys

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'


def main(path, directory):
    logging.disable(logging.CRITICAL)
    from manila import rpc
    from manila.common import config
    from oslo_config import cfg
    from paste import deploy

    conf = cfg.CONF
    conf(
        ['--config-file', path],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    config.set_lib_defaults()
    # The application creates RPC clients of the other services.
    rpc.init(conf)
    answers = {}
    for name in sorted(os.listdir(directory)):
        file = os.path.join(directory, name)
        try:
            deploy.loadapp(f'config:{file}', name='osapi_share')
        except Exception as exc:
            answers[name] = f'{type(exc).__name__}: {exc}'
        else:
            answers[name] = None
    print(json.dumps(answers))


if __name__ == '__main__':
    main(*sys.argv[1:])

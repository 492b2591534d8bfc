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

"""Print the jobs of a file as Zuul's own parser reads them, as JSON.

    python zuul_jobs.py FILE

It runs in an environment with Zuul; a job that Zuul rejects ends it with the
error.
"""

import json
import pathlib
import sys
import types

from zuul import configloader
from zuul import model


def main(path):
    """Print them; a list of objects."""
    project = 'openstack/site'
    place = model.SourceContext(
        f'opendev.org/{project}', project, 'gerrit', 'master', path
    )
    # No scheduler runs, so there is no connection to a code review.
    context = configloader.ParseContext(
        types.SimpleNamespace(connections={}), None, None, None
    )
    found = model.UnparsedConfig()
    found.extend(
        configloader.safe_load_yaml(pathlib.Path(path).read_text(), place)
    )
    jobs = map(context.job_parser.fromYaml, found.jobs)
    json.dump(
        [
            {
                'name': job.name,
                'run': [playbook.path for playbook in job.run],
                'vars': job.variables,
            }
            for job in jobs
        ],
        sys.stdout,
    )


if __name__ == '__main__':
    main(sys.argv[1])

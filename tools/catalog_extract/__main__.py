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

"""Write the facts of the release, or of a database of it, to a file.

    python tools/catalog_extract OUTPUT [--schema URL]

OUTPUT becomes one JSON object; URL is SQLAlchemy's, of a database.
"""

import argparse
import json
import pathlib
import sys

# Python looks for modules in the directory that it was told to run; these
# belong to a package, which is looked for beside it.
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from catalog_extract import classes  # noqa: E402
from catalog_extract import host  # noqa: E402
from catalog_extract import libraries  # noqa: E402
from catalog_extract import option_rows  # noqa: E402
from catalog_extract import package  # noqa: E402
from catalog_extract import policies  # noqa: E402
from catalog_extract import registrations  # noqa: E402
from catalog_extract import schema  # noqa: E402
from catalog_extract import share_drivers  # noqa: E402
from catalog_extract import sources  # noqa: E402


def extract():
    """Return the facts of the release."""
    host.stand_in()
    watch = registrations.Registrations()
    # Before drivers are imported: some register required options.
    watch.cfg.CONF(
        [],
        project='manila',
        version='',
        default_config_files=[],
        default_config_dirs=[],
    )
    modules = sources.load()
    registrations.prepare_libraries(watch.cfg)
    listed = registrations.listed_options()
    options = option_rows.option_rows(modules, watch, listed)
    drivers = [
        *share_drivers.share_driver_facts(modules),
        *classes.named_class_facts(modules),
        *package.command_facts(),
        *libraries.library_facts(),
        *package.paste_facts(),
    ]
    drivers += classes.class_facts(
        modules, options, {row['name'] for row in drivers}
    )
    return {
        'release': package.release_facts(),
        'options': options,
        'auth_plugins': libraries.auth_plugin_facts(),
        'policies': policies.policy_facts(),
        'drivers': sorted(drivers, key=lambda row: (row['kind'], row['name'])),
        'revisions': schema.revision_facts(),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('output')
    parser.add_argument('--schema', metavar='URL')
    args = parser.parse_args()
    if args.schema:
        facts = schema.schema_facts(args.schema)
    else:
        facts = extract()
    with open(args.output, 'w', encoding='utf-8') as stream:
        json.dump(facts, stream, indent=1, sort_keys=True)


if __name__ == '__main__':
    main()

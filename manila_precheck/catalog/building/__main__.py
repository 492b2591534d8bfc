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

"""Write the facts of the installed manila to a file.

    python3 catalog.pyz OUTPUT [--also PACKAGE]...

OUTPUT gets one JSON object; '-' is standard output. With --schema URL it gets
the schema of a database; the URL is SQLAlchemy's.
"""

import argparse
import datetime
import json
import platform

from manila_precheck.catalog import building
from manila_precheck.catalog.building import classes
from manila_precheck.catalog.building import driver_needs
from manila_precheck.catalog.building import host
from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import missing_imports
from manila_precheck.catalog.building import noise
from manila_precheck.catalog.building import option_rows
from manila_precheck.catalog.building import out_of_tree
from manila_precheck.catalog.building import package
from manila_precheck.catalog.building import paste_factories
from manila_precheck.catalog.building import policies
from manila_precheck.catalog.building import registrations
from manila_precheck.catalog.building import schema
from manila_precheck.catalog.building import share_drivers
from manila_precheck.catalog.building import sources


def extract(also):
    """Return the facts of the release.

    :param also: packages beside manila, from the command line.
    """
    host.stand_in()
    watch = registrations.Registrations()
    # Before drivers are imported, because some register required options.
    watch.cfg.CONF(
        [],
        project='manila',
        version='',
        default_config_files=[],
        default_config_dirs=[],
    )
    # Before sources.load(): looking for a submodule imports its package.
    packages = out_of_tree.packages(also)
    modules = sources.load(packages)
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
    missing_imports.add(drivers, modules)
    drivers += paste_factories.facts(packages)
    return {
        'release': package.release_facts(),
        'options': options,
        'auth_plugins': libraries.auth_plugin_facts(),
        'policies': policies.policy_facts(modules),
        'drivers': sorted(drivers, key=lambda row: (row['kind'], row['name'])),
        'revisions': schema.revision_facts(),
        'out_of_tree': packages,
        'unimportable': building.unimportable,
        'importable': out_of_tree.importable(),
    }


def main():
    parser = argparse.ArgumentParser(
        prog='catalog.pyz',
        description='Write the facts of the manila that this Python has '
        'installed to a file, for manila-precheck.',
    )
    parser.add_argument('output', help="a file; '-' is standard output")
    parser.add_argument(
        '--also',
        action='append',
        default=[],
        metavar='PACKAGE',
        help='a package of drivers that is not part of manila, as it is '
        'imported or installed; may be given several times. Packages '
        'with entry points of manila are found without it',
    )
    parser.add_argument(
        '--try-drivers',
        action='store_true',
        help='also build and set up each driver of these packages, cut off '
        'from the network, other programs and messages, to find the options '
        'that it requires',
    )
    parser.add_argument(
        '--debug',
        action='store_true',
        help='also show what manila and its libraries print; without it that '
        'is shown only if the facts cannot be read',
    )
    parser.add_argument('--schema', metavar='URL', help=argparse.SUPPRESS)
    args = parser.parse_args()
    with noise.kept(args.debug) as stdout:
        text = json.dumps(read(args), indent=1, sort_keys=True)
        if args.output == '-':
            stdout.write(text)
            return
        with open(args.output, 'w', encoding='utf-8') as stream:
            stream.write(text)


def read(args):
    """Return the document that the command line asks for."""
    if args.schema:
        return schema.schema_facts(args.schema)
    tried = driver_needs.begin() if args.try_drivers else None
    # Before host.stand_in() replaces properties of the machine.
    now = datetime.datetime.now(datetime.timezone.utc)
    facts = {
        'format': building.FORMAT,
        'kind': building.KIND,
        'made': now.strftime('%Y-%m-%dT%H:%M:%SZ'),
        'python': platform.python_version(),
        **extract(args.also),
        'said': building.messages,
    }
    if tried:
        packages = facts['out_of_tree']
        drivers = [
            row
            for row in facts['drivers']
            if row['name'].split('.')[0] in packages
        ]
        wanted = driver_needs.buildable(drivers)
        facts['drivers'] += tried(wanted, packages)
    return facts


if __name__ == '__main__':
    main()

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

"""Test the action for a charm, with stubs of Juju's tools for actions."""

import json
import re
import shutil

from qa.contrib import case

CHARM = case.CONTRIB / 'charm'

#: A stub of action-get KEY, action-set KEY=VALUE... and action-fail MESSAGE.
TOOL = """#!/usr/bin/env python3
import json, pathlib, sys
path = pathlib.Path({path!r})
facts = json.loads(path.read_text())
name = pathlib.Path(sys.argv[0]).name
if name == 'action-get':
    print(facts['params'].get(sys.argv[1], ''))
elif name == 'action-set':
    facts['results'].update(word.split('=', 1) for word in sys.argv[1:])
else:
    facts['failed'] = sys.argv[1]
path.write_text(json.dumps(facts))
"""


class CharmTest(case.Case):
    def action(self, **params):
        """Run the action as Juju does; return its results and its failure."""
        (definition,) = case.documents(CHARM / 'actions.yaml')
        properties = definition['manila-precheck']['params']
        facts = self.path / 'facts'
        facts.write_text(
            json.dumps(
                {
                    'params': {
                        **{
                            name: one['default']
                            for name, one in properties.items()
                            if 'default' in one
                        },
                        **params,
                    },
                    'results': {},
                    'failed': None,
                }
            )
        )
        for name in ('action-get', 'action-set', 'action-fail'):
            self.program(name, TOOL.format(path=str(facts)))
        done = self.run_words(CHARM / 'actions/manila-precheck')
        self.assertEqual(0, done.returncode, done.stderr)
        found = json.loads(facts.read_text())
        return found['results'], found['failed']

    def test_the_definition(self):
        """All names are valid in Juju, and each action has a script."""
        (definition,) = case.documents(CHARM / 'actions.yaml')
        self.assertEqual(
            sorted(definition),
            sorted(path.name for path in (CHARM / 'actions').iterdir()),
        )
        action = definition['manila-precheck']
        self.assertEqual(['target-release'], action['required'])
        for name in (*definition, *action['params']):
            self.assertTrue(re.fullmatch('[a-z]([a-z0-9-]*[a-z0-9])?', name))

    def test_exit_codes(self):
        for code, _continues in case.CODES:
            self.ends_with(code)
            if code == 127:
                self.program('manila-precheck', '#!/no/such/interpreter\n')
            results, failed = self.action(**{'target-release': '2026.1'})
            # On warnings the action makes the command exit with 0, unless they
            # are to stop it: any other code is a failure.
            self.assertEqual(
                code != 0, failed is not None, f"{code}: {failed}"
            )
            self.assertEqual(str(code), results['code'])

    def test_a_command_that_says_nothing(self):
        self.program('manila-precheck', '#!/bin/sh\nexit 0\n')
        _results, failed = self.action(**{'target-release': '2026.1'})
        self.assertIsNotNone(failed)

    def test_the_command(self):
        self.write('.manila/manila.conf', case.GOOD)
        results, failed = self.action(**{'target-release': '2026.1'})
        self.assertIsNone(failed)
        self.assertIn('2026.1', results['report'])
        _results, failed = self.action(
            **{'target-release': '2026.1', 'fail-on': 'warning'}
        )
        self.assertIn('exit code 1', failed)
        _results, failed = self.action(**{'target-release': 'master'})
        self.assertIn('exit code 255', failed)
        self.assertIn("unknown release 'master'", failed)
        shutil.rmtree(self.path / '.manila')
        self.write('.manila/manila.conf', case.BAD)
        _results, failed = self.action(**{'target-release': '2026.1'})
        self.assertIn('exit code 2', failed)

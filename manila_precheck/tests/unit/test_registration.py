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

"""What setup.cfg registers is what is there, both ways."""

import configparser
import importlib.metadata
import inspect
import pathlib

import ddt
import testtools

import manila_precheck
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.reporters import base

_PACKAGE = pathlib.Path(manila_precheck.__file__).parent
_ROOT = _PACKAGE.parent

# A reporter's module is not named after a module of the standard library.
_REPORTER_MODULES = {'json': 'json_report', 'html': 'html_report'}


def _declared(namespace):
    """Return the entry points of setup.cfg: name to 'module:attribute'."""
    parser = configparser.ConfigParser(delimiters=['='])
    parser.optionxform = str
    parser.read(_ROOT / 'setup.cfg', encoding='utf-8')
    lines = parser['entry_points'][namespace].split('\n')
    pairs = [line.split('=') for line in lines if line.strip()]
    return {name.strip(): value.strip() for name, value in pairs}


_CHECKS = _declared(registry.CHECKS)
_REPORTERS = _declared(registry.REPORTERS)


# Where each check runs. At stopped: every one whose answer can still keep
# the upgrade from going on. At upgraded: what looks at the new services, at
# their tables, or at which upgrade it was; what a file would do then, the
# services themselves have told.
_PLAN, _STOPPED, _UPGRADED = model.Stage
_STAGES = {
    'api-paste': {_PLAN, _STOPPED},
    'backend-drivers': {_PLAN, _STOPPED},
    'backends-in-use': {_PLAN, _STOPPED},
    'config-options': {_PLAN, _STOPPED},
    # A backup that is made while the services run lacks what they write.
    'database-backup': {_STOPPED},
    'database-sessions': {_PLAN, _STOPPED},
    'in-flight-operations': {_PLAN, _STOPPED},
    'installed-packages': {_PLAN, _STOPPED},
    'live-services': {_PLAN, _STOPPED, _UPGRADED},
    'local-changes': {_PLAN, _STOPPED},
    'manila-status': {_PLAN, _STOPPED, _UPGRADED},
    'pending-migrations': {_PLAN, _STOPPED},
    'policy-rules': {_PLAN, _STOPPED},
    'release-notes': {_PLAN, _STOPPED},
    'running-config': {_PLAN, _STOPPED},
    'running-migrations': {_PLAN, _STOPPED},
    'schema-revision': {_PLAN, _STOPPED, _UPGRADED},
    'service-connections': {_PLAN, _STOPPED, _UPGRADED},
    'service-files': {_PLAN, _STOPPED},
    'service-startup': {_PLAN, _STOPPED, _UPGRADED},
    'share-types': {_PLAN, _STOPPED},
    'soft-deleted-rows': {_PLAN, _STOPPED},
    'unusable-rows': {_PLAN, _STOPPED},
    'upgrade-advisories': {_PLAN, _STOPPED},
    'upgrade-path': {_PLAN, _STOPPED, _UPGRADED},
}


def _camel(check_id):
    return ''.join(word.capitalize() for word in check_id.split('-'))


def _notes():
    folder = _ROOT / 'releasenotes' / 'notes'
    return '\n'.join(
        path.read_text(encoding='utf-8') for path in folder.glob('*.yaml')
    )


@ddt.ddt
class RegistrationTest(testtools.TestCase):
    @ddt.data((registry.CHECKS, _CHECKS), (registry.REPORTERS, _REPORTERS))
    @ddt.unpack
    def test_what_is_known_is_what_setup_cfg_says(self, space, declared):
        self.assertEqual(declared, registry.BUILTIN[space])

    @ddt.data((registry.CHECKS, _CHECKS), (registry.REPORTERS, _REPORTERS))
    @ddt.unpack
    def test_what_is_installed_is_what_setup_cfg_says(self, space, declared):
        installed = {
            point.name: point.value
            for point in importlib.metadata.distribution(
                'manila-precheck'
            ).entry_points
            if point.group == space
        }
        self.assertEqual(
            declared, installed, 'install the package again: pip install -e .'
        )

    def test_every_check_on_disk_is_registered(self):
        modules = {
            path.stem
            for path in (_PACKAGE / 'checks').iterdir()
            if not path.stem.startswith('__')
        }
        registered = {check_id.replace('-', '_') for check_id in _CHECKS}
        self.assertEqual(modules, registered)

    def test_setup_cfg_is_sorted(self):
        self.assertEqual(sorted(_CHECKS), list(_CHECKS))
        self.assertEqual(sorted(_REPORTERS), list(_REPORTERS))

    @ddt.data(*_CHECKS)
    def test_id_module_and_class_have_one_name(self, check_id):
        module = check_id.replace('-', '_')
        self.assertEqual(
            f'manila_precheck.checks.{module}.check:{_camel(check_id)}',
            _CHECKS[check_id],
        )

    @ddt.data(*_CHECKS)
    def test_a_check_is_whole(self, check_id):
        (entry,) = registry.select(registry.checks(), [check_id])
        one = registry.load_check(entry)
        page = inspect.getdoc(type(one)) or ''
        self.assertIsNot(check.Check.__doc__, type(one).__doc__)
        self.assertTrue(page.split('\n')[0].endswith('.'), page)
        self.assertFalse(one.title.endswith('.'))
        for opt in one.opts():
            self.assertTrue(opt.help.endswith('.'), opt.name)

    def test_every_check_runs_in_the_stages_that_were_decided(self):
        stages = {
            entry.result_id: set(registry.load_check(entry).stages)
            for entry in registry.checks()
            if entry.builtin
        }
        self.assertEqual(_STAGES, stages)
        self.assertEqual(
            [], [name for name in stages if _STOPPED not in stages[name]]
        )

    @ddt.data(*_CHECKS)
    def test_a_check_has_its_tests(self, check_id):
        # One that judges rows is tested on real servers: functional.
        name = f'{check_id.replace("-", "_")}/test_*.py'
        found = (_PACKAGE / 'tests').glob(f'*/checks/{name}')
        self.assertNotEqual([], list(found), f'tests/*/checks/{name}')

    @ddt.data(*_CHECKS)
    def test_a_check_has_a_release_note(self, check_id):
        self.assertIn(f'``{check_id}``', _notes())

    def test_no_two_checks_have_one_title_or_alias(self):
        titles, words = [], list(_CHECKS)
        for entry in registry.checks():
            if entry.builtin:
                one = registry.load_check(entry)
                titles.append(one.title)
                words.extend(one.aliases)
        self.assertEqual(sorted(set(titles)), sorted(titles))
        self.assertEqual(sorted(set(words)), sorted(words))

    @ddt.data(*_REPORTERS)
    def test_a_reporter_has_its_name(self, name):
        module, _, attribute = _REPORTERS[name].partition(':')
        stem = _REPORTER_MODULES.get(name, name.replace('-', '_'))
        self.assertEqual(f'manila_precheck.reporters.{stem}', module)
        (entry,) = [
            entry
            for entry in registry.entries(registry.REPORTERS)
            if entry.name == name and entry.builtin
        ]
        loaded = entry.load()
        self.assertTrue(issubclass(loaded, base.Reporter))
        self.assertEqual(name, loaded.name)
        self.assertEqual(attribute, loaded.__name__)
        path = _PACKAGE / 'tests' / 'unit' / 'reporters' / f'test_{stem}.py'
        self.assertTrue(path.exists(), path)

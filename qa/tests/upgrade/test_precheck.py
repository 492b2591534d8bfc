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

"""Tests of how the harness reads reports of the command, and site files."""

import json
import pathlib
import subprocess
import tempfile
from unittest import mock

import testtools

from qa.upgrade import precheck
from qa.upgrade import processes
from qa.upgrade import site


def _report(code, stdout, stderr=''):
    return precheck.Report(
        subprocess.CompletedProcess([], code, stdout, stderr)
    )


def _finding(key, severity, waiver=None, commands=()):
    return {
        'key': key,
        'severity': severity,
        'waiver': waiver,
        'remediation': [
            {'kind': 'command', 'text': text} for text in commands
        ],
    }


def _check(name, outcome, *findings):
    return {
        'id': name,
        'outcome': outcome,
        'reason': 'why',
        'findings': list(findings),
    }


class ReportTest(testtools.TestCase):
    def test_what_is_loud(self):
        document = {
            'checks': [
                _check(
                    'a',
                    'found',
                    _finding('a[x]', 'failure'),
                    _finding('a[y]', 'info'),
                    _finding('a[z]', 'warning', {'key': 'a[z]'}),
                    _finding('a[w]', 'warning'),
                ),
                _check('b', 'error'),
                _check('c', 'skipped'),
                _check('d', 'not_applicable'),
            ]
        }
        report = _report(2, json.dumps(document))
        self.assertEqual(
            {
                'a[x]': 'failure',
                'a[w]': 'warning',
                'b#error': 'failure',
                'c#skipped': 'warning',
            },
            report.loud,
        )
        report.background = frozenset({'a[w]'})
        self.assertNotIn('a[w]', report.loud)

    def test_which_options_are_said_to_be_deprecated(self):
        findings = [
            {
                **_finding(f'config-options[{name}]', 'info'),
                'subject': {'kind': 'option', 'name': name},
                'data': {'verdict': verdict},
            }
            for name, verdict in (
                ('DEFAULT/quota_shares', 'renamed'),
                ('a/b', 'deprecated'),
                ('c/d', 'unknown'),
            )
        ]
        findings.append(_finding('a[x]', 'failure'))
        report = _report(
            0, json.dumps({'checks': [_check('a', 'found', *findings)]})
        )
        self.assertEqual({'DEFAULT/quota_shares', 'a/b'}, report.announced)

    def test_a_run_that_could_not_look_is_a_failure(self):
        report = _report(255, '', 'no configuration file\n')
        self.assertEqual({'command#could-not-run': 'failure'}, report.loud)

    def test_no_json_is_no_prediction(self):
        self.assertRaises(processes.Broken, _report, 0, 'All is fine')

    def test_commands_of_manila_alone(self):
        found = _finding(
            'a[x]',
            'info',
            commands=['manila-manage db sync', 'openstack share list', 'ls'],
        )
        report = _report(
            0, json.dumps({'checks': [_check('a', 'found', found)]})
        )
        self.assertEqual(
            {'manila-manage db sync', 'openstack share list'},
            report.commands,
        )


class RehearseTest(testtools.TestCase):
    def rehearse(self, code, checks, stderr=''):
        done = subprocess.CompletedProcess(
            [], code, json.dumps({'checks': checks}), stderr
        )
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with mock.patch.object(
            processes, 'run', autospec=True, return_value=done
        ) as run:
            found = precheck.rehearse(
                pathlib.Path('/bin/manila-precheck'),
                site.Site(folder.name),
                '/m22/bin/python',
                '/backup.sql',
            )
        self.assertIn('--backup=/backup.sql', run.call_args.args[0])
        self.assertIn('--target-python=/m22/bin/python', run.call_args.args[0])
        return found

    def test_what_fails_and_who_has_foretold_it(self):
        held = {
            **_finding('rehearse-start[a]', 'failure'),
            'data': {'foretold': 'config-options[a]'},
        }
        new = {
            **_finding('rehearse-start[b]', 'failure'),
            'data': {'foretold': None},
        }
        self.assertEqual(
            {
                'rehearse-start[a]': 'config-options[a]',
                'rehearse-start[b]': None,
                'rehearse-sync#error': None,
            },
            self.rehearse(
                2,
                [
                    _check(
                        'config-options', 'found', _finding('c', 'failure')
                    ),
                    _check(
                        'rehearse-start',
                        'found',
                        held,
                        new,
                        _finding('rehearse-start[c]', 'warning'),
                    ),
                    _check('rehearse-sync', 'error'),
                ],
            ),
        )

    def test_one_that_could_not_be_done_measures_nothing(self):
        self.assertRaises(processes.Broken, self.rehearse, 255, [], 'no room')


class SiteTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site = site.Site(f'{folder.name}/a')
        self.site.folder.mkdir(parents=True)
        self.site.write(
            'manila.conf', f'[x]\na = 1\nb = {self.site.folder}/c\n'
        )
        self.copy = self.site.copy(f'{folder.name}/b')

    def test_a_copy_names_its_own_files_and_says_the_same(self):
        self.assertIn(
            f'b = {self.copy.folder}/c', self.copy.read('manila.conf')
        )
        self.assertEqual(self.site.content(), self.copy.content())

    def test_order_and_comments_say_nothing(self):
        text = f'# new\n[x]\nb = {self.copy.folder}/c\n\na = 1\n'
        self.copy.write('manila.conf', text)
        self.assertEqual(self.site.content(), self.copy.content())

    def test_values_sections_and_files_do(self):
        for old, new in (('a = 1', 'a = 2'), ('[x]', '[y]')):
            other = self.site.copy(f'{self.site.home}-{new[-2]}')
            other.edit(old, new)
            self.assertNotEqual(self.site.content(), other.content())
        self.copy.write('policy.yaml', '')
        self.assertNotEqual(self.site.content(), self.copy.content())

    def test_an_edit_that_fits_nowhere_is_an_error(self):
        self.assertRaises(processes.Broken, self.site.edit, 'a = 3', 'a = 4')

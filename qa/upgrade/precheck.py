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

"""Run ``manila-precheck upgrade`` as an operator does."""

import json
import os
import re

from qa.upgrade import processes

_API_SERVER = 'OS_MANILA_PRECHECK_UPGRADE_ADVISORIES__API_SERVER'


class Report:
    """The report of a run."""

    def __init__(self, done):
        self.code = done.returncode
        self.stderr = done.stderr
        self.findings = {}
        #: Keys of findings that are counted elsewhere.
        self.background = frozenset()
        if self.code == 255:
            # Nothing was judged: count that itself as a failure.
            self.findings['command#could-not-run'] = {
                'severity': 'failure',
                'message': done.stderr.strip(),
                'remediation': [],
            }
            return
        try:
            self.document = json.loads(done.stdout)
        except ValueError as exc:
            raise processes.Broken(
                f'no JSON from manila-precheck ({self.code}): '
                f'{done.stdout[:2000]}{done.stderr[-2000:]}'
            ) from exc
        for check in self.document['checks']:
            for finding in check['findings']:
                # Only here are the files of a controller in a home directory.
                if not finding['key'].endswith('/manila.conf#home]'):
                    self.findings[finding['key']] = finding
            # The severity with which the exit code counts them.
            weight = {'error': 'failure', 'skipped': 'warning'}.get(
                check['outcome']
            )
            if weight:
                self.findings[f'{check["id"]}#{check["outcome"]}'] = {
                    'severity': weight,
                    'message': check['reason'],
                    'remediation': [],
                }

    @property
    def loud(self):
        """The findings above INFO: {key: severity}."""
        return {
            key: finding['severity']
            for key, finding in self.findings.items()
            if finding['severity'] != 'info'
            and not finding.get('waiver')
            and key not in self.background
        }

    @property
    def announced(self):
        """The options that it calls deprecated or renamed: 'group/name'."""
        return frozenset(
            finding['subject']['name']
            for finding in self.findings.values()
            if finding.get('data', {}).get('verdict')
            in ('deprecated', 'renamed')
        )

    @property
    def commands(self):
        """The manila-manage and openstack commands in the remediations."""
        return {
            item['text']
            for finding in self.findings.values()
            for item in finding['remediation']
            if item['kind'] == 'command'
            and item['text'].startswith(('manila-manage ', 'openstack '))
        }


# The error for a configuration file with a line that cannot be parsed.
_UNREADABLE = re.compile(r'error: (\S+manila\.conf:\d+): ')


def rehearse(command, site, python, backup, words=()):
    """Rehearse the upgrade of a site; return what fails.

    :param command: the path of manila-precheck.
    :param python: the interpreter of the target.
    :param backup: the path of a dump.
    :param words: more words of the command line.
    :returns: {key: key of the finding that has foretold it, or None}; if the
        files cannot be read, {'refused': where}.
    """
    environment = site.env(command.parent)
    environment[_API_SERVER] = 'application'
    done = processes.run(
        [
            command,
            'upgrade',
            'rehearse',
            f'--backup={backup}',
            f'--target-python={python}',
            # The database may have been upgraded by now.
            '--no-database',
            '--format=json',
            *words,
        ],
        env=environment,
        cwd=site.home,
        seconds=900,
    )
    report = Report(done)
    if report.code == 255:
        # A service that does not start says no more than that either.
        where = _UNREADABLE.search(done.stderr.replace(str(site.home), 'HOME'))
        if where is None:
            raise processes.Broken(f'upgrade rehearse: {done.stderr}')
        return {'refused': where[1]}
    return {
        key: finding.get('data', {}).get('foretold')
        for key, finding in report.findings.items()
        if key.startswith('rehearse-') and finding['severity'] == 'failure'
    }


def build_facts(command, python, path):
    """Write the facts of the environment of an interpreter to a file."""
    done = processes.run(
        [
            command,
            'catalog',
            'build',
            f'--python={python}',
            f'--output={path}',
        ],
        env=dict(os.environ),
        cwd=path.parent,
        seconds=300,
    )
    if done.returncode:
        raise processes.Broken(f'catalog build: {done.stderr}')


def check(command, site, target, stage, words=()):
    """Run the command on a site; return its report.

    :param command: the path of manila-precheck.
    """
    environment = site.env(command.parent)
    if stage == 'stopped':
        # No process runs that would show it, so the operator states it.
        environment[_API_SERVER] = 'application'
    done = processes.run(
        [
            command,
            'upgrade',
            'check',
            '--target-release',
            target.name,
            '--stage',
            stage,
            '--format',
            'json',
            *words,
        ],
        env=environment,
        cwd=site.home,
        seconds=120,
    )
    return Report(done)

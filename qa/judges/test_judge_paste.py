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

"""Compare the findings of api-paste with what real releases load.

Needs MANILA_PRECHECK_VENVS: a directory with virtual environments m18, m20
and so on, each with that major version of manila and its api-paste.ini.
"""

import functools
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.tests import venvs

_VENVS = venvs.DIRECTORY
_JUDGE = pathlib.Path(__file__).parent / 'judge_paste.py'

# (source, target, the release whose api-paste.ini is in place).
_RUNS = (
    ('2024.1', '2025.1', '2024.1'),
    ('2025.1', '2025.2', '2025.1'),
    ('2025.1', '2026.1', '2025.1'),
    ('2025.2', '2026.1', '2025.2'),
    ('2025.2', '2026.1', '2025.1'),
    ('2025.1', '2026.1', '2026.1'),
    ('2026.1', '2026.2', '2026.1'),
    ('2026.1', '2026.2', '2025.1'),
)

# The runs in which the other configurations are tried as well.
_OTHERS = (_RUNS[0], _RUNS[2], _RUNS[6])

# The end of the pipeline of /v2 with keystone.
_V2 = 'authtoken keystonecontext apiv2\n'

# The edits of operators: name -> (text, its replacement), ...
_EDITS = {
    'as-shipped': (),
    'without-v1': (('/v1: openstack_share_api\n', ''),),
    'without-a-section-that-is-used': (('[filter:cors]', '[filter:other]'),),
    'without-one-that-is-not': (('[filter:noauth]', '[filter:other]'),),
    'undefined-filter': ((_V2, f'audit {_V2}'),),
    'undefined-application': ((_V2, 'authtoken keystonecontext apiv9\n'),),
    'undefined-path': (
        ('/healthcheck: h', '/other: nothing\n/healthcheck: h'),
    ),
    'no-root': (('[composite:osapi_share]', '[composite:other]'),),
    'no-keystone': (('keystone = ', 'keystone9 = '),),
    'no-factory': (('paste.app_factory = manila.api.versions:', 'other = '),),
    'gone': (('manila.api.middleware.fault:', 'manila.api.fault:'),),
    'gone-and-not-used': (
        (':NoAuthMiddleware.factory', ':NoAuthMiddleware9.factory'),
    ),
    'rate-limits-of-v1': (
        (_V2, f'limits {_V2}'),
        (
            '[filter:cors]',
            '[filter:limits]\npaste.filter_factory = manila.api.v1.limits:'
            'RateLimitingMiddleware.factory\n[filter:cors]',
        ),
    ),
    'rate-limits-of-v2': (
        (_V2, f'limits {_V2}'),
        (
            '[filter:cors]',
            '[filter:limits]\npaste.filter_factory = manila.api.v2.limits:'
            'RateLimitingMiddleware.factory\n[filter:cors]',
        ),
    ),
    'map-of-paste': (
        ('call:manila.api:root_app_factory', 'egg:Paste#urlmap'),
    ),
    'map-of-manila': (
        ('manila.api:root_app_factory', 'manila.api.urlmap:urlmap_factory'),
    ),
    'egg-of-manila': (('call:manila.api:root_app_factory', 'egg:manila'),),
    'explicit-map': (
        (
            'use = call:manila.api:root_app_factory',
            'paste.composite_factory = manila.api:root_app_factory',
        ),
    ),
    'inherited': (
        ('[composite:osapi_share]', '[composite:base]'),
        (
            '[filter:cors]',
            '[composite:osapi_share]\nuse = base\n/more: apiversions\n'
            '[filter:cors]',
        ),
    ),
    'inherited-from-nothing': (
        ('use = call:manila.api:root_app_factory', 'use = base'),
    ),
    'filter-with': (
        ('[app:apiv2]\n', '[app:apiv2]\nfilter-with = sizelimit\n'),
    ),
    'filter-with-nothing': (
        ('[app:apiv2]\n', '[app:apiv2]\nfilter-with = audit\n'),
    ),
    'filter-app': (
        (
            '/: apiversions\n',
            '/: filtered\n',
        ),
        (
            '[filter:cors]',
            '[filter-app:filtered]\nnext = apiversions\n'
            'use = sizelimit\n[filter:cors]',
        ),
    ),
    'pipeline-with-more': (
        ('[pipeline:apiversions]\n', '[pipeline:apiversions]\nother = 1\n'),
    ),
    'no-pipeline': (('pipeline = ', 'other = '),),
    'two-of-one-name': (
        (
            '[filter:cors]',
            '[composite:apiv2]\nuse = egg:Paste#urlmap\n[filter:cors]',
        ),
    ),
    'circle': (('/: apiversions\n', '/: osapi_share\n'),),
    'twice': (('[filter:cors]', '[filter:osprofiler]\n[filter:cors]'),),
    'option-twice': (
        ('/: apiversions\n', '/: apiversions\n/: apiversions\n'),
    ),
    'no-value': (('[filter:cors]\n', '[filter:cors]\na line\n'),),
    'reference': (('[filter:cors]\n', '[filter:cors]\nplace = %(here)s\n'),),
    'bad-reference': (('[filter:cors]\n', '[filter:cors]\na = %(b)s\n'),),
    'continued': ((' osprofiler ', '\n  # why\n  osprofiler '),),
    'comment-after-the-value': ((_V2, f'{_V2[:-1]} # all\n'),),
    'scheme': (('call:manila.api:root', 'calls:manila.api:root'),),
    'empty': None,
}

_CONFIGS = {
    'keystone': '',
    'noauth': 'auth_strategy = noauth\n',
    # The composite of v1 had no such pipeline.
    'noauthv2': 'auth_strategy = noauthv2\n',
    'keystone-without-limits': 'api_rate_limit = False\n',
}


def _environment(release):
    major = releases.parse(release).major
    return os.path.join(_VENVS, f'm{major}')


@functools.cache
def _shipped(release):
    path = os.path.join(_environment(release), 'etc/manila/api-paste.ini')
    return pathlib.Path(path).read_text()


def _edited(release, name):
    text = _shipped(release)
    edits = _EDITS[name]
    if edits is None:
        return ''
    for old, new in edits:
        text = text.replace(old, new)
    return text


def is_there(release):
    """Say whether a release has an environment."""
    return bool(_VENVS) and os.path.exists(_environment(release))


def texts(release):
    """Return the file of a release with each of the edits, by name."""
    return {name: _edited(release, name) for name in _EDITS}


@functools.cache
def _ask(release, shipped, config):
    return ask(release, texts(shipped), config)


def ask(release, files_by_name, config='keystone'):
    """Return the error with which a release loads each file, by name.

    The error is None when the file loads.
    """
    with tempfile.TemporaryDirectory() as directory:
        conf = os.path.join(directory, 'manila.conf')
        pathlib.Path(conf).write_text(
            f'[DEFAULT]\ntransport_url = fake:/\n{_CONFIGS[config]}'
        )
        files = os.path.join(directory, 'files')
        os.mkdir(files)
        for name, text in files_by_name.items():
            pathlib.Path(files, name).write_text(text)
        done = subprocess.run(
            [
                os.path.join(_environment(release), 'bin', 'python'),
                str(_JUDGE),
                conf,
                files,
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd='/',
        )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)


@unittest.skipUnless(_VENVS, venvs.NOT_SET)
@ddt.ddt
class JudgePasteTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.missing = {
            release
            for run in _RUNS
            for release in run
            if not os.path.exists(_environment(release))
        }

    def findings(self, source, target, shipped, name, config):
        site = self.useFixture(
            testing.Site(
                f'[DEFAULT]\n{_CONFIGS[config]}',
                files={'api-paste.ini': _edited(shipped, name)},
                source=source,
                target=target,
            )
        )
        result = site.run('api-paste')
        self.assertNotEqual(model.Outcome.ERROR, result.outcome, result)
        return result.findings

    def skip_without(self, *run):
        if self.missing.intersection(run):
            self.skipTest(f'no virtual environment of {self.missing}')

    @ddt.data(
        *((run, 'keystone') for run in _RUNS),
        *((run, config) for run in _OTHERS for config in sorted(_CONFIGS)[1:]),
    )
    @ddt.unpack
    def test_fails_where_the_target_does(self, run, config):
        self.skip_without(*run)
        source, target, shipped = run
        answers = _ask(target, shipped, config)
        wrong = []
        for name in _EDITS:
            ours = [
                finding.message
                for finding in self.findings(
                    source, target, shipped, name, config
                )
                if finding.severity is model.Severity.FAILURE
            ]
            if bool(ours) != (answers[name] is not None):
                wrong.append((name, answers[name], ours))
        self.assertEqual([], wrong)

    @ddt.data(*_RUNS)
    def test_what_is_said_of_the_shipped_file(self, run):
        self.skip_without(*run)
        source, target, shipped = run
        before = releases.parse(shipped).major
        after = releases.parse(target).major
        expected = []
        if before <= 21 and after >= 22:
            expected.append('api-paste[app:api#factory]')
        if before <= 20 and after >= 21:
            expected.append('api-paste[filter:request_id#lacking]')
        findings = self.findings(
            source, target, shipped, 'as-shipped', 'keystone'
        )
        self.assertEqual(expected, [finding.key for finding in findings])

    @ddt.data(*_RUNS)
    def test_the_lines_to_write_make_it_load(self, run):
        """With the lines of the remediation, the target loads the file."""
        self.skip_without(*run)
        source, target, shipped = run
        text = _shipped(shipped)
        findings = self.findings(
            source, target, shipped, 'as-shipped', 'keystone'
        )
        for finding in findings:
            for item in finding.remediation:
                if item.kind == 'config':
                    text = _with_lines(text, item.text)
        with tempfile.TemporaryDirectory() as directory:
            conf = os.path.join(directory, 'manila.conf')
            pathlib.Path(conf).write_text(
                '[DEFAULT]\ntransport_url = fake:/\n'
            )
            files = os.path.join(directory, 'files')
            os.mkdir(files)
            pathlib.Path(files, 'new').write_text(text)
            done = subprocess.run(
                [
                    os.path.join(_environment(target), 'bin', 'python'),
                    str(_JUDGE),
                    conf,
                    files,
                ],
                capture_output=True,
                text=True,
                check=True,
                cwd='/',
            )
        self.assertEqual({'new': None}, json.loads(done.stdout))
        site = self.useFixture(
            testing.Site(
                files={'api-paste.ini': text}, source=source, target=target
            )
        )
        # A second run has nothing more to remedy.
        said = site.run('api-paste').findings
        self.assertEqual(
            [], [f for f in said if f.severity > model.Severity.INFO]
        )
        self.assertEqual([], [f for f in said if f.aspect == 'lacking'])


def _with_lines(text, block):
    """Return a file with the lines of a remediation for one section.

    A composite is given as a whole, a pipeline in it as a single line.
    """
    # The first line is a comment that names the file.
    _comment, header, *lines = block.split('\n')
    block = '\n'.join([header, *lines])
    before, found, after = text.partition(f'{header}\n')
    if not found:
        return f'{text}\n{block}\n'
    body, rest = after, ''
    at = after.find('\n[')
    if at >= 0:
        body, rest = after[:at], after[at:]
    if lines[0].startswith('use = '):
        return '\n'.join([before + header, *lines]) + '\n' + rest
    for line in lines:
        name = line.partition(' = ')[0]
        body = '\n'.join(
            line if old.startswith(f'{name} = ') else old
            for old in body.split('\n')
        )
    return f'{before}{header}\n{body}{rest}'

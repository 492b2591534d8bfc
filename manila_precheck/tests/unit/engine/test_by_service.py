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


import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.engine import by_service
from manila_precheck.engine import check

Run = by_service.ServiceRun


def a_finding(text='a at /x:1', file='/x', line=1, severity=0):
    return model.Finding(
        model.Severity(severity),
        model.Subject('option', 'DEFAULT/a', file, line),
        text,
        (model.advice(f'Remove line {line} of {file}.'),),
    )


class MergedTest(testtools.TestCase):
    def messages(self, *runs):
        return [one.message for one in by_service.merged(runs)]

    def test_what_all_find_is_said_once(self):
        one = a_finding()
        self.assertEqual(
            [one],
            by_service.merged(
                [Run(('manila-api',), [one]), Run(('manila-share',), [one])]
            ),
        )

    def test_a_copy_of_a_file(self):
        self.assertEqual(
            ['a at /x:1; likewise /y:7'],
            self.messages(
                Run(('manila-api',), [a_finding()]),
                Run(('manila-share',), [a_finding('a at /y:7', '/y', 7)]),
            ),
        )

    def test_what_one_finds(self):
        self.assertEqual(
            ['a at /x:1 (as manila-share reads it)'],
            self.messages(
                Run(('manila-api',), []),
                Run(('manila-share',), [a_finding()]),
            ),
        )

    def test_what_manila_manage_does_not_find(self):
        self.assertEqual(
            ['a at /x:1'],
            self.messages(
                Run(('manila-manage',), []),
                Run(('manila-api', 'manila-share'), [a_finding()]),
            ),
        )

    def test_what_weighs_more_is_another(self):
        self.assertEqual(
            [
                'a at /x:1 (as manila-api reads it)',
                'a at /x:1 (as manila-share reads it)',
            ],
            self.messages(
                Run(('manila-api',), [a_finding()]),
                Run(('manila-share',), [a_finding(severity=2)]),
            ),
        )


class OfShare(check.Check):
    """It judges the files of manila-share."""

    id = 'of-share'
    title = 'Of share'
    services = ('manila-share',)

    def run(self, ctx):
        for setting in ctx.config.settings:
            yield model.Finding(
                model.Severity.INFO, setting.subject, setting.value
            )


class OfBoth(OfShare):
    """It judges those of two services."""

    id = 'of-both'
    services = ('manila-api', 'manila-share')

    def run(self, ctx):
        yield from super().run(ctx)
        if 'manila-api' in ctx.judged:
            raise exceptions.SourceUnusable('the file is gone')


class RunnerTest(testtools.TestCase):
    def result(self, what, services):
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\na = 1\n',
                {'share.conf': '[DEFAULT]\na = 2\n'},
                services=services,
            )
        )
        return site.run(what)

    def values(self, what, services):
        return [one.message for one in self.result(what, services).findings]

    def test_the_files_of_one_service(self):
        self.assertEqual(
            ['2'], self.values(OfShare, {'manila-share': ('share.conf',)})
        )

    def test_one_list_for_all(self):
        self.assertEqual(['1'], self.values(OfShare, None))

    def test_what_was_found_before_it_failed(self):
        result = self.result(OfBoth, {'manila-share': ('share.conf',)})
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertEqual('the file is gone', result.reason)
        self.assertEqual(['1'], [one.message for one in result.findings])

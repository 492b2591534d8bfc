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

"""Test the Jobs for Kubernetes: those of RHOSO and those of Helm."""

import re

import ddt

from qa.contrib import case

JOBS = ('kubernetes/job.yaml', 'kubernetes/cronjob.yaml', 'rhoso/job.yaml')

#: The releases of Kubernetes whose schemas are used: the oldest, and a recent
#: one.
KUBERNETES = ('1.27', '1.34')


class JobCase(case.Case):
    NEEDS = ('kubernetes-validate',)

    def valid(self, path):
        for release in KUBERNETES:
            self.succeeds(
                'kubernetes-validate', '--strict', '-k', release, path
            )

    def run_container(self, pod, mounted):
        """Run the command of the container of a pod, with files mounted.

        :param mounted: path in the container -> text of the file.
        :return: the process.
        """
        (container,) = pod['spec']['containers']
        volumes = {one['name'] for one in pod['spec']['volumes']}
        for mount in container['volumeMounts']:
            self.assertIn(mount['name'], volumes)
            self.assertTrue(mount['readOnly'])
        words = container['command']
        for name, text in mounted.items():
            self.write(f'root{name}', text)
        return self.run_words(
            *(
                re.sub('^/etc/', f'{self.path}/root/etc/', one)
                for one in words
            ),
            **{one['name']: one['value'] for one in container['env']},
        )

    def stops(self, job, mounted, expected):
        """Check the exit of the container, and its effect on the Job."""
        spec = job['spec']
        self.assertEqual(0, spec['backoffLimit'])
        self.assertEqual('Never', spec['template']['spec']['restartPolicy'])
        done = self.run_container(spec['template'], mounted)
        self.assertEqual(expected, done.returncode, done.stdout + done.stderr)


@ddt.ddt
class KubernetesTest(JobCase):
    @ddt.data(*JOBS)
    def test_schema(self, name):
        self.valid(case.CONTRIB / name)

    @ddt.data(*JOBS)
    def test_the_command(self, name):
        """Warnings do not stop; missing files, and no configuration, do."""
        (job,) = case.documents(case.CONTRIB / name)
        if job['kind'] == 'CronJob':
            job = job['spec']['jobTemplate']
        directory = '/etc/manila/manila.conf.d'
        self.stops(job, {}, 255)
        if name.startswith('rhoso'):
            api, directory = (
                '/etc/manila/api.conf.d',
                '/etc/manila/share.conf.d',
            )
            self.stops(job, {f'{api}/00-config.conf': case.GOOD}, 255)
        self.stops(job, {f'{directory}/10.conf': case.WARN}, 0)
        self.stops(job, {f'{directory}/10.conf': case.BAD}, 2)
        self.stops(job, {f'{directory}/10.conf': 'no configuration'}, 255)

    def test_the_cron_job_is_the_job(self):
        (job,) = case.documents(case.CONTRIB / JOBS[0])
        (cron,) = case.documents(case.CONTRIB / JOBS[1])
        self.assertEqual(job['spec'], cron['spec']['jobTemplate']['spec'])


class HelmTest(JobCase):
    """Tests of the template, in a chart that Helm renders."""

    TEMPLATE = 'templates/job-manila-precheck.yaml'

    VALUES = {
        'image': 'registry.example.org/manila-precheck:1',
        'target_release': '2026.1',
    }

    def setUp(self):
        super().setUp()
        import helm_python

        self.helm = helm_python
        self.write(
            'chart/Chart.yaml',
            'apiVersion: v2\nname: manila\nversion: 1.0.0\n'
            'icon: file:///manila.png\n',
        )
        self.write(
            f'chart/{self.TEMPLATE}',
            (case.CONTRIB / 'helm' / self.TEMPLATE).read_text(),
        )

    def render(self, values):
        with self.helm.Chart.load(str(self.path / 'chart')) as chart:
            rendered = chart.render(
                {'manila_precheck': values}, name='manila', is_upgrade=True
            )
        return rendered[f'manila/{self.TEMPLATE}']

    def test_lint(self):
        report = self.helm.lint(
            str(self.path / 'chart'),
            {'manila_precheck': self.VALUES},
            strict=True,
        )
        self.assertEqual(
            [],
            report['errors']
            + [m for m in report['messages'] if m['severity'] > 1],
        )

    def test_the_hook(self):
        """The Job runs before that of openstack-helm for the db sync."""
        path = self.write('job.yaml', self.render(self.VALUES))
        self.valid(path)
        (job,) = case.documents(path)
        self.assertEqual(
            {
                'helm.sh/hook': 'post-upgrade',
                'helm.sh/hook-weight': '-5',
                'helm.sh/hook-delete-policy': 'before-hook-creation',
            },
            job['metadata']['annotations'],
        )
        file = '/etc/manila/manila.conf'
        self.stops(job, {}, 255)
        self.stops(job, {file: case.WARN}, 0)
        self.stops(job, {file: case.BAD}, 2)

    def test_the_release_of_the_values_is_the_target(self):
        path = self.write(
            'job.yaml',
            self.render({**self.VALUES, 'target_release': 'master'}),
        )
        (job,) = case.documents(path)
        self.stops(job, {'/etc/manila/manila.conf': case.GOOD}, 255)

    def test_values_that_are_missing(self):
        for name in self.VALUES:
            values = {
                key: self.VALUES[key] for key in self.VALUES if key != name
            }
            error = self.assertRaises(
                self.helm.HelmRenderError, self.render, values
            )
            self.assertIn(f'manila_precheck.{name} is missing', str(error))

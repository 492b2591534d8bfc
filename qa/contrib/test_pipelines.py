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

"""Test the files for GitHub, GitLab and pre-commit."""

import os
import re
import shutil
import site

import ddt

from qa.contrib import case

ACTION = case.CONTRIB / 'github/action.yml'
COMPONENT = case.CONTRIB / 'gitlab/templates/manila-precheck.yml'


@ddt.ddt
class GithubTest(case.Case):
    NEEDS = ('check-jsonschema',)

    def setUp(self):
        super().setUp()
        self.runner = self.path / 'runner'
        self.write('runner/output', '')
        self.write('runner/summary', '')

    def step(self, number, inputs):
        """Run a step of the action as the runner does; return the process.

        :param inputs: the inputs in "with".
        """
        (action,) = case.documents(ACTION)
        step = action['runs']['steps'][number]
        self.assertEqual('bash', step['shell'])

        def value(match):
            name = match[1]
            return inputs.get(name, action['inputs'][name].get('default'))

        script = self.write('step.sh', step['run'])
        return self.run_words(
            'bash',
            '--noprofile',
            '--norc',
            '-eo',
            'pipefail',
            script,
            **{
                name: re.sub(r'\$\{\{ inputs\.(\S+) \}\}', value, text)
                for name, text in step['env'].items()
            },
            GITHUB_ACTION_PATH=str(ACTION.parent),
            GITHUB_OUTPUT=str(self.runner / 'output'),
            GITHUB_STEP_SUMMARY=str(self.runner / 'summary'),
            RUNNER_TEMP=str(self.runner),
        )

    def check(self, conf, **inputs):
        """Run the checks; return the exit code and the outputs."""
        self.write('runner/output', '')
        done = self.step(
            1,
            {
                'config-file': str(conf),
                'source-release': '2025.1',
                'target-release': '2026.1',
                **{
                    key.replace('_', '-'): value
                    for key, value in inputs.items()
                },
            },
        )
        lines = (self.runner / 'output').read_text().splitlines()
        return done.returncode, dict(line.split('=', 1) for line in lines)

    def install(self):
        target = self.runner / 'manila-precheck/bin/manila-precheck'
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.command, target)

    def test_schema(self):
        self.validate('vendor.github-actions', ACTION)

    def test_no_input_is_part_of_a_script(self):
        (action,) = case.documents(ACTION)
        for step in action['runs']['steps']:
            self.assertNotIn('${{', step['run'])

    def test_what_is_installed(self):
        """By default it installs the repository of the action itself."""
        self.program(
            'python3',
            '#!/bin/sh\nmkdir -p "$3/bin"\n'
            'printf \'#!/bin/sh\\necho "$@"\\n\' > "$3/bin/pip"\n'
            'chmod +x "$3/bin/pip"\n',
        )
        done = self.step(0, {})
        where = done.stdout.split()[-1]
        self.assertTrue(os.path.samefile(case.ROOT, where), done.stderr)
        done = self.step(0, {'package': 'manila-precheck==1'})
        self.assertEqual('manila-precheck==1', done.stdout.split()[-1])

    def test_the_check(self):
        self.install()
        for text, expected in ((case.GOOD, 0), (case.BAD, 2)):
            code, outputs = self.check(self.write('manila.conf', text))
            self.assertEqual(
                (expected, str(expected)), (code, outputs['code'])
            )
            self.assertTrue(os.path.getsize(outputs['sarif']))
            (self.runner / 'manila-precheck.sarif').unlink()
        summary = (self.runner / 'summary').read_text()
        self.assertEqual(
            2, len(re.findall('(?m)^## .*2025.1 .* 2026.1', summary))
        )

    @ddt.named_data(
        ['no file', {'conf': 'nowhere'}],
        ['master', {'target_release': 'master'}],
        ['an empty input', {'target_release': ''}],
    )
    def test_stops(self, given):
        self.install()
        given = {'conf': self.write('manila.conf', case.GOOD), **given}
        code, outputs = self.check(**given)
        self.assertEqual((255, '255'), (code, outputs['code']))

    def test_no_command(self):
        code, outputs = self.check(self.write('manila.conf', case.GOOD))
        self.assertEqual((127, '127'), (code, outputs['code']))

    def test_warnings_stop_if_they_are_to(self):
        self.install()
        conf = self.write('manila.conf', case.WARN)
        self.assertEqual(0, self.check(conf)[0])
        self.assertEqual(1, self.check(conf, fail_on='warning')[0])


class GitlabTest(case.Case):
    NEEDS = ('check-jsonschema',)

    def job(self, **inputs):
        """Return the job of the component, rendered as GitLab does."""
        _start, header, body = COMPONENT.read_text().split('---\n')
        path = self.write('spec.yml', header)
        (spec,) = case.documents(path)
        declared = spec['spec']['inputs']
        self.assertLessEqual(set(inputs), set(declared))
        values = {
            name: inputs.get(name, one.get('default'))
            for name, one in declared.items()
        }
        self.assertNotIn(None, values.values())
        path = self.write(
            'job.yml',
            re.sub(r'\$\[\[ inputs\.(\w+) \]\]', lambda m: values[m[1]], body),
        )
        self.validate(
            'vendor.gitlab-ci', path, '--data-transform', 'gitlab-ci'
        )
        (jobs,) = case.documents(path)
        return jobs['manila-precheck']

    def run_job(self, path=None, **inputs):
        """Run the script of the job, on PATH.

        :return: the job and the process.
        """
        job = self.job(
            **{
                'source_release': '2025.1',
                'target_release': '2026.1',
                'config_file': 'manila.conf',
                **inputs,
            }
        )
        (script,) = job['script']
        found = {'PATH': path} if path else {}
        return job, self.run_words(
            'sh', '-ec', script, **job['variables'], **found
        )

    def test_the_job(self):
        for text, expected in ((case.GOOD, 0), (case.BAD, 2)):
            self.write('manila.conf', text)
            job, done = self.run_job()
            self.assertEqual(expected, done.returncode, done.stderr)
            artifacts = job['artifacts']
            self.assertEqual('always', artifacts['when'])
            for name in (artifacts['reports']['junit'], *artifacts['paths']):
                (self.path / name).unlink()

    def test_stops(self):
        self.assertEqual(255, self.run_job()[1].returncode)
        self.write('manila.conf', case.WARN)
        self.assertEqual(0, self.run_job()[1].returncode)
        self.assertEqual(1, self.run_job(fail_on='warning')[1].returncode)
        self.assertEqual(
            255, self.run_job(target_release='master')[1].returncode
        )
        self.assertEqual(127, self.run_job('/usr/bin:/bin')[1].returncode)


class PreCommitTest(case.Case):
    """Run the hooks in a repository of the test, from a clone of ours."""

    NEEDS = ('pre-commit', 'git')

    def commit(self, tree):
        self.environment.update(
            {
                f'GIT_{who}_{what}': value
                for who in ('AUTHOR', 'COMMITTER')
                for what, value in (('NAME', 'A'), ('EMAIL', 'a@example.org'))
            }
        )
        self.succeeds('git', 'add', '--all', cwd=tree)
        self.succeeds('git', 'commit', '--quiet', '--message=all', cwd=tree)

    def test_the_hook(self):
        self.succeeds(
            'pre-commit',
            'validate-manifest',
            case.ROOT / '.pre-commit-hooks.yaml',
        )
        clone, site_tree = self.path / 'clone', self.path / 'site'
        self.succeeds(
            'git',
            'clone',
            '--quiet',
            '--depth=1',
            f'file://{case.ROOT}',
            clone,
        )
        shutil.copy(case.ROOT / '.pre-commit-hooks.yaml', clone)
        (clone / 'changed').write_text('')
        self.commit(clone)
        self.succeeds('git', 'init', '--quiet', site_tree)
        head = self.succeeds('git', 'rev-parse', 'HEAD', cwd=clone).strip()
        for name, text in {
            '.pre-commit-config.yaml': f"""
repos:
  - repo: {clone}
    rev: {head}
    hooks:
      - id: manila-precheck
        args:
          - --config-file=etc/manila/manila.conf
          - --source-release=2025.1
          - --target-release=2026.1
""",
            'etc/manila/manila.conf': case.GOOD,
            'README': '',
        }.items():
            self.write(f'site/{name}', text)
        self.commit(site_tree)
        # The hook installs only this package; its libraries come from this
        # environment.
        self.environment.update(
            PIP_NO_DEPS='1',
            PRE_COMMIT_HOME=str(self.path / 'pre-commit'),
            PYTHONPATH=os.pathsep.join(site.getsitepackages()),
        )
        for text, code in (
            (case.GOOD, 0),
            (case.WARN, 0),
            (case.BAD, 1),
            ('no configuration', 1),
        ):
            self.write('site/etc/manila/manila.conf', text)
            self.succeeds('git', 'add', '--all', cwd=site_tree)
            done = self.run_words('pre-commit', 'run', cwd=site_tree)
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.assertIn('exit code: 255', done.stdout)
        # The hook ignores changes of other files.
        self.succeeds('git', 'reset', '--quiet', '--hard', cwd=site_tree)
        self.write('site/README', 'more')
        self.succeeds('git', 'add', '--all', cwd=site_tree)
        done = self.succeeds('pre-commit', 'run', cwd=site_tree)
        self.assertIn('Skipped', done)

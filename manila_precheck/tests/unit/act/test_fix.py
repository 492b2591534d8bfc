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
"""What findings ask for is done in copies, until they ask for no more."""

import io
import stat

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.act import fix
from manila_precheck.act import overlay
from manila_precheck.engine import registry
from manila_precheck.evidence.files import tree


def _fixed(site, wanted=lambda finding: True, remove=False):
    entries = [e for e in registry.checks() if e.result_id in fix.CHECKS]
    return fix.fix(site.context(), entries, wanted, remove)


def _after(fixed, which='after'):
    """Return what the files that changed hold, by the last name."""
    return {
        file.path.rpartition('/')[2]: getattr(file, which).decode()
        for file in fixed.files
        if file.before != getattr(file, which)
    }


@ddt.ddt
class FixTest(testtools.TestCase):
    def site(self, config, files=None, source='2025.1', target='2026.1'):
        return self.useFixture(
            testing.Site(config, files, source=source, target=target)
        )

    def test_nothing_to_do(self):
        fixed = _fixed(self.site('[DEFAULT]\ndebug = true\n'))
        self.assertEqual(({}, 0), (_after(fixed), fixed.changed))

    def test_a_new_name_comes_first(self):
        fixed = _fixed(self.site('[DEFAULT]\r\nquota_shares=2\r\n'))
        text = (
            '[DEFAULT]\r\n'
            '# PRECHECK: [DEFAULT] quota_shares is a deprecated name of '
            '[quota] shares\r\n'
            '# quota_shares=2\r\n'
            '\r\n'
            '[quota]\r\n'
            'shares=2\r\n'
        )
        self.assertEqual({'manila.conf': text}, _after(fixed, 'early'))
        self.assertEqual({'manila.conf': text}, _after(fixed))

    def test_what_the_source_uses_is_not_touched_before(self):
        site = self.site(
            '[oslo_messaging_rabbit]\nssl_enforce_hostname_verification = 1\n'
        )
        fixed = _fixed(site)
        self.assertEqual({}, _after(fixed, 'early'))
        self.assertEqual(
            {
                'manila.conf': '[oslo_messaging_rabbit]\n'
                '# PRECHECK: [oslo_messaging_rabbit] '
                'ssl_enforce_hostname_verification = 1 is read by 2025.1, but '
                '2026.1 removed it and ignores the line\n'
                '# ssl_enforce_hostname_verification = 1\n'
            },
            _after(fixed),
        )

    def test_an_old_name_whose_option_lives_on_is_not_lost(self):
        site = self.site(
            '[DEFAULT]\nsql_connection = mysql://u:p@h/manila\n'
            'lock_path = /l\n[oslo_concurrency]\n',
            source='2023.1',
            target='2024.1',
        )
        expected = (
            '[DEFAULT]\n'
            '[oslo_concurrency]\n'
            'lock_path = /l\n'
            '\n'
            '[database]\n'
            'connection = mysql://u:p@h/manila\n'
        )
        fixed = _fixed(site, remove=True)
        self.assertEqual({'manila.conf': expected}, _after(fixed, 'early'))
        self.assertEqual({'manila.conf': expected}, _after(fixed))

    def test_an_invalid_value_that_nothing_uses_is_not_left(self):
        site = self.site(
            '[DEFAULT]\nenabled_share_backends = a\n'
            '[a]\n'
            'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            '[nova]\ninsecure = 2\n'
            '[neutron]\nauth_type = password\nauth_url = $nowhere\n'
        )
        ignored = (
            '2026.1 rejects the value, and no enabled back end uses {}; so '
            'does 2025.1'
        )
        text = (
            '[nova]\n'
            f'# PRECHECK: [nova] insecure = 2: {ignored.format("nova")}\n'
            '# insecure = 2\n'
            'insecure = False\n'
            '[neutron]\n'
            'auth_type = password\n'
            '# PRECHECK: choose auth_url ['
            'config-options[neutron/auth_url#value]]: text: [neutron] '
            f'auth_url = $nowhere: {ignored.format("neutron")}\n'
            'auth_url = $nowhere\n'
        )
        found = _after(_fixed(site), 'early')['manila.conf']
        self.assertEqual(text, found[found.index('[nova]') :])

    def test_old_lines_are_removed(self):
        site = self.site('[DEFAULT]\nquota_shares = 2\n[quota]\n')
        self.assertEqual(
            {'manila.conf': '[DEFAULT]\n[quota]\nshares = 2\n'},
            _after(_fixed(site, remove=True)),
        )

    def test_each_name_of_a_list_that_is_gone(self):
        names = 'AvailabilityZoneFilter,a.Gone,CapacityFilter,b.Gone'
        site = self.site(f'[DEFAULT]\nscheduler_default_filters = {names}\n')
        text = _after(_fixed(site))['manila.conf']
        self.assertEqual(
            'scheduler_default_filters = AvailabilityZoneFilter,'
            'CapacityFilter',
            text.splitlines()[-1],
        )
        self.assertIn(f'\n# scheduler_default_filters = {names}\n', text)
        # What was written on the way is not there.
        self.assertEqual(3, text.count('scheduler_default_filters = ') + 1)

    def test_a_misspelling_is_for_a_person(self):
        site = self.site(
            '[DEFAULT]\nscheduler_default_filters = capacityFilter\n'
        )
        fixed = _fixed(site)
        self.assertEqual(
            ['config-options[DEFAULT/scheduler_default_filters#names]'],
            [
                finding.key
                for result in fixed.results
                for finding in result.findings
                if finding.severity is model.Severity.FAILURE
            ],
        )
        text = _after(fixed)['manila.conf']
        self.assertEqual(
            ['[DEFAULT]', 'scheduler_default_filters = capacityFilter'],
            text.splitlines()[::2],
        )
        self.assertTrue(
            text.splitlines()[1].startswith(
                '# PRECHECK: choose scheduler_default_filters ['
                'config-options[DEFAULT/scheduler_default_filters#names]]: '
                'CapacityFilter?: '
            )
        )

    def test_policy_json_becomes_policy_yaml(self):
        files = {
            'policy.json': '{"share:create": "role:x",\n\t"a": [["role:y"]],'
            ' "share:get": "role:\\"q\\" or rule:a"}'
        }
        fixed = _fixed(self.site('[DEFAULT]\n', files))
        rules = (
            '"share:create": "role:x"\n'
            '"a": [["role:y"]]\n'
            '"share:get": "role:\\"q\\" or rule:a"\n'
        )
        self.assertEqual(['policy.yaml'], list(_after(fixed, 'early')))
        head, _, rest = _after(fixed)['policy.yaml'].partition('\n')
        self.assertEqual(rules, rest)
        self.assertTrue(head.startswith('# PRECHECK: '), head)

    def test_policy_json_is_left_once_policy_yaml_is_read(self):
        files = {
            'policy.json': '{\n"context_is_admin": "role:admin",\n'
            '"share:create": "role:x"\n}\n'
        }
        fixed = _fixed(self.site('[DEFAULT]\n', files))
        self.assertEqual(['policy.yaml'], list(_after(fixed)))
        self.assertIn(
            '\n# "context_is_admin": "role:admin"\n',
            _after(fixed)['policy.yaml'],
        )

    def test_a_rule_that_got_the_default_goes_without_another_word(self):
        rules = '"default": "@"\n"share:create": "rule:gone"\n'
        text = _after(
            _fixed(self.site('[DEFAULT]\n', {'policy.yaml': rules}))
        )['policy.yaml']
        self.assertEqual(
            ['"default": "@"', '# "share:create": "rule:gone"'],
            [t for t in text.splitlines() if not t.startswith('# PRECHECK')],
        )
        self.assertEqual(
            '# "share:create": "rule:gone"', text.splitlines()[-1]
        )

    def test_what_nobody_passes_is_for_a_person(self):
        rules = '"closed": "!"\n"share:create": "rule:gone"\n'
        site = self.site(
            '[oslo_policy]\npolicy_default_rule = closed\n',
            {'policy.yaml': rules},
        )
        text = _after(_fixed(site))['policy.yaml']
        self.assertEqual(
            rules.splitlines(), [t for t in text.splitlines() if t[0] != '#']
        )
        self.assertIn(
            '\n# PRECHECK: choose share:create ['
            'policy-rules[share:create#reference-gone]]: '
            "define 'gone', or have the default of 2026.1: ",
            text,
        )

    def test_policy_json_that_stays_is_not_written_anew(self):
        files = {'policy.json': '{"share:create": "role:x"}'}
        fixed = _fixed(
            self.site('[DEFAULT]\n', files, source='2023.2', target='2024.1')
        )
        # A warning of what a later release ignores.
        self.assertEqual(['policy.yaml'], list(_after(fixed)))

    def test_json_on_one_line_is_written_anew_for_a_rule(self):
        files = {
            'policy.yaml': '{"share:create": "rule:gone", "share:get": "!"}\n'
        }
        fixed = _fixed(self.site('[DEFAULT]\n', files))
        text = _after(fixed)['policy.yaml']
        self.assertIn('"share:get": "!"\n', text)
        self.assertIn('\n# "share:create": "rule:gone"\n', text)

    def test_json_with_rules_beside_its_braces_is_written_anew(self):
        site = self.site(
            '[oslo_policy]\npolicy_file = policy.json\n',
            {
                'policy.json': '{"share_type:create": "rule:admin_api",\n'
                '"share:delete": "role:x",\n'
                '"share:create": "rule:gone"}\n'
            },
        )
        fixed = _fixed(site)
        text = _after(fixed)['policy.json']
        self.assertEqual(
            [],
            [
                finding.key
                for result in fixed.results
                for finding in result.findings
                if finding.aspect.startswith('reference')
            ],
        )
        self.assertIn('\n"share:delete": "role:x"\n', text)

    def test_a_line_that_others_refer_to_is_for_a_person(self):
        # The value of $quota_gigabytes would be that of the default.
        site = self.site(
            '[DEFAULT]\nquota_shares = $quota_gigabytes\n'
            'quota_gigabytes = 500\n'
        )
        text = _after(_fixed(site))['manila.conf']
        self.assertIn(
            '\n# PRECHECK: choose quota_gigabytes '
            '[config-options[DEFAULT/quota_gigabytes]]: ',
            text,
        )
        self.assertIn('\nquota_gigabytes = 500\n', text)
        self.assertIn('\nshares = $quota_gigabytes\n', text)

    def test_the_files_of_policies_are_not_lost(self):
        files = {'p.yaml': '"share:get": "!"\n'}
        site = self.site(
            '[DEFAULT]\npolicy_file = p.yaml\n', files, '2024.1', '2025.1'
        )
        expected = '[DEFAULT]\n\n[oslo_policy]\npolicy_file = p.yaml\n'
        fixed = _fixed(
            site, lambda f: f.check_id == 'config-options', remove=True
        )
        self.assertEqual({'manila.conf': expected}, _after(fixed))

    def test_one_finding_of_two_on_a_line(self):
        site = self.site('[DEFAULT]\nquota_shares = many\n')
        fixed = _fixed(site, lambda f: f.aspect == 'value', remove=True)
        self.assertEqual(
            {'manila.conf': '[DEFAULT]\nquota_shares = 50\n'}, _after(fixed)
        )
        fixed = _fixed(site, lambda f: f.aspect == '', remove=True)
        self.assertEqual(
            {'manila.conf': '[DEFAULT]\n\n[quota]\nshares = many\n'},
            _after(fixed),
        )
        fixed = _fixed(site, remove=True)
        self.assertEqual(
            {'manila.conf': '[DEFAULT]\n\n[quota]\nshares = 50\n'},
            _after(fixed),
        )

    def test_two_old_names_of_one_option(self):
        lines = (
            'osapi_max_request_body_size = 100\nmax_request_body_size = {}\n'
        )
        text = _after(_fixed(self.site('[DEFAULT]\n' + lines.format(101))))
        self.assertEqual(
            [
                '# PRECHECK: choose osapi_max_request_body_size [',
                'osapi_max_request_body_size = 100',
                '# PRECHECK: choose max_request_body_size [',
                'max_request_body_size = 101',
            ],
            [
                line.partition('[')[0] + '[' * line.startswith('#')
                for line in text['manila.conf'].splitlines()[1:]
            ],
        )
        # What they say is the same.
        text = _after(
            _fixed(self.site('[DEFAULT]\n' + lines.format(100)), remove=True)
        )
        self.assertEqual(
            '[DEFAULT]\n\n[oslo_middleware]\nmax_request_body_size = 100\n',
            text['manila.conf'],
        )

    def test_a_finding_marks_its_line_once(self):
        site = self.site(
            '[DEFAULT]\nenabled_share_backends = a\n[a]\n'
            'share_driver = manila.share.drivers.netapp.common.NetAppDriver\n'
            'driver_handles_share_servers = perhaps\n'
        )
        fixed = _fixed(site)
        text = _after(fixed)['manila.conf']
        self.assertEqual(
            1,
            text.count('# PRECHECK: choose driver_handles_share_servers '),
        )
        self.assertIn('[backend-drivers[a#mode]]: ', text)

    def test_a_back_end_without_a_section_is_for_a_person(self):
        site = self.site('[DEFAULT]\nenabled_share_backends = a,$(x)\n')
        text = _after(_fixed(site))['manila.conf']
        self.assertEqual(
            [
                '# PRECHECK: choose enabled_share_backends '
                f'[backend-drivers[{name}#section]]'
                for name in ('a', '$(x)')
            ],
            [line.partition(': Add')[0] for line in text.splitlines()[1:-1]],
        )

    def test_what_another_finding_wants_to_keep_does_not_go(self):
        edits = [
            model.Edit('comment', 'config', 'f', 2),
            model.Edit('move', 'config', 'f', 2),
        ]
        findings = [
            model.Finding(
                model.Severity.WARNING,
                model.Subject('option', edit.action),
                '',
                [model.advice('').with_edits(edit)],
            )
            for edit in edits
        ]
        result = model.CheckResult(
            'a', 'a', model.Outcome.FOUND, findings=tuple(findings)
        )

        def of(*names):
            return [
                edit.action
                for _finding, edit in fix._strongest(
                    [result], str, lambda f: f.subject.name in names
                )
            ]

        self.assertEqual([], of('comment'))
        self.assertEqual(['move'], of('move'))
        self.assertEqual(['move'], of('comment', 'move'))

    def test_a_secret_is_moved_and_not_told(self):
        site = self.site(
            '[DEFAULT]\nx = 1\n'
            '[neutron]\nneutron_admin_password = tops3cr3t\n',
            source='2023.1',
            target='2024.1',
        )
        for file in _fixed(site).files:
            for line in (file.after or b'').decode().splitlines():
                if line.startswith('# PRECHECK'):
                    self.assertNotIn('tops3cr3t', line)

    def test_a_second_run_changes_nothing(self):
        site = self.site(
            '[DEFAULT]\nquota_shares = 2\nauth_strategy = keystone_nolimit\n'
            'enabled_share_backends = a\n'
            '[a]\nshare_driver = manila.share.drivers.gone.Driver\n',
            {'policy.yaml': '"share:get": "rule:gone"\n"x": "role:y"\n'},
        )
        first = _fixed(site)
        self.assertNotEqual(0, first.changed)
        for file in first.files:
            with open(file.path, 'wb') as stream:
                stream.write(file.after)
        self.assertEqual(({}, 0), (_after(_fixed(site)), _fixed(site).changed))

    def test_the_run_itself_is_not_changed(self):
        site = self.site('[DEFAULT]\nquota_shares = 2\n')
        _fixed(site)
        with open(site.file('manila.conf'), encoding='utf-8') as stream:
            self.assertEqual('[DEFAULT]\nquota_shares = 2\n', stream.read())


class EditsTest(testtools.TestCase):
    """What the remedies of each check say that files need."""

    def test_config_options(self):
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\nquota_shares = 2\nosapi_share_workers = 0\n'
                'unheard_of = 1\n',
                source='2025.1',
                target='2026.1',
            )
        )
        path = site.file('manila.conf')
        self.assertEqual(
            {
                'config-options[DEFAULT/quota_shares]': [
                    model.Edit(
                        'move',
                        'config',
                        path,
                        2,
                        'quota',
                        'shares',
                        None,
                        True,
                    ),
                    model.Edit(
                        'comment',
                        'config',
                        path,
                        2,
                        'DEFAULT',
                        'quota_shares',
                    ),
                ],
            },
            {
                key: edits
                for key, edits in site.edits('config-options').items()
                if 'workers' not in key
            },
        )

    def test_policy_rules(self):
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\n',
                {
                    'policy.yaml': '"share:get": "rule:gone"\n'
                    '"share:create":\n"unused": "@"\n'
                },
                source='2025.1',
                target='2026.1',
            )
        )
        path = site.file('policy.yaml')
        self.assertEqual(
            {
                'policy-rules[share:create#empty]': [
                    model.Edit(
                        'set', 'policy', path, 2, '', 'share:create', '!'
                    )
                ],
                'policy-rules[share:get#reference-gone]': [
                    model.Edit(
                        'set',
                        'policy',
                        path,
                        1,
                        '',
                        'share:get',
                        '(rule:context_is_admin) or (rule:project-reader)',
                    )
                ],
                'policy-rules[unused]': [
                    model.Edit(
                        'comment', 'policy', path, 3, '', 'unused', None, True
                    )
                ],
            },
            site.edits('policy-rules'),
        )


class RenamesTest(testtools.TestCase):
    def test_no_rename_changes_what_a_value_means(self):
        # One that does needs a conversion: Edits.move() has a value for it.
        facts = catalog.Catalog()
        found = set()
        for source, target in zip(facts.releases, facts.releases[1:]):
            before = facts.options(source)
            for option in facts.options(target):
                for old in option.deprecated_names:
                    for group in option.groups:
                        home = old.group or group
                        match = before.find(home, old.name)
                        if match is None:
                            continue
                        kinds = match.option.type.kind, option.type.kind
                        if len(set(kinds)) > 1:
                            found.add((home, old.name, *kinds))
        # The text of a URI is the same.
        self.assertEqual({('key_manager', 'auth_url', 'string', 'uri')}, found)


class OverlayTest(testtools.TestCase):
    def test_what_is_there_what_is_new_and_what_is_not(self):
        site = self.useFixture(testing.Site('[DEFAULT]\n', {'d/a': 'old'}))
        real = tree.HOST.realpath(site.path)
        over = overlay.Overlay(
            tree.HOST, {f'{real}/d/a': b'new!', f'{real}/d/b': b'b'}
        )
        self.assertEqual(['a', 'b'], over.listdir(site.file('d')))
        self.assertEqual(b'new!', over.open(site.file('d/a')).read())
        self.assertEqual(b'b', over.open(site.file('d/b')).read())
        self.assertEqual(4, over.status(site.file('d/a')).size)
        self.assertTrue(stat.S_ISREG(over.status(site.file('d/b')).mode))
        self.assertTrue(over.exists(site.file('d/b')))
        self.assertFalse(over.exists(site.file('d/c')))
        with over.open(site.file('manila.conf')) as stream:
            self.assertEqual(b'[DEFAULT]\n', stream.read())
        self.assertIsInstance(over.open(site.file('d/a')), io.BytesIO)


class OverContextTest(testtools.TestCase):
    def test_it_has_no_database(self):
        site = self.useFixture(testing.Site('[DEFAULT]\n'))
        ctx = site.context()
        over = ctx.over(ctx.site)
        self.assertEqual(ctx.upgrade, over.upgrade)
        self.assertRaises(exceptions.SourceNotGiven, lambda: over.database)

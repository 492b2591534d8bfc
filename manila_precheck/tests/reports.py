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

"""The fixed report behind the golden files: every outcome, hostile text."""

from manila_precheck import model

_MANILA_CONF = '/etc/manila/manila.conf'
_SHARE = '8f4e2a3c-5d2b-4c53-a3d1-6f6a2f0f7e11'
_OTHER_SHARE = 'c0a3f9d2-7a41-4b7e-9e58-2b1d8c6e4a90'

_MIGRATE = model.command(f'manila migration-complete {_SHARE}')

BACKEND_DRIVERS = model.CheckResult(
    id='backend-drivers',
    title='Back-end drivers',
    outcome=model.Outcome.FOUND,
    seconds=0.0421,
    findings=(
        model.Finding(
            check_id='backend-drivers',
            severity=model.Severity.FAILURE,
            subject=model.Subject(
                'backend', 'netapp1/share_driver', _MANILA_CONF, 48
            ),
            message=(
                "Driver 'manila.share.drivers.acme.driver.AcmeDriver' is not "
                'in 2026.1: manila-share ends at once, and with it every '
                'other back end of the same service.'
            ),
            remediation=(
                model.advice(
                    'Move the shares of this back end away, or take it out '
                    'of enabled_share_backends before the upgrade.'
                ),
                model.config('[DEFAULT]\nenabled_share_backends = ceph1'),
            ),
            references=(
                'https://docs.openstack.org/releasenotes/manila/'
                '2026.1.html#upgrade-notes',
            ),
            data={'driver': 'manila.share.drivers.acme.driver.AcmeDriver'},
        ),
    ),
)

CONFIG_OPTIONS = model.CheckResult(
    id='config-options',
    title='Configuration options',
    outcome=model.Outcome.FOUND,
    seconds=0.2,
    findings=(
        model.Finding(
            check_id='config-options',
            severity=model.Severity.WARNING,
            subject=model.Subject(
                'option', 'DEFAULT/quota_shares', _MANILA_CONF, 12
            ),
            message=(
                "Option 'quota_shares' of [DEFAULT] is deprecated: 2026.1 "
                "still reads it as 'shares' of [quota]."
            ),
            remediation=(model.config('[quota]\nshares = 50'),),
            references=('manila 20.0.3 manila/quota.py',),
            aspect='deprecated',
        ),
        *(
            model.Finding(
                check_id='config-options',
                severity=model.Severity.INFO,
                subject=model.Subject(
                    'option', f'DEFAULT/unknown_{number}', _MANILA_CONF, number
                ),
                message=(
                    f"Option 'unknown_{number}' is in no release: the "
                    'services ignore it.'
                ),
                remediation=(model.advice('Remove the line.'),),
            )
            for number in range(20, 28)
        ),
    ),
)

#: Findings with names as tenants and broken files may supply them.
HOSTILE = model.CheckResult(
    id='hostile-names',
    title='Names with <b>&amp;</b> ]]> in them',
    outcome=model.Outcome.FOUND,
    findings=(
        model.Finding(
            check_id='hostile-names',
            severity=model.Severity.FAILURE,
            subject=model.Subject(
                'share',
                'evil\x1b[2J\x1b]0;owned\x07\nCode 0: READY',
                uuid=_OTHER_SHARE,
            ),
            message=(
                'Share "<script>&]]>\u202eexe.txt" holds two lines:\n'
                '  - r\xe9sum\xe9 \u5171\u6709 \u30d5\u30a1\u30a4\u30eb\n'
                '  - a\u200bb\ttab\rreturn \ud800 and then enough words for '
                'the line to be wrapped at any of the widths, 120 columns too'
            ),
            remediation=(
                model.command("manila reset-state 'evil\x1b[2J' \u202e"),
                model.policy('"share:get": "<&]]>"\n"share:\xe9": "!"'),
            ),
            data={
                'empty': None,
                'flag': True,
                'huge': float('inf'),
                'name': '<&]]>\n\x1b',
                'ratio': 0.5,
            },
        ),
    ),
)

REPORT = model.Report(
    tool=model.Tool('manila-precheck', '1.2.3', '18.3.0 20.0.3 22.0.2'),
    source_release='2025.1',
    source_origin='database',
    target_release='2026.1',
    target_origin='assumed',
    stage=model.Stage.PLAN,
    files=(
        model.FileRead(_MANILA_CONF, '0' * 64, 'config'),
        model.FileRead(
            '/etc/manila/manila.conf.d/99-\u5171 \x1b.conf', 'f' * 64
        ),
    ),
    services=(
        model.ServiceRead(
            'manila-api', (_MANILA_CONF,), 'unit', None, '/lib/a.service', 7
        ),
        model.ServiceRead('manila-scheduler', (_MANILA_CONF,), 'default'),
        model.ServiceRead(
            'manila-share',
            (_MANILA_CONF, '/etc/manila/manila.conf.d'),
            'process',
            4711,
        ),
        model.ServiceRead('manila-data', (_MANILA_CONF,), 'default'),
    ),
    database=model.DatabaseRead('mysql', '0d8c8f6d54a4'),
    checks=(
        model.CheckResult(
            id='acme-pool-names',
            title='acme-pool-names',
            outcome=model.Outcome.ERROR,
            reason=(
                'it could not be loaded from manila_precheck.checks:\n'
                "ModuleNotFoundError: No module named 'acme'"
            ),
        ),
        BACKEND_DRIVERS,
        CONFIG_OPTIONS,
        model.CheckResult(
            id='database-backup',
            title='Database backup',
            outcome=model.Outcome.NOT_APPLICABLE,
            reason='it is for stage stopped',
        ),
        HOSTILE,
        model.CheckResult(
            id='live-services',
            title='Live services',
            outcome=model.Outcome.PASSED,
            seconds=1.0,
        ),
        model.CheckResult(
            id='policy-rules',
            title='Policy rules',
            outcome=model.Outcome.SKIPPED,
            reason='no policy file: neither policy.yaml nor policy.d is there',
        ),
        model.CheckResult(
            id='running-migrations',
            title='Running migrations',
            outcome=model.Outcome.FOUND,
            findings=tuple(
                model.Finding(
                    check_id='running-migrations',
                    severity=model.Severity.FAILURE,
                    subject=model.Subject('share', uuid, uuid=uuid),
                    message=(
                        f'Share {uuid} waits for its migration to be '
                        "completed ('migration_driver_phase1_done' since "
                        '3 h on ctl1@ceph1#pool).'
                    ),
                    remediation=(
                        model.command(
                            'openstack share migration show --format yaml '
                            f'{_SHARE} --and-a-long-option with-a-value'
                        ),
                        _MIGRATE,
                    ),
                )
                for uuid in (_SHARE, _OTHER_SHARE)
            ),
        ),
        model.CheckResult(
            id='share-servers',
            title='Share servers',
            outcome=model.Outcome.FOUND,
            findings=(
                model.Finding(
                    check_id='share-servers',
                    severity=model.Severity.FAILURE,
                    subject=model.Subject('share_server', 'one'),
                    message='Share server one is lost.',
                    waiver=model.Waiver(
                        'share-servers[*]',
                        'it is <gone> @all \x1b for good',
                        'Storage',
                        '2026-12-31',
                    ),
                ),
                model.Finding(
                    check_id='share-servers',
                    severity=model.Severity.WARNING,
                    subject=model.Subject('share_server', 'two'),
                    message='Share server two is old.',
                    known=True,
                ),
            ),
        ),
        model.CheckResult(
            id='soft-deleted-rows',
            title='Soft-deleted rows',
            outcome=model.Outcome.FOUND,
            findings=tuple(
                model.Finding(
                    check_id='soft-deleted-rows',
                    severity=model.Severity.INFO,
                    subject=model.Subject('table', f'table_{number:02}'),
                    message=f'table_{number:02} holds rows.',
                    data={
                        'live': 1000,
                        'soft_deleted': 12000 // (number + 1),
                        'purgeable': 9000 // (number + 1),
                    },
                )
                for number in range(12)
            ),
        ),
    ),
    excluded=('api-paste', 'upgrade-path'),
    backends=('ceph1', 'evil\x1b</text>', 'netapp1'),
    created='2026-04-01T12:00:00+00:00',
    site='<b>Lab</b> | \x1b\u202e',
    region='west',
    author='@ops *x*',
    window=model.Window(62.0, 1900.0, ('Back up the | database',)),
    waiver_until='2026-05-01',
    source_facts=model.Facts('shipped', '20.0.3', '2026-03-01'),
    target_facts=model.Facts(
        'file',
        '22.1.0.dev7',
        '2026-03-31T10:00:00Z',
        '/srv/|<b>\x1b{day}\u5171.json',
        'e' * 64,
    ),
)

#: A run in which nothing was found.
CLEAN = model.Report(
    tool=model.Tool('manila-precheck', '1.2.3', '18.3.0 20.0.3 22.0.2'),
    source_release='2025.1',
    source_origin='option',
    target_release='2026.1',
    target_origin='option',
    stage=model.Stage.STOPPED,
    files=(),
    database=None,
    checks=(
        model.CheckResult(
            id='upgrade-path',
            title='Upgrade path',
            outcome=model.Outcome.PASSED,
        ),
    ),
)


def many(causes: int) -> model.Report:
    """Return a run with more findings than any reader wants to see.

    :param causes: how many groups its findings form.
    """
    return CLEAN._replace(
        checks=(
            model.CheckResult(
                id='many-findings',
                title='Many findings',
                outcome=model.Outcome.FOUND,
                findings=tuple(
                    model.Finding(
                        check_id='many-findings',
                        severity=model.Severity.FAILURE,
                        subject=model.Subject(
                            'share', f'share-{number} ]]>\x1b'
                        ),
                        message='It is wrong.',
                        cause=str(number % causes),
                    )
                    for number in range(10_000)
                ),
            ),
        ),
    )


#: Runs with many findings: of many causes, and of one.
MANY = many(10_000)
MANY_ALIKE = many(1)


#: The merged report of several hosts, compared with an earlier run.
FLEET = CLEAN._replace(
    hosts=(
        model.HostRead(
            'east',
            'ctl1',
            2,
            '2026-04-01T11:59:58+00:00',
            '/r/east/ctl1.json',
            'c' * 64,
        ),
        model.HostRead('east', 'ctl2', None),
        model.HostRead(
            'west',
            'ctl1',
            0,
            '2026-04-01T11:59:58+00:00',
            '/r/west/ctl1.json',
            'a' * 64,
        ),
        model.HostRead(
            'west',
            'ctl2',
            1,
            '2026-04-01T11:59:58+00:00',
            '/r/west/ctl2.json',
            'b' * 64,
        ),
    ),
    runs=(
        model.RunRead(
            '2026-03-01T00:00:00+00:00',
            '2025.1',
            '2026.1',
            model.Stage.PLAN,
            hosts=4,
            failures=3,
            warnings=2,
            notes=1,
        ),
    ),
)

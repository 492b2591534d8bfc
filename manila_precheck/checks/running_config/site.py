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

"""The identity of the services, and the resources that they share."""

from collections.abc import Iterator

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.running_config import comparison
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import service_urls
from manila_precheck.evidence.database import hosts

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO


def host(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what a change of [DEFAULT] host does to the shares."""
    for change in sides.changes('DEFAULT', 'host'):
        old, new = change.before.value, change.after.value
        served = hosts.enabled_backends(sides.ctx.running)
        effect = (
            'every service gets a new row in the table services, and the '
            'old one stays down'
        )
        severity = _WARNING
        if served.backends:
            severity = _FAILURE
            effect += (
                '; existing shares keep the old host, where no manila-share '
                'runs any longer, and requests for them stay queued'
            )
        if old is None or new is None:
            severity = _WARNING
            effect = f'unless both are the same name, {effect}'
        found = sides.finding(
            change, severity, effect, unset='the name of the machine'
        )
        if old and new and served.backends:
            found = found._replace(
                remediation=(
                    *found.remediation,
                    model.advice(
                        'Or move the shares to the new host, after '
                        '"manila-manage db sync" and before the services '
                        'start:'
                    ),
                    model.command(
                        'manila-manage share update_host --currenthost{=} '
                        '--newhost{=}',
                        old,
                        new,
                    ),
                )
            )
        yield found._replace(data={'old_host': old, 'new_host': new})


def backends(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the back ends that the staged files no longer enable.

    If the database is read, backends-in-use reports what they hold.
    """
    running = hosts.enabled_backends(sides.ctx.running)
    staged = hosts.enabled_backends(sides.ctx.config)
    change = sides.changes(*config_files.ENABLED_BACKENDS)
    if not running.backends or not change or _holdings_are_told(sides):
        return
    for name in running.backends:
        if name in staged.backends:
            continue
        backend = name or 'DEFAULT'
        yield model.Finding(
            _FAILURE,
            change[0].subject._replace(kind='backend', name=backend),
            f'the running files enable the back end {backend}, but the '
            'staged files do not: no manila-share serves it after the '
            'upgrade, and requests for its shares stay queued; the database '
            'was not read to see whether it has any',
            sides.keep(change[0]),
        )


def _holdings_are_told(sides: comparison.ComparedSides) -> bool:
    if 'backends-in-use' not in sides.ctx.chosen:
        return False
    try:
        sides.ctx.database  # noqa: B018
    except exceptions.PrecheckError:
        return False
    return True


def sections(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what changes in the section of a back end that stays enabled."""
    running = hosts.enabled_backends(sides.ctx.running).backends
    for name in hosts.enabled_backends(sides.ctx.config).backends:
        if name not in running:
            continue
        group = name or 'DEFAULT'
        for change in sides.changes(group, 'share_driver'):
            old, new = (
                reader.driver(group)
                for reader in (sides.running, sides.staged)
            )
            if old is None or old != new:
                yield sides.finding(
                    change,
                    _FAILURE,
                    'the new driver does not find the shares that the old '
                    'one created',
                )
        for change in sides.changes(group, 'driver_handles_share_servers'):
            yield sides.finding(
                change,
                _FAILURE,
                'existing shares were created in the other mode, and the '
                'back end no longer manages them; no host matches share '
                'types of that mode',
            )
        for change in sides.changes(group, 'share_backend_name'):
            yield sides.finding(
                change,
                _WARNING,
                'no host matches share types whose extra spec '
                'share_backend_name is the old name, and pools named after '
                'it are renamed',
            )
        for change in sides.changes(group, 'backend_availability_zone'):
            yield _zone(sides, change)


def zone(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what a change of the availability zone does."""
    for change in sides.changes('DEFAULT', 'storage_availability_zone'):
        yield _zone(sides, change)


def _zone(
    sides: comparison.ComparedSides, change: comparison.OptionChange
) -> model.Finding:
    return sides.finding(
        change,
        _WARNING,
        'the services move to the new availability zone with their first '
        'report; existing shares keep the old one, which has no host for '
        'new shares, replicas and share servers any longer',
    )


def database(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield that the target opens another database."""
    for change in sides.changes('database', 'connection'):
        old = service_urls.database(change.before.value)
        new = service_urls.database(change.after.value)
        if old is None or new is None or old == new:
            continue
        yield model.Finding(
            _FAILURE,
            change.subject,
            f'{change.says(old, new)}: unless that is the same database or a '
            'complete copy of it, the target has none of the shares, and '
            '"manila-manage db sync" creates its tables there',
            (
                model.advice(
                    'Unless the database has moved, keep [database] '
                    f'connection on {old}.'
                ),
            ),
        )


def broker(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield that the target uses another broker or virtual host."""
    for group, lost in (
        (
            'DEFAULT',
            'requests in the queues of the old broker are lost, and '
            'services that still use it cannot be reached',
        ),
        (
            'oslo_messaging_notifications',
            'consumers of notifications on the old broker receive none',
        ),
    ):
        for change in sides.changes(group, 'transport_url'):
            # Without a URL of their own, notifications use the one of
            # [DEFAULT].
            texts = [
                own.value or default.value
                for own, default in zip(
                    (change.before, change.after),
                    sides.values('DEFAULT', 'transport_url'),
                )
            ]
            if None in texts:
                continue
            old, new = map(service_urls.broker, texts)
            if old == new:
                continue
            severity, effect = _FAILURE, lost
            if group != 'DEFAULT':
                severity = _WARNING
            if old._replace(hosts=new.hosts) == new:
                if old.hosts & new.hosts:
                    severity = _INFO
                    effect = (
                        'both URLs have a host in common and are assumed to '
                        'be one cluster'
                    )
                elif old.names & new.names:
                    severity = _WARNING
                    effect = f'unless both ports belong to one broker, {lost}'
            yield model.Finding(
                severity,
                change.subject,
                f'{change.says(str(old), str(new))}: {effect}',
                (
                    model.advice(
                        f'Unless the broker has moved, keep [{group}] '
                        f'transport_url on {old}.'
                    ),
                )
                if severity
                else (),
            )


def locks(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what happens to locks and to files below state_path."""
    for change in sides.changes('oslo_concurrency', 'lock_path'):
        if change.after.value is None:
            yield sides.finding(
                change,
                _FAILURE,
                'without it the services raise RequiredOptError whenever '
                'they take a lock that other processes share, such as those '
                'of access rules and share servers',
            )
        else:
            yield sides.finding(
                change,
                _WARNING,
                'services that use the old directory and services that use '
                "the new one do not see each other's locks",
            )
    for change in sides.changes('coordination', 'backend_url'):
        if change.before.line is change.after.line is None:
            # Its default is below state_path, which is compared below.
            continue
        old, new = (
            str(value.value).partition(':')[0]
            for value in (change.before, change.after)
        )
        local = new == 'file' and old != 'file'
        before, after = (
            _coordinator(value) for value in (change.before, change.after)
        )
        yield model.Finding(
            _FAILURE if local else _WARNING,
            change.subject,
            f'{change.says(before, after)}: '
            + (
                'file locks work only within one machine, and services on '
                'several controllers can change the same share at the same '
                'time'
                if local
                else 'services that use the old one and services that use '
                "the new one do not see each other's locks"
            ),
            (
                model.advice(
                    'Unless the change is intended, set [coordination] '
                    f'backend_url to {before}.'
                ),
            ),
        )
    for change in sides.changes('DEFAULT', 'state_path'):
        yield sides.finding(
            change,
            _WARNING,
            'files below the old path are no longer found: by default the '
            'file locks of [coordination], the mount points of LVM, GPFS, '
            'GlusterFS and NexentaStor shares and the data of NFS-Ganesha; '
            'the paths of exports of LVM shares change',
        )
    for change in sides.changes('DEFAULT', 'my_ip'):
        used = [
            name or 'DEFAULT'
            for name in hosts.enabled_backends(sides.ctx.config).backends
            if 'hpe_3par' in (sides.staged.driver(name or 'DEFAULT') or '')
        ]
        named = sorted(
            {
                f'[{setting.section}] {setting.name}'
                for setting in sides.ctx.config.settings
                if 'my_ip' in config_files.references(setting.value)
            }
        )
        if used or named:
            yield sides.finding(
                change,
                _WARNING,
                f'it is used by {", ".join([*used, *named])}',
                unset='an address of the machine',
            )
        else:
            yield sides.finding(
                change,
                _INFO,
                'only the driver of HPE 3PAR uses it, and no enabled back '
                'end has that driver',
                unset='an address of the machine',
            )


def _coordinator(value: comparison.ComparedValue) -> str:
    """Return the scheme and the host of the URL of a coordinator."""
    scheme, mark, rest = str(value.value).partition('://')
    if scheme == 'file':
        return f'{scheme}{mark}{rest}'
    host = rest.partition('?')[0].partition('/')[0].rpartition('@')[2]
    return f'{scheme}{mark}{host}'

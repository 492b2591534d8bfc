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

"""Options of back ends in a section where manila registers but ignores them.

Values that the type of the option rejects are not handled here: manila-share
converts every registered option, used or not, because it logs them at startup,
at any log level (manila 23.0.1 service.py wait, oslo.config 9.1 and 10.7
ConfigOpts.log_opt_values).
"""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import conditions
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

_DEFAULT = 'DEFAULT'


def passed_over(reader: config_reader.Reader, group: str, name: str) -> bool:
    """Say whether no service uses an option in a section that has it."""
    conf = reader.conf
    roles = conf.roles(group)
    if group != _DEFAULT:
        # The driver of a peer is not created, nor anything that its section
        # names.
        return roles == {config_files.SectionRole.PEER} or (
            config_files.SectionRole.BACKEND in roles
            and name in conditions.DEFAULT_ALONE
        )
    if (
        name not in conditions.BACK_END_ALONE
        or config_files.SectionRole.BACKEND in roles
        or _is_old_name_of_default(reader, name)
    ):
        return False
    users = conditions.FALL_BACK.get(name)
    if users is None:
        return True
    paths = [reader.driver(backend.name) for backend in conf.backends]
    # It is not known what a driver reads that manila does not ship.
    return not any(
        path is None or path.rpartition('.')[2] in users for path in paths
    )


def _is_old_name_of_default(reader: config_reader.Reader, name: str) -> bool:
    """Say whether a back end reads [DEFAULT] as the old group of an option.

    In manila 12 some options are registered with it as deprecated_group.
    """
    return any(
        old == (_DEFAULT, name)
        for option in reader.options.named(name)
        for old in option.deprecated_names
    )


def findings(
    both: both_releases.Sides, setting: config_files.Setting
) -> Iterator[model.Finding]:
    """Yield that no service uses a line that the target accepts.

    :param setting: a line whose option is registered in its section.
    """
    group, name = setting.group, setting.name
    if not passed_over(both.target, group, name):
        return
    if group != _DEFAULT and name not in conditions.DEFAULT_ALONE:
        # The section is that of a peer.
        return
    if _is_referred_to(both.conf, setting):
        return
    if group == _DEFAULT:
        yield _in_default(both, setting)
    else:
        yield _in_back_end(both, setting)


def _is_referred_to(
    conf: config_files.ConfigFiles, setting: config_files.Setting
) -> bool:
    """Say whether another line refers to the value of a line."""
    names = {f'{setting.group}.{setting.name}'}
    for other in conf.settings:
        if '$' not in other.value or other == setting:
            continue
        # A name without a group is looked up in the section, then in
        # [DEFAULT].
        bare = setting.group in (_DEFAULT, other.group)
        wanted = names | ({setting.name} if bare else set())
        for reference in config_files.references(other.value):
            home, dot, name = reference.rpartition('.')
            if dot:
                reference = f'{config_files.normalize(home)}.{name}'
            if reference in wanted:
                return True
    return False


def _in_default(
    both: both_releases.Sides, setting: config_files.Setting
) -> model.Finding:
    conf, name = both.conf, setting.name
    source, target = both.source.release, both.target.release
    lacking = [
        backend.name
        for backend in conf.backends
        if conf.find(backend.name, name) == ()
    ]
    text = (
        f'{both.assigned(setting)} has no effect: with enabled_share_backends '
        'set, manila-share reads it from the section of each back end alone'
    )
    lost = bool(lacking) and not passed_over(both.source, setting.group, name)
    if lost:
        text = (
            f'{both.assigned(setting)} is the value of every back end that '
            f'sets none in {source}, and has no effect in {target}: '
            'manila-share reads it from the section of each back end alone'
        )
    if not lacking:
        text += ', and each sets it'
    lines = [model.advice(f'Remove {setting.place}.')]
    if lacking:
        first, *others = lacking
        lines = [
            model.advice(
                'Write it in the section of each back end that is to have it'
                + (f' ({len(lacking)} set none); of one:' if others else ':')
            ),
            model.config('[{}]\n{} = {}', first, name, both.shown(setting)),
            *lines,
        ]
    return model.Finding(
        model.Severity.WARNING if lost else model.Severity.INFO,
        setting.subject,
        text,
        lines,
        data={'verdict': 'removed' if lost else 'ineffective'},
    )


def _in_back_end(
    both: both_releases.Sides, setting: config_files.Setting
) -> model.Finding:
    name = setting.name
    found = both.conf.effective([(_DEFAULT, name)])
    text = (
        f'{both.assigned(setting)} has no effect: manila-share reads it from '
        '[DEFAULT] alone, for all back ends'
    )
    lines = [model.advice(f'Remove {setting.place}.')]
    if found:
        text += f', and {found[-1].where} sets it there'
    else:
        lines = [
            model.advice('If all back ends are to have it:'),
            model.config('[DEFAULT]\n{} = {}', name, both.shown(setting)),
            *lines,
        ]
    return model.Finding(
        model.Severity.INFO,
        setting.subject,
        text,
        lines,
        data={'verdict': 'ineffective'},
    )

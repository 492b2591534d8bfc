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

"""Option values that the driver of a back end restricts."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import driver_values
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

#: The names of the options.
OPTIONS = tuple(rule.option for rule in driver_values.RULES)

_EFFECTS = {
    'init': 'manila-share exits with 1 and starts no back end',
    'setup': 'manila-share runs, but the back end never reports',
}


def findings(
    both: both_releases.Sides, setting: config_files.Setting
) -> Iterator[model.Finding]:
    """Yield a finding if the driver of the target rejects the line."""
    conf, target = both.conf, both.target
    if not conf.runs_share or not any(
        config_files.normalize(backend.name) == setting.group
        for backend in conf.backends
    ):
        return
    now = target.of(setting)
    if not now.read or setting not in target.effective(setting):
        return
    driver = (target.driver(setting.group) or '').rpartition('.')[2]
    for rule in driver_values.RULES:
        if rule.option != setting.name or driver not in rule.drivers:
            continue
        if rule.unless and target.is_on(setting.group, rule.unless):
            continue
        try:
            value = target.value(setting)
        except config_reader.Refused:
            # The value itself has been reported.
            continue
        if value is None or rule.takes(_text(value)):
            continue
        yield _finding(both, setting, rule, driver)


def _text(value: object) -> str:
    """Return a value as text, with commas between the items of a list."""
    if isinstance(value, (list, dict)):
        return ','.join(map(str, value))
    return str(value)


def _finding(
    both: both_releases.Sides,
    setting: config_files.Setting,
    rule: driver_values.ValueRule,
    driver: str,
) -> model.Finding:
    edits = both.edits.choose(setting, rule.words)
    steps = [model.advice(f'Set it to {rule.words}.').with_edits(*edits)]
    if rule.good:
        steps.append(
            model.config(
                '[{}]\n{} = {}', setting.section, setting.name, rule.good
            )
        )
    return model.Finding(
        model.Severity.FAILURE,
        setting.subject,
        f'{both.assigned(setting)}: {driver} of {both.target.release} '
        f'takes {rule.words} only; {_EFFECTS[rule.at]}',
        steps,
        data={'verdict': 'invalid'},
        aspect='names',
    )

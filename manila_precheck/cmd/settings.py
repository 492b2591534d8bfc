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

"""List the options that are set, for the comparison of controllers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from manila_precheck import model
from manila_precheck.evidence.config import config_files

if TYPE_CHECKING:
    from manila_precheck.engine import context


def effective(ctx: 'context.Context') -> tuple[model.SettingRead, ...]:
    """Return the options that are set and their values.

    A line that the source release does not read is left out, since it may
    contain anything; so is every option that may contain a secret.

    :returns: sorted by section and name.
    :raises PrecheckError: when the configuration cannot be read.
    """
    return tuple(sorted(_effective(ctx), key=lambda one: one.option))


def _effective(ctx: 'context.Context') -> Iterator[model.SettingRead]:
    reader = ctx.reader(ctx.upgrade.source)
    done: set[tuple[config_files.Setting, ...]] = set()
    for setting in ctx.config.settings:
        now = reader.of(setting)
        if now.option is None or not now.read or setting.stored:
            continue
        if ctx.config.is_secret(setting.name) or (
            {now.option.name, setting.name} & ctx.catalog.secrets
        ):
            continue
        lines = reader.effective(setting)
        if lines in done:
            continue
        done.add(lines)
        text = '\n'.join(line.value for line in lines)
        yield model.SettingRead(
            f'{now.group}/{now.option.name}',
            ctx.redactor(text),
            lines[-1].file,
            lines[-1].line,
        )

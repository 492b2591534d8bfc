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

"""Values in the section of a filter that its options reject.

oslo.middleware passes each value of the section to the option of the same
name, and keystonemiddleware converts each value with the type of the option.
An invalid value keeps the filter from loading, or from serving requests
(oslo.middleware 4.5 to 8.2 base.py, _conf_get; keystonemiddleware 10.2 to 13.0
_common/config.py). Tried with their versions for manila 18.3.0 and 22.0.2.
"""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import middleware
from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.checks.api_paste import login
from manila_precheck.engine import context
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

_KNOWN = (*middleware.ALL, middleware.AUTHTOKEN)

# The filters read these options when they serve a request.
_AT_REQUESTS = ('max_request_body_size', 'enable_proxy_headers_parsing')

_NETWORKS = 'allowed_source_ranges'


def findings(
    ctx: context.Context, loaded: paste_loader.Loaded
) -> Iterator[model.Finding]:
    """Yield the values that the filters of the target reject."""
    target = ctx.reader(ctx.upgrade.target)
    seen: set[int] = set()
    for factory in loaded.factories:
        for one in _KNOWN:
            if not one.asks_paste or factory.known_as not in one.specs:
                continue
            for value in factory.place.section.values:
                option = _option(target, one, value)
                if option is None or value.line in seen:
                    continue
                seen.add(value.line)
                yield _finding(ctx, factory.place.section, one, value, option)


def lacking(
    ctx: context.Context, loaded: paste_loader.Loaded
) -> Iterator[model.Finding]:
    """Yield the filters that do not load without a setting that is missing."""
    for section in loaded.sections(middleware.STATS.specs):
        own = ctx.paste.defaults | {value.name for value in section.values}
        missing = [name for name in middleware.STATS_NEEDS if name not in own]
        if not missing:
            continue
        yield model.Finding(
            model.Severity.FAILURE,
            model.Subject(
                'paste', section.title, ctx.paste.path, section.line
            ),
            f'[{section.title}] does not set {" and ".join(missing)}, which '
            f'{middleware.STATS.name} requires; manila-api does not start '
            '(AttributeError)',
            [
                model.advice(
                    'Set name to the prefix of the statistics and stats_host '
                    'to the host of statsd, or take '
                    f'{section.name} out of the pipelines.'
                )
            ],
            aspect='lacking-settings',
        )


def _option(
    target: config_reader.Reader,
    one: middleware.Middleware,
    value: paste.PasteValue,
) -> Optional[options.Option]:
    """Return the option that rejects a value; None if it is accepted."""
    match = target.options.find(one.section, value.name)
    if match is None or one.option not in (None, match.option.name):
        return None
    if match.old and one.section != login.GROUP:
        # Only keystonemiddleware converts old names.
        return None
    # The value that a reference stands for is not known.
    if '$' in value.text or '%' in value.text:
        return None
    line = config_files.Setting(
        one.section, value.name, value.text, '', value.line, 0
    )
    if not target.accepts(line):
        return match.option
    return match.option if _is_no_network(value) else None


def _is_no_network(value: paste.PasteValue) -> bool:
    return value.name == _NETWORKS and (
        values.rejected_network(
            filter(None, map(str.strip, value.text.split(',')))
        )
        is not None
    )


def _finding(
    ctx: context.Context,
    section: paste.PasteSection,
    one: middleware.Middleware,
    value: paste.PasteValue,
    option: options.Option,
) -> model.Finding:
    shown = '(a secret)' if option.secret else value.text
    effect = (
        'manila-api answers every request with 500'
        if value.name in _AT_REQUESTS
        else 'manila-api does not start'
    )
    admitted = (
        'networks such as 10.0.0.0/8, with the bits of their hosts 0'
        if value.name == _NETWORKS
        else values.admits(option.type)
    )
    return model.Finding(
        model.Severity.FAILURE,
        model.Subject('paste', section.title, ctx.paste.path, value.line),
        f'[{section.title}] {value.name} = {shown}: {one.name} of '
        f'{ctx.upgrade.target} rejects the value, and {effect}',
        [
            model.advice(
                f'Set it to {admitted}, or remove the line and set '
                f'it in [{one.section}] of manila.conf.'
            )
        ],
        data={'option': value.name},
        aspect=f'value:{value.name}',
    )

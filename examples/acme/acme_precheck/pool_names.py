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

"""The check ``acme-pool-names``."""

from collections.abc import Iterator

from manila_precheck import check
from manila_precheck import model
from manila_precheck.engine import context

#: The share_driver of the back ends that are looked at.
DRIVER = 'acme.manila.driver.AcmeShareDriver'


class AcmePoolNames(check.Check):
    """An Acme pool whose name holds a space is not found by the new driver.

    The Acme driver for 2026.1 quotes the names of pools when it asks the
    array for them, and the array takes the quotes for a part of the name.
    Earlier drivers did not quote.

    FAILURE: ``acme_pool`` of an enabled back end holds a space: the back end
    does not come up. WARNING: the name is longer than the option
    ``longest_name`` allows, which a later array firmware refuses.

    Known false positives: none known.

    What to do: rename the pool on the array before the upgrade, and write
    the new name into the section.
    """

    id = 'acme-pool-names'
    title = 'Acme pool names'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    introduced = '2026.1'

    @classmethod
    def opts(cls):
        """Return the options of ``[manila_precheck_acme_pool_names]``."""
        # Here, since listing the checks imports this module.
        from oslo_config import cfg

        return (
            cfg.IntOpt(
                'longest_name',
                default=32,
                min=1,
                help='How many characters the name of a pool may have.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what is wrong with the pool of each Acme back end."""
        longest = ctx.options_of(self.id).longest_name
        for backend in ctx.config.backends:
            if ctx.config.value(backend.name, 'share_driver') != DRIVER:
                continue
            for line in ctx.config.effective([(backend.name, 'acme_pool')]):
                subject = model.Subject(
                    'backend', backend.name, line.file, line.line
                )
                if ' ' in line.value:
                    new = line.value.replace(' ', '-')
                    yield model.Finding(
                        model.Severity.FAILURE,
                        subject,
                        f'[{backend.name}] acme_pool = {line.value}: the '
                        f'driver for {ctx.upgrade.target} does not find a '
                        'pool whose name holds a space',
                        [
                            model.advice(f'Rename the pool to {new}, then:'),
                            model.config(
                                f'[{backend.name}]\nacme_pool = {new}'
                            ),
                        ],
                        aspect='space',
                    )
                if len(line.value) > longest:
                    yield model.Finding(
                        model.Severity.WARNING,
                        subject,
                        f'[{backend.name}] acme_pool has '
                        f'{len(line.value)} characters, more than {longest}',
                        [model.advice('Give the pool a shorter name.')],
                        aspect='length',
                    )

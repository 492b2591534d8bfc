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

"""The check ``config-options``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import layouts
from manila_precheck.checks.config_options import option_lines
from manila_precheck.checks.config_options import option_names
from manila_precheck.checks.config_options import protocols
from manila_precheck.checks.config_options import required_options
from manila_precheck.checks.config_options import unread_sources
from manila_precheck.engine import check
from manila_precheck.engine import context


class ConfigOptions(check.Check):
    """A line of the configuration means less, or nothing, in the target.

    Every assignment in the configuration files is looked up in the source
    and in the target release: names and deprecated names, in the sections
    that they are registered in, as oslo.config reads them. What manila reads
    a section for is followed: ``enabled_share_backends``, each back end's
    ``network_config_group`` and ``admin_network_config_group``,
    ``neutron_binding_profiles``, ``netapp_enabled_backup_types`` and
    ``auth_section``. Values are parsed by oslo.config's own types, with the
    bounds and choices of the target.

    The services of manila say nothing of an option that is gone: they ignore
    the line. A value that is refused ends the service that reads it with
    ConfigFileValueError, manila-share with all its back ends.

    Names are looked up too: ``scheduler_driver``, filters and weighers,
    ``backup_driver``, network plugins and whatever other class or plugin an
    option names, the schemes of ``transport_url``, ``backend_url`` and the
    database ``connection``, and the drivers of the notifications, as the
    libraries in the upper constraints of the release have them. For
    ``share_driver`` and ``emc_share_backend`` that is done by
    ``backend-drivers``; a value of ``emc_share_backend`` that the target does
    not admit is told by both, so that neither is silent when it runs alone.

    A source that ``config_source`` names is read as oslo.config reads it: for
    what no file sets, under the current name of the option alone. An old
    name in one has no effect. The value of an option in castellan, or with a
    driver of somebody else, is judged and never shown.

    FAILURE: the target refuses the value (whether the source does too is
    said); a deprecated name is used while ``fatal_deprecations`` is on; a
    name leads nowhere, so that a service does not start or nothing is
    scheduled; or the section of a back end lacks an option that its driver
    cannot do without. In the latter case manila-share exits when the driver
    cannot be built; when its setup fails, or the driver merely marks the
    option as required, manila-share runs and the back end does not serve.
    oslo.config itself says nothing: drivers are loaded after it looked.
    WARNING: the source reads the line and the target does not; or the line
    uses a name, or an option, that the target deprecates and the source does
    not, or that the next release to upgrade to no longer reads; or it names
    something under an old path, or that is in neither release and may come
    with a package of someone else; or a source of ``config_source`` cannot be
    read, or a variable of the environment (``OS_DATABASE__CONNECTION``) sets
    an option, for this command and perhaps not for the services. INFO: what
    changes nothing now: a name deprecated in both releases, a line that
    neither release reads (most deployed files hold some), one in a section
    that nothing reads, one that another driver or login plugin reads, one that
    a later line masks.

    Known false positives: an option of a fork or of a driver that is not in
    manila is unknown (INFO). A scheme, or a driver of the
    notifications, that is installed besides those of OpenStack and SQLAlchemy
    is called gone. Not seen: whether a library behind a name that the target
    has is installed, and what a driver asks for once it talks to its storage.

    What to do: write the lines that the finding shows and remove the old
    ones; the old release reads the new names too unless it is said that it
    does not. The ``verdict`` in the data of a finding is one of: removed,
    unknown, renamed, deprecated, invalid, ineffective, unjudged, masked,
    dangling, moved, missing.
    """

    id = 'config-options'
    title = 'Configuration options'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what is wrong with each line, then what is missing."""
        both = both_releases.Sides(ctx)
        judges = (
            option_lines.Lines(both),
            option_names.OptionNames(both),
            protocols.Protocols(both),
            layouts.Layouts(both),
        )
        for setting in ctx.config.settings:
            for judge in judges:
                yield from judge.findings(setting)
        yield from required_options.Needed(both).findings()
        yield from unread_sources.Elsewhere(both, ctx.environment).findings()

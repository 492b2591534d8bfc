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

"""The check ``policy-rules``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.policy_rules import access_changes
from manila_precheck.checks.policy_rules import files
from manila_precheck.checks.policy_rules import rules
from manila_precheck.engine import check
from manila_precheck.engine import context


class PolicyRules(check.Check):
    """Somebody gains or loses access, or a policy file means something else.

    Looked at are the files that manila's API reads, ``[oslo_policy]
    policy_file`` beside manila.conf and ``policy_dirs``, and the policies
    that manila brings in its code. No file is normal.

    A ``policy.json`` that no option names is enforced up to 2025.2, and
    silently ignored from 2026.1, whose oslo.policy has no fall-back: a rule
    that forbids something forbids nothing any more. A rule that refers to
    one that does not exist is decided by the rule ``default`` (``[oslo_policy]
    policy_default_rule``), admin or owner in manila: an override of
    ``service:index`` with ``rule:system-reader``, which Zed removed, lets
    every member of a project in. The only trace is a warning in the log.
    ``manila-status upgrade check`` says Success in all of these cases but
    that of a JSON file.

    From 2025.1 ``policy_file``, ``policy_dirs`` and ``policy_default_rule``
    are read in ``[oslo_policy]`` alone, no longer in ``[DEFAULT]``: the files
    that a line there names are lost in the same silence.

    From 2024.2 two options are on by default (oslo.policy 4.4.0 opts.py).
    ``enforce_new_defaults`` takes the older default of each rule away, under
    which any role in a project was enough: who has only ``reader``, or
    neither ``reader`` nor ``member``, is refused. It says nothing where a
    file overrides the rule, which never had the older default beside it.
    ``enforce_scope`` refuses a token of system or domain scope, overridden
    or not; from 2026.2 it is no option any more, and always on.

    Every rule that both releases have is tried, by the classes of
    oslo.policy, with the roles admin, member, reader, service, each role
    that a policy file names, and one that no rule names; with a token of
    each scope; on the caller's own object, on another one of the project,
    and on one of another project. Roles that imply others do so as Keystone's
    bootstrap makes them: admin is member, and member is reader. What only a
    request can answer, a literal project or an ``http:`` check, is tried
    both ways. A finding names the role, and its data every rule.

    FAILURE: the target ignores a file, or the line that names one, which the
    source enforces; the target cannot parse a file, and every request fails
    with 500; a rule refers to one that does not exist, and the default rule
    opens it; a rule has nothing behind it, which allows; a role passes a rule
    that refused it. WARNING: a role is refused by a rule that it passed;
    manila itself opens a rule, with no file in play; a rule that the target no
    longer has; a check string that oslo.policy cannot parse, which denies; a
    rule that needs itself; a copy of a default of the source that the target
    changes; an overridden rule that takes tokens of other scopes; a file in
    JSON; a ``policy_file`` that does not exist. INFO: a rule that neither
    release has; a copy of the target's own default; an override of a default
    that changes; a role is refused on the objects of other projects alone; a
    ``policy.json`` that neither release reads.

    Known false positives: a role or a scope that nobody uses. Which roles the
    users have is in Keystone, and not looked at. A rule that manila does not
    have is fine when other rules refer to it, and is not mentioned.

    What to do: the finding shows the line to write, or the command that gives
    a user the role that the rule asks for. ``enforce_new_defaults = False``
    and ``enforce_scope = False`` put it off.
    """

    id = 'policy-rules'
    title = 'Policy overrides'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.POLICY})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what is wrong with the files, the rules, and who gets in."""
        yield from files.Files(ctx).findings()
        yield from rules.Rules(ctx).findings()
        yield from access_changes.Access(ctx).findings()

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
from manila_precheck.checks.policy_rules import rule_snapshots
from manila_precheck.checks.policy_rules import rules
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.host import commands

# A finding with these in its data says how the access to a rule changes.
_TURNS = {'opened', 'lost'}


class PolicyRules(check.Check):
    """Users gain or lose access, or a policy file changes its meaning.

    The check covers the files that manila's API reads, ``[oslo_policy]
    policy_file`` next to manila.conf and ``policy_dirs``, and the policies
    that manila defines in code. It is normal to have no file.

    A ``policy.json`` that no option names is enforced up to 2025.2 and
    silently ignored from 2026.1 on, because oslo.policy of that release has no
    fallback: a rule that denied access no longer denies it. If a rule refers
    to one that does not exist, the rule ``default`` (``[oslo_policy]
    policy_default_rule``) applies, which is admin or owner in manila: an
    override of ``service:index`` with ``rule:system-reader``, which Zed
    removed, admits every member of a project. The only trace is a warning in
    the log. ``manila-status upgrade check`` reports Success in all of these
    cases except a JSON file.

    From 2025.1 on ``policy_file``, ``policy_dirs`` and ``policy_default_rule``
    are read only from ``[oslo_policy]``, no longer from ``[DEFAULT]``: the
    files that [DEFAULT] names are silently ignored too. ``config-options``
    reports such a line; this check reports whose access it changes.

    From 2024.2 on two options default to true (oslo.policy 4.4.0 opts.py).
    ``enforce_new_defaults`` removes the old default of each rule, which any
    role in a project passed: users with only ``reader``, or with neither
    ``reader`` nor ``member``, are rejected. It has no effect on rules that a
    file overrides, because the old default was never added to those.
    ``enforce_scope`` rejects tokens of system or domain scope, whether or not
    a file overrides the rule; from 2026.2 on the option is removed and scope
    is always enforced.

    The check evaluates every rule that both releases have, with the classes of
    oslo.policy: for the roles admin, member, reader, service, each role that a
    policy file names, and one that no rule names; with a token of each scope;
    on the caller's own object, on another one of the project, and on one of
    another project. Roles imply others as Keystone's bootstrap configures
    them: admin implies member, and member implies reader. What depends on the
    request, a literal project or an ``http:`` check, is evaluated both as true
    and as false. The message of a finding names the role, and its data lists
    every rule.

    FAILURE: the target ignores a file that the source enforces, or cannot
    parse a file, so that every request fails with 500. Or a rule refers to one
    that does not exist, and so admits a role that the default of the target
    rejects, whether or not the source admits it too. Or a rule refers to
    itself, directly or through others, and its requests fail with 400 or 500.
    Or a rule is empty, which allows everyone. Or a role passes a rule that
    rejected it. WARNING: a rule refers to one that does not exist, and nobody
    passes it, or fewer callers than before. Or a role no longer passes a rule;
    manila itself grants access, with no file involved; the target no longer
    has a rule; oslo.policy cannot parse a check string, which then denies; a
    rule is a copy of a default of the source that the target changes; an
    overridden rule accepts tokens of other scopes; a file is in JSON; or a
    ``policy_file`` does not exist. INFO: a rule refers to itself or to one
    that does not exist, but nobody's access changes; neither release has a
    rule; a rule is a copy of the target's own default, or overrides a default
    that changes; a role is rejected only on the objects of other projects; or
    neither release reads a ``policy.json``.

    Known false positives: a role or a scope that nobody uses. The roles of
    the users are in Keystone, which the check does not read. A rule that
    manila does not have is fine if other rules refer to it, and is not
    reported.

    What to do: the finding shows the line to write, or the command that gives
    a user the role that the rule requires. ``enforce_new_defaults = False``
    and ``enforce_scope = False`` postpone the change.
    """

    id = 'policy-rules'
    title = 'Policy overrides'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.POLICY})
    services = (commands.API,)

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield findings about the files, the rules and access changes."""
        yield from files.Files(ctx).findings()
        described = set()
        for one in rules.Rules(ctx).findings():
            described |= {
                (one.subject, word) for word in _TURNS & set(one.data)
            }
            yield one
        in_force = rule_snapshots.overrides(ctx, ctx.upgrade.target)
        for one in access_changes.Access(ctx).findings():
            turn = one.subject, str(one.data.get('verdict'))
            if turn not in described or one.subject.name not in in_force:
                yield one

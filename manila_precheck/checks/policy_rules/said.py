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

"""A finding about one override."""

from typing import Optional

from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.evidence.policy import policy_files


def of_rule(
    owner: check.Check,
    severity: model.Severity,
    rule: policy_files.Rule,
    verdict: str,
    message: str,
    aspect: str = '',
    remediation: Optional[list[model.Remediation]] = None,
    data: Optional[dict[str, model.Scalar]] = None,
) -> model.Finding:
    """Return a finding of a check about an override, where it stands.

    :param verdict: one word for programs: 'dangling', 'redundant'.
    """
    return owner.finding(
        severity,
        model.Subject('policy', rule.name, rule.file, rule.line),
        message,
        remediation or [],
        data={'verdict': verdict, **(data or {})},
        aspect=aspect,
    )

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

"""One paragraph about a result, for oslo.upgradecheck's ``details``."""

from typing import Optional

from manila_precheck import model
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

MAX_MESSAGES = 5


def digest(result: model.CheckResult) -> Optional[str]:
    """Return a result in one paragraph; None when there is nothing to say.

    oslo.upgradecheck flattens every line break in it (upgradecheck.py of
    2.8.0, ``_get_details``), so it holds none: the first five messages are
    joined by '; ', and the rest are counted. What counts for nothing comes
    last, with why.
    """
    ordered = sorted(result.findings, key=lambda one: not one.counts)
    messages = [_words(one) for one in ordered[:MAX_MESSAGES]]
    if result.reason:
        messages.insert(0, result.reason)
    if not messages:
        return None
    parts = [_part(message) for message in messages]
    more = len(result.findings) - MAX_MESSAGES
    if more > 0:
        parts.append(f'and {more} more; see manila-precheck --format json')
    return '; '.join(parts)


def _words(finding: model.Finding) -> str:
    if finding.counts:
        return finding.message
    return f'{_part(finding.message)} ({words.why_passed(finding)})'


def _part(message: str) -> str:
    return plain.one_line(message).rstrip('.;')

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

"""The runbook as an HTML page, in the style of the report, no script."""

from manila_precheck.act.plan import steps
from manila_precheck.act.plan import wording
from manila_precheck.reporters import html_report
from manila_precheck.reporters import words


def render(plan: steps.Plan) -> str:
    """Return the page in ASCII, which is the same in every encoding."""
    style = html_report.asset('page.css') + html_report.asset('plan.css')
    page = (
        html_report.environment()
        .get_template('plan.html')
        .render(plan=plan, style=style, words=words, wording=wording)
    )
    return page.encode('ascii', 'xmlcharrefreplace').decode('ascii')

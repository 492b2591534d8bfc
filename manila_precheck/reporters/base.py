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

"""The base class of all reporters."""

import abc
from typing import ClassVar
from typing import Optional
from typing import TextIO

from manila_precheck import model


class Reporter(abc.ABC):
    """One format of the report.

    A reporter is registered as an entry point in
    ``manila_precheck.reporters``, under its name. It receives a complete and
    sorted report, and writes it as text. It does not open or close files, or
    read the clock, the environment or the terminal. If it leaves findings
    out, it states how many. The same report, width and colour give the same
    text.
    """

    #: The value of ``--format``, and the name of the entry point.
    name: ClassVar[str]

    #: Whether it uses :attr:`manila_precheck.model.Report.settings`. If no
    #: reporter of a run does, that is empty.
    wants_settings: ClassVar[bool] = False

    #: Whether it uses :attr:`manila_precheck.model.Report.window`. If no
    #: reporter of a run does, that is None.
    wants_window: ClassVar[bool] = False

    #: Whether to show each finding in full, where a format would leave some
    #: out or shorten them; set by the caller.
    verbose: bool = False

    #: Whether to show the entries that would waive the findings; set by the
    #: caller.
    show_waivers: bool = False

    @abc.abstractmethod
    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the report, ending in a newline.

        :param report: the report to write.
        :param stream: where to write; it stays open. Its ``encoding`` limits
            the characters; None allows all.
        :param width: the number of columns of the terminal; None without one.
            Formats that do not wrap lines ignore it.
        :param color: whether to use ANSI colours; the caller has considered
            the terminal and ``NO_COLOR``.
        """

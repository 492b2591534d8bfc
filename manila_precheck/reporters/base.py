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

"""The class that every reporter derives from."""

import abc
from typing import ClassVar
from typing import Optional
from typing import TextIO

from manila_precheck import model


class Reporter(abc.ABC):
    """One format of the report.

    A reporter is registered as an entry point in
    ``manila_precheck.reporters``, under its name. It receives a report that is
    complete and sorted, and writes it as text: it opens and closes nothing,
    reads no clock, environment or terminal, and if it leaves findings out it
    states how many. The same report, width and colour
    give the same text.
    """

    #: The word for ``--format``, and the name of the entry point.
    name: ClassVar[str]

    #: It has a use for :attr:`manila_precheck.model.Report.settings`, which
    #: is empty otherwise.
    wants_settings: ClassVar[bool] = False

    #: It has a use for :attr:`manila_precheck.model.Report.window`, which is
    #: None otherwise.
    wants_window: ClassVar[bool] = False

    #: Whether to show each finding whole, where a format leaves some out or
    #: shortens them; set by the caller.
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

        :param report: what the run says.
        :param stream: where to write; it stays open. Its ``encoding`` tells
            which characters it can take; None means any.
        :param width: the columns of the terminal; None where there is none.
            A format without lines of its own ignores it.
        :param color: whether ANSI colours may be used; the caller knows
            the terminal, ``NO_COLOR`` and the operator's wish.
        """

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

"""Write log lines and error messages to standard error, without secrets.

The secrets of the site are known once the files are read. Until then, only
what is in the place of a secret is masked, such as passwords in URLs.
"""

import logging
import sys
from typing import Callable

from manila_precheck.redact import secrets
from manila_precheck.reporters import plain


def _only_urls() -> secrets.Redactor:
    return secrets.Redactor()


class Formatter(logging.Formatter):
    """A log formatter that masks secrets, also in tracebacks."""

    def __init__(self) -> None:
        super().__init__('%(levelname)s %(name)s: %(message)s')
        #: Returns the redactor with the secrets that are known at that time.
        self.redactor: Callable[[], secrets.Redactor] = _only_urls

    def clean(self, text: str) -> str:
        """Return a text with masked secrets, safe for a terminal."""
        return '\n'.join(plain.lines(self.redactor()(text)))

    def format(self, record: logging.LogRecord) -> str:
        return self.clean(super().format(record))


def set_up(debug: bool) -> Formatter:
    """Send the log to standard error, and return its formatter."""
    formatter = Formatter()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.ERROR,
        handlers=[handler],
        force=True,
    )
    return formatter

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

"""Keep secrets out of whatever the program says."""

from collections.abc import Iterable
import re

MASK = '***'

# user:password@ in a URL; the password may itself hold an unquoted '@'.
_URL_PASSWORD = re.compile(r'(?P<head>\w[\w+.-]*://[^\s:/@]*:)[^\s/]+(?=@)')

# Shorter values are parts of every sentence: masking them hides the report.
_MIN_SECRET_LENGTH = 6


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without passwords in URLs and without known secrets.

    :param text: anything that is about to be shown.
    :param secrets: values that must not appear; those of fewer than six
        characters are left alone, since they are parts of ordinary words. A
        secret that is a word itself, such as 'manila', is masked where it
        stands alone, not in 'manila-manage' or '/etc/manila'.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) < _MIN_SECRET_LENGTH or secret not in text:
            continue
        if secret.isalpha():
            alone = rf'(?<![\w./-]){re.escape(secret)}(?![\w/-]|\.\w)'
            text = re.sub(alone, MASK, text)
        else:
            text = text.replace(secret, MASK)
    return _URL_PASSWORD.sub(rf'\g<head>{MASK}', text)

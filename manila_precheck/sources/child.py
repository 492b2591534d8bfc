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

"""Ask another Python, which is given a script and a question as JSON."""

from collections.abc import Sequence
import json
import subprocess
from typing import Any

from manila_precheck import exceptions


def ask(
    words: Sequence[str], script: str, question: Any, seconds: float
) -> Any:
    """Return what a script answers on its standard output.

    :param words: the interpreter and its options.
    :param script: reads one JSON value and writes one.
    :param question: what it reads.
    :param seconds: how long it may take.
    :raises SourceUnusable: when it does not run, or does not answer.
    """
    python = words[0]
    try:
        done = subprocess.run(  # noqa: S603
            [*words, '-c', script],
            input=json.dumps(question),
            capture_output=True,
            encoding='utf-8',
            errors='replace',
            timeout=seconds,
            cwd='/',
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise exceptions.SourceUnusable(
            f'{python} did not answer within {seconds:g} seconds'
        ) from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, 'strerror', None) or exc
        raise exceptions.SourceUnusable(
            f'{python} cannot be run: {reason}'
        ) from exc
    if done.returncode:
        last = (done.stderr.strip() or 'it said nothing').splitlines()[-1]
        raise exceptions.SourceUnusable(
            f'{python} ended with {done.returncode}: {last}'
        )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise exceptions.SourceUnusable(
            f'{python} did not answer as a Python does'
        ) from None

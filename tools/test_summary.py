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

"""Say how the last test run went, and which database servers it lacked.

Reads the repository of stestr in the current directory, or in that of
--record. Ends with one line, 'N passed, N failed, N skipped'. Exits with 1
when a server was not tried that --require or
MANILA_PRECHECK_REQUIRE_DATABASES asks for: '1' for all of them, or their
names ('MySQL').
"""

import argparse
import collections
import io
import os
import re
import subprocess
import sys

import subunit
import testtools

#: The servers, and what in the id of a test says that it needs one.
SERVERS = {'MySQL': 'mysql', 'PostgreSQL': 'postgresql'}

_HOW = """\
To have them: install and start the server, run tools/test-setup.sh as root,
which creates the databases that the tests use, and run tox again. On Debian:
  apt-get install {packages}
"""

_PACKAGES = {'MySQL': 'mariadb-server', 'PostgreSQL': 'postgresql'}

#: What stands in the reason of a test that was skipped for want of a
#: release, not of a server.
_NO_RELEASE = re.compile(r'MANILA_PRECHECK_VENVS|no (virtual )?environment')

_FAILED = {'fail', 'uxsuccess', 'exists', 'inprogress'}


class _Outcomes(testtools.StreamResult):
    """The last status of each test, and why it was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.status_of: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def status(self, test_id=None, test_status=None, **event) -> None:
        """Note one event of the stream."""
        if test_id is None:
            return
        if event.get('file_name') == 'reason':
            self.reasons[test_id] = bytes(event['file_bytes']).decode(
                'utf-8', 'replace'
            )
        if test_status is not None:
            self.status_of[test_id] = test_status


def last_run(record: str) -> _Outcomes:
    """Return what became of each test of the last run.

    :param record: the directory that holds the repository of stestr.

    :raises CalledProcessError: when there was no run.
    """
    # The exit code of "stestr last" is that of the run it shows.
    stestr = [sys.executable, '-m', 'stestr', '--repo-url', record]
    shown = subprocess.run(
        [*stestr, 'last', '--subunit'],
        stdout=subprocess.PIPE,
        check=False,
    )
    outcomes = _Outcomes()
    subunit.ByteStreamToStreamResult(io.BytesIO(shown.stdout)).run(outcomes)
    return outcomes


def _server(test_id: str) -> str:
    """Return the server that a test needs; '' when it needs none."""
    if '.functional.' in test_id or test_id.startswith('qa.judges.'):
        for server, word in SERVERS.items():
            if word in test_id.lower():
                return server
    return ''


def _lacks_a_release(test_id: str, outcomes: _Outcomes) -> bool:
    reason = outcomes.reasons.get(test_id, '')
    return _NO_RELEASE.search(reason) is not None


def _real_tests_on(server: str, outcomes: _Outcomes) -> bool:
    """Say whether a test with a real release ran on a server."""
    return any(
        '.real.' in test_id
        and SERVERS[server] in test_id.lower()
        and status != 'skip'
        for test_id, status in outcomes.status_of.items()
    )


def untried(outcomes: _Outcomes) -> dict[str, str]:
    """Return the servers on which not every test ran, and why."""
    missing = {}
    for server in SERVERS:
        ours = {
            test_id: status
            for test_id, status in outcomes.status_of.items()
            if _server(test_id) == server
            and not (status == 'skip' and _lacks_a_release(test_id, outcomes))
        }
        skipped = [name for name, status in ours.items() if status == 'skip']
        if not ours and not _real_tests_on(server, outcomes):
            missing[server] = 'no test of it was in this run'
        elif skipped:
            reason = outcomes.reasons.get(skipped[0], 'no reason given')
            missing[server] = (
                f'{len(skipped)} of {len(ours)} tests skipped: '
                f'{" ".join(reason.split())}'
            )
    return missing


def other_skips(outcomes: _Outcomes) -> dict[str, int]:
    """Return why else tests were skipped, and how many each time."""
    found: collections.Counter[str] = collections.Counter()
    for test_id, status in outcomes.status_of.items():
        if status == 'skip' and (
            not _server(test_id) or _lacks_a_release(test_id, outcomes)
        ):
            reason = outcomes.reasons.get(test_id, 'no reason given')
            found[' '.join(reason.split())] += 1
    return dict(sorted(found.items()))


def _required(text: str) -> set[str]:
    """Return the servers that a run may not lack: '1' stands for all."""
    names = {name.strip() for name in text.split(',')} - {'', '0'}
    return set(SERVERS) if names - set(SERVERS) else names


def main(argv: list[str]) -> int:
    """Print the summary and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--require', action='append', default=[], choices=sorted(SERVERS)
    )
    parser.add_argument('--record', default='.', metavar='DIR')
    args = parser.parse_args(argv)
    required = set(args.require)
    required |= _required(
        os.environ.get('MANILA_PRECHECK_REQUIRE_DATABASES', '')
    )
    outcomes = last_run(args.record)
    counts = collections.Counter(outcomes.status_of.values())
    missing = untried(outcomes)
    print()
    print('Database servers:')
    print('  SQLite: tried')
    for server in SERVERS:
        if server in missing:
            print(f'  {server}: NOT TRIED, {missing[server]}')
        else:
            print(f'  {server}: tried')
    if missing:
        packages = ' '.join(_PACKAGES[server] for server in missing)
        print(_HOW.format(packages=packages))
    for reason, number in other_skips(outcomes).items():
        print(f'{number} more skipped: {reason}')
    failed = sum(counts[status] for status in _FAILED)
    passed = counts['success'] + counts['xfail']
    print(f'{passed} passed, {failed} failed, {counts["skip"]} skipped')
    if not passed:
        print('no test ran', file=sys.stderr)
        return 1
    lacking = sorted(required & set(missing))
    if lacking:
        print(f'required, not tried: {", ".join(lacking)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

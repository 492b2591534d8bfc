#!/usr/bin/env python3
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
"""What merging the reports of a fleet costs, as ratios in one run.

    benchmark_merge.py [--reports NUMBER]

Runs the demo for one report, writes it for each of many hosts, each with
times of its own and every tenth finding with words of its own, and merges a
tenth of them and all of them. The exit code is 1 when each report adds more
than 8 KiB of memory, when merging takes more than 200 MB, or more than six
times as long as json.loads of the same files.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

MAX_KIB_OF_A_REPORT = 8
MAX_TIME_RATIO = 6
MAX_MEMORY_KIB = 200 * 1000 * 1000 // 1024

DEMO = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'demo.py'
)

MERGE = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)


def _write(directory: str, number: int) -> None:
    """Write a report of the demo for each of many hosts."""
    done = subprocess.run(
        [sys.executable, DEMO, '--format', 'json'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    report = json.loads(done.stdout)
    chosen = random.Random(1)
    for host in range(number):
        report['host'] = f'node{host:05}'
        for check in report['checks']:
            check['seconds'] = round(chosen.random(), 3)
            for finding in check['findings']:
                if chosen.random() < 0.1:
                    words = finding['message'].partition(' #')[0]
                    finding['message'] = f'{words} #{chosen.randrange(1000)}'
        path = os.path.join(directory, f'ctl{host:05}.json')
        with open(path, 'w', encoding='ascii') as stream:
            json.dump(report, stream, indent=2)


def _merge(directory: str, names: list[str]) -> tuple[float, int]:
    """Merge reports in a process of its own.

    :returns: its CPU seconds, and its peak memory in KiB.
    """
    done = subprocess.Popen(
        [
            sys.executable,
            '-c',
            MERGE,
            *('report', 'merge', '--format', 'json'),
            *names,
        ],
        cwd=directory,
        stdout=subprocess.DEVNULL,
    )
    _pid, status, usage = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f'report merge exits with {done.returncode}')
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def _load(directory: str, names: list[str]) -> float:
    """Return the CPU seconds for reading the same files as JSON."""
    before = time.process_time()
    for name in names:
        with open(os.path.join(directory, name), 'rb') as stream:
            json.loads(stream.read())
    return time.process_time() - before


def main() -> int:
    """Print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--reports', type=int, default=10000)
    number = parser.parse_args().reports
    # The command line has the names of all reports.
    resource.setrlimit(resource.RLIMIT_STACK, (64 * 1024 * 1024,) * 2)
    with tempfile.TemporaryDirectory() as directory:
        _write(directory, number)
        names = sorted(os.listdir(directory))
        few_seconds, few_memory = _merge(directory, names[: number // 10])
        seconds, memory = _merge(directory, names)
        load = _load(directory, names)
    print(f'reports                         {number // 10:8} {number:8}')
    print(f'processor seconds               {few_seconds:8.1f} {seconds:8.1f}')
    print(
        f'peak memory, MB                 {few_memory * 1024 / 1e6:8.0f} '
        f'{memory * 1024 / 1e6:8.0f}'
    )
    of_a_report = (memory - few_memory) / (number - number // 10)
    print(f'memory of a further report, KiB {of_a_report:8.1f}')
    print(f'seconds / json.loads            {seconds / load:8.2f}')
    return int(
        of_a_report > MAX_KIB_OF_A_REPORT
        or memory > MAX_MEMORY_KIB
        or seconds > load * MAX_TIME_RATIO
    )


if __name__ == '__main__':
    sys.exit(main())

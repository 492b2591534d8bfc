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

"""Start services on the files of a scenario, and observe what they do."""

import re
import shutil

from manila_precheck.tests import server_programs
from qa.upgrade import api
from qa.upgrade import plane
from qa.upgrade import processes
from qa.upgrade import score
from qa.upgrade import site as sites

Level = score.Level
Observed = score.Observed

#: How long a live service may go without a report before it counts as failed.
PATIENCE_SECONDS = 100

_RAISED = re.compile(
    r'\b(?P<name>(?:\w+\.)*\w*(?:Error|Exception|NoMatches|NotFound|Failure)'
    r'\w*)\b:? ?(?P<words>.*)'
)
_DEPRECATED = re.compile(
    r'(?:Deprecated: )?Option "(?P<name>[^"]+)" from group "(?P<group>[^"]+)"'
    r' is deprecated'
)

#: The callers and their roles, as in the headers that keystonemiddleware would
#: set and oslo.context reads.
CALLERS = {
    'admin': ('admin,member,reader', api.ADMIN),
    'member': ('member,reader', 'ab' * 16),
    'reader': ('reader', 'ab' * 16),
    'stranger': ('other', 'ab' * 16),
}

#: The calls to make: one for each kind of rule, among those that the API
#: answers by itself.
CALLS = {
    'service:index': '/services',
    'share:get_all': '/shares',
    'share_type:index': '/types',
    'share_snapshot:get_all_snapshots': '/snapshots',
    'share_network:index': '/share-networks',
    'share_server:index': '/share-servers',
}


def why(text):
    """Return the last error in a log."""
    for line in reversed(text.splitlines()):
        match = _RAISED.search(line)
        if match and 'During handling' not in line:
            words = f'{match["name"].rpartition(".")[2]} {match["words"]}'
            return ' '.join(words.split())[:160]
    return 'no reason in its log'


def deprecations(text):
    """Return the options that a log calls deprecated."""
    return frozenset(
        f'{match["group"]}/{match["name"]}'
        for match in _DEPRECATED.finditer(text)
    )


class Observer:
    """Starts services of one release on given files, and observes them."""

    def __init__(self, environments, release, started, database):
        self.environments = environments
        self.release = release
        self._started = started
        self._database = database

    def plane(self, site):
        """Return the services of the release on a site."""
        return plane.Plane(
            self.environments,
            self.release,
            site,
            self._started,
            self._database,
        )

    def now(self):
        """Return the current time of the database server."""
        return self._database.run('SELECT LOCALTIMESTAMP(6)')[0][0]

    def service(self, site, name, rows):
        """Start a service that reports; return what was observed.

        :param rows: in how many rows it has to report.
        """
        services, since = self.plane(site), self.now()
        process = services.start(name)

        def ended_or_up():
            return (
                process.code is not None
                or services.reporting(name, since) >= rows
            )

        try:
            processes.wait_for(ended_or_up, PATIENCE_SECONDS)
            code, text = process.code, process.output()
            if code is not None:
                return Observed(
                    Level.BROKEN, f'{name} ended with {code}: {why(text)}'
                )
            up = services.reporting(name, since)
        finally:
            services.kill_all()
        if up < rows:
            return Observed(
                Level.BROKEN,
                f'{name} is alive, {up} of {rows} report: {why(text)}',
            )
        return self._started_well(name, text)

    def hosts(self, site):
        """Start manila-share; say whether it serves under its old hosts."""
        services, since = self.plane(site), self.now()
        services.start('manila-share')
        try:
            services.wait_up('manila-share', 3, since)
            served = services.reporting('manila-share', since, sites.HOST)
        finally:
            services.kill_all()
        if served < 3:
            return Observed(
                Level.CHANGED,
                f'{served} of 3 back ends report as before, the others under '
                'new names',
            )
        return Observed(Level.NOTHING, 'manila-share starts')

    def renamed(self, site, name):
        """Start manila-share with a driver whose storage is not there.

        It never reports; only what it logs about its configuration is seen.
        """
        services = self.plane(site)
        process = services.start(name)

        def told():
            return process.code is not None or 'emc' in process.output()

        try:
            processes.wait_for(told, PATIENCE_SECONDS)
            processes.wait_for(
                lambda: 'renamed' in process.output(),
                2 * processes.STEP_SECONDS,
            )
            code, text = process.code, process.output()
        finally:
            services.kill_all()
        if code is not None:
            return Observed(
                Level.BROKEN, f'{name} ended with {code}: {why(text)}'
            )
        for line in text.splitlines():
            if 'renamed' in line or ('deprecated' in line and 'emc' in line):
                return Observed(Level.CHANGED, f'{name} logs: {line[-120:]}')
        return Observed(Level.NOTHING, f'{name} starts')

    def _started_well(self, name, text):
        words = f'{name} starts'
        logged = deprecations(text)
        if logged:
            words += f', logs {", ".join(sorted(logged))} as deprecated'
        return Observed(Level.NOTHING, words, logged)

    def option(self, site, group, name):
        """Return how manila-data treats an option.

        :returns: (whether its oslo.config knows it, whether it logs that it
            is deprecated); None when the service does not start.
        """
        asked = site.copy(site.home.with_name(f'{site.home.name}-debug'))
        asked.edit('[DEFAULT]\n', '[DEFAULT]\ndebug = True\n')
        services = self.plane(asked)
        process = services.start('manila-data')

        # manila-data logs all option values between lines of asterisks.
        def logged():
            text = process.output()
            return process.code is not None or text.count('*' * 60) >= 2

        try:
            processes.wait_for(logged, PATIENCE_SECONDS)
            text = process.output()
            if process.code is not None:
                return None
        finally:
            services.kill_all()
            shutil.rmtree(asked.home)
        full = name if group == 'DEFAULT' else f'{group}.{name}'
        known = re.search(rf'\b{re.escape(full)} +=', text) is not None
        return known, any(
            item.endswith(f'/{name}') for item in deprecations(text)
        )

    def api(self, site):
        """Start the API and ask it as the administrator."""
        services = self.plane(site)
        port = int(_value(site, 'osapi_share_listen_port'))
        process = services.start('manila-api', port)
        client = api.Client(port)

        def ended_or_up():
            return process.code is not None or client.alive()

        try:
            processes.wait_for(ended_or_up, PATIENCE_SECONDS)
            code = client.code('/shares')
            text = process.output()
            if process.code is not None:
                return Observed(
                    Level.BROKEN,
                    f'manila-api ended with {process.code}: {why(text)}',
                )
        finally:
            services.kill_all()
        if code is None:
            return Observed(
                Level.BROKEN, f'manila-api does not answer: {why(text)}'
            )
        if code >= 500:
            return Observed(
                Level.BROKEN, f'manila-api answers {code}: {why(text)}'
            )
        if code >= 400:
            return Observed(Level.CHANGED, f'the administrator gets {code}')
        return self._started_well('manila-api', text)

    def program(self, site, name):
        """Start a program that should end; return what was observed."""
        services = self.plane(site)
        process = services.start(name, itself=True)
        try:
            processes.wait_for(
                lambda: process.code is not None, PATIENCE_SECONDS
            )
            code, text = process.code, process.output()
        finally:
            services.kill_all()
        if code is None:
            return Observed(Level.NOTHING, f'{name} goes on')
        return Observed(Level.BROKEN, f'{name} ended with {code}: {why(text)}')

    def answers(self, site, home):
        """Return {(rule, caller): status code} of the API on these files."""
        port = server_programs.free_port()
        asked = callers_site(site, home, port)
        services = self.plane(asked)
        process = services.start('manila-api', port)
        client = api.Client(port)
        try:
            processes.wait_for(
                lambda: process.code is not None or client.alive(),
                PATIENCE_SECONDS,
            )
            return {
                (rule, caller): self._client(port, caller).code(path)
                for caller in CALLERS
                for rule, path in CALLS.items()
            }
        finally:
            services.kill_all()

    @staticmethod
    def _client(port, caller):
        roles, project = CALLERS[caller]
        return api.Client(
            port,
            {
                'X-User-Id': caller,
                'X-Project-Id': project,
                'X-Roles': roles,
                'X-Project-Domain-Id': 'default',
                'X-User-Domain-Id': 'default',
            },
            project,
        )

    def scheduling(self, site, client, share_type='plain'):
        """Start the scheduler and make it place a share.

        :param client: a client of a running API; manila-share has to run too.
        """
        services, since = self.plane(site), self.now()
        process = services.start('manila-scheduler')

        def ended_or_up():
            return (
                process.code is not None
                or services.reporting('manila-scheduler', since) >= 1
            )

        try:
            processes.wait_for(ended_or_up, PATIENCE_SECONDS)
            if process.code is not None:
                return Observed(
                    Level.BROKEN,
                    f'manila-scheduler ended with {process.code}: '
                    + why(process.output()),
                )
            status = place_share(client, share_type)
            text = process.output()
        finally:
            services.kill_all()
        if status != 'available':
            return Observed(
                Level.CHANGED, f'a new share becomes {status}: {why(text)}'
            )
        return self._started_well('manila-scheduler', text)


def place_share(client, share_type):
    """Create a share, return what was observed, and delete the share."""
    made = client.post(
        '/shares',
        share={
            'share_proto': 'NFS',
            'size': 1,
            'share_type': share_type,
            'name': 'placed',
        },
    )
    path = f'/shares/{made["share"]["id"]}'

    def settled():
        status = client.status(path, 'share')
        return status if status != 'creating' else None

    status = processes.wait_for(settled, PATIENCE_SECONDS)
    client.delete(path)
    processes.wait_for(
        lambda: client.status(path, 'share') == 'gone', PATIENCE_SECONDS
    )
    return status or 'creating'


def callers_site(site, home, port):
    """Return a copy of a site whose API trusts the roles that callers state.

    Its pipeline is that of keystone, without the filter that asks Keystone.
    """
    shutil.rmtree(home, ignore_errors=True)
    asked = site.copy(home)
    asked.edit('auth_strategy = noauth\n', 'auth_strategy = keystone\n')
    asked.edit(
        f'osapi_share_listen_port = {_value(site, "osapi_share_listen_port")}',
        f'osapi_share_listen_port = {port}',
    )
    asked.write(
        'api-paste.ini',
        asked.read('api-paste.ini').replace(' authtoken ', ' '),
    )
    return asked


def _value(site, name):
    for line in site.read('manila.conf').splitlines():
        if line.startswith(f'{name} = '):
            return line.partition(' = ')[2]
    raise processes.Broken(f'{name} is not in manila.conf')


def effect(before, after):
    """Compare the treatment of an option in two releases.

    :param before: the result of option() on the source.
    :param after: the same on the target.
    """
    if after is None:
        return Observed(Level.BROKEN, 'manila-data does not start')
    if before is None or not before[0]:
        return Observed(Level.NOTHING, 'the source does not know it either')
    if not after[0]:
        return Observed(
            Level.CHANGED, 'the target starts, and no longer knows the option'
        )
    if after[1] and not before[1]:
        return Observed(
            Level.CHANGED, 'the target logs that the option is deprecated'
        )
    return Observed(Level.NOTHING, 'the target reads it as the source did')


def access(before, after):
    """Compare two sets of answers of the API.

    :param before: {(rule, caller): code} of the source release.
    :param after: the same of the target.
    """
    opened, closed = [], []
    for (rule, caller), code in sorted(after.items()):
        old = before[rule, caller]
        if old == code:
            continue
        words = f'{rule} as {caller}: {old} becomes {code}'
        (opened if code == 200 else closed).append(words)
    if opened:
        return Observed(Level.BROKEN, 'access opens: ' + ', '.join(opened))
    if closed:
        level = Level.CHANGED
        if all(code in (None, 500) for code in after.values()):
            level = Level.BROKEN
        return Observed(level, 'access closes: ' + ', '.join(closed))
    return Observed(Level.NOTHING, 'every caller gets the same answers')

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
"""No hostile secret in any text, wherever it stands and however it is spelled.

A secret is a mark, and marks with odd characters between them: what shows a
part of it shows a mark.
"""

import base64
import io
import json
import os
import shlex
from urllib import parse

import ddt
import hypothesis
from hypothesis import strategies
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.cmd import logs
from manila_precheck.cmd import output
from manila_precheck.engine import check
from manila_precheck.engine import runner
from manila_precheck.redact import names
from manila_precheck.redact import secrets as redact_secrets
from manila_precheck.reporters import html_report
from manila_precheck.reporters import json_report
from manila_precheck.reporters import junit
from manila_precheck.reporters import markdown
from manila_precheck.reporters import openmetrics
from manila_precheck.reporters import sarif
from manila_precheck.reporters import table
from manila_precheck.reporters import upgradecheck_json

MARK = 'm7Wq'

#: How many texts each test tries.
EXAMPLES = int(os.environ.get('MANILA_PRECHECK_FUZZ_EXAMPLES', '200'))

_SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES <= 200,
    suppress_health_check=list(hypothesis.HealthCheck),
)

_PUNCTUATION = '!#$%&()*+,-./:;<=>?@[]^_`{|}~'


def secrets(characters):
    """Return a strategy of secrets with these characters between marks."""
    return strategies.lists(
        strategies.sampled_from(characters), min_size=1, max_size=5
    ).map(lambda found: MARK + ''.join(f'{one}{MARK}' for one in found))


#: Where a secret stands, and what it may hold there.
PLACES = {
    'dialect://u:{}@h/m': _PUNCTUATION + '\\ "\'',
    'at mysql+pymysql://u:{}@h:3306/m?charset=utf8 now': _PUNCTUATION + ' ',
    'https://svc@corp.example:{}@ks:5000': _PUNCTUATION + ' ',
    "is 'http://u:{}@h/%(x)s?a=b'.": _PUNCTUATION + '\\"',
    '{{"url": "http://u:{}@h", "mail": "a@b"}}': _PUNCTUATION,
    'to //u:{}@h': _PUNCTUATION,
    'url=//u:{}@h': _PUNCTUATION,
    'redis://:{}@h:6379?sentinel=h2:26379': _PUNCTUATION,
    'rabbit://a:{}@h1:5672,b:{}@h2:5672//v': _PUNCTUATION,
    'http://[2001:db8::1]:80/x http://u:{}@[::1]:80/': _PUNCTUATION,
    **{
        f'https://h/x?a=b{sign}{key}={{}}': '!$%()*+,-./:<=>?@[]^_`{|}~'
        for sign in '&;#'
        for key in (
            'sig',
            'X-Amz-Signature',
            'X-Amz-Security-Token',
            'auth',
            'key',
            'pw',
            'access_token',
            'password',
            'sentinel_password',
            'api-key',
            'code',
        )
    },
    'jdbc:sqlserver://h;password={}': '!$%()*+,-./:<=>?@[]^_`{|}~',
    'PWD={};Server=h': '!#$%()*+-./:<=>?@[^_`{|~',
    '[x]\nadmin_password = {}\ny = 1': _PUNCTUATION + '\\ "\'',
    'passwd={} is wrong': '!#$%()*+-./:<=>?@[^_`{|~',
    'secret = "{}" is wrong': _PUNCTUATION + ' \'',
    "{{'password': '{}', 'a': 1}}": _PUNCTUATION + ' "',
    '{{"client_secret": "{}"}}': _PUNCTUATION + " '",
    'user:u,password:{},a:b': '!#$%()*+-./:<=>?@[^_`{|~',
    'mysql --password {} -h h': '!#$%()*+-./:<=>?@[^_`{|~',
    'Authorization: Basic {}': '+/=',
    'authorization = "Token {}"': _PUNCTUATION + ' ',
    'X-Auth-Token: {}': _PUNCTUATION,
    'sent Bearer {}': '-._~+/=1',
    'Proxy-Authorization: Digest username="u", response="{}"': (
        _PUNCTUATION + " '"
    ),
    'Set-Cookie: id={}; Path=/': _PUNCTUATION,
    'X-Api-Key: {}': '!#$%()*+-./:<=>?@[^_`{|~',
    'https://h/x?a=b&jwt={}': '-._~',
    'https://github_pat_01{}@h/x.git': '-._~!$*+=',
    'http://h/x?next=https%3A%2F%2Fi%2Fx%3Fpassword%3D{}&a=b': '-._~+%',
    'http://h/x?next=https%3A%2F%2Fu%3A{}%40i%2F': '-._~+%',
    '{{"url": "https:\\/\\/u:{}@h"}}': '!#$%&*+,-.:;=?@^_|~',
    '{{"adminPass": "{}"}}': _PUNCTUATION + " '",
    '{{"passwords": ["a", "{}"]}}': '!#$%&*+,-.:;=?@^_|~{}',
    'sent "{{\\"password\\": \\"{}\\"}}"': _PUNCTUATION + " '",
    "{{'password': b'{}'}}": _PUNCTUATION + ' "',
    "<user><password>{}</password></user>": '!#$%()*+,-./:;=?@[]^_`{|}~ ',
    "IDENTIFIED WITH caching_sha2_password BY '{}' ": _PUNCTUATION + ' "',
    "ALTER ROLE u WITH ENCRYPTED PASSWORD '{}';": _PUNCTUATION + ' "',
    'curl -u admin:{} https://h': '!#$%()*+,-./:;=?@[]^_`{|}~',
    'mysqldump -h h -uroot -p{} manila': '!#$%()*+,-./:;=?@[]^_`{|}~',
    'sshpass -p {} ssh h': '!#$%()*+,-./:;=?@[]^_`{|}~',
    '-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END': _PUNCTUATION + '\n',
    'cut: -----BEGIN OPENSSH PRIVATE KEY-----\n{}': _PUNCTUATION + '\n',
}


class PlacesTest(testtools.TestCase):
    """Where a secret stands it is masked, whether it is known or not."""

    @_SETTINGS
    @hypothesis.given(strategies.data())
    def test_a_secret_in_its_place(self, data):
        place = data.draw(strategies.sampled_from(sorted(PLACES)))
        secret = data.draw(secrets(PLACES[place]))
        text = place.format(secret, secret)
        shown = redact_secrets.scrub(text)
        self.assertNotIn(MARK, shown)
        self.assertIn(redact_secrets.MASK, shown)
        # What was masked once stays as it is.
        self.assertEqual(shown, redact_secrets.scrub(shown))
        self.assertTrue(
            any(MARK in one for one in redact_secrets.within(text)), text
        )

    def test_every_place(self):
        for place in PLACES:
            shown = redact_secrets.scrub(
                place.format(f'{MARK}{MARK}1', f'{MARK}{MARK}2')
            )
            self.assertNotIn(MARK, shown, place)


def spellings(secret):
    """Yield what a text has where a program writes a secret."""
    yield secret
    yield parse.quote(secret, safe='')
    yield parse.quote(secret)
    yield parse.quote_plus(secret)
    yield repr(secret)
    yield json.dumps(secret)
    yield shlex.quote(secret)
    yield secret.replace('$', '$$')
    yield secret.lower()
    yield ' '.join(secret.split())


@ddt.ddt
class KnownTest(testtools.TestCase):
    """A secret of the site is masked wherever it stands."""

    @_SETTINGS
    @hypothesis.given(
        secrets(_PUNCTUATION + ' \\"\'\né中'),
        strategies.sampled_from(
            ('{}', 'x {} y', 'a{}b', '({})', '/{}/', '_{}')
        ),
    )
    def test_a_known_secret_in_any_spelling(self, secret, around):
        redactor = redact_secrets.Redactor(redact_secrets.forms(secret))
        for spelling in spellings(secret):
            text = around.format(spelling)
            self.assertNotIn(MARK.lower(), redactor(text).lower(), text)
        encoded = base64.b64encode(secret.encode()).decode()
        self.assertNotIn(encoded[:-4], redactor(f'Basic: {encoded}'))

    @_SETTINGS
    @hypothesis.given(secrets(_PUNCTUATION))
    def test_a_secret_that_a_file_and_a_url_spell_in_their_way(self, secret):
        for written in (
            secret.replace('$', '$$'),
            f'"{secret}"',
            parse.quote(secret, safe=''),
            json.dumps({'password': secret}),
        ):
            redactor = redact_secrets.Redactor(redact_secrets.forms(written))
            self.assertNotIn(MARK, redactor(f'no {secret} here'), written)

    @ddt.data('{:04}' + MARK, MARK + '{:04}', '{0:04}"{0:04}', "'{:04}'q7")
    def test_many_secrets_are_found_as_few_are(self, form):
        many = [form.format(number) for number in range(1000)]
        redactor = redact_secrets.Redactor(many)
        text = ' '.join(f'x{one}y' for one in many)
        self.assertEqual(' '.join(['x***y'] * 1000), redactor(text))


#: Lines that hold a secret: as it is, and as a URL has it.
_FILE = """
[DEFAULT]
transport_url = rabbit://a:{url}@h1:5672,b:{url}@h2:5672//v
auth_strategy = https://svc@corp.example:{url}@ks:5000
admin_passwrod = {plain}
netapp_password = {plain}
netapp_password = {plain}
hp3par_api_url = https://u:{url}@h
acme_map = a:b,password:{url}
acme_json = {{"password": "{url}"}}
sql_connection = mysql://u:{url}@h/m
osapi_share_listen_port = https://h/?sig={url}
[coordination]
backend_url = redis://:{url}@h:6379?sentinel=h2:26379&sentinel_password={url}
[keystone_authtoken]
auth_url = https://svc:{url}@ks:5000
password = {plain}
memcached_servers = //u:{url}@h
[cache]
memcache_password = '{plain}'
"""
_PASTE = """
[composite:osapi_share]
use = egg:Paste#urlmap
/v2: api
[app:api]
paste.app_factory = no.such.module:factory
admin_password = {plain}
auth_uri = http://u:{url}@k:35357/
"""
_REPORTERS = (
    html_report.HtmlReporter,
    json_report.JsonReporter,
    junit.JunitReporter,
    markdown.MarkdownReporter,
    openmetrics.OpenmetricsReporter,
    sarif.SarifReporter,
    table.TableReporter,
    upgradecheck_json.UpgradecheckJsonReporter,
)


def blabbing(words):
    """Return a check that says some words wherever it can say anything."""

    class Blabs(check.Check):
        """A check whose texts hold what no text may hold."""

        id = 'blabs'
        title = 'Blabs'
        requires = frozenset({model.Source.CONFIG})

        def run(self, ctx):
            for word in words:
                yield model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('option', word, word, 3, word),
                    f'said: {word}',
                    [
                        model.command(f'mysql --host=h {word}'),
                        model.config(f'[x]\ny = {word}'),
                        model.policy(f'"a:b": {json.dumps(word)}'),
                        model.advice(f'See {word}.'),
                    ],
                    references=(word,),
                    data={'value': word, 'number': 1},
                    aspect=word,
                )
            raise ValueError(words)

    return Blabs


class EverywhereTest(testtools.TestCase):
    @hypothesis.settings(_SETTINGS, max_examples=EXAMPLES // 10)
    @hypothesis.given(secrets("!#$%&*+,-./:;=?@^_~ '"), strategies.booleans())
    def test_no_report_and_no_log_shows_a_secret(self, secret, quoted):
        url = secret.replace(' ', '+')
        url = parse.quote(url, safe='') if quoted else url.replace('"', '')
        given = {
            'plain': secret.replace('$', '$$'),
            'url': url.replace('$', '$$'),
        }
        site = testing.Site(
            config=_FILE.format(**given),
            files={'api-paste.ini': _PASTE.format(**given).replace('%', '%%')},
        )
        with site:
            ctx = site.context()
            ids = ('api-paste', 'backend-drivers', 'config-options')
            results = [site.run(name, ctx) for name in ids]
            said = [*spellings(secret), url, f'x://u:{url}@h']
            results.append(site.run(blabbing(said), ctx))
            report = runner.report(results, ctx, model.Tool('x', '1', ''))
            log = logs.Formatter()
            log.redactor = lambda: ctx.redactor
            shown = [log.clean(text) for text in said]
            for one in (report, names.Names(report, []).hide(report)):
                shown += [
                    output.render(reporter(), one, io.StringIO())
                    for reporter in _REPORTERS
                ]
        for text in shown:
            place = text.find(MARK)
            self.assertEqual(
                '', text[place - 80 :][:160] if place >= 0 else ''
            )
        findings = [f for one in report.checks for f in one.findings]
        self.assertEqual(
            len(said), sum(f.check_id == 'blabs' for f in findings)
        )
        remedies = [r.text for f in findings for r in f.remediation]
        self.assertEqual([], [r for r in remedies if redact_secrets.MASK in r])

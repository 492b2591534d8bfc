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

import ddt
import testtools

from manila_precheck.redact import secrets as redact_secrets


@ddt.ddt
class ScrubTest(testtools.TestCase):
    @ddt.data(
        (
            'mysql+pymysql://manila:s3cret@db/manila',
            'mysql+pymysql://manila:***@db/manila',
        ),
        ('rabbit://u:p%40ss@h1:5672,u:other@h2//', 'rabbit://u:***@h2//'),
        ('amqp://u:a@b@host/', 'amqp://u:***@host/'),
        ('see http://example.org:80/a@b', 'see http://example.org:80/a@b'),
        (
            'https://h:8443/?a=b&api_key=s3cret&ssl_ca=/ca',
            'https://h:8443/?a=b&api_key=***&ssl_ca=/ca',
        ),
        (
            '"role:a or https://u@h/%(x)s?Token=s3cret#f"',
            '"role:a or https://u@h/%(x)s?Token=***#f"',
        ),
        ('of http://h and x?token=a', 'of http://h and x?token=***'),
        ('the query ?token=a alone', 'the query ?token=*** alone'),
        ('nothing here', 'nothing here'),
        (
            'https://svc@corp.example:SECRET@ks:5000',
            'https://svc@corp.example:***@ks:5000',
        ),
        (
            'https://svc@corp.example:5000/v3',
            'https://svc@corp.example:5000/v3',
        ),
        ('mysql://u:a/b@c/d@h/m', 'mysql://u:***@h/m'),
        ('mysql://u:a b@h/m', 'mysql://u:***@h/m'),
        ('//u:p@h', '//u:***@h'),
        (
            'redis://:p@h?sentinel_password=x',
            'redis://:***@h?sentinel_password=***',
        ),
        ('http://h/x?sig=a&n=1', 'http://h/x?sig=***&n=1'),
        ('http://h/x?ssl_key=/etc/key.pem', 'http://h/x?ssl_key=/etc/key.pem'),
        ('http://h/x#access_token=a', 'http://h/x#access_token=***'),
        ('mysql://h:3306 and mail to a@b', 'mysql://h:3306 and mail to a@b'),
        ('/etc//u:p@h', '/etc//u:p@h'),
        (
            'key AQAAbcdefghijklmnopqrstuvwxyz0123456789ABCD==',
            'key AQAAbcdefghijklmnopqrstuvwxyz0123456789ABCD==',
        ),
        ('key AQAAbcdefghijklmnopqrstuvwxyz012345678==', 'key ***'),
        ('id AKIAABCDEFGHIJKLMNOP', 'id ***'),
        ('(using password: YES)', '(using password: YES)'),
        ('password = (the value in f:3)', 'password = (the value in f:3)'),
        ('Basic authentication', 'Basic authentication'),
        ('x password=no-way1 y', 'x password=*** y'),
        ('x password=true1, y', 'x password=***, y'),
        ('x password=***1 y', 'x password=*** y'),
        ('x use_token=True, y', 'x use_token=True, y'),
    )
    @ddt.unpack
    def test_passwords_of_urls(self, text, shown):
        self.assertEqual(shown, redact_secrets.scrub(text))

    def test_known_secrets(self):
        self.assertEqual(
            'Access denied: ***',
            redact_secrets.scrub(
                'Access denied: hunter2x', ['hunter2x', 'he']
            ),
        )

    def test_longer_secret_first(self):
        self.assertEqual(
            '***', redact_secrets.scrub('abcdefgh', ['abcdef', 'abcdefgh'])
        )

    @ddt.data(
        ('type manila-manage db purge 30',) * 2,
        ('see /etc/manila/manila.conf',) * 2,
        (
            "Access denied, password 'manila'.",
            "Access denied, password '***'.",
        ),
        ('the password is manila.', 'the password is ***.'),
        ('pass=manila', 'pass=***'),
    )
    @ddt.unpack
    def test_a_secret_that_is_a_word(self, text, shown):
        self.assertEqual(shown, redact_secrets.scrub(text, ['manila']))


@ddt.ddt
class RedactorTest(testtools.TestCase):
    def test_patterns(self):
        patterns = redact_secrets.patterns(['INC[0-9]+', 'acme'])
        self.assertEqual(
            'see ***, ***-1',
            redact_secrets.Redactor(patterns=patterns)('see INC0815, acme-1'),
        )

    @ddt.data(
        ('(', 'pattern 2 is not a regular expression (at character 8)'),
        ('?|a*', 'pattern 2 matches the empty string'),
    )
    @ddt.unpack
    def test_a_pattern_that_is_none(self, text, words):
        # What is to be masked is not shown.
        raised = self.assertRaises(
            ValueError, redact_secrets.patterns, ['INC', f'hunter2{text}']
        )
        self.assertEqual(words, str(raised))

    #: What openstack-helm, kolla and devstack have where nobody chose.
    DEFAULTS = (
        'password',
        'secret',
        'admin',
        'manila',
        'service',
        'rabbitmq',
        'openstack',
        'keystone',
        'True',
        '1',
        '2026.1',
        'isilon1',
    )

    def redactor(self, password):
        return redact_secrets.Redactor(
            redact_secrets.forms(password),
            names=['isilon1', 'ctl-1.example.org'],
        )

    @ddt.data(*DEFAULTS)
    def test_a_default_password_ate_words(self, password):
        for text in (
            '[neutron]\nauth_type = {}',
            'openstack {} set --{}-id x',
            "user '{}'@'{}' of /etc/{}/{}.d",
            'the {}, {}-manage and {}_x',
            'a password (using password: YES), no {}',
            '{"user": "{}", "a": "{}"}',
            'the password of {}',
        ):
            text = text.replace('{}', password)
            self.assertEqual(text, self.redactor(password)(text))

    @ddt.data(*DEFAULTS)
    def test_a_default_password_is_masked_where_it_is_a_value(self, password):
        for text, shown in (
            ('mysql://{}:{}@{}/{}', 'mysql://{}:***@{}/{}'),
            ("it sent password '{}' of {}", "it sent password '***' of {}"),
            ('the password is {}', 'the password is ***'),
            ('password: "{}" and {}', 'password: "***" and {}'),
            ('x admin_token="{}", of {}', 'x admin_token="***", of {}'),
            ('{"password": "{}"}', '{"password": "***"}'),
        ):
            self.assertEqual(
                shown.replace('{}', password),
                self.redactor(password)(text.replace('{}', password)),
            )

    def test_a_random_word_is_masked_in_prose(self):
        for secret in ('qwkjzhvbxm', 'Xq7pLm2Z', 'a9$k', '84736251', 'ÄÖxü7'):
            redactor = redact_secrets.Redactor(redact_secrets.forms(secret))
            self.assertEqual('no *** in it', redactor(f'no {secret} in it'))
            self.assertEqual('no ***.', redactor(f'no {secret.upper()}.'))

    @ddt.data(
        'mysqldump -p manila > manila.sql',
        'mysqladmin --host h -p processlist',
        'openstack role add --user manila --project service admin',
        'https://git@opendev.org/openstack/manila',
        'http://h:8080/check/u@example.org',
        'each user has a password of its own',
        'the key: [a] password is not set',
        'the private key: None',
        '"passwords": []',
        '<password/> and </password>',
        'decided by the operator',
        'its password: (the value in manila.conf:3)',
    )
    def test_what_looks_like_a_place_of_a_secret(self, text):
        self.assertEqual(text, redact_secrets.scrub(text))

    @ddt.data(
        ('plain text', 'plain text'),
        ('[a]\nb = x://u:***@h\nc = 1', '[a]\nb = (P)\nc = 1'),
        ('[a]\nb: ***', '[a]\nb: (P)'),
        ('"share:create": "https://u:***@h or role:a"', '"share:create": (P)'),
        ('mysql --password=*** -h x', 'mysql (P) -h x'),
        ("curl 'http://u:***@h/' | x", "curl '(P)' | x"),
        ('See https://u:***@wiki/ for it.', 'See (P) for it.'),
    )
    @ddt.unpack
    def test_what_is_to_be_typed_holds_no_mask(self, text, expected):
        self.assertEqual(expected, redact_secrets.pointed(text, '(P)'))

    def test_the_password_of_a_secret_url_alone(self):
        secrets = redact_secrets.forms('rabbit://u:hunt%40er22@h1:5672//')
        redactor = redact_secrets.Redactor(secrets)
        self.assertEqual(
            'login with *** refused', redactor('login with hunt@er22 refused')
        )

    @ddt.data('se$cret77', 'se$$cret77', "'se$cret77'")
    def test_a_secret_as_a_file_spells_it(self, text):
        redactor = redact_secrets.Redactor(redact_secrets.forms('se$$cret77'))
        self.assertNotIn('cret77', redactor(f'it is {text}'))

    @ddt.data(
        ('admin:Xy7pQ1zLmW', ['Xy7pQ1zLmW']),
        ('"svc@corp:p!aZs$w"', ['p!aZs$w']),
        ('one:aB3/dE+f9=, two:7hJ_kL2m', ['aB3/dE+f9=', '7hJ_kL2m']),
        ('rabbit1:5672,rabbit2:5672', []),
        ('10.0.0.1:/vol/Export1a', []),
        ('mon:ceph1.example.com', []),
        ('nova:kvm, cinder:lvm2', []),
        ('net:0c2b5a7e-3f1d-4c8a-9b6e-1d2f3a4b5c6d', []),
        ('fe80:12ab:34cd::1', []),
        ('manila.wsgi.api:application', []),
        ('http://host.example', []),
    )
    @ddt.unpack
    def test_a_login_of_whatever_option(self, value, passwords):
        self.assertEqual(passwords, list(redact_secrets.within(value)))

    def test_a_long_word_takes_no_time_to_speak_of(self):
        text = 'a' * 200_000 + '://'
        self.assertEqual(text, redact_secrets.Redactor()(text))

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

from manila_precheck import redaction


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
        ('the query ?token=a alone', 'the query ?token=a alone'),
        ('nothing here', 'nothing here'),
    )
    @ddt.unpack
    def test_passwords_of_urls(self, text, shown):
        self.assertEqual(shown, redaction.scrub(text))

    def test_known_secrets(self):
        self.assertEqual(
            'Access denied: ***',
            redaction.scrub('Access denied: hunter2x', ['hunter2x', 'he']),
        )

    def test_longer_secret_first(self):
        self.assertEqual(
            '***', redaction.scrub('abcdefgh', ['abcdef', 'abcdefgh'])
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
        self.assertEqual(shown, redaction.scrub(text, ['manila']))


@ddt.ddt
class RedactorTest(testtools.TestCase):
    def test_patterns(self):
        patterns = redaction.patterns(['INC[0-9]+', 'acme'])
        self.assertEqual(
            'see ***, ***-1',
            redaction.Redactor(patterns=patterns)('see INC0815, acme-1'),
        )

    @ddt.data(
        ('(', 'is no regular expression'), ('a*', 'matches the empty text')
    )
    @ddt.unpack
    def test_a_pattern_that_is_none(self, text, words):
        raised = self.assertRaises(ValueError, redaction.patterns, [text])
        self.assertIn(words, str(raised))

    def test_the_password_of_a_secret_url_alone(self):
        secrets = redaction.forms('rabbit://u:hunt%40er22@h1:5672//')
        redactor = redaction.Redactor(secrets)
        self.assertEqual(
            'login with *** refused', redactor('login with hunt@er22 refused')
        )

    @ddt.data('se$cret77', 'se$$cret77', "'se$cret77'")
    def test_a_secret_as_a_file_spells_it(self, text):
        redactor = redaction.Redactor(redaction.forms('se$$cret77'))
        self.assertNotIn('cret77', redactor(f'it is {text}'))

    def test_a_long_word_takes_no_time_to_speak_of(self):
        text = 'a' * 200_000 + '://'
        self.assertEqual(text, redaction.Redactor()(text))

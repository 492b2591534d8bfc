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
"""Every rule of reading a configuration, against oslo.config itself.

Fragments are made for one rule after the other; the same options are
registered with a ConfigOpts and put into a catalog, and every one of them has
to have the same value in both, or to be refused by both.
"""

import os
import tempfile
from typing import Any
from typing import cast
import unittest

import hypothesis
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_config import types

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import options
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

REFUSED = 'refused'


def _integer(**bounds):
    return {'kind': 'integer', **bounds}


_PAIRS = {'kind': 'dict', 'item': 'string'}

# Name, group, type in the catalog, type of oslo.config, and what else the
# option is made with.
_OPTIONS: list[tuple[Any, ...]] = [
    ('text', 'DEFAULT', 'string', types.String(), {}),
    ('other', 'DEFAULT', 'string', types.String(), {'default': 'of $text'}),
    ('text', 'one', 'string', types.String(), {'default': 'd'}),
    ('other', 'one', 'string', types.String(), {}),
    ('dashed_name', 'one', 'string', types.String(), {}),
    ('number', 'one', _integer(min=1, max=9), types.Integer(1, 9), {}),
    ('many', 'one', 'string', types.String(), {'multi': True}),
    (
        'renamed',
        'one',
        'string',
        types.String(),
        {'old': [('one', 'old_name'), ('two', 'old_text'), ('one', 'older')]},
    ),
    (
        'collected',
        'two',
        'string',
        types.String(),
        {'multi': True, 'old': [('DEFAULT', 'collector')]},
    ),
    ('flag', 'two', 'boolean', types.Boolean(), {'default': True}),
    ('ratio', 'two', {'kind': 'float', 'min': 1.0}, types.Float(1.0), {}),
    ('port', 'two', 'port', types.Port(), {}),
    ('high', 'two', {'kind': 'port', 'min': 1024}, types.Port(1024), {}),
    (
        'choice',
        'two',
        {'kind': 'string', 'choices': ['a', 'b c']},
        types.String(choices=['a', 'b c']),
        {},
    ),
    (
        'any_case',
        'two',
        {'kind': 'string', 'choices': ['Ab'], 'ignore_case': True},
        types.String(choices=['Ab'], ignore_case=True),
        {},
    ),
    (
        'quoted',
        'two',
        {'kind': 'string', 'quotes': True},
        types.String(quotes=True),
        {},
    ),
    (
        'pattern',
        'two',
        {'kind': 'string', 'regex': '^/'},
        types.String(regex='^/'),
        {},
    ),
    (
        'short',
        'two',
        {'kind': 'string', 'max_length': 3},
        types.String(max_length=3),
        {},
    ),
    ('items', 'two', {'kind': 'list', 'item': 'string'}, types.List(), {}),
    (
        'numbers',
        'two',
        {'kind': 'list', 'item': _integer(max=5), 'bounds': True},
        types.List(types.Integer(max=5), bounds=True),
        {},
    ),
    ('pairs', 'two', _PAIRS, types.Dict(), {}),
    (
        'braced',
        'two',
        {'kind': 'dict', 'item': 'integer', 'bounds': True},
        types.Dict(types.Integer(), bounds=True),
        {},
    ),
    ('address', 'two', 'ip_address', types.IPAddress(), {}),
    (
        'address4',
        'two',
        {'kind': 'ip_address', 'version': 4},
        types.IPAddress(4),
        {},
    ),
    ('name', 'two', 'hostname', types.Hostname(), {}),
    ('host', 'two', 'host_address', types.HostAddress(), {}),
    ('uri', 'two', {'kind': 'uri', 'schemes': ['http']}, None, {}),
    (
        'range',
        'two',
        {'kind': 'range', 'inclusive': True},
        types.Range(),
        {},
    ),
    # Defaults that refer to others.
    (
        'derived',
        'two',
        'string',
        types.String(),
        {'default': '${one.text}, $flag, $$ and $other'},
    ),
    ('same_port', 'two', 'port', types.Port(), {'default': '$port'}),
    ('no_port', 'two', 'port', types.Port(), {'default': '${one.gone}'}),
    (
        'some',
        'two',
        'string',
        types.String(),
        {'multi': True, 'default': ['a', '$choice']},
    ),
]
_GROUPS = ('DEFAULT', 'one', 'two')
_TYPED = [row for row in _OPTIONS if row[1] == 'two' and not row[4].get('old')]


class _Facts:
    """A catalog of the options above."""

    def options(self, release):
        held = {}
        for name, group, kind, _type, more in _OPTIONS:
            more = dict(more)
            olds = sorted(map(list, more.pop('old', ())))
            held.setdefault(name, []).append(
                {
                    'type': kind,
                    'in': [f'[{group}]'],
                    'deprecated_names': olds,
                    **more,
                }
            )
        return options.OptionSet(release, held, {})

    def driver(self, release, path):
        return None

    def plugins(self, release, kind):
        return {}


_FACTS = _Facts()


def _register(conf):
    for name, group, _kind, made, more in _OPTIONS:
        more = dict(more)
        # The catalog has them sorted; so has the release that it is of.
        old = [
            cfg.DeprecatedOpt(old, group=home)
            for home, old in sorted(more.pop('old', ()))
        ]
        if name == 'uri':
            made = types.URI(schemes=['http'])
        if more.pop('multi', False):
            opt = cfg.MultiOpt(
                name, item_type=made, deprecated_opts=old, **more
            )
        else:
            opt = cfg.Opt(name, type=made, deprecated_opts=old, **more)
        conf.register_opt(
            opt,
            group=None if group == 'DEFAULT' else group,
        )


def _plain(value):
    # A range, and a value in a list, has no equality of its own.
    return repr(value)


class Rule(unittest.TestCase):
    """Compares what the two say of files in a directory."""

    def assert_same(self, files, locations):
        with tempfile.TemporaryDirectory() as home:
            for name, text in files.items():
                path = os.path.join(home, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'w', encoding='utf-8') as stream:
                    stream.write(text)
            paths = [os.path.join(home, name) for name in locations]
            self.assertEqual(self._theirs(paths), self._ours(paths))

    def assert_text(self, text):
        self.assert_same({'manila.conf': text}, ['manila.conf'])

    def _theirs(self, paths):
        conf = cfg.ConfigOpts()
        _register(conf)
        words = []
        for path in paths:
            flag = 'dir' if os.path.isdir(path) else 'file'
            words += [f'--config-{flag}', path]
        try:
            conf(words, project='x', use_env=False)
        except cfg.ConfigFileParseError:
            return REFUSED
        found = {}
        for name, group, *_rest in _OPTIONS:
            holder = conf if group == 'DEFAULT' else conf[group]
            try:
                found[group, name] = _plain(holder[name])
            except (cfg.Error, ValueError, RecursionError):
                found[group, name] = REFUSED
        return found

    def _ours(self, paths):
        try:
            facts = config_files.read(paths)
        except exceptions.ConfigFileError:
            return REFUSED
        reader = config_reader.Reader(
            facts, cast(catalog.Catalog, _FACTS), releases.parse('2026.1')
        )
        found = {}
        for name, group, *_rest in _OPTIONS:
            try:
                found[group, name] = _plain(reader.get(group, name))
            except config_reader.Refused:
                found[group, name] = REFUSED
        for setting in facts.settings:
            self._assert_value_of_the_line(reader, setting)
        return found

    def _assert_value_of_the_line(self, reader, setting):
        """Compare the value of a line in force with that of its option."""
        now = reader.look_up(setting.group, setting.name)
        if not now.read or reader.effective(setting) != (setting,):
            return
        answers = []
        for ask in (
            lambda: reader.value(setting),
            lambda: reader.get(now.group, now.option.name),
        ):
            try:
                value = ask()
            except config_reader.Refused:
                value = REFUSED
            answers.append(_plain(value))
        line, option = answers
        if now.option.multi and line != _plain(REFUSED):
            line = f'[{line}]'
        self.assertEqual(option, line)


# -- fragments ---------------------------------------------------------------

_WORD = st.sampled_from(['a', 'b', 'x y', '1', '', 'ä', '#h', 'k=v', '%s'])
_SIGN = st.sampled_from(['=', ' = ', ':', ' : ', '= ', ' ='])
_NAMES = sorted({row[0] for row in _OPTIONS})


def _lines(names, values):
    return st.builds('{}{}{}\n'.format, st.sampled_from(names), _SIGN, values)


def _blocks(names, values, sections=_GROUPS, least=0):
    header = st.sampled_from([f'[{section}]\n' for section in sections])
    body = st.lists(_lines(names, values), max_size=5).map(''.join)
    return st.lists(
        st.builds(str.__add__, header, body), min_size=least, max_size=4
    ).map(''.join)


_REFERENCES = [
    *(f'${row[0]}' for row in _OPTIONS),
    *(f'${{{row[1]}.{row[0]}}}' for row in _OPTIONS),
    '$old_name',
    '${old_name}',
    '${one.old_name}',
    '${two.old_text}',
    '${two.text}',
    '${one.flag}',
    '$collector',
    '${DEFAULT.collector}',
    '${nothing}',
    '${nothing.there}',
    '${one.nothing}',
    '${three.text}',
    '${One.text}',
    '${ONE.text}',
    '${default.text}',
    '${one.}',
    '${.text}',
    '${}',
    '${one.text.more}',
    '${one.dashed-name}',
    '${dashed-name}',
    '$one',
    '${one}',
    '${two}',
    '$two.flag',
    '$DEFAULT.text',
    '$TEXT',
    '${ text }',
    '${text',
    '$text}',
    '$',
    '$$',
    '$$text',
    '$$$text',
    '$${text}',
    '$${one.text}',
    '\\$text',
    '\\${one.text}',
    '\\$$text',
    '\\\\$text',
    '$1',
    '$ä',
    '$_',
]
_PIECES = ['a', '3', ',', ':', 'k:', '[', ']', '{', '}', '"', "'", ' ', '/']

_PLAIN = _blocks(['text', 'other', 'many', 'renamed', 'old_name'], _WORD)

_FILE_NAME = st.sampled_from(['10', '9', 'a', 'B', '.hidden', 'z.conf', '~'])


def _given(*args, **kwargs):
    settings = hypothesis.settings(
        max_examples=80,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    return lambda test: settings(hypothesis.given(*args, **kwargs)(test))


class RulesTestCase(Rule):
    @_given(
        st.dictionaries(_FILE_NAME, _PLAIN, max_size=4),
        st.lists(_PLAIN, min_size=1, max_size=3),
        st.booleans(),
        st.booleans(),
    )
    def test_files_and_directories_in_order_later_wins(
        self, members, texts, directory_first, twice
    ):
        files = {f'd/{name}.conf': text for name, text in members.items()}
        files['d/not-read.txt'] = '[DEFAULT]\ntext = not read\n'
        files.update((f'{i}.conf', text) for i, text in enumerate(texts))
        names = [f'{i}.conf' for i in range(len(texts))]
        locations = ['d', *names] if directory_first else [*names, 'd']
        if twice:
            locations.append(names[0])
        self.assert_same(files, locations)

    @_given(
        st.lists(
            _blocks(['many', 'collected', 'collector', 'text'], _WORD),
            min_size=1,
            max_size=3,
        )
    )
    def test_multi_valued_options(self, texts):
        files = {f'{i}.conf': text for i, text in enumerate(texts)}
        self.assert_same(files, list(files))

    @_given(
        _blocks(
            ['text', 'items', 'pairs', 'number', 'many'],
            st.lists(
                st.sampled_from(
                    ['a', 'b,', 'k:v,', '1', '', '# no', '[x]', 'c = d', "'"]
                ),
                min_size=1,
                max_size=4,
            ).flatmap(
                lambda words: st.sampled_from(
                    ['\n ', '\n\t', '\n    ', '\n', '\n\n  ', '\n#\n  ']
                ).map(lambda glue: glue.join(words))
            ),
            sections=('one', 'two', 'DEFAULT'),
            least=1,
        )
    )
    def test_line_continuations(self, text):
        self.assert_text(text)

    @_given(
        _blocks(
            ['text', 'other', 'number', 'flag', 'items', 'many', 'renamed'],
            st.lists(
                st.sampled_from(
                    [
                        '$text',
                        '${text}',
                        '$other',
                        '${one.text}',
                        '${two.flag}',
                        '${DEFAULT.text}',
                        '$one.text',
                        '${nothing.there}',
                        '$nothing',
                        '$$',
                        '$',
                        r'\$text',
                        '$number',
                        '$old_name',
                        '${renamed',
                        '$1',
                        'plain',
                        '3',
                    ]
                ),
                min_size=1,
                max_size=3,
            ).map(''.join),
            least=1,
        )
    )
    def test_interpolation(self, text):
        self.assert_text(text)

    @_given(
        st.lists(
            _blocks(
                [*_NAMES, 'old_name', 'older', 'old_text', 'collector'],
                st.lists(
                    st.one_of(
                        st.sampled_from(_REFERENCES), st.sampled_from(_PIECES)
                    ),
                    max_size=4,
                ).map(''.join),
                sections=('DEFAULT', 'one', 'two', 'three', 'One'),
                least=1,
            ),
            min_size=1,
            max_size=2,
        )
    )
    def test_references_in_values_of_every_type(self, texts):
        files = {f'{i}.conf': text for i, text in enumerate(texts)}
        self.assert_same(files, list(files))

    def test_references_to_what_is_not_there(self):
        for text in (
            '[one]\ntext = $other\nother = $nothing\n',
            '[one]\ntext=${nothing.there}\nother=$text',
            '[one]\ntext=${one.nothing}\nother=$text',
            '[one]\ntext=${two.}\nother=${one.text}',
        ):
            with self.subTest(text):
                self.assert_text(text)

    def test_references_by_old_names(self):
        for old, current in (
            ('$old_name', '[one]\nold_name = a\n'),
            ('${two.old_text}', '[one]\nrenamed = b\n'),
            ('$old_name', '[one]\nrenamed = $old_name\n'),
            ('${one.older}', '[two]\nold_text = c\n'),
            ('$collector', '[DEFAULT]\ncollector = d\n'),
        ):
            with self.subTest(current):
                self.assert_text(f'{current}[one]\ntext = x$text{old}\n')
                self.assert_text(f'{current}[one]\ntext = {old}\n')

    @_given(
        _blocks(
            [
                'text',
                'Text',
                'TEXT',
                'dashed_name',
                'dashed-name',
                'Dashed_Name',
                'old-name',
                'old_name',
            ],
            _WORD,
            sections=('one', 'One', 'ONE', 'default', 'Default', 'DEFAULT'),
            least=1,
        )
    )
    def test_group_and_option_name_spellings(self, text):
        self.assert_text(text)

    @_given(
        st.lists(
            _blocks(
                ['renamed', 'old_name', 'older', 'old_text', 'collector'],
                _WORD,
                least=1,
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_options_set_under_deprecated_names(self, texts):
        files = {f'{i}.conf': text for i, text in enumerate(texts)}
        self.assert_same(files, list(files))

    @_given(
        _blocks(
            ['text', 'number', 'items', 'quoted', 'choice', 'pairs', 'flag'],
            st.builds(
                '{}{}{}'.format,
                st.sampled_from(['"', "'", '', '""', '"\'', ' "']),
                st.sampled_from(
                    ['a', '3', 'a,b', 'a"b', "a'b", '', ' a ', 'k:"v"']
                ),
                st.sampled_from(['"', "'", '', '""', '\'"', '" ']),
            ),
            sections=('one', 'two'),
            least=1,
        )
    )
    def test_quotes(self, text):
        self.assert_text(text)

    @_given(
        st.lists(
            st.one_of(
                st.sampled_from(
                    [
                        '[one]\n',
                        '[DEFAULT]\n',
                        '[ONE]\n',
                        '[two]\n',
                        '[one]\n[one]\n',
                        '[ one ]\n',
                        '[one] # c\n',
                        '[]\n',
                        '[one\n',
                        '# text = c\n',
                        '\n',
                    ]
                ),
                _lines(['text', 'other', 'many', 'number'], _WORD),
            ),
            max_size=9,
        ).map(''.join)
    )
    def test_repeated_sections(self, text):
        self.assert_text(text)

    @_given(st.data())
    def test_values_of_every_type_with_bounds_and_choices(self, data):
        text = '[two]\n'
        for name, *_rest in _TYPED:
            value = data.draw(
                st.one_of(
                    st.sampled_from(_VALUES),
                    st.integers(-3, 70000).map(str),
                    st.floats(-2, 2).map(str),
                ),
                label=name,
            )
            text += f'{name} = {value}\n'
        self.assert_text(text)

    def test_each_of_the_values_with_each_of_the_types(self):
        for value in _VALUES:
            with self.subTest(value):
                self.assert_text(
                    '[two]\n'
                    + ''.join(f'{name} = {value}\n' for name, *_ in _TYPED)
                )


_VALUES = [
    '',
    'a',
    'A',
    'b c',
    'aB',
    'true',
    'ON',
    'no',
    'off ',
    '2',
    '0',
    '1',
    '-1',
    '+1',
    '010',
    '0x1f',
    '1e3',
    '1.0',
    '0.99',
    'nan',
    'inf',
    '1024',
    '1023',
    '65535',
    '65536',
    '/abs',
    'rel/',
    'abcd',
    'a,b',
    'a,,b,',
    '[1,2]',
    '[1,6]',
    '[1',
    '1,2',
    'k:v',
    'k:v,l:w',
    'k:v:w',
    'k',
    'k=v',
    ':v',
    '{k:1}',
    '{k:x}',
    '{k:1',
    '192.0.2.1',
    '192.0.2.256',
    '192.0.2',
    '2001:db8::1',
    '::',
    'fe80::1%eth0',
    'host',
    'host.example.org',
    '-host',
    'host_name',
    'a' * 64,
    'http://h',
    'http://h:80/p',
    'https://h',
    'http:/h',
    'http:',
    '1-5',
    '5-1',
    '1-',
    'a-b',
    '1-5-7',
    'None',
    '"2"',
]

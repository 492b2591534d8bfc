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

import base64
import hashlib
from html import parser
import io
import re
import subprocess
import sys

import ddt
import jinja2
import testtools

from manila_precheck import model
from manila_precheck.reporters import html_report
from manila_precheck.reporters import words
from manila_precheck.tests import golden
from manila_precheck.tests import reports

_VOID = ('meta', 'input', 'wbr')


def _write(report=reports.REPORT):
    stream = io.StringIO()
    html_report.HtmlReporter().write(report, stream, width=40, color=True)
    return stream.getvalue()


class _Page(parser.HTMLParser):
    """The elements and the text of a page, well nested or it raises."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        if self.open:
            raise AssertionError(self.open)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ('style', 'script'):
            self.texts.append(data)

    def all(self, name):
        return [attrs for tag, attrs in self.elements if tag == name]


@ddt.ddt
class HtmlReporterTest(testtools.TestCase):
    def test_golden(self):
        # Without the style and the script: they are files of their own.
        text = re.sub(r'(?s)<style>.*?</style>', '<style></style>', _write())
        text = re.sub(r'(?s)<script>.*?</script>', '<script></script>', text)
        text = re.sub(r'sha256-[\w+/=]+', 'sha256-', text)
        golden.check(self, 'report.html', re.sub('(<[^/b])', '\n\\1', text))

    def test_hostile_text_cannot_break_out(self):
        page = _Page(_write())
        expected = _Page(_write(reports.REPORT._replace(checks=())))
        self.assertEqual(
            {tag for tag, _ in expected.elements}
            | {'details', 'summary', 'article', 'pre', 'bdi', 'strong'}
            | {'figure', 'svg', 'title', 'desc', 'text', 'rect', 'g', 'ol'}
            | {'table', 'tr', 'th', 'td', 'h3', 'div', 'code', 'wbr'},
            {tag for tag, _ in page.elements},
        )
        self.assertEqual(1, len(page.all('script')))
        for tag, attributes in page.elements:
            for name in attributes:
                self.assertFalse(name.startswith('on'), (tag, name))
                self.assertNotEqual('style', name)

    def test_hostile_text_is_there_spelled_out(self):
        text = ''.join(_Page(_write()).texts)
        self.assertIn('Share "<script>&]]>\\u202eexe.txt" holds', text)
        self.assertIn('evil\\x1b[2J\\x1b]0;owned\\x07\\nCode 0: READY', text)

    def test_nothing_comes_from_elsewhere(self):
        page = _Page(_write())
        for tag in ('link', 'img', 'iframe', 'base', 'object', 'form'):
            self.assertEqual([], page.all(tag))
        for attributes in page.all('script') + page.all('style'):
            self.assertEqual({}, attributes)
        for _tag, attributes in page.elements:
            self.assertNotIn('src', attributes)
            href = attributes.get('href', '#')
            self.assertTrue(href.startswith(('#', 'https://')), href)
        self.assertNotIn('url(', _write())

    def test_the_policy_admits_what_is_in_the_page_and_nothing_else(self):
        text = _write()
        (policy,) = (
            m['content']
            for m in _Page(text).all('meta')
            if m.get('http-equiv') == 'Content-Security-Policy'
        )
        self.assertTrue(policy.startswith("default-src 'none'; "), policy)
        for tag in ('style', 'script'):
            ((body,)) = re.findall(rf'(?s)<{tag}>(.*?)</{tag}>', text)
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest())
            self.assertIn(f"{tag}-src 'sha256-{digest.decode()}'", policy)

    def test_it_is_ascii(self):
        self.assertTrue(_write().isascii())

    @ddt.data(reports.REPORT, reports.CLEAN)
    def test_verdict_and_path_come_first(self, report):
        page = _Page(_write(report))
        said = [text for text in page.texts if text.strip()]
        verdict, _todo = words.verdict(report)
        start = said.index('manila upgrade check')
        self.assertEqual(
            [verdict, '2025.1 (Epoxy) \u2192 2026.1 (Gazpacho)'],
            said[start + 1 : start + 3],
        )

    def test_every_link_has_a_target_and_every_id_is_there_once(self):
        page = _Page(_write())
        ids = [a['id'] for _, a in page.elements if 'id' in a]
        self.assertEqual(sorted(set(ids)), sorted(ids))
        for attributes in page.all('a'):
            if attributes['href'].startswith('#'):
                self.assertIn(attributes['href'][1:], ids)

    def test_the_first_page_is_what_a_board_reads(self):
        page = _Page(_write())
        order = [
            a.get('id') or a.get('class')
            for tag, a in page.elements
            if tag in ('section', 'div', 'header')
        ]
        self.assertEqual(
            [
                'banner failure',
                'first-page',
                'cover',
                'blocking',
                'warnings',
                'let-pass',
            ],
            [one for one in order if one != 'copy'][:6],
        )
        self.assertIn(
            '.first-page { break-after: page;', html_report.asset('page.css')
        )

    def test_a_filter_shows_something(self):
        page = _Page(_write(reports.CLEAN))
        self.assertEqual(
            ['show-all'],
            [a['id'] for a in page.all('input') if a['type'] == 'radio'],
        )
        page = _Page(_write())
        self.assertEqual(
            ['show-all', 'show-failure', 'show-warning', 'show-info'],
            [a['id'] for a in page.all('input') if a['type'] == 'radio'],
        )

    def test_what_a_link_leads_to_is_shown_whatever_is_filtered(self):
        style = html_report.asset('page.css')
        hidden = style.index('.check .finding:not(.info) { display: none; }')
        for target in ('.check:target', '.finding:target', ':has(:target)'):
            self.assertIn(target, style[hidden:])

    def test_every_picture_has_words(self):
        pictures = _Page(_write()).all('svg')
        self.assertEqual(
            [
                ('img', 'backends-title backends-desc'),
                ('img', 'soft-deleted-title soft-deleted-desc'),
            ],
            [(p['role'], p['aria-labelledby']) for p in pictures],
        )

    def test_every_severity_has_a_word_beside_its_colour(self):
        page = _write()
        for check in reports.REPORT.checks:
            self.assertIn(f'>{words.word(check)}</span>', page)

    def test_what_nobody_gave_is_told_beside_the_verdict(self):
        text = ''.join(_Page(_write()).texts)
        self.assertIn(
            'No target was given: 2026.1 is assumed. Suppressed: 2 findings, '
            '1 failure among them: 1 waived, 1 in the baseline. Left out: '
            'api-paste, upgrade-path.',
            text,
        )

    def test_nothing_blocks_a_clean_run(self):
        text = ''.join(_Page(_write(reports.CLEAN)).texts)
        self.assertIn('What blocksNothing that was checked.', text)

    def test_many_findings_are_capped_and_counted(self):
        text = _write(reports.MANY)
        self.assertEqual(500, text.count('<article'))
        self.assertIn('And 9500 more; the JSON report lists all.', text)
        self.assertIn('And 9950 more, below.', text)
        _Page(text)

    def test_many_of_one_cause_are_one_block(self):
        text = _write(reports.MANY_ALIKE)
        self.assertEqual(1, text.count('<article'))
        self.assertIn('And 9500 more; the JSON report lists all.', text)
        self.assertIn('and 9999 more', ''.join(_Page(text).texts))

    def test_one_check_with_many_hides_no_other(self):
        (many,) = reports.MANY.checks
        crashed = model.CheckResult(
            'other-check', 'Other', model.Outcome.ERROR, 'it crashed'
        )
        report = reports.MANY._replace(checks=(many, crashed))
        text = ''.join(_Page(_write(report)).texts)
        blocking = text[text.index('What blocks') : text.index('The checks')]
        self.assertEqual(49, blocking.count('FAILURE'))
        self.assertIn('ERROR OtherCould not run: it crashed', blocking)
        self.assertIn('And 9951 more, below.', blocking)

    def test_what_it_is_of_stands_below_the_verdict(self):
        text = ''.join(_Page(_write()).texts)
        self.assertIn(
            'Stage plan: the services are running; database mysql, revision '
            '0d8c8f6d54a4; made 2026-04-01 12:00 UTC',
            text,
        )
        text = ''.join(_Page(_write(reports.CLEAN)).texts)
        self.assertIn(
            'Stage stopped: the services are down, before db syncThe database',
            text,
        )

    def test_a_long_name_breaks_at_its_dots_and_copies_whole(self):
        name = 'manila.share.drivers.acme.driver.AcmeDriver'
        finding = model.Finding(
            model.Severity.WARNING,
            model.Subject('backend', 'a.short.one'),
            f'<b> a.short.one and {name}, <gone.from.this.release.by.now>',
            check_id='some-check',
        )
        result = model.CheckResult(
            'some-check', 'T', model.Outcome.FOUND, findings=(finding,)
        )
        text = _write(reports.CLEAN._replace(checks=(result,)))
        self.assertIn(
            '<p>&lt;b&gt; a.short.one and manila.<wbr>share.<wbr>drivers.'
            '<wbr>acme.<wbr>driver.<wbr>AcmeDriver, &lt;gone.<wbr>from.<wbr>'
            'this.<wbr>release.<wbr>by.<wbr>now&gt;</p>',
            text,
        )
        self.assertIn(finding.message, ''.join(_Page(text).texts))


@ddt.ddt
class EnvironmentTest(testtools.TestCase):
    def _render(self, source, **names):
        made = html_report.environment()
        return made.from_string(source).render(**names)

    @ddt.data('{{ text }}', "{{ text | join('') }}", '{{ [text] | first }}')
    def test_a_text_is_escaped_and_spelled_out(self, source):
        self.assertEqual(
            '<p title="&lt;&#34;&#39;&amp;\\x1b\\u202e">',
            self._render(f'<p title="{source}">', text='<"\'&\x1b\u202e'),
        )

    def test_html_of_a_macro_is_not_escaped_again(self):
        self.assertEqual(
            '<b>&lt;</b>',
            self._render(
                '{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}'
                '{{ bold(text) }}',
                text='<',
            ),
        )

    def test_none_is_nothing(self):
        self.assertEqual('', self._render('{{ text }}', text=None))

    @ddt.data('{{ text }}', '{{ report.text }}')
    def test_an_unknown_name_raises(self, source):
        self.assertRaises(
            jinja2.UndefinedError, self._render, source, report=reports.REPORT
        )

    def test_a_check_list_does_without(self):
        listed = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'code = precheck.main(["check", "list"]); '
                'print(code, "jinja2" in sys.modules)',
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        self.assertIn('upgrade-path', listed)
        self.assertEqual('0 False', listed.splitlines()[-1])


class PicturesTest(testtools.TestCase):
    def test_a_report_without_figures_has_no_pictures(self):
        self.assertEqual([], _Page(_write(reports.CLEAN)).all('svg'))

    def test_the_table_has_every_row_of_the_picture_and_more(self):
        text = _write()
        self.assertEqual(10, text.count('class="purgeable"'))
        self.assertIn('2 more in the table below.', text)
        for number in range(12):
            self.assertIn(f'<th scope="row">table_{number:02}</th>', text)

    def test_a_back_end_is_found_by_name_and_by_host(self):
        finding = model.Finding(
            model.Severity.WARNING,
            model.Subject('service', 'manila-share@ctl1@ceph1'),
            'It does not report.',
            check_id='live-services',
        )
        result = model.CheckResult(
            'live-services', 'T', model.Outcome.FOUND, findings=(finding,)
        )
        report = reports.REPORT._replace(
            checks=(result,), backends=('ceph1', 'quiet1')
        )
        text = _write(report)
        self.assertIn(
            '<tr><th scope="row">ceph1</th><td>1 warning</td></tr>'
            '<tr><th scope="row">quiet1</th><td>nothing found</td></tr>',
            text,
        )

    def test_no_cell_says_nothing_found_where_something_was(self):
        finding = model.Finding(
            model.Severity.FAILURE,
            model.Subject('backend', 'ceph1'),
            'It is gone.',
            check_id='some-check',
            known=True,
        )
        result = model.CheckResult(
            'some-check',
            'T',
            model.Outcome.ERROR,
            'it crashed',
            findings=(finding,),
        )
        report = reports.REPORT._replace(
            checks=(result,), backends=('ceph1', 'nfs1')
        )
        self.assertIn(
            '<tr><th scope="row">ceph1</th><td>1 suppressed</td></tr><tr><th '
            'scope="row">nfs1</th><td>could not run</td></tr>',
            _write(report),
        )

    def test_what_is_let_pass_stands_beside_what_blocks(self):
        text = ''.join(_Page(_write()).texts)
        self.assertIn(
            'Suppressed findings (2)FAILURE Share servers: oneShare server '
            'one is lost.Waived by Storage up to 2026-12-31: it is <gone> '
            '@all \\x1b for good',
            text,
        )

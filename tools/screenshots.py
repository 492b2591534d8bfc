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

"""Look at the HTML report of the demo as a reader's browser shows it.

    python tools/screenshots.py [--axe FILE] DIRECTORY

Chromium draws the page at the widths of a telephone, a tablet and a screen,
in dark colours and printed, into DIRECTORY, where the documentation takes the
pictures from. The exit code is 1 when the page is wider than one of these, or
when axe (its axe.min.js) finds that somebody could not read it.
"""

import argparse
from collections.abc import Iterator
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any
from typing import Optional
import urllib.parse

ROOT = pathlib.Path(__file__).parents[1]

#: In pixels; the height is that of what is drawn.
WIDTHS = (360, 900, 1600)
_HEIGHT = 1400

_DARK = '--blink-settings=preferredColorScheme=0'
_SECONDS = 120

# What the page is asked in the browser.
_ASK = """
<script>
addEventListener('load', async () => {
  const root = document.documentElement;
  const found = {width: root.scrollWidth, room: innerWidth, axe: []};
  if (window.axe) {
    const result = await axe.run();
    found.axe = result.violations.map(
      one => one.id + ': ' + one.help + ' (' + one.nodes[0].target + ')');
  }
  parent.postMessage(JSON.stringify(found), '*');
});
</script>
"""

# A window is at least 500 pixels wide, a frame may be narrower.
_FRAME = """<!DOCTYPE html>
<html><body>
<script>
addEventListener('message', event => {{
  document.body.textContent = encodeURIComponent(event.data);
}});
</script>
<iframe width="{width}" height="{height}" src="{source}"></iframe>
</body></html>
"""


def _chromium(page: pathlib.Path, *flags: str) -> str:
    """Run the browser on a page, and return what it prints."""
    program = shutil.which('chromium') or shutil.which('google-chrome')
    if program is None:
        raise SystemExit('screenshots: error: there is no chromium')
    done = subprocess.run(
        [
            *(program, '--headless', '--no-sandbox', '--disable-gpu'),
            *('--hide-scrollbars', *flags, page.as_uri()),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=True,
        text=True,
    )
    return done.stdout


def _asked(
    text: str, axe: str, folder: pathlib.Path, width: int
) -> dict[str, Any]:
    """Return what the page says of itself at a width."""
    # Its policy allows no script but its own.
    text = re.sub(
        r'<meta http-equiv="Content-Security-Policy"[^>]*>', '', text
    )
    scripts = f'<script>{axe}</script>{_ASK}'
    page, frame = folder / 'asked.html', folder / 'frame.html'
    page.write_text(text.replace('</head>', f'{scripts}</head>'))
    frame.write_text(
        _FRAME.format(width=width, height=_HEIGHT, source=page.name)
    )
    printed = _chromium(
        frame,
        f'--window-size={width + 100},{_HEIGHT}',
        '--virtual-time-budget=20000',
        '--dump-dom',
    )
    match = re.search(r'<body>(%7B.*?)</body>', printed)
    if match is None:
        raise SystemExit('screenshots: error: the page does not answer')
    found: dict[str, Any] = json.loads(urllib.parse.unquote(match[1]))
    return found


def _problems(text: str, axe: str, folder: pathlib.Path) -> Iterator[str]:
    """Yield what a reader would stop at."""
    for width in WIDTHS:
        found = _asked(text, axe, folder, width)
        # A frame has a scroll bar.
        if found['width'] > found['room'] or width - found['room'] > 20:
            yield f'at {width} pixels the page is {found["width"]} wide'
        for problem in found['axe']:
            yield f'at {width} pixels: {problem}'


def main() -> int:
    """Draw the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--axe', type=pathlib.Path, metavar='FILE')
    parser.add_argument('directory', type=pathlib.Path)
    args = parser.parse_args()
    args.directory.mkdir(parents=True, exist_ok=True)
    demo = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'demo.py', '--format', 'html'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    with tempfile.TemporaryDirectory() as name:
        page = pathlib.Path(name, 'report.html')
        page.write_text(demo.stdout)
        drawn: list[tuple[str, int, Optional[str]]] = [
            *((str(width), width, None) for width in WIDTHS),
            ('dark', WIDTHS[1], _DARK),
        ]
        for what, width, flag in drawn:
            place = args.directory.resolve() / f'report-{what}.png'
            _chromium(
                page,
                f'--window-size={width},{_HEIGHT}',
                f'--screenshot={place}',
                *([flag] if flag else []),
            )
            print(f'{place}: {place.stat().st_size} bytes')
        place = args.directory.resolve() / 'report.pdf'
        _chromium(page, '--no-pdf-header-footer', f'--print-to-pdf={place}')
        print(f'{place}: {place.stat().st_size} bytes')
        problems = list(
            _problems(
                demo.stdout,
                args.axe.read_text() if args.axe else '',
                pathlib.Path(name),
            )
        )
    for problem in problems:
        print(f'screenshots: {problem}')
    return int(bool(problems))


if __name__ == '__main__':
    sys.exit(main())

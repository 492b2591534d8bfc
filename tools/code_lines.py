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

"""Count the lines of code of a package, by folder.

Comments, docstrings and blank lines are not counted, nor is what is in a
folder called tests. The total comes last.
"""

import argparse
import ast
import collections
import pathlib
import tokenize

_NO_CODE = frozenset(
    (
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    )
)
_WITH_DOCSTRING = (
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.FunctionDef,
    ast.Module,
)


def docstrings(text: str) -> set[int]:
    """Return the lines of the docstrings, those of attributes too."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, _WITH_DOCSTRING):
            continue
        for child in node.body:
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                found.update(range(child.lineno, (child.end_lineno or 0) + 1))
    return found


def code_lines(path: pathlib.Path) -> int:
    """Return how many lines of a file hold code."""
    with tokenize.open(path) as stream:
        text = stream.read()
    found: set[int] = set()
    for token in tokenize.generate_tokens(
        iter(text.splitlines(True)).__next__
    ):
        if token.type not in _NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    return len(found - docstrings(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('package', nargs='?', default='manila_precheck')
    root = pathlib.Path(parser.parse_args().package)
    found: collections.Counter[str] = collections.Counter()
    for path in sorted(root.rglob('*.py')):
        parts = path.relative_to(root).parts
        if 'tests' not in parts:
            found['/'.join(parts[: min(2, len(parts) - 1)])] += code_lines(
                path
            )
    for folder, lines in sorted(found.items()):
        print(f'{lines:6} {folder or "."}')
    print(f'{sum(found.values()):6} in all')


if __name__ == '__main__':
    main()

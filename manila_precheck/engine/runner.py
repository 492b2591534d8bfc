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

"""Run checks over a context; the only module that catches everything.

Whatever a check does, the report is complete: an exception, a ``sys.exit``,
invalid findings, a failed import and a check that never returns each become an
ERROR result of that check, and the next check runs.
"""

import _thread
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import datetime
import inspect
import locale
import logging
import math
import os
import re
import reprlib
import sys
import threading
import time
import traceback
from typing import Any
from typing import Callable
from typing import Optional
from typing import TYPE_CHECKING
from typing import TypeVar
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import by_service
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.redact import names

if TYPE_CHECKING:
    from manila_precheck.engine import context

T = TypeVar('T')

LOG = logging.getLogger(__name__)

# More than any site has. The limit stops a check that yields endlessly before
# memory runs out.
MAX_FINDINGS_PER_CHECK = 200_000

# The maximum length of one text in a finding, in characters. A browser can
# still open a report with a few texts of this length.
MAX_TEXT_LENGTH = 2**20

# The maximum length of the description of a check, in characters.
_MAX_ABOUT = 1000

# The maximum size of a number in a finding: Python does not convert a number
# of more than 4300 digits to text.
_MAX_BITS = 128

_STREAMS = ('stdin', 'stdout', 'stderr', '__stdout__', '__stderr__')

# The limit for importing a plugin outside a run, where options are not known.
LOAD_TIMEOUT_SECONDS = 10.0

# The limit for str() of an exception, which a plugin may define itself.
_DESCRIBE_SECONDS = 5.0

# The time for an interrupted check to return the findings that it has.
GRACE_SECONDS = 3.0

# The maximum delay before a signal is handled that arrived just before a wait
# began.
_SIGNALS_SECONDS = 0.5

_INTERRUPTED = 'the run was interrupted; this report is incomplete'

# The validity of a ready-made waiver; the operator may write another date.
_WAIVER_TERM = datetime.timedelta(days=30)

_SOURCES: dict[model.Source, Callable[[Any], Any]] = {
    model.Source.CONFIG: lambda ctx: ctx.config,
    model.Source.POLICY: lambda ctx: ctx.policy,
    model.Source.PASTE: lambda ctx: ctx.paste,
    model.Source.DATABASE: lambda ctx: ctx.database,
}


class _TookTooLong(Exception):
    """A call did not return in time."""


@contextlib.contextmanager
def _process_as_it_is() -> Iterator[None]:
    """Undo what third-party code changes in the state of the process."""
    try:
        directory: Optional[str] = os.getcwd()
    except OSError:
        directory = None
    mask = os.umask(0o077)
    os.umask(mask)
    environment = dict(os.environ)
    streams = {name: getattr(sys, name) for name in _STREAMS}
    depth = sys.getrecursionlimit()
    words = locale.setlocale(locale.LC_ALL)
    root = logging.getLogger()
    handlers, level, least = root.handlers[:], root.level, root.manager.disable
    try:
        yield
    finally:
        if directory is not None:
            with contextlib.suppress(OSError):
                os.chdir(directory)
        os.umask(mask)
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        for name, stream in streams.items():
            setattr(sys, name, stream)
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(depth)
        if locale.setlocale(locale.LC_ALL) != words:
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_ALL, words)
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(least)


def _call_within(
    seconds: Optional[float],
    call: Callable[[], Any],
    interrupt: Callable[[], None] = lambda: None,
) -> Any:
    """Return what a call returns, or raise what it raises.

    The call runs in a thread of its own, because Python has no other way to
    leave code that never returns. Such a thread then runs until the process
    ends.

    :param seconds: the time limit; None for no limit.
    :param interrupt: called when the operator interrupts the run: the call
        then has GRACE_SECONDS to return.
    :raises _TookTooLong: when the call did not return in time.
    :raises KeyboardInterrupt: when the operator interrupts the run.
    :raises PluginError: when the call itself raises KeyboardInterrupt: an
        interrupt by the operator reaches only the main thread.
    """
    process = os.getpid()
    # This thread does not wait on objects of the module threading: an
    # interrupt inside their Python code may leave a lock held for ever.
    done = _thread.allocate_lock()
    done.acquire()
    answer: list[Any] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            answer.append(call())
        except BaseException as exc:
            if isinstance(exc, MemoryError):
                # The frames still hold the memory, and too little is left to
                # start the thread that describes the error.
                traceback.clear_frames(exc.__traceback__)
            failure.append(exc)
        finally:
            if os.getpid() != process:
                # The call has forked, and this is the child: nobody waits for
                # it, and it may wait for ever for a lock.
                os._exit(1)
            done.release()

    def begin() -> None:
        try:
            # Coverage and debuggers follow threads of this module.
            threading.Thread(target=body, name='check', daemon=True).start()
        except BaseException as exc:
            failure.append(exc)
            done.release()

    with _process_as_it_is():
        try:
            _thread.start_new_thread(begin, ())
            in_time = _acquired(done, seconds)
        except KeyboardInterrupt:
            interrupt()
            done.acquire(timeout=GRACE_SECONDS)
            raise
    if not in_time:
        raise _TookTooLong
    if failure:
        if isinstance(failure[0], KeyboardInterrupt):
            raise exceptions.PluginError('it raised KeyboardInterrupt')
        raise failure[0]
    return answer[0]


def _acquired(lock: _thread.LockType, seconds: Optional[float]) -> bool:
    """Wait for a lock, and return whether it was acquired in time.

    :param seconds: the time limit; None for no limit.
    :raises KeyboardInterrupt: when the operator interrupts the run.
    """
    ends = math.inf if seconds is None else time.monotonic() + seconds
    while True:
        # Wait in short steps: a signal that arrives just before a wait does
        # not end it.
        left = ends - time.monotonic()
        if lock.acquire(timeout=max(0.0, min(left, _SIGNALS_SECONDS))):
            return True
        if left <= 0:
            return False


def _shown(value: Any) -> str:
    """Return a short repr of a value, or its type if repr() fails."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    try:
        # An address would be different in every run.
        return re.sub(' at 0x[0-9A-Fa-f]+', '', short.repr(value))
    except BaseException:
        return f'a {type(value).__name__} without a repr'


def _of_exception(call: Callable[[], T], otherwise: T) -> T:
    """Return what a call returns that uses an exception of third-party code.

    :param otherwise: returned when the call raises, or never returns.
    """
    try:
        made: T = _call_within(_DESCRIBE_SECONDS, call)
        return made
    except KeyboardInterrupt:
        raise
    except BaseException:
        return otherwise


def _describe(exc: BaseException) -> str:
    return _of_exception(
        lambda: _words_of(exc), 'an exception that cannot be shown'
    )


def _words_of(exc: BaseException) -> str:
    if isinstance(exc, SystemExit):
        return f'it called sys.exit({_shown(exc.code)})'
    name = type(exc).__name__
    try:
        text = str(exc)[:MAX_TEXT_LENGTH]
    except BaseException:
        return f'{name} without a message'
    if isinstance(exc, exceptions.PrecheckError):
        return text
    return f'{name}: {text}'


def guarded(
    call: Callable[[], T],
    passing: tuple[type[BaseException], ...] = (),
) -> T:
    """Return what a call returns; raise only PrecheckError.

    :param passing: further exceptions to pass on, which the caller handles.
    :raises PrecheckError: the one that the call raised; for any other
        exception, ``sys.exit`` included, a PluginError that describes it.
    """
    try:
        return call()
    except (KeyboardInterrupt, exceptions.PrecheckError):
        raise
    except passing:
        raise
    except BaseException as exc:
        _log_crash('a call', exc)
        raise exceptions.PluginError(_describe(exc)) from exc


def _log_crash(what: str, exc: BaseException) -> None:
    _of_exception(lambda: LOG.debug('%s failed', what, exc_info=exc), None)


def isolated(call: Callable[[], T], seconds: Optional[float] = None) -> T:
    """Return what a call of third-party code returns.

    It runs in a thread of its own, and its changes of the state of the
    process are undone.

    :param seconds: the time limit; None for no limit.
    :raises PrecheckError: as :func:`guarded`.
    """

    def within() -> T:
        try:
            result: T = _call_within(seconds, call)
            return result
        except _TookTooLong:
            raise exceptions.PluginError(
                f'it did not finish within {seconds:g} seconds'
            ) from None

    return guarded(within)


def load(entry: registry.Plugin) -> Union[check.Check, str]:
    """Import a check; an error of its module is returned, not raised.

    :returns: the check; a text with the reason when it does not load, or not
        within ten seconds.
    """
    try:
        return isolated(
            lambda: registry.load_check(entry), LOAD_TIMEOUT_SECONDS
        )
    except exceptions.PrecheckError as exc:
        return f'it failed to load: {_describe(exc)}'


def _load_now(entry: registry.Plugin) -> check.Check:
    """Import a check in the thread that runs it.

    :raises PluginError: when it does not load; the text says why.
    """
    try:
        return registry.load_check(entry)
    except BaseException as exc:
        _log_crash(f'loading {entry.origin}', exc)
        raise exceptions.PluginError(
            f'it failed to load: {_describe(exc)}'
        ) from exc


def aliases(entry: registry.Plugin) -> Sequence[str]:
    """Return the earlier ids of a check; none when it does not load."""
    loaded = load(entry)
    return loaded.aliases if isinstance(loaded, check.Check) else ()


def _findings(
    one: check.Check, ctx: 'context.Context', found: list[model.Finding]
) -> None:
    """Append the findings of a check to a list.

    If the check crashes, the list has the findings that it yielded before.

    :raises PluginError: when a finding is invalid, after all others were
        appended.
    """
    views = ctx.seen_by(*one.services) if one.services else (ctx,)
    if len(views) == 1:
        _findings_of(one, views[0], found)
        return
    runs: list[by_service.ServiceRun] = []
    try:
        for view in views:
            runs.append(by_service.ServiceRun(view.judged, []))
            _findings_of(one, view, runs[-1].findings)
    finally:
        found += by_service.merged(runs)


def _findings_of(
    one: check.Check, ctx: 'context.Context', found: list[model.Finding]
) -> None:
    yielded = one.run(ctx)
    if isinstance(yielded, (str, bytes, model.Finding)) or not isinstance(
        yielded, Iterable
    ):
        raise exceptions.PluginError(
            f'its run() returned {_shown(yielded)}, not findings'
        )
    problem = ''
    for number, item in enumerate(yielded, 1):
        try:
            found.append(_valid(item, one.id))
        except exceptions.PluginError as exc:
            problem = problem or str(exc)
        if number >= MAX_FINDINGS_PER_CHECK:
            raise exceptions.PluginError(
                f'it yielded more than {MAX_FINDINGS_PER_CHECK} findings'
            )
    if problem:
        raise exceptions.PluginError(problem)


def _valid(item: Any, check_id: str) -> model.Finding:
    """Return a copy of a finding that a check yielded, of plain types.

    :raises PluginError: when a part of it does not have the type that
        :class:`manila_precheck.model.Finding` requires.
    """
    if not isinstance(item, model.Finding) or item.check_id not in (
        '',
        check_id,
    ):
        raise exceptions.PluginError(
            f'it yielded {_shown(item)}, which is not one of its findings'
        )
    if not isinstance(item.severity, model.Severity):
        raise _wrong('severity', item.severity, 'a Severity')
    if item.waiver is not None or item.known is not False:
        raise _wrong('waiver', item.waiver, 'for a check to set')
    subject = item.subject
    if not isinstance(subject, model.Subject):
        raise _wrong('subject', subject, 'a Subject')
    if not isinstance(item.data, Mapping):
        raise _wrong('data', item.data, 'a mapping')
    line = subject.line
    return model.Finding(
        check_id=check_id,
        severity=item.severity,
        subject=model.Subject(
            kind=_text('subject.kind', subject.kind),
            name=_text('subject.name', subject.name),
            file=_text_or_none('subject.file', subject.file),
            line=None if line is None else _number('subject.line', line),
            uuid=_text_or_none('subject.uuid', subject.uuid),
        ),
        message=_text('message', item.message),
        remediation=tuple(
            model.Remediation(
                _text('remediation.kind', step.kind),
                _text('remediation.text', step.text),
                tuple(
                    _edit(one)
                    for one in _all('remediation.edits', step.edits)
                    if _is('remediation.edits', one, model.Edit)
                ),
            )
            for step in _all('remediation', item.remediation)
            if _is('remediation', step, model.Remediation)
        ),
        references=tuple(
            _text('references', text)
            for text in _all('references', item.references)
        ),
        data={
            _text('data key', name): _scalar(f'data[{_shown(name)}]', value)
            for name, value in item.data.items()
        },
        aspect=_text('aspect', item.aspect),
        cause=_text('cause', item.cause),
    )


def _edit(one: model.Edit) -> model.Edit:
    return model.Edit(
        action=_text('edit.action', one.action),
        kind=_text('edit.kind', one.kind),
        file=_text('edit.file', one.file),
        line=None if one.line is None else _number('edit.line', one.line),
        section=_text('edit.section', one.section),
        name=_text('edit.name', one.name),
        value=_text_or_none('edit.value', one.value),
        early=bool(one.early),
    )


def _wrong(name: str, value: Any, expected: str) -> exceptions.PluginError:
    return exceptions.PluginError(
        f'it yielded a finding whose {name} {_shown(value)} is not {expected}'
    )


def _is(name: str, value: Any, kind: type) -> bool:
    if not isinstance(value, kind):
        raise _wrong(name, value, f'of type {kind.__name__}')
    return True


def _all(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(name, value, 'a list or tuple')
    return tuple(value)


def _text(name: str, value: Any) -> str:
    # Convert to str itself: a subclass may override any method.
    _is(name, value, str)
    if len(value) > MAX_TEXT_LENGTH:
        raise _wrong(name, value, f'within {MAX_TEXT_LENGTH} characters')
    return str.__str__(value)


def _text_or_none(name: str, value: Any) -> Optional[str]:
    return None if value is None else _text(name, value)


def _number(name: str, value: Any) -> int:
    _is(name, value, int)
    if int.bit_length(value) > _MAX_BITS:
        raise _wrong(name, value, f'a number of {_MAX_BITS} bits')
    return int.__index__(value)


def _scalar(name: str, value: Any) -> model.Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _number(name, value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return _text(name, value)
    raise _wrong(name, value, 'a text, a number, a bool or None')


def _not_applicable(one: check.Check, ctx: 'context.Context') -> str:
    """Return why a check does not apply to this run; '' when it does."""
    if ctx.stage not in one.stages:
        # The same text for all checks, so that a report says it once.
        return f'it does not run at stage {ctx.stage.value}'
    if one.introduced is not None:
        upgrade = ctx.upgrade
        if not upgrade.crosses(releases.parse(one.introduced)):
            return (
                f'it covers the upgrade to {one.introduced}, which an '
                f'upgrade from {upgrade.source} to {upgrade.target} does not '
                'include'
            )
    return ''


def run_one(
    entry: registry.Plugin,
    ctx: 'context.Context',
    clock: Callable[[], float] = time.monotonic,
    masked: bool = True,
) -> model.CheckResult:
    """Run one check and return its result; it never raises.

    When the operator interrupts it, ctx.interrupted is set, and the result
    is an ERROR with the findings so far.

    :param clock: returns a time in seconds, to measure how long the check
        takes.
    :param masked: whether secrets are masked. A result with unmasked secrets
        may only be used to change files, never be shown.
    """
    started = clock()
    found: list[model.Finding] = []
    title = [entry.name]
    about = ['']
    waivable = [True]
    remediation: tuple[model.Remediation, ...] = ()

    def body() -> str:
        loaded = _load_now(entry)
        title[0] = _text('title', loaded.title)
        about[0] = _about(loaded)
        waivable[0] = bool(loaded.waivable)
        reason = _not_applicable(loaded, ctx)
        if reason:
            raise exceptions.SourceNotApplicable(reason)
        loaded.register(ctx.conf)
        for source in model.Source:
            if source in loaded.requires:
                _SOURCES[source](ctx)
        _findings(loaded, ctx, found)
        return ''

    limit = ctx.options.check_timeout_seconds
    try:
        reason = _call_within(limit, body, ctx.interrupted.set)
        outcome = model.Outcome.FOUND if found else model.Outcome.PASSED
    except KeyboardInterrupt:
        ctx.interrupted.set()
        outcome, reason = model.Outcome.ERROR, _INTERRUPTED
    except exceptions.SourceNotGiven as exc:
        outcome, reason = model.Outcome.SKIPPED, _describe(exc)
    except exceptions.SourceNotApplicable as exc:
        outcome, reason = model.Outcome.NOT_APPLICABLE, _describe(exc)
    except _TookTooLong:
        ctx.end_statements()
        outcome = model.Outcome.ERROR
        reason = (
            f'it did not finish within {limit:g} seconds ([manila_precheck] '
            'check_timeout_seconds)'
        )
    except exceptions.PrecheckError as exc:
        outcome, reason = model.Outcome.ERROR, _describe(exc)
        remediation = tuple(exc.remediation)
    except BaseException as exc:
        _log_crash(f'check {entry.name}', exc)
        outcome = model.Outcome.ERROR
        reason = f'it crashed: {_describe(exc)}'
    findings: tuple[model.Finding, ...] = ()
    try:
        reason = ctx.redactor(reason)
        remediation = tuple(
            step._replace(text=ctx.redactor(step.text)) for step in remediation
        )
        # Use a copy of the list: a check that did not return in time is still
        # running and may append to it.
        findings = tuple(
            sorted(
                (
                    names.redacted(finding, ctx.redactor)
                    if masked
                    else finding
                    for finding in list(found)
                ),
                key=_order,
            )
        )
    except Exception as exc:
        # Findings that cannot be redacted must not be shown.
        _log_crash(f'redacting check {entry.name}', exc)
        outcome, remediation = model.Outcome.ERROR, ()
        reason = f'its findings cannot be redacted: {type(exc).__name__}'
    return model.CheckResult(
        id=entry.result_id,
        title=title[0],
        outcome=outcome,
        reason=reason,
        findings=findings,
        seconds=round(clock() - started, 3),
        waivable=waivable[0],
        remediation=remediation,
        about=about[0],
    )


def _about(loaded: check.Check) -> str:
    """Return the first paragraph of the documentation of a check."""
    text = inspect.getdoc(type(loaded)) or ''
    return ' '.join(text.partition('\n\n')[0].split())[:_MAX_ABOUT]


def _order(finding: model.Finding) -> tuple[int, str, int]:
    """Return the sort key of a finding: severity, then file and line."""
    subject = finding.subject
    return -finding.severity, subject.file or '', subject.line or 0


def run(
    entries: Sequence[registry.Plugin],
    ctx: 'context.Context',
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[str], None] = lambda check_id: None,
    masked: bool = True,
) -> tuple[model.CheckResult, ...]:
    """Run checks one after another.

    :param progress: called with the id of each check before it runs.
    :param masked: as for :func:`run_one`.
    :returns: one result for each entry, in the order of the entries. When
        the operator interrupts the run, checks that did not complete are
        ERRORs.
    """
    results: list[model.CheckResult] = []
    try:
        for entry in entries:
            LOG.debug('check %s begins', entry.result_id)
            progress(entry.result_id)
            results.append(run_one(entry, ctx, clock, masked))
            if ctx.interrupted.is_set():
                break
    except KeyboardInterrupt:
        ctx.interrupted.set()
    if ctx.interrupted.is_set():
        results.extend(
            model.CheckResult(
                id=entry.result_id,
                title=entry.name,
                outcome=model.Outcome.ERROR,
                reason=_INTERRUPTED,
            )
            for entry in entries[len(results) :]
        )
    return tuple(results)


def _text_of(build: Optional[releases.Build]) -> Optional[str]:
    return None if build is None else build.text


def _redacted(
    facts: Optional[model.Facts], redactor: Callable[[str], str]
) -> Optional[model.Facts]:
    if facts is None or facts.path is None:
        return facts
    return facts._replace(path=redactor(facts.path))


def report(
    results: Sequence[model.CheckResult],
    ctx: 'context.Context',
    tool: model.Tool,
    excluded: Iterable[str] = (),
    settings: Iterable[model.SettingRead] = (),
) -> model.Report:
    """Return the report of a run: its results, and what it read."""
    resolution = ctx.resolution
    source_origin, target_origin = resolution.origins
    reproducible = ctx.options.reproducible
    redactor = ctx.redactor
    return model.Report(
        tool=tool,
        # In an update within a release, the name may contain a path.
        source_release=redactor(resolution.upgrade.source.name),
        source_origin=source_origin,
        target_release=redactor(resolution.upgrade.target.name),
        target_origin=target_origin,
        source_build=_text_of(resolution.source_build),
        target_build=_text_of(resolution.target_build),
        sampled=ctx.options.quick,
        source_facts=_redacted(ctx.facts(resolution.upgrade.source), redactor),
        target_facts=_redacted(ctx.facts(resolution.upgrade.target), redactor),
        stage=ctx.stage,
        files=tuple(
            file._replace(path=redactor(file.path)) for file in ctx.files
        ),
        services=tuple(
            model.ServiceRead(
                one.service,
                tuple(map(redactor, one.locations)),
                one.how.value,
                None if reproducible else one.pid,
                one.file and redactor(one.file),
                one.line,
            )
            for one in ctx.services
        ),
        database=ctx.database_read,
        checks=tuple(
            result._replace(seconds=0.0) if reproducible else result
            for result in results
        ),
        excluded=tuple(sorted(excluded)),
        backends=tuple(map(redactor, ctx.backends)),
        settings=tuple(settings),
        created=None
        if reproducible
        else ctx.now.isoformat(timespec='seconds'),
        fail_on=ctx.options.fail_on,
        waiver_until=None
        if reproducible
        else (ctx.now + _WAIVER_TERM).date().isoformat(),
    )

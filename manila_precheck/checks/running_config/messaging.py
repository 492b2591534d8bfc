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

"""The queues, the exchanges and the topics of the services."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.running_config import comparison
from manila_precheck.engine import broker_words

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO

_RABBIT = 'oslo_messaging_rabbit'
_DELETE = broker_words.PRECONDITION
_HOW = broker_words.REMEDY

# The options that set arguments of a quorum queue.
_QUORUM = (
    'rabbit_quorum_delivery_limit',
    'rabbit_quorum_max_memory_length',
    'rabbit_quorum_max_memory_bytes',
)

# manila 22.0.2 cmd/share.py, scheduler.py, data.py: a service listens on the
# topic with the name of its program and ignores these options.
_TOPICS = {
    'share_topic': 'manila-share',
    'scheduler_topic': 'manila-scheduler',
    'data_topic': 'manila-data',
}


def queues(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield changed properties of queues, which RabbitMQ may reject.

    Tried with RabbitMQ 3.10.8 and oslo.messaging of 2023.1 and 2026.1.
    """
    url = sides.values('DEFAULT', 'transport_url')[1].value
    if not str(url).startswith(('rabbit', 'kombu')):
        return
    uses = sides.values(_RABBIT, 'rabbit_quorum_queue', default=False)[1].value
    mirrored = sides.values(_RABBIT, 'rabbit_ha_queues')[1].value
    quorum = sides.changes(_RABBIT, 'rabbit_quorum_queue', default=False)
    for change in quorum:
        yield _both(sides, change) if mirrored else _refused(sides, change)
    for change in sides.changes(
        _RABBIT, 'rabbit_transient_quorum_queue', default=False
    ):
        yield _refused(sides, change)
    if uses and not quorum:
        for change in sides.changes(_RABBIT, *_QUORUM, default=0):
            yield _refused(sides, change)
    if not uses and not quorum:
        for change in sides.changes(_RABBIT, 'amqp_durable_queues'):
            if change.before.value:
                yield _refused(sides, change)
            else:
                yield sides.finding(
                    change,
                    _WARNING,
                    broker_words.DURABLE_LATER,
                    model.advice(_HOW),
                )
    for change in sides.changes(_RABBIT, 'amqp_auto_delete'):
        if change.after.value:
            yield _refused(sides, change)
        else:
            yield sides.finding(
                change,
                _WARNING,
                'existing queues and exchanges are deleted only when '
                'nothing uses them: as long as a service or another project '
                f'does, {_DELETE}',
                model.advice(_HOW),
            )
    for change in sides.changes(_RABBIT, 'rabbit_ha_queues'):
        if uses and mirrored and not quorum:
            yield _both(sides, change)
        else:
            yield sides.finding(
                change,
                _INFO,
                'RabbitMQ 3.0 and later ignore it and mirror queues by a '
                'policy',
                model.advice('No action is needed.'),
            )


def _both(
    sides: comparison.ComparedSides, change: comparison.OptionChange
) -> model.Finding:
    return sides.finding(
        change,
        _FAILURE,
        'with rabbit_quorum_queue and rabbit_ha_queues both on, '
        'oslo.messaging raises RuntimeError and no service starts',
    )


def _refused(
    sides: comparison.ComparedSides, change: comparison.OptionChange
) -> model.Finding:
    return sides.finding(
        change,
        _FAILURE,
        _DELETE,
        *sides.keep(change),
        model.advice(_HOW),
    )


def exchange(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what a change of the exchange does."""
    for change in sides.changes('DEFAULT', 'control_exchange'):
        yield sides.finding(
            change,
            _WARNING,
            'notifications go to the new exchange, and consumers of the old '
            'one receive none; services that still use the old exchange '
            'cannot reach those that use the new one',
        )
    for change in sides.changes('oslo_messaging_notifications', 'topics'):
        yield sides.finding(
            change,
            _WARNING,
            'consumers of notifications on the old topics receive none',
        )


def topics(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the topics on which no service listens."""
    for name, listened in _TOPICS.items():
        for change in sides.changes('DEFAULT', name):
            if change.after.value == listened:
                yield sides.finding(
                    change,
                    _INFO,
                    'the service always listens on that topic',
                    model.advice('No action is needed.'),
                )
            else:
                yield sides.finding(
                    change,
                    _FAILURE,
                    f'{listened} listens on {listened} whatever the option '
                    'says; requests to any other topic are lost',
                )

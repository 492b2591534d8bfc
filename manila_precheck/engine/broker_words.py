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
"""Texts about errors of the broker, which several checks use.

They describe how RabbitMQ 3.10.8 answered to oslo.messaging of 2023.1 and of
2026.1.
"""

#: What happens when a queue or an exchange exists with other properties.
PRECONDITION = (
    'RabbitMQ answers 406 PRECONDITION_FAILED when a service declares a queue '
    'or an exchange that exists with other properties, and the service runs '
    'without receiving any request'
)
#: The remedy for that.
REMEDY = (
    "If the change is intended, delete manila's queues and exchanges (or "
    'its virtual host) while all its services are stopped. Other projects '
    'may use the exchange of control_exchange too.'
)
#: What happens to existing transient queues when the option is turned on.
DURABLE_LATER = (
    'it has no effect on existing queues: RabbitMQ answers 406 '
    'PRECONDITION_FAILED, and the services keep using queues that a restart '
    'of RabbitMQ deletes'
)

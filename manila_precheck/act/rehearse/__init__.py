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
"""The real upgrade on a copy of the database.

:mod:`manila_precheck.cmd.rehearse` restores the backup
(:mod:`manila_precheck.evidence.database.dumps.restore`), runs the checks on
the copy, and has the phases of :mod:`.rehearsal` done one after another::

    backup      the backup is that of the database, and whole
    purge       db purge of the source (--purge)
    sync        db sync of the target
    start       what the services of the target do as far as they start

A phase is a function of a module of its own. It is given a
:class:`.rehearsal.Stand` (the copy, the configuration, the two
manilas, a private directory), has jobs of :mod:`.inside` done by
:func:`.target.run` with a manila, an :class:`.target.Interpreter` or an
:class:`.image.Image`, and yields
:class:`.failures.Failure`, one for each thing that does not work, in the
target's own words. :mod:`.failures` makes findings of them, and says of each
whether a check has foretold it; :mod:`.rehearsal` makes a
:class:`manila_precheck.model.CheckResult` of each phase, ``rehearse-sync``
say.

    model.Rehearsal  <-  rehearsal.run  ->  sync, backup_proof, ...
                              |
             failures    staged (private file)    target -> inside/

``staged`` writes the private configuration file (mode 0600) that is read
last and replaces what would lead to production: the database, log files,
``state_path``. No process of the target gets anything of our environment.
"""

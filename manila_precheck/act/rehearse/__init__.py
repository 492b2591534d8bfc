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

    backup      the backup is whole and of this database
    purge       db purge of the source (--purge)
    sync        db sync of the target
    start       start of the target's services

Each phase is a function in a module of its own. It takes a
:class:`.rehearsal.Stand` (the copy, the configuration, the two manilas, a
private directory). It calls :func:`.target.run` to run jobs of :mod:`.inside`
by a manila, which is a :class:`.target.Interpreter` or an
:class:`.image.ManilaImage`. It yields a :class:`.failures.Failure` for each
thing that does not work, in the target's own words. :mod:`.failures` turns
these into findings, and says of each whether a check has foretold it;
:mod:`.rehearsal` turns each phase into a
:class:`manila_precheck.model.CheckResult`, such as ``rehearse-sync``.

    model.Rehearsal  <-  rehearsal.run  ->  sync, backup_proof, ...
                              |
             failures    staged (private file)    target -> inside/

``staged`` writes the private configuration file (mode 0600) that is read
last and replaces the options that lead to production: the database, log
files, ``state_path``. No process of the target inherits our environment.
"""

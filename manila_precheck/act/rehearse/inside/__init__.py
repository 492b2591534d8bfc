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
"""The code that runs inside the target: with its Python, beside its manila.

Nothing else of this project is available there, and only the standard library
is imported before :mod:`.confinement` has cut the process off.
:mod:`manila_precheck.act.rehearse.target` starts ``__main__``; in a container
:mod:`.contained` does. It reads a request and runs the job that this names. A
job is a module of this package with one function::

    def run(request: dict, say: Callable) -> int

``say(what, **more)`` sends an event, a JSON object on a line of its own, to
the process that started the job; the output of manila goes to standard error.
``run`` returns the exit code. An exception that leaves ``run`` is sent as an
event ``error``, in its own words.
"""

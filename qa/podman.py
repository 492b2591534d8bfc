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

"""Run podman with a store of its own, even inside a container."""

import os
import re
import shutil
import subprocess


def runtime():
    """Return the path of an OCI runtime for podman; None without one."""
    return next(filter(None, map(shutil.which, ('crun', 'runc'))), None)


def lacks():
    """Return why podman cannot be run here; '' when it can."""
    if os.geteuid() or not (shutil.which('podman') and runtime()):
        return 'podman is run by root here, and by crun or runc'
    return ''


def settings(home, **engine):
    """Write configuration files for podman.

    :param home: the directory for these files and for its store.
    :param engine: further settings, as strings, for the section engine of
        containers.conf.
    :return: the environment variables that make podman read these files.
    """
    engine = {
        'cgroup_manager': 'cgroupfs',
        'events_logger': 'none',
        'runtime': 'one',
        **engine,
    }
    (home / 'containers.conf').write_text(
        '[containers]\nlog_driver = "k8s-file"\n'
        'default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n[engine]\n'
        + ''.join(f'{name} = "{value}"\n' for name, value in engine.items())
        + f'[engine.runtimes]\none = ["{runtime()}"]\n'
    )
    (home / 'storage.conf').write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/store"\n'
        f'runroot = "{home}/run"\n'
    )
    return {
        'CONTAINERS_CONF': f'{home}/containers.conf',
        'CONTAINERS_STORAGE_CONF': f'{home}/storage.conf',
    }


def make_root(root, folders):
    """Make a directory that is to become an image.

    :param folders: the directories to create in it, as mount points or empty.
        /bin and the like become links if they are links on this host.
    """
    for name in folders:
        (root / name).mkdir(parents=True)
    for name in ('bin', 'lib', 'lib64', 'sbin'):
        if os.path.islink(f'/{name}'):
            (root / name).symlink_to(os.readlink(f'/{name}'))


def copy_programs(root, *paths):
    """Copy programs of this host into such a directory.

    :param paths: the paths of programs, which are copied with the libraries
        that they load, of scripts, and of directories.
    """
    found = set(paths)
    for path in paths:
        listed = subprocess.run(
            ['ldd', path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout.decode()
        found.update(re.findall(r'(/\S+) \(0x', listed))
    names = set()
    for path in found:
        # Copy to the real directory, since /lib is a link in the image as
        # well; and a library itself may be a link.
        folder, name = os.path.split(path)
        names.add(os.path.join(os.path.realpath(folder), name))
        names.add(os.path.realpath(path))
    archive = f'{root}.programs.tar'
    subprocess.run(
        ['tar', '-c', '-C', '/', '-f', archive, *(n[1:] for n in names)],
        check=True,
    )
    subprocess.run(['tar', '-x', '-C', root, '-f', archive], check=True)


def import_root(root, *words, **environment):
    """Make an image from a directory.

    :param words: options of podman import, then the name of the image.
    """
    archive = f'{root}.tar'
    subprocess.run(['tar', '-c', '-C', root, '-f', archive, '.'], check=True)
    run('import', '--quiet', *words[:-1], archive, words[-1], **environment)


def run(*words, **environment):
    """Run podman, and return its output.

    :raises CalledProcessError: when it fails.
    """
    return subprocess.run(
        ['podman', *words],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout

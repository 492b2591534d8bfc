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
"""Build the drivers of the back ends of a real manila release.

Part of judge_config.py, and run with it inside the release.
"""

import importlib
from unittest import mock

import judge_config

# (part of a driver's path, the module that opens sections of other back ends).
PEERS = (
    (
        '.netapp.',
        'manila.share.drivers.netapp.dataontap.cluster_mode.data_motion',
    ),
    ('.zfsonlinux.', 'manila.share.drivers.zfsonlinux.driver'),
    ('.dummy.', 'manila.tests.share.drivers.dummy'),
)


class Lenient:
    """Makes a rejected value count as not set while a driver is built.

    A service would exit at the first such value; the judge has to go on.
    """

    def __enter__(self):
        from oslo_config import cfg

        self._get = real = cfg.ConfigOpts._get

        def get(conf, name, group=None, namespace=None):
            try:
                return real(conf, name, group, namespace)
            except (cfg.ConfigFileValueError, cfg.TemplateSubstitutionError):
                opt = conf._get_opt_info(name, group)['opt']
                return opt.default

        cfg.ConfigOpts._get = get

    def __exit__(self, *exc_info):
        from oslo_config import cfg

        cfg.ConfigOpts._get = self._get


class _Everything(list):
    """Contains everything."""

    def __contains__(self, item):
        return True


def answer_for_neutron():
    """Confirm whatever a network plugin asks Neutron when it is built."""
    api = importlib.import_module('manila.network.neutron.api')
    api.API.get_network = lambda *args: {'subnets': _Everything(['any'])}


def build_drivers(conf, sections):
    """Build each back end's driver; most need no network until do_setup."""
    errors = {}
    judge_config.attempt(answer_for_neutron)
    backends = conf.enabled_share_backends or ['DEFAULT']
    for backend in backends:
        error = build_driver(conf, backend)
        if error:
            errors[judge_config.normal(backend)] = error
    paths = {
        name: lines.get('share_driver', [''])[-1]
        for name, lines in sections.items()
    }
    enabled = {judge_config.normal(name) for name in backends}
    loaded = [
        path
        for name, path in paths.items()
        if judge_config.normal(name) in enabled
    ]
    # Drivers look up such a section by the name in the file.
    for section, path in paths.items():
        for mark, module in PEERS:
            # An enabled back end of a kind opens the sections of its peers.
            if mark in path and any(mark in other for other in loaded):
                motion = importlib.import_module(module)
                judge_config.attempt(motion.get_backend_configuration, section)
    return errors


def build_driver(conf, backend):
    """Build one driver as the share manager does; return the error, if any."""
    from manila.share import configuration
    from manila.share import driver as base
    from manila.share import drivers_private_data
    from manila.share import hook
    from manila.share import manager

    settings = configuration.Configuration(
        manager.share_manager_opts,
        config_group=None if backend == 'DEFAULT' else backend,
    )
    drivers_private_data.DriverPrivateData(
        storage=mock.Mock(), config_group=backend
    )
    if settings.safe_get('hook_drivers'):
        settings.append_config_values(hook.hook_options)
    path = manager.MAPPING.get(settings.share_driver, settings.share_driver)
    error = None
    try:
        module, _, name = path.rpartition('.')
        driver = getattr(importlib.import_module(module), name)
        driver(private_storage=mock.Mock(), configuration=settings)
    except (Exception, SystemExit) as exc:
        error = f'{type(exc).__name__}: {exc}'
    # A driver that failed early has not registered these.
    judge_config.attempt(settings.append_config_values, base.share_opts)
    if '.netapp.' in path:
        motion = importlib.import_module(PEERS[0][1])
        peer = judge_config.attempt(motion.get_backend_configuration, backend)
        kinds = peer and peer.safe_get('netapp_enabled_backup_types')
        for kind in kinds or ():
            judge_config.attempt(motion.get_backup_configuration, kind)
    return error

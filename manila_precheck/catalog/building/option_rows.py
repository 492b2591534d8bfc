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

"""The rows of options.json: each option with its places and owners.

They combine the options that are registered, those that the sites register,
and those that the sample generator lists.
"""

import json

from manila_precheck.catalog import building
from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import option
from manila_precheck.catalog.building import ownership
from manila_precheck.catalog.building import registrations
from manila_precheck.catalog.building import share_drivers
from manila_precheck.catalog.building import sites
from manila_precheck.catalog.building import sources

AUTH_GROUPS = (
    'keystone_authtoken',
    'nova',
    'cinder',
    'glance',
    'neutron',
    'barbican',
)


class Collector:
    """One row per option and set of facts, with all its places."""

    def __init__(self):
        self.rows = {}

    def add(self, opt, default, where, owner=None):
        """Add an option.

        :param owner: ('drivers' or 'plugins', a name); None when it is
            registered with any driver.
        """
        if type(opt).__name__ == 'SubCommandOpt' or getattr(
            opt, 'positional', False
        ):
            return
        facts = option.option_facts(opt, default)
        key = (opt.dest, json.dumps(facts, sort_keys=True))
        row = self.rows.setdefault(
            key, {'name': opt.dest, 'facts': facts, 'places': {}}
        )
        owners = row['places'].setdefault(
            where, {'drivers': set(), 'plugins': set(), 'any': False}
        )
        if owner is None:
            owners['any'] = True
        else:
            kind, name = owner
            owners[kind].add(name)

    def places(self):
        return {
            (row['name'], where)
            for row in self.rows.values()
            for where in row['places']
        }


def add_registered(collector, watch, owners):
    """Add the options that imports and libraries really registered."""
    conf = watch.cfg.CONF
    for group, opt, module in watch.seen:
        collector.add(
            opt,
            registrations.effective_default(conf, group, opt),
            group,
            owners.of_module(module),
        )
    # Options that were registered before the watch, by oslo.config itself.
    watched = {(group, opt.dest) for group, opt, _ in watch.seen}
    for dest, info in conf._opts.items():
        if ('DEFAULT', dest) not in watched:
            collector.add(info['opt'], info['opt'].default, 'DEFAULT')


def add_sites(collector, all_sites, owners):
    """Add the options that drivers register in the sections of back ends."""
    for site in all_sites:
        if site.where == 'DEFAULT':
            # Such calls are for drivers without a configuration, which the
            # share manager never creates; those at import were recorded.
            continue
        for owner in owners.of_site(site):
            for opt in site.opts:
                collector.add(opt, opt.default, site.where, owner)


def add_listed(collector, listed):
    """Add what the sample generator lists, and nothing else has."""
    have = collector.places()
    names = {name for name, _ in have}
    for namespace, group, opt in listed:
        if (opt.dest, group) in have:
            continue
        if group in AUTH_GROUPS and opt.dest in libraries.password_options():
            # They belong to the plugin that auth_type names.
            continue
        if namespace == 'manila':
            if opt.dest in names:
                # Nothing registers it in this group.
                continue
            building.say(f'listed, registered nowhere: [{group}] {opt.dest}')
        collector.add(opt, opt.default, group)


def rows_of(row, reads, internal):
    """Return the catalog's rows: one for all places with the same owners.

    :param row: a row of a Collector.
    :param reads: the options that code reads as CONF.name.
    :param internal: the drivers that share_driver cannot name.
    """
    by_owner = {}
    for where, owners in sorted(row['places'].items()):
        drivers = (
            ()
            if owners['any']
            else tuple(sorted(owners['drivers'] - internal))
        )
        names = () if owners['any'] else tuple(sorted(owners['plugins']))
        by_owner.setdefault((drivers, names), []).append(where)
    out = []
    for (drivers, names), places in sorted(by_owner.items()):
        facts = dict(row['facts'])
        facts['in'] = sorted(
            place.strip('<>') if place.startswith('<') else '[' + place + ']'
            for place in places
        )
        if drivers:
            facts['drivers'] = list(drivers)
        if names:
            facts['plugins'] = list(names)
        if (
            '[DEFAULT]' in facts['in']
            and (drivers or names)
            and row['name'] in reads
        ):
            facts['read_in_default'] = True
        out.append({'name': row['name'], **facts})
    return out


def option_rows(modules, watch, listed):
    """Return the rows of every option, sorted."""
    all_sites = sites.find(modules)
    owners = ownership.OptionOwners(modules, all_sites)
    collector = Collector()
    add_registered(collector, watch, owners)
    add_sites(collector, all_sites, owners)
    add_listed(collector, listed)
    owners.resolve(collector.rows.values())
    reads = sources.global_reads(modules)
    internal = share_drivers.netapp_built(modules)
    out = {}
    for found in collector.rows.values():
        for row in rows_of(found, reads, internal):
            out[json.dumps(row, sort_keys=True)] = row
    have = {row['name'] for row in out.values()}
    lost = sorted(sources.source_names(modules) - have)
    if lost:
        building.say('in the source, in no row: ' + ', '.join(lost))
    return [row for _text, row in sorted(out.items())]

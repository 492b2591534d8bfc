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

"""How the documentation is built."""

import pathlib

project = 'manila-precheck'
copyright = 'OpenStack contributors'
master_doc = 'index'
exclude_patterns = []
nitpicky = False
add_module_names = False
pygments_style = 'native'

extensions = [
    'openstackdocstheme',
    'oslo_config.sphinxconfiggen',
    'oslo_config.sphinxext',
    'sphinx.ext.autodoc',
    'manila_precheck.sphinxext',
]

html_theme = 'openstackdocs'
openstackdocs_repo_name = 'openstack/manila-precheck'
openstackdocs_bug_project = 'manila'
openstackdocs_bug_tag = 'manila-precheck'
openstackdocs_auto_name = False

config_generator_config_file = (
    '../../etc/oslo-config-generator/manila-precheck.conf'
)
sample_config_basename = '_static/manila-precheck'

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'

# The pictures of tools/screenshots.py, where they were made.
_pictures = pathlib.Path(__file__).parent / '_static' / 'report'
if _pictures.is_dir():
    html_static_path = ['_static']
    tags.add('screenshots')  # noqa: F821  Sphinx defines it.

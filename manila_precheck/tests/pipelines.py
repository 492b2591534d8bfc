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
"""An api-paste.ini whose last section is the one that validates tokens."""

VALIDATES_TOKENS = (
    '[composite:osapi_share]\nuse = call:manila.api:root_app_factory\n'
    '/v2: v2\n[pipeline:v2]\npipeline = authtoken apiv2\n'
    '[app:apiv2]\npaste.app_factory = manila.api.v2.router:APIRouter.factory\n'
    '[filter:authtoken]\npaste.filter_factory = '
    'keystonemiddleware.auth_token:filter_factory\n'
)


def validating_tokens(own=''):
    """Return the files of a site, with lines in the section of the filter."""
    return {'api-paste.ini': VALIDATES_TOKENS + own}

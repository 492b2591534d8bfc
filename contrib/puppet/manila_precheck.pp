# Verifies the upgrade before puppet-manila migrates the database.
#
#   class { 'manila_precheck': target => '2026.1' }
#
# The exec of puppet-manila that runs "manila-manage db sync" waits for it, and
# does not run when there are failures, or when nothing could be looked at.
class manila_precheck (
  String $target,
  String $command = '/opt/manila-precheck/bin/manila-precheck',
) {
  exec { 'manila-precheck':
    command   => "${command} upgrade check --target-release ${target}",
    returns   => [0, 1],
    logoutput => true,
    before    => Anchor['manila::dbsync::begin'],
  }
}

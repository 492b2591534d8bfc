# @summary Verifies the upgrade before puppet-manila migrates the database
#
# It runs whenever the "manila-manage db sync" of puppet-manila does: after the
# packages or the configuration have changed. If there are failures, or nothing
# could be checked, the exec fails and puppet skips the migration and what
# comes after it.
#
# @example
#   class { 'manila_precheck': target => '2026.1' }
#
# @param target
#   The release that is installed: 2026.1
# @param command
#   The command
# @param timeout
#   How many seconds it may take
class manila_precheck (
  String[1] $target,
  String[1] $command = '/opt/manila-precheck/bin/manila-precheck',
  Integer $timeout = 900,
) {
  include manila::deps

  exec { 'manila-precheck':
    command     => [$command, 'upgrade', 'check', '--target-release', $target],
    # 0 success, 1 warnings; 2 failures, 255 it could not run.
    returns     => [0, 1],
    refreshonly => true,
    timeout     => $timeout,
    tries       => 1,
    logoutput   => true,
    subscribe   => [
      Anchor['manila::install::end'],
      Anchor['manila::config::end'],
    ],
    before      => Anchor['manila::dbsync::begin'],
  }
}

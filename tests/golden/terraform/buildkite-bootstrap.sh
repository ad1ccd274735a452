#!/usr/bin/env bash
# Prepares a new instance of the Elastic CI Stack for the Arrow benchmarks.
#
# The stack runs this script as root, once on each instance, as `bash <script`: the script is bash's
# standard input. So everything is in functions, which the last line calls with another standard
# input: a truncated copy runs nothing, and no child process can read the rest of the script. If the
# script fails, the instance terminates and its group starts another one, so optional steps must not
# fail.
#
# The output goes to /var/log/elastic-stack.log and to CloudWatch: it must not contain secrets.

AGENT_USER=buildkite-agent
AGENT_HOME=/var/lib/buildkite-agent
AGENT_HOOK=/etc/buildkite-agent/hooks/environment
QUEUE_ENV=${AGENT_HOME}/queue-env
QUEUE_HOOK=/etc/buildkite-agent/queue-env.sh

# The deadline, in seconds, for all steps that need the network. The stack waits 15 minutes for an
# instance (InstanceCreationTimeout).
DEADLINE=600

# Jobs use it as ~/miniconda3 and `conda`. For another conda installer, such as Miniforge, change the
# URL and the checksums: see docs/operations.md. @ARCHITECTURE@ is x86_64 or aarch64.
CONDA_HOME=/opt/miniconda3
CONDA_RELEASE=Miniconda3-py313_26.7.1-1
CONDA_URL=https://repo.anaconda.com/miniconda/${CONDA_RELEASE}-Linux-@ARCHITECTURE@.sh
CONDA_SHA256_X86_64=c26cbbd996d5ada0bec054b49a37fab690e2f91125701e458df6cca73da9482b
CONDA_SHA256_AARCH64=669e8f11248e97473ff058d97eb02b6c8e67f6c853e230f7a88cce95303c9fce

# Arrow's C++ needs CMake 3.25; Amazon Linux 2023 has 3.22. CMake 4 does not support the dependencies
# that older versions of Arrow bundle. The hashes are those of the wheels for x86_64 and aarch64.
CMAKE_HOME=/opt/cmake
CMAKE_LEAST=3.25
CMAKE_REQUIREMENT="cmake==3.31.10
  --hash=sha256:2f766bb46367e5e0559fa33184653754bce044583a06014dcaebf8e6dff8a1f1
  --hash=sha256:a4a5615f31f692c9b9aa8b365704e4b76172348af6fa40e16fea3f118bb01194"

# No python3-devel: it is for Python 3.9, and pyarrow needs 3.11 or newer, whose headers come with
# conda's Python. No protobuf, thrift, gRPC or Abseil: the distribution's versions are too old for
# Arrow, which bundles its own.
PACKAGES=(gcc gcc-c++ git make ninja-build python3 python3-pip)
OPTIONAL_PACKAGES=(
  autoconf bison boost-devel brotli-devel bzip2-devel flex gdb libcurl-devel lz4-devel openssl-devel
  pkgconf-pkg-config re2-devel snappy-devel utf8proc-devel wget xz-devel zlib-devel libzstd-devel
)

# Settings for measurements, each for the queues whose names match one of its patterns; "*" matches all
# queues. docs/operations.md, Measurements, describes their effect on comparisons over time.
QUIET_QUEUES=""         # no timers that clean up Docker images during a job
SINGLE_THREAD_QUEUES="" # one thread for each CPU core (no SMT)
PROFILING_QUEUES=""     # jobs can use perf events

main() {
  set -euo pipefail
  umask 022
  export HOME="${HOME:-/root}"

  # Downloaded and installed while dnf runs.
  begin "Miniconda" install_conda
  required "packages" install_packages
  required "CMake" install_cmake
  required "Docker" ensure_docker
  required "git configuration" configure_git
  required "file limits" raise_file_limits
  required "sudo rule" allow_dropping_caches
  optional "network settings" tune_network
  if [[ -z ${IMAGE_ONLY:-} ]]; then
    optional "measurement settings" apply_measurement_settings
    required "the queue's env file" fetch_queue_env
  fi
  finish
  log "done after ${SECONDS} s"
}

log() {
  printf 'bootstrap: %s\n' "$*" >&2
}

# required NAME COMMAND...: run a required step; if it fails, the boot fails.
required() {
  local name=$1 started=${SECONDS}
  shift
  log "${name} ..."
  # Not in an `if`, because bash ignores `set -e` there and in all functions that are called.
  trap 'log "FAILED: '"${name//\'/}"'"; kill "${BEGUN:-}" 2>/dev/null' EXIT
  "$@"
  trap - EXIT
  log "${name}: done in $((SECONDS - started)) s"
}

# begin NAME COMMAND...: run a required step in parallel with the following ones, until `finish`.
begin() {
  local name=$1
  shift
  (
    set -euo pipefail
    BEGUN=
    required "${name}" "$@"
  ) &
  BEGUN=$! BEGUN_NAME=${name}
}

finish() {
  wait "${BEGUN}" || {
    log "FAILED: ${BEGUN_NAME}"
    return 1
  }
}

# optional NAME COMMAND...: run an optional step; if it fails, only a warning is logged.
optional() {
  local name=$1 started=${SECONDS} status=0
  shift
  log "${name} ..."
  # In a separate process, where `set -e` is in effect.
  (
    set -euo pipefail
    "$@"
  ) &
  wait "$!" || status=$?
  if ((status == 0)); then
    log "${name}: done in $((SECONDS - started)) s"
  else
    log "WARNING: ${name}: failed with status ${status}, and the agent starts without"
  fi
}

# retry COMMAND...: run it up to three times, each for at most three minutes or until the deadline.
retry() {
  local attempt left
  for attempt in 1 2 3; do
    left=$((DEADLINE - SECONDS))
    if ((left <= 0)); then
      log "no time is left for: $1"
      return 1
    fi
    if timeout "$((left < 180 ? left : 180))" "$@"; then
      return 0
    fi
    log "attempt ${attempt} of 3 failed: $1"
    if ((attempt < 3)); then
      sleep "$((attempt * 5))"
    fi
  done
  return 1
}

# In one transaction, so that dnf reads the metadata of its repositories once.
install_packages() {
  local missing
  missing=$(not_installed "${PACKAGES[@]}" "${OPTIONAL_PACKAGES[@]}")
  if [[ -n ${missing} ]]; then
    # Not strict: a missing package must not prevent the installation of the others.
    # shellcheck disable=SC2086,SC2310 # a list; what is installed is checked afterwards
    retry dnf install --assumeyes --quiet --allowerasing --setopt=strict=0 ${missing} || true
  fi
  missing=$(not_installed "${OPTIONAL_PACKAGES[@]}")
  if [[ -n ${missing} ]]; then
    log "WARNING: these packages could not be installed, and the agent starts without: ${missing}"
  fi
  missing=$(not_installed "${PACKAGES[@]}")
  if [[ -n ${missing} ]]; then
    log "these packages could not be installed: ${missing}"
    return 1
  fi
}

# not_installed PACKAGE...: print the packages that are not installed, on one line.
not_installed() {
  local package missing=()
  for package in "$@"; do
    if ! rpm --quiet --query "${package}"; then
      missing+=("${package}")
    fi
  done
  printf '%s' "${missing[*]}"
}

# With the system's pip, which jobs cannot change.
install_cmake() {
  local program version
  if [[ ! -x ${CMAKE_HOME}/cmake/data/bin/cmake ]]; then
    rm --recursive --force "${CMAKE_HOME}"
    retry python3 -m pip --disable-pip-version-check install --quiet --no-deps --only-binary :all: \
      --require-hashes --target "${CMAKE_HOME}" --requirement <(printf '%s\n' "${CMAKE_REQUIREMENT//$'\n'/ }")
  fi
  for program in cmake cpack ctest; do
    ln --symbolic --force "${CMAKE_HOME}/cmake/data/bin/${program}" "/usr/local/bin/${program}"
  done
  version=$(/usr/local/bin/cmake --version | sed --quiet '1s/^cmake version //p')
  if ! printf '%s\n' "${CMAKE_LEAST}" "${version}" | sort --check=quiet --version-sort; then
    log "CMake must be ${CMAKE_LEAST} or newer, got ${version:-none}"
    return 1
  fi
}

install_conda() {
  # Written last, so that an incomplete installation is detected.
  local complete=${CONDA_HOME}/.installed-${CONDA_RELEASE}
  if [[ ! -e ${complete} ]]; then
    local architecture checksum folder
    architecture=$(uname -m)
    case ${architecture} in
    x86_64) checksum=${CONDA_SHA256_X86_64} ;;
    aarch64) checksum=${CONDA_SHA256_AARCH64} ;;
    *)
      log "there is no conda for ${architecture}"
      return 1
      ;;
    esac
    folder=$(mktemp --directory)
    retry curl --fail --silent --show-error --location --output "${folder}/miniconda.sh" \
      "${CONDA_URL//@ARCHITECTURE@/${architecture}}"
    printf '%s  %s\n' "${checksum}" "${folder}/miniconda.sh" | sha256sum --check --quiet
    rm --recursive --force "${CONDA_HOME}"
    bash "${folder}/miniconda.sh" -b -p "${CONDA_HOME}"
    rm --recursive --force "${folder}"
    # Only conda-forge, as in Arrow's builds: Anaconda's own channels have terms to accept.
    write_file 0644 "${CONDA_HOME}/.condarc" <<'CONDARC'
channels:
  - conda-forge
channel_priority: strict
CONDARC
    chown --recursive "${AGENT_USER}:" "${CONDA_HOME}"
    touch "${complete}"
  fi
  # Jobs run in shells that read no profile: they find conda on PATH, or where the benchmark jobs look
  # for it. Nothing is linked into /etc/profile.d: root's login shells would run files that jobs can
  # write.
  ln --symbolic --force "${CONDA_HOME}/bin/conda" /usr/local/bin/conda
  if [[ ! -e ${AGENT_HOME}/miniconda3 ]]; then
    ln --symbolic --force --no-dereference "${CONDA_HOME}" "${AGENT_HOME}/miniconda3"
  fi
}

ensure_docker() {
  if ! command -v docker >/dev/null; then
    retry dnf install --assumeyes --quiet docker
  fi
  systemctl enable --now docker.service
  usermod --append --groups docker "${AGENT_USER}"
}

configure_git() {
  as_agent git config --global user.name "Arrow Benchmarks"
  as_agent git config --global user.email "${AGENT_USER}@localhost"
  as_agent git config --global init.defaultBranch main
  as_agent git config --global advice.detachedHead false
}

as_agent() {
  runuser --user "${AGENT_USER}" -- env HOME="${AGENT_HOME}" "$@"
}

raise_file_limits() {
  # The agent is a systemd service, to which /etc/security/limits.conf does not apply. A high soft limit
  # slows down programs that iterate over all descriptors; programs that need more can raise it up to
  # the hard limit. Containers have the limits of dockerd, not of the agent.
  write_file 0644 /etc/systemd/system/buildkite-agent.service.d/limits.conf <<'LIMITS'
[Service]
LimitNOFILE=65536:1048576
LimitNPROC=infinity
LIMITS
  systemctl daemon-reload
}

tune_network() {
  {
    raised net.core.rmem_max 16777216
    raised net.core.wmem_max 16777216
    raised net.ipv4.tcp_rmem 4096 131072 16777216
    raised net.ipv4.tcp_wmem 4096 65536 16777216
  } | write_file 0644 /etc/sysctl.d/90-benchmarks.conf
  sysctl --quiet --load=/etc/sysctl.d/90-benchmarks.conf
}

# shellcheck disable=SC2310 # the result of is_queue_of is its status
apply_measurement_settings() {
  if is_queue_of "${QUIET_QUEUES}"; then
    log "no Docker clean-up timers"
    systemctl disable --now docker-gc.timer docker-low-disk-gc.timer
  fi
  if is_queue_of "${SINGLE_THREAD_QUEUES}"; then
    log "one thread for each core"
    # Graviton has no SMT, and the file is not writable.
    if [[ $(</sys/devices/system/cpu/smt/control) == on ]]; then
      printf 'off\n' >/sys/devices/system/cpu/smt/control
    fi
  fi
  if is_queue_of "${PROFILING_QUEUES}"; then
    log "perf events for jobs"
    printf 'kernel.perf_event_paranoid = 1\nkernel.kptr_restrict = 0\n' |
      write_file 0644 /etc/sysctl.d/91-profiling.conf
    sysctl --quiet --load=/etc/sysctl.d/91-profiling.conf
  fi
}

# is_queue_of PATTERNS: whether the name of this instance's queue matches one of the patterns.
is_queue_of() {
  local pattern patterns
  read -r -a patterns <<<"$1"
  for pattern in "${patterns[@]}"; do
    # shellcheck disable=SC2053 # a pattern
    if [[ ${BUILDKITE_QUEUE:?} == ${pattern} ]]; then
      return 0
    fi
  done
  return 1
}

# raised NAME VALUE...: print the setting NAME, with each VALUE or its current value, if that is greater.
raised() {
  local name=$1 current value values=()
  shift
  current=$(sysctl --values "${name}")
  read -r -a current <<<"${current}"
  for value in "$@"; do
    if ((${current[${#values[@]}]:-0} > value)); then
      value=${current[${#values[@]}]}
    fi
    values+=("${value}")
  done
  printf '%s = %s\n' "${name}" "${values[*]}"
}

# Benchmarks that start with a cold disk drop the page cache, which requires root. Jobs have no other
# root permissions: with more, a job could take over the instance and affect later jobs.
allow_dropping_caches() {
  local rule
  rule=$(mktemp)
  printf '%s ALL=(root) NOPASSWD: /usr/bin/tee /proc/sys/vm/drop_caches\n' "${AGENT_USER}" >"${rule}"
  visudo --check --quiet --file="${rule}"
  write_file 0440 /etc/sudoers.d/50-benchmarks <"${rule}"
  rm --force "${rule}"
}

fetch_queue_env() {
  local bucket="${BUILDKITE_SECRETS_BUCKET:?}" key="queues/${BUILDKITE_QUEUE:?}/env"
  local region="${BUILDKITE_SECRETS_BUCKET_REGION:-${AWS_REGION:-}}" found folder
  local options=(--no-cli-pager)
  if [[ -n ${region} ]]; then
    options+=(--region "${region}")
  fi
  # Listing distinguishes a missing key from one that is not readable.
  found=$(retry aws s3api list-objects-v2 "${options[@]}" --bucket "${bucket}" \
    --prefix "${key}" --query "length(Contents[?Key=='${key}'] || \`[]\`)" --output text)
  if [[ ${found} == 0 ]]; then
    log "there is no s3://${bucket}/${key}: jobs get no variables of their queue"
    rm --force "${QUEUE_ENV}"
  else
    # Only root can enter it, so that no other user can read the file while it is written.
    folder=$(mktemp --directory)
    retry aws s3 cp "${options[@]}" --only-show-errors "s3://${bucket}/${key}" "${folder}/env"
    # Lines, and so values, of files that were written on Windows end with carriage returns.
    sed --in-place 's/\r$//' "${folder}/env"
    install --owner="${AGENT_USER}" --group="${AGENT_USER}" --mode=0400 \
      "${folder}/env" "${QUEUE_ENV}"
    rm --recursive --force "${folder}"
    check_queue_env "s3://${bucket}/${key}"
    log "jobs get the variables in s3://${bucket}/${key}"
  fi
  export_queue_env_in_hook
}

# check_queue_env URL: run the queue's file once, as jobs will, and fail if it fails. Only the number of
# the failing line is printed, because the output of the file and of bash can contain secrets.
check_queue_env() {
  local line
  line=$({ bash -n "${QUEUE_ENV}" 2>&1 || true; } |
    sed --quiet '1s/^.*: line \([0-9]*\):.*$/\1/p')
  if [[ -z ${line} ]]; then
    # Inside the file, BASH_SOURCE has an entry. The status of the last line does not count as a failure.
    # shellcheck disable=SC2016 # expanded by the bash that runs it
    # shellcheck disable=SC2310 # its output shows a failure
    line=$(as_agent bash -c '
      exec 3>&1 >/dev/null 2>&1
      set -E
      trap "if ((\${#BASH_SOURCE[@]} > 0)); then printf %s \"\$LINENO\" >&3; exit; fi" ERR
      . "$0"
      printf whole >&3' "${QUEUE_ENV}") || true
  fi
  if [[ ${line} == whole ]]; then
    return 0
  fi
  rm --force "${QUEUE_ENV}"
  if [[ -z ${line} ]]; then
    log "$1 ends before its last line, by exit or the like: correct it and upload it again"
  else
    log "$1 fails in line ${line}: correct it and upload it again"
  fi
  return 1
}

# Install an environment hook that exports the variables of the queue's file to each job.
export_queue_env_in_hook() {
  local line=". ${QUEUE_HOOK}"
  write_file 0644 "${QUEUE_HOOK}" <<'HOOK'
# Exports the variables of the queue's env file, and has the agent redact them in job logs.
# The file runs in a separate process: it cannot end or change the hook that sources this, which runs
# with `set -Eeuo pipefail`, and its output is discarded.
if [[ -r ~/queue-env ]]; then
  BUILDKITE_REDACTED_VARS=${BUILDKITE_REDACTED_VARS:-*_PASSWORD,*_SECRET,*_TOKEN,*_PRIVATE_KEY,*_ACCESS_KEY,*_SECRET_KEY,*_CONNECTION_STRING}
  while IFS= read -r -d '' queue_variable; do
    queue_name=${queue_variable%%=*}
    case ${queue_name} in
    '' | _ | PWD | OLDPWD | SHLVL | SHELLOPTS | BASHOPTS | [0-9]* | *[!A-Za-z0-9_]*) ;;
    *)
      if [[ ${!queue_name-} != "${queue_variable#*=}" ]]; then
        export "${queue_variable?}" || :
        BUILDKITE_REDACTED_VARS+=,${queue_name}
      fi
      ;;
    esac
  done < <(bash -c 'exec 3>&1 >/dev/null 2>&1
    trap "/usr/bin/env --null >&3" EXIT
    . ~/queue-env
    /usr/bin/env --null >&3' || :)
  export BUILDKITE_REDACTED_VARS
  unset queue_variable queue_name
fi
HOOK
  if ! grep --quiet --fixed-strings --line-regexp "${line}" "${AGENT_HOOK}"; then
    printf '%s\n' "${line}" >>"${AGENT_HOOK}"
  fi
}

# write_file MODE PATH: write standard input to PATH.
write_file() {
  install -D --mode="$1" /dev/stdin "$2"
}

main "$@" </dev/null

#!/usr/bin/env bash
# Prepares a new instance of the Elastic CI Stack for the Arrow benchmarks.
#
# The stack runs it as root, once, as `bash <script`: the script is bash's standard input. So the last line
# calls functions with another one: a truncated copy runs nothing, and no child process can read the rest.
# If the script fails, the instance terminates and its group starts another: optional steps must not fail.
# The output goes to /var/log/elastic-stack.log and to CloudWatch: it must not contain secrets.

AGENT_USER=buildkite-agent
AGENT_HOME=/var/lib/buildkite-agent
CONFIG=/etc/buildkite-agent

# Seconds for all steps that need the network. The stack waits 15 minutes (InstanceCreationTimeout).
DEADLINE=600

# For another conda installer, such as Miniforge, see docs/images.md. @ARCHITECTURE@ is x86_64 or aarch64.
# The Brotli library of 26.7.1-1 has a known fault, which 26.9.4-1 of 2026-11-10 corrects.
CONDA_HOME=/opt/miniconda3
CONDA_RELEASE=Miniconda3-py313_26.7.1-1
CONDA_URL=https://repo.anaconda.com/miniconda/${CONDA_RELEASE}-Linux-@ARCHITECTURE@.sh
CONDA_SHA256_X86_64=c26cbbd996d5ada0bec054b49a37fab690e2f91125701e458df6cca73da9482b
CONDA_SHA256_AARCH64=669e8f11248e97473ff058d97eb02b6c8e67f6c853e230f7a88cce95303c9fce

# Arrow's C++ needs CMake 3.25; Amazon Linux 2023 has 3.22. CMake 4 does not support the dependencies that
# older versions of Arrow bundle. The hashes are those of the wheels for x86_64 and aarch64.
CMAKE_HOME=/opt/cmake
CMAKE_REQUIREMENT="cmake==3.31.10
  --hash=sha256:2f766bb46367e5e0559fa33184653754bce044583a06014dcaebf8e6dff8a1f1
  --hash=sha256:a4a5615f31f692c9b9aa8b365704e4b76172348af6fa40e16fea3f118bb01194"

# No python3-devel: it is for Python 3.9, and pyarrow needs 3.11, whose headers come with conda's Python. No
# protobuf, thrift, gRPC or Abseil: Arrow bundles newer versions.
PACKAGES=(gcc gcc-c++ git make ninja-build python3 python3-pip)
OPTIONAL_PACKAGES=(
  autoconf bison boost-devel brotli-devel bzip2-devel flex gdb libcurl-devel lz4-devel openssl-devel
  pkgconf-pkg-config re2-devel snappy-devel utf8proc-devel wget xz-devel zlib-devel libzstd-devel
)

# Settings, each for the queues whose names match one of its patterns; "*" matches all queues. For the
# effect of the first three on comparisons over time, see docs/images.md, Measurements.
QUIET_QUEUES=""         # no timers that clean up Docker images during a job
SINGLE_THREAD_QUEUES="" # one thread for each CPU core (no SMT)
PROFILING_QUEUES=""     # jobs can use perf events
KUBECTL_QUEUES=""       # jobs have kubectl

# For Kubernetes 1.34 to 1.36. Checksums: kubectl_checksums in
# https://github.com/kubernetes-sigs/kubespray/blob/46dbdd3/roles/kubespray_defaults/vars/main/checksums.yml
KUBECTL_URL=https://dl.k8s.io/release/v1.35.8/bin/linux/@ARCHITECTURE@/kubectl
KUBECTL_SHA256_AMD64=874d5e72dbb819f43cff16bcd1e4f8bac5b7f2361fe1e55049b0a6c676fb0cbf
KUBECTL_SHA256_ARM64=cc749967b62f4422260bc9c0aa7a7c55f45175ae38cb8d95767b5d2b7e04c1fd

# What the agent redacts by default (clicommand/global.go of https://github.com/buildkite/agent/tree/v3.137.0),
# and what else of a queue's env file: variables with such names, except public ones, or such values.
REDACTED='*_PASSWORD,*_SECRET,*_TOKEN,*_PRIVATE_KEY,*_SSH_KEY,*_ACCESS_KEY,*_SECRET_KEY,*_CONNECTION_STRING,*_API_KEY'
SECRET_NAME='(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|APIKEY|(^|_)(PASS|PWD|PAT|KEY|CRED|AUTH|JWT|DSN|COOKIE|WEBHOOK))S?[0-9]*(_|$)'
PUBLIC_NAME='(PUBLIC_KEY|CACHE_KEY|TOKEN_URL|_(ID|NAME|USER|EMAIL|HOST|FILE|PATH|DIR))$'
SECRET_VALUE='://[^/@ ]*:[^/@ ]+@|-----BEGIN|^(gh[a-z]_|github_pat_|glpat-|xox[a-z]-|pypi-|eyJ)'

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
    # shellcheck disable=SC2310 # the result of is_queue_of is its status
    if is_queue_of "${KUBECTL_QUEUES}"; then
      required "kubectl" install_kubectl
    fi
    optional "files of the agent" protect_agent_files
    required "the queue's env file" set_up_queue_env
  fi
  finish
  log "done after ${SECONDS} s"
}

log() {
  printf 'bootstrap: %s\n' "$*" >&2
}

fail() {
  log "$*"
  return 1
}

# required NAME COMMAND...: run a step; if it fails, the boot fails.
required() {
  start "$@"
  wait "$!" || stop "$1"
}

# optional NAME COMMAND...: run a step; if it fails, only a warning is logged.
optional() {
  start "$@"
  wait "$!" || log "WARNING: $1: failed with status $?, and the agent starts without"
}

# begin NAME COMMAND...: run a required step in parallel with the following ones, until `finish`.
begin() {
  start "$@"
  BEGUN=$! BEGUN_NAME=$1
}

finish() {
  wait "${BEGUN}" || stop "${BEGUN_NAME}"
}

# In the background, all functions of a step run with `set -e`; before `||` they do not.
start() {
  log "$1 ..."
  {
    set -euo pipefail
    local started=${SECONDS}
    "${@:2}"
    log "$1: done in $((SECONDS - started)) s"
  } &
}

stop() {
  log "FAILED: $1"
  kill "${BEGUN:-}" 2>/dev/null || true
  exit 1
}

# retry COMMAND...: run a program or function until it succeeds, or until the deadline.
retry() {
  local name="$1 ${2-}" pause=5
  declare -F "$1" >/dev/null || set -- bounded "$@"
  until "$@"; do
    if ((SECONDS + pause >= DEADLINE)); then
      fail "no time is left for: ${name}"
      return
    fi
    log "failed, next attempt in ${pause} s: ${name}"
    sleep "${pause}"
    pause=$((pause < 60 ? pause * 2 : 60))
  done
}

# bounded PROGRAM...: run it for at most three minutes, and not beyond the deadline.
bounded() {
  local left=$((DEADLINE - SECONDS))
  timeout --kill-after=10 "$((left > 180 ? 180 : left > 0 ? left : 1))" "$@"
}

# download URL FILE SHA256...: an attempt includes the checksum, since curl can miss that a file is truncated.
download() {
  local checksum
  # shellcheck disable=SC2310
  bounded curl --fail --silent --show-error --location --output "$2" "$1" || return
  checksum=$(sha256sum "$2")
  [[ " ${*:3} " == *" ${checksum%% *} "* ]]
}

# If possible in one transaction, since dnf reads the metadata of its repositories each time. An optional
# package cannot fail the others.
# shellcheck disable=SC2310 # what is installed is checked afterwards
install_packages() {
  local missing
  dnf_install bounded "${PACKAGES[@]}" "${OPTIONAL_PACKAGES[@]}" || true
  dnf_install retry "${PACKAGES[@]}"
  dnf_install bounded "${OPTIONAL_PACKAGES[@]}" || true
  missing=$(not_installed "${PACKAGES[@]}")
  [[ -z ${missing} ]] || fail "these packages could not be installed: ${missing}"
  missing=$(not_installed "${OPTIONAL_PACKAGES[@]}")
  [[ -z ${missing} ]] ||
    log "WARNING: these packages could not be installed, and the agent starts without: ${missing}"
}

# dnf_install HOW PACKAGE...: install what is missing, by `bounded` or `retry`.
dnf_install() {
  local missing
  missing=$(not_installed "${@:2}")
  # shellcheck disable=SC2086 # a list
  [[ -z ${missing} ]] || "$1" dnf install --assumeyes --quiet --allowerasing --setopt=strict=0 ${missing}
}

# not_installed PACKAGE...: print the packages that are not installed, on one line.
not_installed() {
  { LC_ALL=C rpm --query "$@" || true; } | sed --quiet 's/^package \(.*\) is not installed$/\1/p' |
    paste --serial --delimiters=' '
}

# With the system's pip, which jobs cannot change.
install_cmake() {
  local program
  if [[ ! -e ${CMAKE_HOME}/installed ]]; then
    write_file 0644 "${CMAKE_HOME}/requirements.txt" <<<"${CMAKE_REQUIREMENT//$'\n'/ }"
    retry python3 -m pip --disable-pip-version-check install --quiet --no-deps --only-binary :all: \
      --require-hashes --upgrade --target "${CMAKE_HOME}" --requirement "${CMAKE_HOME}/requirements.txt"
    touch "${CMAKE_HOME}/installed"
  fi
  for program in cmake cpack ctest; do
    ln --symbolic --force "${CMAKE_HOME}/cmake/data/bin/${program}" "/usr/local/bin/${program}"
  done
  /usr/local/bin/cmake --version >/dev/null
}

install_conda() {
  # Written last, so that an incomplete installation is detected.
  local complete=${CONDA_HOME}/.installed-${CONDA_RELEASE}
  if [[ ! -e ${complete} ]]; then
    local architecture
    architecture=$(uname -m)
    [[ ${architecture} == @(x86_64|aarch64) ]] || fail "there is no conda for ${architecture}"
    retry download "${CONDA_URL//@ARCHITECTURE@/${architecture}}" "${HOME}/miniconda.sh" \
      "${CONDA_SHA256_X86_64}" "${CONDA_SHA256_AARCH64}"
    rm --recursive --force "${CONDA_HOME}"
    bash "${HOME}/miniconda.sh" -b -p "${CONDA_HOME}"
    rm "${HOME}/miniconda.sh"
    # Only conda-forge, as in Arrow's builds: Anaconda's own channels have terms to accept.
    write_file 0644 "${CONDA_HOME}/.condarc" <<'CONDARC'
channels:
  - conda-forge
channel_priority: strict
CONDARC
    chown --recursive "${AGENT_USER}:" "${CONDA_HOME}"
    touch "${complete}"
  fi
  # Not in /etc/profile.d, which the shells of jobs do not read, and those of root should not.
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
  retry runuser --user "${AGENT_USER}" -- docker ps --quiet
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
  # /etc/security/limits.conf does not apply to services. A high soft limit slows down programs that iterate
  # over all descriptors; others can raise it. Containers have the limits of dockerd.
  write_file 0644 /etc/systemd/system/buildkite-agent.service.d/limits.conf <<'LIMITS'
[Service]
LimitNOFILE=65536:1048576
LimitNPROC=infinity
LIMITS
  systemctl daemon-reload
}

# Larger existing limits are kept.
tune_network() {
  local name values current
  while read -r name values; do
    current=$(sysctl --values "${name}" </dev/null)
    ((${current##*[[:blank:]]} > ${values##* })) || printf '%s = %s\n' "${name}" "${values}"
  done <<'SETTINGS' | write_file 0644 /etc/sysctl.d/90-benchmarks.conf
net.core.rmem_max 16777216
net.core.wmem_max 16777216
net.ipv4.tcp_rmem 4096 131072 16777216
net.ipv4.tcp_wmem 4096 65536 16777216
SETTINGS
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

install_kubectl() {
  local architecture
  architecture=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  retry download "${KUBECTL_URL/@ARCHITECTURE@/${architecture}}" "${HOME}/kubectl" \
    "${KUBECTL_SHA256_AMD64}" "${KUBECTL_SHA256_ARM64}"
  install --mode=0755 "${HOME}/kubectl" /usr/local/bin/kubectl
  rm "${HOME}/kubectl"
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

# For benchmarks that start with a cold disk. Jobs have no other root permissions.
allow_dropping_caches() {
  printf '%s ALL=(root) NOPASSWD: /usr/bin/tee /proc/sys/vm/drop_caches\n' "${AGENT_USER}" |
    write_file 0440 /etc/sudoers.d/50-benchmarks
  visudo --check --quiet --file=/etc/sudoers.d/50-benchmarks
}

# What runs for each job, or as root when the agent stops, must not be replaceable by an earlier job: the
# image's hooks and plugins belong to the agent's user, and ~/cfn-env, which they read, is in its home.
protect_agent_files() {
  install --group="${AGENT_USER}" --mode=0640 "${AGENT_HOME}/cfn-env" "${CONFIG}/cfn-env"
  sed --in-place "s#\(~\|${AGENT_HOME}\)/cfn-env#${CONFIG}/cfn-env#" \
    "${CONFIG}/hooks/environment" /usr/local/bin/stop-agent-gracefully
  chown --recursive root: "${CONFIG}/hooks" /usr/local/buildkite-aws-stack
  chown "root:${AGENT_USER}" "${CONFIG}/buildkite-agent.cfg"
  chmod 0640 "${CONFIG}/buildkite-agent.cfg"
}

# Jobs export the env file's variables by the environment hook. As an instance can wait for days in a warm pool,
# a unit fetches the file again when the agent starts; not the agent's own unit, whose commands have the
# variables of ~/env, which jobs can write. Both call functions of this script, which are installed.
set_up_queue_env() {
  # shellcheck disable=SC2016 # expanded by the bash that runs it
  local line='while IFS= read -r -d "" queue_variable; do export "${queue_variable?}"; done < <(
    bash /etc/buildkite-agent/queue-env.bash print_queue_env) && wait "$!"'
  {
    declare -f
    printf 'refresh() {\nset -euo pipefail\numask 022\n. %s/cfn-env >/dev/null\n' "${CONFIG}"
    declare -p AGENT_USER AGENT_HOME CONFIG DEADLINE REDACTED SECRET_NAME PUBLIC_NAME SECRET_VALUE BUILDKITE_QUEUE
    # shellcheck disable=SC2016 # expanded by the bash that runs it
    printf '[[ -n $(find /run -maxdepth 1 -name queue-env -mmin -10) ]] || fetch_queue_env\n}\n"$@"\n'
  } | write_file 0644 "${CONFIG}/queue-env.bash"
  grep --quiet print_queue_env "${CONFIG}/hooks/environment" || printf '%s\n' "${line}" >>"${CONFIG}/hooks/environment"
  # As in the stack's own units, an instance that fails stops, and its group replaces it.
  write_file 0644 /etc/systemd/system/queue-env.service <<'UNIT'
[Unit]
Description=Fetch the env file of the Buildkite queue
Before=buildkite-agent.service
OnFailure=poweroff.target
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash /etc/buildkite-agent/queue-env.bash refresh
StandardOutput=append:/var/log/elastic-stack.log
[Install]
RequiredBy=buildkite-agent.service
UNIT
  systemctl enable queue-env.service
  fetch_queue_env
}

fetch_queue_env() {
  local bucket="${BUILDKITE_SECRETS_BUCKET:?}" key="queues/${BUILDKITE_QUEUE:?}/env" found folder
  local region="${BUILDKITE_SECRETS_BUCKET_REGION:-${AWS_REGION:-}}"
  local options=(--no-cli-pager ${region:+"--region=${region}"})
  # Listing distinguishes a missing key from one that is not readable.
  found=$(retry aws s3api list-objects-v2 "${options[@]}" --bucket "${bucket}" \
    --prefix "${key}" --query "length(Contents[?Key=='${key}'] || \`[]\`)" --output text)
  rm --force "${CONFIG}/queue-env"
  if [[ ${found} == 0 ]]; then
    log "there is no s3://${bucket}/${key}: jobs get no variables of their queue"
  else
    # Only root can enter it, so that no other user can read the file while it is written.
    folder=$(mktemp --directory)
    retry aws s3 cp "${options[@]}" --only-show-errors "s3://${bucket}/${key}" "${folder}/env"
    log "jobs run s3://${bucket}/${key}"
    use_queue_env "${folder}/env"
    rm --recursive --force "${folder}"
  fi
  touch /run/queue-env
}

# use_queue_env FILE: install the env file, if it runs as a whole. Only names and numbers of lines are logged,
# because values, and the output of the file and of bash, can be secrets.
use_queue_env() {
  local LC_ALL=C line variables variable name names=() secrets=() short=()
  # Lines, and so values, of files that were written on Windows end with carriage returns.
  sed --in-place 's/\r$//' "$1"
  line=$({ bash -n "$1" 2>&1 || true; } | sed --quiet '1s/^.*: line \([0-9]*\):.*$/\1/p')
  [[ -z ${line} ]] || fail "the queue's env file fails in line ${line}: correct it and upload it again"
  # Only without a `return` or `exit` before it, the last line runs.
  printf '\n\nqueue_env_end\n' >>"$1"
  install --group="${AGENT_USER}" --mode=0640 "$1" "${CONFIG}/queue-env"
  # shellcheck disable=SC2312 # `wait` has its status
  mapfile -t -d '' variables < <(as_agent bash "${CONFIG}/queue-env.bash" print_queue_env)
  wait "$!"
  ((${#variables[@]} > 0)) || fail "the queue's env file exports no variables: correct it, or delete it"
  for variable in "${variables[@]}"; do
    name=${variable%%=*} variable=${variable#*=}
    names+=("${name}")
    if [[ ${name} == BUILDKITE_REDACTED_VARS ]]; then
      secrets+=("${variable}")
    elif [[ ${name^^} =~ ${SECRET_NAME} && ! ${name^^} =~ ${PUBLIC_NAME} || ${variable} =~ ${SECRET_VALUE} ]]; then
      secrets+=("${name}")
      ((${#variable} >= 6)) || short+=("${name}") # LengthMin in the agent's internal/redact/redact.go
    fi
  done
  redact_in_logs "${secrets[@]}"
  log "jobs get: ${names[*]}"
  log "the agent redacts in job logs: ${secrets[*]:-none of these}"
  ((${#short[@]} == 0)) || log "WARNING: not redacted, because the values have fewer than 6 bytes: ${short[*]}"
}

# redact_in_logs PATTERN...: add the patterns to the agent's, which are in its environment or else its
# configuration (cliconfig/loader.go of https://github.com/buildkite/agent/tree/v3.137.0). After each hook it
# matches all variables with them, and not with the hook's BUILDKITE_REDACTED_VARS (internal/job/executor.go).
redact_in_logs() {
  local patterns environment=${AGENT_HOME}/env
  patterns=$({
    printf '%s\n' "${REDACTED}" "$@"
    sed --quiet 's/^BUILDKITE_REDACTED_VARS=//p' "${environment}" 2>/dev/null || true
  } | tr ',' '\n' | tr --complement --delete '[:alnum:]_*?\n' | sort --unique | paste --serial --delimiters=,)
  sed --in-place '/^redacted-vars=/d' "${CONFIG}/buildkite-agent.cfg"
  printf 'redacted-vars=%s\n' "${patterns}" >>"${CONFIG}/buildkite-agent.cfg"
  if grep --quiet '^BUILDKITE_REDACTED_VARS=' "${environment}" 2>/dev/null; then
    as_agent sed --in-place "s/^BUILDKITE_REDACTED_VARS=.*/BUILDKITE_REDACTED_VARS=${patterns}/" "${environment}"
  fi
}

# As the agent's user: run the env file for at most a minute, and print its variables, each ended by NUL. It
# writes to files, because a process in its background would keep a pipe open.
print_queue_env() {
  local folder status=0 how=""
  [[ -e /etc/buildkite-agent/queue-env ]] || return 0
  folder=$(mktemp --directory)
  {
    timeout --kill-after=5 60 bash "${BASH_SOURCE[0]}" source_queue_env "${folder}" </dev/null >/dev/null || status=$?
  } 2>/dev/null
  [[ -e ${folder}/variables ]] || how="ends before its last line, by exit or return in"
  ((status != 124 && status != 137)) || how="does not finish within a minute: it was in"
  [[ ! -e ${folder}/failed ]] || how="fails in"
  [[ -z ${how} ]] || log "the queue's env file ${how} line $((10#$(<"${folder}/line"))): correct it and upload it again"
  [[ ! -e ${folder}/lost ]] || log "WARNING: jobs do not get arrays, values over 128 KiB, and what is not exported: $(<"${folder}/lost")"
  [[ -n ${how} ]] || cat "${folder}/variables"
  rm --recursive --force "${folder}"
  [[ -z ${how} ]]
}

# source_queue_env FOLDER: keep the number of the line that runs in FOLDER/line. Each variable is exported, as by
# https://github.com/buildkite/elastic-ci-stack-s3-secrets-hooks/blob/v2.8.0/hooks/environment.
source_queue_env() {
  declare -A queue_before
  local queue_folder=$1 queue_name
  for queue_name in $(compgen -v); do
    queue_before[${queue_name}]=${!queue_name-}
  done
  trap '[[ -e ${queue_folder}/failed ]] || printf %09d "${LINENO}" 1<>"${queue_folder}/line"' DEBUG
  trap '>|"${queue_folder}/failed"; exit 1' ERR
  set -aET
  # shellcheck source=/dev/null
  . /etc/buildkite-agent/queue-env
}

# Write each changed variable to FOLDER/variables, and the names of new ones that no program can get to FOLDER/lost.
# shellcheck disable=SC2154,SC2310 # variables of source_queue_env
queue_env_end() {
  trap - DEBUG ERR EXIT
  set +aefuETvx
  local IFS=$' \t\n' queue_name queue_value
  for queue_name in $(compgen -v); do
    queue_value=${!queue_name-}
    if [[ ${queue_name} =~ ^(_|queue_(before|folder|name|value)|IFS|BASH_REMATCH|OPT(ARG|ERR|IND)|(OLD)?PWD|SHLVL|SHELLOPTS|BASHOPTS)$ ]]; then
      continue
    elif [[ ${!queue_name@a} == *x* && ${!queue_name@a} != *[aA]* ]] && fits "${queue_name}=${queue_value}"; then
      [[ -v queue_before[${queue_name}] && ${queue_before[${queue_name}]} == "${queue_value}" ]] ||
        printf '%s\0' "${queue_name}=${queue_value}"
    elif [[ ! -v queue_before[${queue_name}] ]]; then
      printf '%s ' "${queue_name}" >>"${queue_folder}/lost"
    fi
  done >|"${queue_folder}/variables"
  exit 0
}

# Linux limits a variable, with its name and NUL, to 128 KiB (MAX_ARG_STRLEN).
fits() {
  local LC_ALL=C
  ((${#1} < 131072))
}

# write_file MODE PATH: write standard input to PATH.
write_file() {
  install -D --mode="$1" /dev/stdin "$2"
}

main "$@" </dev/null
